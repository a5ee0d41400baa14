// The store on etcd: writes are etcd's transactions; reads come from a replica of the keys that one watch
// keeps in memory (the watch cache), after it has reached the revision that etcd names at that moment.
import { randomInt } from 'node:crypto';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { Fault } from '#base/fault.ts';
import { ownBytes } from '#base/own-bytes.ts';
import type { Env, Timer } from '#env/env.ts';
import {
  EtcdClient,
  type EtcdKeyValue,
  type EtcdOp,
  type EtcdOptions,
  type EtcdTxnRequest,
  type EtcdWatchRequest,
  type EtcdWatchResponse,
} from './etcd-client.ts';
import { StoreIndex, type Change } from './index-core.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Store,
  StoreOp,
  StoreWatcher,
  Txn,
  TxnResult,
} from './store.ts';

export interface EtcdStoreOptions extends EtcdOptions {
  /** Put before every key on etcd; no one here sees it. */
  readonly prefix?: string | undefined;
  /** Default 128 MiB. */
  readonly historyBytesMax?: number | undefined;
}

const PAGE = 2_000;
const RECONNECT_MS = 250;
/** While somebody waits for a revision, etcd is asked how far the watch is. */
const PROGRESS_MS = 100;
/**
 * Superseded versions that stay in memory. Whoever wants to watch from before them has to list again; etcd
 * itself answers lists of their revisions.
 */
const HISTORY_BYTES_MAX = 128 * 1024 * 1024;
/** Written where etcd cannot be asked how far a watch is; no reader or watcher here sees it. */
export const ETCD_MARK = '/.strata-reached';
const EQUAL = 0;
const targets = { version: 0, mod: 2 } as const;
const DELETED = 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Waiting {
  readonly revision: Revision;
  readonly done: () => void;
  readonly fail: (error: Fault) => void;
}

function closedFault(): Fault {
  return new Fault({ code: 'store-closed' }, 'Cannot use the store: it is closed');
}

function toKeyValue(kv: EtcdKeyValue, key: string): KeyValue {
  return {
    key,
    value: ownBytes(kv.value ?? new Uint8Array()),
    createRevision: kv.createRevision ?? 0,
    modRevision: kv.modRevision ?? 0,
    version: kv.version ?? 0,
    memo: undefined,
  };
}

class EtcdStore implements Store {
  readonly isShared = true;
  readonly #client: EtcdClient;
  readonly #env: Pick<Env, 'timers' | 'log'>;
  readonly #prefix: string;
  readonly #start: Uint8Array;
  readonly #end: Uint8Array;
  readonly #index = new StoreIndex();
  readonly #historyBytesMax: number;
  #stream: ClientDuplexStream<EtcdWatchRequest, EtcdWatchResponse> | undefined;
  #waiting: Waiting[] = [];
  #fresh: Promise<void> | undefined;
  #reconnect: Timer | undefined;
  #progress: Timer | undefined;
  #isClosed = false;
  /** See EtcdClient.tellsProgress; asked anew with each connection. */
  #canAskProgress = false;

  constructor(options: EtcdStoreOptions, env: Pick<Env, 'timers' | 'log'>) {
    this.#client = new EtcdClient(options);
    this.#env = env;
    this.#prefix = options.prefix ?? '';
    this.#historyBytesMax = options.historyBytesMax ?? HISTORY_BYTES_MAX;
    this.#start = encoder.encode(`${this.#prefix}/`);
    this.#end = prefixEndBytes(`${this.#prefix}/`);
  }

  #encode(key: string): Uint8Array {
    return encoder.encode(this.#prefix + key);
  }

  #decode(kv: EtcdKeyValue): KeyValue {
    return toKeyValue(kv, this.#decodeKey(kv));
  }

  #decodeKey(kv: EtcdKeyValue): string {
    return decoder.decode(kv.key).slice(this.#prefix.length);
  }

  /** Everything as of one revision, then the watch from there. */
  async open(): Promise<void> {
    const { items, revision } = await this.#readAll();
    for (const kv of items) this.#index.load(kv.key, kv, kv.modRevision);
    this.#index.advance(revision);
    this.#index.settle(revision);
    this.#follow();
  }

  revision(): Revision {
    return this.#index.revision;
  }

  compactRevision(): Revision {
    return this.#index.compacted;
  }

  async current(): Promise<Revision> {
    await this.#freshen();
    return this.#index.revision;
  }

  async get(
    key: string,
    options: { readonly isStaleOk?: boolean } = {},
  ): Promise<KeyValue | undefined> {
    if (options.isStaleOk !== true) await this.#freshen();
    return this.#index.get(key);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const { revision } = options;
    const isOld = revision !== undefined && revision <= this.#index.revision;
    if (options.isStaleOk !== true && !isOld) await this.#freshen();
    // Older than what this process has seen: etcd may still have it.
    if (revision !== undefined && revision < this.#index.compacted)
      return await this.#rangeRemotely(options, revision);
    return this.#index.range(options);
  }

  /** A new one each time: the last one that a key was put with is the one that counts. */
  async #leaseFor({ then }: Txn): Promise<number | undefined> {
    const times = then.flatMap((op) =>
      op.kind === 'put' && op.ttlSeconds !== undefined ? [op.ttlSeconds] : [],
    );
    if (times.length === 0) return undefined;
    const id = randomInt(1, LEASE_ID_MAX);
    await this.#client.grantLease(id, Math.min(...times));
    return id;
  }

  async txn(txn: Txn): Promise<TxnResult> {
    if (this.#isClosed) throw closedFault();
    const lease = await this.#leaseFor(txn);
    const response = await this.#client.txn(toRequest(txn, lease, (key) => this.#encode(key)));
    const revision = response.header?.revision ?? 0;
    if (response.succeeded === true) {
      // What was written is seen by everyone here before the writer hears of it.
      if (txn.then.length > 0) await this.#reach(revision);
      return { ok: true, revision };
    }
    const found = (response.responses ?? []).map(({ range }) => range?.kvs?.[0]);
    const current = txn.compare.map((_one, index) => {
      const kv = found[index];
      return kv === undefined ? undefined : this.#decode(kv);
    });
    return { ok: false, revision, current };
  }

  watch(
    options: { start: string; end: string; startRevision: Revision },
    watcher: StoreWatcher,
  ): { cancel(): void } {
    return this.#index.watch(options, watcher);
  }

  async sizes(): Promise<readonly number[]> {
    return await this.#client.sizes();
  }

  async compact(revision: Revision): Promise<void> {
    try {
      await this.#client.compact(revision);
    } catch (error) {
      // Another server was faster.
      if (!(error instanceof Fault) || error.detail.code !== 'compacted') throw error;
    }
    this.#index.compact(Math.min(revision, this.#index.revision));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reconnect?.cancel();
    this.#progress?.cancel();
    this.#stream?.cancel();
    for (const { fail } of this.#waiting.splice(0)) fail(closedFault());
    this.#index.end();
    this.#client.close();
  }

  // ---- reading ----

  async #readAll(): Promise<{ items: KeyValue[]; revision: Revision }> {
    const items: KeyValue[] = [];
    let revision = 0;
    let key = this.#start;
    for (;;) {
      const page = await this.#client.range({
        key,
        rangeEnd: this.#end,
        limit: PAGE,
        ...(revision === 0 ? {} : { revision }),
      });
      if (revision === 0) revision = page.header?.revision ?? 0;
      const found = (page.kvs ?? []).map((kv) => this.#decode(kv));
      items.push(...found.filter((kv) => kv.key !== ETCD_MARK));
      const last = found.at(-1);
      if (page.more !== true || last === undefined) return { items, revision };
      key = this.#encode(`${last.key}\u0000`);
    }
  }

  async #rangeRemotely(options: RangeOptions, revision: Revision): Promise<RangeResult> {
    const limit = options.limit ?? 0;
    const response = await this.#client.range({
      key: this.#encode(options.start),
      rangeEnd: this.#encode(options.end),
      revision,
      ...(limit > 0 ? { limit } : {}),
    });
    const found = (response.kvs ?? []).map((kv) => this.#decode(kv));
    const items = found.filter((kv) => kv.key !== ETCD_MARK);
    const remaining = (response.count ?? found.length) - found.length;
    return { items, revision: this.#index.revision, more: remaining > 0, remaining };
  }

  /** Reads that begin within one turn share one question to etcd. */
  #freshen(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedFault());
    this.#fresh ??= new Promise((done, fail) => {
      setImmediate(() => {
        this.#fresh = undefined;
        this.#client
          .range({ key: this.#start, countOnly: true })
          .then(async ({ header }) => await this.#reach(header?.revision ?? 0))
          .then(done, fail);
      });
    });
    return this.#fresh;
  }

  /** Resolves when the replica has seen everything up to the revision. */
  #reach(revision: Revision): Promise<void> {
    if (this.#index.revision >= revision) return Promise.resolve();
    if (this.#isClosed) return Promise.reject(closedFault());
    return new Promise((done, fail) => {
      this.#waiting.push({ revision, done, fail });
      this.#askProgress();
    });
  }

  /**
   * Revisions of keys outside the prefix bring no event. That they passed is told by etcd, or by the event
   * of a key that is written for it, which comes after all that was before.
   */
  #askProgress(): void {
    if (this.#progress !== undefined || this.#isClosed) return;
    this.#progress = this.#env.timers.after(PROGRESS_MS, () => {
      this.#progress = undefined;
      if (this.#waiting.length === 0) return;
      if (this.#canAskProgress) this.#stream?.write({ progress: {} });
      else if (this.#stream !== undefined) this.#mark();
      this.#askProgress();
    });
  }

  #mark(): void {
    const put = { put: { key: this.#encode(ETCD_MARK), value: new Uint8Array() } };
    this.#client.txn({ compare: [], success: [put], failure: [] }).catch((error: unknown) => {
      if (!this.#isClosed) this.#env.log.debug('Cannot write the mark to etcd', { error });
    });
  }

  #reached(): void {
    const { revision } = this.#index;
    if (!this.#waiting.some((one) => one.revision <= revision)) return;
    const ready = this.#waiting.filter((one) => one.revision <= revision);
    this.#waiting = this.#waiting.filter((one) => one.revision > revision);
    for (const { done } of ready) done();
  }

  // ---- the watch ----

  #follow(): void {
    if (this.#isClosed) return;
    this.#canAskProgress = false;
    void this.#client.tellsProgress().then((can) => (this.#canAskProgress = can));
    const stream = this.#client.watch();
    this.#stream = stream;
    stream.on('data', (response: EtcdWatchResponse) => this.#onResponse(stream, response));
    stream.on('error', (error: Error) => this.#onBroken(stream, error.message));
    stream.on('end', () => this.#onBroken(stream, 'etcd ended the watch'));
    stream.write({
      create: {
        key: this.#start,
        rangeEnd: this.#end,
        startRevision: this.#index.revision + 1,
        progressNotify: true,
      },
    });
  }

  #onResponse(stream: object, response: EtcdWatchResponse): void {
    if (stream !== this.#stream || this.#isClosed) return;
    if (response.canceled === true) {
      const reason = response.cancelReason ?? '';
      if ((response.compactRevision ?? 0) > 0) return this.#onCompacted();
      return this.#onBroken(stream, reason);
    }
    const events = response.events ?? [];
    for (let at = 0; at < events.length;) {
      const revision = events[at]?.kv?.modRevision ?? 0;
      const changes: Change[] = [];
      for (; at < events.length && events[at]?.kv?.modRevision === revision; at++) {
        const { type, kv } = events[at] ?? {};
        if (kv === undefined) continue;
        const key = this.#decodeKey(kv);
        if (key === ETCD_MARK) continue;
        changes.push({ key, kv: type === DELETED ? undefined : toKeyValue(kv, key) });
      }
      if (changes.length === 0) this.#index.advance(revision);
      else if (revision > this.#index.revision) this.#index.apply(revision, changes);
    }
    this.#boundHistory();
    // A response without events tells how far the watch is; the one that tells its creation does not.
    if (events.length === 0 && response.created !== true)
      this.#index.advance(response.header?.revision ?? 0);
    this.#reached();
  }

  /** Forgets a quarter at a time, so that it is seldom done. */
  #boundHistory(): void {
    if (this.#index.historyBytes <= this.#historyBytesMax) return;
    this.#index.compact(this.#index.revisionBefore((this.#historyBytesMax * 3) / 4));
  }

  #onBroken(stream: object, reason: string): void {
    if (stream !== this.#stream || this.#isClosed) return;
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#env.log.warn('The watch on etcd broke; watching again', { reason });
    this.#client.turn();
    this.#reconnect = this.#env.timers.after(RECONNECT_MS, () => this.#follow());
  }

  /** Too much was missed: what is there now is compared with the replica. */
  #onCompacted(): void {
    this.#stream?.cancel();
    this.#stream = undefined;
    this.#readAll().then(
      ({ items, revision }) => {
        this.#catchUp(items, revision);
        this.#follow();
      },
      (error: unknown) => {
        if (this.#isClosed) return;
        this.#env.log.warn('Cannot read etcd anew', { error });
        this.#reconnect = this.#env.timers.after(RECONNECT_MS, () => this.#onCompacted());
      },
    );
  }

  #catchUp(items: readonly KeyValue[], revision: Revision): void {
    const before = this.#index.revision;
    const changes = new Map<Revision, Change[]>();
    const note = (at: Revision, change: Change): void => {
      const known = changes.get(at) ?? [];
      changes.set(at, known);
      known.push(change);
    };
    const there = new Set<string>();
    for (const kv of items) {
      there.add(kv.key);
      if (kv.modRevision > before) note(kv.modRevision, { key: kv.key, kv });
    }
    const all = this.#index.range({ start: '', end: '\uffff' }).items;
    for (const { key } of all) if (!there.has(key)) note(revision, { key, kv: undefined });
    for (const [at, list] of [...changes].toSorted(([a], [b]) => a - b))
      this.#index.apply(at, list);
    this.#index.advance(revision);
    // Between the two nothing can be told apart: whoever resumes from there lists again.
    this.#index.compact(revision);
    this.#reached();
  }
}

const LEASE_ID_MAX = 2 ** 47;

function toRequest(
  txn: Txn,
  lease: number | undefined,
  encode: (key: string) => Uint8Array,
): EtcdTxnRequest {
  // etcd refuses a key that a transaction touches twice; what it left is what counts.
  const last = new Map<string, StoreOp>(txn.then.map((op) => [op.key, op]));
  return {
    compare: txn.compare.map(({ key, target, equals }) => ({
      result: EQUAL,
      target: targets[target],
      key: encode(key),
      ...(target === 'mod' ? { modRevision: equals } : { version: equals }),
    })),
    success: [...last.values()].map((op): EtcdOp => {
      const key = encode(op.key);
      if (op.kind === 'delete') return { delete: { key } };
      const isLeased = op.ttlSeconds !== undefined && lease !== undefined;
      return { put: { key, value: op.value, ...(isLeased ? { lease } : {}) } };
    }),
    failure: txn.compare.map(({ key }) => ({ range: { key: encode(key) } })),
  };
}

/** The end of the range of all keys with the prefix, in bytes. */
function prefixEndBytes(prefix: string): Uint8Array {
  const end = encoder.encode(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

/** Fault `store-unavailable` when no member answers. */
export async function openEtcdStore(
  options: EtcdStoreOptions,
  env: Pick<Env, 'timers' | 'log'>,
): Promise<Store> {
  const store = new EtcdStore(options, env);
  try {
    await store.open();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
