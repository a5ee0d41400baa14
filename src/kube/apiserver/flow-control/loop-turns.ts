// When requests that wait go on. There is one thread, and whoever sends most would have most of it: what
// comes when a turn of the event loop has been long already is held back, and goes on in later turns, a few
// at a time, in the order of the levels and their queues. Between turns others are heard.
import type { Clock } from '#env/env.ts';
import type { Levels } from './levels.ts';
import type { Ticket } from './queue-set.ts';

/** What a turn may take before the next request has to wait. */
const TURN_MS = 5;
const FIRST_COST_MS = 0.5;
/** How much the newest turn counts in what a request is thought to cost. */
const WEIGHT = 0.2;
const BATCH_MAX = 64;

export class LoopTurns {
  readonly #levels: Levels;
  readonly #clock: Clock;
  readonly #go: (ticket: Ticket) => void;
  /** When the turn that is under way began; undefined between turns. */
  #startedAt: number | undefined;
  #turn: NodeJS.Immediate | undefined;
  #costMs = FIRST_COST_MS;
  #dispatched = 0;
  #isClosed = false;

  constructor(levels: Levels, clock: Clock, go: (ticket: Ticket) => void) {
    this.#levels = levels;
    this.#clock = clock;
    this.#go = go;
  }

  /** Whether a request that comes now has to wait for a later turn. */
  isBehind(now: number): boolean {
    if (this.#startedAt !== undefined)
      return (
        now - this.#startedAt > TURN_MS || (this.#turn !== undefined && this.#levels.hasWaiting)
      );
    this.#startedAt = now;
    this.#schedule();
    return false;
  }

  /** There may be something to go on with. */
  wake(): void {
    if (this.#levels.hasWaiting) this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#turn !== undefined) clearImmediate(this.#turn);
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#turn ??= setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#turn = undefined;
    const now = this.#clock.monotonicMs();
    if (this.#dispatched > 0 && this.#startedAt !== undefined) {
      const costMs = (now - this.#startedAt) / this.#dispatched;
      this.#costMs += (costMs - this.#costMs) * WEIGHT;
    }
    this.#dispatched = 0;
    this.#startedAt = undefined;
    const batch = Math.max(1, Math.min(BATCH_MAX, Math.floor(TURN_MS / this.#costMs)));
    while (this.#dispatched < batch) {
      const found = this.#levels.next(now, this.#costMs);
      if (found === undefined) break;
      this.#dispatched += 1;
      this.#go(found.ticket);
    }
    if (this.#dispatched === 0) return;
    this.#startedAt = now;
    this.#schedule();
  }
}
