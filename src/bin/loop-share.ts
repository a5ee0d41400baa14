// Lets work of the process's own begin in small portions, so that what comes over connections is never far behind it:
// a few milliseconds' worth in each turn of the event loop, in the order in which it was asked for.

/** After so long in one turn, nothing more begins in it. */
const PORTION_MS = 4;

export class LoopShare {
  readonly #nowMs: () => number;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;

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

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#begin(this.#nowMs());
    });
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
