// The roles and bindings that every cluster has from the start (upstream's bootstrap policy, in the
// parts that components and users of this version rely on).
import type { KubeObject } from '#kube/meta/object.ts';
import components from './bootstrap-components.json' with { type: 'json' };

const RBAC = 'rbac.authorization.k8s.io/v1';
const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' };

interface Rule {
  readonly verbs: string[];
  readonly apiGroups?: string[];
  readonly resources?: string[];
  readonly resourceNames?: string[];
  readonly nonResourceURLs?: string[];
}

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];

function rule(groups: string[], resources: string[], verbs: string[]): Rule {
  return { apiGroups: groups, resources, verbs };
}

function clusterRole(name: string, rules: Rule[], extra: Record<string, string> = {}): KubeObject {
  return {
    apiVersion: RBAC,
    kind: 'ClusterRole',
    metadata: { name, labels: { ...labels, ...extra }, annotations },
    rules,
  };
}

function clusterBinding(
  name: string,
  role: string,
  subjects: { kind: string; name: string; namespace?: string }[],
): KubeObject {
  return {
    apiVersion: RBAC,
    kind: 'ClusterRoleBinding',
    metadata: { name, labels, annotations },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: subjects.map((one) =>
      one.kind === 'ServiceAccount' ? one : { ...one, apiGroup: 'rbac.authorization.k8s.io' },
    ),
  };
}

const viewed: Rule[] = [
  rule(
    [''],
    [
      'configmaps',
      'endpoints',
      'persistentvolumeclaims',
      'persistentvolumeclaims/status',
      'pods',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'serviceaccounts',
      'services',
      'services/status',
    ],
    read,
  ),
  rule(
    [''],
    [
      'bindings',
      'events',
      'limitranges',
      'namespaces/status',
      'pods/log',
      'pods/status',
      'replicationcontrollers/status',
      'resourcequotas',
      'resourcequotas/status',
    ],
    read,
  ),
  rule([''], ['namespaces'], read),
  rule(['discovery.k8s.io'], ['endpointslices'], read),
  rule(
    ['apps'],
    [
      'controllerrevisions',
      'daemonsets',
      'daemonsets/status',
      'deployments',
      'deployments/scale',
      'deployments/status',
      'replicasets',
      'replicasets/scale',
      'replicasets/status',
      'statefulsets',
      'statefulsets/scale',
      'statefulsets/status',
    ],
    read,
  ),
  rule(['autoscaling'], ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'], read),
  rule(['batch'], ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'], read),
  rule(['policy'], ['poddisruptionbudgets', 'poddisruptionbudgets/status'], read),
  rule(['networking.k8s.io'], ['ingresses', 'ingresses/status', 'networkpolicies'], read),
];

const edited: Rule[] = [
  rule(
    [''],
    ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'],
    read,
  ),
  rule([''], ['serviceaccounts'], ['impersonate']),
  rule([''], ['pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'], write),
  rule([''], ['pods/eviction'], ['create']),
  rule(
    [''],
    [
      'configmaps',
      'events',
      'persistentvolumeclaims',
      'replicationcontrollers',
      'replicationcontrollers/scale',
      'secrets',
      'serviceaccounts',
      'services',
      'services/proxy',
    ],
    write,
  ),
  rule([''], ['serviceaccounts/token'], ['create']),
  rule(
    ['apps'],
    [
      'daemonsets',
      'deployments',
      'deployments/rollback',
      'deployments/scale',
      'replicasets',
      'replicasets/scale',
      'statefulsets',
      'statefulsets/scale',
    ],
    write,
  ),
  rule(['autoscaling'], ['horizontalpodautoscalers'], write),
  rule(['batch'], ['cronjobs', 'jobs'], write),
  rule(['policy'], ['poddisruptionbudgets'], write),
  rule(['networking.k8s.io'], ['ingresses', 'networkpolicies'], write),
  rule(['coordination.k8s.io'], ['leases'], [...read, ...write]),
];

const administered: Rule[] = [
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews'], ['create']),
  rule(['rbac.authorization.k8s.io'], ['rolebindings', 'roles'], [...read, ...write]),
];

const discovery = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
];

export const bootstrapRoles: readonly KubeObject[] = [
  clusterRole('cluster-admin', [
    rule(['*'], ['*'], ['*']),
    { nonResourceURLs: ['*'], verbs: ['*'] },
  ]),
  clusterRole('view', viewed, { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' }),
  clusterRole('edit', [...edited, ...viewed], {
    'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
  }),
  clusterRole('admin', [...administered, ...edited, ...viewed]),
  clusterRole('system:discovery', [{ nonResourceURLs: discovery, verbs: ['get'] }]),
  clusterRole('system:basic-user', [
    rule(
      ['authorization.k8s.io'],
      ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
      ['create'],
    ),
    rule(['authentication.k8s.io'], ['selfsubjectreviews'], ['create']),
  ]),
  clusterRole('system:public-info-viewer', [
    { nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'], verbs: ['get'] },
  ]),
  clusterRole('system:monitoring', [
    {
      nonResourceURLs: [
        '/healthz',
        '/healthz/*',
        '/livez',
        '/livez/*',
        '/metrics',
        '/metrics/slis',
        '/readyz',
        '/readyz/*',
      ],
      verbs: ['get'],
    },
  ]),
  clusterRole('system:auth-delegator', [
    rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
    rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create']),
  ]),
  clusterRole('system:kube-controller-manager', [
    rule(['*'], ['*'], ['*']),
    { nonResourceURLs: ['*'], verbs: ['get'] },
  ]),
  clusterRole('system:kube-scheduler', [
    rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
    rule([''], ['nodes', 'nodes/status'], [...read, ...write]),
    rule([''], ['pods'], [...read, 'delete', 'patch']),
    rule([''], ['bindings', 'pods/binding'], ['create']),
    rule([''], ['pods/status'], ['patch', 'update']),
    rule(['coordination.k8s.io'], ['leases'], [...read, ...write]),
    rule(
      ['', 'apps', 'policy', 'storage.k8s.io'],
      [
        'namespaces',
        'services',
        'replicasets',
        'statefulsets',
        'poddisruptionbudgets',
        'persistentvolumes',
        'persistentvolumeclaims',
        'storageclasses',
        'csinodes',
      ],
      read,
    ),
  ]),
  clusterRole('system:node', [
    rule(
      [''],
      [
        'services',
        'nodes',
        'configmaps',
        'secrets',
        'persistentvolumes',
        'persistentvolumeclaims',
        'namespaces',
        'serviceaccounts',
      ],
      read,
    ),
    rule([''], ['nodes', 'nodes/status'], ['create', 'patch', 'update']),
    rule([''], ['pods'], [...read, 'create', 'delete']),
    rule([''], ['pods/status'], ['patch', 'update']),
    rule([''], ['pods/eviction'], ['create']),
    rule([''], ['serviceaccounts/token'], ['create']),
    rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
    rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
    rule(
      ['authorization.k8s.io'],
      ['localsubjectaccessreviews', 'subjectaccessreviews'],
      ['create'],
    ),
    rule(['coordination.k8s.io'], ['leases'], [...read, ...write]),
    rule(['node.k8s.io'], ['runtimeclasses'], read),
  ]),
  clusterRole('system:kubelet-api-admin', [
    rule([''], ['nodes'], ['get', 'list', 'watch', 'proxy']),
    rule([''], ['nodes/log', 'nodes/metrics', 'nodes/proxy', 'nodes/stats'], ['*']),
  ]),
];

const group = (name: string) => ({ kind: 'Group', name });
const user = (name: string) => ({ kind: 'User', name });

export const bootstrapBindings: readonly KubeObject[] = [
  clusterBinding('cluster-admin', 'cluster-admin', [group('system:masters')]),
  clusterBinding('system:discovery', 'system:discovery', [group('system:authenticated')]),
  clusterBinding('system:basic-user', 'system:basic-user', [group('system:authenticated')]),
  clusterBinding('system:public-info-viewer', 'system:public-info-viewer', [
    group('system:authenticated'),
    group('system:unauthenticated'),
  ]),
  clusterBinding('system:monitoring', 'system:monitoring', [group('system:monitoring')]),
  clusterBinding('system:kube-controller-manager', 'system:kube-controller-manager', [
    user('system:kube-controller-manager'),
  ]),
  clusterBinding('system:kube-scheduler', 'system:kube-scheduler', [user('system:kube-scheduler')]),
  clusterBinding('system:node', 'system:node', [group('system:nodes')]),
];

/** Objects beside RBAC that a cluster starts with. */
interface ComponentPolicy {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** What the scheduler and each controller of kube-controller-manager v1.37 may do. */
export const componentPolicies: readonly KubeObject[] = (
  components as readonly ComponentPolicy[]
).map((one) => ({
  apiVersion: RBAC,
  ...one,
  metadata: { ...one.metadata, labels, annotations },
}));

export function bootstrapObjects(): KubeObject[] {
  const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
    spec: {},
  }));
  const priority = (name: string, value: number): KubeObject => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value,
    description: 'Used for system critical pods that must run in the cluster',
  });
  const runtime: KubeObject = {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'process' },
    handler: 'process',
  };
  return [
    ...namespaces,
    priority('system-node-critical', 2_000_001_000),
    priority('system-cluster-critical', 2_000_000_000),
    runtime,
  ];
}
