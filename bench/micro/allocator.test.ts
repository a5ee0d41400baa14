// The allocator's benchmark at small size: every shape gives out what it has to, and work follows
// what changed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure } from './allocator.ts';

test('the shapes of Mesos, small', () => {
  const found = new Map(
    measure({ agents: 100, frameworks: 20 }).map((one) => [one.shape, one.phases]),
  );
  const msOf = (shape: string, phase: number) => found.get(shape)?.[phase]?.ms ?? NaN;
  const counts = (shape: string) => found.get(shape)?.map(({ count }) => count);
  assert.deepEqual(counts('MultiFrameworkAllocations'), [4 * 4_000 + 500 * 5 + 50 * 20]);
  assert.deepEqual(counts('AddAndUpdateSlave')?.slice(2), [100, 100]);
  // Each round the agents go to those that have not declined them yet.
  assert.deepEqual(
    counts('DeclineOffers')?.slice(2),
    Array.from({ length: 11 }, () => 100),
  );
  assert.deepEqual(counts('ExtremeSuppressOffers (99 %)')?.slice(2), [100, 100, 100, 100, 100]);
  assert.deepEqual(counts('PersistentVolumes SHARED')?.[0], 100);
  assert.deepEqual(counts('LargeAndSmallQuota drf')?.[1], 0, 'nothing changed, nothing is done');
  // The better one of two: somebody else may have had the processor meanwhile.
  const [work = 0, quiet = Infinity] = [0, 1].map((phase) =>
    Math.min(...['drf', 'random'].map((one) => msOf(`LargeAndSmallQuota ${one}`, phase))),
  );
  assert.ok(quiet < work, `${quiet} ms for nothing, ${work} ms for all offers`);
});
