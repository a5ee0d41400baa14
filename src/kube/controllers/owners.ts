// Who owns what: the reference that a controller puts on what it makes, and which objects it claims,
// takes over or lets go by its selector.
import type { GroupVersionResource, KubeObject, OwnerReference } from '#kube/meta/object.ts';
import { matchesLabels, type LabelSelector } from '#kube/meta/selectors.ts';
import type { Effect } from './effects.ts';

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((one) => one.controller === true);
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

export function ownerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export interface Claim {
  readonly mine: readonly KubeObject[];
  /** Taking over and letting go; what is taken over is not yet among `mine`. */
  readonly effects: readonly Effect[];
}

export interface ClaimRequest {
  readonly owner: KubeObject;
  readonly selector: LabelSelector;
  readonly resource: GroupVersionResource;
  readonly candidates: readonly KubeObject[];
  readonly mayAdopt?: ((candidate: KubeObject) => boolean) | undefined;
}

/**
 * An object with the owner's reference is its; one without any controller that the selector matches is
 * taken over; one that the selector no longer matches is let go. An owner that goes takes nothing.
 */
export function claim(request: ClaimRequest): Claim {
  const { owner, selector, resource, candidates, mayAdopt } = request;
  const isGoing = owner.metadata.deletionTimestamp !== undefined;
  const mine: KubeObject[] = [];
  const effects: Effect[] = [];
  for (const candidate of candidates) {
    if (candidate.metadata.namespace !== owner.metadata.namespace) continue;
    const controller = controllerOf(candidate);
    const isMatching = matchesLabels(selector, candidate.metadata.labels);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (isMatching || isGoing) mine.push(candidate);
      else effects.push(release(resource, candidate, owner));
      continue;
    }
    if (!isMatching || isGoing || candidate.metadata.deletionTimestamp !== undefined) continue;
    if (mayAdopt?.(candidate) === false) continue;
    effects.push(adoption(resource, candidate, owner));
  }
  return { mine, effects };
}

function adoption(resource: GroupVersionResource, object: KubeObject, owner: KubeObject): Effect {
  const { uid, ownerReferences = [] } = object.metadata;
  const others = ownerReferences.filter((one) => one.uid !== owner.metadata.uid);
  const metadata = { uid, ownerReferences: [...others, ownerReference(owner)] };
  return { kind: 'patch', resource, object, type: 'merge', patch: { metadata } };
}

function release(resource: GroupVersionResource, object: KubeObject, owner: KubeObject): Effect {
  const { uid, ownerReferences = [] } = object.metadata;
  const others = ownerReferences.filter((one) => one.uid !== owner.metadata.uid);
  const metadata = { uid, ownerReferences: others.length === 0 ? null : others };
  return { kind: 'patch', resource, object, type: 'merge', patch: { metadata } };
}
