// What a controller has asked for and not yet seen in its informers. While something is expected the
// local copy is stale and must not be counted, or the same thing would be asked for twice.
import type { Clock } from '#env/env.ts';

/** After this an expectation is given up: what it waits for was missed. */
const EXPECTATION_MS_MAX = 5 * 60_000;

interface Expected {
  creations: number;
  readonly deletions: Set<string>;
  since: number;
}

export class Expectations {
  readonly #clock: Clock;
  readonly #expected = new Map<string, Expected>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isSatisfied(key: string): boolean {
    const expected = this.#expected.get(key);
    if (expected === undefined) return true;
    if (expected.creations <= 0 && expected.deletions.size === 0) {
      this.#expected.delete(key);
      return true;
    }
    return this.#clock.monotonicMs() - expected.since > EXPECTATION_MS_MAX;
  }

  expectCreations(key: string, count: number): void {
    this.#open(key).creations += count;
  }

  expectDeletion(key: string, uid: string): void {
    this.#open(key).deletions.add(uid);
  }

  /** Seen, or failed: it will not come. */
  creationObserved(key: string): void {
    const expected = this.#expected.get(key);
    if (expected !== undefined && expected.creations > 0) expected.creations -= 1;
  }

  deletionObserved(key: string, uid: string): void {
    this.#expected.get(key)?.deletions.delete(uid);
  }

  forget(key: string): void {
    this.#expected.delete(key);
  }

  #open(key: string): Expected {
    let expected = this.#expected.get(key);
    if (expected === undefined) {
      expected = { creations: 0, deletions: new Set(), since: 0 };
      this.#expected.set(key, expected);
    }
    expected.since = this.#clock.monotonicMs();
    return expected;
  }
}
