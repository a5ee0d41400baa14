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

/**
 * One refusal; those of one client on one agent are a chain, the latest first. As many come in a second as there are
 * offers, and each stays for seconds: those that have ended are used again.
 */
class Filter<A = unknown, C = unknown> {
  agent: A;
  client: C;
  refused: Resources;
  until: Instant;
  /**
   * Of the client when it refused; another one now means that all its filters were cleared. Of no client once it
   * has ended, or a later one stands for it.
   */
  epoch: number;
  later: Filter<A, C> | undefined = undefined;
  earlier: Filter<A, C> | undefined = undefined;

  constructor(agent: A, client: C & FilteringClient, refused: Resources, until: Instant) {
    this.agent = agent;
    this.client = client;
    this.refused = refused;
    this.until = until;
    this.epoch = client.epoch;
  }
}

/** Of filters that are no more. */
const NO_EPOCH = 0;
/** So many that have ended are kept: as many as come in some seconds. */
const SPARE_MAX = 1 << 16;
const CHUNK = 64;
const NO_FILTERS: readonly undefined[] = Array.from<undefined>({ length: CHUNK }).fill(undefined);

/** The filters on one agent, by client; true of those clients only that have a bit in the table. */
export class AgentFilters {
  readonly chunks: ((Filter | undefined)[] | undefined)[] = [];
  /** What there mostly is to offer; of it is known at once who refuses it, without reading filters. */
  bag: Resources | undefined;

  clear(): void {
    this.chunks.length = 0;
    this.bag = undefined;
  }

  /** `agent`: whose filters these are. */
  get({ index, epoch }: FilteringClient, agent: unknown): Filter | undefined {
    const filter = this.chunks[index >> 6]?.[index & 63];
    // One that ended may be somebody else's by now.
    return filter?.epoch === epoch && filter.agent === agent ? filter : undefined;
  }

  /** The latest one of the client; others that it has are behind it. */
  set({ index }: FilteringClient, filter: Filter): void {
    const at = index >> 6;
    while (this.chunks.length <= at) this.chunks.push(undefined);
    const chunk = (this.chunks[at] ??= NO_FILTERS.slice());
    chunk[index & 63] = filter;
  }
}

/** Refusals of all clients on all agents. */
export class OfferFilters<A extends FilteredAgent, C extends FilteringClient> {
  /**
   * Which clients may have filters on which agents: nearly always that alone is asked. Beside each such bit there is
   * one for those that refuse the bag that stands with the filters of the agent.
   */
  readonly #bits = new BitTable();
  /** By their end, in the order in which they came. */
  readonly #buckets = new Map<Instant, Filter<A, C>[]>();
  /** Have ended, and are found nowhere. */
  readonly #spare: Filter<A, C>[] = [];
  /** Ends of buckets, the earliest first. */
  readonly #heap: Instant[] = [];
  #lastEpoch = 0;
  /** Means nothing: what comes of a glance must go somewhere, or V8 leaves it out. */
  glances = 0;

  nextEpoch(): number {
    return ++this.#lastEpoch;
  }

  add(client: C, agent: A, refused: Resources, until: Instant): void {
    const before = this.#first(client, agent);
    const filter = this.#make(client, agent, refused, until);
    this.#bucketOf(until).push(filter);
    client.filterCount += 1;
    if (before === undefined) this.#bits.set(agent.index, thereOf(client));
    else this.#putBefore(filter, before);
    agent.filters.set(client, filter as Filter);
    this.#mark(client, agent, refused);
  }

  /** One of the client's filters covers the bag. */
  #mark(client: C, { index: row, filters }: A, bag: Resources): void {
    if (filters.bag !== bag) {
      filters.bag = bag;
      this.#bits.clearOdd(row);
    }
    this.#bits.set(row, refusingOf(client));
  }

  #make(client: C, agent: A, refused: Resources, until: Instant): Filter<A, C> {
    const filter = this.#spare.pop();
    if (filter === undefined) return new Filter(agent, client, refused, until);
    filter.agent = agent;
    filter.client = client;
    filter.refused = refused;
    filter.until = until;
    filter.epoch = client.epoch;
    return filter;
  }

  /** Those of the chain that it covers, and that end no later, are no more. */
  #putBefore(filter: Filter<A, C>, chain: Filter<A, C>): void {
    const { refused, until } = filter;
    let after = filter;
    for (let one: Filter<A, C> | undefined = chain; one !== undefined; one = one.earlier) {
      const isCovered = one.refused === refused || refused.contains(one.refused);
      if (isCovered && one.until <= until) {
        this.#drop(one);
        continue;
      }
      after.earlier = one;
      one.later = after;
      after = one;
    }
    after.earlier = undefined;
  }

  /** True only when the client refuses the offer now; false says nothing. */
  refuses(client: C, agent: A, offer: Resources): boolean {
    return agent.filters.bag === offer && this.#bits.has(agent.index, refusingOf(client));
  }

  /** Reads what `refuses` reads of the agent, whoever the client is, and does nothing else. */
  glance(agent: A, offer: Resources): void {
    if (agent.filters.bag === offer && this.#bits.has(agent.index, 0)) this.glances += 1;
  }

  /** Until when the offer is refused; undefined when it is not. */
  refusedUntil(client: C, agent: A, offer: Resources): Instant | undefined {
    for (let one = this.#first(client, agent); one !== undefined; one = one.earlier) {
      if (one.refused !== offer && !one.refused.contains(offer)) continue;
      this.#mark(client, agent, offer);
      return one.until;
    }
    return undefined;
  }

  clear(client: C): void {
    if (client.filterCount > 0) {
      this.#bits.clearColumn(thereOf(client));
      this.#bits.clearColumn(refusingOf(client));
    }
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
    this.#bits.clearRow(agent.index);
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
      const bucket = this.#buckets.get(end) ?? [];
      this.#buckets.delete(end);
      for (const filter of bucket) {
        if (filter.epoch === filter.client.epoch) {
          this.#end(filter, now);
          onEnded(filter.agent, filter.client);
        }
        this.#spareOne(filter);
      }
    }
  }

  #spareOne(filter: Filter<A, C>): void {
    filter.epoch = NO_EPOCH;
    filter.earlier = undefined;
    filter.later = undefined;
    if (this.#spare.length < SPARE_MAX) this.#spare.push(filter);
  }

  /** All of its chain that have ended by now, which nearly always is the filter alone. */
  #end(filter: Filter<A, C>, now: Instant): void {
    const { agent, client } = filter;
    if (filter.later === undefined && filter.earlier === undefined) {
      this.#drop(filter);
      this.#forget(client, agent);
      return;
    }
    let kept: Filter<A, C> | undefined;
    let first: Filter<A, C> | undefined;
    for (let one = this.#first(client, agent); one !== undefined; one = one.earlier) {
      if (one.until <= now) {
        this.#drop(one);
        continue;
      }
      one.later = kept;
      if (kept === undefined) first = one;
      else kept.earlier = one;
      kept = one;
    }
    if (first === undefined || kept === undefined) {
      this.#forget(client, agent);
    } else {
      kept.earlier = undefined;
      agent.filters.set(client, first as Filter);
      // Whether those that are left cover the bag is to be read.
      this.#bits.unset(agent.index, refusingOf(client));
    }
  }

  #forget(client: C, agent: A): void {
    this.#bits.unset(agent.index, thereOf(client));
    this.#bits.unset(agent.index, refusingOf(client));
  }

  #drop(filter: Filter<A, C>): void {
    filter.epoch = NO_EPOCH;
    filter.client.filterCount -= 1;
  }

  #bucketOf(until: Instant): Filter<A, C>[] {
    const known = this.#buckets.get(until);
    if (known !== undefined) return known;
    const made: Filter<A, C>[] = [];
    this.#buckets.set(until, made);
    push(this.#heap, until);
    return made;
  }

  #first(client: C, agent: A): Filter<A, C> | undefined {
    if (!this.#bits.has(agent.index, thereOf(client))) return undefined;
    return agent.filters.get(client, agent) as Filter<A, C> | undefined;
  }
}

function thereOf({ index }: FilteringClient): number {
  return 2 * index;
}

function refusingOf({ index }: FilteringClient): number {
  return 2 * index + 1;
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
