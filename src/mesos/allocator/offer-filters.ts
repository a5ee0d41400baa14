// What frameworks refused, on which agent and until when. Kept with the agents, by the dense number
// of the client; ends are kept in buckets by time, so that time passing costs what ends.
import type { Resources } from '#mesos/resources/resources.ts';

/** Milliseconds since the Unix epoch. */
export type Instant = number;

interface Filter {
  readonly refused: Resources;
  readonly until: Instant;
  /** Of the client when it refused; another one now means that all its filters were cleared. */
  readonly epoch: number;
  readonly next: Filter | undefined;
}

export interface FilteringClient {
  /** Dense; may be given to another one after this one is gone. */
  readonly index: number;
  /** Never the same for two clients, nor before and after its filters are cleared. */
  epoch: number;
  filterCount: number;
}

const CHUNK = 64;
const NO_FILTERS: readonly undefined[] = Array.from<undefined>({ length: CHUNK }).fill(undefined);

const MARKS_MIN = 16;
/** There may be filters, and what they cover is not known without reading them. */
const UNREAD = 0xffff_ffff;

/** The filters on one agent, by client. */
export class AgentFilters {
  readonly chunks: ((Filter | undefined)[] | undefined)[] = [];
  /** What there mostly is to offer; of it is known at once who refuses it, without reading filters. */
  #bag: Resources | undefined;
  /** By number of the client: its epoch, when one of its filters covers the bag; 0 when it has none. */
  #marks = new Uint32Array();

  /** True only when the client refuses the offer now; false says nothing. */
  refuses({ index, epoch }: FilteringClient, offer: Resources): boolean {
    return this.#bag === offer && this.#marks[index] === epoch;
  }

  /** One of the client's filters covers the bag. */
  mark({ index, epoch }: FilteringClient, bag: Resources): void {
    if (this.#bag !== bag) {
      this.#bag = bag;
      for (let i = 0; i < this.#marks.length; i++)
        if (this.#marks[i] !== 0) this.#marks[i] = UNREAD;
    }
    this.#marks[index] = epoch;
  }

  clear(): void {
    this.chunks.length = 0;
    this.#marks.fill(0);
  }

  get(client: FilteringClient): Filter | undefined {
    if ((this.#marks[client.index] ?? 0) === 0) return undefined;
    const filter = this.chunks[client.index >> 6]?.[client.index & 63];
    return filter?.epoch === client.epoch ? filter : undefined;
  }

  set({ index }: FilteringClient, filter: Filter | undefined): void {
    const at = index >> 6;
    if (index >= this.#marks.length) {
      const grown = new Uint32Array(Math.max(MARKS_MIN, 2 * index));
      grown.set(this.#marks);
      this.#marks = grown;
    }
    this.#marks[index] = filter === undefined ? 0 : UNREAD;
    if (filter === undefined && this.chunks[at] === undefined) return;
    while (this.chunks.length <= at) this.chunks.push(undefined);
    const chunk = (this.chunks[at] ??= NO_FILTERS.slice());
    chunk[index & 63] = filter;
  }
}

interface Bucket<A, C> {
  readonly until: Instant;
  readonly agents: A[];
  readonly clients: C[];
}

/** Refusals of all clients on all agents. */
export class OfferFilters<A extends { readonly filters: AgentFilters }, C extends FilteringClient> {
  readonly #buckets = new Map<Instant, Bucket<A, C>>();
  /** Ends of buckets, the earliest first. */
  readonly #heap: Instant[] = [];
  #lastEpoch = 0;

  nextEpoch(): number {
    return ++this.#lastEpoch;
  }

  add(client: C, agent: A, refused: Resources, until: Instant): void {
    let next: Filter | undefined;
    let count = 0;
    for (let one = agent.filters.get(client); one !== undefined; one = one.next) {
      count++;
      if (one.until <= until && (one.refused === refused || refused.contains(one.refused)))
        continue;
      next = { ...one, next };
    }
    const filter = { refused, until, epoch: client.epoch, next };
    agent.filters.set(client, filter);
    agent.filters.mark(client, refused);
    client.filterCount += next === undefined ? 1 - count : lengthOf(filter) - count;
    let bucket = this.#buckets.get(until);
    if (bucket === undefined) {
      bucket = { until, agents: [], clients: [] };
      this.#buckets.set(until, bucket);
      push(this.#heap, until);
    }
    bucket.agents.push(agent);
    bucket.clients.push(client);
  }

  /** Until when the offer is refused; undefined when it is not. */
  refusedUntil(client: C, agent: A, offer: Resources): Instant | undefined {
    for (let one = agent.filters.get(client); one !== undefined; one = one.next) {
      if (one.refused !== offer && !one.refused.contains(offer)) continue;
      agent.filters.mark(client, offer);
      return one.until;
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
      for (const [j, filter] of (chunk ?? []).entries()) {
        const client = filter === undefined ? undefined : clientAt(i * CHUNK + j);
        if (client !== undefined && filter?.epoch === client.epoch) {
          client.filterCount -= lengthOf(filter);
        }
      }
    }
    agent.filters.clear();
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
      for (const [i, agent] of (bucket?.agents ?? []).entries()) {
        const client = bucket?.clients[i] as C;
        if (this.#drop(client, agent, now)) onEnded(agent, client);
      }
    }
  }

  #drop(client: C, agent: A, now: Instant): boolean {
    const first = agent.filters.get(client);
    if (first === undefined) return false;
    let kept: Filter | undefined;
    for (let one: Filter | undefined = first; one !== undefined; one = one.next) {
      if (one.until > now) kept = { ...one, next: kept };
    }
    const gone = lengthOf(first) - lengthOf(kept);
    if (gone === 0) return false;
    client.filterCount -= gone;
    agent.filters.set(client, kept);
    return true;
  }
}

function lengthOf(filter: Filter | undefined): number {
  let length = 0;
  for (let one = filter; one !== undefined; one = one.next) length++;
  return length;
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
