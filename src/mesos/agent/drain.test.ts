// Draining: what runs is killed within the time that the operator allows, what comes is refused, and it
// is over when nothing is left; also over a restart (inventory 3 and 10.2).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DrainConfig, KillPolicy, TaskStatus } from '#wire/mesos/v1.ts';
import { Agent, FRAMEWORK } from './core-fixture.ts';

const seconds = (n: number) => ({ nanoseconds: n * 1e9 });

function drain(agent: Agent, config: DrainConfig): void {
  agent.master({ name: 'DrainSlaveMessage', body: { config } });
}

function statuses(agent: Agent): TaskStatus[] {
  return agent.effects.flatMap((effect) => {
    if (effect.kind !== 'send-master' || effect.name !== 'StatusUpdateMessage') return [];
    return [(effect.body as { update: { status: TaskStatus } }).update.status];
  });
}

function running(more: { kill_policy?: KillPolicy } = {}): Agent {
  const agent = Agent.registered();
  agent.runTask('t', FRAMEWORK, more);
  agent.subscribe('t');
  const uuid = agent.update('t', 't', 'TASK_RUNNING');
  agent.acknowledge('t', uuid);
  agent.effects = [];
  return agent;
}

function killOf(agent: Agent): KillPolicy | undefined | 'none' {
  for (const effect of agent.effects) {
    if (effect.kind !== 'executor-event' || effect.event.type !== 'KILL') continue;
    return effect.event.kill?.kill_policy;
  }
  return 'none';
}

const graces: readonly {
  readonly own?: number;
  readonly most?: number;
  readonly told: number | undefined;
}[] = [
  { told: undefined },
  { own: 30, told: undefined },
  { most: 5, told: 5 },
  { own: 30, most: 5, told: 5 },
  { own: 3, most: 5, told: undefined },
];
for (const { own, most, told } of graces) {
  test(`a task with ${own ?? 'no'} s of grace, of which ${most ?? 'all'} are allowed`, () => {
    const agent = running(own === undefined ? {} : { kill_policy: { grace_period: seconds(own) } });
    drain(agent, most === undefined ? {} : { max_grace_period: seconds(most) });
    const kill = killOf(agent);
    assert.notEqual(kill, 'none');
    const grace = kill === 'none' ? undefined : kill?.grace_period;
    assert.deepEqual(grace, told === undefined ? undefined : seconds(told));
  });
}

test('drained is an agent that has nothing left, with every last word acknowledged', () => {
  const agent = running();
  drain(agent, {});
  assert.equal(agent.effects[0]?.kind, 'checkpoint');
  const uuid = agent.update('t', 't', 'TASK_KILLED');
  assert.deepEqual(
    statuses(agent).map(({ state, reason }) => [state, reason]),
    [['TASK_KILLED', 'REASON_AGENT_DRAINING']],
  );
  agent.end('t');
  assert.notEqual(agent.core.drain.config, undefined, 'the last update is not acknowledged');
  agent.acknowledge('t', uuid);
  assert.equal(agent.core.drain.config, undefined);
  assert.equal(agent.take().at(-1), 'checkpoint drain');
});

test('what ends by itself meanwhile says so', () => {
  const agent = running();
  drain(agent, {});
  agent.effects = [];
  agent.update('t', 't', 'TASK_FINISHED');
  assert.equal(statuses(agent)[0]?.state, 'TASK_FINISHED');
  assert.equal(statuses(agent)[0]?.reason, undefined);
});

test('an agent that will be gone says so of what was killed, to those that know the word', () => {
  for (const [capabilities, state] of [
    [[{ type: 'PARTITION_AWARE' as const }], 'TASK_GONE_BY_OPERATOR'],
    [[], 'TASK_KILLED'],
  ] as const) {
    const agent = Agent.registered();
    agent.runTask('t', { ...FRAMEWORK, capabilities: [...capabilities] });
    agent.subscribe('t');
    drain(agent, { mark_gone: true });
    agent.effects = [];
    agent.update('t', 't', 'TASK_KILLED');
    assert.equal(statuses(agent)[0]?.state, state);
  }
});

test('a task that waits for its executor is killed at once', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  agent.effects = [];
  drain(agent, {});
  assert.deepEqual(
    statuses(agent).map(({ state, reason }) => [state, reason]),
    [['TASK_KILLED', 'REASON_AGENT_DRAINING']],
  );
});

test('a task that comes while the agent is drained is dropped', () => {
  const agent = running();
  drain(agent, {});
  agent.effects = [];
  agent.runTask('late');
  const [status] = statuses(agent);
  assert.equal(status?.state, 'TASK_DROPPED');
  assert.equal(status?.reason, 'REASON_AGENT_DRAINING');
  assert.ok(!agent.take().includes('launch-container'));
});

test('an executor that has no tasks left is ended, too', () => {
  const agent = Agent.registered();
  const executor = {
    executor_id: { value: 'kept' },
    type: 'CUSTOM' as const,
    command: { value: 'executor' },
  };
  agent.runTask('t', FRAMEWORK, { executor });
  agent.subscribe('kept');
  const uuid = agent.update('kept', 't', 'TASK_FINISHED');
  agent.acknowledge('t', uuid);
  agent.effects = [];
  drain(agent, {});
  assert.ok(
    agent.effects.some((one) => one.kind === 'executor-event' && one.event.type === 'SHUTDOWN'),
  );
  agent.end('kept');
  assert.equal(agent.core.drain.config, undefined);
});

test('nothing to drain is drained already', () => {
  const agent = Agent.registered();
  drain(agent, {});
  assert.deepEqual(agent.take(), []);
  agent.runTask('t');
  assert.ok(agent.take().includes('launch-container'));
});

test('a restart goes on with it: executors are told when they are back', () => {
  const agent_id = { value: 'a' };
  const task = {
    name: 't',
    task_id: { value: 't' },
    framework_id: { value: 'f' },
    agent_id,
    state: 'TASK_RUNNING' as const,
  };
  const executor = {
    info: { executor_id: { value: 't' }, framework_id: { value: 'f' } },
    containerId: 'c',
    tasks: [{ task, updates: [], acknowledged: [] }],
  };
  const agent = Agent.registered({
    info: { hostname: 'h', id: agent_id },
    drain: { max_grace_period: seconds(1) },
    frameworks: [{ info: FRAMEWORK, pid: '', executors: [executor] }],
  });
  agent.subscribe('t');
  assert.deepEqual(killOf(agent), { grace_period: seconds(1) });
});

test('a restart that finds nothing left is drained', () => {
  const agent = new Agent({
    info: { hostname: 'h', id: { value: 'a' } },
    drain: {},
    frameworks: [],
  });
  assert.equal(agent.core.drain.config, undefined);
  assert.deepEqual(agent.take(), ['checkpoint drain']);
});
