// Lets work of the process's own begin in small portions, so that what comes over connections is never far behind it:
// a few milliseconds' worth in each turn of the event loop, in the order in which it was asked for.

/** After so long in one turn, nothing more begins in it. */
const PORTION_MS = 2;

/** How long nothing begins when a connection comes: a handshake and the first requests are some turns of the loop. */
const WAY_MS = 30;
/** However many come, the process's own work has half of its time, but for so long. */
const WAY_MS_MAX = 60;

/** How long after a connection a start goes on at half speed: whoever looks whether it is there comes back to ask. */
const CALM_MS = 200;
/** However long one turn was. */
const PAUSE_MS_MAX = 10;

export class LoopShare {
  readonly #nowMs: () => number;
  readonly #busyMs: () => number;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;
  #wayToMs = -Infinity;
  /** For how long way may still be given. */
  #wayLeftMs = WAY_MS_MAX;
  #countedMs = -Infinity;
  #isStarting = false;
  #calmToMs = -Infinity;
  /** At the end of the last pause. */
  #busyBeforeMs = 0;

  /** `busyMs`: for how long anything has run in the event loop. */
  constructor(
    nowMs: () => number = () => performance.now(),
    busyMs: () => number = () => performance.eventLoopUtilization().active,
  ) {
    this.#nowMs = nowMs;
    this.#busyMs = busyMs;
  }

  /** Resolves when the caller may go on; not before the next turn. */
  enter(): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push(done);
      this.#schedule();
    });
  }

  /**
   * There is much to begin until `started`, which keeps more threads busy than this one. When somebody has come, other
   * processes have half of that time: work is followed by a pause as long.
   */
  async starting(started: Promise<unknown>): Promise<void> {
    this.#isStarting = true;
    this.#busyBeforeMs = this.#busyMs();
    await started;
    this.#isStarting = false;
  }

  /** Somebody outside has come, and is waited on first. */
  giveWay(): void {
    const now = this.#nowMs();
    if (now > this.#calmToMs) this.#busyBeforeMs = this.#busyMs();
    this.#calmToMs = now + CALM_MS;
    this.#wayLeftMs = Math.min(WAY_MS_MAX, this.#wayLeftMs + (now - this.#countedMs) / 2);
    this.#countedMs = now;
    const moreMs = now + WAY_MS - Math.max(now, this.#wayToMs);
    if (moreMs > this.#wayLeftMs) return;
    this.#wayLeftMs -= moreMs;
    this.#wayToMs = now + WAY_MS;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const turn = (): void => {
      const now = this.#nowMs();
      const wayMs = this.#wayToMs - now;
      if (wayMs > 0) return void setTimeout(turn, wayMs);
      const pauseMs = this.#pauseMs(now);
      if (pauseMs > 0) return void setTimeout(turn, pauseMs);
      this.#isScheduled = false;
      this.#begin(now);
    };
    setImmediate(turn);
  }

  #pauseMs(now: number): number {
    if (!this.#isStarting || now > this.#calmToMs) return 0;
    const busyMs = this.#busyMs();
    const tookMs = busyMs - this.#busyBeforeMs;
    if (tookMs < PORTION_MS) return 0;
    this.#busyBeforeMs = busyMs;
    return Math.min(PAUSE_MS_MAX, tookMs);
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
