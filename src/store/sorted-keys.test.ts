// Sorted keys against a sorted array.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SortedKeys } from './sorted-keys.ts';

test('SortedKeys agrees with a sorted array', () => {
  const key = fc.oneof(
    fc.integer({ min: 0, max: 3_000 }).map((number) => String(number)),
    fc.string(),
  );
  const step = fc.record({ isAdd: fc.boolean(), key });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 3_000, size: 'max' }),
      key,
      key,
      (steps, one, other) => {
        const keys = new SortedKeys();
        const twin = new Set<string>();
        for (const { isAdd, key: name } of steps) {
          if (isAdd && !twin.has(name)) keys.add(name);
          if (!isAdd) keys.remove(name);
          if (isAdd) twin.add(name);
          else twin.delete(name);
        }
        const [start = '', end = ''] = [one, other].sort();
        const wanted = [...twin].filter((name) => name >= start && name < end).sort();
        assert.deepEqual([...keys.between(start, end)], wanted);
        assert.equal(keys.count(start, end), wanted.length);
      },
    ),
    { numRuns: 60 },
  );
});

test('SortedKeys keeps many ascending keys in order', () => {
  const keys = new SortedKeys();
  for (let i = 0; i < 5_000; i++) keys.add(String(i).padStart(5, '0'));
  assert.equal(keys.count('00010', '04990'), 4_980);
  assert.equal([...keys.between('', '~')].length, 5_000);
});
