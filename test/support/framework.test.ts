// The framework of tests gives nothing up for an offer that the master takes back meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { ScriptedPeer } from '#mesos/client/scripted-peer-fixture.ts';
import type { Offer } from '#wire/mesos/v1.ts';
import { eventually } from './cluster.ts';
import { TestFramework } from './framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

const offer = (id: string): Offer => ({
  id: { value: id },
  framework_id: { value: 'f' },
  agent_id: { value: 'a' },
  hostname: 'h',
  resources: [
    { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } },
    { name: 'mem', type: 'SCALAR', scalar: { value: 64 } },
  ],
});

test('what was launched on an offer that is rescinded is launched on the next one', async () => {
  const peer = await ScriptedPeer.start('SchedulerCall', 'SchedulerEvent', 0);
  const framework = new TestFramework(peer.url, env);
  const accepted = (): string[] =>
    peer.calls
      .flatMap(({ call }) => call.accept ?? [])
      .map(({ offer_ids = [], operations = [] }) =>
        [
          ...offer_ids.map(({ value }) => value),
          ...operations.flatMap((one) => one.launch?.task_infos ?? []).map(({ name }) => name),
        ].join(' '),
      );
  try {
    await eventually('it subscribes', async () => peer.streams.length > 0);
    peer.send({ type: 'SUBSCRIBED', subscribed: { framework_id: { value: 'f' } } });
    framework.launch([{ id: 'one', script: 'true' }]);
    for (const id of ['first', 'second', 'third']) {
      peer.send({ type: 'OFFERS', offers: { offers: [offer(id)] } });
      await eventually(`${id} is answered`, async () =>
        peer.calls.some(({ call }) =>
          [...(call.accept?.offer_ids ?? []), ...(call.decline?.offer_ids ?? [])].some(
            ({ value }) => value === id,
          ),
        ),
      );
      if (id === 'first') peer.send({ type: 'RESCIND', rescind: { offer_id: { value: id } } });
    }
    assert.deepEqual(accepted(), ['first one', 'second one']);
  } finally {
    framework.client.close();
    await peer.close();
  }
});
