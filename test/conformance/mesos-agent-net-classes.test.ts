// cgroups/net_cls: packets of each container have a class of their own, which its status tells. On a kernel with
// cgroups of version 1, as root; the controller is mounted for this test alone where it is not.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { TaskStatus } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { controller } from '#test/support/controller.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const found = controller('net_cls');
const root = typeof found === 'string' ? '' : found.root;
const skip = typeof found === 'string' ? found : false;

suite(`classes of packets (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const top = `strata-net-${process.pid}`;
  const flags = [
    '--flag',
    'isolation=cgroups/net_cls,cgroups/cpu',
    'cgroups_net_cls_primary_handle=0x12',
    'cgroups_net_cls_secondary_handles=0x1,0x2',
    `cgroups_root=${top}`,
  ];
  let framework: TestFramework;
  before(async () => {
    await machine.start(flags);
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
  const classOf = (status: TaskStatus): number | undefined =>
    status.container_status?.cgroup_info?.net_cls?.classid;
  /** What the kernel says, of each group below the agent's. */
  function classesThere(): readonly number[] {
    const [agent = ''] = readdirSync(join(root, top)).filter((name) => name.startsWith('agent-'));
    const folder = join(root, top, agent);
    const names = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = names.filter(({ name }) => name === 'net_cls.classid');
    const below = files.filter(({ parentPath }) => parentPath !== folder);
    return below.map((file) => Number(readFileSync(join(file.parentPath, file.name), 'utf8')));
  }

  test('each container has a class, which the kernel has and its status tells', async () => {
    for (const id of ['one', 'two']) framework.launch([{ id, script: 'sleep 600' }]);
    const told = [];
    for (const id of ['one', 'two']) {
      told.push(classOf(await framework.reached(id, 'TASK_RUNNING')));
    }
    assert.deepEqual(told.toSorted(), [0x120001, 0x120002]);
    assert.deepEqual(classesThere().toSorted(), [0x120001, 0x120002]);
    framework.launch([{ id: 'three', script: 'sleep 600' }]);
    const failed = await framework.reached('three', 'TASK_FAILED');
    assert.match(failed.message ?? '', /No free handles remaining for primary handle 0x12/);
  });

  test('after the agent was killed it is the same one, and free when its container has ended', async () => {
    const [first] = framework.updates.filter((one) => one.state === 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    const answer = await callAgent(machine.agentUrl, {
      type: 'GET_CONTAINERS',
      get_containers: {},
    });
    const listed = answer.body.get_containers?.containers ?? [];
    const classes = listed.map((one) => one.container_status?.cgroup_info?.net_cls?.classid);
    assert.deepEqual(classes.toSorted(), [0x120001, 0x120002]);
    const taskId = first?.task_id.value ?? '';
    framework.kill(taskId);
    await framework.reached(taskId, 'TASK_KILLED');
    await eventually('its class is free', async () => {
      const id = `again-${framework.updates.length}`;
      framework.launch([{ id, script: 'sleep 600' }]);
      await framework.until(id, () => /RUNNING|FAILED/.test(framework.statesOf(id).join()));
      const running = framework.updates.find(
        (one) => one.task_id.value === id && one.state === 'TASK_RUNNING',
      );
      return running === undefined ? undefined : classOf(running) === classOf(first as TaskStatus);
    });
  });
});
