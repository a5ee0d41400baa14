// The store against a naive twin: whatever is told, followers who apply the changes hold the same.
import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import type { KubeObject } from '#kube/meta/object.ts';
import { InformerStore, keyOf, splitKey, type Change } from './informer-store.ts';

const object = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    uid: fc.constantFrom('1', '2'),
    version: fc.integer({ min: 1, max: 9 }),
    node: fc.constantFrom('x', 'y'),
  })
  .map(({ name, uid, version, node }): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'ns', name, uid: `${name}${uid}`, resourceVersion: String(version) },
    node,
  }));

const step = fc.oneof(
  fc.record({
    op: fc.constant('put' as const),
    objects: fc.array(object, { minLength: 1, maxLength: 1 }),
  }),
  fc.record({
    op: fc.constant('delete' as const),
    objects: fc.array(object, { minLength: 1, maxLength: 1 }),
  }),
  fc.record({
    op: fc.constant('replace' as const),
    objects: fc.uniqueArray(object, { selector: keyOf, maxLength: 3 }),
  }),
);

function follow(held: Map<string, KubeObject>, changes: readonly Change[]): void {
  for (const change of changes) {
    const { uid = '' } = change.object.metadata;
    if (change.kind === 'add') {
      assert.ok(!held.has(uid), 'added twice');
      held.set(uid, change.object);
    } else if (change.kind === 'update') {
      assert.equal(held.get(uid), change.old);
      held.set(uid, change.object);
    } else assert.ok(held.delete(uid), 'deleted what was not there');
  }
}

test('InformerStore tells its followers exactly what it holds, and its index agrees', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const store = new InformerStore({ node: (one) => [String(one['node'])] });
      const held = new Map<string, KubeObject>();
      for (const { op, objects } of steps) {
        const [first] = objects;
        if (op === 'replace') follow(held, store.replace(objects));
        else if (first !== undefined) {
          follow(held, op === 'put' ? store.put(first) : store.delete(first));
        }
        const all = store.list();
        assert.deepEqual(new Set(all), new Set(held.values()));
        for (const node of ['x', 'y']) {
          const naive = all.filter((one) => one['node'] === node);
          assert.deepEqual(new Set(store.byIndex('node', node)), new Set(naive));
        }
      }
    }),
  );
});

test('keys', () => {
  assert.deepEqual(splitKey('ns/name'), { namespace: 'ns', name: 'name' });
  assert.deepEqual(splitKey('name'), { namespace: undefined, name: 'name' });
});
