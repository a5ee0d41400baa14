// Which lists of headers are requests, and what their values are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestHead } from './request-headers.ts';

const start = [':method', 'GET', ':scheme', 'https', ':path', '/x', ':authority', 'a'];
const head = (...more: string[]): string[] => [...start, ...more];

const cases: readonly (readonly [value: string, wanted: string | undefined])[] = [
  ['Bearer x', 'Bearer x'],
  ['Bearer ', 'Bearer'],
  ['\t Bearer\t', 'Bearer'],
  [' ', ''],
  ['', ''],
  ['a\nb', undefined],
  ['a\0', undefined],
];

for (const [value, wanted] of cases) {
  test(`a header ${JSON.stringify(value)}`, () => {
    const found = requestHead(head('authorization', value));
    assert.equal(found?.headers.authorization, wanted);
    assert.equal(found?.rawHeaders.at(-1), wanted);
  });
}

test('a header of a connection makes no request', () => {
  assert.equal(requestHead(head('connection', 'close')), undefined);
});
