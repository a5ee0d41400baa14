apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
  labels: {{- include "shop.labels" . | nindent 4 }}
data:
  color: {{ .Values.color }}
  revision: {{ .Release.Revision | quote }}
  isUpgrade: {{ .Release.IsUpgrade | quote }}
  hasColors: {{ .Capabilities.APIVersions.Has "shop.example.com/v1/Color" | quote }}
  hasApps: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  kube: v{{ .Capabilities.KubeVersion.Major }}.{{ .Capabilities.KubeVersion.Minor }}
{{- range $key, $value := .Values.extra }}
  {{ $key }}: {{ $value | quote }}
{{- end }}
---
{{- $known := lookup "v1" "Secret" .Release.Namespace (printf "%s-word" .Release.Name) }}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}-word
  annotations:
    helm.sh/resource-policy: keep
stringData:
  color: {{ .Values.color }}
  wasThere: {{ if $known }}"yes"{{ else }}"no"{{ end }}
