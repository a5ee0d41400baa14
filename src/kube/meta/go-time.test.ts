// Times are read and written as Go does it; the faults are those of time.Parse.
import assert from 'node:assert/strict';
import test from 'node:test';
import { canonicalTime, timeFault, type TimeFormat } from './go-time.ts';

const whole = '2006-01-02T15:04:05Z07:00';
const fine = '2006-01-02T15:04:05.000000Z07:00';
const faults: readonly (readonly [text: string, format: TimeFormat, why: string])[] = [
  ['soon', 'date-time', ` as "${whole}": cannot parse "soon" as "2006"`],
  ['2026-1-02T03:04:05Z', 'date-time', ` as "${whole}": cannot parse "1-02T03:04:05Z" as "01"`],
  ['2026-13-02T03:04:05Z', 'date-time', ': month out of range'],
  ['2026-02-29T03:04:05Z', 'date-time', ': day out of range'],
  ['2026-01-02 03:04:05Z', 'date-time', ` as "${whole}": cannot parse " 03:04:05Z" as "T"`],
  ['2026-01-02T24:04:05Z', 'date-time', ': hour out of range'],
  ['2026-01-02T03:04:05', 'date-time', ` as "${whole}": cannot parse "" as "Z07:00"`],
  ['2026-01-02T03:04:05Zx', 'date-time', ': extra text: "x"'],
  ['2026-01-02T03:04:05Z', 'micro-time', ` as "${fine}": cannot parse "Z" as ".000000"`],
  ['2026-01-02T03:04:05.1234567Z', 'micro-time', ` as "${fine}": cannot parse "7Z" as "Z07:00"`],
];

for (const [text, format, why] of faults) {
  void test(`${text} as ${format}`, () =>
    assert.equal(timeFault(text, format), `parsing time "${text}"${why}`));
}

test('one spelling for each moment', () => {
  const spelled = (text: string, format: TimeFormat): string => {
    assert.equal(timeFault(text, format), undefined);
    return canonicalTime(text, format);
  };
  assert.equal(spelled('2026-01-02T03:04:05Z', 'date-time'), '2026-01-02T03:04:05Z');
  assert.equal(spelled('2026-01-02T03:04:05.987+02:30', 'date-time'), '2026-01-02T00:34:05Z');
  assert.equal(spelled('2024-02-29T3:04:05,5-01:00', 'date-time'), '2024-02-29T04:04:05Z');
  const micro = spelled('2026-01-02T03:04:05.000001+02:00', 'micro-time');
  assert.equal(micro, '2026-01-02T01:04:05.000001Z');
});
