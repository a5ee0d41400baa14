// Scheduler drivers (v0): who may take a framework over (inventory 2.2), and what each event and each
// message becomes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchedulerEvent } from '#wire/mesos/v1.ts';
import { aFramework, aTask, TestMaster } from './core-fixture.ts';
import { messageFor, requestOf } from './driver-messages.ts';

const AGENT = 'slave(1)@10.0.0.2:5051';
const A = 'scheduler-a@10.0.0.9:4000';
const B = 'scheduler-b@10.0.0.9:4001';

function driven() {
  const master = new TestMaster();
  const agentId = master.addAgent(AGENT);
  const info = aFramework({ failover_timeout: 60 });
  const { connection, frameworkId } = master.subscribe(info, { pid: A, force: false });
  return {
    master,
    agentId,
    connection,
    frameworkId,
    again: { ...info, id: { value: frameworkId } },
  };
}

const types = (master: TestMaster, connection: number) =>
  master.eventsOf(connection).map(({ type, error }) => error?.message ?? type);

test('a driver that asks again before it was answered is the same framework', () => {
  const { master, connection, frameworkId } = driven();
  const second = master.subscribe(aFramework(), { pid: A, force: false });
  assert.deepEqual(second, { connection, frameworkId });
  assert.deepEqual(types(master, connection), ['SUBSCRIBED']);
  assert.equal(master.core.state.frameworks.size, 1);
});

test('another process takes a framework over by force only, and the old one is told', () => {
  const { master, connection, frameworkId, again } = driven();
  const meek = master.subscribe(again, { pid: B, force: false });
  assert.deepEqual(types(master, meek.connection), ['Framework failed over']);
  assert.ok(master.closed.has(meek.connection));
  assert.equal(master.core.state.frameworks.get(frameworkId)?.pid, A);
  const bold = master.subscribe(again, { pid: B, force: true });
  assert.equal(bold.frameworkId, frameworkId);
  assert.equal(types(master, connection).at(-1), 'Framework failed over');
  assert.ok(master.closed.has(connection));
  assert.deepEqual(types(master, bold.connection), ['SUBSCRIBED', 'HEARTBEAT', 'OFFERS']);
});

test('the same process comes back: its offers are rescinded, it is told no error', () => {
  const { master, connection, again } = driven();
  const offer = master.offersOf(connection)[0]?.id.value;
  const back = master.subscribe(again, { pid: A, force: false });
  assert.equal(back.connection, connection);
  assert.deepEqual(types(master, connection), ['RESCIND', 'SUBSCRIBED', 'HEARTBEAT', 'OFFERS']);
  assert.equal(master.eventsOf(connection)[0]?.rescind?.offer_id.value, offer);
  assert.ok(!master.closed.has(connection));
});

test('a pid has one framework: asking for another one there is dropped', () => {
  const { master, connection, again } = driven();
  master.subscribe({ ...again, id: { value: 'other' } }, { pid: A, force: true });
  assert.deepEqual(types(master, connection), []);
  assert.equal(master.core.state.frameworks.size, 1);
});

test('a connected driver keeps its connection when what it asks for is refused', () => {
  const { master, connection, again } = driven();
  master.subscribe({ ...again, principal: 'someone' }, { pid: A, force: false });
  assert.deepEqual(types(master, connection), ["Changing framework's principal is not allowed."]);
  assert.ok(!master.closed.has(connection));
});

test('a framework goes over from a driver to HTTP and back', () => {
  const { master, connection, frameworkId, again } = driven();
  const http = master.subscribe(again);
  assert.equal(types(master, connection).at(-1), 'Framework failed over');
  assert.equal(master.core.state.frameworks.get(frameworkId)?.pid, undefined);
  const back = master.subscribe(again, { pid: B, force: true });
  assert.equal(types(master, http.connection).at(-1), 'Framework failed over');
  assert.equal(master.core.state.frameworks.get(frameworkId)?.pid, B);
  assert.equal(types(master, back.connection)[0], 'SUBSCRIBED');
});

test('a deactivated driver stays connected, and gets no more offers', () => {
  const { master, connection, frameworkId } = driven();
  master.perform(master.core.deactivate(connection));
  assert.deepEqual(types(master, connection).at(-1), 'RESCIND');
  const framework = master.core.state.frameworks.get(frameworkId);
  assert.equal(framework?.isActive, false);
  assert.equal(framework?.connection, connection);
});

test('tasks carry the pid of the driver, so that executors answer it directly', () => {
  const { master, agentId, connection, frameworkId } = driven();
  const offer = master.offersOf(connection)[0]?.id.value ?? '';
  master.launch(frameworkId, offer, aTask('t', agentId));
  const run = master.sent.at(-1)?.message;
  assert.equal(run?.name === 'RunTaskMessage' ? run.body.pid : undefined, A);
});

test('an operation with an id ends a driver: it cannot be told of its outcome', () => {
  const { master, connection, frameworkId } = driven();
  const offer = master.offersOf(connection)[0]?.id.value ?? '';
  master.call(frameworkId, {
    type: 'ACCEPT',
    accept: {
      offer_ids: [{ value: offer }],
      operations: [{ type: 'RESERVE', id: { value: 'o' }, reserve: { resources: [] } }],
    },
  });
  assert.match(types(master, connection).at(-1) ?? '', /not supported for the SchedulerDriver API/);
});

const context = {
  frameworkId: 'f',
  isReregistration: false,
  agentPid: (id: string) => (id === 'a' ? AGENT : undefined),
};
const uuid = new Uint8Array(16).fill(3);
const status = {
  task_id: { value: 't' },
  agent_id: { value: 'a' },
  state: 'TASK_RUNNING' as const,
  timestamp: 5,
};
const agent_id = { value: 'a' };
const executor_id = { value: 'e' };
const master_info = { id: 'm', ip: 1, port: 5050 };
const events: readonly (readonly [SchedulerEvent, string | undefined, object?])[] = [
  [
    { type: 'SUBSCRIBED', subscribed: { framework_id: { value: 'f' }, master_info } },
    'FrameworkRegisteredMessage',
    { framework_id: { value: 'f' }, master_info },
  ],
  [{ type: 'RESCIND', rescind: { offer_id: { value: 'o' } } }, 'RescindResourceOfferMessage'],
  [
    { type: 'UPDATE', update: { status: { ...status, uuid } } },
    'StatusUpdateMessage',
    {
      update: {
        framework_id: { value: 'f' },
        agent_id,
        status: { ...status, uuid },
        timestamp: 5,
        uuid,
      },
      pid: AGENT,
    },
  ],
  [
    { type: 'UPDATE', update: { status } },
    'StatusUpdateMessage',
    { update: { framework_id: { value: 'f' }, agent_id, status, timestamp: 5 } },
  ],
  [{ type: 'FAILURE', failure: { agent_id } }, 'LostSlaveMessage', { agent_id }],
  [
    { type: 'FAILURE', failure: { agent_id, executor_id, status: 9 } },
    'ExitedExecutorMessage',
    { agent_id, framework_id: { value: 'f' }, executor_id, status: 9 },
  ],
  [
    { type: 'MESSAGE', message: { agent_id, executor_id, data: uuid } },
    'ExecutorToFrameworkMessage',
    { agent_id, framework_id: { value: 'f' }, executor_id, data: uuid },
  ],
  [{ type: 'ERROR', error: { message: 'no' } }, 'FrameworkErrorMessage', { message: 'no' }],
  [{ type: 'HEARTBEAT' }, undefined],
];
for (const [event, name, body] of events) {
  const kind = event.update?.status.uuid === undefined ? '' : ' to be acknowledged';
  const executor = event.failure?.executor_id === undefined ? '' : ' of an executor';
  test(`${event.type}${kind}${executor} is ${name ?? 'not told'} to a driver`, () => {
    const message = messageFor(event, context);
    assert.equal(message?.name, name);
    if (body !== undefined) assert.deepEqual(message?.body, body);
  });
}

test('the pid of each agent goes with its offers', () => {
  const { master, connection } = driven();
  const [event] = master.eventsOf(connection).filter(({ type }) => type === 'OFFERS');
  const message = messageFor(event ?? {}, { ...context, agentPid: () => AGENT });
  assert.deepEqual(message?.name === 'ResourceOffersMessage' && message.body.pids, [AGENT]);
});

test('older messages are calls as well', () => {
  const framework_id = { value: 'f' };
  const offer_ids = [{ value: 'o' }];
  const filters = {};
  const task = aTask('t', 'a');
  const launch = requestOf({
    name: 'LaunchTasksMessage',
    body: { framework_id, offer_ids, filters, tasks: [task] },
  });
  assert.equal(launch.kind === 'call' && launch.call.type, 'ACCEPT');
  const none = requestOf({
    name: 'LaunchTasksMessage',
    body: { framework_id, offer_ids, filters },
  });
  assert.equal(none.kind === 'call' && none.call.type, 'DECLINE');
  const framework = aFramework({ id: framework_id });
  assert.equal(
    requestOf({ name: 'RegisterFrameworkMessage', body: { framework } }).kind,
    'refused',
  );
  const back = requestOf({
    name: 'ReregisterFrameworkMessage',
    body: { framework, failover: true },
  });
  assert.ok(back.kind === 'subscribe' && back.force);
});
