// Copies of JSON: equal, apart, and whatever a key is called.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { cloneJson } from './clone.ts';

test('a copy is what structuredClone makes', () => {
  const key = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '0', '-1'));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 0 }),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie('tree')), { maxLength: 4 }).map(Object.fromEntries),
      fc.constant(undefined),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      assert.deepStrictEqual(cloneJson(value), structuredClone(value));
    }),
  );
});

test('a change of the copy is none of the original', () => {
  const original = JSON.parse('{"a":[{"b":1}],"__proto__":{"c":[2]}}') as Record<string, unknown>;
  const text = JSON.stringify(original);
  const copy = cloneJson(original);
  (copy['a'] as { b: number }[])[0] = { b: 3 };
  const own = Object.getOwnPropertyDescriptor(copy, '__proto__') as { value: { c: number[] } };
  own.value.c.push(4);
  assert.equal(JSON.stringify(original), text);
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
});
