// Answers that are expensive to build (/state and the like) are built once for all who asked the
// same before the building began, and for a crowd never back to back: half of the time is left for
// everything else, however many ask. What is answered is never older than the question.
import type { Env } from '#env/env.ts';

interface Waiting<T> {
  readonly build: () => Buffer;
  readonly askers: T[];
}

export class SharedViews<T> {
  readonly #env: Env;
  readonly #answer: (asker: T, bytes: Buffer) => void;
  readonly #fail: (asker: T, error: unknown) => void;
  readonly #waiting = new Map<string, Waiting<T>>();
  #isScheduled = false;
  /** By the monotonic clock. */
  #restsUntil = 0;

  constructor(
    env: Env,
    answer: (asker: T, bytes: Buffer) => void,
    fail: (asker: T, error: unknown) => void,
  ) {
    this.#env = env;
    this.#answer = answer;
    this.#fail = fail;
  }

  /** True when somebody waits for the same already. */
  ask(key: string, asker: T, build: () => Buffer): boolean {
    const same = this.#waiting.get(key);
    if (same !== undefined) {
      same.askers.push(asker);
      return true;
    }
    this.#waiting.set(key, { build, askers: [asker] });
    this.#schedule();
    return false;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const delay = Math.max(0, this.#restsUntil - this.#env.clock.monotonicMs());
    this.#env.timers.after(delay, () => this.#next());
  }

  /** One view a turn. */
  #next(): void {
    this.#isScheduled = false;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [key, { build, askers }] = first;
    this.#waiting.delete(key);
    const from = this.#env.clock.monotonicMs();
    try {
      const bytes = build();
      for (const asker of askers) this.#answer(asker, bytes);
    } catch (error) {
      for (const asker of askers) this.#fail(asker, error);
    }
    const now = this.#env.clock.monotonicMs();
    // A single reader, one question after the other, need not wait.
    const isCrowded = askers.length > 1 || this.#waiting.size > 0;
    this.#restsUntil = isCrowded ? now + (now - from) : 0;
    if (this.#waiting.size > 0) this.#schedule();
  }
}
