// An operator drains an agent of Strata's: with a real Mesos 1.11 master and with ours.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { callMaster } from '#mesos/client/operator-client.ts';
import type { MasterResponse } from '#wire/mesos/v1.ts';
import { AgentMachine, realMaster, stop } from '#test/support/agent-machine.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

function stories(kind: 'real' | 'own'): void {
  const machine = new AgentMachine(kind);
  let framework: TestFramework;
  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  type Agent = NonNullable<NonNullable<MasterResponse['get_agents']>['agents']>[number];
  async function theAgent(): Promise<Agent> {
    const { get_agents } = await callMaster({ url: machine.masterUrl }, { type: 'GET_AGENTS' });
    const [agent] = get_agents?.agents ?? [];
    assert.ok(agent !== undefined);
    return agent;
  }

  test('tasks are killed in the time allowed, also those whose agent is restarted meanwhile', async () => {
    // It does not want to end: only SIGKILL after its grace does.
    const ready = join(machine.folder, 'ready');
    const stubborn = `trap "" TERM; touch ${ready}; while :; do sleep 0.1; done`;
    framework.launch([
      {
        id: 'stubborn',
        command: { value: stubborn },
        kill_policy: { grace_period: { nanoseconds: 3_600e9 } },
      },
      { id: 'willing', command: { value: 'sleep 600' } },
    ]);
    await framework.reached('stubborn', 'TASK_RUNNING');
    await eventually('the trap is set', async () => existsSync(ready));
    await framework.reached('willing', 'TASK_RUNNING');
    const { agent_info } = await theAgent();
    const agent_id = agent_info.id ?? assert.fail();
    await callMaster(
      { url: machine.masterUrl },
      { type: 'DRAIN_AGENT', drain_agent: { agent_id, max_grace_period: { seconds: 4 } } },
    );
    const willing = await framework.reached('willing', 'TASK_KILLED');
    assert.equal(willing.reason, 'REASON_AGENT_DRAINING');
    const own = await callAgent(machine.agentUrl, { type: 'GET_AGENT' });
    assert.deepEqual(own.body.get_agent?.drain_config?.max_grace_period, { nanoseconds: 4e9 });
    assert.equal((await theAgent()).drain_info?.state, 'DRAINING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent();
    const end = await framework.reached('stubborn', 'TASK_KILLED');
    assert.equal(end.reason, 'REASON_AGENT_DRAINING');
    await eventually('it is drained', async () =>
      (await theAgent()).drain_info?.state === 'DRAINED' ? true : undefined,
    );
    const after = await callAgent(machine.agentUrl, { type: 'GET_AGENT' });
    assert.equal(after.body.get_agent?.drain_config, undefined);
  });

  test('reactivated, it runs tasks again', async () => {
    const { agent_info } = await theAgent();
    const agent_id = agent_info.id ?? assert.fail();
    await callMaster(
      { url: machine.masterUrl },
      { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } },
    );
    framework.launch([{ id: 'again', command: { value: 'exit 0' } }]);
    await framework.reached('again', 'TASK_FINISHED');
  });
}

const noReal = existsSync(realMaster) ? false : `no real Mesos master at ${realMaster}`;
suite('draining with a real Mesos master', { skip: noReal }, () => stories('real'));
suite('draining with our master', () => stories('own'));
