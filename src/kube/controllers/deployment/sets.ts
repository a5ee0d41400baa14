// A Deployment's ReplicaSets: which is its own now, sizes, revisions and the annotations that carry
// them. Pure.
import { same } from '#base/same.ts';
import { scaledValue } from '#kube/controllers/intstr.ts';
import { ownerReference } from '#kube/controllers/owners.ts';
import { normalTemplate, templateHash } from '#kube/controllers/template-hash.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED = 'deployment.kubernetes.io/desired-replicas';
export const MAX = 'deployment.kubernetes.io/max-replicas';

/** These describe one object and are not handed down. */
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  HISTORY,
  DESIRED,
  MAX,
  'deprecated.deployment.rollback.to',
]);

export interface Bounds {
  readonly wanted: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

export function boundsOf(deployment: KubeObject): Bounds {
  const { replicas, strategy = {} } = deployment['spec'];
  const wanted = Number(replicas ?? 1);
  if (strategy.type === 'Recreate') return { wanted, maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = '25%', maxUnavailable = '25%' } = strategy.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, wanted, 'up');
  const unavailable = scaledValue(maxUnavailable, wanted, 'down');
  // Both zero would never move; and no more than there is can be unavailable.
  const least = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { wanted, maxSurge: surge, maxUnavailable: Math.min(wanted, least) };
}

export function replicasOf(set: KubeObject): number {
  return Number(set['spec']?.replicas ?? 1);
}

export function availableOf(set: KubeObject): number {
  return Number(set['status']?.availableReplicas ?? 0);
}

export function sum(sets: readonly KubeObject[], of: (set: KubeObject) => number): number {
  return sets.reduce((total, set) => total + of(set), 0);
}

/** A 64-bit number; 0 of what has none, or no number. */
export function revisionOf(object: KubeObject): bigint {
  const text = object.metadata.annotations?.[REVISION] ?? '';
  return /^[+-]?\d+$/.test(text) ? BigInt(text.replace('+', '')) : 0n;
}

export function oldestFirst(a: KubeObject, b: KubeObject): number {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (x !== y) return x < y ? -1 : 1;
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}

/** The template as it is compared: without the set's own label. */
function withoutHash(template: KubeObject): unknown {
  const { [HASH_LABEL]: _hash, ...labels } = template.metadata?.labels ?? {};
  return normalTemplate({ ...template, metadata: { ...template.metadata, labels } });
}

/** The set with the deployment's present template; of several the oldest. */
export function findNewSet(
  deployment: KubeObject,
  sets: readonly KubeObject[],
): KubeObject | undefined {
  const wanted = withoutHash(deployment['spec'].template);
  return sets.toSorted(oldestFirst).find((set) => same(withoutHash(set['spec'].template), wanted));
}

export function sizeAnnotations({ wanted, maxSurge }: Bounds): Record<string, string> {
  return { [DESIRED]: String(wanted), [MAX]: String(wanted + maxSurge) };
}

/** Set annotations as they should be; the same object when they are. */
export function annotationsFor(
  deployment: KubeObject,
  set: KubeObject,
  revision: bigint,
): Record<string, string> {
  const old = set.metadata.annotations ?? {};
  const next: Record<string, string> = { ...old };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!ownAnnotations.has(key)) next[key] = value;
  }
  const before = revisionOf(set);
  if (before < revision) {
    next[REVISION] = String(revision);
    // A template that comes back keeps the numbers it had.
    if (before > 0n) {
      const history = (old[HISTORY] ?? '').split(',').filter((one) => one !== '');
      next[HISTORY] = [...history, String(before)].join(',');
    }
  }
  return next;
}

export function newSet(
  deployment: KubeObject,
  of: { replicas: number; revision: bigint },
): KubeObject {
  const { spec } = { spec: deployment['spec'] };
  const { name, namespace, annotations } = deployment.metadata;
  const collisions = Number(deployment['status']?.collisionCount ?? 0);
  const hash = templateHash(withoutHash(spec.template), collisions);
  const labels = { ...spec.template.metadata?.labels, [HASH_LABEL]: hash };
  const inherited = Object.entries(annotations ?? {}).filter(([key]) => !ownAnnotations.has(key));
  const matchLabels = { ...spec.selector.matchLabels, [HASH_LABEL]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: {
        ...Object.fromEntries(inherited),
        [REVISION]: String(of.revision),
        ...sizeAnnotations(boundsOf(deployment)),
      },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: of.replicas,
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector: { ...spec.selector, matchLabels },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
}
