// Ranges of seeds as tests, in portions, so that one that fails says where to look.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from './run.ts';

const PORTION = 250;

export function keepPromises(from: number, to: number): void {
  for (let first = from; first <= to; first += PORTION) {
    const last = Math.min(to, first + PORTION - 1);
    test(`seeds ${first} to ${last} keep every promise`, () => {
      for (let seed = first; seed <= last; seed++) {
        const { violations } = runSeed(seed);
        assert.deepEqual(violations, [], `seed ${seed}`);
      }
    });
  }
}
