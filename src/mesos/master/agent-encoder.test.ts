// A launch in two parts is byte for byte what it is in one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from '#wire/mesos/codec.ts';
import type { Messages } from '#wire/mesos/v1.ts';
import { AgentEncoder } from './agent-encoder.ts';
import { aFramework } from './core-fixture.ts';

function launch(id: string, framework = aFramework()): Messages['RunTaskMessage'] {
  return {
    framework,
    task: {
      name: id,
      task_id: { value: id },
      agent_id: { value: 'a' },
      command: { value: 'true' },
    },
    pid: 'scheduler@10.0.0.1:5052',
    resource_version_uuids: [{ uuid: { value: new Uint8Array(16).fill(7) } }],
    launch_executor: true,
  };
}

test('the bytes of a launch are those of the message, for each framework', () => {
  const encoder = new AgentEncoder();
  const [one, other] = [aFramework(), aFramework({ name: 'another', principal: 'somebody' })];
  for (const framework of [one, other, one, aFramework({ user: 'nobody' })]) {
    for (const id of ['t-1', 't-2']) {
      const body = launch(id, framework);
      const bytes = encoder.encode({ name: 'RunTaskMessage', body });
      assert.deepEqual(Buffer.from(bytes), Buffer.from(encode('RunTaskMessage', body)));
      assert.deepEqual(decode('RunTaskMessage', bytes).framework.name, framework.name);
    }
  }
});

test('other messages are what they are', () => {
  const body = { framework_id: { value: 'f' }, task_id: { value: 't' } };
  const bytes = new AgentEncoder().encode({ name: 'KillTaskMessage', body });
  assert.deepEqual(bytes, encode('KillTaskMessage', body));
});
