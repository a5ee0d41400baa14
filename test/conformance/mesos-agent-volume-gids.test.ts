// `--volume_gid_range`: tasks of several users share a persistent volume, and a folder of their executor, by a group
// that the volume has and they are given. As root.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { Resource, TaskInfo } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const skip = process.getuid?.() === 0 ? false : 'needs root';
const allocation_info = { role: 'r' };
const scalar = (name: string, value: number): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  allocation_info,
});
const USERS = ['daemon', 'games'];

suite(`volumes of several users (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const flags = ['--flag', 'volume_gid_range=[61000-61001]'];
  let framework: TestFramework;
  before(async () => {
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env, {
      roles: ['r'],
      principal: 'p',
      capabilities: [
        { type: 'MULTI_ROLE' },
        { type: 'PARTITION_AWARE' },
        { type: 'SHARED_RESOURCES' },
      ],
    });
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });
  const metric = async (name: string): Promise<number> => {
    const answer = await fetch(`${machine.agentUrl}/metrics/snapshot`);
    return ((await answer.json()) as Record<string, number>)[`volume_gid_manager/${name}`] ?? -1;
  };
  /** Writes a file of its own and waits for that of the other user. */
  const meets = (folder: string, own: string, other: string): string =>
    `echo hello >${folder}/${own} || exit 9
until grep hello ${folder}/${other}; do sleep 0.02; done`;

  test('a shared persistent volume belongs to a group that every task of it is in', async () => {
    const reserved: Resource = {
      ...scalar('disk', 8),
      reservations: [{ type: 'DYNAMIC', role: 'r', principal: 'p' }],
    };
    const shared: Resource = {
      ...reserved,
      disk: {
        persistence: { id: 's', principal: 'p' },
        volume: { container_path: 'data', mode: 'RW' },
      },
      shared: {},
    };
    framework.operate(({ agent_id }) => {
      const task_infos = USERS.map((user, at): TaskInfo => {
        const value = `id -G | grep 61000 && ${meets('data', user, USERS[1 - at] ?? '')}`;
        return {
          name: user,
          task_id: { value: user },
          agent_id,
          resources: [scalar('cpus', 0.1), scalar('mem', 32), shared],
          command: { value, user },
        };
      });
      return [
        { type: 'RESERVE', reserve: { resources: [reserved] } },
        { type: 'CREATE', create: { volumes: [shared] } },
        { type: 'LAUNCH', launch: { task_infos } },
      ];
    });
    for (const user of USERS) await framework.reached(user, 'TASK_FINISHED');
    const { gid, mode } = statSync(join(machine.folder, 'agent/volumes/roles/r/s'));
    assert.deepEqual([gid, mode & 0o7777], [61_000, 0o2775]);
    assert.deepEqual([await metric('volume_gids_total'), await metric('volume_gids_free')], [2, 1]);
  });

  // Whoever is first owns it, and needs no group; the other could not write to it.
  test('so does a folder that tasks of a group share, until the group has ended', async () => {
    const container = {
      type: 'MESOS' as const,
      volumes: [
        {
          container_path: 'both',
          mode: 'RW' as const,
          source: {
            type: 'SANDBOX_PATH' as const,
            sandbox_path: { type: 'PARENT' as const, path: 'both' },
          },
        },
      ],
    };
    const tasks = USERS.map((user, at) => {
      const value = meets('both', user, USERS[1 - at] ?? '');
      return { id: `group-${user}`, command: { value, user }, container };
    });
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'pod' } }, tasks);
    for (const { id } of tasks) await framework.reached(id, 'TASK_FINISHED');
    await eventually('the group is free again', async () =>
      (await metric('volume_gids_free')) === 1 ? true : undefined,
    );
  });

  test('which volume has which group is known after the agent was killed', async () => {
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    assert.equal(await metric('volume_gids_free'), 1);
  });
});
