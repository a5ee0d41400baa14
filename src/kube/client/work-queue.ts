// The queue between informers and reconcilers. Fair: first in, first out. Stingy: a key that is added
// many times before it is taken is taken once; one that is added while worked on is taken again after.
// A failing key comes back later and later. Keys wait by the injected timers.
import type { Clock, Timer, Timers } from '#env/env.ts';

export interface WorkQueueOptions {
  /** The delay after the n-th failure is `backOffMsMin * 2^(n-1)`, at most `backOffMsMax`. */
  readonly backOffMsMin: number;
  readonly backOffMsMax: number;
}

/** Those of client-go's default limiter, but for the maximum (1000 s there): periods repair here. */
export const defaultBackOff: WorkQueueOptions = { backOffMsMin: 5, backOffMsMax: 60_000 };

interface Delayed {
  readonly at: number;
  readonly timer: Timer;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #timing: { readonly clock: Clock; readonly timers: Timers };
  /** In the order in which they will be taken; a subset of `dirty`. */
  #queue: string[] = [];
  #head = 0;
  readonly #dirty = new Set<string>();
  readonly #processing = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #onReady: () => void;
  #isClosed = false;

  /** `onReady` is called whenever a key can be taken. */
  constructor(
    options: WorkQueueOptions,
    onReady: () => void,
    timing: { readonly clock: Clock; readonly timers: Timers },
  ) {
    this.#options = options;
    this.#onReady = onReady;
    this.#timing = timing;
  }

  get length(): number {
    return this.#queue.length - this.#head;
  }

  get processingCount(): number {
    return this.#processing.size;
  }

  add(key: string): void {
    if (this.#isClosed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (this.#processing.has(key)) return;
    this.#queue.push(key);
    this.#onReady();
  }

  /** Of several delays of one key the shortest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#isClosed) return;
    if (delayMs <= 0) return this.add(key);
    const at = this.#timing.clock.monotonicMs() + delayMs;
    const known = this.#delayed.get(key);
    if (known !== undefined) {
      if (known.at <= at) return;
      known.timer.cancel();
    }
    const timer = this.#timing.timers.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, timer });
  }

  /** It failed: after its back-off. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { backOffMsMin, backOffMsMax } = this.#options;
    this.addAfter(key, Math.min(backOffMsMax, backOffMsMin * 2 ** Math.min(failures, 40)));
  }

  /** It worked: the next failure begins anew. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failureCount(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, which belongs to the caller until `done`; undefined when there is none. */
  take(): string | undefined {
    const key = this.#queue[this.#head];
    if (key === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#dirty.delete(key);
    this.#processing.add(key);
    return key;
  }

  done(key: string): void {
    this.#processing.delete(key);
    if (this.#isClosed || !this.#dirty.has(key)) return;
    this.#queue.push(key);
    this.#onReady();
  }

  /** Nothing is given out any more. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#queue = [];
    this.#head = 0;
  }
}
