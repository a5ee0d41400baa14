// The form in which an object lies in the store, and in which it is read again, where the two differ: custom
// resources with several versions.
import { faultCode } from '#base/fault.ts';
import { cloneJson } from '#base/clone.ts';
import { apiVersionOf, type KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { same } from '#base/same.ts';
import type { KeyValue, Store, TxnResult } from '#store/store.ts';
import { serialize } from './object-store.ts';

export async function storedForm(info: ResourceInfo, object: KubeObject): Promise<KubeObject> {
  return info.codec === undefined ? object : await info.codec.write(object);
}

/** What a client sees of what it wrote: as it is read from then on. */
export async function readForm(
  info: ResourceInfo,
  stored: KubeObject,
  written: KubeObject,
): Promise<KubeObject> {
  const { codec } = info;
  if (codec === undefined || stored === written) return written;
  const copy = cloneJson(stored);
  if (!codec.needsCall(copy)) return codec.read(copy);
  return (await codec.readAll([copy]))[0] ?? written;
}

/** What a client sees of a write that is not made; nobody else is asked to convert it. */
export async function seenForm(info: ResourceInfo, written: KubeObject): Promise<KubeObject> {
  if (info.codec === undefined || info.codec.mayCall) return written;
  return await readForm(info, await storedForm(info, written), written);
}

/** Whether a write would change nothing (times of managedFields aside). */
export function isSame(live: KubeObject, next: KubeObject): boolean {
  const plain = ({ metadata, ...rest }: KubeObject) => {
    const { resourceVersion: _version, managedFields = [], ...meta } = metadata;
    const fields = managedFields.map(({ time: _time, ...entry }) => entry);
    return { ...rest, metadata: { ...meta, managedFields: fields } };
  };
  return same(plain(live), plain(next));
}

const STORED_VERSION = /^\{(?:"kind":"[^"]*",)?"apiVersion":"([^"]*)"/;
/** Within them JSON says of which version it is. */
const HEAD_BYTES = 700;

/** Whether the object would be stored in another way now: with another key, or in another version of its resource. */
export function isStale(info: ResourceInfo, { value, isStale: isOfOldKey }: KeyValue): boolean {
  if (isOfOldKey === true) return true;
  const { group, version, storageVersion, customResourceDefinition } = info;
  if (customResourceDefinition === undefined && version === storageVersion) return false;
  const head = Buffer.from(value.subarray(0, HEAD_BYTES)).toString('latin1');
  const stored = STORED_VERSION.exec(head)?.[1];
  return stored !== undefined && stored !== apiVersionOf({ group, version: storageVersion });
}

/** What is looked at for who changes what: what annotations say in one version fields say in another. */
export async function trackedForm(info: ResourceInfo, next: KubeObject): Promise<KubeObject> {
  if (info.customResourceDefinition !== undefined) return next;
  const seen = await seenForm(info, next);
  // An empty list says something here, and is nothing when it is stored.
  if (next.metadata.managedFields?.length === 0)
    return { ...seen, metadata: { ...seen.metadata, managedFields: [] } };
  return seen;
}

/** Writes the object where nobody else has since `equals`, or lets it go. */
export async function storeForm(
  store: Pick<Store, 'txn'>,
  info: ResourceInfo,
  object: KubeObject,
  { key, equals, isLast = false }: { key: string; equals: number; isLast?: boolean },
): Promise<{ stored: KubeObject; result: TxnResult }> {
  const stored = await storedForm(info, object);
  const result = await store.txn({
    compare: [{ key, target: 'mod', equals }],
    then: [isLast ? { kind: 'delete', key } : { kind: 'put', key, value: serialize(stored) }],
  });
  return { stored, result };
}

/** What says who owns which field may be left out where the object is too large for a store with it. */
export async function lighterIfTooLarge<T>(
  { metadata }: KubeObject,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (faultCode(error) !== 'store-value-too-large' || metadata.managedFields === undefined)
      throw error;
    delete metadata.managedFields;
    return await write();
  }
}
