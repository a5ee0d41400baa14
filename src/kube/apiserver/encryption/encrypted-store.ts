// A store whose values are encrypted on their way in and decrypted on their way out. Keys, revisions and
// watches are those of the store below; a value is decrypted once, as long as it is kept.
import type { Log } from '#env/env.ts';
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Revision,
  Store,
  StoreEvent,
  StoreWatcher,
  Txn,
  TxnResult,
} from '#store/store.ts';
import { identity, type Transformer } from './ciphers.ts';
import type { Encryption } from './encryption.ts';

/** What was made of a value of the store below. */
interface Opened {
  readonly plain: KeyValue;
  /** What it was last opened by: another configuration may have no key for it. */
  by: Encryption;
}

const bytesOf = (value: Uint8Array): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.length);

const isOf = (data: Buffer, { prefix }: Transformer): boolean =>
  prefix.length > 0 && data.subarray(0, prefix.length).equals(prefix);

const kvsOf = (events: readonly StoreEvent[]): KeyValue[] =>
  events.flatMap((event) => [
    ...(event.kind === 'put' ? [event.kv] : []),
    ...(event.previous === undefined ? [] : [event.previous]),
  ]);

export class EncryptedStore implements Store {
  readonly #inner: Store;
  readonly #log: Log;
  #encryption: Encryption;

  constructor(inner: Store, encryption: Encryption, log: Log) {
    this.#inner = inner;
    this.#encryption = encryption;
    this.#log = log;
  }

  /** From now on another configuration holds, for reading and writing. */
  use(encryption: Encryption): void {
    const before = this.#encryption;
    this.#encryption = encryption;
    before.close();
  }

  get isShared(): boolean {
    return this.#inner.isShared === true;
  }

  revision(): Revision {
    return this.#inner.revision();
  }

  compactRevision(): Revision {
    return this.#inner.compactRevision();
  }

  async current(): Promise<Revision> {
    return await this.#inner.current();
  }

  async get(
    key: string,
    options?: { readonly isStaleOk?: boolean },
  ): Promise<KeyValue | undefined> {
    const kv = await this.#inner.get(key, options);
    if (kv === undefined) return undefined;
    await this.#prepare([kv]);
    return this.#open(kv);
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const result = await this.#inner.range(options);
    const preparing = this.#prepare(result.items);
    if (preparing !== undefined) await preparing;
    return { ...result, items: result.items.map((kv) => this.#open(kv)) };
  }

  async txn(txn: Txn): Promise<TxnResult> {
    const then = txn.then.map((op) =>
      op.kind === 'put' ? { ...op, value: this.#seal(op.key, op.value) } : op,
    );
    const result = await this.#inner.txn({ ...txn, then });
    if (result.ok) return result;
    const found = result.current.filter((one) => one !== undefined);
    await this.#prepare(found);
    return { ...result, current: result.current.map((kv) => kv && this.#open(kv)) };
  }

  watch(
    options: { start: string; end: string; startRevision: Revision },
    watcher: StoreWatcher,
  ): { cancel(): void } {
    const delivery = new Delivery(watcher, {
      prepare: (kvs) => this.#prepare(kvs),
      open: (kv) => this.#open(kv),
      onFailure: (error) => {
        this.#log.error('A watch ends: what it sees cannot be decrypted', { error });
        inner.cancel();
      },
    });
    const inner = this.#inner.watch(options, delivery);
    return {
      cancel: () => {
        delivery.cancel();
        inner.cancel();
      },
    };
  }

  async sizes(): Promise<readonly number[]> {
    return (await this.#inner.sizes?.()) ?? [];
  }

  async compact(revision: Revision): Promise<void> {
    await this.#inner.compact(revision);
  }

  /** Throws what plugins lack. */
  async check(): Promise<void> {
    await this.#encryption.check();
  }

  /** No plugin is asked any more. */
  end(): void {
    this.#encryption.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    await this.#inner[Symbol.asyncDispose]();
  }

  // ---- values ----

  #seal(key: string, value: Uint8Array): Uint8Array {
    const [writer = identity] = this.#encryption.transformersFor(key);
    if (writer === identity) return value;
    return Buffer.concat([writer.prefix, writer.encrypt(bytesOf(value), key)]);
  }

  #readerOf(kv: KeyValue): Transformer | undefined {
    const data = bytesOf(kv.value);
    const all = this.#encryption.transformersFor(kv.key);
    return all.find((one) => isOf(data, one)) ?? all.find(({ prefix }) => prefix.length === 0);
  }

  /** undefined when there is nothing to wait for. */
  #prepare(kvs: readonly KeyValue[]): Promise<unknown> | undefined {
    const waits: Promise<void>[] = [];
    for (const kv of kvs) {
      if ((kv.memo as Opened | undefined)?.by === this.#encryption) continue;
      const reader = this.#readerOf(kv);
      if (reader?.prepare === undefined) continue;
      try {
        const wait = reader.prepare(bytesOf(kv.value).subarray(reader.prefix.length));
        if (wait !== undefined) waits.push(wait);
      } catch {
        // open() says what is wrong with it.
      }
    }
    // Whoever opens what could not be prepared is told why.
    return waits.length === 0 ? undefined : Promise.all(waits);
  }

  #open(kv: KeyValue): KeyValue {
    const known = kv.memo as Opened | undefined;
    if (known?.by === this.#encryption) return known.plain;
    const reader = this.#readerOf(kv);
    const data = bytesOf(kv.value);
    const { key, createRevision, modRevision, version } = kv;
    // Whoever reads it is told; it can still be deleted, and seen to go. It is tried again each time.
    const refused = (unreadable: string): KeyValue => ({
      key,
      value: data,
      createRevision,
      modRevision,
      version,
      unreadable,
    });
    if (reader === undefined) return refused('no matching prefix found');
    let value: Buffer;
    try {
      value = reader.decrypt(data.subarray(reader.prefix.length), kv.key);
    } catch (error) {
      return refused((error as Error).message);
    }
    if (known !== undefined) {
      known.by = this.#encryption;
      return known.plain;
    }
    const isStale = (): boolean => this.#isStale(kv);
    const plain: KeyValue = {
      key,
      value,
      createRevision,
      modRevision,
      version,
      get isStale() {
        return isStale();
      },
    };
    kv.memo = { plain, by: this.#encryption } satisfies Opened;
    return plain;
  }

  /** Whether the value would be written in another way now. */
  #isStale(kv: KeyValue): boolean {
    const [writer = identity] = this.#encryption.transformersFor(kv.key);
    if (this.#readerOf(kv)?.prefix.equals(writer.prefix) !== true) return true;
    return writer.isStale?.(bytesOf(kv.value).subarray(writer.prefix.length)) === true;
  }
}

interface Opener {
  prepare(kvs: readonly KeyValue[]): Promise<unknown> | undefined;
  open(kv: KeyValue): KeyValue;
  onFailure(error: unknown): void;
}

/** Passes events on in their order, at once unless a plugin has to be asked first. */
class Delivery implements StoreWatcher {
  readonly #watcher: StoreWatcher;
  readonly #opener: Opener;
  #last: Promise<void> | undefined;
  #isOver = false;

  constructor(watcher: StoreWatcher, opener: Opener) {
    this.#watcher = watcher;
    this.#opener = opener;
  }

  cancel(): void {
    this.#isOver = true;
  }

  onEvents(events: readonly StoreEvent[], revision: Revision): void {
    const preparing = this.#opener.prepare(kvsOf(events));
    if (preparing === undefined && this.#last === undefined) return this.#deliver(events, revision);
    const last = (this.#last ?? Promise.resolve())
      .then(() => preparing)
      .then(() => this.#deliver(events, revision))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
  }

  onEnd(reason: 'compacted' | 'closed'): void {
    if (this.#last === undefined) return this.#end(reason);
    void this.#last.then(() => this.#end(reason));
  }

  #end(reason: 'compacted' | 'closed'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watcher.onEnd(reason);
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#opener.onFailure(error);
    this.#end('closed');
  }

  #deliver(events: readonly StoreEvent[], revision: Revision): void {
    if (this.#isOver) return;
    let opened: StoreEvent[];
    try {
      opened = events.map((event) => this.#opened(event));
    } catch (error) {
      return this.#fail(error);
    }
    this.#watcher.onEvents(opened, revision);
  }

  #opened(event: StoreEvent): StoreEvent {
    const { open } = this.#opener;
    if (event.kind === 'delete') return { ...event, previous: open(event.previous) };
    const previous = event.previous === undefined ? undefined : open(event.previous);
    return { kind: 'put', kv: open(event.kv), previous };
  }
}
