// Secrets by value are not shown, wherever a container or an executor may hold one; all else is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInfo, ExecutorInfo, Secret } from '#wire/mesos/v1.ts';
import { shownContainer, shownExecutor, shownTask } from './redaction.ts';

const value = (text: string): Secret => ({ type: 'VALUE', value: { data: Buffer.from(text) } });
const reference: Secret = { type: 'REFERENCE', reference: { name: 'vault', key: 'k' } };
const image = (config: Secret) => ({ type: 'DOCKER' as const, docker: { name: 'i', config } });

const container: ContainerInfo = {
  type: 'MESOS',
  mesos: { image: image(value('one')) },
  volumes: [
    { mode: 'RO', container_path: 'a', source: { type: 'SECRET', secret: value('two') } },
    { mode: 'RO', container_path: 'b', source: { type: 'SECRET', secret: reference } },
    { mode: 'RO', container_path: 'c', image: image(value('three')) },
    { mode: 'RW', container_path: 'd', host_path: '/d' },
  ],
};

test('shownContainer() leaves out what secrets are, and keeps where they are', () => {
  const shown = shownContainer(container);
  const text = JSON.stringify(shown);
  for (const secret of ['one', 'two', 'three']) {
    const [plain, bytes] = [Buffer.from(secret), [...Buffer.from(secret)].join()];
    assert.ok(!text.includes(plain.toString('base64')) && !text.includes(bytes), secret);
  }
  assert.deepEqual(shown.volumes?.[1], {
    mode: 'RO',
    container_path: 'b',
    source: { type: 'SECRET', secret: reference },
  });
  assert.equal(shown.volumes?.[3], container.volumes?.[3]);
  assert.equal(shown.mesos?.image?.docker?.name, 'i');
});

test('shownExecutor() does so with its variables and its container', () => {
  const info: ExecutorInfo = {
    executor_id: { value: 'e' },
    container,
    command: {
      value: 'run',
      environment: {
        variables: [
          { name: 'PLAIN', value: 'shown' },
          { name: 'KEY', type: 'SECRET', secret: value('four') },
        ],
      },
    },
  };
  const shown = shownExecutor(info);
  assert.deepEqual(shown.command?.environment?.variables, [
    { name: 'PLAIN', value: 'shown' },
    { name: 'KEY', type: 'SECRET', secret: { type: 'VALUE', value: undefined } },
  ]);
  assert.equal(shown.command?.value, 'run');
  assert.ok(!JSON.stringify(shown).includes([...Buffer.from('four')].join()));
  assert.deepEqual(info.command?.environment?.variables?.[1]?.secret, value('four'));
});

test('shownTask() does so with its container and the command of its health check', () => {
  const variables = [{ name: 'KEY', type: 'SECRET' as const, secret: value('five') }];
  const task = {
    name: 't',
    task_id: { value: 't' },
    framework_id: { value: 'f' },
    agent_id: { value: 'a' },
    state: 'TASK_RUNNING' as const,
    container,
    health_check: {
      type: 'COMMAND' as const,
      command: { value: 'look', environment: { variables } },
    },
  };
  const shown = shownTask(task);
  const text = JSON.stringify(shown);
  for (const secret of ['one', 'two', 'three', 'five']) {
    assert.ok(!text.includes([...Buffer.from(secret)].join()), secret);
  }
  assert.equal(shown.health_check?.command?.value, 'look');
  const { container: _container, health_check: _check, ...bare } = task;
  assert.equal(shownTask(bare), bare);
});
