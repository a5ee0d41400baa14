// What the server keeps of its own: the range of its services and their first one are back when they are deleted,
// stay what they are when the server is told other ranges, and a range that is another one is told once.
import assert from 'node:assert/strict';
import test from 'node:test';
import { events, serviceCidrs, services } from '#kube/client/resources.ts';
import type { Timers } from '#env/env.ts';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import { DefaultObjects, DefaultObjectsLoop } from './default-objects.ts';

const NAME = 'kubernetes';
const RANGES = ['10.96.0.0/16', 'fd00:96::/112'];
const ofService = { namespace: 'default', name: NAME };
const ofRange = { name: NAME };

test('what is deleted is back when it is looked after', async () => {
  const env = createSimEnv(1);
  const api = await startInProcessApi(env, RANGES);
  const { client } = api;
  let look = (): void => {};
  const timers: Timers = {
    after: (_ms, fire) => {
      look = fire;
      return { cancel: () => {} };
    },
  };
  const defaults = new DefaultObjects(api.handler, RANGES, env);
  const loop = new DefaultObjectsLoop(() => defaults.ensure(), {
    ...env,
    timers,
  });
  const seen = async () => {
    const range = await client.find(serviceCidrs, ofRange);
    const service = await client.find(services, ofService);
    return { range, service };
  };
  try {
    const before = await seen();
    await client.delete(serviceCidrs, ofRange);
    await client.delete(services, ofService);
    assert.deepEqual(await seen(), { range: undefined, service: undefined });
    look();
    await loop.close();
    const after = await seen();
    assert.deepEqual(after.range?.['spec'], before.range?.['spec']);
    assert.deepEqual(after.service?.['spec'], before.service?.['spec']);
    assert.equal(after.range?.['status']?.conditions?.[0]?.status, 'True');
    assert.equal(after.service?.['spec']?.clusterIP, '10.96.0.1');
  } finally {
    api.close();
  }
});

/** What the range says after a server was told others, and how often that was told. */
const told = [
  [[RANGES[0] ?? ''], RANGES, RANGES, []],
  [RANGES, RANGES.toReversed(), RANGES, ['KubernetesDefaultServiceCIDRInconsistent']],
  [RANGES, [RANGES[0] ?? ''], RANGES, ['KubernetesDefaultServiceCIDRInconsistent']],
  [RANGES, RANGES, RANGES, []],
] as const;

for (const [first, second, wanted, reasons] of told) {
  test(`a server of ${first.join()} that is told ${second.join()}`, async () => {
    const env = createSimEnv(1);
    const api = await startInProcessApi(env, first);
    try {
      // The next server on the same store.
      const objects = new DefaultObjects(api.handler, second, env);
      await objects.ensure();
      await objects.ensure();
      const range = await api.client.get(serviceCidrs, ofRange);
      assert.deepEqual(range['spec']?.cidrs, wanted);
      const { items } = await api.client.list(events, { namespace: 'default' });
      assert.deepEqual(
        items.map((one) => one['reason']),
        reasons,
      );
      for (const one of items) {
        assert.equal(
          one['message'],
          `The default ServiceCIDR [${wanted.join(' ')}] does not match the controller flag configurations [${second.join(' ')}]`,
        );
      }
    } finally {
      api.close();
    }
  });
}
