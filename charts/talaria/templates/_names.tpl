{{- define "talaria.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of the release, and of the chart where that is not in it; 52 characters, so that "-config" and the like fit. */}}
{{- define "talaria.fullname" -}}
{{- $name := include "talaria.name" . -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "talaria.selectorLabels" -}}
app.kubernetes.io/name: {{ include "talaria.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "talaria.labels" -}}
{{ include "talaria.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "talaria.metadata" -}}
name: {{ include "talaria.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "talaria.labels" . | nindent 2 }}
{{- end -}}

{{- define "talaria.serviceAccountName" -}}
{{- default (.Values.serviceAccount.create | ternary (include "talaria.fullname" .) "default") .Values.serviceAccount.name -}}
{{- end -}}

{{- define "talaria.secretName" -}}
{{- default (include "talaria.fullname" .) .Values.secrets.existing -}}
{{- end -}}

{{- define "talaria.image" -}}
{{- with .Values.image -}}
{{- empty .digest | ternary (printf "%s:%s" .repository (default $.Chart.AppVersion .tag)) (printf "%s@%s" .repository .digest) -}}
{{- end -}}
{{- end -}}
