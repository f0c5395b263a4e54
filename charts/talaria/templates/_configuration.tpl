{{/* What the configuration means for what is around the hub. A definition that is false is the empty text. */}}

{{/* The URL of the log; empty where it is not known here: in a Secret or a file. A Secret of the cluster is looked at. */}}
{{- define "talaria.transportUrl" -}}
{{- if .Values.transportUrl -}}
{{- .Values.transportUrl -}}
{{- else if and .Values.secrets.existing (has "transport_url" .Values.secrets.keys) -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace .Values.secrets.existing -}}
{{- dig "data" "transport_url" "" $secret | b64dec | trim -}}
{{- else if not .Values.config.transport_url_file -}}
{{- default "bolt://updates.db?size=100000" .Values.config.transport_url -}}
{{- end -}}
{{- end -}}

{{- define "talaria.scheme" -}}
{{- regexFind "^[A-Za-z+]+" (include "talaria.transportUrl" .) | lower -}}
{{- end -}}

{{/* A log that one hub has for itself. */}}
{{- define "talaria.isSingle" -}}
{{- if has (include "talaria.scheme" .) (list "bolt" "local") -}}true{{- end -}}
{{- end -}}

{{- define "talaria.isBolt" -}}
{{- if eq (include "talaria.scheme" .) "bolt" -}}true{{- end -}}
{{- end -}}

{{- define "talaria.isTls" -}}
{{- if or .Values.tls.existingSecret .Values.config.cert_file -}}true{{- end -}}
{{- end -}}

{{/* The port of an address: that of the names that the hub knows, too. */}}
{{- define "talaria.portOf" -}}
{{- get (dict "http" "80" "https" "443") . | default (regexFind "[0-9]+$" .) -}}
{{- end -}}

{{- define "talaria.isLoopback" -}}
{{- if regexMatch "^(localhost|127\\.|\\[::1\\])" . -}}true{{- end -}}
{{- end -}}

{{- define "talaria.port" -}}
{{- $byDefault := include "talaria.isTls" . | empty | ternary ":80" ":443" -}}
{{- include "talaria.portOf" (default $byDefault .Values.config.addr | toString | splitList ":" | last) -}}
{{- end -}}

{{/* The address of the metrics: `main` for the hub's own; empty: there are none that a Prometheus could reach. */}}
{{- define "talaria.metrics" -}}
{{- if has (.Values.config.metrics_enabled | toString | lower) (list "true" "1" "t") -}}
{{- if not (hasKey .Values.config "metrics_addr") -}}
{{- else if empty .Values.config.metrics_addr -}}
main
{{- else if not (include "talaria.isLoopback" .Values.config.metrics_addr) -}}
{{- include "talaria.portOf" (.Values.config.metrics_addr | toString | splitList ":" | last) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A duration such as 1m30s in whole seconds, rounded up. */}}
{{- define "talaria.seconds" -}}
{{- $text := toString . -}}
{{- if not (regexMatch "^(0+|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|m|s|ms|us|µs|μs|ns))+)$" $text) -}}
{{- fail (printf "config.shutdown_timeout: %q is not a duration; write it like 30s or 1m30s." $text) -}}
{{- end -}}
{{- $units := dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+[a-zµμ]+" $text -1 -}}
{{- $unit := regexFind "[a-zµμ]+$" . -}}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (default 0.000001 (get $units $unit))) -}}
{{- end -}}
{{- ceil $sum | int -}}
{{- end -}}

{{- define "talaria.gracePeriod" -}}
{{- $shutdown := dig "shutdown_timeout" "30s" .Values.config -}}
{{- add (include "talaria.seconds" (kindIs "invalid" $shutdown | ternary "30s" $shutdown)) .Values.drainDelay 5 -}}
{{- end -}}

{{/* Nothing tells who may publish: a key is made. */}}
{{- define "talaria.makesKey" -}}
{{- $told := .Values.secrets.existing -}}
{{- range list "jwt_key" "jwt_key_file" "publisher_jwt_key" "publisher_jwt_key_file" "publisher_jwks_url" "issuers" -}}
{{- $told = or $told (get $.Values.config .) -}}
{{- end -}}
{{- if not $told -}}true{{- end -}}
{{- end -}}

{{/* Which of the hub's keys are in the Secret, separated by spaces. */}}
{{- define "talaria.secretKeys" -}}
{{- if .Values.secrets.existing -}}
{{- join " " .Values.secrets.keys -}}
{{- else -}}
{{- join " " (compact (list (include "talaria.makesKey" . | empty | ternary "" "jwt_key") (empty .Values.transportUrl | ternary "" "transport_url"))) -}}
{{- end -}}
{{- end -}}

{{/* There are keys or passwords in the configuration itself. */}}
{{- define "talaria.isSecret" -}}
{{- $config := .Values.config -}}
{{- $secret := or $config.jwt_key $config.publisher_jwt_key $config.subscriber_jwt_key $config.admin_secret $config.license -}}
{{- $secret = or $secret (regexMatch "://[^/?]*:[^/?]*@|[?&][a-z_]*(password|token)=" (toString $config.transport_url)) -}}
{{- range $config.issuers -}}
{{- $secret = or $secret (dig "publisher" "key" "" .) (dig "subscriber" "key" "" .) -}}
{{- end -}}
{{- if $secret -}}true{{- end -}}
{{- end -}}

{{- define "talaria.servicePort" -}}
{{- default (include "talaria.isTls" . | empty | ternary 80 443) .Values.service.port -}}
{{- end -}}
