// Objects, good and bad, whose treatment by a real kube-apiserver is recorded in test/vectors: a base
// object of a kind, and changes to it. Each is created (or, from `updates`, put over its base) dry.
type Json = Record<string, unknown>;

export interface Case {
  readonly name: string;
  readonly operation: 'create' | 'update';
  /** The valid object; an update changes it once the server has it. */
  readonly base: Json;
  readonly change: Change;
}

/** Dotted paths into the object and what to put there; undefined takes the field away. */
export type Change = Readonly<Record<string, unknown>>;

interface Kind {
  readonly base: Json;
  readonly creates: readonly Change[];
  readonly updates?: readonly Change[];
}

const container = (more: Json = {}): Json => ({ name: 'c', image: 'host', ...more });
const template = (more: Json = {}): Json => ({
  metadata: { labels: { app: 'a' } },
  spec: { containers: [container()], ...more },
});
const selector = { matchLabels: { app: 'a' } };
const httpGet = { port: 80 };
const C = 'spec.containers.0';
const T = 'spec.template.spec';

const pod: Kind = {
  base: { apiVersion: 'v1', kind: 'Pod', spec: { containers: [container()] } },
  creates: [
    {},
    { spec: undefined },
    { 'spec.containers': [] },
    { 'spec.containers': [{}] },
    { 'spec.containers': [container(), container()] },
    { [`${C}.name`]: 'Bad_Name' },
    { [`${C}.name`]: 'x'.repeat(64) },
    { [`${C}.image`]: ' host' },
    { [`${C}.image`]: 'registry:5000/app' },
    { [`${C}.image`]: 'registry:5000/app:v1' },
    { [`${C}.image`]: 'app@sha256:abc' },
    { [`${C}.image`]: 'app:latest' },
    { [`${C}.imagePullPolicy`]: 'Sometimes' },
    { [`${C}.terminationMessagePolicy`]: 'Bad' },
    { [`${C}.ports`]: [{}] },
    { [`${C}.ports`]: [{ containerPort: 70_000 }] },
    { [`${C}.ports`]: [{ containerPort: 80, hostPort: 81, protocol: 'ICMP' }] },
    {
      [`${C}.ports`]: [
        { containerPort: 80, name: 'web' },
        { containerPort: 81, name: 'web' },
      ],
    },
    { [`${C}.ports`]: [{ containerPort: 80, name: 'This-name-is-bad' }] },
    { [`${C}.ports`]: [{ containerPort: 80 }], 'spec.hostNetwork': true },
    { [`${C}.ports`]: [{ containerPort: 80, hostPort: 81 }], 'spec.hostNetwork': true },
    {
      [`${C}.ports`]: [
        { containerPort: 80, hostPort: 81 },
        { containerPort: 82, hostPort: 81 },
      ],
    },
    { [`${C}.resources`]: { limits: { cpu: '1', memory: '1Gi' } } },
    { [`${C}.resources`]: { requests: { cpu: 2 }, limits: { cpu: '1' } } },
    { [`${C}.resources`]: { requests: { cpu: '-1' } } },
    { [`${C}.resources`]: { requests: { cpu: 'one' } } },
    { [`${C}.resources`]: { requests: { cpu: '0.5', memory: '1024Mi' } } },
    { [`${C}.resources`]: { requests: { cpu: '0.0005' } } },
    { [`${C}.resources`]: { requests: { memory: '1500m' } } },
    { [`${C}.resources`]: { requests: { 'example.com/gpu': 1 } } },
    { [`${C}.resources`]: { limits: { 'example.com/gpu': 1 } } },
    { [`${C}.resources`]: { limits: { 'example.com/gpu': '1.5' } } },
    { [`${C}.resources`]: { limits: { gpu: 1 } } },
    { [`${C}.resources`]: { requests: { 'hugepages-2Mi': '4Mi' } } },
    { [`${C}.env`]: [{ name: '' }] },
    { [`${C}.env`]: [{ name: 'a=b' }] },
    { [`${C}.env`]: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'spec' } } }] },
    { [`${C}.env`]: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
    { [`${C}.env`]: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.bad' } } }] },
    { [`${C}.env`]: [{ name: 'A', valueFrom: {} }] },
    { [`${C}.env`]: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'm' } } }] },
    { [`${C}.env`]: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'm', key: 'a/b' } } }] },
    { [`${C}.env`]: [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }] },
    { [`${C}.env`]: [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'cpu' } } }] },
    { [`${C}.envFrom`]: [{}] },
    { [`${C}.envFrom`]: [{ configMapRef: { name: 'm' }, secretRef: { name: 's' } }] },
    { [`${C}.envFrom`]: [{ prefix: '=', configMapRef: {} }] },
    { [`${C}.volumeMounts`]: [{ name: 'v', mountPath: '/v' }] },
    { [`${C}.volumeMounts`]: [{}] },
    { 'spec.volumes': [{ name: 'v' }], [`${C}.volumeMounts`]: [{ name: 'v', mountPath: '/v' }] },
    {
      'spec.volumes': [{ name: 'v' }],
      [`${C}.volumeMounts`]: [
        { name: 'v', mountPath: '/v' },
        { name: 'v', mountPath: '/v' },
      ],
    },
    {
      'spec.volumes': [{ name: 'v' }],
      [`${C}.volumeMounts`]: [{ name: 'v', mountPath: '/v', subPath: '../x' }],
    },
    {
      'spec.volumes': [{ name: 'v' }],
      [`${C}.volumeMounts`]: [{ name: 'v', mountPath: '/v', subPath: '/x', subPathExpr: 'y' }],
    },
    {
      'spec.volumes': [{ name: 'v' }],
      [`${C}.volumeMounts`]: [{ name: 'v', mountPath: 'a:b', mountPropagation: 'Other' }],
    },
    { 'spec.volumes': [{ name: 'v' }, { name: 'v' }] },
    { 'spec.volumes': [{ name: 'V' }] },
    { 'spec.volumes': [{}] },
    { 'spec.volumes': [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
    { 'spec.volumes': [{ name: 'v', emptyDir: { sizeLimit: '-1' } }] },
    { 'spec.volumes': [{ name: 'v', hostPath: { path: '' } }] },
    { 'spec.volumes': [{ name: 'v', hostPath: { path: '/a/../b', type: 'Nothing' } }] },
    { 'spec.volumes': [{ name: 'v', hostPath: { path: '/x' } }] },
    { 'spec.volumes': [{ name: 'v', secret: { secretName: 's' } }] },
    { 'spec.volumes': [{ name: 'v', secret: {} }] },
    { 'spec.volumes': [{ name: 'v', secret: { secretName: 's', defaultMode: 9999 } }] },
    { 'spec.volumes': [{ name: 'v', secret: { secretName: 's', items: [{ key: 'a' }] } }] },
    { 'spec.volumes': [{ name: 'v', configMap: {} }] },
    { 'spec.volumes': [{ name: 'v', configMap: { name: 'm' } }] },
    {
      'spec.volumes': [
        {
          name: 'v',
          configMap: { name: 'm', items: [{ key: 'a', path: '../x' }, { path: '/y' }] },
        },
      ],
    },
    {
      'spec.volumes': [
        {
          name: 'v',
          downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.labels' } }] },
        },
      ],
    },
    { 'spec.volumes': [{ name: 'v', downwardAPI: { items: [{ path: 'a' }] } }] },
    { 'spec.volumes': [{ name: 'v', persistentVolumeClaim: {} }] },
    { 'spec.volumes': [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] },
    { 'spec.volumes': [{ name: 'v', nfs: {} }] },
    { 'spec.volumes': [{ name: 'v', csi: {} }] },
    { 'spec.volumes': [{ name: 'v', projected: {} }] },
    { 'spec.volumes': [{ name: 'v', projected: { sources: [{}] } }] },
    {
      'spec.volumes': [
        {
          name: 'v',
          projected: {
            sources: [
              { serviceAccountToken: { path: 't' } },
              { configMap: { name: 'm' } },
              { downwardAPI: { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] } },
            ],
          },
        },
      ],
    },
    {
      'spec.volumes': [
        {
          name: 'v',
          projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 1 } }] },
        },
      ],
    },
    { [`${C}.livenessProbe`]: {} },
    { [`${C}.livenessProbe`]: { httpGet } },
    { [`${C}.livenessProbe`]: { httpGet, successThreshold: 2 } },
    { [`${C}.livenessProbe`]: { httpGet, tcpSocket: { port: 80 } } },
    { [`${C}.livenessProbe`]: { httpGet: { port: 0 } } },
    { [`${C}.livenessProbe`]: { httpGet: { port: 'UPPER' } } },
    { [`${C}.livenessProbe`]: { httpGet: { port: 80, scheme: 'FTP' } } },
    { [`${C}.livenessProbe`]: { exec: {} } },
    { [`${C}.livenessProbe`]: { exec: { command: ['x'] }, periodSeconds: -1, timeoutSeconds: -1 } },
    { [`${C}.readinessProbe`]: { tcpSocket: { port: 80 }, terminationGracePeriodSeconds: 5 } },
    { [`${C}.startupProbe`]: { grpc: { port: 80 } } },
    { [`${C}.startupProbe`]: { grpc: { port: 0 }, successThreshold: 3 } },
    { [`${C}.lifecycle`]: { preStop: {} } },
    { [`${C}.lifecycle`]: { preStop: { exec: { command: ['x'] } }, postStart: { httpGet } } },
    { [`${C}.lifecycle`]: { preStop: { sleep: { seconds: 100 } } } },
    { [`${C}.securityContext`]: { runAsUser: -1 } },
    { [`${C}.securityContext`]: { privileged: true, allowPrivilegeEscalation: false } },
    { [`${C}.securityContext`]: { procMount: 'Wrong' } },
    { [`${C}.securityContext`]: { seccompProfile: { type: 'Localhost' } } },
    { [`${C}.restartPolicy`]: 'OnFailure' },
    { [`${C}.restartPolicy`]: 'Sometimes' },
    { [`${C}.workingDir`]: 'x', [`${C}.stdin`]: true },
    { [`${C}.resizePolicy`]: [{ resourceName: 'cpu', restartPolicy: 'X' }] },
    { 'spec.initContainers': [container({ name: 'i', restartPolicy: 'Always' })] },
    { 'spec.initContainers': [container({ name: 'i', restartPolicy: 'Never' })] },
    { 'spec.initContainers': [container()] },
    { 'spec.initContainers': [container({ name: 'i', readinessProbe: { httpGet } })] },
    { 'spec.initContainers': [container({ name: 'i', lifecycle: { preStop: { httpGet } } })] },
    { 'spec.ephemeralContainers': [container({ name: 'e' })] },
    { 'spec.restartPolicy': 'Sometimes' },
    { 'spec.dnsPolicy': 'Sometimes' },
    { 'spec.dnsPolicy': 'None' },
    { 'spec.dnsConfig': { nameservers: ['x'] } },
    { 'spec.dnsConfig': { nameservers: ['1.2.3.4'], searches: ['BAD_'], options: [{}] } },
    { 'spec.terminationGracePeriodSeconds': -1 },
    { 'spec.terminationGracePeriodSeconds': 0 },
    { 'spec.activeDeadlineSeconds': 0 },
    { 'spec.nodeName': 'Bad_Node' },
    { 'spec.nodeSelector': { 'a b': 'c' } },
    { 'spec.serviceAccountName': 'no-such' },
    { 'spec.hostname': 'Bad_', 'spec.subdomain': 'Bad_' },
    { 'spec.hostAliases': [{ ip: 'x', hostnames: ['BAD_'] }] },
    { 'spec.runtimeClassName': 'Bad_' },
    { 'spec.runtimeClassName': 'no-such' },
    { 'spec.priorityClassName': 'no-such' },
    { 'spec.priorityClassName': 'system-node-critical' },
    { 'spec.preemptionPolicy': 'Sometimes' },
    { 'spec.priority': 5 },
    { 'spec.schedulerName': 'Bad_' },
    { 'spec.imagePullSecrets': [{}] },
    { 'spec.readinessGates': [{ conditionType: 'a b' }] },
    { 'spec.schedulingGates': [{ name: 'a' }, { name: 'a' }] },
    { 'spec.schedulingGates': [{ name: 'a' }], 'spec.nodeName': 'n' },
    { 'spec.shareProcessNamespace': true, 'spec.hostPID': true },
    { 'spec.hostUsers': false, 'spec.hostNetwork': true },
    { 'spec.os': { name: 'plan9' } },
    { 'spec.overhead': { cpu: '1' } },
    { 'spec.securityContext': { runAsUser: -5, fsGroup: -1, supplementalGroups: [-1] } },
    { 'spec.securityContext': { sysctls: [{ name: 'Bad Name', value: '1' }] } },
    { 'spec.securityContext': { fsGroupChangePolicy: 'Never' } },
    { 'spec.tolerations': [{ key: 'a', operator: 'Wrong' }] },
    { 'spec.tolerations': [{ operator: 'Equal' }] },
    { 'spec.tolerations': [{ key: 'a', operator: 'Exists', value: 'b' }] },
    { 'spec.tolerations': [{ key: 'a', effect: 'Wrong' }] },
    { 'spec.tolerations': [{ key: 'a', effect: 'NoSchedule', tolerationSeconds: 5 }] },
    { 'spec.tolerations': [{ key: 'a b', operator: 'Exists' }] },
    {
      'spec.affinity': {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } },
      },
    },
    {
      'spec.affinity': {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'a', operator: 'In' },
                  { key: '', operator: 'Wrong' },
                ],
              },
            ],
          },
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: {} }],
        },
      },
    },
    {
      'spec.affinity': {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: '' }],
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 101, podAffinityTerm: { topologyKey: 'a b' } },
          ],
        },
      },
    },
    { 'spec.topologySpreadConstraints': [{}] },
    {
      'spec.topologySpreadConstraints': [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
        { maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', minDomains: 0 },
      ],
    },
    { 'metadata.name': 'Bad_Name' },
    { 'metadata.name': '' },
    { 'metadata.labels': { '/a': 'b', 'a/b/c': 'd', ok: 'not ok', '-a': '' } },
    { 'metadata.annotations': { '/a': 'b', 'UP.com/x': '1' } },
    { 'metadata.finalizers': ['plain', 'a/b'] },
    { 'metadata.ownerReferences': [{ apiVersion: '', kind: '', name: '', uid: '' }] },
    {
      'metadata.ownerReferences': [
        { apiVersion: 'v1', kind: 'A', name: 'a', uid: '1', controller: true },
        { apiVersion: 'v1', kind: 'A', name: 'b', uid: '2', controller: true },
      ],
    },
    { 'metadata.generateName': 'Bad_', 'metadata.name': undefined },
    // What cannot be decoded, and what is not known.
    { 'spec.foo': 1, 'spec.containers.0.bar': 2, baz: 3 },
    { 'spec.containers': 'x' },
    { 'spec.containers': {} },
    { 'spec.hostNetwork': 'yes' },
    { 'spec.terminationGracePeriodSeconds': '30' },
    { 'spec.terminationGracePeriodSeconds': 1.5 },
    { 'spec.containers.0.image': 5 },
    { 'spec.containers.0.ports': [{ containerPort: '80' }] },
    { 'spec.containers.0.ports': [{ containerPort: 3_000_000_000 }] },
    { 'spec.containers.0.resources': { limits: { cpu: true } } },
    { 'spec.containers.0.resources': { limits: [] } },
    { 'spec.nodeSelector': { a: 1 } },
    { 'metadata.labels': { a: true } },
    { 'metadata.labels': ['a'] },
    { 'metadata.creationTimestamp': 'yesterday' },
    { metadata: 'x' },
    { spec: 'x' },
    { spec: null },
    { 'spec.containers.0.livenessProbe': { httpGet: { port: true } } },
    { kind: 'Podd' },
    { apiVersion: 'v2' },
  ],
  updates: [
    { 'metadata.labels': { a: 'b' } },
    { [`${C}.image`]: 'other' },
    { [`${C}.image`]: '' },
    { [`${C}.name`]: 'other' },
    { [`${C}.command`]: ['x'] },
    { [`${C}.resources`]: { limits: { cpu: '1' } } },
    { 'spec.containers': [container(), container({ name: 'd' })] },
    { 'spec.activeDeadlineSeconds': 5 },
    { 'spec.tolerations': [{ key: 'a', operator: 'Exists' }] },
    { 'spec.nodeName': 'n' },
    { 'spec.restartPolicy': 'Never' },
    { 'spec.terminationGracePeriodSeconds': 1 },
    { 'spec.schedulingGates': [{ name: 'a' }] },
    { 'metadata.uid': 'x' },
    { 'metadata.namespace': 'other' },
  ],
};

const workload = (
  apiVersion: string,
  kind: string,
  spec: Json,
  creates: readonly Change[] = [],
): Kind => ({
  base: { apiVersion, kind, spec: { selector, template: template(), ...spec } },
  creates: [
    {},
    { spec: undefined },
    { 'spec.selector': undefined },
    { 'spec.selector': {} },
    { 'spec.selector': { matchLabels: { app: 'b' } } },
    { 'spec.selector': { matchExpressions: [{ key: 'app', operator: 'In', values: [] }] } },
    { 'spec.selector': { matchExpressions: [{ key: 'a b', operator: 'Near' }] } },
    { 'spec.template': undefined },
    { 'spec.template.metadata': undefined },
    { 'spec.template.metadata.labels': { app: 'a', 'b c': 'd' } },
    { [`${T}.containers`]: [] },
    { [`${T}.containers.0.image`]: undefined },
    { [`${T}.restartPolicy`]: 'Never' },
    { [`${T}.activeDeadlineSeconds`]: 5 },
    { [`${T}.serviceAccount`]: 'x' },
    { 'spec.replicas': -1 },
    { 'spec.minReadySeconds': -1 },
    { 'metadata.name': 'a.b' },
    ...creates,
  ],
  updates: [
    { 'spec.selector': { matchLabels: { app: 'b' } } },
    {
      'spec.selector': { matchLabels: { app: 'a', b: 'c' } },
      'spec.template.metadata.labels.b': 'c',
    },
    { 'spec.template.metadata.labels.b': 'c' },
    { [`${T}.containers.0.image`]: 'other' },
    { 'spec.replicas': 5 },
  ],
});

const workloads: Kind[] = [
  workload('apps/v1', 'Deployment', {}, [
    { 'spec.strategy': { type: 'Recreate' } },
    { 'spec.strategy': { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } },
    { 'spec.strategy': { type: 'Wrong' } },
    { 'spec.strategy': { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
    { 'spec.strategy': { rollingUpdate: { maxSurge: '150%', maxUnavailable: '150%' } } },
    { 'spec.strategy': { rollingUpdate: { maxSurge: 'x', maxUnavailable: -1 } } },
    {
      'spec.revisionHistoryLimit': -1,
      'spec.progressDeadlineSeconds': 5,
      'spec.minReadySeconds': 5,
    },
    { 'spec.progressDeadlineSeconds': -1 },
    { 'spec.replicas': '3' },
    { 'spec.paused': true, 'spec.rollback': 1 },
  ]),
  workload('apps/v1', 'ReplicaSet', {}),
  workload('apps/v1', 'DaemonSet', {}, [
    { 'spec.updateStrategy': { type: 'OnDelete' } },
    { 'spec.updateStrategy': { type: 'Wrong' } },
    { 'spec.updateStrategy': { rollingUpdate: { maxUnavailable: 0 } } },
    { 'spec.updateStrategy': { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } } },
  ]),
  workload('apps/v1', 'StatefulSet', { serviceName: 's' }, [
    { 'spec.serviceName': undefined },
    { 'spec.podManagementPolicy': 'Wrong' },
    { 'spec.updateStrategy': { type: 'OnDelete' } },
    { 'spec.updateStrategy': { type: 'Wrong' } },
    { 'spec.updateStrategy': { rollingUpdate: { partition: -1 } } },
    { 'spec.persistentVolumeClaimRetentionPolicy': { whenDeleted: 'X' } },
    { 'spec.ordinals': { start: -1 } },
    {
      'spec.volumeClaimTemplates': [
        {
          metadata: { name: 'd' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  ]),
  {
    base: {
      apiVersion: 'v1',
      kind: 'ReplicationController',
      spec: { selector: { app: 'a' }, template: template() },
    },
    creates: [
      {},
      { 'spec.selector': undefined },
      { 'spec.selector': { app: 'b' } },
      { 'spec.template': undefined },
    ],
  },
  {
    base: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      spec: { template: template({ restartPolicy: 'Never' }) },
    },
    creates: [
      {},
      { [`${T}.restartPolicy`]: undefined },
      { [`${T}.restartPolicy`]: 'Always' },
      { 'spec.selector': selector },
      { 'spec.selector': selector, 'spec.manualSelector': true },
      { 'spec.parallelism': -1, 'spec.completions': -1, 'spec.backoffLimit': -1 },
      { 'spec.parallelism': 3 },
      { 'spec.completions': 3 },
      { 'spec.activeDeadlineSeconds': -1, 'spec.ttlSecondsAfterFinished': -1 },
      { 'spec.completionMode': 'Indexed' },
      { 'spec.completionMode': 'Indexed', 'spec.completions': 3, 'spec.backoffLimitPerIndex': 1 },
      { 'spec.completionMode': 'Wrong' },
      { 'spec.podReplacementPolicy': 'Wrong' },
      { 'spec.suspend': true, 'spec.managedBy': 'x' },
      {
        'spec.podFailurePolicy': {
          rules: [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [1] } }],
        },
      },
      { 'spec.podFailurePolicy': { rules: [{ action: 'Wrong' }] } },
      { 'spec.template': undefined },
    ],
    updates: [
      { 'spec.completions': 5 },
      { 'spec.parallelism': 5 },
      { 'spec.suspend': true },
      { [`${T}.containers.0.image`]: 'other' },
      { 'spec.completionMode': 'Indexed', 'spec.completions': 1 },
      { 'spec.backoffLimit': 1 },
    ],
  },
  {
    base: {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      spec: {
        schedule: '*/5 * * * *',
        jobTemplate: { spec: { template: template({ restartPolicy: 'Never' }) } },
      },
    },
    creates: [
      {},
      { 'spec.schedule': '' },
      { 'spec.schedule': 'often' },
      { 'spec.schedule': '@hourly' },
      { 'spec.schedule': 'TZ=UTC 0 * * * *' },
      { 'spec.timeZone': 'Nowhere/Land' },
      { 'spec.timeZone': 'Europe/Berlin' },
      { 'spec.concurrencyPolicy': 'Wrong' },
      { 'spec.startingDeadlineSeconds': -1, 'spec.successfulJobsHistoryLimit': -1 },
      { 'spec.jobTemplate.spec.template.spec.restartPolicy': undefined },
      { 'metadata.name': 'x'.repeat(53) },
    ],
  },
];

const service: Kind = {
  base: {
    apiVersion: 'v1',
    kind: 'Service',
    spec: { ports: [{ port: 80 }], selector: { app: 'a' } },
  },
  creates: [
    {},
    { spec: undefined },
    { 'metadata.name': '1bad' },
    { 'spec.ports': undefined },
    { 'spec.ports': undefined, 'spec.clusterIP': 'None' },
    { 'spec.ports': [{}] },
    { 'spec.ports': [{ port: 0, protocol: 'ICMP' }] },
    { 'spec.ports': [{ port: 80 }, { port: 81 }] },
    {
      'spec.ports': [
        { port: 80, name: 'a' },
        { port: 80, name: 'b' },
      ],
    },
    {
      'spec.ports': [
        { port: 80, name: 'a' },
        { port: 81, name: 'a' },
      ],
    },
    { 'spec.ports': [{ port: 80, targetPort: 'web' }] },
    { 'spec.ports': [{ port: 80, targetPort: 'UP_' }] },
    { 'spec.ports': [{ port: 80, targetPort: 0 }] },
    { 'spec.ports': [{ port: 80, targetPort: 70_000 }] },
    { 'spec.ports': [{ port: 80, name: 'BAD' }] },
    { 'spec.ports': [{ port: 80, nodePort: 30_000 }] },
    { 'spec.type': 'Wrong' },
    { 'spec.type': 'ExternalName' },
    { 'spec.type': 'ExternalName', 'spec.externalName': 'a.example', 'spec.ports': undefined },
    { 'spec.type': 'ExternalName', 'spec.externalName': 'BAD_', 'spec.ports': undefined },
    { 'spec.type': 'NodePort', 'spec.clusterIP': 'None' },
    { 'spec.clusterIP': 'x' },
    { 'spec.clusterIP': '10.1.2.3' },
    { 'spec.externalIPs': ['x'] },
    { 'spec.sessionAffinity': 'Wrong' },
    { 'spec.sessionAffinity': 'ClientIP' },
    { 'spec.sessionAffinityConfig': { clientIP: { timeoutSeconds: 5 } } },
    { 'spec.selector': { 'a b': 'c' } },
    { 'spec.externalTrafficPolicy': 'Local' },
    { 'spec.internalTrafficPolicy': 'Wrong' },
    { 'spec.ipFamilyPolicy': 'RequireDualStack' },
    { 'spec.publishNotReadyAddresses': true, 'spec.trafficDistribution': 'PreferClose' },
    { 'spec.loadBalancerSourceRanges': ['1.2.3.4/33'] },
  ],
  updates: [
    { 'spec.clusterIP': '198.18.7.7' },
    { 'spec.clusterIP': undefined, 'spec.clusterIPs': undefined, 'spec.selector': { b: 'c' } },
    { 'spec.type': 'ExternalName', 'spec.externalName': 'a.example' },
    { 'spec.clusterIP': 'None' },
  ],
};

const simple: Kind[] = [
  {
    base: { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'b' } },
    creates: [
      {},
      { data: { 'a/b': 'c', '..': 'd' } },
      { data: { a: 5 } },
      { binaryData: { a: 'aGk=' } },
      { binaryData: { b: '***' } },
      { binaryData: { b: 'aGk=' }, immutable: true },
      { data: null },
    ],
  },
  {
    base: { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'b' }, immutable: true },
    creates: [],
    updates: [
      { 'data.a': 'c' },
      { immutable: undefined },
      { immutable: false },
      { 'metadata.labels': { a: 'b' } },
    ],
  },
  {
    base: { apiVersion: 'v1', kind: 'Secret', data: { a: 'aGk=' } },
    creates: [
      {},
      { data: { a: '***' } },
      { data: undefined, stringData: { a: 'hi' } },
      { type: 'kubernetes.io/tls' },
      { type: 'kubernetes.io/dockerconfigjson' },
      { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'aGk=' } },
      { type: 'kubernetes.io/basic-auth' },
      { type: 'kubernetes.io/ssh-auth' },
      { type: 'kubernetes.io/service-account-token' },
      { type: 'mine' },
    ],
    updates: [{ type: 'mine' }, { 'data.a': 'aG8=' }, { immutable: true }],
  },
  {
    base: { apiVersion: 'v1', kind: 'Namespace' },
    creates: [
      {},
      { 'metadata.name': 'a.b' },
      { spec: { finalizers: ['x'] } },
      { 'metadata.name': 'x'.repeat(64) },
    ],
  },
  {
    base: { apiVersion: 'v1', kind: 'Node' },
    creates: [
      {},
      { spec: { podCIDR: 'x' } },
      {
        spec: {
          taints: [
            { key: 'a', effect: 'NoSchedule' },
            { key: 'a', effect: 'NoSchedule' },
          ],
        },
      },
      { spec: { taints: [{ key: '', effect: 'Wrong' }] } },
      { spec: { unschedulable: true } },
    ],
  },
  {
    base: { apiVersion: 'v1', kind: 'ServiceAccount' },
    creates: [
      {},
      { secrets: [{ name: 'a' }], imagePullSecrets: [{ name: 'b' }] },
      { 'metadata.name': 'A' },
    ],
  },
  {
    base: {
      apiVersion: 'v1',
      kind: 'LimitRange',
      spec: { limits: [{ type: 'Container', default: { cpu: '1' } }] },
    },
    creates: [
      {},
      { 'spec.limits': [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '2' } }] },
      { 'spec.limits': [{ type: 'Container' }, { type: 'Container' }] },
      { 'spec.limits': [{ type: 'Pod', default: { cpu: '1' } }] },
      { 'spec.limits': [{ type: 'Container', max: { cpu: 2 } }] },
    ],
  },
  {
    base: { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { pods: '5', cpu: 1 } } },
    creates: [
      {},
      { 'spec.hard': { 'a b': '1', nonsense: '1', pods: '1.5' } },
      { 'spec.scopes': ['Wrong'] },
      { 'spec.hard.cpu': '-1' },
    ],
  },
  {
    base: {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
    creates: [
      {},
      { 'spec.accessModes': [] },
      { 'spec.accessModes': ['Wrong'] },
      { 'spec.resources': {} },
      { 'spec.resources.requests.storage': '0' },
      { 'spec.volumeMode': 'Wrong' },
    ],
    updates: [{ 'spec.accessModes': ['ReadOnlyMany'] }],
  },
  {
    base: {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/x' },
      },
    },
    creates: [
      {},
      { 'spec.capacity': undefined },
      { 'spec.accessModes': undefined },
      { 'spec.hostPath': undefined },
      { 'spec.persistentVolumeReclaimPolicy': 'Wrong' },
    ],
  },
  {
    base: {
      apiVersion: 'v1',
      kind: 'Endpoints',
      subsets: [{ addresses: [{ ip: '1.2.3.4' }], ports: [{ port: 80 }] }],
    },
    creates: [
      {},
      { 'subsets.0.addresses.0.ip': 'x' },
      { 'subsets.0.ports.0.port': 0 },
      { 'subsets.0.addresses.0.ip': '127.0.0.1' },
    ],
  },
  {
    base: {
      apiVersion: 'v1',
      kind: 'Event',
      involvedObject: { kind: 'Pod', name: 'a', namespace: 'diff' },
      reason: 'R',
      message: 'm',
      type: 'Normal',
    },
    creates: [{}, { type: 'Wrong' }, { 'involvedObject.namespace': 'other' }],
  },
  {
    base: {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      addressType: 'IPv4',
      endpoints: [{ addresses: ['1.2.3.4'] }],
      ports: [{ port: 80 }],
    },
    creates: [
      {},
      { addressType: undefined },
      { addressType: 'Wrong' },
      { 'endpoints.0.addresses': [] },
      { 'endpoints.0.addresses': ['x'] },
      { ports: [{ port: 80 }, { port: 81 }] },
      { ports: [{ port: 0, name: 'A_' }] },
    ],
    updates: [{ addressType: 'IPv6', 'endpoints.0.addresses': ['::5'] }],
  },
];

const policies: Kind[] = [
  {
    base: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    },
    creates: [
      {},
      { 'rules.0.verbs': undefined },
      { 'rules.0.verbs': [] },
      { 'rules.0.apiGroups': undefined },
      { 'rules.0.resources': undefined },
      { 'rules.0.nonResourceURLs': ['/x'] },
      { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] },
      { aggregationRule: {} },
      { 'metadata.name': 'a/b' },
      { 'metadata.name': 'a:B' },
    ],
  },
  {
    base: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    },
    creates: [{}, { rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }, { rules: undefined }],
  },
  {
    base: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      roleRef: { kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'User', name: 'u' }],
    },
    creates: [
      {},
      { 'roleRef.kind': 'Wrong' },
      { 'roleRef.name': '' },
      { 'roleRef.apiGroup': 'x' },
      { roleRef: undefined },
      { 'subjects.0.kind': 'Wrong' },
      { 'subjects.0.name': '' },
      { subjects: [{ kind: 'ServiceAccount', name: 's' }] },
      { subjects: [{ kind: 'ServiceAccount', name: 'S_', namespace: 'x', apiGroup: 'y' }] },
      { subjects: undefined },
    ],
    updates: [{ 'roleRef.name': 'edit' }, { subjects: [] }],
  },
  {
    base: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      spec: {
        rules: [
          {
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
    creates: [
      {},
      { 'spec.rules': undefined },
      { 'spec.rules.0.http.paths.0.pathType': undefined },
      { 'spec.rules.0.http.paths.0.pathType': 'Wrong' },
      { 'spec.rules.0.http.paths.0.path': 'x' },
      { 'spec.rules.0.http.paths.0.path': '/a//b' },
      { 'spec.rules.0.http.paths.0.backend': {} },
      { 'spec.rules.0.http.paths.0.backend.service.port': {} },
      { 'spec.rules.0.http.paths.0.backend.service.port': { number: 80, name: 'x' } },
      { 'spec.rules.0.host': 'BAD_' },
      { 'spec.rules.0.host': '1.2.3.4' },
      { 'spec.rules.0.host': '*.example.com' },
      { 'spec.ingressClassName': 'Bad_' },
      { 'spec.tls': [{ hosts: ['BAD_'] }] },
    ],
  },
  {
    base: {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      spec: { controller: 'a.example/x' },
    },
    creates: [{}, { 'spec.controller': 'x' }, { 'spec.controller': '' }, { spec: undefined }],
    updates: [{ 'spec.controller': 'b.example/x' }],
  },
  {
    base: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', spec: { podSelector: {} } },
    creates: [
      {},
      { spec: undefined },
      { 'spec.policyTypes': ['Wrong'] },
      { 'spec.egress': [{}] },
      { 'spec.ingress': [{ ports: [{ port: 80 }], from: [{}] }] },
      { 'spec.ingress': [{ from: [{ ipBlock: { cidr: 'x' } }] }] },
    ],
  },
  {
    base: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      spec: { minAvailable: 1, selector },
    },
    creates: [
      {},
      { 'spec.maxUnavailable': 1 },
      { 'spec.minAvailable': -1 },
      { 'spec.minAvailable': '150%' },
      { 'spec.minAvailable': 'x' },
      { 'spec.minAvailable': undefined },
      { 'spec.unhealthyPodEvictionPolicy': 'Wrong' },
    ],
  },
  {
    base: {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
      },
    },
    creates: [
      {},
      { 'spec.maxReplicas': 0 },
      { 'spec.minReplicas': 5 },
      { 'spec.minReplicas': 0 },
      { 'spec.scaleTargetRef': {} },
      { 'spec.metrics': [{ type: 'Resource' }] },
      { 'spec.behavior': { scaleDown: {} } },
    ],
  },
  {
    base: {
      apiVersion: 'autoscaling/v1',
      kind: 'HorizontalPodAutoscaler',
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
      },
    },
    creates: [
      {},
      { 'spec.targetCPUUtilizationPercentage': 50 },
      { 'spec.targetCPUUtilizationPercentage': -1 },
    ],
  },
  {
    base: { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', handler: 'h' },
    creates: [
      {},
      { handler: undefined },
      { handler: 'Bad_' },
      { scheduling: { tolerations: [{ key: 'a', operator: 'Exists' }] } },
      { overhead: { podFixed: { cpu: '-1' } } },
    ],
    updates: [{ handler: 'other' }],
  },
  {
    base: { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', value: 5 },
    creates: [
      {},
      { value: undefined },
      { value: 2_000_000_000 },
      { preemptionPolicy: 'Wrong' },
      { 'metadata.name': 'system-x' },
      { globalDefault: true },
    ],
    updates: [{ value: 6 }, { description: 'x' }],
  },
  {
    base: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: { holderIdentity: 'a' } },
    creates: [
      {},
      { spec: undefined },
      { 'spec.leaseDurationSeconds': 0 },
      { 'spec.leaseTransitions': -1 },
      { 'spec.holderIdentity': '' },
      { 'spec.renewTime': 'x' },
      { 'spec.renewTime': '2026-01-01T00:00:00.000000Z' },
      { 'spec.strategy': 'x' },
    ],
  },
  {
    base: { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', provisioner: 'p' },
    creates: [
      {},
      { provisioner: '' },
      { provisioner: 'a b' },
      { reclaimPolicy: 'Wrong' },
      { volumeBindingMode: 'Wrong' },
      { parameters: { a: 'b' } },
    ],
    updates: [{ provisioner: 'q' }, { parameters: { a: 'c' } }],
  },
  {
    base: { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', spec: {} },
    creates: [{}],
  },
  {
    base: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      webhooks: [],
    },
    creates: [
      {},
      {
        webhooks: [
          {
            name: 'w.example.com',
            clientConfig: { url: 'https://x' },
            rules: [],
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
          },
        ],
      },
      { webhooks: [{ name: 'w' }] },
    ],
  },
  {
    base: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'as.b.example' },
      spec: {
        group: 'b.example',
        names: { plural: 'as', kind: 'A' },
        scope: 'Namespaced',
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object' } },
          },
        ],
      },
    },
    creates: [
      {},
      { 'metadata.name': 'x' },
      { 'spec.scope': 'Wrong' },
      { 'spec.group': '' },
      { 'spec.versions': [] },
      { 'spec.versions.0.storage': false },
      { 'spec.versions.0.schema': undefined },
      { 'spec.names.kind': undefined },
      { 'spec.versions.0.schema.openAPIV3Schema': { type: 'wrong' } },
      { 'spec.versions.0.schema.openAPIV3Schema': { properties: { a: {} } } },
      { 'spec.names.plural': 'Bs' },
    ],
  },
];

const kinds: readonly Kind[] = [pod, ...workloads, service, ...simple, ...policies];

export function changed(base: Json, change: Change): Json {
  const copy = structuredClone(base);
  for (const [path, value] of Object.entries(change)) {
    const parts = path.split('.');
    const last = parts.pop() ?? '';
    let at: Json = copy;
    for (const part of parts) {
      at[part] ??= {};
      at = at[part] as Json;
    }
    if (value === undefined) delete at[last];
    else at[last] = structuredClone(value);
  }
  return copy;
}

function named(base: Json, name: string): Json {
  return { ...base, metadata: { name, ...(base['metadata'] as Json | undefined) } };
}

export function corpus(): Case[] {
  const seen = new Map<string, number>();
  return kinds.flatMap(({ base, creates, updates = [] }) => {
    const label = `${String(base['apiVersion'])} ${String(base['kind'])}`;
    const make = (operation: 'create' | 'update', change: Change): Case => {
      const what = `${label} ${operation} ${JSON.stringify(change, (_k, v: unknown) => v ?? '-')}`;
      const times = seen.get(what) ?? 0;
      seen.set(what, times + 1);
      const name = operation === 'create' ? 'a' : `${String(base['kind']).toLowerCase()}-base`;
      const start = named(base, base['immutable'] === true ? `${name}-fixed` : name);
      return {
        name: times === 0 ? what : `${what} #${times + 1}`,
        operation,
        base: start,
        change,
      };
    };
    return [
      ...creates.map((change) => make('create', change)),
      ...updates.map((change) => make('update', change)),
    ];
  });
}
