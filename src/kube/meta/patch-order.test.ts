// The order of lists after a strategic merge patch, as strategicpatch of apimachinery v0.37 makes it: what is new
// comes first, and $setElementOrder says the order of what it names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPatch } from './patch.ts';
import type { Schema } from './schema.ts';

const schema: Schema = {
  type: 'object',
  properties: {
    containers: {
      type: 'array',
      patchStrategy: 'merge',
      patchMergeKey: 'name',
      items: { type: 'object', properties: { name: { type: 'string' } } },
    },
  },
};

const containers = (...names: readonly string[]): object => ({
  containers: names.map((name) => ({ name })),
});

const cases: readonly {
  readonly name: string;
  readonly before: readonly string[];
  readonly patch: object;
  readonly after: readonly string[];
}[] = [
  { name: 'new', before: ['a', 'b'], patch: containers('c'), after: ['c', 'a', 'b'] },
  {
    name: 'new and known',
    before: ['a', 'b'],
    patch: containers('b', 'c'),
    after: ['a', 'b', 'c'],
  },
  {
    name: 'known ones turned',
    before: ['a', 'b', 'c'],
    patch: containers('c', 'a'),
    after: ['b', 'c', 'a'],
  },
  {
    name: 'deleted and new',
    before: ['a', 'b'],
    patch: { containers: [{ name: 'a', $patch: 'delete' }, { name: 'c' }] },
    after: ['c', 'b'],
  },
  {
    name: 'an order for all',
    before: ['a', 'b'],
    patch: {
      '$setElementOrder/containers': [{ name: 'b' }, { name: 'c' }, { name: 'a' }],
      ...containers('c'),
    },
    after: ['b', 'c', 'a'],
  },
  {
    name: 'an order alone',
    before: ['a', 'b', 'c'],
    patch: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }] },
    after: ['b', 'c', 'a'],
  },
];

for (const { name, before, patch, after } of cases) {
  test(`strategic merge patch: ${name}`, () => {
    const current = containers(...before);
    const patched = applyPatch({ type: 'strategic', schema, current, patch });
    const { containers: list } = patched as { containers: readonly { readonly name: string }[] };
    assert.deepEqual(
      list.map((one) => one.name),
      after,
    );
  });
}
