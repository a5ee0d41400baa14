// What claims of storage use of a quota, and the classes of attributes that a scope chooses them by, as
// pkg/quota/v1/evaluator/core of Kubernetes v1.37 has it.
import type { KubeObject } from './object.ts';
import { compareQuantities, formatQuantity, parseQuantity } from './quantity.ts';

type Json = Record<string, unknown>;

const record = (value: unknown): Json => (value ?? {}) as Json;

// ---- storage ----

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';
const NANO = 1_000_000_000n;

/** Quotas count whole bytes. */
function wholeBytes(amount: string): string {
  const parsed = parseQuantity(amount);
  if (parsed === undefined || parsed.nano % NANO === 0n) return amount;
  return formatQuantity({ ...parsed, nano: (parsed.nano / NANO + 1n) * NANO });
}

/** What was asked for, or what is allocated where that is more: a volume that grew does not shrink. */
function storageOf(claim: KubeObject): string | undefined {
  const asked = record(record(record(claim['spec'])['resources'])['requests'])['storage'];
  if (asked === undefined) return undefined;
  const wanted = wholeBytes(String(asked));
  const allocated = record(record(claim['status'])['allocatedResources'])['storage'];
  if (allocated === undefined || compareQuantities(allocated, wanted) <= 0) return wanted;
  return wholeBytes(String(allocated));
}

export function storageClaimUsage(claim: KubeObject): Record<string, string> {
  const used: Record<string, string> = {
    persistentvolumeclaims: '1',
    'count/persistentvolumeclaims': '1',
  };
  const storageClass =
    claim.metadata.annotations?.[CLASS_ANNOTATION] ?? record(claim['spec'])['storageClassName'];
  const storage = storageOf(claim);
  if (storage !== undefined) used['requests.storage'] = storage;
  if (typeof storageClass !== 'string' || storageClass === '') return used;
  const prefix = `${storageClass}.storageclass.storage.k8s.io/`;
  used[`${prefix}persistentvolumeclaims`] = '1';
  if (storage !== undefined) used[`${prefix}requests.storage`] = storage;
  return used;
}

/** The wanted one, the present one and the one that it is being changed to: each of them is charged. */
export function attributesClassesOf(claim: KubeObject): ReadonlySet<string> {
  const status = record(claim['status']);
  const names = [
    record(claim['spec'])['volumeAttributesClassName'],
    status['currentVolumeAttributesClassName'],
    record(status['modifyVolumeStatus'])['targetVolumeAttributesClassName'],
  ];
  return new Set(names.filter((name): name is string => typeof name === 'string' && name !== ''));
}
