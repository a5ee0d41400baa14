// Lets work of the process's own begin in small portions, so that what comes over connections is never far behind it:
// a few milliseconds' worth in each turn of the event loop, in the order in which it was asked for.

/** After so long in one turn, nothing more begins in it. */
const PORTION_MS = 4;

/** How long nothing begins when a connection comes: a handshake and a first request are a few turns of the loop. */
const WAY_MS = 20;
/** Between two times that way is given: however many come, the process's own work has most of its time. */
const WAY_PAUSE_MS = 100;

export class LoopShare {
  readonly #nowMs: () => number;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;
  #wayFromMs = -Infinity;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Resolves when the caller may go on; not before the next turn. */
  enter(): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push(done);
      this.#schedule();
    });
  }

  /** Somebody outside has come, and is waited on first. */
  giveWay(): void {
    const now = this.#nowMs();
    if (now - this.#wayFromMs >= WAY_PAUSE_MS) this.#wayFromMs = now;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const turn = (): void => {
      const now = this.#nowMs();
      const wayMs = this.#wayFromMs + WAY_MS - now;
      if (wayMs > 0) return void setTimeout(turn, wayMs);
      this.#isScheduled = false;
      this.#begin(now);
    };
    setImmediate(turn);
  }

  #begin(startedMs: number): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length === 0) return;
    // Behind all that the caller does before it waits for something else.
    queueMicrotask(() =>
      process.nextTick(() => {
        if (this.#nowMs() - startedMs < PORTION_MS) this.#begin(startedMs);
        else this.#schedule();
      }),
    );
  }
}
