// Thousands of seeded cluster histories: each must end with every promise kept. A failure names its
// seed; `node sim/main.ts --seed N` tells the story. The other half is in seeds-more.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepPromises } from './seeds-fixture.ts';
import { runSeed } from './run.ts';

/** Each once broke a promise; the commit that added it says which. */
const CORPUS = [
  1, 21, 25, 34, 60, 92, 139, 171, 277, 465, 485, 556, 580, 642, 652, 657, 667, 772, 817, 898, 1279,
  1323, 1429, 1717, 1818, 1919, 2299, 2330, 2973, 3008, 3475, 4077, 4173, 4351, 4853, 5198, 5597,
  5887, 5907, 6215, 6677, 7793, 8638, 8804, 8931, 9028, 9371, 9427, 9497, 10642, 10842, 75, 534,
  604, 14125, 15210, 16867, 200, 3017, 4347, 6464, 8167, 1773, 3661, 3687, 4721, 7337,
];

test('seeds that once broke a promise', () => {
  for (const seed of CORPUS) {
    const { violations } = runSeed(seed);
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
});

keepPromises(1, 1_000);
