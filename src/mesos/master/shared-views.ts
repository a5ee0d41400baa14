// Answers that are expensive to build (/state and the like) are built once for all who asked the
// same before the building ended, in slices, and for a crowd never back to back: half of the time is
// left for everything else, however many ask. What is answered is never older than the question.
import type { Env } from '#env/env.ts';
import type { Rope } from './rope.ts';

/** An answer in two steps: texts are written as long as time allows, then put together at once. */
export interface View {
  /** False when `isOver` said stop before all was written. */
  refresh(isOver: () => boolean): boolean;
  /** In the same turn in which `refresh` was true. */
  compose(): Rope;
}

interface Waiting<T> {
  readonly view: View;
  readonly askers: T[];
  slices: number;
}

/** So long nobody else is served. */
const SLICE_MS = 5;
/** Of a state that changes faster than it is written; then the rest is written in one go. */
const SLICES_MAX = 2_000;

export class SharedViews<T> {
  readonly #env: Env;
  readonly #answer: (asker: T, rope: Rope) => void;
  readonly #fail: (asker: T, error: unknown) => void;
  readonly #waiting = new Map<string, Waiting<T>>();
  #isScheduled = false;
  /** By the monotonic clock. */
  #restsUntil = 0;

  constructor(
    env: Env,
    answer: (asker: T, rope: Rope) => void,
    fail: (asker: T, error: unknown) => void,
  ) {
    this.#env = env;
    this.#answer = answer;
    this.#fail = fail;
  }

  /** True when somebody waits for the same already. */
  ask(key: string, asker: T, view: View): boolean {
    const same = this.#waiting.get(key);
    if (same !== undefined) {
      same.askers.push(asker);
      return true;
    }
    this.#waiting.set(key, { view, askers: [asker], slices: 0 });
    this.#schedule();
    return false;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const delay = Math.max(0, this.#restsUntil - this.#env.clock.monotonicMs());
    this.#env.timers.after(delay, () => this.#next());
  }

  /** What one of them cannot be told is nothing to the others. */
  #tell(asker: T, rope: Rope): void {
    try {
      this.#answer(asker, rope);
    } catch (error) {
      this.#fail(asker, error);
    }
  }

  /** One slice of one view a turn. */
  #next(): void {
    this.#isScheduled = false;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [key, one] = first;
    const from = this.#env.clock.monotonicMs();
    const isOver = (): boolean => {
      return one.slices < SLICES_MAX && this.#env.clock.monotonicMs() - from >= SLICE_MS;
    };
    try {
      one.slices += 1;
      if (one.view.refresh(isOver)) {
        const rope = one.view.compose();
        this.#waiting.delete(key);
        for (const asker of one.askers) this.#tell(asker, rope);
      }
    } catch (error) {
      this.#waiting.delete(key);
      for (const asker of one.askers) this.#fail(asker, error);
    }
    const now = this.#env.clock.monotonicMs();
    // A single reader, one question after the other, need not wait.
    const isCrowded = one.askers.length > 1 || this.#waiting.size > 1;
    this.#restsUntil = isCrowded ? now + (now - from) : 0;
    if (this.#waiting.size > 0) this.#schedule();
  }
}
