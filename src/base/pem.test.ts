// Blocks are found whatever surrounds them, and written as Go writes them.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { certificatesOf, pemBlocks, pemText } from './pem.ts';

const of = (type: string, body: string): string =>
  `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`;

suite('PEM', () => {
  test('blocks are found between other words, with headers and ends of lines of either kind', () => {
    const text = `# first\n${of('CERTIFICATE', 'AAAA')}\nwords\r\n${of(
      'EC PRIVATE KEY',
      'Proc-Type: 4\nDEK-Info: x\n\nAQID',
    ).replaceAll('\n', '\r\n')}`;
    assert.deepEqual(
      pemBlocks(text).map(({ type, hasHeaders, der }) => [type, hasHeaders, [...der]]),
      [
        ['CERTIFICATE', false, [0, 0, 0]],
        ['EC PRIVATE KEY', true, [1, 2, 3]],
      ],
    );
    for (const none of ['', 'AAAA', '-----BEGIN A-----\nAAAA\n-----END B-----\n']) {
      assert.deepEqual(pemBlocks(none), [], none);
    }
  });

  test('what is written is 64 columns wide, and read as it was', () => {
    for (const length of [0, 1, 47, 48, 49, 96, 1000]) {
      const block = { type: 'CERTIFICATE', der: Buffer.alloc(length, 7) };
      const text = pemText(block);
      assert.deepEqual(pemBlocks(text), [{ ...block, hasHeaders: false }]);
      const widths = text.split('\n').map((line) => line.length);
      assert.ok(Math.max(...widths) <= 64 && widths.at(-1) === 0);
    }
  });

  test('certificates alone come out clean', () => {
    const long = Buffer.alloc(60, 1).toString('base64');
    const text = `said\n${of('CERTIFICATE', `a: b\n\n${long}`)}${of('PRIVATE KEY', 'AAAA')}${of('CERTIFICATE', 'AAAA')}`;
    const wrapped = `${long.slice(0, 64)}\n${long.slice(64)}`;
    assert.deepEqual(certificatesOf(text), [of('CERTIFICATE', wrapped), of('CERTIFICATE', 'AAAA')]);
  });
});
