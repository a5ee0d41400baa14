// Objects that use many fields at once, for the recorder of protobuf: unions, embedded structs, maps,
// times, durations, quantities, raw values, texts beyond ASCII.
type Json = Record<string, unknown>;

const probe = (more: Json): Json => ({ initialDelaySeconds: 0, periodSeconds: 7, ...more });

function pod(namespace: string): Json {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'rich',
      namespace,
      labels: { z: '', a: 'x', 'example.com/b': 'y' },
      annotations: { text: 'grün ✓ 漢字 '.repeat(40), empty: '' },
      finalizers: ['example.com/keep'],
      ownerReferences: [
        { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u', controller: false },
      ],
    },
    spec: {
      activeDeadlineSeconds: 4_000_000,
      automountServiceAccountToken: false,
      hostAliases: [{ ip: '192.0.2.1', hostnames: ['a', 'b'] }],
      nodeSelector: { disk: 'ssd' },
      priority: 0,
      securityContext: {
        runAsUser: 0,
        supplementalGroups: [1, 2, 300_000],
        sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }],
        seccompProfile: { type: 'RuntimeDefault' },
      },
      tolerations: [{ operator: 'Exists', tolerationSeconds: 0, effect: 'NoExecute' }],
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
      ],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }] },
            ],
          },
        },
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 5,
              podAffinityTerm: { topologyKey: 'h', labelSelector: { matchLabels: { a: 'b' } } },
            },
          ],
        },
      },
      initContainers: [{ name: 'i', image: 'host', restartPolicy: 'Always' }],
      containers: [
        {
          name: 'c',
          image: 'host',
          command: ['a', '', 'b'],
          env: [
            { name: 'A', value: '' },
            { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: false } } },
            {
              name: 'C',
              valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } },
            },
          ],
          envFrom: [{ prefix: 'P_', configMapRef: { name: 'm' } }],
          lifecycle: { preStop: { sleep: { seconds: 3 } } },
          livenessProbe: probe({
            httpGet: { port: 'web', httpHeaders: [{ name: 'X', value: 'y' }] },
          }),
          readinessProbe: probe({ tcpSocket: { port: 8_080 } }),
          startupProbe: probe({ grpc: { port: 9, service: '' } }),
          ports: [{ name: 'web', containerPort: 80 }],
          resources: {
            limits: { cpu: '1500m', memory: '1.5Gi' },
            requests: { cpu: '0.1', memory: '128974848' },
          },
          volumeMounts: [{ name: 'e', mountPath: '/e', subPath: 's', mountPropagation: 'None' }],
        },
      ],
      volumes: [
        { name: 'e', emptyDir: { sizeLimit: '1Mi', medium: 'Memory' } },
        { name: 'h', hostPath: { path: '/x', type: 'Directory' } },
        { name: 'cm', configMap: { name: 'm', items: [{ key: 'k', path: 'p', mode: 256 }] } },
        {
          name: 'p',
          projected: {
            sources: [
              {
                downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] },
              },
            ],
          },
        },
        {
          name: 'eph',
          ephemeral: {
            volumeClaimTemplate: {
              metadata: { labels: { a: 'b' } },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          },
        },
      ],
    },
  };
}

const schema: Json = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: {
        replicas: { type: 'integer', format: 'int32', minimum: 0, maximum: 9.5, default: 0 },
        name: { type: 'string', pattern: '^a*$', maxLength: 9, enum: ['a', 'aa'], default: 'a' },
        list: {
          type: 'array',
          items: { type: 'object', properties: { k: { type: 'string' } }, required: ['k'] },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
        },
        map: { type: 'object', additionalProperties: { type: 'string', nullable: true } },
        port: {
          'x-kubernetes-int-or-string': true,
          anyOf: [{ type: 'integer' }, { type: 'string' }],
        },
      },
      'x-kubernetes-validations': [
        { rule: 'has(self.name)', message: 'name', reason: 'FieldValueInvalid' },
      ],
    },
  },
};

/** Valid objects for a server that has the namespace. */
export function richObjects(namespace: string): Json[] {
  return [
    pod(namespace),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'rich', namespace },
      data: { bytes: 'AAECAw==', empty: '' },
      immutable: false,
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'rich', namespace },
      data: { b: '2', a: '1', 'u-text': 'ü' },
      binaryData: { c: '/w==' },
    },
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'rich', namespace },
      involvedObject: { kind: 'Pod', name: 'a', namespace },
      firstTimestamp: '2026-01-02T03:04:05Z',
      eventTime: '2026-01-02T03:04:05.678901Z',
      series: { count: 2, lastObservedTime: '2026-01-02T03:04:05.000001Z' },
      reportingComponent: 'example.com/x',
      reportingInstance: 'i',
      action: 'A',
      reason: 'R',
      type: 'Normal',
    },
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'riches.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'riches', kind: 'Rich', shortNames: ['ri'] },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: schema },
            subresources: {
              status: {},
              scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.r' },
            },
            additionalPrinterColumns: [
              { name: 'R', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
            ],
          },
        ],
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'rich', namespace },
      spec: {
        rules: [
          {
            host: 'example.com',
            http: {
              paths: [
                {
                  path: '/',
                  pathType: 'Prefix',
                  backend: { service: { name: 's', port: { number: 80 } } },
                },
              ],
            },
          },
        ],
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'rich', namespace },
      spec: {
        podSelector: {},
        ingress: [
          {
            from: [{ namespaceSelector: {} }],
            ports: [
              { port: 'web', protocol: 'TCP' },
              { port: 80, endPort: 90 },
            ],
          },
        ],
        egress: [{}],
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'rich', namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: { a: 'b' } },
        strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: { containers: [{ name: 'c', image: 'host' }] },
        },
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: { name: 'rich', namespace },
      data: { spec: { any: [1, 'two', null, 2.5] } },
      revision: 9_007_199_254_740_991,
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'rich', namespace },
      spec: {
        completions: 3,
        completionMode: 'Indexed',
        podFailurePolicy: {
          rules: [
            { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          ],
        },
        template: {
          spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'host' }] },
        },
      },
    },
    {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'rich', namespace },
      spec: {
        holderIdentity: 'me',
        renewTime: '2026-01-02T03:04:05.678901Z',
        leaseDurationSeconds: 15,
      },
    },
    {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'ResourceClaim',
      metadata: { name: 'rich', namespace },
      spec: {
        devices: {
          requests: [
            {
              name: 'r',
              exactly: { deviceClassName: 'c.example.com', count: 2, allocationMode: 'ExactCount' },
            },
          ],
          config: [{ requests: ['r'], opaque: { driver: 'd.example.com', parameters: { a: 1 } } }],
        },
      },
    },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'rich', namespace },
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 5 } },
          },
        ],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'rich', namespace },
      spec: {
        ports: [
          { name: 'a', port: 80, targetPort: 'web' },
          { name: 'b', port: 81, targetPort: 8_081 },
        ],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
      },
    },
  ];
}
