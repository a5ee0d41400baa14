// Which pods are targets no more, and when.
import assert from 'node:assert/strict';
import test from 'node:test';
import { pods } from '#kube/client/resources.ts';
import { findCondition, type Condition } from '#kube/meta/conditions.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { KubeWorld } from '#test/support/kube-world.ts';
import { takeBack } from './stale.ts';

const since = Date.parse('2026-01-01T00:00:00Z');

function pod(
  reason: string | undefined,
  more: { phase?: string; going?: string } = {},
): KubeObject {
  const { phase = 'Running', going } = more;
  const ready = { type: 'Ready', status: 'True' };
  const target = {
    type: 'DisruptionTarget',
    status: 'True',
    reason,
    message: 'Eviction API: evicting',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'p',
      generation: 3,
      ...(going === undefined ? {} : { deletionTimestamp: going }),
    },
    status: { phase, conditions: reason === undefined ? [ready] : [ready, target] },
  };
}

test('a pod is a target for two minutes', () => {
  const one = pod('EvictionByEvictionAPI');
  assert.deepEqual(takeBack(one, since + 30_000), { effects: [], againInMs: 90_000 });
  const [effect, ...others] = takeBack(one, since + 120_000).effects;
  assert.equal(others.length, 0);
  assert.ok(effect?.kind === 'update' && effect.subresource === 'status');
  assert.deepEqual(effect.object['status'].conditions, [
    { type: 'Ready', status: 'True' },
    {
      type: 'DisruptionTarget',
      status: 'False',
      observedGeneration: 3,
      lastTransitionTime: '2026-01-01T00:02:00Z',
    },
  ]);
});

test('who is going, is over, is ended by its kubelet or is no target is left alone', () => {
  const left = [
    pod(undefined),
    pod('TerminationByKubelet'),
    pod('EvictionByEvictionAPI', { phase: 'Failed' }),
    pod('EvictionByEvictionAPI', { going: '2026-01-01T00:00:30Z' }),
  ];
  for (const one of left) assert.deepEqual(takeBack(one, since + 300_000), { effects: [] });
});

test('the server is told so', async () => {
  const world = await KubeWorld.start({ seed: 7 });
  const place = { namespace: 'default', name: 'p' };
  const told = async (): Promise<unknown> => {
    const { status } = await world.client.get(pods, place);
    return findCondition((status as { conditions: Condition[] }).conditions, 'DisruptionTarget');
  };
  try {
    const containers = [{ name: 'main', image: 'run' }];
    await world.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: place,
      spec: { containers },
    });
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'EvictionByEvictionAPI',
      lastTransitionTime: new Date(world.env.clock.now()).toISOString(),
    };
    const options = { ...place, type: 'strategic', subresource: 'status' } as const;
    await world.client.patch(pods, options, { status: { conditions: [condition] } });
    await world.settle(110_000);
    assert.equal(((await told()) as Condition).status, 'True');
    await world.settle(11_000);
    const { status, reason } = (await told()) as Condition;
    assert.deepEqual([status, reason], ['False', undefined]);
  } finally {
    await world.close();
  }
});
