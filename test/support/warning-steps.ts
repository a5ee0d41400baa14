// Objects that are taken, but warned of; and the conditions of an API service.
import { create, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

const MERGE = 'application/merge-patch+json';
const HOME = '/namespaces/warned';
const V1 = `/api/v1${HOME}`;

const term = (key: string, value = 'a'): Json => ({
  matchExpressions: [{ key, operator: 'In', values: [value] }],
});
const zone = 'failure-domain.beta.kubernetes.io/zone';
const when = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
const noSelector = { topologyKey: 'kubernetes.io/hostname' };
const files = (...paths: string[]): Json => ({
  items: paths.map((path, i) => ({ key: `k${i}`, path })),
});

const env = (...all: [string, string][]): Json => ({
  env: all.map(([name, value]) => ({ name, value })),
});
const ports = (...all: Json[]): Json => ({ ports: all });

/** What is odd in the spec of a pod, and in its only container. */
const oddPods: Readonly<Record<string, readonly [Json, Json, Json?]>> = {
  'old label': [{ nodeSelector: { 'beta.kubernetes.io/os': 'linux', [zone]: 'z' } }, {}],
  'old label in an affinity': [
    {
      affinity: {
        nodeAffinity: {
          [when]: { nodeSelectorTerms: [term('x'), term('beta.kubernetes.io/arch')] },
          [preferred]: [{ weight: 1, preference: term(zone, '-bad-') }],
        },
      },
    },
    {},
  ],
  spread: [
    {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule' },
      ],
    },
    {},
  ],
  affinity: [
    {
      affinity: {
        podAffinity: { [when]: [noSelector] },
        podAntiAffinity: { [preferred]: [{ weight: 1, podAffinityTerm: noSelector }] },
      },
    },
    {},
  ],
  annotations: [
    {},
    {},
    {
      'scheduler.alpha.kubernetes.io/critical-pod': '',
      'security.alpha.kubernetes.io/sysctls': 'a=b',
      'seccomp.security.alpha.kubernetes.io/pod': 'runtime/default',
      'container.seccomp.security.alpha.kubernetes.io/c': 'runtime/default',
      'container.apparmor.security.beta.kubernetes.io/c': 'unconfined',
    },
  ],
  volumes: [
    {
      volumes: [
        { name: 'a', gitRepo: { repository: 'r' } },
        { name: 'b', glusterfs: { endpoints: 'e', path: 'p' } },
        { name: 'c', cephfs: { monitors: ['m'] } },
        { name: 'd', rbd: { monitors: ['m'], image: 'i' } },
        { name: 'e', storageos: { volumeName: 'v' } },
        { name: 'f', quobyte: { registry: 'a:1', volume: 'v' } },
        { name: 'g', flocker: { datasetName: 'd' } },
        { name: 'h', photonPersistentDisk: { pdID: 'p' } },
      ],
    },
    {},
  ],
  'files over files': [
    {
      volumes: [
        { name: 'a', configMap: { name: 'm', ...files('x', 'x/y', 'z', 'z') } },
        { name: 'b', secret: { secretName: 's', ...files('x/', 'x') } },
        {
          name: 'c',
          projected: {
            sources: [
              { configMap: { name: 'm', ...files('x') } },
              { secret: { name: 's', ...files('x/y') } },
              { serviceAccountToken: { path: 'x' } },
              {},
            ],
          },
        },
      ],
    },
    {},
  ],
  lists: [
    {
      hostAliases: [
        { ip: '1.2.3.4', hostnames: ['a'] },
        { ip: '1.2.3.4', hostnames: ['b'] },
        { ip: '2001:DB8:0::1', hostnames: ['c'] },
      ],
      imagePullSecrets: [{ name: 'a' }, { name: 'a' }, { name: '' }],
      dnsConfig: { nameservers: ['2001:db8:0:0::1'] },
    },
    {},
  ],
  fractions: [
    {},
    {
      resources: {
        limits: { memory: '1500m', 'ephemeral-storage': '0.5' },
        requests: { memory: '1m' },
      },
    },
  ],
  'hidden variables': [
    {},
    env(['A', '1'], ['A', '2'], ['B', 'x'], ['B', '$(B)y'], ['C', 'x'], ['C', '$(C)']),
  ],
  ports: [
    {},
    ports(
      { containerPort: 80, name: 'web' },
      { containerPort: 80, hostPort: 80 },
      { containerPort: 81 },
      { containerPort: 81 },
      { containerPort: 82, hostPort: 82 },
      { containerPort: 82, hostPort: 82, hostIP: '1.2.3.4' },
      { containerPort: 83, hostIP: '1.2.3.4' },
    ),
  ],
  'port names': [
    {
      containers: [
        { name: 'a', image: 'a', ...ports({ containerPort: 80, name: 'web' }) },
        { name: 'b', image: 'a', ...ports({ containerPort: 81, name: 'web' }) },
      ],
    },
    {},
  ],
  grace: [{ terminationGracePeriodSeconds: -5 }, {}],
};

function podSteps(): Step[] {
  return Object.entries(oddPods).flatMap(([what, [spec, container, annotations = {}]]) => {
    const template = {
      metadata: { annotations, labels: { a: 'b' } },
      spec: { containers: [{ name: 'c', image: 'a', ...container }], ...spec },
    };
    return [
      create(`pod: ${what}`, `${V1}/pods?dryRun=All`, {
        ...template,
        metadata: { name: 'p', annotations },
      }),
      create(`template: ${what}`, `/apis/apps/v1${HOME}/deployments?dryRun=All`, {
        metadata: { name: 'p' },
        spec: { selector: { matchLabels: { a: 'b' } }, template },
      }),
    ];
  });
}

const services: Readonly<Record<string, Json>> = {
  'external addresses': { externalIPs: ['192.0.2.1', '2001:DB8::1'] },
  'external name': { type: 'ExternalName', externalName: 'a.test', externalIPs: ['192.0.2.1'] },
  'external name for nothing': { externalName: 'a.test' },
  headless: {
    clusterIP: 'None',
    externalIPs: ['192.0.2.1'],
    sessionAffinity: 'ClientIP',
  },
  'close by': { trafficDistribution: 'PreferClose' },
  balancer: {
    type: 'LoadBalancer',
    loadBalancerIP: '2001:db8::0:1',
    loadBalancerSourceRanges: ['192.0.2.0/24', '2001:DB8::/64'],
  },
};

function networkSteps(): Step[] {
  const policy = {
    podSelector: {},
    ingress: [{ from: [{ ipBlock: { cidr: '2001:DB8::/64', except: ['2001:DB8:0::/80'] } }] }],
    egress: [{ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }],
  };
  const backend = { service: { name: 's', port: { number: 80 } } };
  return [
    ...Object.entries(services).map(([what, spec]) =>
      create(`service: ${what}`, `${V1}/services?dryRun=All`, {
        metadata: { name: 's' },
        spec: { ports: [{ port: 80 }], ...spec },
      }),
    ),
    create('service: hints', `${V1}/services?dryRun=All`, {
      metadata: {
        name: 's',
        annotations: { 'service.kubernetes.io/topology-aware-hints': 'auto' },
      },
      spec: { ports: [{ port: 80 }] },
    }),
    create('policy', `/apis/networking.k8s.io/v1${HOME}/networkpolicies?dryRun=All`, {
      metadata: { name: 'p' },
      spec: policy,
    }),
    create('ingress by annotation', `/apis/networking.k8s.io/v1${HOME}/ingresses?dryRun=All`, {
      metadata: { name: 'i', annotations: { 'kubernetes.io/ingress.class': 'x' } },
      spec: { defaultBackend: backend },
    }),
    create('endpoints', `${V1}/endpoints?dryRun=All`, {
      metadata: { name: 'e' },
      subsets: [{ addresses: [{ ip: '2001:DB8::1' }], ports: [{ port: 80 }] }],
    }),
    create('slice', `/apis/discovery.k8s.io/v1${HOME}/endpointslices?dryRun=All`, {
      metadata: { name: 'e' },
      addressType: 'IPv6',
      endpoints: [{ addresses: ['2001:DB8::1'] }],
    }),
    create('slice of names', `/apis/discovery.k8s.io/v1${HOME}/endpointslices?dryRun=All`, {
      metadata: { name: 'e' },
      addressType: 'FQDN',
      endpoints: [{ addresses: ['a.test'] }],
    }),
  ];
}

function otherSteps(): Step[] {
  const apps = `/apis/apps/v1${HOME}`;
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: { containers: [{ name: 'c', image: 'a' }] },
  };
  const claim = {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1500m' }, limits: { storage: '2500m' } },
  };
  const labels = { matchLabelExpressions: [{ key: zone, values: ['a'] }] };
  const job = (more: Json): Json => ({
    template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'a' }] } },
    ...more,
  });
  return [
    create('node', '/api/v1/nodes?dryRun=All', {
      metadata: { name: 'n' },
      spec: { externalID: 'x', podCIDRs: ['2001:DB8::/64'] },
    }),
    create('claim', `${V1}/persistentvolumeclaims?dryRun=All`, {
      metadata: { name: 'c', annotations: { 'volume.beta.kubernetes.io/storage-class': 'x' } },
      spec: claim,
    }),
    create('volume', '/api/v1/persistentvolumes?dryRun=All', {
      metadata: { name: 'v', annotations: { 'volume.beta.kubernetes.io/mount-options': 'ro' } },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Recycle',
        nodeAffinity: { required: { nodeSelectorTerms: [term(zone)] } },
        hostPath: { path: '/x' },
      },
    }),
    create('volume of a dead kind', '/api/v1/persistentvolumes?dryRun=All', {
      metadata: { name: 'v' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        glusterfs: { endpoints: 'e', path: 'p' },
      },
    }),
    create('quota', `${V1}/resourcequotas?dryRun=All`, {
      metadata: { name: 'q' },
      spec: {
        hard: { cpu: '2', 'limits.cpu': '1', 'requests.memory': '2Gi', 'limits.memory': '1Gi' },
      },
    }),
    create('account', `${V1}/serviceaccounts?dryRun=All`, {
      metadata: { name: 'a', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
    }),
    create('secret', `${V1}/secrets?dryRun=All`, {
      metadata: { name: 's' },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': 'eA==', 'tls.key': 'eA==' },
    }),
    create('stateful set', `${apps}/statefulsets?dryRun=All`, {
      metadata: { name: 's' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        serviceName: 's',
        revisionHistoryLimit: -1,
        template,
        volumeClaimTemplates: [{ metadata: { name: 'v' }, spec: claim }],
      },
    }),
    create('job of many', `/apis/batch/v1${HOME}/jobs?dryRun=All`, {
      metadata: { name: 'j.k' },
      spec: job({ completionMode: 'Indexed', completions: 100_001, parallelism: 10_001 }),
    }),
    create('cron job', `/apis/batch/v1${HOME}/cronjobs`, {
      metadata: { name: 'c.k' },
      spec: { schedule: '1 1 1 1 1', jobTemplate: { spec: job({}) } },
    }),
    {
      name: 'cron job: changed',
      method: 'PATCH',
      path: `/apis/batch/v1${HOME}/cronjobs/c.k`,
      body: { spec: { suspend: true } },
      type: MERGE,
    },
    create('class', '/apis/storage.k8s.io/v1/storageclasses?dryRun=All', {
      metadata: { name: 's' },
      provisioner: 'a.test/p',
      allowedTopologies: [labels],
    }),
    create('capacity', `/apis/storage.k8s.io/v1${HOME}/csistoragecapacities?dryRun=All`, {
      metadata: { name: 'c' },
      storageClassName: 's',
      nodeTopology: { ...term(zone), matchLabels: { 'beta.kubernetes.io/os': 'linux' } },
    }),
    create('driver', '/apis/storage.k8s.io/v1/csidrivers?dryRun=All', {
      metadata: { name: 'd' },
      spec: { tokenRequests: [{ audience: 'a' }] },
    }),
    create('runtime class', '/apis/node.k8s.io/v1/runtimeclasses?dryRun=All', {
      metadata: { name: 'r' },
      handler: 'h',
      scheduling: { nodeSelector: { [zone]: 'z' } },
    }),
    create(
      'reserved name',
      '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?dryRun=All',
      {
        metadata: { name: 'a.static.k8s.io' },
      },
    ),
    create('definition', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All', {
      metadata: { name: 'odds.warned.test' },
      spec: {
        group: 'warned.test',
        scope: 'Namespaced',
        names: { plural: 'odds', kind: 'Odd', singular: 'odd', listKind: 'OddList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  a: { type: 'string', format: 'odd' },
                  b: { type: 'integer', format: 'int32' },
                  c: { type: 'number', format: 'strange' },
                  d: {
                    type: 'array',
                    'x-kubernetes-list-type': 'set',
                    items: {
                      type: 'array',
                      'x-kubernetes-list-type': 'atomic',
                      items: { type: 'string' },
                    },
                  },
                },
              },
            },
          },
        ],
      },
    }),
  ];
}

function changes(): Step[] {
  const path = `/apis/apps/v1${HOME}/deployments`;
  const patch = (name: string, at: string, body: Json): Step => ({
    name,
    method: 'PATCH',
    path: at,
    body,
    type: MERGE,
  });
  return [
    create(
      'deployment: odd',
      path,
      {
        metadata: { name: 'kept' },
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: {
            metadata: { labels: { a: 'b' } },
            spec: { nodeSelector: { [zone]: 'z' }, containers: [{ name: 'c', image: 'a' }] },
          },
        },
      },
      silent,
    ),
    patch('deployment: labelled', `${path}/kept`, { metadata: { labels: { x: 'y' } } }),
    patch('deployment: scaled', `${path}/kept`, { spec: { replicas: 2 } }),
    create(
      'service: kept',
      `${V1}/services`,
      { metadata: { name: 'kept' }, spec: { ports: [{ port: 80 }] } },
      silent,
    ),
    patch('service: its balancer', `${V1}/services/kept/status`, {
      status: { loadBalancer: { ingress: [{ ip: '2001:DB8::1', ipMode: 'VIP' }] } },
    }),
    create(
      'pod: kept',
      `${V1}/pods`,
      { metadata: { name: 'kept' }, spec: { containers: [{ name: 'c', image: 'a' }] } },
      silent,
    ),
    patch('pod: its addresses', `${V1}/pods/kept/status`, {
      status: { podIP: '2001:DB8::1', podIPs: [{ ip: '2001:DB8::1' }] },
    }),
  ];
}

function apiServiceSteps(): Step[] {
  const all = '/apis/apiregistration.k8s.io/v1/apiservices';
  const one = `${all}/v1.remote.test`;
  const at = '2026-01-02T03:04:05Z';
  const status = (name: string, conditions: Json[], more: Json = {}): Step => ({
    name: `service status: ${name}`,
    method: 'PATCH',
    path: `${one}/status?dryRun=All`,
    body: { status: { conditions }, ...more },
    type: MERGE,
  });
  const condition = (more: Json): Json => ({
    type: 'Odd',
    status: 'True',
    lastTransitionTime: at,
    reason: 'R',
    message: 'm',
    ...more,
  });
  return [
    create(
      'api service',
      all,
      {
        metadata: { name: 'v1.remote.test' },
        spec: {
          group: 'remote.test',
          version: 'v1',
          groupPriorityMinimum: 100,
          versionPriority: 10,
          insecureSkipTLSVerify: true,
          service: { namespace: 'warned', name: 'none' },
        },
      },
      silent,
    ),
    status('right', [condition({})]),
    status('of no kind', [condition({ status: 'Odd' })]),
    status('without', [condition({ status: '' })]),
    status('twice', [condition({}), condition({ status: 'Maybe' })]),
    status('spec as well', [condition({})], { spec: { group: 'other.test' } }),
    status('named otherwise', [condition({})], { metadata: { name: 'v1.other.test' } }),
    status('labels', [], { metadata: { labels: { a: 'b' } } }),
  ];
}

export function warningSteps(): Step[] {
  return [
    create('namespace', '/api/v1/namespaces', { metadata: { name: 'warned' } }, silent),
    create(
      'account of it',
      `${V1}/serviceaccounts`,
      { metadata: { name: 'default' }, automountServiceAccountToken: false },
      silent,
    ),
    ...podSteps(),
    ...networkSteps(),
    ...otherSteps(),
    ...changes(),
    ...apiServiceSteps(),
  ];
}
