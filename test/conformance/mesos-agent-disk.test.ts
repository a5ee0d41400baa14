// Disk quota of sandboxes by du(1): who writes more than was asked for is ended with Mesos' reason, who
// does not is left alone, also across a restart of the agent.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { Resource, TaskStatus } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const MB = 1024 * 1024;

suite(`disk quota of tasks (${bestMaster} master)`, () => {
  const machine = new AgentMachine(bestMaster);
  const flags = [
    '--flag',
    'isolation=posix/disk',
    'enforce_container_disk_quota=true',
    'container_disk_watch_interval=100ms',
  ];
  let framework: TestFramework;
  before(async () => {
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  const allocation_info = { role: '*' };
  const resources = (diskMb: number): Resource[] =>
    Object.entries({ cpus: 0.01, mem: 32, disk: diskMb }).map(([name, value]) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
      allocation_info,
    }));
  async function ended(id: string): Promise<TaskStatus> {
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  function isDiskEnd(end: TaskStatus, quotaMb: number): void {
    assert.equal(`${end.state} ${end.reason}`, 'TASK_FAILED REASON_CONTAINER_LIMITATION_DISK');
    assert.equal(end.source, 'SOURCE_AGENT');
    const message = new RegExp(`^Disk usage \\(\\d+[KM]B\\) exceeds quota \\(${quotaMb}MB\\)$`);
    assert.match(end.message ?? '', message);
    const limited = end.limitation?.resources?.map((one) => [one.name, one.scalar?.value]);
    assert.deepEqual(limited, [['disk', quotaMb]]);
  }
  const writes = (mb: number): string => `head -c ${mb * MB} /dev/zero >f; sync f; sleep 600`;

  test('a task that writes too much is ended, one that does not goes on', async () => {
    framework.launch([{ id: 'frugal', script: writes(1), resources: resources(2) }]);
    framework.launch([{ id: 'greedy', script: writes(4), resources: resources(2) }]);
    isDiskEnd(await ended('greedy'), 2);
    const statistics = await eventually('its usage is told', async () => {
      const answer = await callAgent(machine.agentUrl, {
        type: 'GET_CONTAINERS',
        get_containers: {},
      });
      const { get_containers: found } = JSON.parse(answer.text) as {
        get_containers: { containers: { resource_statistics: Record<string, number> }[] };
      };
      const [one] = found.containers.map((each) => each.resource_statistics);
      return (one?.['disk_used_bytes'] ?? 0) > MB ? one : undefined;
    });
    assert.equal(statistics['disk_limit_bytes'], 2 * MB);
    assert.deepEqual(framework.statesOf('frugal').at(-1), 'TASK_RUNNING');
    framework.kill('frugal');
    assert.equal((await ended('frugal')).state, 'TASK_KILLED');
  });

  test('a group is ended as one when its sandbox is too large', async () => {
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'pod' } }, [
      { id: 'one', script: writes(8), resources: resources(1) },
      { id: 'other', script: 'sleep 600', resources: resources(2) },
    ]);
    for (const id of ['one', 'other']) {
      const end = await ended(id);
      assert.equal(end.reason, 'REASON_CONTAINER_LIMITATION_DISK');
      assert.match(end.message ?? '', /exceeds quota \(4MB\)/);
    }
  });

  test('the quota holds after the agent was killed', async () => {
    const script = `until [ -e go ]; do sleep 0.05; done; ${writes(4)}`;
    framework.launch([{ id: 'later', script, resources: resources(2) }]);
    await framework.reached('later', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    const state = (await (await fetch(`${machine.agentUrl}/state`)).json()) as {
      frameworks: { executors: { id: string; directory: string }[] }[];
    };
    const executors = state.frameworks.flatMap((one) => one.executors);
    const sandbox = executors.find((one) => one.id === 'later')?.directory ?? '';
    writeFileSync(`${sandbox}/go`, '');
    isDiskEnd(await ended('later'), 2);
  });
});
