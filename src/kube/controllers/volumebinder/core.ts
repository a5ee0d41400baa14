// Which volume a claim gets, and what becomes of a volume whose claim is gone: what is written next, one write
// at a time (kubernetes v1.37, pkg/controller/volume/persistentvolume). Volumes are written before claims, so
// whatever is killed between two writes, the next look finishes it. Pure.
import { same } from '#base/same.ts';
import { persistentVolumeClaims, persistentVolumes } from '#kube/client/resources.ts';
import type { Effect } from '#kube/controllers/effects.ts';
import { compareQuantities, parseQuantity } from '#kube/meta/quantity.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import {
  annotation,
  bestVolume,
  bindCompleted,
  boundByController,
  capacityOf,
  claimRefOf,
  classNameOf,
  hasClass,
  hasOtherMode,
  isClaimBound,
  isVolumeOf,
  keyOfRef,
  mismatch,
  phaseOf,
  provisionedBy,
  selectedNode,
  volumeNameOf,
} from './claims.ts';
import {
  deletionFault,
  migratedClaim,
  migratedTo,
  migratedVolume,
  provisionerOf,
  provisioningFault,
  withProvisioner,
} from './plugins.ts';

const PRE_RESIZE = 'volume.alpha.kubernetes.io/pre-resize-capacity';

export interface World {
  volume(name: string): KubeObject | undefined;
  storageClass(name: string): KubeObject | undefined;
  /** The one that claims without a class get. */
  defaultClass(): KubeObject | undefined;
  /** All that could be the claim's, and maybe others. */
  candidates(claim: KubeObject): Iterable<KubeObject>;
  /** Names of pods that want the claim and have no node. */
  waitingPods(claim: KubeObject): readonly string[];
}

export type Event = Extract<Effect, { kind: 'event' }>;

export interface Step {
  readonly write?: KubeObject | undefined;
  readonly isStatus?: boolean | undefined;
  /** Told when the write is done. */
  readonly events?: readonly Event[] | undefined;
  /** There is more to be decided once the write is done. */
  readonly isMore?: boolean | undefined;
  /** A claim that is to be looked at because of this volume. */
  readonly claim?: string | undefined;
}

const nothing: Step = {};

const event = (
  about: KubeObject,
  type: Event['type'],
  reason: string,
  message: string,
): readonly Event[] => [{ kind: 'event', about, type, reason, message }];

function annotated(object: KubeObject, ...names: string[]): KubeObject {
  const annotations = { ...object.metadata.annotations };
  for (const name of names) annotations[name] ??= 'yes';
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function withSpec(object: KubeObject, changes: Readonly<Record<string, unknown>>): KubeObject {
  return { ...object, spec: { ...object['spec'], ...changes } };
}

function capacityInStatus(claim: KubeObject, volume: KubeObject): unknown {
  const before = claim['status']?.capacity as Record<string, string> | undefined;
  const resized = annotation(volume, PRE_RESIZE);
  if (resized !== undefined) {
    const storage = parseQuantity(resized) === undefined ? capacityOf(volume) : resized;
    return { ...before, storage };
  }
  const isSame =
    before?.['storage'] !== undefined &&
    compareQuantities(before['storage'], capacityOf(volume)) === 0;
  return isSame ? before : volume['spec'].capacity;
}

/** What the status says once the claim is in the phase; undefined when it says so. */
function statusIn(phase: string, claim: KubeObject, volume?: KubeObject): KubeObject | undefined {
  const before = (claim['status'] ?? {}) as Readonly<Record<string, unknown>>;
  const { accessModes: _modes, capacity, currentVolumeAttributesClassName, ...others } = before;
  let status: Record<string, unknown> = { ...others, phase };
  if (volume !== undefined) {
    const isNew = before['phase'] !== phase;
    const isBinding = before['phase'] === 'Pending' && phase === 'Bound';
    status = {
      ...status,
      accessModes: volume['spec'].accessModes,
      // Later differences are meant: a file system may be smaller than its device.
      capacity: isNew ? capacityInStatus(claim, volume) : capacity,
      currentVolumeAttributesClassName: isBinding
        ? volume['spec'].volumeAttributesClassName
        : currentVolumeAttributesClassName,
    };
  }
  const set = Object.entries(status).filter(([, value]) => value !== undefined);
  const next = Object.fromEntries(set);
  return same(next, before) ? undefined : { ...claim, status: next };
}

function inPhase(phase: string, claim: KubeObject, events: readonly Event[] = []): Step {
  return { write: statusIn(phase, claim), isStatus: true, events };
}

function lost(claim: KubeObject, reason: string, message: string): Step {
  if (phaseOf(claim) === 'Lost') return nothing;
  return inPhase('Lost', claim, event(claim, 'Warning', reason, message));
}

/** The next of four writes: volume, its status, claim, its status. */
function bind(volume: KubeObject, claim: KubeObject): Step {
  const isOwn = isVolumeOf(volume, claim);
  const { namespace, name, uid, resourceVersion } = claim.metadata;
  if (!isOwn || claimRefOf(volume)?.uid !== uid) {
    const claimRef = {
      kind: 'PersistentVolumeClaim',
      apiVersion: 'v1',
      namespace,
      name,
      uid,
      resourceVersion,
    };
    const given = withSpec(volume, { claimRef });
    return { write: isOwn ? given : annotated(given, boundByController), isMore: true };
  }
  if (phaseOf(volume) !== 'Bound') return volumeIn('Bound', volume);
  const volumeName = volume.metadata.name ?? '';
  if (volumeNameOf(claim) !== volumeName) {
    const given = withSpec(claim, { volumeName });
    return { write: annotated(given, boundByController, bindCompleted), isMore: true };
  }
  if (!isClaimBound(claim)) return { write: annotated(claim, bindCompleted), isMore: true };
  return { write: statusIn('Bound', claim, volume), isStatus: true };
}

function waiting(claim: KubeObject, pods: readonly string[]): readonly Event[] {
  if (pods.length === 0) {
    const message = 'waiting for first consumer to be created before binding';
    return event(claim, 'Normal', 'WaitForFirstConsumer', message);
  }
  const message = `waiting for pod${pods.length > 1 ? 's' : ''} ${pods.join(',')} to be scheduled`;
  return event(claim, 'Normal', 'WaitForPodScheduled', message);
}

function provision(claim: KubeObject, world: World): Step {
  const className = classNameOf(claim);
  const found = world.storageClass(className);
  const fault =
    found === undefined
      ? `storageclass.storage.k8s.io "${className}" not found`
      : provisioningFault(found);
  if (found === undefined || fault !== undefined) {
    return { events: event(claim, 'Warning', 'ProvisioningFailed', fault ?? '') };
  }
  const provisioner = provisionerOf(found);
  const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
  return {
    write: withProvisioner(claim, provisioner),
    events: event(claim, 'Normal', 'ExternalProvisioning', message),
  };
}

/** Whether the claim's class leaves the choice to whoever places its first pod. */
export function isDelayed(claim: KubeObject, world: Pick<World, 'storageClass'>): boolean {
  const className = classNameOf(claim);
  const found = className === '' ? undefined : world.storageClass(className);
  return found?.['volumeBindingMode'] === 'WaitForFirstConsumer';
}

function anyVolume(claim: KubeObject, world: World): Step {
  const mayWait = isDelayed(claim, world);
  const volume = bestVolume(claim, world.candidates(claim), mayWait);
  if (volume !== undefined) return bind(volume, claim);
  const storageClassName = hasClass(claim) ? undefined : world.defaultClass()?.metadata.name;
  if (storageClassName !== undefined) {
    return { write: withSpec(claim, { storageClassName }), isMore: true };
  }
  if (mayWait && annotation(claim, selectedNode) === undefined) {
    return inPhase('Pending', claim, waiting(claim, world.waitingPods(claim)));
  }
  if (classNameOf(claim) !== '') return provision(claim, world);
  const message = 'no persistent volumes available for this claim and no storage class is set';
  return inPhase('Pending', claim, event(claim, 'Normal', 'FailedBinding', message));
}

function namedVolume(claim: KubeObject, volume: KubeObject | undefined): Step {
  if (volume === undefined) return inPhase('Pending', claim);
  const { name } = volume.metadata;
  if (claimRefOf(volume) === undefined) {
    const why = mismatch(volume, claim);
    if (why === undefined) return bind(volume, claim);
    const message = `Cannot bind to requested volume "${name}": ${why}`;
    return inPhase('Pending', claim, event(claim, 'Warning', 'VolumeMismatch', message));
  }
  if (isVolumeOf(volume, claim)) return bind(volume, claim);
  const message = `volume "${name}" already bound to a different claim.`;
  const events = event(claim, 'Warning', 'FailedBinding', message);
  // With this mark it was bound to another once: somebody took that away, and all of it is left alone.
  return annotation(claim, boundByController) === undefined
    ? inPhase('Pending', claim, events)
    : { events };
}

export function claimStep(claim: KubeObject, world: World): Step {
  const moved = migratedClaim(claim);
  if (moved !== undefined) return { write: moved, isMore: true };
  const volumeName = volumeNameOf(claim);
  const volume = volumeName === '' ? undefined : world.volume(volumeName);
  if (!isClaimBound(claim)) {
    return volumeName === '' ? anyVolume(claim, world) : namedVolume(claim, volume);
  }
  if (volumeName === '') {
    const what = 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!';
    return lost(claim, 'ClaimLost', what);
  }
  if (volume === undefined) {
    const what = 'Bound claim has lost its PersistentVolume. Data on the volume is lost!';
    return lost(claim, 'ClaimLost', what);
  }
  const ref = claimRefOf(volume);
  if (ref === undefined || ref.uid === claim.metadata.uid) return bind(volume, claim);
  const what = 'Two claims are bound to the same volume, this one is bound incorrectly';
  return lost(claim, 'ClaimMisbound', what);
}

function volumeIn(phase: string, volume: KubeObject, message = ''): Step {
  if (phaseOf(volume) === phase) return nothing;
  const { message: _old, ...others } = (volume['status'] ?? {}) as Record<string, unknown>;
  const status = { ...others, phase, ...(message === '' ? {} : { message }) };
  return { write: { ...volume, status }, isStatus: true, isMore: true };
}

function failed(volume: KubeObject, reason: string, message: string): Step {
  if (phaseOf(volume) === 'Failed') return nothing;
  const events = event(volume, 'Warning', reason, message);
  return { ...volumeIn('Failed', volume, message), events };
}

function reclaim(volume: KubeObject): Step {
  const isOver = ['Released', 'Failed'].includes(phaseOf(volume));
  // What failed once is not called released again, so that it is seen.
  if (!isOver) return volumeIn('Released', volume);
  if ((annotation(volume, migratedTo) ?? '') !== '') return nothing;
  switch (volume['spec'].persistentVolumeReclaimPolicy) {
    case 'Retain':
      return nothing;
    case 'Recycle':
      return failed(volume, 'VolumeFailedRecycle', 'No recycler plugin found for the volume!');
    case 'Delete': {
      const fault = deletionFault(volume);
      return fault === undefined ? nothing : failed(volume, 'VolumeFailedDelete', fault);
    }
    default: {
      const message = 'Volume has unrecognized PersistentVolumeReclaimPolicy';
      return failed(volume, 'VolumeUnknownReclaimPolicy', message);
    }
  }
}

/** Its claim has another volume: it is free again, or kept for whoever gets the claim's name next. */
function unbind(volume: KubeObject): Step {
  const { claimRef, ...spec } = volume['spec'] as Record<string, object>;
  if (annotation(volume, boundByController) === undefined) {
    const { uid: _uid, ...name } = claimRef as Record<string, unknown>;
    return { write: withSpec(volume, { claimRef: name }), isMore: true };
  }
  const { [boundByController]: _mark, ...annotations } = volume.metadata.annotations ?? {};
  const metadata = { ...volume.metadata, annotations };
  return { write: { ...volume, metadata, spec }, isMore: true };
}

/** Whether the server itself is to be asked for the claim: the copy may be older than the volume. */
export function isClaimDoubtful(volume: KubeObject, claim: KubeObject | undefined): boolean {
  const uid = claimRefOf(volume)?.uid ?? '';
  if (uid === '') return false;
  if (claim === undefined) return !['Released', 'Failed'].includes(phaseOf(volume));
  return claim.metadata.uid !== uid;
}

/** `claim`: the one of the name that the volume's claimRef has, if there is one. */
export function volumeStep(volume: KubeObject, claim: KubeObject | undefined): Step {
  const moved = migratedVolume(volume);
  if (moved !== undefined) return { write: moved, isMore: true };
  const ref = claimRefOf(volume);
  if (ref === undefined) return volumeIn('Available', volume);
  if ((ref.uid ?? '') === '') {
    const isOpen = claim !== undefined && !isClaimBound(claim);
    return { ...volumeIn('Available', volume), claim: isOpen ? keyOfRef(ref) : undefined };
  }
  if (claim === undefined || claim.metadata.uid !== ref.uid) return reclaim(volume);
  const volumeName = volumeNameOf(claim);
  if (volumeName === '') {
    if (!hasOtherMode(claim, volume)) return { claim: keyOfRef(ref) };
    const why = 'due to incompatible volumeMode.';
    const ofVolume = `Cannot bind PersistentVolume to requested PersistentVolumeClaim "${claim.metadata.name}" ${why}`;
    const ofClaim = `Cannot bind PersistentVolume "${volume.metadata.name}" to requested PersistentVolumeClaim ${why}`;
    return {
      events: [
        ...event(volume, 'Warning', 'VolumeMismatch', ofVolume),
        ...event(claim, 'Warning', 'VolumeMismatch', ofClaim),
      ],
    };
  }
  if (volumeName === volume.metadata.name) return volumeIn('Bound', volume);
  const isMade = annotation(volume, provisionedBy) !== undefined;
  const isDeleted = volume['spec'].persistentVolumeReclaimPolicy === 'Delete';
  return isMade && isDeleted ? reclaim(volume) : unbind(volume);
}

/** The resource of what a step writes. */
export function resourceOf(object: KubeObject): typeof persistentVolumes {
  return object.kind === 'PersistentVolume' ? persistentVolumes : persistentVolumeClaims;
}
