// What Go takes for a duration, and its words for what is none.
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseDuration, parseNanoseconds } from './go-duration.ts';

const cases: readonly (readonly [text: string, wanted: number | string])[] = [
  ['0', 0],
  ['-0', 0],
  ['0s', 0],
  ['1h1m1.5s', 3_661_500],
  ['-2ms', -2],
  ['+.5s', 500],
  ['1.s', 1_000],
  ['2µs', 0.002],
  ['2μs', 0.002],
  ['', 'time: invalid duration ""'],
  ['-', 'time: invalid duration "-"'],
  ['.s', 'time: invalid duration ".s"'],
  ['invalid', 'time: invalid duration "invalid"'],
  ['3 s', 'time: unknown unit " s" in duration "3 s"'],
  ['5', 'time: missing unit in duration "5"'],
  ['1h1', 'time: missing unit in duration "1h1"'],
  ['1d', 'time: unknown unit "d" in duration "1d"'],
  ['1ä"', String.raw`time: unknown unit "\xc3\xa4\"" in duration "1\xc3\xa4\""`],
  ['9999999h', 'time: invalid duration "9999999h"'],
  ['1.', 'time: missing unit in duration "1."'],
  ['.', 'time: invalid duration "."'],
];

for (const [text, wanted] of cases) {
  test(`the duration ${JSON.stringify(text)}`, () => {
    const found = parseDuration(text);
    assert.equal(typeof found === 'number' ? found + 0 : found.why, wanted);
  });
}

/** As time.ParseDuration of Go 1.26 says. */
const exact: readonly (readonly [text: string, wanted: bigint | undefined])[] = [
  ['9223372036854775807ns', 9_223_372_036_854_775_807n],
  ['9223372036854775808ns', undefined],
  ['-9223372036854775808ns', -9_223_372_036_854_775_808n],
  ['-9223372036854775809ns', undefined],
  ['2562047h47m16.854775807s', 9_223_372_036_854_775_807n],
  ['2562047h47m16.854775808s', undefined],
  ['0.9223372036854775807h', 3_320_413_933_267n],
  ['0.100000000000000000000h', 360_000_000_000n],
  ['0.3333333333333333333h', 1_200_000_000_000n],
  ['1.0000000009s', 1_000_000_000n],
  ['1.9ns', 1n],
  ['1h-1m', undefined],
];

for (const [text, wanted] of exact) {
  test(`the nanoseconds of ${text}`, () => {
    const found = parseNanoseconds(text);
    assert.equal(typeof found === 'bigint' ? found : undefined, wanted);
  });
}
