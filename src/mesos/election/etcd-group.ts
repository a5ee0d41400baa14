// The group of masters in etcd: one key for each, held by a lease; the key that was made first leads (as
// etcd's own elections have it). Whoever looks for the leader watches the same keys.
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { Fault } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import {
  EtcdClient,
  type EtcdOptions,
  type EtcdWatchRequest,
  type EtcdWatchResponse,
} from '#store/etcd-client.ts';
import { prefixEnd } from '#store/store.ts';
import { parseJson, stringify } from '#wire/mesos/codec.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import type { Group, Member } from './group.ts';

const KEYS = '/mesos/election/';
/** Of a master that is cut off or stopped; one whose process is gone is evicted at once. */
const LEASE_SECONDS = 5;
const KEEP_MS = 1_000;
const RETRY_MS = 200;
const PUT = 0;
const MOD_REVISION = 2;
const EQUAL = 0;

export interface EtcdGroupOptions extends EtcdOptions {
  /** Put before every key on etcd. */
  readonly prefix: string;
}

type GroupEnv = Pick<Env, 'clock' | 'timers' | 'log' | 'random'>;
type Watch = ClientDuplexStream<EtcdWatchRequest, EtcdWatchResponse>;
type KeepAlive = ClientDuplexStream<{ readonly id: number }, { readonly ttl?: number }>;

interface Entry {
  readonly id: string;
  readonly lease: number;
  readonly onLost: () => void;
  timer: Timer | undefined;
  stream: KeepAlive | undefined;
  /** When the lease was granted or kept last: it lasts from then on. */
  keptAt: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class EtcdGroup implements Group {
  readonly #client: EtcdClient;
  readonly #keys: string;
  readonly #env: GroupEnv;
  readonly #members = new Map<string, { readonly created: number; readonly value: Uint8Array }>();
  #onLeader: ((leader: Member | undefined) => void) | undefined;
  #leader: Member | undefined;
  #entry: Entry | undefined;
  #watch: Watch | undefined;
  #retry: Timer | undefined;
  #isClosed = false;

  constructor(options: EtcdGroupOptions, env: GroupEnv) {
    this.#client = new EtcdClient(options);
    this.#keys = `${options.prefix}${KEYS}`;
    this.#env = env;
  }

  async join(info: MasterInfo, onLost: () => void): Promise<string> {
    const value = encoder.encode(stringify('MasterInfo', info));
    for (;;) {
      try {
        return await this.#enter(value, onLost);
      } catch (error) {
        // An entry that was made all the same goes with its lease.
        if (this.#isClosed) throw error;
        this.#env.log.warn('Cannot enter the group of masters; trying again', { error });
        await new Promise<void>((done) => this.#env.timers.after(RETRY_MS, done));
      }
    }
  }

  watch(onLeader: (leader: Member | undefined) => void): void {
    this.#onLeader = onLeader;
    void this.#follow();
  }

  async evict(id: string): Promise<void> {
    const key = encoder.encode(this.#keys + id);
    await this.#client.txn({ compare: [], success: [{ delete: { key } }], failure: [] });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#watch?.cancel();
    const entry = this.#entry;
    if (entry !== undefined) {
      this.#drop(entry);
      await this.#client.revokeLease(entry.lease).catch(() => {});
    }
    this.#client.close();
  }

  async #enter(value: Uint8Array, onLost: () => void): Promise<string> {
    const keptAt = this.#env.clock.monotonicMs();
    const lease = 1 + Math.floor(this.#env.random.next() * (Number.MAX_SAFE_INTEGER - 1));
    await this.#client.grantLease(lease, LEASE_SECONDS);
    const id = lease.toString(16).padStart(14, '0');
    const key = encoder.encode(this.#keys + id);
    const result = await this.#client.txn({
      compare: [{ result: EQUAL, target: MOD_REVISION, key, modRevision: 0 }],
      success: [{ put: { key, value, lease } }],
      failure: [],
    });
    if (result.succeeded !== true) throw new Fault({ code: 'taken' }, `Key ${id} is taken`);
    const entry = { id, lease, onLost, timer: undefined, stream: undefined, keptAt };
    this.#entry = entry;
    this.#keep(entry);
    return id;
  }

  // ---- keeping the entry ----

  #keep(entry: Entry): void {
    if (this.#entry !== entry) return;
    const silentMs = this.#env.clock.monotonicMs() - entry.keptAt;
    if (silentMs >= LEASE_SECONDS * 1_000) {
      this.#lose(entry);
      return;
    }
    entry.stream ??= this.#openKeepAlive(entry);
    entry.stream.write({ id: entry.lease });
    entry.timer = this.#env.timers.after(KEEP_MS, () => this.#keep(entry));
  }

  #openKeepAlive(entry: Entry): KeepAlive {
    const stream = this.#client.keepLease();
    let askedAt = this.#env.clock.monotonicMs();
    stream.on('data', ({ ttl = 0 }: { readonly ttl?: number }) => {
      if (ttl <= 0) this.#lose(entry);
      // Counted from the question, which is surely before the answer.
      else entry.keptAt = askedAt;
      askedAt = this.#env.clock.monotonicMs();
    });
    stream.on('error', () => {
      if (entry.stream !== stream) return;
      entry.stream = undefined;
      this.#client.turn();
    });
    return stream;
  }

  #drop(entry: Entry): void {
    this.#entry = undefined;
    entry.timer?.cancel();
    entry.stream?.on('error', () => {});
    entry.stream?.cancel();
  }

  #lose(entry: Entry): void {
    if (this.#entry !== entry) return;
    this.#drop(entry);
    entry.onLost();
  }

  // ---- watching ----

  async #follow(): Promise<void> {
    try {
      const [key, rangeEnd] = [encoder.encode(this.#keys), encoder.encode(prefixEnd(this.#keys))];
      const { kvs = [], header } = await this.#client.range({ key, rangeEnd });
      if (this.#isClosed) return;
      this.#members.clear();
      for (const kv of kvs) this.#set(decoder.decode(kv.key), kv.createRevision ?? 0, kv.value);
      this.#tell();
      const stream = this.#client.watch();
      this.#watch = stream;
      const startRevision = (header?.revision ?? 0) + 1;
      stream.on('data', (response: EtcdWatchResponse) => this.#onWatch(stream, response));
      stream.on('error', () => this.#onWatchEnd(stream));
      stream.on('end', () => this.#onWatchEnd(stream));
      stream.write({ create: { key, rangeEnd, startRevision, progressNotify: false } });
    } catch (error) {
      this.#env.log.debug('Cannot look who leads', { error });
      this.#followLater();
    }
  }

  #onWatch(stream: Watch, { canceled, events = [] }: EtcdWatchResponse): void {
    if (canceled === true) stream.cancel();
    for (const { type = PUT, kv } of events) {
      if (kv === undefined) continue;
      const key = decoder.decode(kv.key);
      if (type === PUT) this.#set(key, kv.createRevision ?? 0, kv.value);
      else this.#members.delete(key.slice(this.#keys.length));
      const own = this.#entry;
      if (type !== PUT && own !== undefined && key === this.#keys + own.id) this.#lose(own);
    }
    this.#tell();
  }

  #onWatchEnd(stream: Watch): void {
    if (this.#watch !== stream) return;
    this.#watch = undefined;
    this.#client.turn();
    this.#followLater();
  }

  #followLater(): void {
    if (this.#isClosed) return;
    this.#retry?.cancel();
    this.#retry = this.#env.timers.after(RETRY_MS, () => void this.#follow());
  }

  #set(key: string, created: number, value: Uint8Array = new Uint8Array()): void {
    this.#members.set(key.slice(this.#keys.length), { created, value });
  }

  #tell(): void {
    const [first] = [...this.#members].toSorted(([, a], [, b]) => a.created - b.created);
    const id = first?.[0];
    if (id === this.#leader?.id) return;
    this.#leader =
      first === undefined
        ? undefined
        : { id: first[0], info: parseJson('MasterInfo', decoder.decode(first[1].value)) };
    this.#onLeader?.(this.#leader);
  }
}
