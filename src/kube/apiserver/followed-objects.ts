// The objects of one resource as they lie in the store, now and from then on, for what this server keeps in mind of
// them (definitions, access, admission, priorities). One that cannot be read is logged: it is not there, or as it was
// when it could be read, until it is mended or gone. It never keeps the server from its start.
import type { Log } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { prefixEnd, type KeyValue, type Store, type StoreEvent } from '#store/store.ts';
import { objectOf, resourcePrefix } from './object-store.ts';
import { Unreadable } from './unreadable.ts';

export interface ObjectFollower {
  /** Those that are there at first come before followObjects() resolves. `key` is the name, or namespace/name. */
  put(key: string, object: KubeObject): void;
  gone(key: string): void;
  /** After all changes of one moment; not of those that are there at first. */
  changed?(): void;
}

/** The object, unless it cannot be read, which is logged. */
export function objectIfReadable(kv: KeyValue, log: Log): KubeObject | undefined {
  try {
    return objectOf(kv);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    log.error('An object of the store cannot be read', { key: kv.key, why: error.why });
    return undefined;
  }
}

export async function followObjects(
  { store, log }: { readonly store: Store; readonly log: Log },
  which: { readonly group: string; readonly resource: string },
  follower: ObjectFollower,
): Promise<{ cancel(): void }> {
  const start = resourcePrefix(which);
  const end = prefixEnd(start);
  const { items, revision } = await store.range({ start, end });
  const put = (kv: KeyValue): void => {
    const object = objectIfReadable(kv, log);
    if (object !== undefined) follower.put(kv.key.slice(start.length), object);
  };
  for (const kv of items) put(kv);
  const onEvents = (events: readonly StoreEvent[]): void => {
    for (const event of events) {
      if (event.kind === 'put') put(event.kv);
      else follower.gone(event.key.slice(start.length));
    }
    follower.changed?.();
  };
  return store.watch({ start, end, startRevision: revision + 1 }, { onEvents, onEnd: () => {} });
}

/** Those of a built-in resource that can be read, in all namespaces, as this server has seen them. */
export async function readableObjects(
  { store, log }: { readonly store: Store; readonly log: Log },
  which: { readonly group: string; readonly resource: string },
): Promise<readonly KubeObject[]> {
  const start = resourcePrefix(which);
  const { items } = await store.range({ start, end: prefixEnd(start), isStaleOk: true });
  return items.map((kv) => objectIfReadable(kv, log)).filter((one) => one !== undefined);
}
