// The virtual clock: time moves only when a test or the simulator says so.
import type { Clock, Instant, Timer, Timers } from '#env/env.ts';

interface Pending {
  readonly at: Instant;
  readonly sequence: number;
  readonly fire: () => void;
  cancelled: boolean;
}

function before(a: Pending, b: Pending): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

export class SimClock implements Clock, Timers {
  #now: Instant;
  readonly #start: Instant;
  #sequence = 0;
  readonly #heap: Pending[] = [];

  constructor(start: Instant = 1_700_000_000_000) {
    this.#now = start;
    this.#start = start;
  }

  now(): Instant {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#now - this.#start;
  }

  /** Timers of the same instant fire in the order in which they were set. */
  after(delayMs: number, fire: () => void): Timer {
    this.#sequence += 1;
    const pending: Pending = {
      at: this.#now + Math.max(0, delayMs),
      sequence: this.#sequence,
      fire,
      cancelled: false,
    };
    this.#push(pending);
    return {
      cancel: () => {
        pending.cancelled = true;
      },
    };
  }

  /** When the next timer is due, if any. */
  nextAt(): Instant | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.at;
  }

  /** Fires the next timer, moving time to it; false when there is none. */
  step(): boolean {
    this.#dropCancelled();
    const next = this.#pop();
    if (next === undefined) return false;
    this.#now = Math.max(this.#now, next.at);
    next.fire();
    return true;
  }

  /** Moves time forward, firing what becomes due (also timers set meanwhile). */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let at = this.nextAt(); at !== undefined && at <= until; at = this.nextAt()) this.step();
    this.#now = until;
  }

  /**
   * Lets promises run, then fires due timers, until neither is left or `limitMs` of virtual time
   * have passed. For shells, whose work is asynchronous.
   */
  async settle(limitMs = 0): Promise<void> {
    const until = this.#now + limitMs;
    for (;;) {
      for (let turn = 0; turn < 20; turn++) await new Promise<void>((done) => setImmediate(done));
      const at = this.nextAt();
      if (at === undefined || at > until) break;
      this.step();
    }
    this.#now = Math.max(this.#now, until);
  }

  #dropCancelled(): void {
    while (this.#heap[0]?.cancelled === true) this.#pop();
  }

  #push(pending: Pending): void {
    const heap = this.#heap;
    heap.push(pending);
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(pending, above)) break;
      heap[child] = above;
      heap[parent] = pending;
      child = parent;
    }
  }

  #pop(): Pending | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let parent = 0;
    for (;;) {
      let child = parent * 2 + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, left)) child += 1;
      const smaller = right !== undefined && before(right, left) ? right : left;
      if (!before(smaller, last)) break;
      heap[parent] = smaller;
      parent = child;
    }
    heap[parent] = last;
    return top;
  }
}
