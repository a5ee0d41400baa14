// What claims and volumes say of each other, and which volume is the best for a claim: for the binder
// (kubernetes v1.37, component-helpers/storage/volume). Pure.
import type { KubeObject } from '#kube/meta/object.ts';
import { compareQuantities } from '#kube/meta/quantity.ts';
import {
  labelSelectorFromObject,
  matchesLabels,
  type LabelSelectorObject,
} from '#kube/meta/selectors.ts';

export const bindCompleted = 'pv.kubernetes.io/bind-completed';
export const boundByController = 'pv.kubernetes.io/bound-by-controller';
export const provisionedBy = 'pv.kubernetes.io/provisioned-by';
export const selectedNode = 'volume.kubernetes.io/selected-node';

const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';

export interface ClaimRef {
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
}

export function annotation(object: KubeObject, name: string): string | undefined {
  return object.metadata.annotations?.[name];
}

export function phaseOf(object: KubeObject): string {
  return object['status']?.phase ?? '';
}

/** The claim that a volume is given to, or kept for. */
export function claimRefOf(volume: KubeObject): ClaimRef | undefined {
  return volume['spec'].claimRef as ClaimRef | undefined;
}

export function keyOfRef({ namespace = '', name = '' }: ClaimRef): string {
  return `${namespace}/${name}`;
}

/** The name of the volume that a claim wants or has; empty: any. */
export function volumeNameOf(claim: KubeObject): string {
  return claim['spec'].volumeName ?? '';
}

export function isClaimBound(claim: KubeObject): boolean {
  return annotation(claim, bindCompleted) !== undefined;
}

export function hasClass(claim: KubeObject): boolean {
  return (
    annotation(claim, BETA_CLASS) !== undefined || claim['spec'].storageClassName !== undefined
  );
}

/** Of a claim or a volume. */
export function classNameOf(object: KubeObject): string {
  return annotation(object, BETA_CLASS) ?? object['spec'].storageClassName ?? '';
}

export function attributesClassOf(object: KubeObject): string {
  return object['spec'].volumeAttributesClassName ?? '';
}

export function capacityOf(volume: KubeObject): string {
  return volume['spec'].capacity?.storage ?? '0';
}

function requestOf(claim: KubeObject): string {
  return claim['spec'].resources?.requests?.storage ?? '0';
}

function modesOf(object: KubeObject): readonly string[] {
  return (object['spec'].accessModes ?? []) as string[];
}

export function hasOtherMode(claim: KubeObject, volume: KubeObject): boolean {
  const [wanted, own] = [claim, volume].map((one) => one['spec'].volumeMode ?? 'Filesystem');
  return wanted !== own;
}

function hasAllModes(volume: KubeObject, claim: KubeObject): boolean {
  const own = modesOf(volume);
  return modesOf(claim).every((mode) => own.includes(mode));
}

/** Given to this claim, or kept for whoever has its name. */
export function isVolumeOf(volume: KubeObject, claim: KubeObject): boolean {
  const ref = claimRefOf(volume);
  if (ref === undefined) return false;
  const { namespace, name, uid } = claim.metadata;
  if (ref.namespace !== namespace || ref.name !== name) return false;
  return (ref.uid ?? '') === '' || ref.uid === uid;
}

/** Why the claim cannot have the volume that it names. */
export function mismatch(volume: KubeObject, claim: KubeObject): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined) {
    return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`;
  }
  if (compareQuantities(capacityOf(volume), requestOf(claim)) < 0) {
    return 'requested PV is too small';
  }
  if (classNameOf(volume) !== classNameOf(claim)) return 'storageClassName does not match';
  if (attributesClassOf(volume) !== attributesClassOf(claim)) {
    return 'volumeAttributesClassName does not match';
  }
  if (hasOtherMode(claim, volume)) return 'incompatible volumeMode';
  return hasAllModes(volume, claim) ? undefined : 'incompatible accessMode';
}

function isFitting(volume: KubeObject, claim: KubeObject): boolean {
  const isOthers = claimRefOf(volume) !== undefined && !isVolumeOf(volume, claim);
  if (isOthers || volume.metadata.deletionTimestamp !== undefined) return false;
  if (compareQuantities(capacityOf(volume), requestOf(claim)) < 0) return false;
  if (hasOtherMode(claim, volume)) return false;
  return attributesClassOf(claim) === attributesClassOf(volume) && hasAllModes(volume, claim);
}

function isFree(volume: KubeObject, claim: KubeObject): boolean {
  if (phaseOf(volume) !== 'Available' || classNameOf(volume) !== classNameOf(claim)) return false;
  const selector = labelSelectorFromObject(claim['spec'].selector as LabelSelectorObject);
  return selector === undefined || matchesLabels(selector, volume.metadata.labels);
}

/** Fewest access modes first, then what is the claim's already, then the smallest. */
function isBetter(a: KubeObject, b: KubeObject, claim: KubeObject): boolean {
  const [x, y] = [a, b].map((one) => [...new Set(modesOf(one))].toSorted());
  if (x === undefined || y === undefined) return false;
  if (x.length !== y.length) return x.length < y.length;
  const [modesX, modesY] = [x.join(), y.join()];
  if (modesX !== modesY) return modesX < modesY;
  const isOwn = isVolumeOf(a, claim);
  if (isOwn !== isVolumeOf(b, claim)) return isOwn;
  const bySize = compareQuantities(capacityOf(a), capacityOf(b));
  // Upstream takes any one of those that are alike.
  return bySize === 0 ? (a.metadata.name ?? '') < (b.metadata.name ?? '') : bySize < 0;
}

/** With a delay only what is the claim's already: a scheduler chooses among the others. */
export function bestVolume(
  claim: KubeObject,
  volumes: Iterable<KubeObject>,
  isDelayed: boolean,
): KubeObject | undefined {
  let best: KubeObject | undefined;
  for (const volume of volumes) {
    if (!isFitting(volume, claim)) continue;
    const isOwn = isVolumeOf(volume, claim);
    if (!isOwn && (isDelayed || !isFree(volume, claim))) continue;
    if (best === undefined || isBetter(volume, best, claim)) best = volume;
  }
  return best;
}
