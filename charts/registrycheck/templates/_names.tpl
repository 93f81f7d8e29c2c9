{{- /* The name of the objects: registrycheck for a release of that name, and otherwise with it. */}}
{{- define "registrycheck.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* What a selector selects by; it never changes. */}}
{{- define "registrycheck.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "registrycheck.labels" -}}
{{ include "registrycheck.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "registrycheck.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "registrycheck.nodeProbeImage" -}}
{{- default (include "registrycheck.image" .) .Values.nodeProbe.image }}
{{- end }}

{{- /* The webhook's Service, its configuration and its certificate's Secret. */}}
{{- define "registrycheck.webhookName" -}}
{{- printf "%s-webhook" (include "registrycheck.fullname" .) }}
{{- end }}

{{- /* The ConfigMap with authorities to trust, in the release's namespace. */}}
{{- define "registrycheck.certificates" -}}
{{- default "registrycheck-ca" .Values.trustedCertificates.configMap }}
{{- end }}

{{- /* The account, as the subject of a binding. */}}
{{- define "registrycheck.subjects" -}}
- kind: ServiceAccount
  name: {{ include "registrycheck.fullname" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
