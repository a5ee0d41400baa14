// The crash-loop delays, for any life of a container.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import { backoffLeftMs, goDuration, nextBackoff } from './backoff.ts';
import type { Backoff } from './backoff.ts';

test('nextBackoff() doubles from 10 s to 300 s while a container keeps crashing', () => {
  let backoff: Backoff | undefined;
  const delays: number[] = [];
  let now = 0;
  for (let crash = 0; crash < 8; crash++) {
    const finishedAt = now;
    now += backoffLeftMs(backoff, { finishedAt, now });
    delays.push((now - finishedAt) / 1000);
    backoff = nextBackoff(backoff, { finishedAt, now });
  }
  assert.deepEqual(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
});

test('backoffLeftMs() never exceeds 300 s and is over after ten minutes of life', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_500_000), { minLength: 1, maxLength: 20 }), (lives) => {
      let backoff: Backoff | undefined;
      let now = 0;
      for (const lifeMs of lives) {
        const finishedAt = now + lifeMs;
        const left = backoffLeftMs(backoff, { finishedAt, now: finishedAt });
        assert.ok(left >= 0 && left <= 300_000);
        if (lifeMs > 600_000) assert.equal(left, 0);
        now = finishedAt + left;
        backoff = nextBackoff(backoff, { finishedAt, now });
        assert.equal(backoff.delayMs >= 10_000 && backoff.delayMs <= 300_000, true);
      }
    }),
  );
});

test('goDuration() prints as Go does', () => {
  assert.deepEqual([10_000, 80_000, 300_000].map(goDuration), ['10s', '1m20s', '5m0s']);
});
