// How containers below others ended, for those who ask after the container above is gone as well:
// `mesos task attach` asks how its task ended once it has read all that the task wrote.
import type { Termination } from './nested.ts';

const ENDS_MAX = 1_000;

export class LateEnds {
  readonly #ends = new Map<string, Termination>();

  /** The oldest make room. */
  add(name: string, end: Termination): void {
    this.#ends.delete(name);
    this.#ends.set(name, end);
    const oldest = this.#ends.keys().next();
    if (this.#ends.size > ENDS_MAX && oldest.done !== true) this.#ends.delete(oldest.value);
  }

  get(name: string): Termination | undefined {
    return this.#ends.get(name);
  }

  /** Somebody removed the container: it is to be unknown. False when it was. */
  delete(name: string): boolean {
    return this.#ends.delete(name);
  }
}
