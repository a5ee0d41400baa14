// Lists of schemas that are sets, or whose items have keys, and fields that are null, as kube-apiserver v1.37 has them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { declaredValue, DeclaredTypes, type Declared, type TypedSchema } from './declared-types.ts';
import { baseEnvironment, compile } from './program.ts';

const text: TypedSchema = { type: 'string' };
const schema: TypedSchema = {
  type: 'object',
  properties: {
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
    list: { type: 'array', items: text },
    keyed: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['p'],
      items: { type: 'object', properties: { p: text, q: { type: 'integer' } } },
    },
    none: { ...text, nullable: true },
    holes: { type: 'array', items: { ...text, nullable: true } },
  },
};

const value = {
  set: ['a', 'b'],
  list: ['a', 'b'],
  keyed: [
    { p: 'a', q: 1 },
    { p: 'b', q: 2 },
  ],
  none: null,
  holes: ['a', null],
};

const env = baseEnvironment().clone();
const type = new DeclaredTypes(env).declare(schema, 'selfType', false) as Declared;
env.variable('self', type.celType);

const answers: readonly (readonly [source: string, answer: unknown])[] = [
  ['self.set == ["b", "a"]', true],
  ['self.list == ["b", "a"]', false],
  ['self.set + ["c", "a"] == ["c", "a", "b"]', true],
  ['(self.set + ["a", "c"]).size()', 3n],
  ['(self.list + ["a"]).size()', 3n],
  ['self.set.map(x, x + "!")[1]', 'b!'],
  ['(self.keyed + self.keyed).size()', 2n],
  ['self.keyed == [self.keyed[1], self.keyed[0]]', true],
  ['self.keyed.filter(x, x.q > 1)[0].p', 'b'],
  ['has(self.none)', false],
  ['self.?none.orValue("-")', '-'],
  ['dyn(self.holes[1]) == null', true],
];

test('lists are compared and joined by what they are, and null fields are none', () => {
  for (const [source, answer] of answers) {
    const { value: found, error } = compile(env, source).run({ self: declaredValue(type, value) });
    assert.equal(error, undefined, source);
    assert.equal(found, answer, source);
  }
});

test('what is null fits no function', () => {
  const { error } = compile(env, 'self.holes.map(x, x.size())').run({
    self: declaredValue(type, value),
  });
  assert.equal(error?.message, 'no such overload: size');
});
