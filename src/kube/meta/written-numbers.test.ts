// What is read is what JSON.parse() reads, whole numbers exactly; how odd numbers were written is known by their
// holders, or by the numbers themselves.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { INT64_MAX, INT64_MIN, plainest } from './exact-numbers.ts';
import { numbersOf, parseJson, writtenAs, WrittenNumber } from './written-numbers.ts';

test('numbers that are not as JavaScript writes them are remembered', () => {
  const read = parseJson(
    '{"a":1e2,"b":[1.0,2],"c":{"d":99999999999999999999},"e":"x:1.5","f":7}',
  ) as {
    readonly b: unknown[];
    readonly c: object;
  };
  assert.equal(writtenAs(read, 'a'), '1e2');
  assert.equal(writtenAs(read.b, 0), '1.0');
  assert.equal(writtenAs(read.b, 1), undefined);
  assert.equal(writtenAs(read.c, 'd'), '99999999999999999999');
  assert.equal(writtenAs(read, 'f'), undefined);
});

test('in a patch the number says it itself, and is written so again', () => {
  const text = '{"a":1e2,"b":[1.0,2],"c":9007199254740993,"d":1.5}';
  const read = parseJson(text, true) as Record<string, unknown>;
  assert.ok(read['a'] instanceof WrittenNumber);
  assert.equal(read['c'], 9_007_199_254_740_993n);
  assert.equal(read['d'], 1.5);
  assert.equal(JSON.stringify(read), text);
  assert.deepEqual(numbersOf(read), { isWritten: true, tooLarge: undefined });
  assert.equal(numbersOf(parseJson('{"a":1.5}', true)), undefined);
});

test('the first number that Go has not is known', () => {
  assert.equal(numbersOf(parseJson('{"a":[1e2,-1e400],"b":1e500}'))?.tooLarge, '-1e400');
  assert.equal(numbersOf(parseJson('{"a":1e2}')), undefined);
});

/** Large whole numbers as numbers again. */
function rounded(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, rounded(one)] as const);
  return Object.fromEntries(entries);
}

test('the value is that of JSON.parse(), but for digits', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const twin = rounded(JSON.parse(text));
      assert.deepEqual(rounded(parseJson(text)), twin);
      assert.deepEqual(JSON.parse(JSON.stringify(parseJson(text, true))), JSON.parse(text));
    }),
  );
});

test('whole numbers of int64 are exact, and bigints only where they have to be', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: INT64_MIN, max: INT64_MAX }), (number) => {
      const read = parseJson(`{"a":${number}}`) as Record<string, unknown>;
      assert.equal(read['a'], plainest(number));
      assert.equal(JSON.stringify(read), `{"a":${number}}`);
    }),
  );
});
