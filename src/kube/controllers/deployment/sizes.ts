// How large each ReplicaSet of a Deployment should be next: by a rolling update that stays within surge
// and availability, by recreation, or by sharing out a new size. Pure arithmetic.
import type { KubeObject } from '#kube/meta/object.ts';
import { availableOf, boundsOf, DESIRED, MAX, oldestFirst, replicasOf, sum } from './sets.ts';

export type Sizes = ReadonlyMap<KubeObject, number>;

export interface SetsOf {
  readonly deployment: KubeObject;
  readonly fresh: KubeObject | undefined;
  readonly old: readonly KubeObject[];
}

function all({ fresh, old }: SetsOf): readonly KubeObject[] {
  return fresh === undefined ? old : [fresh, ...old];
}

/** What the new set may have now, when it has `current`. */
export function newReplicas(sets: SetsOf, current: number): number {
  const { deployment } = sets;
  const { wanted, maxSurge } = boundsOf(deployment);
  if (deployment['spec'].strategy?.type === 'Recreate') return wanted;
  if (current >= wanted) return wanted;
  const room = wanted + maxSurge - sum(all(sets), replicasOf);
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** Either the new set grows (or shrinks to its size), or the old ones shrink: never both from one look. */
export function rollingSizes(sets: SetsOf): Sizes {
  const { fresh, old } = sets;
  if (fresh !== undefined) {
    const size = newReplicas(sets, replicasOf(fresh));
    if (size !== replicasOf(fresh)) return new Map([[fresh, size]]);
  }
  return shrunk(sets, old);
}

function shrunk({ deployment, fresh, old }: SetsOf, olds: readonly KubeObject[]): Sizes {
  const sizes = new Map<KubeObject, number>();
  const { wanted, maxUnavailable } = boundsOf(deployment);
  const oldTotal = sum(olds, replicasOf);
  if (oldTotal === 0) return sizes;
  const least = wanted - maxUnavailable;
  const freshSize = fresh === undefined ? 0 : replicasOf(fresh);
  const freshAvailable = fresh === undefined ? 0 : availableOf(fresh);
  // What is new and not yet available may still fail: it is not counted on.
  const most = oldTotal + freshSize - least - (freshSize - freshAvailable);
  if (most <= 0) return sizes;
  const ordered = olds.toSorted(oldestFirst);
  let cut = 0;
  for (const set of ordered) {
    const unhealthy = Math.max(0, replicasOf(set) - availableOf(set));
    const here = Math.min(most - cut, unhealthy);
    if (here <= 0) continue;
    cut += here;
    sizes.set(set, replicasOf(set) - here);
  }
  const available = sum(old, availableOf) + freshAvailable;
  let spare = available - least;
  for (const set of ordered) {
    if (spare <= 0) break;
    const size = sizes.get(set) ?? replicasOf(set);
    const here = Math.min(size, spare);
    if (here <= 0) continue;
    spare -= here;
    sizes.set(set, size - here);
  }
  return sizes;
}

/** Has its size changed since the sets were last sized? */
export function isResized(sets: SetsOf): boolean {
  const { wanted } = boundsOf(sets.deployment);
  return all(sets).some((set) => {
    const desired = set.metadata.annotations?.[DESIRED];
    return replicasOf(set) > 0 && desired !== undefined && Number(desired) !== wanted;
  });
}

function activeOrLatest(sets: SetsOf): KubeObject | undefined {
  const active = all(sets).filter((set) => replicasOf(set) > 0);
  if (active.length > 1) return undefined;
  return active[0] ?? sets.fresh ?? sets.old.toSorted(oldestFirst).at(-1);
}

function isSaturated(deployment: KubeObject, set: KubeObject | undefined): boolean {
  if (set === undefined) return false;
  const { wanted } = boundsOf(deployment);
  const desired = Number(set.metadata.annotations?.[DESIRED] ?? -1);
  return replicasOf(set) === wanted && desired === wanted && availableOf(set) === wanted;
}

/** What a change of size alone does: each set keeps its share, the rest goes to the largest. */
export function scalingSizes(sets: SetsOf): Sizes {
  const { deployment, fresh, old } = sets;
  const { wanted, maxSurge } = boundsOf(deployment);
  const only = activeOrLatest(sets);
  if (only !== undefined) return new Map([[only, wanted]]);
  if (isSaturated(deployment, fresh)) {
    return new Map(old.filter((set) => replicasOf(set) > 0).map((set) => [set, 0]));
  }
  if (deployment['spec'].strategy?.type === 'Recreate') return new Map();
  const active = all(sets).filter((set) => replicasOf(set) > 0);
  const allowed = wanted > 0 ? wanted + maxSurge : 0;
  const toAdd = allowed - sum(active, replicasOf);
  // Upwards the newer of equals first, downwards the older.
  const ordered = active.toSorted(
    (a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? oldestFirst(b, a) : oldestFirst(a, b)),
  );
  const sizes = new Map<KubeObject, number>();
  let added = 0;
  for (const set of ordered) {
    const share = toAdd === 0 ? 0 : shareOf(deployment, set, { toAdd, added });
    sizes.set(set, Math.max(0, replicasOf(set) + share));
    added += share;
  }
  const [largest] = ordered;
  if (largest !== undefined && toAdd !== added) {
    sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + toAdd - added));
  }
  return sizes;
}

function shareOf(
  deployment: KubeObject,
  set: KubeObject,
  { toAdd, added }: { toAdd: number; added: number },
): number {
  const { wanted, maxSurge } = boundsOf(deployment);
  const size = replicasOf(set);
  const left = toAdd - added;
  if (size === 0 || left === 0) return 0;
  const before = Number(set.metadata.annotations?.[MAX] ?? deployment['status']?.replicas ?? 0);
  const grown = before === 0 ? size : Math.round((size * (wanted + maxSurge)) / before);
  const share = wanted === 0 ? -size : grown - size;
  return toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
}
