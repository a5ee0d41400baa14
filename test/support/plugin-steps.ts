// Requests that the built-in admission plugins change or refuse: limits, pod security, quotas, classes,
// priorities, certificates.
import { create, namespace, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

const MERGE = 'application/merge-patch+json';

const pod = (name: string, spec: Json = {}, container: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'a:1', ...container }], ...spec },
});

const pods = (place: string, query = '?dryRun=All'): string =>
  `/api/v1/namespaces/${place}/pods${query}`;

function limits(): Step[] {
  const place = 'limited';
  const range = {
    metadata: { name: 'limits' },
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m', memory: '512Mi' },
          defaultRequest: { cpu: '100m' },
          min: { cpu: '50m' },
          max: { cpu: '2', memory: '1Gi' },
          maxLimitRequestRatio: { cpu: '10' },
        },
        { type: 'Pod', max: { cpu: '3' } },
        { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
      ],
    },
  };
  const sized = (cpu: string, limit: string): Json => ({
    resources: { requests: { cpu }, limits: { cpu: limit, memory: '1Gi' } },
  });
  const claim = (storage: string): Json => ({
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
  });
  const claims = `/api/v1/namespaces/${place}/persistentvolumeclaims?dryRun=All`;
  return [
    ...namespace(place),
    create('limits: range', `/api/v1/namespaces/${place}/limitranges`, range),
    create('limits: defaults', pods(place), pod('a'), {
      until: (_s, body) => JSON.stringify(body).includes('limit-ranger'),
    }),
    create('limits: too small', pods(place), pod('a', {}, sized('10m', '100m'))),
    create('limits: too big', pods(place), pod('a', {}, sized('1', '4'))),
    create('limits: out of proportion', pods(place), pod('a', {}, sized('100m', '1500m'))),
    create(
      'limits: pod too big',
      pods(place),
      pod('a', {
        containers: [
          { name: 'x', image: 'a:1', ...sized('1', '2') },
          { name: 'y', image: 'a:1', ...sized('1', '2') },
        ],
      }),
    ),
    create('limits: claim too small', claims, claim('500Mi')),
    create('limits: claim too big', claims, claim('5Gi')),
    create('limits: claim fits', claims, claim('1Gi'), silent),
  ];
}

const restrictedContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

const risky: Readonly<Record<string, readonly [Json, Json]>> = {
  plain: [{}, {}],
  restricted: [{}, { securityContext: restrictedContext }],
  privileged: [{}, { securityContext: { privileged: true } }],
  'host namespaces': [{ hostNetwork: true, hostPID: true }, {}],
  'host path': [{ volumes: [{ name: 'h', hostPath: { path: '/x' } }] }, {}],
  'host port': [{}, { ports: [{ containerPort: 80, hostPort: 80 }] }],
  capabilities: [{}, { securityContext: { capabilities: { add: ['NET_ADMIN', 'SYS_TIME'] } } }],
  'seccomp unconfined': [{ securityContext: { seccompProfile: { type: 'Unconfined' } } }, {}],
  'selinux type': [{ securityContext: { seLinuxOptions: { type: 'odd', user: 'u' } } }, {}],
  sysctls: [{ securityContext: { sysctls: [{ name: 'kernel.odd', value: '1' }] } }, {}],
  'run as root': [{ securityContext: { runAsUser: 0, runAsNonRoot: false } }, {}],
  'proc mount': [{ hostUsers: true }, { securityContext: { procMount: 'Unmasked' } }],
  'probe host': [{}, { livenessProbe: { httpGet: { port: 80, host: 'example.com' } } }],
  apparmor: [{}, { securityContext: { appArmorProfile: { type: 'Unconfined' } } }],
  nfs: [
    { volumes: [{ name: 'n', nfs: { server: 'a', path: '/' } }] },
    { securityContext: restrictedContext },
  ],
};

function security(): Step[] {
  const prefix = 'pod-security.kubernetes.io';
  const steps: Step[] = [];
  for (const level of ['baseline', 'restricted']) {
    const place = `ps-${level}`;
    steps.push(...namespace(place, { labels: { [`${prefix}/enforce`]: level } }));
    for (const [name, [spec, container]] of Object.entries(risky)) {
      steps.push(create(`security ${level}: ${name}`, pods(place), pod('a', spec, container)));
    }
  }
  const place = 'ps-warned';
  const deployment = {
    metadata: { name: 'd' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: {
        metadata: { labels: { a: 'b' } },
        spec: { containers: [{ name: 'main', image: 'a:1' }], hostNetwork: true },
      },
    },
  };
  steps.push(
    ...namespace(place, {
      labels: {
        [`${prefix}/warn`]: 'restricted',
        [`${prefix}/enforce`]: 'privileged',
        [`${prefix}/warn-version`]: 'v1.20',
      },
    }),
    create('security: warned', pods(place), pod('a')),
    create(
      'security: deployment is warned of',
      `/apis/apps/v1/namespaces/${place}/deployments?dryRun=All`,
      deployment,
      silent,
    ),
    create('security: made', pods(place, ''), pod('kept', { hostNetwork: true }), silent),
    {
      name: 'security: stricter namespace',
      method: 'PATCH',
      path: `/api/v1/namespaces/${place}?dryRun=All`,
      type: MERGE,
      body: { metadata: { labels: { [`${prefix}/enforce`]: 'baseline' } } },
    },
    create('security: wrong labels', '/api/v1/namespaces?dryRun=All', {
      metadata: {
        name: 'odd',
        labels: { [`${prefix}/enforce`]: 'odd', [`${prefix}/warn-version`]: '5' },
      },
    }),
  );
  return steps;
}

function quotas(): Step[] {
  const place = 'quotas';
  const path = `/api/v1/namespaces/${place}/resourcequotas`;
  const hard = {
    pods: '2',
    'requests.cpu': '1',
    configmaps: '2',
    'count/deployments.apps': '1',
    services: '5',
    'services.nodeports': '1',
  };
  const used = Object.fromEntries(Object.keys(hard).map((name) => [name, '0']));
  const sized = { resources: { requests: { cpu: '400m' } } };
  const config = (name: string): Json => ({ metadata: { name } });
  const maps = `/api/v1/namespaces/${place}/configmaps`;
  return [
    ...namespace(place),
    create('quota: made', path, { metadata: { name: 'q' }, spec: { hard } }),
    create(
      'quota: other scope',
      path,
      { metadata: { name: 'best' }, spec: { hard: { pods: '1' }, scopes: ['BestEffort'] } },
      silent,
    ),
    {
      name: 'quota: status',
      method: 'PATCH',
      path: `${path}/q/status`,
      type: MERGE,
      body: { status: { hard, used } },
    },
    {
      name: 'quota: status of the other',
      method: 'PATCH',
      path: `${path}/best/status`,
      type: MERGE,
      body: { status: { hard: { pods: '1' }, used: { pods: '0' } } },
      isSilent: true,
    },
    create('quota: without requests', pods(place), pod('a'), { until: (status) => status === 403 }),
    create('quota: too much', pods(place), pod('a', {}, { resources: { requests: { cpu: '2' } } })),
    create('quota: fits', pods(place, ''), pod('a', {}, sized), silent),
    { name: 'quota: is charged', method: 'GET', path: `${path}/q` },
    create('quota: second fits', pods(place, ''), pod('b', {}, sized), silent),
    create('quota: third does not', pods(place, ''), pod('c', {}, sized), {
      until: (status) => status === 403,
    }),
    create('quota: config one', maps, config('one'), silent),
    create('quota: config two', maps, config('two'), silent),
    create('quota: config three', maps, config('three'), { until: (status) => status === 403 }),
    create('quota: node ports', `/api/v1/namespaces/${place}/services?dryRun=All`, {
      metadata: { name: 's' },
      spec: {
        type: 'NodePort',
        ports: [
          { name: 'a', port: 1 },
          { name: 'b', port: 2 },
        ],
      },
    }),
    { name: 'quota: charged at the end', method: 'GET', path: `${path}/q` },
  ];
}

function classes(): Step[] {
  const place = 'classes';
  const claim = (extra: Json = {}): Json => ({
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...extra },
  });
  const claims = `/api/v1/namespaces/${place}/persistentvolumeclaims`;
  return [
    ...namespace(place),
    create('classes: storage', '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: {
        name: 'fast',
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
      provisioner: 'example.com/x',
    }),
    create('classes: claim without one', `${claims}?dryRun=All`, claim(), {
      until: (_s, body) => (body['spec'] as Json)['storageClassName'] === 'fast',
      isSilent: true,
    }),
    create('classes: claim made', claims, claim(), silent),
    {
      name: 'classes: claim grows',
      method: 'PATCH',
      path: `${claims}/c`,
      type: MERGE,
      body: { spec: { resources: { requests: { storage: '2Gi' } } } },
    },
    create('classes: ingress class', '/apis/networking.k8s.io/v1/ingressclasses', {
      metadata: {
        name: 'web',
        annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' },
      },
      spec: { controller: 'example.com/x' },
    }),
    create(
      'classes: ingress',
      `/apis/networking.k8s.io/v1/namespaces/${place}/ingresses?dryRun=All`,
      {
        metadata: { name: 'i' },
        spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
      },
      { until: (_s, body) => ((body['spec'] ?? {}) as Json)['ingressClassName'] === 'web' },
    ),
    create('classes: priority', '/apis/scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'high' },
      value: 1000,
      globalDefault: true,
    }),
    create(
      'classes: second default priority',
      '/apis/scheduling.k8s.io/v1/priorityclasses?dryRun=All',
      { metadata: { name: 'higher' }, value: 2000, globalDefault: true },
      { until: (status) => status === 403 },
    ),
    create('classes: pod with the default priority', pods(place), pod('a')),
    create(
      'classes: pod with an unknown priority',
      pods(place),
      pod('a', { priorityClassName: 'nope' }),
    ),
    create(
      'classes: pod with a wrong number',
      pods(place),
      pod('a', { priorityClassName: 'high', priority: 3 }),
    ),
    create(
      'classes: runtime class',
      '/apis/node.k8s.io/v1/runtimeclasses',
      {
        metadata: { name: 'heavy' },
        handler: 'h',
        overhead: { podFixed: { cpu: '10m' } },
        scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k', operator: 'Exists' }] },
      },
      silent,
    ),
    create('classes: heavy pod', pods(place), pod('a', { runtimeClassName: 'heavy' }), {
      until: (status) => status === 201,
    }),
    create(
      'classes: conflicting selector',
      pods(place),
      pod('a', { runtimeClassName: 'heavy', nodeSelector: { a: 'c' } }),
    ),
    create('classes: unknown runtime', pods(place), pod('a', { runtimeClassName: 'nope' })),
    create('classes: no service account', pods(place), pod('a', { serviceAccountName: 'nope' })),
  ];
}

/** What a load balancer writes: the mode of an address is filled in for services of its type. */
function balancers(): Step[] {
  const place = 'balanced';
  const services = `/api/v1/namespaces/${place}/services`;
  const ports = [{ port: 80 }];
  const write = (name: string, service: string, ingress: Json[]): Step => ({
    name: `balancers: ${name}`,
    method: 'PATCH',
    path: `${services}/${service}/status`,
    type: MERGE,
    body: { status: { loadBalancer: { ingress } } },
  });
  const spec = (more: Json) => ({ ports, selector: { a: 'b' }, ...more });
  return [
    ...namespace(place),
    create(
      'balancers: one',
      services,
      {
        metadata: { name: 'one' },
        spec: spec({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
      },
      silent,
    ),
    create('balancers: none', services, { metadata: { name: 'none' }, spec: spec({}) }, silent),
    write('an address', 'one', [{ ip: '203.0.113.1' }]),
    write('a mode', 'one', [{ ip: '203.0.113.1', ipMode: 'Proxy' }, { hostname: 'a.example' }]),
    write('a wrong mode', 'one', [{ ip: '203.0.113.1', ipMode: 'Else' }]),
    write('not its type', 'none', [{ ip: '203.0.113.1' }]),
  ];
}

export function pluginSteps(): Step[] {
  return [...limits(), ...security(), ...quotas(), ...classes(), ...balancers()];
}
