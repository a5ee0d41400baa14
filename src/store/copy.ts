// From one store into another: everything as of one moment, and the proof that it has arrived.
import { createHash } from 'node:crypto';
import { Fault } from '#base/fault.ts';
import { prefixEnd, type KeyValue, type Store, type StoreOp } from './store.ts';

const all = { start: '/', end: prefixEnd('/') };
const PAGE = 1_000;
/** etcd takes 128 operations and 1.5 MB in one transaction unless it is told otherwise. */
const OPERATIONS_MAX = 100;
const BYTES_MAX = 1024 * 1024;

export interface Copied {
  readonly keys: number;
  readonly bytes: number;
  /** The revision of the source that was copied. */
  readonly revision: number;
}

async function* pages(store: Store): AsyncGenerator<{ items: readonly KeyValue[]; at: number }> {
  let { start } = all;
  let revision: number | undefined;
  for (;;) {
    const options = { start, end: all.end, limit: PAGE };
    const page = await store.range(revision === undefined ? options : { ...options, revision });
    revision ??= page.revision;
    yield { items: page.items, at: revision };
    const last = page.items.at(-1);
    if (!page.more || last === undefined) return;
    start = `${last.key}\u0000`;
  }
}

/** A digest of all keys and values, as of one moment. */
async function digest(store: Store): Promise<string> {
  const hash = createHash('sha256');
  for await (const { items } of pages(store)) {
    for (const { key, value } of items) {
      hash.update(`${key}\u0000${value.length}\u0000`);
      hash.update(value);
    }
  }
  return hash.digest('hex');
}

/**
 * Copies every key; the target must have none. Fault `not-empty`; `store-changed` when what arrived is not
 * what is there (somebody writes to one of the two).
 */
export async function copyStore(from: Store, to: Store): Promise<Copied> {
  const existing = await to.range({ ...all, limit: 1 });
  if (existing.items.length > 0) {
    throw new Fault({ code: 'not-empty' }, 'Cannot copy: the target store has keys already');
  }
  let keys = 0;
  let bytes = 0;
  let revision = 0;
  let ops: StoreOp[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    if (ops.length > 0) await to.txn({ compare: [], then: ops });
    ops = [];
    size = 0;
  };
  for await (const { items, at } of pages(from)) {
    revision = at;
    for (const { key, value } of items) {
      if (ops.length >= OPERATIONS_MAX || size + value.length > BYTES_MAX) await flush();
      ops.push({ kind: 'put', key, value });
      size += value.length;
      keys += 1;
      bytes += value.length;
    }
  }
  await flush();
  if ((await digest(from)) !== (await digest(to))) {
    const message = 'Cannot copy: the source or the target was changed meanwhile';
    throw new Fault({ code: 'store-changed' }, message);
  }
  return { keys, bytes, revision };
}
