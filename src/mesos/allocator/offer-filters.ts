// What frameworks refused, on which agent and until when. Kept with the agents, by the dense number
// of the client; ends are kept in buckets by time, so that time passing costs what ends.
import type { Resources } from '#mesos/resources/resources.ts';
import { BitTable } from './bit-table.ts';

/** Milliseconds since the Unix epoch. */
export type Instant = number;

export interface FilteringClient {
  /** Dense; may be given to another one after this one is gone. */
  readonly index: number;
  /** Never the same for two clients, nor before and after its filters are cleared. */
  epoch: number;
  filterCount: number;
}

export interface FilteredAgent {
  /** Dense; may be given to another one after this one is gone. */
  readonly index: number;
  readonly filters: AgentFilters;
}

/** Filters that end at the same time. */
interface Bucket<A, C> {
  readonly until: Instant;
  readonly filters: Filter<A, C>[];
}

/** One refusal; those of one client on one agent are a chain, the latest first. */
class Filter<A = unknown, C = unknown> {
  readonly agent: A;
  readonly client: C;
  readonly refused: Resources;
  readonly bucket: Bucket<A, C>;
  /**
   * Of the client when it refused; another one now means that all its filters were cleared. Of no client once it
   * has ended, or a later one stands for it.
   */
  epoch: number;
  later: Filter<A, C> | undefined;
  earlier: Filter<A, C> | undefined;

  constructor(agent: A, client: C & FilteringClient, refused: Resources, bucket: Bucket<A, C>) {
    this.agent = agent;
    this.client = client;
    this.refused = refused;
    this.bucket = bucket;
    this.epoch = client.epoch;
  }
}

/** Of filters that are no more. */
const NO_EPOCH = 0;
const CHUNK = 64;
const NO_FILTERS: readonly undefined[] = Array.from<undefined>({ length: CHUNK }).fill(undefined);

/** There may be filters, and what they cover is not known without reading them. */
const UNREAD = 0xffff_ffff;

/** The filters on one agent, by client; true of those clients only that have a bit in the table. */
export class AgentFilters {
  readonly chunks: ((Filter | undefined)[] | undefined)[] = [];
  /** What there mostly is to offer; of it is known at once who refuses it, without reading filters. */
  #bag: Resources | undefined;
  /** By number of the client: its epoch, when one of its filters covers the bag. */
  #marks = new Uint32Array();

  /** True only when the client refuses the offer now; false says nothing. */
  refuses({ index, epoch }: FilteringClient, offer: Resources): boolean {
    return this.#bag === offer && this.#marks[index] === epoch;
  }

  /** One of the client's filters covers the bag. */
  mark({ index, epoch }: FilteringClient, bag: Resources): void {
    if (this.#bag !== bag) {
      this.#bag = bag;
      this.#marks.fill(UNREAD);
    }
    this.#marks[index] = epoch;
  }

  clear(): void {
    this.chunks.length = 0;
    this.#bag = undefined;
  }

  get({ index, epoch }: FilteringClient): Filter | undefined {
    const filter = this.chunks[index >> 6]?.[index & 63];
    return filter?.epoch === epoch ? filter : undefined;
  }

  /** What it covers is read before it is known. */
  set({ index }: FilteringClient, filter: Filter): void {
    const at = index >> 6;
    if (index >= this.#marks.length) {
      const grown = new Uint32Array((at + 1) * CHUNK);
      grown.set(this.#marks);
      this.#marks = grown;
    }
    this.#marks[index] = UNREAD;
    while (this.chunks.length <= at) this.chunks.push(undefined);
    const chunk = (this.chunks[at] ??= NO_FILTERS.slice());
    chunk[index & 63] = filter;
  }
}

/** Refusals of all clients on all agents. */
export class OfferFilters<A extends FilteredAgent, C extends FilteringClient> {
  /** Which clients may have filters on which agents: nearly always that alone is asked. */
  readonly #there = new BitTable();
  readonly #buckets = new Map<Instant, Bucket<A, C>>();
  /** Ends of buckets, the earliest first. */
  readonly #heap: Instant[] = [];
  #lastEpoch = 0;

  nextEpoch(): number {
    return ++this.#lastEpoch;
  }

  add(client: C, agent: A, refused: Resources, until: Instant): void {
    const bucket = this.#bucketOf(until);
    const filter = new Filter(agent, client, refused, bucket);
    bucket.filters.push(filter);
    client.filterCount += 1;
    let after: Filter<A, C> | undefined = filter;
    for (let one = this.#first(client, agent); one !== undefined; one = one.earlier) {
      const isCovered = one.refused === refused || refused.contains(one.refused);
      if (isCovered && one.bucket.until <= until) {
        this.#drop(one);
        continue;
      }
      after.earlier = one;
      one.later = after;
      after = one;
    }
    after.earlier = undefined;
    agent.filters.set(client, filter as Filter);
    agent.filters.mark(client, refused);
    this.#there.set(agent.index, client.index);
  }

  /** True only when the client refuses the offer now; false says nothing. */
  refuses(client: C, agent: A, offer: Resources): boolean {
    return this.#there.has(agent.index, client.index) && agent.filters.refuses(client, offer);
  }

  /** Until when the offer is refused; undefined when it is not. */
  refusedUntil(client: C, agent: A, offer: Resources): Instant | undefined {
    for (let one = this.#first(client, agent); one !== undefined; one = one.earlier) {
      if (one.refused !== offer && !one.refused.contains(offer)) continue;
      agent.filters.mark(client, offer);
      return one.bucket.until;
    }
    return undefined;
  }

  clear(client: C): void {
    client.filterCount = 0;
    client.epoch = this.nextEpoch();
  }

  /** All that anybody refused on the agent; `clientAt` finds the client of a number. */
  clearAgent(agent: A, clientAt: (index: number) => C | undefined): void {
    for (const [i, chunk] of agent.filters.chunks.entries()) {
      for (let j = 0; j < (chunk?.length ?? 0); j++) {
        const client = clientAt(i * CHUNK + j);
        if (client === undefined) continue;
        for (let one = this.#first(client, agent); one !== undefined; one = one.earlier) {
          this.#drop(one);
        }
      }
    }
    agent.filters.clear();
    this.#there.clearRow(agent.index);
  }

  get nextEnd(): Instant | undefined {
    return this.#heap[0];
  }

  /** Tells what ended; returns when the next filter ends. */
  expire(now: Instant, onEnded: (agent: A, client: C) => void): Instant | undefined {
    for (;;) {
      const end = this.#heap[0];
      if (end === undefined || end > now) return end;
      pop(this.#heap);
      const bucket = this.#buckets.get(end);
      this.#buckets.delete(end);
      for (const filter of bucket?.filters ?? []) {
        if (filter.epoch === filter.client.epoch) {
          this.#end(filter, now);
          onEnded(filter.agent, filter.client);
        }
      }
    }
  }

  /** All of its chain that have ended by now, which nearly always is the filter alone. */
  #end(filter: Filter<A, C>, now: Instant): void {
    const { agent, client } = filter;
    if (filter.later === undefined && filter.earlier === undefined) {
      this.#drop(filter);
      this.#there.unset(agent.index, client.index);
      return;
    }
    let kept: Filter<A, C> | undefined;
    let first: Filter<A, C> | undefined;
    for (let one = this.#first(client, agent); one !== undefined; one = one.earlier) {
      if (one.bucket.until <= now) {
        this.#drop(one);
        continue;
      }
      one.later = kept;
      if (kept === undefined) first = one;
      else kept.earlier = one;
      kept = one;
    }
    if (first === undefined || kept === undefined) {
      this.#there.unset(agent.index, client.index);
    } else {
      kept.earlier = undefined;
      agent.filters.set(client, first as Filter);
    }
  }

  #drop(filter: Filter<A, C>): void {
    filter.epoch = NO_EPOCH;
    filter.client.filterCount -= 1;
  }

  #bucketOf(until: Instant): Bucket<A, C> {
    const known = this.#buckets.get(until);
    if (known !== undefined) return known;
    const made = { until, filters: [] };
    this.#buckets.set(until, made);
    push(this.#heap, until);
    return made;
  }

  #first(client: C, agent: A): Filter<A, C> | undefined {
    if (!this.#there.has(agent.index, client.index)) return undefined;
    return agent.filters.get(client) as Filter<A, C> | undefined;
  }
}

function push(heap: number[], value: number): void {
  let at = heap.push(value) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const other = heap[parent] as number;
    if (other <= value) break;
    heap[at] = other;
    at = parent;
  }
  heap[at] = value;
}

function pop(heap: number[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    const right = heap[child + 1];
    if (right !== undefined && right < (heap[child] as number)) child++;
    const next = heap[child] as number;
    if (next >= last) break;
    heap[at] = next;
    at = child;
  }
  heap[at] = last;
}
