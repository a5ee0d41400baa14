// What is read is what JSON.parse() reads; how odd numbers were written is known by their holders.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseJson, writtenAs } from './written-numbers.ts';

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

test('the value is that of JSON.parse()', () => {
  fc.assert(fc.property(fc.json(), (text) => assert.deepEqual(parseJson(text), JSON.parse(text))));
});
