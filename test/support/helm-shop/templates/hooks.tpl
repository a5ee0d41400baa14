{{- range $hook := list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-rollback" "post-rollback" "pre-delete" "post-delete" }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-{{ $hook }}
  annotations:
    helm.sh/hook: {{ $hook }}
    helm.sh/hook-weight: "5"
    helm.sh/hook-delete-policy: before-hook-creation{{ if hasPrefix "pre" $hook }},hook-succeeded{{ end }}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: hook, image: {{ $.Values.hookImage }}}]
---
{{- end }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-before
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "-5"
data:
  color: {{ .Values.color }}
