// Numbers of JSON, and what Go makes of int64 and float64 in fields that are narrower.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { INT64_MAX, INT64_MIN, oneMore, plainest } from './exact-numbers.ts';
import { convertedNumber, goNumber, wholeNumber } from './read-numbers.ts';

test('whole numbers are those in the range of their format', () => {
  const rows: readonly (readonly [number | bigint, string, number | bigint | undefined])[] = [
    [5, 'int32', 5],
    [-0, 'int32', 0],
    [1.5, 'int32', undefined],
    [1.5, 'int64', undefined],
    [2 ** 31 - 1, 'int32', 2 ** 31 - 1],
    [2 ** 31, 'int32', undefined],
    [-(2 ** 31), 'int32', -(2 ** 31)],
    [2 ** 31, 'int64', 2 ** 31],
    [2 ** 53 - 1, 'int64', 2 ** 53 - 1],
    [2n ** 53n, 'int64', 2n ** 53n],
    [2n ** 53n, 'int32', undefined],
    [INT64_MAX, 'int64', INT64_MAX],
    [INT64_MAX + 1n, 'int64', undefined],
    [INT64_MIN, 'int64', INT64_MIN],
    [Infinity, 'int64', undefined],
  ];
  for (const [value, format, wanted] of rows)
    assert.ok(Object.is(wholeNumber(value, format), wanted), `${value} as ${format}`);
});

test('a conversion keeps the low bits, and what no int64 is becomes the least', () => {
  const rows: readonly (readonly [number | bigint, string, number | bigint])[] = [
    [-0, 'int64', 0],
    [2 ** 32 + 1, 'int32', 1],
    [2 ** 32 + 1, 'int64', 2 ** 32 + 1],
    [2 ** 31, 'int32', -(2 ** 31)],
    [9_007_199_254_740_993n, 'int32', 1],
    [9_007_199_254_740_993n, 'int64', 9_007_199_254_740_993n],
    [1e18, 'int64', 10n ** 18n],
    [1e19, 'int64', INT64_MIN],
    [1e19, 'int32', 0],
    [INT64_MAX, 'int32', -1],
  ];
  for (const [value, format, wanted] of rows)
    assert.ok(Object.is(convertedNumber(value, format), wanted), `${value} as ${format}`);
});

test('a conversion of an int64 is that of its bits', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: INT64_MIN, max: INT64_MAX }), (number) => {
      const value = plainest(number);
      assert.equal(convertedNumber(value, 'int64'), value);
      assert.equal(convertedNumber(value, 'int32'), Number(BigInt.asIntN(32, number)));
    }),
  );
});

test('numbers are printed as by %v', () => {
  const rows: readonly (readonly [number | bigint, string])[] = [
    [5, '5'],
    [1.5, '1.5'],
    [1_234_567.5, '1.2345675e+06'],
    [2 ** 63, '9.223372036854776e+18'],
    [1e20, '1e+20'],
    [0.00001, '1e-05'],
    [0.0001, '0.0001'],
    [9_007_199_254_740_993n, '9007199254740993'],
  ];
  for (const [value, wanted] of rows) assert.equal(goNumber(value), wanted);
});

test('one more is exact, and goes round', () => {
  assert.equal(oneMore(), 1);
  assert.equal(oneMore(Number.MAX_SAFE_INTEGER), 2n ** 53n);
  assert.equal(oneMore(INT64_MAX), INT64_MIN);
  assert.equal(oneMore(-(2n ** 53n)), Number.MIN_SAFE_INTEGER);
});
