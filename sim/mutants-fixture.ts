// What a deliberately broken part is, and the test that some seed shows it to the observer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from './run.ts';
import type { Sabotage } from './world.ts';

const SEEDS = 200;
/** A run of an average seed has 4,000. */
const STEPS_MAX = 60_000;

export interface Mutant {
  readonly name: string;
  readonly sabotage: Sabotage;
  /** What the observer says of it, in at least one of the seeds. */
  readonly says: RegExp;
  /** Seeds that are known to show what few do. */
  readonly first?: readonly number[];
  /** Of one that makes runs long. */
  readonly stepsMax?: number;
}

export function areNoticed(mutants: readonly Mutant[]): void {
  for (const { name, sabotage, says, first = [], stepsMax = STEPS_MAX } of mutants) {
    test(`the observer notices ${name}`, () => {
      const heard = new Set<string>();
      const others = Array.from({ length: SEEDS }, (_, i) => i + 1);
      for (const seed of [...first, ...others]) {
        const { violations } = runSeed(seed, { isTraced: false, sabotage, stepsMax });
        if (violations.some((one) => says.test(one))) return;
        for (const one of violations) heard.add(one);
      }
      assert.fail(
        `none of ${SEEDS} seeds shows it; heard instead: ${[...heard].slice(0, 5).join('\n')}`,
      );
    });
  }
}
