// What frameworks refused, per agent and until when. Ends are kept in a heap, so that time passing
// costs what ends and not what exists.
import type { Resources } from '#mesos/resources/resources.ts';

/** Milliseconds since the Unix epoch. */
export type Instant = number;

export interface Filter {
  readonly refused: Resources;
  readonly until: Instant;
}

interface End {
  readonly until: Instant;
  readonly agentId: string;
  readonly filters: Map<string, Filter[]>;
}

const STALE_ENDS_MIN = 1_024;

/** Refusals of all clients; each client holds the map of its own. */
export class OfferFilters {
  #ends: End[] = [];
  #liveCount = 0;

  add(filters: Map<string, Filter[]>, agentId: string, filter: Filter): void {
    const mine = filters.get(agentId) ?? [];
    const kept = mine.filter(
      (one) => one.until > filter.until || !filter.refused.contains(one.refused),
    );
    this.#liveCount += kept.length + 1 - mine.length;
    kept.push(filter);
    filters.set(agentId, kept);
    this.#push({ until: filter.until, agentId, filters });
    if (this.#ends.length > 2 * this.#liveCount + STALE_ENDS_MIN) this.#dropStale();
  }

  refuses(filters: Map<string, Filter[]>, agentId: string, offer: Resources): boolean {
    const mine = filters.get(agentId);
    if (mine === undefined) return false;
    for (const { refused } of mine) if (refused.contains(offer)) return true;
    return false;
  }

  clear(filters: Map<string, Filter[]>): void {
    for (const mine of filters.values()) this.#liveCount -= mine.length;
    filters.clear();
  }

  forgetAgent(filters: Map<string, Filter[]>, agentId: string): void {
    this.#liveCount -= filters.get(agentId)?.length ?? 0;
    filters.delete(agentId);
  }

  /** Tells the agents of filters that ended; returns when the next one ends. */
  expire(now: Instant, onEnded: (agentId: string) => void): Instant | undefined {
    for (;;) {
      const end = this.#ends[0];
      if (end === undefined || end.until > now) return end?.until;
      this.#pop();
      const mine = end.filters.get(end.agentId);
      if (mine === undefined) continue;
      const left = mine.filter(({ until }) => until > now);
      if (left.length === mine.length) continue;
      this.#liveCount -= mine.length - left.length;
      if (left.length === 0) end.filters.delete(end.agentId);
      else end.filters.set(end.agentId, left);
      onEnded(end.agentId);
    }
  }

  #dropStale(): void {
    const isLive = ({ filters, agentId, until }: End): boolean =>
      filters.get(agentId)?.some((one) => one.until === until) === true;
    // A sorted array is a heap.
    this.#ends = this.#ends.filter(isLive).sort((a, b) => a.until - b.until);
  }

  #push(end: End): void {
    const heap = this.#ends;
    let at = heap.push(end) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent] as End;
      if (other.until <= end.until) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = end;
  }

  #pop(): void {
    const heap = this.#ends;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.until < (heap[child] as End).until) child++;
      const next = heap[child] as End;
      if (next.until >= last.until) break;
      heap[at] = next;
      at = child;
    }
    heap[at] = last;
  }
}
