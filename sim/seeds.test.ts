// Thousands of seeded cluster histories: each must end with every promise kept. A failure names its
// seed; `node sim/main.ts --seed N` tells the story.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from './run.ts';

const SEEDS = 2_000;

test(`${SEEDS} seeds keep every promise`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations } = runSeed(seed);
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
});
