// Decides what the garbage collector does with one object: deletes it when all its owners are gone,
// takes references to gone owners off, lets owners go that have waited for what they own. Pure.
import type { Decision, Effect } from '#kube/controllers/effects.ts';
import { nothing } from '#kube/controllers/effects.ts';
import type { OwnerReference } from '#kube/meta/object.ts';
import {
  FOREGROUND,
  isGoing,
  isWaiting,
  ORPHAN,
  ownersOf,
  type GraphNode,
  type OwnerGraph,
} from './graph.ts';

/** How an owner stands, as the graph or the server says. */
export type Standing = 'solid' | 'absent' | 'waiting';

function withoutFinalizer(node: GraphNode, finalizer: string): Effect {
  const { uid, resourceVersion, finalizers = [] } = node.object.metadata;
  const left = finalizers.filter((one) => one !== finalizer);
  const metadata = { uid, resourceVersion, finalizers: left.length === 0 ? null : left };
  return {
    kind: 'patch',
    resource: node.resource,
    object: node.object,
    type: 'merge',
    patch: { metadata },
  };
}

function withOwners(node: GraphNode, owners: readonly OwnerReference[]): Effect {
  const { uid, resourceVersion } = node.object.metadata;
  const metadata = { uid, resourceVersion, ownerReferences: owners.length === 0 ? null : owners };
  return {
    kind: 'patch',
    resource: node.resource,
    object: node.object,
    type: 'merge',
    patch: { metadata },
  };
}

/** An owner that goes, and is held until its dependents are gone, or free. */
export function settleOwner(node: GraphNode, graph: OwnerGraph): Decision {
  const { uid = '' } = node.object.metadata;
  const dependents = graph.dependentsOf(uid);
  if (isWaiting(node, ORPHAN)) {
    const freed = dependents.map((one) =>
      withOwners(
        one,
        ownersOf(one).filter((owner) => owner.uid !== uid),
      ),
    );
    return { effects: [...freed, withoutFinalizer(node, ORPHAN)] };
  }
  if (!isWaiting(node, FOREGROUND)) return nothing;
  const isBlocked = dependents.some((one) =>
    ownersOf(one).some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
  );
  return isBlocked ? nothing : { effects: [withoutFinalizer(node, FOREGROUND)] };
}

export function settleDependent(
  node: GraphNode,
  standings: ReadonlyMap<string, Standing>,
  graph: OwnerGraph,
): Decision {
  const owners = ownersOf(node);
  if (isGoing(node) || owners.length === 0) return nothing;
  const standing = (owner: OwnerReference): Standing => standings.get(owner.uid) ?? 'solid';
  const solid = owners.filter((owner) => standing(owner) === 'solid');
  if (solid.length > 0) {
    return solid.length === owners.length ? nothing : { effects: [withOwners(node, solid)] };
  }
  const { uid = '', finalizers = [] } = node.object.metadata;
  const isWaitedFor = owners.some((owner) => standing(owner) === 'waiting');
  const dependents = graph.dependentsOf(uid);
  const hasDependents = dependents.length > 0;
  let propagationPolicy: 'Background' | 'Foreground' | 'Orphan' = 'Background';
  if (isWaitedFor && hasDependents) propagationPolicy = 'Foreground';
  else if (finalizers.includes(ORPHAN)) propagationPolicy = 'Orphan';
  else if (finalizers.includes(FOREGROUND)) propagationPolicy = 'Foreground';
  const { resource, object } = node;
  const effects: Effect[] = [{ kind: 'delete', resource, object, propagationPolicy }];
  // What waits for this one may itself be waited for by it: nobody in such a circle would ever go.
  if (isWaitedFor && dependents.some((one) => isWaiting(one, FOREGROUND))) {
    const unblocked = owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    if (owners.some((owner) => owner.blockOwnerDeletion === true)) {
      effects.unshift(withOwners(node, unblocked));
    }
  }
  return { effects };
}
