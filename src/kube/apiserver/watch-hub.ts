// The fan-out of watches: one watch on the store for each resource, clients that want the same bytes
// share one channel, and what happens within a turn of the event loop is one write to each of them.
import { StreamGroup, type GroupedStream } from '#http2/stream-group.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { prefixEnd, type Store, type StoreEvent } from '#store/store.ts';
import { collectionPrefix } from './object-store.ts';
import { classify, type Selection, type WatchEvent } from './selection.ts';
import type { WatchForm } from './watch-forms.ts';

/** Receivers whose writes take long enough for the first ones to leave before the last ones are made. */
const LARGE = 100;

export interface Interest {
  readonly info: ResourceInfo;
  readonly namespace: string | undefined;
  readonly selection: Selection;
  readonly form: WatchForm;
}

/** Is told what is sent, and what the store says. */
export interface WatchListener {
  watched(info: ResourceInfo, bytes: number, receivers: number): void;
  received(info: ResourceInfo, events: number): void;
}

/** The store has closed, its history is gone, or it holds something that cannot be read. */
export type End = 'compacted' | 'closed' | 'unreadable';

/** One client's stream. */
export interface Receiver {
  /** Receivers of one connection are written to one after the other. */
  readonly connection: unknown;
  /** Where most events go, all of one connection at once; undefined: only write() sends. */
  readonly grouped: GroupedStream | undefined;
  write(bytes: Buffer): void;
  /** What has been written to receivers of this connection leaves now. */
  flush(): void;
  end(reason: End): void;
}

/** Receivers of one connection. */
class Beside {
  readonly #all = new Set<Receiver>();
  /** Those who are not in the group. */
  readonly #alone = new Set<Receiver>();
  #group: StreamGroup<Receiver> | undefined;

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Receiver> {
    return this.#all.values();
  }

  add(receiver: Receiver): void {
    this.#all.add(receiver);
    const { grouped } = receiver;
    if (grouped === undefined) this.#alone.add(receiver);
    else (this.#group ??= new StreamGroup(grouped.owner)).add(grouped, receiver);
  }

  /** False: it was not there. */
  delete(receiver: Receiver): boolean {
    if (!this.#all.delete(receiver)) return false;
    if (!this.#alone.delete(receiver)) this.#group?.delete(receiver);
    return true;
  }

  write(bytes: Buffer): void {
    for (const receiver of this.#group?.send(bytes) ?? []) receiver.write(bytes);
    for (const receiver of this.#alone) receiver.write(bytes);
  }

  /** What has been written leaves now. */
  flush(): void {
    for (const receiver of this.#all) return receiver.flush();
  }
}

/** Clients with the same resource, namespace, selection and form: their bytes are made once. */
export class Channel {
  readonly #interest: Interest;
  readonly #schedule: (channel: Channel) => void;
  readonly #listener: WatchListener | undefined;
  readonly #receivers = new Map<unknown, Beside>();
  #size = 0;
  #pending: Buffer[] = [];

  constructor(
    interest: Interest,
    schedule: (channel: Channel) => void,
    listener: WatchListener | undefined,
  ) {
    this.#interest = interest;
    this.#schedule = schedule;
    this.#listener = listener;
  }

  get size(): number {
    return this.#size;
  }

  add(receiver: Receiver): void {
    const { connection } = receiver;
    const beside = this.#receivers.get(connection) ?? new Beside();
    this.#receivers.set(connection, beside);
    beside.add(receiver);
    this.#size += 1;
  }

  /** False: it was not there. */
  remove(receiver: Receiver): boolean {
    const { connection } = receiver;
    const beside = this.#receivers.get(connection);
    if (beside?.delete(receiver) !== true) return false;
    this.#size -= 1;
    if (beside.size === 0) this.#receivers.delete(connection);
    return true;
  }

  end(reason: End): void {
    this.flush();
    const all = [...this.#receivers.values()].flatMap((beside) => [...beside]);
    for (const receiver of all) receiver.end(reason);
  }

  onEvents(events: readonly StoreEvent[], made: EventBytes): void {
    const { info, namespace, selection, form } = this.#interest;
    const prefix = collectionPrefix(info, namespace);
    for (const event of events) {
      const key = event.kind === 'put' ? event.kv.key : event.key;
      if (!key.startsWith(prefix)) continue;
      const meant = classify(info, event, selection);
      if (meant === undefined) continue;
      if (this.#pending.length === 0) this.#schedule(this);
      const bytes = made.bytes(meant, form);
      this.#listener?.watched(info, bytes.length, this.#size);
      this.#pending.push(bytes);
    }
  }

  /** Sends what has gathered; before anybody joins, and before anything else is written. */
  flush(): void {
    const [first] = this.#pending;
    if (first === undefined) return;
    const bytes = this.#pending.length === 1 ? first : Buffer.concat(this.#pending);
    this.#pending = [];
    // Of many, each connection's write leaves before the next one's is made: nobody waits for all of them.
    const isLarge = this.#size >= LARGE;
    for (const beside of this.#receivers.values()) {
      beside.write(bytes);
      if (isLarge) beside.flush();
    }
  }
}

/** The bytes of the events of one revision, for all channels that have one form. */
class EventBytes {
  readonly #made = new Map<string, Buffer>();

  bytes(event: WatchEvent, form: WatchForm): Buffer {
    const key = `${form.key} ${event.type} ${event.revision} ${event.kv.key}`;
    let bytes = this.#made.get(key);
    if (bytes === undefined) {
      bytes = form.event(event);
      this.#made.set(key, bytes);
    }
    return bytes;
  }
}

/** All channels of one resource. */
interface Feed {
  readonly channels: Map<string, Channel>;
  /** Receivers by namespace ('' for all), without those that look at one node's objects only. */
  readonly counts: Map<string, number>;
  readonly watch: { cancel(): void };
}

export class WatchHub {
  readonly #store: Store;
  readonly #listener: WatchListener | undefined;
  readonly #feeds = new Map<ResourceInfo, Feed>();
  /** Streams of custom kinds, by their definition. */
  readonly #attending = new Map<string, Set<Receiver>>();
  /** What is not served so any more: whoever comes late with it is ended at once. */
  readonly #over = new WeakSet<ResourceInfo>();
  readonly #dirty = new Set<Channel>();
  #isScheduled = false;

  constructor(store: Store, listener?: WatchListener) {
    this.#store = store;
    this.#listener = listener;
  }

  /** The receiver gets every event after the store's revision of now, until it leaves. */
  join(interest: Interest, receiver: Receiver): { channel: Channel; leave(): void } {
    const { info, form } = interest;
    const feed = this.#feeds.get(info) ?? this.#open(info);
    const key = `${form.key}\n${interest.namespace ?? ''}\n${JSON.stringify(interest.selection)}`;
    let channel = feed.channels.get(key);
    if (channel === undefined) {
      channel = new Channel(interest, (one) => this.#schedule(one), this.#listener);
      feed.channels.set(key, channel);
    }
    channel.flush();
    channel.add(receiver);
    const joined = channel;
    const isOfNode = interest.selection.fields.some(({ path }) => path === 'spec.nodeName');
    const place = interest.namespace ?? '';
    const count = (by: number): void =>
      void feed.counts.set(place, (feed.counts.get(place) ?? 0) + by);
    if (!isOfNode) count(1);
    const leave = (): void => {
      if (joined.remove(receiver) && !isOfNode) count(-1);
      if (joined.size > 0 || feed.channels.get(key) !== joined) return;
      feed.channels.delete(key);
      if (feed.channels.size > 0) return;
      feed.watch.cancel();
      if (this.#feeds.get(info) === feed) this.#feeds.delete(info);
    };
    return { channel, leave };
  }

  /** How many receivers are told of a change in the namespace. */
  watchers(info: ResourceInfo, namespace: string | undefined): number {
    const counts = this.#feeds.get(info)?.counts;
    if (counts === undefined) return 0;
    const everywhere = counts.get('') ?? 0;
    return namespace === undefined ? everywhere : everywhere + (counts.get(namespace) ?? 0);
  }

  /** From now on endOf() of its definition ends the stream, too; the function that is returned lets it go. */
  attend(info: ResourceInfo, receiver: Receiver): () => void {
    const { customResourceDefinition: definition } = info;
    if (definition === undefined) return () => {};
    if (this.#over.has(info)) receiver.end('closed');
    const all = this.#attending.get(definition) ?? new Set();
    this.#attending.set(definition, all);
    all.add(receiver);
    return () => {
      all.delete(receiver);
      if (all.size === 0 && this.#attending.get(definition) === all)
        this.#attending.delete(definition);
    };
  }

  /** The watches of a custom kind end: it is served no more, or by another schema, as `infos` were not. */
  endOf(definition: string, infos: Iterable<ResourceInfo>): void {
    for (const info of infos) this.#over.add(info);
    for (const receiver of this.#attending.get(definition) ?? []) receiver.end('closed');
  }

  close(): void {
    for (const feed of this.#feeds.values()) feed.watch.cancel();
    this.#feeds.clear();
  }

  #open(info: ResourceInfo): Feed {
    const channels = new Map<string, Channel>();
    const start = collectionPrefix(info, undefined);
    const watch = this.#store.watch(
      { start, end: prefixEnd(start), startRevision: this.#store.revision() + 1 },
      {
        onEvents: (events) => {
          this.#listener?.received(info, events.length);
          const made = new EventBytes();
          for (const channel of channels.values()) {
            try {
              channel.onEvents(events, made);
            } catch {
              // Who watches is told so, and of which object it is when it lists them.
              channel.end('unreadable');
            }
          }
        },
        onEnd: (reason) => this.#onEnd(info, channels, reason),
      },
    );
    const feed = { channels, counts: new Map<string, number>(), watch };
    this.#feeds.set(info, feed);
    return feed;
  }

  #onEnd(
    info: ResourceInfo,
    channels: ReadonlyMap<string, Channel>,
    reason: 'compacted' | 'closed',
  ): void {
    this.#feeds.delete(info);
    for (const channel of channels.values()) channel.end(reason);
  }

  #schedule(channel: Channel): void {
    this.#dirty.add(channel);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      // Those first who are many: the few (controllers of this process do their work at once) are a moment later.
      const channels = [...this.#dirty].sort((a, b) => b.size - a.size);
      this.#dirty.clear();
      for (const one of channels) one.flush();
    });
  }
}
