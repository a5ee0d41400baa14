// Allocation is fair by weight: under contention each framework's share of the cluster, by what really
// runs, is what its weight gives it, up to the grain of whole tasks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Holding, runFairness } from './run.ts';

const SEEDS = 20;
/** 4 machines of 8 cpus, tasks of one. */
const TASK_SHARE = 1 / 32;
/** A share that is no whole number of tasks moves between its neighbours. */
const GRAIN = 1.5 * TASK_SHARE;

/** Of what all of them hold together: the few percent between an end and the next launch are nobody's. */
function unfair(holdings: readonly Holding[]): Holding | undefined {
  const weights = holdings.reduce((sum, { weight }) => sum + weight, 0);
  const held = holdings.reduce((sum, { share }) => sum + share, 0);
  return holdings.find(({ weight, share }) => Math.abs(share - (held * weight) / weights) > GRAIN);
}

test('each framework gets what its weight says, up to one task and a half', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const holdings = runFairness(seed);
    assert.equal(unfair(holdings), undefined, `seed ${seed}: ${JSON.stringify(holdings)}`);
  }
});

test('an allocator that ignores weights is noticed', () => {
  const sabotage = {
    master: ({
      state,
    }: {
      state: { allocator: { setWeight(role: string, weight: number): void } };
    }) => {
      for (let i = 1; i <= 4; i++) state.allocator.setWeight(`r${i}`, 1);
    },
  };
  const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
  assert.ok(seeds.some((seed) => unfair(runFairness(seed, sabotage)) !== undefined));
});
