// Informers over the true API server without a network: what is missed is caught up with.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import { discover } from './discovery.ts';
import { Informer } from './informer.ts';
import { configMaps } from './resources.ts';

function map(name: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
}

async function make() {
  const env = createSimEnv(3);
  const api = await startInProcessApi(env);
  await api.client.create(configMaps, map('a'));
  const told: string[] = [];
  const options = { resource: configMaps, namespace: 'default' };
  const informer = new Informer(options, api.client, env);
  informer.addHandler({
    onAdd: ({ metadata }) => told.push(`add ${metadata.name}`),
    onUpdate: (_old, one) =>
      told.push(`update ${one.metadata.name} ${JSON.stringify(one['data'])}`),
    onDelete: ({ metadata }, isUnknown) =>
      told.push(`delete ${metadata.name}${isUnknown ? '?' : ''}`),
  });
  informer.start();
  await env.clock.settle(100);
  const take = (): string[] => told.splice(0);
  const close = async (): Promise<void> => {
    await informer.close();
    api.close();
  };
  return { env, api, informer, take, close };
}

test('Informer lists, follows, and keeps no managed fields', async () => {
  const { env, api, informer, take, close } = await make();
  assert.ok(informer.hasSynced);
  assert.deepEqual(take(), ['add a']);
  await api.client.create(configMaps, map('b'));
  await api.client.update(configMaps, map('b', { x: '1' }));
  await api.client.delete(configMaps, { namespace: 'default', name: 'a' });
  await env.clock.settle(100);
  assert.deepEqual(take(), ['add b', 'update b {"x":"1"}', 'delete a']);
  assert.equal(informer.get('default/b')?.metadata.managedFields, undefined);
  const late: string[] = [];
  informer.addHandler({ onAdd: ({ metadata }) => late.push(metadata.name ?? '') });
  assert.deepEqual(late, ['b']);
  await close();
});

test('Informer goes on where it was when the server was away', async () => {
  const { env, api, take, close } = await make();
  take();
  api.transport.isAway = true;
  api.transport.dropStreams();
  await env.clock.settle(5_000);
  api.transport.isAway = false;
  await api.client.create(configMaps, map('b'));
  await api.client.delete(configMaps, { namespace: 'default', name: 'b' });
  await api.client.create(configMaps, map('c'));
  await env.clock.settle(20_000);
  assert.deepEqual(take(), ['add b', 'delete b', 'add c']);
  await close();
});

test('Informer lists again when what it missed is forgotten, and says what is gone', async () => {
  const { env, api, informer, take, close } = await make();
  take();
  api.transport.isAway = true;
  api.transport.dropStreams();
  await env.clock.settle(1_000);
  api.transport.isAway = false;
  await api.client.delete(configMaps, { namespace: 'default', name: 'a' });
  await api.client.create(configMaps, map('b'));
  await api.store.compact(api.store.revision());
  await env.clock.settle(20_000);
  assert.deepEqual(take().toSorted(), ['add b', 'delete a?']);
  assert.equal(informer.size, 1);
  await close();
});

test('discover() names built-in resources once', async () => {
  const { api, close } = await make();
  const found = await discover(api.client);
  const deployments = found.filter(({ resource }) => resource === 'deployments');
  assert.deepEqual(
    deployments.map(({ group, version, kind, isNamespaced }) => ({
      group,
      version,
      kind,
      isNamespaced,
    })),
    [{ group: 'apps', version: 'v1', kind: 'Deployment', isNamespaced: true }],
  );
  assert.ok(!found.some(({ resource }) => resource.includes('/')));
  await close();
});
