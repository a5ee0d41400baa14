// cgroups/perf_event: events of containers are counted by the machine's perf(1) and told with their statistics. The
// events are the kernel's own, as a virtual machine may have no others.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { PerfStatistics } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { controller } from '#test/support/controller.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const hasPerf = spawnSync('perf', ['stat', '--event', 'task-clock', 'true']).status === 0;
const found = hasPerf ? controller('perf_event') : 'no perf(1) that counts';
const skip = typeof found === 'string' ? found : false;

suite(`events of containers (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const top = `strata-perf-${process.pid}`;
  let framework: TestFramework;
  before(async () => {
    await machine.start([
      '--flag',
      'isolation=cgroups/perf_event',
      'perf_events=task-clock,context-switches',
      'perf_interval=200ms',
      'perf_duration=100ms',
      `cgroups_root=${top}`,
    ]);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    try {
      await framework?.close();
      await machine.close();
    } finally {
      // A controller that stays mounted here is one that other programs of the machine do not expect.
      if (typeof found !== 'string') await found.close(top);
    }
  });
  async function counted(id: string): Promise<PerfStatistics | undefined> {
    const answer = await callAgent(machine.agentUrl, {
      type: 'GET_CONTAINERS',
      get_containers: {},
    });
    const listed = answer.body.get_containers?.containers ?? [];
    return listed.find((one) => one.executor_id?.value === id)?.resource_statistics?.perf;
  }

  test('who is busy has used time, who sleeps has not', async () => {
    framework.launch([{ id: 'busy', script: 'while :; do :; done' }]);
    framework.launch([{ id: 'idle', script: 'sleep 600' }]);
    for (const id of ['busy', 'idle']) await framework.reached(id, 'TASK_RUNNING');
    const busy = await eventually('it is counted', async () => {
      const perf = await counted('busy');
      return (perf?.task_clock ?? 0) > 0 ? perf : undefined;
    });
    assert.equal(busy.duration, 0.1);
    assert.ok(busy.timestamp > 0 && busy.context_switches !== undefined);
    const idle = await eventually('the other, too', () => counted('idle'));
    assert.ok((idle.task_clock ?? 0) < (busy.task_clock ?? 0));
    for (const id of ['busy', 'idle']) framework.kill(id);
    for (const id of ['busy', 'idle']) await framework.reached(id, 'TASK_KILLED');
  });
});
