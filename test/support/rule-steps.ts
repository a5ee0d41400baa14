// Quotas and limits, roles that grant more than their makers have, networks and autoscalers, leases of odd times, and
// definitions that change under their objects.
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

// ---- quotas and limits ----

const container = (resources: Json, more: Json = {}): Json => ({
  name: 'c',
  image: 'a',
  resources,
  ...more,
});
const pod = (name: string, resources: Json, spec: Json = {}): Json => ({
  metadata: { name },
  spec: { containers: [container(resources)], ...spec },
});

export function quotaSteps(): Step[] {
  const space = 'used-quotas';
  const pods = `${below('v1', space)}/pods`;
  const quotas = `${below('v1', space)}/resourcequotas`;
  const limits = `${below('v1', space)}/limitranges`;
  const quota = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
  const range = (name: string, items: Json[]): Json => ({
    metadata: { name },
    spec: { limits: items },
  });
  const scoped = (scopeName: string, operator: string, values?: string[]): Json => ({
    scopeSelector: { matchExpressions: [{ scopeName, operator, values }] },
    hard: { pods: '1' },
  });
  return [
    ...place(space),
    post(
      'limit',
      limits,
      range('one', [
        {
          type: 'Container',
          max: { cpu: '2', memory: '1Gi' },
          min: { cpu: '100m' },
          default: { cpu: '1' },
          defaultRequest: { cpu: '500m' },
          maxLimitRequestRatio: { cpu: '4' },
        },
      ]),
    ),
    post('defaults of a limit', `${pods}?dryRun=All`, pod('a', {})),
    post('more than a limit', pods, pod('a', { limits: { cpu: '3' } })),
    post('less than a limit', pods, pod('a', { requests: { cpu: '1m' } })),
    post('ratio of a limit', pods, pod('a', { limits: { cpu: '2' }, requests: { cpu: '100m' } })),
    post('memory of a limit', pods, pod('a', { limits: { memory: '2Gi' } })),
    post(
      'limit whose least is above its most',
      limits,
      range('bad', [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '2' } }]),
    ),
    post('limit of an odd type', limits, range('odd', [{ type: 'Odd', max: { cpu: '1' } }])),
    post(
      'limit of pods with defaults',
      limits,
      range('pods', [{ type: 'Pod', default: { cpu: '1' } }]),
    ),
    post(
      'limit twice',
      limits,
      range('twice', [
        { type: 'Pod', max: { cpu: '1' } },
        { type: 'Pod', max: { cpu: '2' } },
      ]),
    ),
    post(
      'limit of claims',
      limits,
      range('claims', [
        { type: 'PersistentVolumeClaim', max: { storage: '1Gi' }, min: { storage: '1Mi' } },
      ]),
    ),
    post('claim above the limit', `${below('v1', space)}/persistentvolumeclaims`, {
      metadata: { name: 'p' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '5Gi' } } },
    }),
    post('limit of whole pods', limits, range('whole', [{ type: 'Pod', max: { cpu: '1500m' } }])),
    post('pod above the limit of pods', pods, {
      metadata: { name: 'b' },
      spec: {
        containers: [
          container({ limits: { cpu: '1' } }),
          { ...container({ limits: { cpu: '1' } }), name: 'd' },
        ],
      },
    }),
    quiet(remove('no limit', `${limits}/one`)),
    quiet(remove('no limit of pods', `${limits}/whole`)),
    post(
      'quota',
      quotas,
      quota('hard', {
        hard: {
          'requests.cpu': '1',
          'limits.memory': '1Gi',
          'count/configmaps': '1',
          secrets: '0',
        },
      }),
    ),
    {
      ...get('quota counted', `${quotas}/hard`),
      until: (_status, body) =>
        (body['status'] as Json | undefined)?.['hard'] !== undefined || true,
    },
    post('odd quota', quotas, quota('odd', { hard: { 'odd name': '1', cpu: '-1', pods: '1.5' } })),
    post('quota of an odd scope', quotas, quota('scope', { scopes: ['Odd'], hard: { pods: '1' } })),
    post(
      'quota of two scopes',
      quotas,
      quota('scopes', { scopes: ['BestEffort', 'NotBestEffort'], hard: { pods: '1' } }),
    ),
    post(
      'quota of best efforts with cpu',
      quotas,
      quota('best', { scopes: ['BestEffort'], hard: { 'requests.cpu': '1' } }),
    ),
    post('quota of a class', quotas, quota('class', scoped('PriorityClass', 'In', ['high']))),
    post('quota of a class without values', quotas, quota('values', scoped('PriorityClass', 'In'))),
    post(
      'quota of a class that there is',
      quotas,
      quota('there', scoped('PriorityClass', 'Exists', ['high'])),
    ),
    post('quota of an odd operator', quotas, quota('operator', scoped('PriorityClass', 'Odd'))),
    post('quota of the ending', quotas, quota('ending', scoped('Terminating', 'In', ['x']))),
    patch('other scopes', `${quotas}/hard`, { spec: { scopes: ['BestEffort'] } }),
    patch('status of a quota', `${quotas}/hard/status`, {
      status: { hard: { 'requests.cpu': '1' }, used: { 'requests.cpu': 'x' } },
    }),
  ];
}

// ---- roles ----

export function roleChangeSteps(): Step[] {
  const space = 'used-roles';
  const roles = `${below('rbac.authorization.k8s.io/v1', space)}/roles`;
  const bindings = `${below('rbac.authorization.k8s.io/v1', space)}/rolebindings`;
  const clusterRoles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
  const user = { 'impersonate-user': 'used-user' };
  const as = (step: Step): Step => ({ ...step, name: `as a user: ${step.name}`, headers: user });
  const role = (name: string, rules: Json[]): Json => ({ metadata: { name }, rules });
  const rule = (verbs: string[], resources: string[], more: Json = {}): Json => ({
    apiGroups: [''],
    verbs,
    resources,
    ...more,
  });
  const bound = (name: string, kind: string, to: string): Json => ({
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: to },
    subjects: [{ kind: 'User', name: 'x', apiGroup: 'rbac.authorization.k8s.io' }],
  });
  return [
    ...place(space),
    quiet(
      post(
        'own role',
        roles,
        role(
          'own',
          [
            {
              apiGroups: ['rbac.authorization.k8s.io'],
              verbs: ['*'],
              resources: ['roles', 'rolebindings'],
            },
            rule(['get'], ['pods', 'secrets'], {}),
          ].map((one) => ({
            ...one,
            verbs: (one['verbs'] as string[]).includes('*')
              ? ['get', 'list', 'create', 'update', 'patch', 'delete']
              : one['verbs'],
          })),
        ),
      ),
    ),
    quiet(
      post('own binding', bindings, {
        ...bound('own', 'Role', 'own'),
        subjects: [{ kind: 'User', name: 'used-user', apiGroup: 'rbac.authorization.k8s.io' }],
      }),
    ),
    { ...quiet(get('let in', roles)), headers: user, until: (status) => status === 200 },
    as(post('what it has', roles, role('less', [rule(['get'], ['pods'])]))),
    as(post('more verbs', roles, role('more', [rule(['get', 'list'], ['pods'])]))),
    as(
      post(
        'more of all kinds',
        roles,
        role('more', [
          rule(['*'], ['*'], { apiGroups: ['*'] }),
          rule(['delete'], ['pods'], { resourceNames: ['a', 'b'] }),
        ]),
      ),
    ),
    as(patch('grows', `${roles}/less`, { rules: [rule(['get', 'watch'], ['pods', 'nodes'])] })),
    as(patch('stays', `${roles}/less`, { metadata: { labels: { a: 'b' } } })),
    as(post('binds its own', bindings, bound('same', 'Role', 'less'))),
    as(post('binds what it has not', bindings, bound('admin', 'ClusterRole', 'admin'))),
    as(post('binds what is not', bindings, bound('none', 'Role', 'none'))),
    as(post('cluster role', clusterRoles, role('used-cluster', [rule(['get'], ['pods'])]))),
    post('binding to an odd kind', bindings, bound('odd', 'Odd', 'x')),
    post('binding to no group', bindings, {
      ...bound('group', 'Role', 'x'),
      roleRef: { kind: 'Role', name: 'x', apiGroup: 'odd' },
    }),
    post('binding of odd subjects', bindings, {
      ...bound('odd', 'Role', 'x'),
      subjects: [
        { kind: 'Odd', name: 'x' },
        { kind: 'ServiceAccount', name: 'x' },
        { kind: 'User', name: '' },
        { kind: 'Group', name: 'g', apiGroup: 'odd' },
      ],
    }),
    patch('binding to another role', `${bindings}/same`, { roleRef: { name: 'other' } }),
    post('role without verbs', roles, role('verbs', [rule([], ['pods'])])),
    post('role without resources', roles, role('resources', [{ verbs: ['get'] }])),
    post(
      'role with addresses',
      roles,
      role('addresses', [{ verbs: ['get'], nonResourceURLs: ['/a'] }]),
    ),
    post(
      'cluster role with odd addresses',
      clusterRoles,
      role('used-odd', [
        { verbs: ['get'], nonResourceURLs: ['/a*b', 'c'] },
        { verbs: ['get'], nonResourceURLs: ['/a'], resources: ['pods'], apiGroups: [''] },
      ]),
    ),
    post('cluster role by others', clusterRoles, {
      metadata: { name: 'used-by' },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { 'bad key!': 'x' } }] },
    }),
    post('cluster role by nobody', clusterRoles, {
      metadata: { name: 'used-nobody' },
      aggregationRule: { clusterRoleSelectors: [] },
    }),
  ];
}

// ---- networks, autoscalers, leases ----

export function networkSteps(): Step[] {
  const space = 'used-networks';
  const policies = `${below('networking.k8s.io/v1', space)}/networkpolicies`;
  const ingresses = `${below('networking.k8s.io/v1', space)}/ingresses`;
  const leases = `${below('coordination.k8s.io/v1', space)}/leases`;
  const policy = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
  const backend = { service: { name: 's', port: { number: 80 } } };
  const ingress = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
  const path = (given: Json): Json => ({
    rules: [
      {
        host: 'a.example',
        http: { paths: [{ backend, pathType: 'Prefix', path: '/', ...given }] },
      },
    ],
  });
  const lease = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
  return [
    ...place(space),
    post('policy of nothing', policies, policy('nothing', {})),
    post('policy for egress', policies, policy('egress', { podSelector: {}, egress: [{}] })),
    post('odd policy', policies, policy('odd', { podSelector: {}, policyTypes: ['Odd'] })),
    post(
      'policy with odd ports',
      policies,
      policy('ports', {
        podSelector: {},
        ingress: [
          {
            ports: [
              { port: 0 },
              { port: 'Bad_' },
              { protocol: 'ICMP' },
              { port: 80, endPort: 70 },
              { endPort: 5 },
              { port: 'x', endPort: 9 },
            ],
          },
        ],
      }),
    ),
    post(
      'policy with odd peers',
      policies,
      policy('peers', {
        podSelector: {},
        ingress: [
          {
            from: [
              {},
              { podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } },
              { ipBlock: { cidr: 'odd' } },
              { ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/8', '10.0.0.0/8'] } },
            ],
          },
        ],
      }),
    ),
    post(
      'policy by odd labels',
      policies,
      policy('labels', {
        podSelector: {
          matchExpressions: [
            { key: 'a', operator: 'In' },
            { key: 'b', operator: 'Exists', values: ['x'] },
          ],
        },
      }),
    ),
    post('ingress of nothing', ingresses, ingress('nothing', {})),
    post('ingress', ingresses, ingress('fine', path({}))),
    post(
      'ingress by an odd host',
      ingresses,
      ingress('host', {
        rules: [{ host: '1.2.3.4', http: { paths: [] } }, { host: '*.*.a' }, { host: 'Bad_' }],
      }),
    ),
    post('ingress by an odd path', ingresses, ingress('path', path({ path: 'a//b' }))),
    post('ingress by a relative path', ingresses, ingress('path', path({ path: '/a/../b' }))),
    post('ingress by an odd type', ingresses, ingress('type', path({ pathType: 'Odd' }))),
    post('ingress without a type', ingresses, ingress('type', path({ pathType: undefined }))),
    post('ingress to nothing', ingresses, ingress('back', path({ backend: {} }))),
    post(
      'ingress to both',
      ingresses,
      ingress('both', path({ backend: { ...backend, resource: { kind: 'A', name: 'b' } } })),
    ),
    post(
      'ingress to an odd port',
      ingresses,
      ingress(
        'port',
        path({ backend: { service: { name: 's', port: { number: 80, name: 'x' } } } }),
      ),
    ),
    post(
      'ingress of odd secrets',
      ingresses,
      ingress('tls', { ...path({}), tls: [{ secretName: 'Bad_', hosts: ['x y'] }] }),
    ),
    post('ingress of a class twice', ingresses, {
      metadata: { name: 'class', annotations: { 'kubernetes.io/ingress.class': 'a' } },
      spec: { ...path({}), ingressClassName: 'b' },
    }),
    patch('ingress status', `${ingresses}/fine/status`, {
      status: { loadBalancer: { ingress: [{ ip: 'odd', ports: [{ port: 0, protocol: 'X' }] }] } },
    }),
    post(
      'lease',
      leases,
      lease('one', {
        holderIdentity: 'a',
        leaseDurationSeconds: 5,
        renewTime: '2026-01-02T03:04:05.123456Z',
      }),
    ),
    post(
      'lease with a coarse time',
      leases,
      lease('coarse', { renewTime: '2026-01-02T03:04:05Z' }),
    ),
    post(
      'lease with too fine a time',
      leases,
      lease('fine', { renewTime: '2026-01-02T03:04:05.123456789Z' }),
    ),
    post(
      'lease of another zone',
      leases,
      lease('zone', { acquireTime: '2026-01-02T03:04:05.000001+02:00' }),
    ),
    post('lease of no time', leases, lease('none', { renewTime: 'soon' })),
    post('lease of no day', leases, lease('day', { renewTime: '2026-13-45T03:04:05Z' })),
    post(
      'lease of less than nothing',
      leases,
      lease('less', { leaseDurationSeconds: -1, leaseTransitions: -5 }),
    ),
    post(
      'lease by a strategy',
      leases,
      lease('strategy', { strategy: 'Odd', preferredHolder: 'x' }),
    ),
    patch('lease without a holder', `${leases}/one`, {
      spec: { holderIdentity: '', leaseDurationSeconds: 0 },
    }),
  ];
}

export function scalerSteps(): Step[] {
  const space = 'used-scalers';
  const v1 = `${below('autoscaling/v1', space)}/horizontalpodautoscalers`;
  const v2 = `${below('autoscaling/v2', space)}/horizontalpodautoscalers`;
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' };
  const metric = {
    type: 'Pods',
    pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '5' } },
  };
  const cpu = {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
  };
  return [
    ...place(space),
    post('new', v2, {
      metadata: { name: 'a' },
      spec: {
        scaleTargetRef,
        maxReplicas: 5,
        metrics: [cpu, metric],
        behavior: {
          scaleDown: {
            stabilizationWindowSeconds: 5,
            policies: [{ type: 'Pods', value: 1, periodSeconds: 5 }],
          },
        },
      },
    }),
    get('new by the old', `${v1}/a`),
    patch('changed by the old', `${v1}/a`, { spec: { targetCPUUtilizationPercentage: 70 } }),
    get('changed by the old, seen by the new', `${v2}/a`),
    patch('annotation of metrics', `${v1}/a`, {
      metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/metrics': '[]' } },
    }),
    get('without metrics', `${v2}/a`),
    patch('odd annotation', `${v1}/a`, {
      metadata: { annotations: { 'autoscaling.alpha.kubernetes.io/behavior': 'odd' } },
    }),
    post('old', v1, { metadata: { name: 'b' }, spec: { scaleTargetRef, maxReplicas: 5 } }),
    get('old by the new', `${v2}/b`),
    patch('status of the new', `${v2}/b/status`, {
      status: {
        currentMetrics: [
          { type: 'Pods', pods: { metric: { name: 'm' }, current: { averageValue: '5' } } },
        ],
        conditions: [{ type: 'AbleToScale', status: 'True' }],
        currentReplicas: 1,
        desiredReplicas: 2,
      },
    }),
    get('status by the old', `${v1}/b`),
    patch(
      'applied by the old',
      `${v1}/b?fieldManager=m`,
      {
        apiVersion: 'autoscaling/v1',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'b' },
        spec: { minReplicas: 2, maxReplicas: 5, scaleTargetRef },
      },
      'apply',
    ),
    patch(
      'applied by the new',
      `${v2}/b?fieldManager=m`,
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'b' },
        spec: { minReplicas: 3, maxReplicas: 5, scaleTargetRef },
      },
      'apply',
    ),
    post('odd', v2, {
      metadata: { name: 'c' },
      spec: {
        scaleTargetRef: {},
        minReplicas: 0,
        maxReplicas: 0,
        metrics: [{ type: 'Odd' }, { type: 'Pods' }, { ...metric, resource: cpu.resource }],
      },
    }),
    post('odd behaviour', v2, {
      metadata: { name: 'd' },
      spec: {
        scaleTargetRef,
        maxReplicas: 2,
        behavior: {
          scaleUp: {
            stabilizationWindowSeconds: 9999,
            selectPolicy: 'Odd',
            policies: [{ type: 'Odd', value: 0, periodSeconds: 9999 }],
          },
          scaleDown: { policies: [] },
        },
      },
    }),
    ...targetSteps(v1, v2),
    quiet(put('left', `${v2}/b`, {})),
  ];
}

/** Whom a scaler scales: of the core only one kind. */
function targetSteps(v1: string, v2: string): Step[] {
  const scales = (kind: string, apiVersion?: string): Json => ({
    scaleTargetRef: { kind, name: 'a', ...(apiVersion === undefined ? {} : { apiVersion }) },
    maxReplicas: 2,
  });
  const scaler = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
  return [
    post('of a controller of the core', v2, scaler('e', scales('ReplicationController', 'v1'))),
    post('of one by the old', v1, scaler('f', scales('ReplicationController', 'v1'))),
    post('of one without a version', v2, scaler('g', scales('ReplicationController'))),
    post('of one by a long version', v2, scaler('h', scales('ReplicationController', 'a/b/c'))),
    post('of another of the core', v2, scaler('i', scales('Pod', 'v1'))),
    post('of another without a version', v2, scaler('j', scales('Deployment'))),
    patch('another target', `${v2}/g`, { spec: scales('Deployment') }),
    patch('the same target', `${v2}/g`, { spec: { maxReplicas: 3 } }),
  ];
}

export const ruleScenes = {
  quotas: quotaSteps,
  roles: roleChangeSteps,
  networks: networkSteps,
  scalers: scalerSteps,
};
