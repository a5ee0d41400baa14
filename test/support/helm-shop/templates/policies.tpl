apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .Release.Name }}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {app: {{ .Release.Name }}-web}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .Release.Name }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}-idle}
  maxReplicas: 5
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .Release.Name }}
spec:
  podSelector: {matchLabels: {app: {{ .Release.Name }}-store}}
  ingress:
    - from: [{podSelector: {matchLabels: {app: {{ .Release.Name }}-web}}}]
      ports: [{port: 5432}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .Release.Name }}
spec:
  rules:
    - host: {{ .Release.Name }}.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: {{ .Release.Name }}-web, port: {name: http}}}
---
apiVersion: shop.example.com/v1
kind: Color
metadata:
  name: {{ .Release.Name }}
spec:
  name: {{ .Values.color }}
  parts:
    - {id: a, share: 1}
    - {id: b, share: {{ .Values.replicas }}}
