// Images are collected on their own when their disk is too full, after each interval, and not once it is closed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#env/sim/clock.ts';
import { SimRandom } from '#env/sim/random.ts';
import type { Log } from '#env/env.ts';
import { ImageGc } from './image-gc.ts';
import type { ImageStore } from './image-store.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

function world(usedOf: () => number) {
  const clock = new SimClock();
  const env = { clock, timers: clock, random: new SimRandom(1), log };
  const pruned: (readonly string[])[] = [];
  const store = {
    diskUsed: async () => usedOf(),
    prune: async (excluded: readonly string[]) => {
      pruned.push(excluded);
      return 1;
    },
  } as unknown as ImageStore;
  const config = { headroom: 0.1, intervalMs: 60_000, excluded: ['keep'] };
  const gc = new ImageGc(store, config, env);
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    // What the timer has begun.
    await new Promise((done) => setImmediate(done));
  };
  return { gc, pruned, pass };
}

test('only when there is less room than there is to be, at each interval anew', async () => {
  let used = 0.5;
  const { gc, pruned, pass } = world(() => used);
  gc.start();
  await pass(59_000);
  used = 0.95;
  assert.deepEqual(pruned, []);
  await pass(1_000);
  assert.deepEqual(pruned, [['keep']]);
  used = 0.9;
  await pass(60_000);
  assert.equal(pruned.length, 1);
  used = 0.91;
  await pass(60_000);
  assert.equal(pruned.length, 2);
  await gc.close();
  await pass(600_000);
  assert.equal(pruned.length, 2);
});

test('a disk that cannot be looked at is looked at again', async () => {
  let looks = 0;
  const { gc, pruned, pass } = world(() => {
    looks += 1;
    if (looks === 1) throw new Error('EIO');
    return 1;
  });
  gc.start();
  await pass(60_000);
  assert.deepEqual([looks, pruned.length], [1, 0]);
  await pass(60_000);
  assert.deepEqual([looks, pruned.length], [2, 1]);
  await gc.close();
});
