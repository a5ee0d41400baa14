// The JSON mapping: what Mesos 1.11 takes and refuses, and that errors name the field.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '#base/fault.ts';
import { JsonMapping } from './proto-json.ts';
import { Schema } from './protobuf.ts';

const mapping = new JsonMapping(
  new Schema({
    Color: '=RED=1 GREEN=2',
    Leaf: 'value!1:s',
    All: 's 1:s,b 2:b,B 3:B,i 4:i,l 5:l,u 6:u,L 7:L,d 8:d,e 9:=Color,m 10:Leaf,many+11:Leaf,map%12:Leaf,es+13:=Color,bs+14:b',
    Strict: 'color!1:=Color',
  }),
);

const taken: readonly (readonly [string, unknown, unknown])[] = [
  ['a text', { s: 'x' }, { s: 'x' }],
  ['null is absent', { s: null, many: null }, {}],
  ['unknown fields are ignored', { s: 'x', other: [1] }, { s: 'x' }],
  ['numbers as texts', { i: '7', l: '-8', d: '1.5' }, { i: 7, l: -8, d: 1.5 }],
  ['booleans as texts', { B: 'true' }, { B: true }],
  ['infinity as a text', { d: '-Infinity' }, { d: -Infinity }],
  ['an unknown value of an optional enum is absent', { e: 'BLUE' }, {}],
  ['bytes in base64', { b: 'AQI=' }, { b: new Uint8Array([1, 2]) }],
  ['maps are objects', { map: { k: { value: 'v' } } }, { map: { k: { value: 'v' } } }],
  [
    'nested',
    { m: { value: 'v' }, many: [{ value: 'w' }] },
    { m: { value: 'v' }, many: [{ value: 'w' }] },
  ],
];
for (const [name, json, value] of taken) {
  test(`takes: ${name}`, () => assert.deepEqual(mapping.fromJson('All', json), value));
}

const refused: readonly (readonly [string, unknown, string])[] = [
  ['All', [], ''],
  ['All', 'x', ''],
  ['All', { s: 1 }, 's'],
  ['All', { b: 'not base64!' }, 'b'],
  ['All', { B: 1 }, 'B'],
  ['All', { i: 1.5 }, 'i'],
  ['All', { i: 'x' }, 'i'],
  ['All', { i: '' }, 'i'],
  ['All', { u: -1 }, 'u'],
  ['All', { L: -1 }, 'L'],
  ['All', { d: true }, 'd'],
  ['All', { e: 1 }, 'e'],
  ['All', { m: {} }, 'm.value'],
  ['All', { m: 'x' }, 'm'],
  ['All', { many: {} }, 'many[0].value'],
  ['All', { many: 'x' }, 'many[0]'],
  ['All', { many: [{ value: 'v' }, {}] }, 'many[1].value'],
  ['All', { map: { k: {} } }, 'map[0].value.value'],
  ['Strict', {}, 'color'],
  ['Strict', { color: 'BLUE' }, 'color'],
];
for (const [message, json, path] of refused) {
  test(`refuses ${JSON.stringify(json)} of ${message} at "${path}"`, () => {
    assert.throws(
      () => mapping.fromJson(message, json),
      (error) => {
        assert.ok(error instanceof Fault);
        assert.equal(error.detail.code, 'bad-json');
        assert.equal(error.detail['path'], path);
        assert.ok(error.message.includes(path));
        return true;
      },
    );
  });
}

test('takes one value for a list of one, and no notice of unknown values in lists of enums', () => {
  assert.deepEqual(mapping.fromJson('All', { many: { value: 'v' } }), { many: [{ value: 'v' }] });
  assert.deepEqual(mapping.fromJson('All', { es: ['BLUE'] }), {});
});

test('text that is no JSON is a fault, not an exception of the parser', () => {
  assert.throws(() => mapping.parse('All', '{'), { name: 'Fault' });
});

test('bytes become base64 and infinities texts; the value itself stays as it was', () => {
  const value = { b: new Uint8Array([1, 2]), bs: [new Uint8Array([255])], d: Infinity };
  assert.equal(mapping.stringify('All', value), '{"b":"AQI=","d":"Infinity","bs":["/w=="]}');
  assert.ok(value.b instanceof Uint8Array);
});

test('a key like __proto__ is only a key', () => {
  const json = JSON.parse('{"map":{"__proto__":{"value":"v"}}}');
  const out = mapping.fromJson('All', json);
  assert.deepEqual(Object.keys(out['map'] as object), ['__proto__']);
  assert.equal(Object.getPrototypeOf(out), Object.prototype);
});

const leaf = fc.oneof(
  fc.record({ value: fc.oneof(fc.string(), fc.constant('w')) }),
  fc.constantFrom<unknown>({}, { value: 1 }, { value: null }, 'x', [], null),
);
const anything = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    'true',
    0,
    -1,
    1.5,
    '7',
    'RED',
    'BLUE',
    'AQI=',
    'a b',
    '*',
    [],
    {},
  ),
  leaf,
  fc.array(fc.oneof(leaf, fc.constantFrom<unknown>('RED', 'BLUE', 1))),
);
const names = [
  's',
  'b',
  'B',
  'i',
  'l',
  'u',
  'L',
  'd',
  'e',
  'm',
  'many',
  'map',
  'es',
  'bs',
  'other',
];

test('the short way and the long way agree', () => {
  const outcome = (read: () => object): unknown => {
    try {
      const value = read();
      return { value, order: Object.keys(value) };
    } catch (error) {
      return error instanceof Fault ? { message: error.message, detail: error.detail } : error;
    }
  };
  const json = fc
    .array(fc.tuple(fc.constantFrom(...names), anything))
    .map((all) => Object.fromEntries(all));
  fc.assert(
    fc.property(
      fc.constantFrom('All', 'Leaf', 'Strict'),
      fc.oneof(json, anything),
      (message, one) => {
        const short = outcome(() => mapping.fromJson(message, one));
        assert.deepEqual(
          short,
          outcome(() => mapping.fromAnyJson(message, one)),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});
