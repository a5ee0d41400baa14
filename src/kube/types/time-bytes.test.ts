// Times out of bytes are those of Date, or none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { secondsOf } from './time-bytes.ts';

const found = (text: string): number | undefined => secondsOf(Buffer.from(`x${text}`), 1);

test('times are read as Date reads them', () => {
  const seconds = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31, 23, 59, 59) / 1_000 });
  const nearMonths = fc
    .tuple(fc.integer({ min: 1970, max: 9999 }), fc.nat(11), fc.integer({ min: -2, max: 2 }))
    .map(([year, month, day]) => Math.max(0, Date.UTC(year, month, 1 + day) / 1_000));
  fc.assert(
    fc.property(fc.oneof(seconds, nearMonths), (at) => {
      const text = new Date(at * 1_000).toISOString().slice(0, 19);
      assert.equal(found(`"${text}Z"`), at);
    }),
    { numRuns: 2_000 },
  );
});

test('what is written otherwise is no time', () => {
  for (const text of [
    '""',
    'null',
    '"2026-11-30T06:29:15.000000Z"',
    '"2026-11-30T06:29:15+01:00"',
    '"2026-11-30t06:29:15Z"',
    '"2026-11-30 06:29:15Z"',
    '"2026/11/30T06:29:15Z"',
    '"2026-11-31T06:29:15Z"',
    '"2025-02-29T06:29:15Z"',
    '"2100-02-29T06:29:15Z"',
    '"2026-13-01T06:29:15Z"',
    '"2026-00-01T06:29:15Z"',
    '"2026-01-00T06:29:15Z"',
    '"2026-11-30T24:00:00Z"',
    '"2026-11-30T06:60:15Z"',
    '"2026-11-30T06:29:60Z"',
    '"1969-12-31T23:59:59Z"',
    '"2026-11-30T06:29:1\\"Z"',
    '"2026-11-30T06:29:15Z',
  ])
    assert.equal(found(text), undefined, text);
  assert.equal(found('"2000-02-29T00:00:00Z"'), 951_782_400);
});
