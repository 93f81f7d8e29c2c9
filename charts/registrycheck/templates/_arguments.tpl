{{- /* What the controller is started with. What is the program's own default is left out. */}}
{{- define "registrycheck.arguments" -}}
- run
- --ca-directory=/etc/registrycheck/ca
{{- if ne .Values.keepRecovered "1h" }}
- --keep-recovered={{ .Values.keepRecovered }}
{{- end }}
{{- if ne (.Values.probesPerSecond | int64) 10 }}
- --probes-per-second={{ .Values.probesPerSecond | int64 }}
{{- end }}
{{- range .Values.watchNamespaces }}
- --watch-namespace={{ . }}
{{- end }}
{{- range .Values.tokenHosts }}
- --token-host={{ . }}
{{- end }}
{{- range .Values.insecureHosts }}
- --insecure-host={{ . }}
{{- end }}
{{- range (include "registrycheck.targets" . | fromYamlArray) }}
- {{ . }}
{{- end }}
{{- with .Values.nodeProbe }}
- --node-probe={{ .enabled }}
{{- if .enabled }}
- --node-probe-image={{ include "registrycheck.nodeProbeImage" $ }}
{{- if ne .namespace "registrycheck-node-probe" }}
- --node-probe-namespace={{ .namespace }}
{{- end }}
{{- if .user }}
- --node-probe-user={{ .user | int64 }}
{{- end }}
{{- if .hostNetwork }}
- --node-probe-host-network=true
{{- end }}
{{- if ne (int .limit) 3 }}
- --node-probe-limit={{ int .limit }}
{{- end }}
{{- if .allowNodeSelector }}
- --node-probe-allow-node-selector=true
{{- end }}
{{- with .credentialProviderConfig }}
- --node-probe-credential-provider-config={{ . }}
{{- end }}
{{- with .hostsDirectory }}
- --node-probe-hosts-dir={{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.accountTokens }}
{{- range .accounts | uniq | sortAlpha }}
- --token-for={{ . }}
{{- end }}
{{- if .accounts }}
{{- if ne .audience "api://AzureADTokenExchange" }}
- --token-audience={{ .audience }}
{{- end }}
{{- if ne .azureCloud "AzureCloud" }}
- --azure-cloud={{ .azureCloud }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne .Values.expiry.warning "168h" }}
- --expiry-warning={{ .Values.expiry.warning }}
{{- end }}
{{- if .Values.expiry.workloads }}
- --watch-workloads
{{- end }}
{{- if .Values.webhook.enabled }}
- --webhook-listen=0.0.0.0:{{ int .Values.webhook.port }}
{{- if .Values.webhook.certManager.enabled }}
- --webhook-certificate-directory=/etc/registrycheck/webhook
{{- else }}
- --webhook-configuration={{ include "registrycheck.webhookName" . }}
- --webhook-service={{ include "registrycheck.webhookName" . }}
- --webhook-certificate-secret={{ include "registrycheck.webhookName" . }}
{{- end }}
{{- end }}
{{- if .Values.log.json }}
- --log-json
{{- end }}
{{- end }}

{{- /* What probes may ask, in the pod network and on nodes, as arguments of the program. */}}
{{- define "registrycheck.targets" -}}
{{- range .Values.targets.allow }}
- --allow-target={{ . }}
{{- end }}
{{- range .Values.targets.deny }}
- --deny-target={{ . }}
{{- end }}
{{- end }}
