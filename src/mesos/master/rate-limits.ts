// How fast drivers (v0) may send (--rate_limits of Mesos 1.11): one queue for each principal that has a
// limit, one for all others together; what is too much for a queue is dropped. HTTP is not limited.
import { assert } from '#base/assert.ts';
import type { Timer, Timers } from '#env/env.ts';
import type { RateLimits as Config } from '#wire/mesos/v1.ts';

/** What becomes of a message: `dropped` tells the capacity that it exceeded. */
export type Passage =
  | { readonly kind: 'now' }
  | { readonly kind: 'queued' }
  | { readonly kind: 'dropped'; readonly capacity: number };

interface Clock {
  monotonicMs(): number;
}

/** Lets one through in each `1 / qps` seconds, in order. */
class Limiter {
  readonly #gapMs: number;
  readonly #capacity: number;
  readonly #timers: Timers;
  readonly #clock: Clock;
  #queue: { readonly run: () => void; readonly isCounted: boolean }[] = [];
  #counted = 0;
  #freeAt = -Infinity;
  #timer: Timer | undefined;

  constructor(qps: number, capacity: number | undefined, clock: Clock, timers: Timers) {
    this.#gapMs = 1_000 / qps;
    this.#capacity = capacity ?? Infinity;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** `isCounted`: it takes room, and there may be none. */
  pass(run: () => void, isCounted: boolean): Passage {
    if (isCounted && this.#counted >= this.#capacity) {
      return { kind: 'dropped', capacity: this.#capacity };
    }
    const now = this.#clock.monotonicMs();
    if (this.#queue.length === 0 && now >= this.#freeAt) {
      this.#freeAt = now + this.#gapMs;
      return { kind: 'now' };
    }
    if (isCounted) this.#counted += 1;
    this.#queue.push({ run, isCounted });
    this.#arm(now);
    return { kind: 'queued' };
  }

  get waiting(): number {
    return this.#queue.length;
  }

  close(): void {
    this.#timer?.cancel();
    this.#queue = [];
  }

  #arm(now: number): void {
    if (this.#timer !== undefined || this.#queue.length === 0) return;
    this.#timer = this.#timers.after(Math.max(0, this.#freeAt - now), () => this.#next());
  }

  #next(): void {
    this.#timer = undefined;
    const first = this.#queue.shift();
    if (first === undefined) return;
    if (first.isCounted) this.#counted -= 1;
    const now = this.#clock.monotonicMs();
    this.#freeAt = now + this.#gapMs;
    first.run();
    this.#arm(now);
  }
}

export class RateLimits {
  /** Undefined behind a principal: it is not limited at all. */
  readonly #byPrincipal: ReadonlyMap<string, Limiter | undefined>;
  readonly #others: Limiter | undefined;

  constructor(config: Config, clock: Clock, timers: Timers) {
    assert(rateLimitsProblem(config) === undefined, 'rate limits have been checked');
    const byPrincipal = new Map<string, Limiter | undefined>();
    const limiter = (qps: number, capacity: number | undefined): Limiter =>
      new Limiter(qps, capacity, clock, timers);
    for (const { principal, qps, capacity } of config.limits ?? []) {
      byPrincipal.set(principal, qps === undefined ? undefined : limiter(qps, capacity));
    }
    const { aggregate_default_qps: qps, aggregate_default_capacity: capacity } = config;
    this.#byPrincipal = byPrincipal;
    this.#others = qps === undefined ? undefined : limiter(qps, capacity);
  }

  /** `run` is called later, if the message is queued. For frameworks that are registered only. */
  message(principal: string | undefined, run: () => void): Passage {
    return this.#of(principal)?.pass(run, true) ?? { kind: 'now' };
  }

  /** The end of a driver comes after what it has sent, and is never too much. True: later. */
  holdsEnd(principal: string | undefined, run: () => void): boolean {
    return this.#of(principal)?.pass(run, false).kind === 'queued';
  }

  get waiting(): number {
    let count = this.#others?.waiting ?? 0;
    for (const one of this.#byPrincipal.values()) count += one?.waiting ?? 0;
    return count;
  }

  close(): void {
    for (const one of this.#byPrincipal.values()) one?.close();
    this.#others?.close();
  }

  #of(principal: string | undefined): Limiter | undefined {
    if (principal !== undefined && this.#byPrincipal.has(principal)) {
      return this.#byPrincipal.get(principal);
    }
    return this.#others;
  }
}

function notPositive(name: string, value: number): string {
  return `Invalid ${name}: ${value}. It must be a positive number`;
}

/** What is wrong with a configuration, in Mesos' words. */
export function rateLimitsProblem(config: Config): string | undefined {
  const seen = new Set<string>();
  for (const { principal, qps } of config.limits ?? []) {
    if (seen.has(principal)) {
      return `Duplicate principal ${principal} found in RateLimits configuration`;
    }
    if (qps !== undefined && qps <= 0) return notPositive('qps', qps);
    seen.add(principal);
  }
  const { aggregate_default_qps: qps } = config;
  return qps !== undefined && qps <= 0 ? notPositive('aggregate_default_qps', qps) : undefined;
}
