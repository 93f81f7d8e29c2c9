{{- /*
What the controller may do where pods are: across the cluster, or in each namespace that it watches.
Whatever is granted is used.
*/}}
{{- define "registrycheck.rules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# By their names alone: pull secrets that a failing pod names, and its service account.
- apiGroups: [""]
  resources: [secrets, serviceaccounts]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [registrycheck.dev]
  resources: [registrychecks]
  verbs: [get, list, watch, create, delete]
- apiGroups: [registrycheck.dev]
  resources: [registrychecks/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.expiry.workloads }}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [list, watch]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [list, watch]
{{- end }}
{{- end }}
