// What ps(1) writes, on Linux and on macOS, as usage; and that both ways tell the same of a process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { linuxPlatform, platformOf, psPlatform, secondsOf, startOf, usageOf } from './platform.ts';

const times = [
  ['00:00:00', 0],
  ['01:02:03', 3_723],
  ['2-01:00:00', 176_400],
  ['0:00.25', 0.25],
  ['12:34.50', 754.5],
] as const;
for (const [text, seconds] of times) {
  test(`${text} of ps are ${seconds} s`, () => assert.equal(secondsOf(text), seconds));
}

test('a leader, its group, and those below it in groups of their own are counted', () => {
  const table = `
    1     0     1   0:09.10  12000
  500     1   500   0:01.50   1000
  501   500   500   0:00.25   2000
  502   501   502   0:00.25   4000
  503     1   500   0:00.00    500
  600     1   600   9:00.00  90000
`;
  assert.deepEqual(usageOf(table, 500), {
    cpuSeconds: 2,
    memoryBytes: 7_500 * 1024,
    processCount: 4,
  });
  assert.equal(usageOf('', 500).processCount, 0);
});

test('a process has one mark for as long as it lives, none when it is not there', () => {
  for (const platform of [linuxPlatform, psPlatform]) {
    const mark = platform.startMark(process.pid);
    assert.match(mark ?? '', /^\S+$/);
    assert.equal(platform.startMark(process.pid), mark);
    assert.equal(platform.startMark(2 ** 22 - 1), undefined);
  }
});

test('when a process has started is shown by the clock as it is now', () => {
  const day = 86_400_000;
  const now = 100 * day;
  const table: readonly (readonly [string, number, number | undefined, number])[] = [
    ['it has just started', now - 30, undefined, now - 30],
    ['nobody has set the clock', now - day, day + 400, now - day],
    ['it was set forward by a day', now - day - 5_000, 5_000, now - 5_000],
    ['it was set back by a day', now + day - 5_000, 5_000, now - 5_000],
    ['the process is gone', now - day, undefined, now - day],
    ['its age makes no sense', now - day, -7, now - day],
    ['its file system knows no births', 0, undefined, now],
    ['it knows none, but the age is known', 0, 5_000, now - 5_000],
  ];
  for (const [what, bornMs, ageMs, expected] of table) {
    assert.equal(
      startOf(bornMs, now, () => ageMs),
      expected,
      what,
    );
  }
});

test('of systems without a shell for the shim it is said so', () => {
  assert.equal(platformOf('linux'), linuxPlatform);
  assert.equal(platformOf('darwin'), psPlatform);
  assert.throws(
    () => platformOf('win32'),
    (error: unknown) => faultCode(error) === 'platform' && /on win32/.test(String(error)),
  );
});
