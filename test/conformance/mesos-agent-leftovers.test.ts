// What is left of containers when they, their shims and the agent are killed in any order: nothing, once
// an agent has started again.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { findCgroups } from '#env/node/process-cgroup.ts';
import type { Volume } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const cgroups = findCgroups();
const skip = cgroups === undefined ? 'needs root and cgroups' : false;
const ROUNDS = 6;

suite(`leftovers of containers (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const home = join(machine.folder, 'agent');
  const hash = createHash('sha256').update(home).digest('hex');
  const marker = `STRATA_TEST_MARK=${process.pid}-${hash.slice(0, 8)}`;
  let framework: TestFramework;

  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  const marked = (): number[] =>
    list('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => {
        try {
          return readFileSync(`/proc/${name}/environ`, 'utf8').includes(marker);
        } catch {
          return false;
        }
      })
      .map(Number);
  const groups = (): string[] => {
    const own = `strata/agent-${hash.slice(0, 12)}`;
    const isGroup = (name: string): boolean => !/[._]/.test(name) && name !== 'tasks';
    return [...new Set(cgroups?.roots.values())].flatMap((root) =>
      list(join(root, own))
        .filter(isGroup)
        .map((name) => join(root, own, name)),
    );
  };
  const secrets = (): string[] => list(`/dev/shm/strata-secrets-${hash.slice(0, 16)}`);
  const mounts = (): string[] =>
    readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(machine.folder));
  const left = (): string[] => [
    ...marked().map((pid) => `process ${pid}`),
    ...groups(),
    ...secrets(),
    ...mounts(),
    ...list(join(home, 'run/containers')),
  ];

  async function nothingIsLeft(): Promise<void> {
    const look = async () => (left().length === 0 ? true : undefined);
    await eventually('nothing is left', look).catch((cause: unknown) => {
      throw new Error(`These are left: ${left().join()}`, { cause });
    });
  }

  const secret: Volume = {
    mode: 'RO',
    container_path: 'key',
    source: {
      type: 'SECRET',
      secret: { type: 'VALUE', value: { data: new TextEncoder().encode('s') } },
    },
  };
  /** A command task, and a group of two with a check that never ends. */
  function launchSome(round: number): readonly string[] {
    const [name = '', value] = marker.split('=');
    const environment = { variables: [{ name, value }] };
    const linux_info = { ipc_mode: 'PRIVATE' as const, share_pid_namespace: false };
    const container = { type: 'MESOS' as const, volumes: [secret], linux_info };
    const command = { value: '(setsid sleep 600 &) ; sleep 600', environment };
    const check = {
      type: 'COMMAND' as const,
      command: { command: { value: 'sleep 600', environment } },
      delay_seconds: 0,
      timeout_seconds: 600,
    };
    const ids = [`c${round}`, `a${round}`, `b${round}`];
    const [first = '', ...others] = ids;
    framework.launch([{ id: first, command, container }]);
    const tasks = others.map((id) => ({ id, command, container, check }));
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: `e${round}` } }, tasks);
    return ids;
  }

  for (let round = 0; round < ROUNDS; round++) {
    const [moment, victims] = [
      ['once they run', 'all of their processes'],
      ['once they run', 'one process of each'],
      ['while they start', 'nothing else'],
      ['while they start', 'all of their processes'],
      ['once they run', 'nothing else'],
      ['while they end', 'all of their processes'],
    ][round] as [string, string];
    test(`the agent killed ${moment}, and ${victims}`, async () => {
      const ids = launchSome(round);
      if (moment === 'while they start') {
        await eventually('one of them is there', async () => groups().length > 0 || undefined);
      } else {
        for (const id of ids) await framework.reached(id, 'TASK_RUNNING');
        await eventually('checks run', async () => marked().length >= 8 || undefined);
      }
      if (moment === 'while they end') for (const id of ids) framework.kill(id);
      await stop(machine.agent, 'SIGKILL');
      const pids = marked();
      const killed = victims.startsWith('all')
        ? pids
        : victims.startsWith('one')
          ? pids.filter((_, at) => at % 3 === 0)
          : [];
      for (const pid of killed) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It went with another one.
        }
      }
      machine.startAgent();
      await machine.agentActive();
      const has = (id: string, states: RegExp): boolean =>
        framework.updates.some((one) => one.task_id.value === id && states.test(one.state));
      const ends = /FINISHED|FAILED|KILLED|LOST|DROPPED|GONE/;
      // One that no offer has carried yet cannot be killed.
      const isThere = (id: string): boolean => has(id, /RUNNING/) || has(id, ends);
      await framework.until('each has come', () => ids.every(isThere));
      for (const id of ids) framework.kill(id);
      await framework.until('each has ended', () => ids.every((id) => has(id, ends)));
      await nothingIsLeft();
    });
  }

  test('what only the kernel knows of an agent that lost its folder goes, too', async () => {
    assert.ok(cgroups !== undefined);
    launchSome(ROUNDS);
    await framework.reached(`c${ROUNDS}`, 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    rmSync(home, { recursive: true });
    machine.startAgent();
    await nothingIsLeft();
  });
});
