// What Go takes for a duration, and its words for what is none.
import assert from 'node:assert/strict';
import test from 'node:test';
import { parseDuration } from './go-duration.ts';

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
];

for (const [text, wanted] of cases) {
  test(`the duration ${JSON.stringify(text)}`, () => {
    const found = parseDuration(text);
    assert.equal(typeof found === 'number' ? found + 0 : found.why, wanted);
  });
}
