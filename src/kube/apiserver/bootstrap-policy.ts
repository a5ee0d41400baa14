// The roles and bindings that every cluster has from the start: upstream's of v1.37
// (bootstrap-components.json), and what our own scheduler and controllers need beyond theirs.
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

export const bootstrapRoles: readonly KubeObject[] = [
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
];

/** Objects beside RBAC that a cluster starts with. */
interface ComponentPolicy {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** Upstream's own, each controller's of kube-controller-manager included. */
export const componentPolicies: readonly KubeObject[] = (
  components as readonly ComponentPolicy[]
).map((one) => ({
  apiVersion: RBAC,
  ...one,
  metadata: { ...one.metadata, labels: { ...labels, ...one.metadata.labels }, annotations },
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
