// Stories of executors on old drivers (v0): what they and the agent send each other, on told time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import { silentLog } from '#env/node/log.ts';
import { encode, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages, TaskInfo } from '#wire/mesos/v1.ts';
import { Agent, FRAMEWORK } from './core-fixture.ts';
import { DriverExecutors, type DriverMessageName } from './driver-executors.ts';
import type { RecoveredAgent } from './types.ts';

const UPID = 'executor(1)@10.0.0.2:4000';
const ids = { framework_id: { value: 'f' }, executor_id: { value: 'e' } };
const KEY = { frameworkId: 'f', executorId: 'e' };
const executor = { type: 'CUSTOM', executor_id: { value: 'e' } } as const;
const DATA = new TextEncoder().encode('hello');

/** An agent with the adapter of drivers; what it sends to them, in short and whole. */
class World {
  readonly agent: Agent;
  readonly drivers: DriverExecutors;
  readonly sent: { to: string; name: string; body: object }[] = [];
  readonly linked = new Set<string>();
  #connections = 100;

  constructor(agent: Agent, wantsTokens = false) {
    this.agent = agent;
    this.drivers = new DriverExecutors({
      core: agent.core,
      log: silentLog,
      wantsTokens,
      nextConnection: () => ++this.#connections,
      onInput: (input) => agent.input(input),
      send: (to, name, body) => {
        encode(name, body);
        this.sent.push({ to, name, body });
      },
      link: (to) => this.linked.add(to),
      unlink: (to) => this.linked.delete(to),
    });
    this.settle();
  }

  /** As the shell performs what the core wants. */
  settle(): string[] {
    for (const effect of this.agent.effects) {
      if (effect.kind === 'executor-event') this.drivers.send(effect.connection, effect.event);
      if (effect.kind === 'close-executor') this.drivers.close(effect.connection);
      if (effect.kind === 'reconnect-executor') this.drivers.reconnect(effect.upid);
    }
    return this.agent.take();
  }

  says<N extends DriverMessageName>(name: N, body: Messages[N], from = UPID): string[] {
    this.drivers.onMessage(from, name, encode(name as MessageName, body));
    return this.settle();
  }

  updates(taskId: string, state: 'TASK_RUNNING' | 'TASK_FINISHED', from = UPID): string[] {
    const uuid = uuidBytes(this.agent.random.uuid());
    const status = { task_id: { value: taskId }, state };
    const update = { ...ids, status, timestamp: 1, uuid };
    return this.says('StatusUpdateMessage', { update, pid: from }, from);
  }

  /** Names of what was sent since the last look. */
  take(to = UPID): string[] {
    const mine = this.sent.filter((one) => one.to === to).map((one) => one.name);
    this.sent.length = 0;
    return mine;
  }
}

function running(): World {
  const world = new World(Agent.registered());
  world.agent.runTask('t', FRAMEWORK, { executor });
  world.says('RegisterExecutorMessage', ids);
  assert.deepEqual(world.take(), ['ExecutorRegisteredMessage', 'RunTaskMessage']);
  return world;
}

const kept = { info: FRAMEWORK, pid: 's@10.0.0.1:9' };
const staging = { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' } };
function recovered(driver: string | undefined): RecoveredAgent {
  const task = { ...staging, ...ids, state: 'TASK_STAGING' } as const;
  const tasks = [{ task, updates: [], acknowledged: [] }];
  const one = { info: executor, containerId: 'c', tasks, driver };
  return {
    info: { hostname: 'h', id: { value: 'a' } },
    frameworks: [{ ...kept, executors: [one] }],
  };
}

test('where a driver is, is kept before it is told anything; everything goes by its messages', () => {
  const world = new World(Agent.registered());
  world.agent.runTask('t', FRAMEWORK, { executor });
  world.settle();
  assert.deepEqual(world.says('RegisterExecutorMessage', ids), [
    'checkpoint executor-driver',
    'SUBSCRIBED to 101',
    'checkpoint task',
    'LAUNCH to 101',
  ]);
  assert.deepEqual([...world.linked], [UPID]);
  const [registered, launched] = world.sent.map(({ body }) => body as Record<string, unknown>);
  assert.deepEqual(registered, {
    executor_info: executor,
    framework_id: { value: 'f' },
    framework_info: FRAMEWORK,
    agent_id: { value: 'a' },
    slave_info: { hostname: 'h', resources: [], id: { value: 'a' } },
  });
  assert.deepEqual(launched?.['framework_id'], { value: 'f' }, 'drivers before 0.23 need it');
  assert.equal((launched?.['task'] as TaskInfo | undefined)?.task_id.value, 't');
  world.take();
  const told = ['checkpoint update', 'ACKNOWLEDGED to 101', 'TASK_RUNNING latest TASK_RUNNING'];
  assert.deepEqual(world.updates('t', 'TASK_RUNNING'), told);
  assert.deepEqual(world.take(), ['StatusUpdateAcknowledgementMessage']);
  const message = { ...ids, agent_id: { value: 'a' }, data: DATA };
  assert.deepEqual(world.says('ExecutorToFrameworkMessage', message), [
    'ExecutorToFrameworkMessage',
  ]);
  world.agent.master({ name: 'FrameworkToExecutorMessage', body: message });
  const kill_policy = { grace_period: { nanoseconds: 1e9 } };
  const kill = { framework_id: { value: 'f' }, task_id: { value: 't' }, kill_policy };
  world.agent.master({ name: 'KillTaskMessage', body: kill });
  world.agent.master({ name: 'ShutdownExecutorMessage', body: ids });
  world.settle();
  const whole = world.sent.map(({ name, body }) => [name, body]);
  assert.deepEqual(whole, [
    ['FrameworkToExecutorMessage', message],
    ['KillTaskMessage', kill],
    ['ShutdownExecutorMessage', {}],
  ]);
});

test('who is not the one that has registered is not heard, and told to end', () => {
  const world = running();
  const other = 'executor(1)@10.0.0.2:4001';
  assert.deepEqual(world.updates('t', 'TASK_FINISHED', other), []);
  const message = { ...ids, agent_id: { value: 'a' }, data: DATA };
  assert.deepEqual(world.says('ExecutorToFrameworkMessage', message, other), []);
  for (const name of ['RegisterExecutorMessage', 'ReregisterExecutorMessage'] as const) {
    world.says(name, ids, other);
    assert.deepEqual(world.take(other), ['ShutdownExecutorMessage']);
  }
  const nobody = { ...ids, executor_id: { value: 'nobody' } };
  world.says('RegisterExecutorMessage', nobody, other);
  assert.deepEqual(world.take(other), ['ShutdownExecutorMessage']);
  assert.deepEqual([...world.linked], [UPID]);
  world.updates('t', 'TASK_RUNNING');
  assert.deepEqual(world.take(), ['StatusUpdateAcknowledgementMessage'], 'the first one stays');
});

test('an executor at the port of one that has just ended is another one', () => {
  const world = running();
  const e2 = { ...executor, executor_id: { value: 'e2' } };
  world.agent.runTask('t2', FRAMEWORK, { executor: e2 });
  world.says('RegisterExecutorMessage', { ...ids, executor_id: { value: 'e2' } });
  assert.deepEqual(world.take(), ['ExecutorRegisteredMessage', 'RunTaskMessage']);
  world.agent.end('e');
  world.settle();
  assert.deepEqual([...world.linked], [UPID], 'it is watched on');
  world.updates('t2', 'TASK_RUNNING');
  assert.deepEqual(world.take(), ['StatusUpdateAcknowledgementMessage']);
});

test('where executors need tokens, drivers are told to end', () => {
  const world = new World(Agent.registered(), true);
  world.agent.runTask('t', FRAMEWORK, { executor });
  for (const name of ['RegisterExecutorMessage', 'ReregisterExecutorMessage'] as const) {
    world.says(name, ids);
    assert.deepEqual(world.take(), ['ShutdownExecutorMessage']);
  }
  assert.equal(world.agent.core.workloads.executor(KEY)?.connection, undefined);
});

test('nobody takes the place of an executor that the agent itself is', () => {
  const world = new World(Agent.registered());
  world.agent.runTask('t');
  world.says('RegisterExecutorMessage', { ...ids, executor_id: { value: 't' } });
  assert.deepEqual(world.take(), ['ShutdownExecutorMessage']);
});

test('a driver whose link breaks is asked once; what it had not got is sent again', () => {
  const world = running();
  assert.equal(world.drivers.exited('master@10.0.0.9:5050'), false, 'it is somebody else’s');
  world.drivers.exited(UPID);
  world.drivers.exited(UPID);
  assert.deepEqual(world.take(), ['ReconnectExecutorMessage']);
  world.says('ReregisterExecutorMessage', ids);
  assert.deepEqual(world.take(), ['ExecutorReregisteredMessage', 'RunTaskMessage']);
  world.drivers.exited(UPID);
  assert.deepEqual(world.take(), ['ReconnectExecutorMessage']);
  world.says('ReregisterExecutorMessage', { ...ids, tasks: [staging] });
  assert.deepEqual(world.take(), ['ExecutorReregisteredMessage'], 'it has the task');
  world.agent.end('e');
  world.settle();
  assert.deepEqual([...world.linked], []);
  assert.equal(world.drivers.exited(UPID), false);
});

test('a driver of an earlier life is asked to come back, and tells what it said meanwhile', () => {
  const world = new World(Agent.registered(recovered(UPID)));
  world.drivers.reconnect(UPID);
  assert.deepEqual(world.take(), ['ReconnectExecutorMessage']);
  const status = { task_id: { value: 't' }, state: 'TASK_RUNNING' } as const;
  const uuid = uuidBytes(world.agent.random.uuid());
  const updates = [{ ...ids, status, timestamp: 1, uuid }];
  const told = world.says('ReregisterExecutorMessage', { ...ids, tasks: [staging], updates });
  assert.deepEqual(told, [
    'SUBSCRIBED to 101',
    'checkpoint update',
    'ACKNOWLEDGED to 101',
    'TASK_RUNNING latest TASK_RUNNING',
  ]);
  const answers = ['ExecutorReregisteredMessage', 'StatusUpdateAcknowledgementMessage'];
  assert.deepEqual(world.take(), answers);
});

test('a task that a driver of an earlier life has never heard of is dropped', () => {
  const world = new World(Agent.registered(recovered(UPID)));
  const told = world.says('ReregisterExecutorMessage', ids);
  assert.ok(told.includes('TASK_DROPPED REASON_AGENT_RESTARTED latest TASK_DROPPED'));
});

test('drivers are asked at the start, those of the stream not; again in the given interval', () => {
  const asked = (agent: Agent): number =>
    agent.take().filter((one) => one === 'reconnect-executor').length;
  assert.equal(asked(new Agent(recovered(undefined))), 0);
  const once = new Agent(recovered(UPID));
  once.pass(1_900);
  assert.equal(asked(once), 1);
  const often = new Agent(recovered(UPID), { executorReconnectMs: 500 });
  often.pass(1_400);
  assert.equal(asked(often), 3);
  often.pass(10_000);
  assert.equal(asked(often), 1, 'until it is too late');
  assert.equal(often.core.nextDeadline(), Infinity);
});

test('a group of tasks is not given to a driver, which does not know of groups', () => {
  const world = running();
  const task_group = { tasks: [{ ...staging, task_id: { value: 'g' } }] };
  const body = { framework: FRAMEWORK, executor, task_group };
  world.agent.master({ name: 'RunTaskGroupMessage', body });
  const told = world.settle();
  assert.ok(told.includes('TASK_DROPPED REASON_TASK_GROUP_INVALID latest TASK_DROPPED'), `${told}`);
  assert.deepEqual(world.take(), []);
});
