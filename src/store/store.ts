// The store: the etcd v3 model behind one interface. Engines: memory (simulation, tests), sqlite
// (embedded, durable), etcd. The master's registry and every instance's API server use it.

/** Grows by one for each committed transaction that changed something; starts at 1. */
export type Revision = number;

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** 1 at creation, +1 for each change. */
  readonly version: number;
  /** Whatever readers made of the value, kept as long as the value is. Engines leave it alone. */
  memo?: unknown;
  /** The value would be written in another way now (with another key). */
  readonly isStale?: boolean;
  /** Why the value is still as it lies in the store: it could not be decrypted. */
  readonly unreadable?: string;
}

export type Compare =
  | { readonly key: string; readonly target: 'mod'; readonly equals: Revision }
  | { readonly key: string; readonly target: 'version'; readonly equals: number };

export type StoreOp =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      /** In a store that is shared the key goes when nobody has put it again for so long. */
      readonly ttlSeconds?: number;
    }
  | { readonly kind: 'delete'; readonly key: string };

export interface Txn {
  /** All must hold. `mod` equal to 0 means "the key is absent". */
  readonly compare: readonly Compare[];
  readonly then: readonly StoreOp[];
}

export type TxnResult =
  | { readonly ok: true; readonly revision: Revision }
  /** Nothing changed; `current` holds what the compared keys held. */
  | {
      readonly ok: false;
      readonly revision: Revision;
      readonly current: readonly (KeyValue | undefined)[];
    };

export interface RangeOptions {
  /** Keys in [start, end). */
  readonly start: string;
  readonly end: string;
  readonly limit?: number | undefined;
  /** Read as of this revision; `compacted` Fault when it is gone, `future-revision` when not there yet. */
  readonly revision?: Revision | undefined;
  /** What this process has seen is enough; else the answer is as of now, wherever writes were made. */
  readonly isStaleOk?: boolean | undefined;
}

export interface RangeResult {
  readonly items: readonly KeyValue[];
  /** The store's revision at the moment of reading. */
  readonly revision: Revision;
  /** More keys follow within the range. */
  readonly more: boolean;
  /** Keys in the range after the last item returned. */
  readonly remaining: number;
}

export type StoreEvent =
  | { readonly kind: 'put'; readonly kv: KeyValue; readonly previous: KeyValue | undefined }
  | {
      readonly kind: 'delete';
      readonly key: string;
      readonly modRevision: Revision;
      readonly previous: KeyValue;
    };

export interface StoreWatcher {
  /** Events of one revision are never split over two calls; revisions only grow. */
  onEvents(events: readonly StoreEvent[], revision: Revision): void;
  /** The watch ended: `compacted` (start revision gone) or `closed`. */
  onEnd(reason: 'compacted' | 'closed'): void;
}

/**
 * A write resolves only when it is durable, and when this process's reads and watches have it. Reads are
 * linearizable with all writes, those of other processes on one etcd included, unless `isStaleOk`. Of
 * several operations on one key in a transaction the last one counts.
 * Faults: `compacted`, `future-revision`, `store-closed`, `disk-full`, `disk-io`, and on etcd
 * `store-unavailable`, after which a write may have been made or not.
 */
export interface Store extends AsyncDisposable {
  /** Other processes may write to it, too. */
  readonly isShared?: boolean;
  revision(): Revision;
  compactRevision(): Revision;
  /** The newest revision anywhere, once this process has seen it. */
  current(): Promise<Revision>;
  get(key: string, options?: { readonly isStaleOk?: boolean }): Promise<KeyValue | undefined>;
  range(options: RangeOptions): Promise<RangeResult>;
  txn(txn: Txn): Promise<TxnResult>;
  /** From `startRevision` on (inclusive), first out of history, within the call, then live. */
  watch(
    options: { start: string; end: string; startRevision: Revision },
    watcher: StoreWatcher,
  ): { cancel(): void };
  compact(revision: Revision): Promise<void>;
  /** Bytes on disk: of each member that has all of it. Absent where nothing is kept. */
  sizes?(): Promise<readonly number[]>;
}

/** The end of the range of all keys with this prefix. */
export function prefixEnd(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
