// The benchmark of launches at small size: every task runs and is acknowledged, in calls of any size.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure } from './launches.ts';

for (const perCall of [1, 5]) {
  test(`launches, ${perCall} a call`, () => {
    const { us, ...counts } = measure({ agents: 50, tasks: 200, perCall });
    assert.deepEqual(counts, { running: 200, acknowledged: 200 });
    assert.ok(us > 0);
  });
}
