// Nodes that come and go by the hundred: all of them are told how long to keep what they read.
import assert from 'node:assert/strict';
import test from 'node:test';
import { nodes } from '#kube/client/resources.ts';
import { KubeWorld } from '#test/support/kube-world.ts';
import { TTL } from './core.ts';

test('every node is told anew when there are more than a hundred, and fewer than ninety', async () => {
  const world = await KubeWorld.start({ seed: 7 });
  const told = async (): Promise<unknown[]> => {
    await world.settle(5_000);
    const { items } = await world.client.list(nodes);
    return [...new Set(items.map(({ metadata }) => metadata.annotations?.[TTL]))];
  };
  try {
    for (let i = 0; i < 100; i++) await world.addNode(`n${i}`);
    assert.deepEqual(await told(), ['0']);
    await world.addNode('n100');
    assert.deepEqual(await told(), ['15']);
    for (let i = 0; i < 11; i++) await world.client.delete(nodes, { name: `n${i}` });
    assert.deepEqual(await told(), ['15']);
    await world.client.delete(nodes, { name: 'n11' });
    assert.deepEqual(await told(), ['0']);
  } finally {
    await world.close();
  }
});
