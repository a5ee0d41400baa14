// Thousands of seeded cluster histories: each must end with every promise kept. A failure names its
// seed; `node sim/main.ts --seed N` tells the story.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from './run.ts';

const SEEDS = 2_000;
/** Each once broke a promise; the commit that added it says which. */
const CORPUS = [
  1, 21, 277, 580, 652, 657, 817, 1323, 1429, 1717, 1919, 2299, 2330, 4853, 5887, 5907, 6677, 8638,
  25, 34, 60, 92, 139, 642, 898, 1279, 1818,
];

test('seeds that once broke a promise', () => {
  for (const seed of CORPUS) {
    const { violations } = runSeed(seed);
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
});

test(`${SEEDS} seeds keep every promise`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations } = runSeed(seed);
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
});
