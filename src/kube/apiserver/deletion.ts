// What deletion means for an object: preconditions, grace, finalizers, and when it is really gone.
import { oneMore } from '#kube/meta/exact-numbers.ts';
import type { KubeObject, ObjectMeta } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { conflict } from '#kube/meta/status.ts';
import { answersDeleted } from '#kube/types/deleted-answers.ts';
import { CLEANUP_FINALIZER, conditionsOf, PENDING, withCondition } from './crd/conditions.ts';
import { timestamp } from './strategies.ts';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly orphanDependents?: boolean | undefined;
  /** For objects that cannot be read; others are not deleted so. */
  readonly ignoreStoreReadErrorWithClusterBreakingPotential?: boolean | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
}

/** Kinds whose dependents nobody collects, whatever is asked for. */
const uncollected = new Set(['/events', 'events.k8s.io/events']);

/** Kinds whose dependents are kept when nobody says otherwise. */
const orphaning = new Set(['/replicationcontrollers', 'batch/jobs']);

export function orphansByDefault(info: ResourceInfo): boolean {
  return orphaning.has(`${info.group}/${info.resource}`);
}

export function returnsDeleted(info: ResourceInfo): boolean {
  return answersDeleted(info) || (info.group === '' && info.resource === 'namespaces');
}

/** Sets what deletion sets; false when nothing changed. */
export function markDeleted(
  info: ResourceInfo,
  object: KubeObject,
  options: DeleteOptions,
  now: number,
): boolean {
  const before = JSON.stringify(object.metadata);
  const { metadata } = object;
  const finalizers = finalizersOf(info, metadata, options);
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const isNamespace = info.group === '' && info.resource === 'namespaces';
  if (isDefinition(info) && metadata.deletionTimestamp === undefined) holdDefinition(object, now);
  if (info.group === '' && info.resource === 'pods') markPod(object, options, now);
  else if (metadata.deletionTimestamp === undefined) {
    metadata.deletionTimestamp = timestamp(now);
    // Definitions are marked by their own storage, which knows of no grace and no generation.
    if (isDefinition(info)) return true;
    if (!isNamespace) metadata.deletionGracePeriodSeconds = 0;
    if (metadata.generation !== undefined) metadata.generation = oneMore(metadata.generation);
  }
  if (isNamespace) object['status'] = { ...object['status'], phase: 'Terminating' };
  return JSON.stringify(metadata) !== before;
}

const isDefinition = (info: ResourceInfo): boolean =>
  info.group === 'apiextensions.k8s.io' && info.resource === 'customresourcedefinitions';

/** A definition goes only after its objects. */
function holdDefinition(object: KubeObject, now: number): void {
  const { metadata } = object;
  if (metadata.finalizers?.includes(CLEANUP_FINALIZER) !== true) {
    metadata.finalizers = [...(metadata.finalizers ?? []), CLEANUP_FINALIZER];
  }
  const conditions = withCondition(conditionsOf(object), PENDING, timestamp(now));
  object['status'] = { ...object['status'], conditions };
}

function finalizersOf(
  info: ResourceInfo,
  { finalizers = [], deletionTimestamp }: ObjectMeta,
  options: DeleteOptions,
): string[] {
  // Marked by their own storage, as said above.
  if (isDefinition(info) && deletionTimestamp === undefined) return finalizers;
  if (uncollected.has(`${info.group}/${info.resource}`)) return finalizers.filter(isOthers);
  return finalizersAfter(finalizers, options, orphansByDefault(info));
}

const isOthers = (finalizer: string): boolean =>
  finalizer !== 'orphan' && finalizer !== 'foregroundDeletion';

/** Those of the garbage collector come and go by the policy; without one they stay as they are. */
function finalizersAfter(
  before: readonly string[],
  options: DeleteOptions,
  orphansOtherwise: boolean,
): string[] {
  const { propagationPolicy: policy, orphanDependents: orphans } = options;
  const keeps = (name: string): boolean => before.includes(name);
  const isDecided = policy !== undefined || orphans !== undefined;
  const isHeld = keeps('orphan') || (orphansOtherwise && !keeps('foregroundDeletion'));
  const orphan = isDecided ? (orphans ?? policy === 'Orphan') : isHeld;
  const foreground = isDecided ? policy === 'Foreground' : keeps('foregroundDeletion');
  const others = before.filter(isOthers);
  return [...others, ...(orphan ? ['orphan'] : []), ...(foreground ? ['foregroundDeletion'] : [])];
}

/** Pods get their grace; one that is going already may only be hurried. */
function markPod(pod: KubeObject, options: DeleteOptions, now: number): void {
  const { metadata } = pod;
  const given = options.gracePeriodSeconds;
  const wanted = given !== undefined && given < 0 ? 1 : given;
  const { deletionTimestamp, deletionGracePeriodSeconds: left } = metadata;
  if (deletionTimestamp === undefined) {
    const grace = graceOf(pod, wanted);
    metadata.deletionTimestamp = timestamp(after(now, grace));
    metadata.deletionGracePeriodSeconds = grace;
    if (metadata.generation !== undefined) metadata.generation = oneMore(metadata.generation);
    return;
  }
  if (left === undefined || left === 0) {
    metadata.deletionGracePeriodSeconds = 0;
    return;
  }
  if (wanted === undefined || wanted >= left) return;
  const end = Date.parse(deletionTimestamp) + (Number(wanted) - Number(left)) * 1_000;
  metadata.deletionTimestamp = timestamp(Math.max(end, now));
  // Grace that has run out already is still grace: whoever runs the pod confirms its end.
  metadata.deletionGracePeriodSeconds = end < now && wanted !== 0 ? 1 : wanted;
}

const GRACE_SECONDS_MAX = 9_000_000_000;

/** Go counts nanoseconds in 64 bits: what is longer than 292 years is another time. */
function after(now: number, seconds: number | bigint): number {
  if (seconds <= GRACE_SECONDS_MAX) return now + Number(seconds) * 1_000;
  const nanoseconds = BigInt.asIntN(64, BigInt(seconds) * 1_000_000_000n);
  return now + Number(nanoseconds / 1_000_000n);
}

function graceOf(pod: KubeObject, wanted: number | undefined): number {
  const spec = pod['spec'] ?? {};
  const isOver = ['Succeeded', 'Failed'].includes(String(pod['status']?.phase));
  if (!spec.nodeName || isOver) return 0;
  const own = spec.terminationGracePeriodSeconds ?? 30;
  return wanted ?? (own < 0 ? 1 : own);
}

function isNamespaceFinalizing(info: ResourceInfo, object: KubeObject): boolean {
  if (info.group !== '' || info.resource !== 'namespaces') return false;
  return (object['spec']?.finalizers ?? []).length > 0;
}

export function isFinished(info: ResourceInfo, object: KubeObject): boolean {
  const { finalizers = [], deletionGracePeriodSeconds = 0 } = object.metadata;
  return (
    finalizers.length === 0 &&
    deletionGracePeriodSeconds === 0 &&
    !isNamespaceFinalizing(info, object)
  );
}

export function checkPreconditions(
  info: ResourceInfo,
  live: KubeObject,
  options: DeleteOptions,
): void {
  const { name = '', uid, resourceVersion } = live.metadata;
  const wanted = options.preconditions;
  // Upstream names the kind here, where other conflicts name the resource.
  const isNamespace = info.group === '' && info.resource === 'namespaces';
  if (isNamespace || isDefinition(info)) return checkFirst(info, live, wanted ?? {});
  // Events are those of the core group, by whatever name they are asked for.
  const group = info.resource === 'events' ? '' : info.group;
  const kind = { group, resource: info.kind };
  if (wanted?.uid !== undefined && wanted.uid !== uid) {
    const why = `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict(kind, name, why);
  }
  if (wanted?.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
    throw conflict(kind, name, why);
  }
}

/** Of kinds whose storage looks before the store does: in words of its own. */
function checkFirst(
  info: ResourceInfo,
  { metadata }: KubeObject,
  wanted: NonNullable<DeleteOptions['preconditions']>,
): void {
  const head = isDefinition(info) ? 'precondition failed' : 'Precondition failed';
  const checks = [
    ['UID', wanted.uid, metadata.uid],
    ['ResourceVersion', wanted.resourceVersion, metadata.resourceVersion],
  ] as const;
  for (const [what, one, own] of checks) {
    if (one === undefined || one === own) continue;
    const why = `${head}: ${what} in precondition: ${one}, ${what} in object meta: ${own ?? ''}`;
    throw conflict(info, metadata.name ?? '', why);
  }
}
