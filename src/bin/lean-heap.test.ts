// When a part gives back what its start has left: once, when it is idle and still small.
import assert from 'node:assert/strict';
import test from 'node:test';
import { collectWhenIdle } from './lean-heap.ts';

const MB = 1024 * 1024;

/** Each check finds one of the utilizations; returns at which of them it collected, and how many timers it set. */
function run(utilizations: readonly number[], heapBytes = 20 * MB, cancelAt = -1) {
  const collected: number[] = [];
  let due: (() => void) | undefined;
  let [set, at] = [0, 0];
  const timers = {
    after(_delayMs: number, fire: () => void) {
      set += 1;
      due = fire;
      return { cancel: () => (due = undefined) };
    },
  };
  const probe = {
    utilization: () => utilizations[at] ?? 1,
    heapBytes: () => heapBytes,
    collect: () => void collected.push(at),
  };
  const running = collectWhenIdle(timers, probe);
  for (; due !== undefined; at += 1) {
    if (at === cancelAt) running.cancel();
    const fire = due as (() => void) | undefined;
    due = undefined;
    fire?.();
  }
  return { collected, set };
}

test('a part collects once, at the first quiet check', () => {
  assert.deepEqual(run([0.02]), { collected: [0], set: 1 });
  assert.deepEqual(run([0.9, 0.5, 0.05, 0]), { collected: [2], set: 3 });
});

test('a part that stays busy, or holds much, does not stand still for it', () => {
  assert.deepEqual(run([]), { collected: [], set: 60 });
  assert.deepEqual(run([0], 65 * MB), { collected: [], set: 1 });
});

test('nothing is collected behind the end', () => {
  assert.deepEqual(run([0.9, 0.9, 0], 20 * MB, 1), { collected: [], set: 2 });
});
