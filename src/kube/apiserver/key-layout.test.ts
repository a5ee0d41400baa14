// Homes of the first versions had keys of their own: what lies there moves to upstream's keys, once, and
// nothing of what lies right already is touched.
import assert from 'node:assert/strict';
import test from 'node:test';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { adoptEarlierKeys } from './key-layout.ts';

const moved: readonly (readonly [earlier: string, now: string])[] = [
  ['/registry/nodes/node-1', '/registry/minions/node-1'],
  ['/registry/services/default/kubernetes', '/registry/services/specs/default/kubernetes'],
  ['/registry/endpoints/default/kubernetes', '/registry/services/endpoints/default/kubernetes'],
  ['/registry/deployments.apps/a/b', '/registry/deployments/a/b'],
  ['/registry/ingresses.networking.k8s.io/a/b', '/registry/ingress/a/b'],
  ['/registry/clusterroles.rbac.authorization.k8s.io/admin', '/registry/clusterroles/admin'],
  [
    '/registry/customresourcedefinitions.apiextensions.k8s.io/x.y',
    '/registry/apiextensions.k8s.io/customresourcedefinitions/x.y',
  ],
];
const kept = ['/registry/pods/a/b', '/registry/services/specs/a/b', '/registry/secrets/a/b'];

const keys = async (store: MemoryStore): Promise<string[]> =>
  (await store.range({ start: '/registry/', end: '/registry0' })).items.map(({ key }) => key);

test('adoptEarlierKeys() moves what an earlier version stored, and only that', async () => {
  const store = new MemoryStore();
  for (const key of [...moved.map(([earlier]) => earlier), ...kept]) {
    await store.txn({ compare: [], then: [{ kind: 'put', key, value: Buffer.from(key) }] });
  }
  const resources = new TypeRegistry().all();
  await adoptEarlierKeys(store, resources);
  const expected = [...moved.map(([, now]) => now), ...kept].toSorted();
  assert.deepEqual(await keys(store), expected);
  for (const [earlier, now] of moved) {
    assert.equal(Buffer.from((await store.get(now))?.value ?? []).toString(), earlier);
  }
  const { revision } = await store.range({ start: '/registry/', end: '/registry0' });
  await adoptEarlierKeys(store, resources);
  assert.equal(store.revision(), revision, 'a second time nothing is written');
});
