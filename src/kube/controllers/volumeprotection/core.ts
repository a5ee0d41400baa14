// Claims, volumes and their classes stay while somebody uses them: the finalizer that admission gave them
// goes when they are deleted and nobody does any more. Bound claims say since when nobody does. Pure.
import type { Decision } from '#kube/controllers/effects.ts';
import { nothing } from '#kube/controllers/effects.ts';
import { isPodOver } from '#kube/controllers/pod-facts.ts';
import type { GroupVersionResource, KubeObject } from '#kube/meta/object.ts';

interface Volume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly ephemeral?: object;
}

const UNUSED = 'Unused';

/** The index of pods by the claims that they name. */
export const byClaim = 'claim';

/** Claims that a pod names, as namespace/name; those that are made for it included. */
export function claimsOfPod(pod: KubeObject): string[] {
  const { namespace = '', name = '' } = pod.metadata;
  const claims = ((pod['spec']?.volumes ?? []) as readonly Volume[]).map((volume) =>
    volume.ephemeral === undefined
      ? volume.persistentVolumeClaim?.claimName
      : `${name}-${volume.name}`,
  );
  return claims.filter((one) => one !== undefined).map((claim) => `${namespace}/${claim}`);
}

/** A pod that has no node yet is not started any more with a claim that is going. */
export function isClaimUsed(pods: readonly KubeObject[]): boolean {
  return pods.some((pod) => (pod['spec']?.nodeName ?? '') !== '');
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

/** The claim with the condition `Unused` as it is now; undefined when it says so, or is not bound. */
export function toldUnused(
  claim: KubeObject,
  pods: readonly KubeObject[],
  now: string,
): KubeObject | undefined {
  const status = (claim['status'] ?? {}) as { phase?: string; conditions?: readonly Condition[] };
  // Before that the binder writes it.
  if (claim.metadata.deletionTimestamp !== undefined || status.phase !== 'Bound') return undefined;
  const isUnused = pods.every(isPodOver);
  const [is, reason, message] = isUnused
    ? ['True', 'NoPodsUsingPVC', 'No pods are currently referencing this PVC']
    : ['False', 'PodUsingPVC', 'A pod is currently referencing this PVC'];
  const { conditions = [] } = status;
  const index = conditions.findIndex(({ type }) => type === UNUSED);
  if (conditions[index]?.status === is) return undefined;
  const own = { type: UNUSED, status: is, lastTransitionTime: now, reason, message };
  const next = index < 0 ? [...conditions, own] : conditions.with(index, own);
  return { ...claim, status: { ...status, conditions: next } };
}

export function isVolumeUsed(volume: KubeObject): boolean {
  return volume['status']?.phase === 'Bound';
}

/** Classes that a claim or volume has, had or is to have. */
export function classesOf(object: KubeObject): string[] {
  const [spec, status] = [object['spec'] ?? {}, object['status'] ?? {}];
  const all: unknown[] = [
    spec['volumeAttributesClassName'],
    status['currentVolumeAttributesClassName'],
    status['modifyVolumeStatus']?.targetVolumeAttributesClassName,
  ];
  return all.filter((one): one is string => typeof one === 'string' && one !== '');
}

export function protect(
  resource: GroupVersionResource,
  finalizer: string,
  object: KubeObject,
  isUsed: () => boolean,
): Decision {
  const { finalizers = [], deletionTimestamp } = object.metadata;
  const isProtected = finalizers.includes(finalizer);
  const isGoing = deletionTimestamp !== undefined;
  if (isGoing !== isProtected || (isGoing && isUsed())) return nothing;
  const next = isGoing ? finalizers.filter((one) => one !== finalizer) : [...finalizers, finalizer];
  const changed = { ...object, metadata: { ...object.metadata, finalizers: next } };
  return { effects: [{ kind: 'update', resource, object: changed }] };
}
