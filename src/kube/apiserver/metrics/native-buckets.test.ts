// Native buckets are those of their bounds, whatever falls into them, and are never more than 160.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf, NativeBuckets, type Buckets } from './native-buckets.ts';

test('a number falls into the bucket whose bounds it lies between', () => {
  for (const amount of [1e-9, 0.000_3, 0.005, 0.1, 0.5, 0.9, 1, 1.05, 2, 3, 1_024, 5e7, 2 ** 60]) {
    const key = bucketOf(amount);
    const [below, above] = [key - 1, key].map((one) => 2 ** (one / 8));
    const slack = 1e-12 * amount;
    assert.ok(amount > (below ?? 0) - slack && amount <= (above ?? 0) + slack, `${amount}: ${key}`);
  }
  // Bounds belong to the bucket below them.
  assert.deepEqual([0.5, 1, 2, 4].map(bucketOf), [-8, 0, 8, 16]);
});

/** The counts by bucket, as whoever reads them finds them. */
function read({ spans, deltas }: Buckets): Map<number, number> {
  const found = new Map<number, number>();
  let [key, count, at] = [0, 0, 0];
  for (const { offset, length } of spans) {
    key += offset;
    for (let i = 0; i < length; i += 1, key += 1, at += 1) {
      count += deltas[at] ?? assert.fail('a delta is missing');
      if (count > 0) found.set(key, count);
    }
  }
  assert.equal(at, deltas.length);
  return found;
}

test('what is told is what was observed, in spans with small gaps filled', () => {
  const buckets = new NativeBuckets();
  for (const amount of [0, 1, 1, 2, 2.1, 100, -1, Number.NaN]) buckets.observe(amount);
  const { schema, zeroCount, positive, negative } = buckets.told();
  assert.deepEqual([schema, zeroCount], [3, 1]);
  const wanted = [1, 1, 2, 2.1, 100].map(bucketOf);
  const counted = new Map<number, number>();
  for (const key of wanted) counted.set(key, (counted.get(key) ?? 0) + 1);
  assert.deepEqual(read(positive), counted);
  assert.deepEqual(read(negative), new Map([[bucketOf(1), 1]]));
  const near = new NativeBuckets();
  for (const key of [0, 3, 7]) near.observe(2 ** (key / 8) * 0.99);
  assert.deepEqual(near.told().positive, {
    spans: [
      { offset: 0, length: 4 },
      { offset: 3, length: 1 },
    ],
    deltas: [1, -1, 0, 1, 0],
  });
});

test('too many buckets become half as many, and nothing is lost', () => {
  const buckets = new NativeBuckets();
  const all = Array.from({ length: 3_000 }, (_one, i) => 2 ** (((i * 7_919) % 241) - 120) * 1.37);
  for (const amount of all) buckets.observe(amount);
  const { schema, positive } = buckets.told();
  assert.ok(schema < 3);
  const counted = new Map<number, number>();
  for (const amount of all) {
    const key = Math.ceil(bucketOf(amount) / 2 ** (3 - schema));
    counted.set(key, (counted.get(key) ?? 0) + 1);
  }
  assert.ok(counted.size <= 160);
  const byKey = (map: ReadonlyMap<number, number>) => [...map].sort(([a], [b]) => a - b);
  assert.deepEqual(byKey(read(positive)), byKey(counted));
});
