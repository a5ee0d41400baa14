{{- $labels := dict "app" .Release.Name }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-web
  labels: {{- include "shop.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}-web}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}-web}
      annotations:
        checksum/settings: {{ .Values.color | sha256sum }}
    spec:
      serviceAccountName: {{ .Release.Name }}
      containers:
        - name: web
          image: {{ .Values.image }}
          ports: [{name: http, containerPort: 8080}]
          resources: {requests: {cpu: 50m, memory: 32Mi}, limits: {memory: 64Mi}}
          env:
            - {name: COLOR, value: {{ .Values.color }}}
            - name: WORD
              valueFrom: {secretKeyRef: {name: {{ .Release.Name }}-word, key: color}}
          livenessProbe: {httpGet: {path: /, port: http}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .Release.Name }}-store
spec:
  serviceName: {{ .Release.Name }}-store
  replicas: 2
  selector: {matchLabels: {app: {{ .Release.Name }}-store}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}-store}}
    spec:
      containers:
        - {name: store, image: {{ .Values.image }}, volumeMounts: [{name: data, mountPath: /data}]}
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ .Release.Name }}-watch
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}-watch}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}-watch}}
    spec:
      containers: [{name: watch, image: {{ .Values.image }}}]
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ .Release.Name }}-nightly
spec:
  schedule: "17 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: nightly, image: {{ .Values.image }}}]
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-web
spec:
  selector: {app: {{ .Release.Name }}-web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}-store
spec:
  clusterIP: None
  selector: {app: {{ .Release.Name }}-store}
  ports: [{port: 5432}]
