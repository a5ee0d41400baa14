// What deletion means for an object: preconditions, grace, finalizers, and when it is really gone.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { conflict } from '#kube/meta/status.ts';
import { timestamp } from './strategies.ts';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly orphanDependents?: boolean | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
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
  const grace = graceOf(info, object, options);
  const policy =
    options.propagationPolicy ?? (options.orphanDependents === true ? 'Orphan' : undefined);
  const finalizers = new Set(metadata.finalizers ?? []);
  finalizers.delete('orphan');
  finalizers.delete('foregroundDeletion');
  if (policy === 'Orphan') finalizers.add('orphan');
  else if (policy === 'Foreground') finalizers.add('foregroundDeletion');
  else if (policy === undefined && metadata.finalizers !== undefined) {
    for (const one of metadata.finalizers) finalizers.add(one);
  }
  if (finalizers.size > 0) metadata.finalizers = [...finalizers];
  else delete metadata.finalizers;
  const isSooner =
    metadata.deletionGracePeriodSeconds === undefined ||
    grace < metadata.deletionGracePeriodSeconds;
  if (metadata.deletionTimestamp === undefined || isSooner) {
    metadata.deletionTimestamp = timestamp(now + grace * 1_000);
    metadata.deletionGracePeriodSeconds = grace;
    if (metadata.generation !== undefined) metadata.generation += 1;
  }
  if (info.group === '' && info.resource === 'namespaces') {
    object['status'] = { ...object['status'], phase: 'Terminating' };
  }
  return JSON.stringify(metadata) !== before;
}

/** Pods that are placed get their grace; everything else goes at once. */
function graceOf(info: ResourceInfo, object: KubeObject, options: DeleteOptions): number {
  if (info.group !== '' || info.resource !== 'pods') return 0;
  const spec = object['spec'] ?? {};
  const isOver = ['Succeeded', 'Failed'].includes(String(object['status']?.phase));
  if (!spec.nodeName || isOver) return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
}

export function isNamespaceFinalizing(info: ResourceInfo, object: KubeObject): boolean {
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
  if (wanted?.uid !== undefined && wanted.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`;
    throw conflict(info, name, why);
  }
  if (wanted?.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${wanted.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`;
    throw conflict(info, name, why);
  }
}
