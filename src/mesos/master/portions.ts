// Long work of the master in portions: calls that came together, runs of the allocator. A turn of the event
// loop spends a few milliseconds on it; before the next, whatever else has come is read and answered.

/** True: there is more of it to do. */
export type Portion = () => boolean;

/**
 * Calls of many connections wait beside one run of the allocator, which has two portions for each of theirs: what is
 * offered, and to whom, is waited for by all; what is given back meanwhile is for the next run.
 */
export type Kind = 'call' | 'run';

/** Of a run, for each portion of a call that waits. */
const RUNS_MAX = 2;
/** So long a turn works; the last portion of it may take longer. */
const TURN_MS = 3;
/** So much of that right when it comes, in the order in which connections are read. */
const AT_ONCE_MS = 1;
/** While others ask, a turn works for so long; and they do for a while after each question. */
const HURRIED_TURN_MS = 1;
const HURRY_MS = 30;

export class Portions {
  readonly #monotonicMs: () => number;
  readonly #waiting: Record<Kind, Portion[]> = { call: [], run: [] };
  /** Portions of runs since the last one of a call. */
  #runs = 0;
  #isPlanned = false;
  /** When this turn's work began. */
  #began = 0;
  /** Of this turn, outside of portions. */
  #spentMs = 0;
  #hurriedUntil = 0;
  #isClosed = false;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** Its first portion is done in this turn, after what has been read, and after those of its kind that wait. */
  add(kind: Kind, portion: Portion): void {
    if (this.#isClosed) return;
    this.#waiting[kind].push(portion);
    this.#plan();
  }

  /** Somebody asks who should not wait for long, and may ask again. */
  hurry(): void {
    this.#hurriedUntil = this.#monotonicMs() + HURRY_MS;
  }

  /** Short work may still be done at once in this turn: nobody waits longer for it. */
  get hasTime(): boolean {
    return this.#spentMs < AT_ONCE_MS && this.#isIdle;
  }

  /** Does short work at once. */
  spend<T>(work: () => T): T {
    const from = this.#monotonicMs();
    try {
      return work();
    } finally {
      this.#spentMs += this.#monotonicMs() - from;
      this.#plan();
    }
  }

  /** The portion that is being done should come to its end. */
  get isOver(): boolean {
    const now = this.#monotonicMs();
    return now - this.#began >= (now < this.#hurriedUntil ? HURRIED_TURN_MS : TURN_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting.call = [];
    this.#waiting.run = [];
  }

  get #isIdle(): boolean {
    return this.#waiting.call.length + this.#waiting.run.length === 0;
  }

  #plan(): void {
    if (this.#isPlanned || this.#isClosed) return;
    this.#isPlanned = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isPlanned = false;
    this.#spentMs = 0;
    this.#began = this.#monotonicMs();
    try {
      do {
        const { run, call } = this.#waiting;
        const isRun = run.length > 0 && (this.#runs < RUNS_MAX || call.length === 0);
        const kind: Kind = isRun ? 'run' : 'call';
        const portion = this.#waiting[kind].shift();
        if (portion === undefined) return;
        this.#runs = isRun ? this.#runs + 1 : 0;
        if (portion()) this.#waiting[kind].push(portion);
      } while (!this.isOver);
    } finally {
      if (!this.#isIdle) this.#plan();
    }
  }
}
