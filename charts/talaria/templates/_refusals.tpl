{{/* What cannot work ends here, with a sentence on how to mend it. */}}
{{- define "talaria.refuse" -}}
{{- $scheme := include "talaria.scheme" . -}}
{{- $sharing := "Set transportUrl to a log that hubs share (redis://, postgres://, kafka://, pulsar+ws://)" -}}
{{- if include "talaria.isSingle" . -}}
{{- if .Values.autoscaling.enabled -}}
{{- fail (printf "autoscaling.enabled: %s:// is the log of a single hub. %s, or leave autoscaling off." $scheme $sharing) -}}
{{- else if gt (int .Values.replicas) 1 -}}
{{- fail (printf "replicas is %d, but %s:// is the log of a single hub: each would have updates that the others have not. %s, or replicas to 1." (int .Values.replicas) $scheme $sharing) -}}
{{- end -}}
{{- end -}}
{{- if and (include "talaria.isBolt" .) .Values.persistence.enabled (regexMatch "^bolt:///" (include "talaria.transportUrl" .)) (not (regexMatch "^bolt:///data/" (include "talaria.transportUrl" .))) -}}
{{- fail (printf "config.transport_url: %s is not on the volume, which is at /data. Write bolt://updates.db, or bolt:///data/updates.db." (include "talaria.transportUrl" . | splitList "?" | first)) -}}
{{- end -}}
{{- if and .Values.transportUrl (or .Values.config.transport_url .Values.config.transport_url_file) -}}
{{- fail "transportUrl and config.transport_url (or transport_url_file) are both set: give one of them." -}}
{{- end -}}
{{- if and .Values.transportUrl .Values.secrets.existing -}}
{{- fail (printf "transportUrl and secrets.existing are both set: put the URL into the Secret %s as transport_url, and transport_url into secrets.keys." .Values.secrets.existing) -}}
{{- end -}}
{{- range list "jwt_key" "publisher_jwt_key" "subscriber_jwt_key" "admin_secret" "transport_url" -}}
{{- if and $.Values.secrets.existing (has . $.Values.secrets.keys) (or (get $.Values.config .) (get $.Values.config (printf "%s_file" .))) -}}
{{- fail (printf "%s is in config and in secrets.keys: give it in one of them." .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.config.addr (include "talaria.isLoopback" .Values.config.addr) -}}
{{- fail (printf "config.addr: %s is reached by nothing outside of the pod. Write \":8080\"." .Values.config.addr) -}}
{{- end -}}
{{- if eq (include "talaria.port" .) "0" -}}
{{- fail "config.addr: port 0 is any port, and the Service has to know which. Write \":8080\"." -}}
{{- end -}}
{{- if and .Values.tls.existingSecret (or .Values.config.cert_file .Values.config.key_file) -}}
{{- fail "tls.existingSecret and config.cert_file or key_file are both set: give one of them." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (empty .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name the Gateway that the route is of, as {name: …}." -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (include "talaria.metrics" .)) -}}
{{- fail "serviceMonitor.enabled: the hub has no metrics that are reached from outside of the pod. Set config.metrics_enabled to true and config.metrics_addr to \":9764\"." -}}
{{- end -}}
{{- end -}}
