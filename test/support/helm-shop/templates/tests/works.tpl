apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-works
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  containers: [{name: works, image: {{ .Values.testImage }}}]
