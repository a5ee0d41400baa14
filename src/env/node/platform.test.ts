// What ps(1) writes, on Linux and on macOS, as usage; and that both ways tell the same of a process.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { linuxPlatform, platformOf, psPlatform, secondsOf, usageOf } from './platform.ts';

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

test('of systems without a shell for the shim it is said so', () => {
  assert.equal(platformOf('linux'), linuxPlatform);
  assert.equal(platformOf('darwin'), psPlatform);
  assert.throws(
    () => platformOf('win32'),
    (error: unknown) => faultCode(error) === 'platform' && /on win32/.test(String(error)),
  );
});
