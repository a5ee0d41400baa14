// The work, or the time: whichever is first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atMost } from './at-most.ts';
import { SimClock } from './sim/clock.ts';

test('atMost() ends with the work, and leaves no timer', async () => {
  const clock = new SimClock();
  await atMost(1_000, Promise.resolve('done'), clock);
  await assert.rejects(atMost(1_000, Promise.reject(new Error('no')), clock), /no/);
  assert.equal(clock.nextAt(), undefined);
});

test('atMost() ends when the time is up', async () => {
  const clock = new SimClock();
  let isOver = false;
  const waiting = atMost(1_000, new Promise(() => {}), clock).then(() => (isOver = true));
  await clock.settle(999);
  assert.equal(isOver, false);
  await clock.settle(1);
  await waiting;
  assert.equal(isOver, true);
});
