// The compiled JSON writer beside JSON.stringify, and what is kept of values that never change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonWriters, keepJson } from './json-writer.ts';
import { Schema } from './protobuf.ts';

const schema = new Schema({
  Leaf: 'value!1:s,n 2:d,on 3:B',
  Default: 'on 1:B=false,text 2:s=a,n 3:i=2',
  Tree: 'name 1:s,leaf 2:Leaf,many+3:Leaf,words+4:s,map%5:Leaf,texts%6:s,tree 7:Tree',
});
const write = new JsonWriters(schema).writer('Tree');

const leaf = fc.record(
  { value: fc.string({ unit: 'binary' }), n: fc.double({ noNaN: true }), on: fc.boolean() },
  { requiredKeys: ['value'] },
);
const infinite = (_key: string, value: unknown): unknown =>
  value === Infinity || value === -Infinity ? String(value) : value;

test('writes what JSON.stringify would, infinities as texts', () => {
  const keys = fc.string({ unit: 'grapheme' });
  const tree = fc.record(
    {
      name: fc.string({ unit: 'binary' }),
      leaf,
      many: fc.array(leaf, { maxLength: 3 }),
      words: fc.array(fc.string(), { maxLength: 3 }),
      map: fc.dictionary(keys, leaf, { maxKeys: 3 }),
      texts: fc.dictionary(keys, fc.string(), { maxKeys: 3 }),
      tree: fc.record({ leaf }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(tree, (value) => {
      const text = write(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value, infinite)));
    }),
  );
});

test('what is not of the message, null or undefined is left out', () => {
  assert.equal(write({ name: undefined, leaf: null, other: 1, words: [] }), '{"words":[]}');
});

test('a kept value is written once, also inside others and as a list', () => {
  const reads: string[] = [];
  const one = keepJson({
    get value() {
      reads.push('value');
      return 'v';
    },
  });
  const many = keepJson([one, one]);
  const text = '{"leaf":{"value":"v"},"many":[{"value":"v"},{"value":"v"}]}';
  for (let i = 0; i < 3; i++) assert.equal(write({ leaf: one, many }), text);
  assert.deepEqual(reads, ['value']);
  assert.deepEqual(Object.keys(one), ['value'], 'the mark cannot be seen');
});

test('defaults are written where nothing is set', () => {
  const one = new JsonWriters(schema).writer('Default');
  assert.equal(one({}), '{"on":false,"text":"a","n":2}');
  assert.equal(one({ on: true, text: '', n: 0 }), '{"on":true,"text":"","n":0}');
});
