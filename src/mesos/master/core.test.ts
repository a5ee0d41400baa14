// The life of frameworks, offers, tasks and agents in the master core, one story per test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResources } from '#mesos/resources/parse.ts';
import type { Task } from '#wire/mesos/v1.ts';
import { AGENT_CAPABILITIES } from '#mesos/resources/agent-capabilities.ts';
import { aFramework, aTask, TestMaster } from './core-fixture.ts';
import { Ledger } from './ledger.ts';

const PID = 'slave(1)@10.0.0.2:5051';

function running() {
  const master = new TestMaster();
  const agentId = master.addAgent(PID);
  const { connection, frameworkId } = master.subscribe(
    aFramework({ failover_timeout: 60, checkpoint: true }),
  );
  const offerId = master.offersOf(connection)[0]?.id.value ?? '';
  master.launch(frameworkId, offerId, aTask('t', agentId));
  const of = { frameworkId, agentId, taskId: 't' };
  master.update(PID, { ...of, state: 'TASK_RUNNING', uuid: 1 });
  return { master, agentId, connection, frameworkId, of };
}

const names = (master: TestMaster): string[] => master.sent.map(({ message }) => message.name);

test('subscribe() answers SUBSCRIBED, HEARTBEAT, then offers what is there', () => {
  const master = new TestMaster();
  master.addAgent();
  const { connection } = master.subscribe();
  const types = master.eventsOf(connection).map(({ type }) => type);
  assert.deepEqual(types, ['SUBSCRIBED', 'HEARTBEAT', 'OFFERS']);
  assert.deepEqual(master.registry[0]?.kind, 'admit-agent');
});

test('a task goes to the agent, its update to the framework, the acknowledgement back', () => {
  const { master, connection, of } = running();
  assert.deepEqual(names(master), ['SlaveRegisteredMessage', 'RunTaskMessage']);
  assert.equal(new Ledger(master.core.state).usedByAll().scalar('cpus'), 1);
  assert.equal(master.statusesOf(connection)[0]?.state, 'TASK_RUNNING');
  master.acknowledge({ ...of, uuid: 1 });
  assert.equal(names(master).at(-1), 'StatusUpdateAcknowledgementMessage');
  master.update(PID, { ...of, state: 'TASK_FINISHED', uuid: 2 });
  assert.equal(
    new Ledger(master.core.state).usedByAll().scalar('cpus'),
    0,
    'the end frees at once',
  );
  const framework = master.core.state.frameworks.get(of.frameworkId);
  assert.equal(framework?.tasks.size, 1, 'but it is kept until the end is acknowledged');
  master.acknowledge({ ...of, uuid: 2 });
  assert.equal(framework?.tasks.size, 0);
  assert.equal(framework?.completedTasks.length, 1);
});

const invalid = [
  { name: 'more than the offer has', task: aTask('t', 'A', 'cpus:9;mem:1'), why: /more than/ },
  { name: 'no resources', task: { ...aTask('t', 'A'), resources: [] }, why: /no resources/ },
  { name: 'another agent', task: aTask('t', 'B'), why: /invalid agent/ },
  { name: 'a slash in its id', task: aTask('a/b', 'A'), why: /invalid characters/ },
  { name: 'no command', task: { ...aTask('t', 'A'), command: undefined }, why: /CommandInfo/ },
];
for (const { name, task, why } of invalid) {
  test(`accept() answers TASK_ERROR to a task with ${name}, and takes nothing`, () => {
    const master = new TestMaster();
    const agentId = master.addAgent();
    const { connection, frameworkId } = master.subscribe();
    const offerId = master.offersOf(connection)[0]?.id.value ?? '';
    const agent_id = { value: task.agent_id.value === 'A' ? agentId : 'other' };
    master.launch(frameworkId, offerId, { ...task, agent_id });
    const [status] = master.statusesOf(connection);
    assert.equal(status?.state, 'TASK_ERROR');
    assert.equal(status?.reason, 'REASON_TASK_INVALID');
    assert.match(status?.message ?? '', why);
    assert.equal(status?.uuid, undefined, 'nobody has to acknowledge the master');
    assert.ok(new Ledger(master.core.state).usedByAll().isEmpty);
    assert.ok(!names(master).includes('RunTaskMessage'));
  });
}

test('accept() drops tasks of an offer that is not there any more', () => {
  const master = new TestMaster();
  const agentId = master.addAgent();
  const { connection, frameworkId } = master.subscribe();
  master.launch(frameworkId, 'm-O99', aTask('t', agentId));
  const [status] = master.statusesOf(connection);
  assert.deepEqual([status?.state, status?.reason], ['TASK_DROPPED', 'REASON_INVALID_OFFERS']);
});

test('a declined offer comes back after its filter ended, or at once with REVIVE', () => {
  const master = new TestMaster();
  master.addAgent();
  const { connection, frameworkId } = master.subscribe();
  const decline = (): void => {
    const offer_ids = master.offersOf(connection).map(({ id }) => id);
    master.call(frameworkId, { type: 'DECLINE', decline: { offer_ids: offer_ids.slice(-1) } });
  };
  decline();
  master.wait(4_900);
  assert.equal(master.offersOf(connection).length, 1);
  master.wait(200);
  assert.equal(master.offersOf(connection).length, 2);
  decline();
  master.call(frameworkId, { type: 'REVIVE' });
  assert.equal(master.offersOf(connection).length, 3);
});

test('disconnected() rescinds offers; the framework is removed after its failover timeout', () => {
  const { master, connection, frameworkId } = running();
  master.disconnect(connection);
  assert.equal(master.core.state.offers.size, 0);
  master.wait(59_000);
  assert.ok(master.core.state.frameworks.has(frameworkId));
  master.wait(1_001);
  assert.ok(!master.core.state.frameworks.has(frameworkId));
  assert.equal(names(master).at(-1), 'ShutdownFrameworkMessage');
  const again = master.subscribe(aFramework({ id: { value: frameworkId } }));
  assert.equal(master.eventsOf(again.connection)[0]?.error?.message, 'Framework has been removed');
});

test('what an agent said before a launch came to it does not give back what the executor holds', () => {
  const master = new TestMaster();
  const agentId = master.addAgent(PID);
  const { connection, frameworkId } = master.subscribe(aFramework({ failover_timeout: 60 }));
  const executor = {
    executor_id: { value: 'e' },
    command: { value: 'executor' },
    resources: parseResources('cpus:0.5;mem:10'),
  };
  const { command: _none, ...task } = aTask('t', agentId);
  const offerId = master.offersOf(connection)[0]?.id.value ?? '';
  master.launch(frameworkId, offerId, { ...task, executor });
  const used = () => new Ledger(master.core.state).usedByAll().scalar('cpus');
  assert.equal(used(), 1.5);
  const slave = {
    id: { value: agentId },
    hostname: 'host',
    resources: parseResources('cpus:4;mem:1000'),
  };
  const reregister = (): void =>
    master.fromAgent(PID, {
      name: 'ReregisterSlaveMessage',
      body: { slave, version: '1.11.0', agent_capabilities: [] },
    });
  reregister();
  assert.equal(used(), 1.5, 'task and executor may be on their way');
  const agent_id = { value: agentId };
  const status = {
    task_id: { value: 't' },
    state: 'TASK_DROPPED' as const,
    agent_id,
    source: 'SOURCE_AGENT' as const,
    reason: 'REASON_RECONCILIATION' as const,
  };
  const update = { framework_id: { value: frameworkId }, agent_id, status, timestamp: 1 };
  master.fromAgent(PID, {
    name: 'StatusUpdateMessage',
    body: { update: { ...update, latest_state: 'TASK_DROPPED' } },
  });
  assert.equal(used(), 0, 'nothing of it has come');
});

test('words of a task that ran before do not bring an executor that never came to life (seed 9115)', () => {
  const master = new TestMaster();
  const agentId = master.addAgent(PID);
  const { connection, frameworkId } = master.subscribe(aFramework());
  const executor = {
    executor_id: { value: 'e' },
    command: { value: 'run' },
    resources: parseResources('cpus:0.5;mem:32'),
  };
  const launch = (id: string): void => {
    const { command: _none, ...task } = aTask(id, agentId);
    const offerId = master.offersOf(connection).at(-1)?.id.value ?? '';
    master.launch(frameworkId, offerId, { ...task, executor });
  };
  const executors = (): unknown[] => [
    ...(master.core.state.agents.get(agentId)?.executors.get(frameworkId)?.keys() ?? []),
  ];
  const framework_id = { value: frameworkId };
  const agent_id = { value: agentId };
  const tell = (id: string, state: 'TASK_RUNNING' | 'TASK_DROPPED', uuid?: Uint8Array): void => {
    const source = state === 'TASK_RUNNING' ? 'SOURCE_EXECUTOR' : 'SOURCE_AGENT';
    const status = { task_id: { value: id }, state, agent_id, source } as const;
    const update = { framework_id, agent_id, status, timestamp: 1, latest_state: state };
    const body = { update: uuid === undefined ? update : { ...update, uuid } };
    master.fromAgent(PID, { name: 'StatusUpdateMessage', body });
  };
  launch('first');
  // It ends at once; the next task would start another, and neither launch nor end is seen in order.
  const exited = { agent_id, framework_id, executor_id: { value: 'e' }, status: 0 };
  master.fromAgent(PID, { name: 'ExitedExecutorMessage', body: exited });
  launch('second');
  assert.deepEqual(executors(), ['e']);
  const slave = { id: agent_id, hostname: 'host', resources: parseResources('cpus:4;mem:1000') };
  const first = master.core.state.frameworks.get(frameworkId)?.tasks.get('first')?.task;
  assert.ok(first !== undefined);
  const tasks = [{ ...first, state: 'TASK_FINISHED' as const }];
  const info = master.core.state.frameworks.get(frameworkId)?.info;
  assert.ok(info !== undefined);
  const body = { slave, frameworks: [info], tasks, version: '1.11.0', agent_capabilities: [] };
  master.fromAgent(PID, { name: 'ReregisterSlaveMessage', body });
  tell('first', 'TASK_RUNNING', new Uint8Array(16).fill(1));
  tell('second', 'TASK_DROPPED');
  assert.deepEqual(executors(), [], 'the next launch starts it');
});

test('what a framework wished for ends with its connection, also when its next life takes over', () => {
  const master = new TestMaster();
  const agentId = master.addAgent(PID);
  const { connection, frameworkId } = master.subscribe(aFramework({ failover_timeout: 60 }));
  const offer_ids = master.offersOf(connection).map(({ id }) => id);
  const resources = parseResources('cpus:9');
  const requests = [{ agent_id: { value: agentId }, resources }];
  master.call(frameworkId, { type: 'REQUEST', request: { requests } });
  master.call(frameworkId, { type: 'DECLINE', decline: { offer_ids } });
  const again = aFramework({ id: { value: frameworkId }, failover_timeout: 60 });
  const next = master.subscribe(again);
  assert.ok(master.closed.has(connection));
  master.call(frameworkId, { type: 'REVIVE' });
  assert.equal(master.offersOf(next.connection).length, 1);
});

test('an agent that still tells of a removed framework is told to end it', () => {
  const { master, frameworkId, of } = running();
  master.update(PID, { ...of, state: 'TASK_FINISHED', uuid: 2 });
  master.acknowledge({ ...of, uuid: 2 });
  master.call(frameworkId, { type: 'TEARDOWN' });
  const before = names(master).length;
  // The agent died before it had noted the acknowledgement.
  master.update(PID, { ...of, state: 'TASK_FINISHED', uuid: 2 });
  assert.deepEqual(names(master).slice(before), ['ShutdownFrameworkMessage']);
});

test('a second SUBSCRIBE of a framework takes over and closes the first stream', () => {
  const { master, connection, frameworkId } = running();
  const next = master.subscribe(aFramework({ id: { value: frameworkId }, failover_timeout: 60 }));
  assert.equal(next.frameworkId, frameworkId);
  assert.equal(master.eventsOf(connection).at(-1)?.error?.message, 'Framework failed over');
  assert.ok(master.closed.has(connection));
  master.call(frameworkId, { type: 'RECONCILE', reconcile: { tasks: [] } });
  const [status] = master.statusesOf(next.connection);
  assert.deepEqual([status?.state, status?.reason], ['TASK_RUNNING', 'REASON_RECONCILIATION']);
});

test('an agent that answers no ping becomes unreachable, its tasks too, and may return', () => {
  const { master, connection, agentId, frameworkId, of } = running();
  for (let i = 0; i < 6; i++) master.wait(15_000);
  assert.equal(master.statusesOf(connection).at(-1)?.state, 'TASK_UNREACHABLE');
  assert.equal(master.registry.at(-1)?.kind, 'mark-unreachable');
  assert.ok(new Ledger(master.core.state).usedByAll().isEmpty);
  const task = master.core.state.frameworks.get(frameworkId)?.unreachableTasks.get('t');
  const info = master.core.state.frameworks.get(frameworkId)?.info;
  assert.ok(info !== undefined);
  const slave = {
    id: { value: agentId },
    hostname: 'host',
    resources: parseResources('cpus:4;mem:1000'),
  };
  assert.ok(task !== undefined);
  master.fromAgent(PID, {
    name: 'ReregisterSlaveMessage',
    body: {
      slave,
      frameworks: [info],
      tasks: [{ ...task, state: 'TASK_RUNNING' }],
      version: '1.11.0',
    },
  });
  assert.equal(new Ledger(master.core.state).usedByAll().scalar('cpus'), 1);
  master.call(frameworkId, {
    type: 'RECONCILE',
    reconcile: { tasks: [{ task_id: { value: of.taskId } }] },
  });
  assert.equal(master.statusesOf(connection).at(-1)?.state, 'TASK_RUNNING');
});

test('a new master takes back agents with their tasks, and frameworks with their ids', () => {
  const { master, agentId, frameworkId } = running();
  const task = master.core.state.frameworks.get(frameworkId)?.tasks.get('t')?.task;
  const info = master.core.state.frameworks.get(frameworkId)?.info;
  const slave = master.core.state.agents.get(agentId)?.info;
  assert.ok(task !== undefined && info !== undefined && slave !== undefined);
  const next = new TestMaster({ agents: [slave], unreachable: [], weights: [] });
  const { connection } = next.subscribe(info);
  const ask = { task_id: { value: 'x' }, agent_id: { value: agentId } };
  next.call(frameworkId, { type: 'RECONCILE', reconcile: { tasks: [ask] } });
  assert.deepEqual(next.statusesOf(connection), [], 'no answer while the agent may return');
  next.fromAgent(PID, {
    name: 'ReregisterSlaveMessage',
    body: {
      slave,
      frameworks: [info],
      tasks: [task],
      version: '1.11.0',
      agent_capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
    },
  });
  assert.deepEqual([...(next.core.state.frameworks.get(frameworkId)?.tasks.keys() ?? [])], ['t']);
  const offered = next.offersOf(connection)[0]?.resources?.find(({ name }) => name === 'cpus');
  assert.equal(offered?.scalar?.value, 3);
  next.call(frameworkId, { type: 'RECONCILE', reconcile: { tasks: [ask] } });
  assert.equal(next.statusesOf(connection).at(-1)?.state, 'TASK_GONE');
});

test('after a failover a limited role is offered nothing more until its tasks can be counted', () => {
  const resources = parseResources('cpus:4;mem:1000');
  const agents = ['A', 'B'].map((id) => ({ hostname: id, id: { value: id }, resources }));
  const quotas = [{ role: 'r', limits: { cpus: { value: 4 } } }];
  const next = new TestMaster({ agents, unreachable: [], weights: [], quotas });
  const limited = next.subscribe(aFramework());
  const free = next.subscribe(aFramework({ roles: ['q'] }));
  const back = (at: number): void => {
    const slave = agents[at];
    assert.ok(slave !== undefined);
    const agent_capabilities = AGENT_CAPABILITIES.map((type) => ({ type }));
    const body = { slave, version: '1.11.0', agent_capabilities };
    next.fromAgent(`slave(1)@10.0.0.${at}:5051`, { name: 'ReregisterSlaveMessage', body });
  };
  back(0);
  assert.equal(next.offersOf(limited.connection).length, 0);
  assert.equal(next.offersOf(free.connection).length, 1, 'others need not wait');
  back(1);
  assert.equal(next.offersOf(limited.connection).length, 1);
});

test('a late word of a known agent does not bring back what has ended', () => {
  const { master, agentId, frameworkId, of } = running();
  const framework = master.core.state.frameworks.get(frameworkId);
  const slave = master.core.state.agents.get(agentId)?.info;
  const task = framework?.tasks.get('t')?.task;
  assert.ok(framework !== undefined && slave !== undefined && task !== undefined);
  const late = { ...task };
  master.update(PID, { ...of, state: 'TASK_FINISHED', uuid: 2 });
  master.acknowledge({ ...of, uuid: 2 });
  const body = { slave, frameworks: [framework.info], tasks: [late], version: '1.11.0' };
  master.fromAgent(PID, { name: 'ReregisterSlaveMessage', body });
  assert.equal(framework.tasks.size, 0);
  assert.ok(new Ledger(master.core.state).usedByAll().isEmpty);
});

test('what comes late on an earlier connection of an agent is dropped', () => {
  const { master, agentId, frameworkId, of, connection } = running();
  const slave = master.core.state.agents.get(agentId)?.info;
  const info = master.core.state.frameworks.get(frameworkId)?.info;
  const task = master.core.state.frameworks.get(frameworkId)?.tasks.get('t')?.task;
  assert.ok(slave !== undefined && info !== undefined && task !== undefined);
  const register = (tasks: Task[]): void => {
    const body = { slave, frameworks: [info], tasks, version: '1.11.0' };
    master.fromAgent(PID, { name: 'ReregisterSlaveMessage', body });
  };
  master.agentConnection = 2;
  register([{ ...task }]);
  const sent = master.sent.length;
  const heard = master.statusesOf(connection).length;
  master.agentConnection = 1;
  register([]);
  master.update(PID, { ...of, state: 'TASK_RUNNING', uuid: 9 });
  assert.equal(master.sent.length, sent, 'it is not asked for what the old word lacks');
  assert.equal(master.statusesOf(connection).length, heard);
  master.agentConnection = 2;
  master.update(PID, { ...of, state: 'TASK_RUNNING', uuid: 9 });
  assert.equal(master.statusesOf(connection).length, heard + 1);
});

test('an agent that registers again takes the place of another at its address', () => {
  const { master, agentId, connection } = running();
  const slave = { hostname: 'host', id: { value: 'old' }, resources: parseResources('cpus:4') };
  const body = { slave, version: '1.11.0' };
  master.fromAgent(PID, { name: 'ReregisterSlaveMessage', body });
  assert.deepEqual([...master.core.state.agents.keys()], ['old']);
  assert.equal(master.statusesOf(connection).at(-1)?.state, 'TASK_LOST');
  assert.deepEqual(
    master.registry.slice(-2).map(({ kind }) => kind),
    ['mark-reachable', 'remove-agent'],
  );
  assert.notEqual(agentId, 'old');
});

test('frameworks without PARTITION_AWARE hear TASK_LOST', () => {
  const master = new TestMaster();
  const plain = aFramework({ capabilities: [{ type: 'MULTI_ROLE' }] });
  const { connection, frameworkId } = master.subscribe(plain);
  const tasks = [{ task_id: { value: 'never' } }];
  master.call(frameworkId, { type: 'RECONCILE', reconcile: { tasks } });
  assert.equal(master.statusesOf(connection)[0]?.state, 'TASK_LOST');
});

test('KILL of a task on a disconnected agent is sent when the agent is back', () => {
  const { master, agentId, frameworkId } = running();
  const slave = master.core.state.agents.get(agentId)?.info;
  const task = master.core.state.frameworks.get(frameworkId)?.tasks.get('t')?.task;
  assert.ok(slave !== undefined && task !== undefined);
  master.perform(master.core.onAgentExited(PID, master.now));
  master.call(frameworkId, { type: 'KILL', kill: { task_id: { value: 't' } } });
  assert.ok(!names(master).includes('KillTaskMessage'));
  const info = master.core.state.frameworks.get(frameworkId)?.info;
  assert.ok(info !== undefined);
  const body = { slave, frameworks: [info], tasks: [task], version: '1.11.0' };
  master.fromAgent(PID, { name: 'ReregisterSlaveMessage', body });
  assert.ok(names(master).includes('KillTaskMessage'));
});

test('a KILL that waited for its agent is not sent for what ended meanwhile', () => {
  const { master, agentId, frameworkId, of } = running();
  const slave = master.core.state.agents.get(agentId)?.info;
  assert.ok(slave !== undefined);
  master.update(PID, { ...of, state: 'TASK_FINISHED', uuid: 2 });
  master.perform(master.core.onAgentExited(PID, master.now));
  master.call(frameworkId, { type: 'KILL', kill: { task_id: { value: 't' } } });
  const body = { slave, tasks: [], version: '1.11.0' };
  master.fromAgent(PID, { name: 'ReregisterSlaveMessage', body });
  assert.ok(!names(master).includes('KillTaskMessage'));
});

test('TEARDOWN ends everything of the framework and gives its resources to others', () => {
  const { master, frameworkId } = running();
  const other = master.subscribe();
  master.call(frameworkId, { type: 'TEARDOWN' });
  const sum = master.offersOf(other.connection).flatMap(({ resources }) => resources ?? []);
  const cpus = sum.filter(({ name }) => name === 'cpus').map(({ scalar }) => scalar?.value ?? 0);
  assert.deepEqual(cpus, [3, 1], 'what the launch left over, then what the task had');
  assert.equal(master.core.state.completedFrameworks.get(frameworkId)?.completedTasks.length, 1);
});

test('secrets of tasks that an agent brings along are not shown', () => {
  const master = new TestMaster();
  const secret = { type: 'VALUE' as const, value: { data: Buffer.from('hidden') } };
  const task = {
    name: 't',
    task_id: { value: 't' },
    framework_id: { value: 'f-1' },
    agent_id: { value: 'a-1' },
    state: 'TASK_RUNNING' as const,
    container: {
      type: 'MESOS' as const,
      volumes: [
        { mode: 'RO' as const, container_path: 'c', source: { type: 'SECRET' as const, secret } },
      ],
    },
  };
  master.fromAgent('slave(1)@10.0.0.9:5051', {
    name: 'ReregisterSlaveMessage',
    body: {
      slave: { hostname: 'host', id: { value: 'a-1' } },
      version: '1.11.0',
      frameworks: [{ ...aFramework(), id: { value: 'f-1' } }],
      tasks: [task],
    },
  });
  const kept = master.core.state.frameworks.get('f-1')?.tasks.get('t')?.task;
  assert.equal(kept?.container?.volumes?.[0]?.source?.secret?.type, 'VALUE');
  assert.equal(kept?.container?.volumes?.[0]?.source?.secret?.value, undefined);
});

test('UPDATE_FRAMEWORK: operators and agents are told of what changed, and of nothing else', () => {
  const master = new TestMaster();
  const agentId = master.addAgent();
  const { connection, frameworkId } = master.subscribe();
  const offer = master.offersOf(connection)[0]?.id.value ?? '';
  master.launch(frameworkId, offer, aTask('t', agentId));
  const events: string[] = [];
  const perform = master.perform.bind(master);
  master.perform = (effects) => {
    for (const one of effects) if (one.kind === 'operator-event') events.push(one.event.type ?? '');
    perform(effects);
  };
  const update = (more: object): void => {
    const framework_info = { ...aFramework(), id: { value: frameworkId }, ...more };
    const call = { type: 'UPDATE_FRAMEWORK' as const, update_framework: { framework_info } };
    assert.equal(master.call(frameworkId, call), undefined);
  };
  const told = (): number =>
    master.sent.filter(({ message }) => message.name === 'UpdateFrameworkMessage').length;
  const capabilities = [{ type: 'PARTITION_AWARE' }, { type: 'MULTI_ROLE' }];
  update({});
  update({ failover_timeout: 0, checkpoint: false, capabilities });
  assert.deepEqual([events, told()], [[], 0]);
  update({ webui_url: 'http://here' });
  assert.deepEqual([events, told()], [['FRAMEWORK_UPDATED'], 1]);
  update({ webui_url: 'http://here', roles: ['r', 's'] });
  update({ webui_url: 'http://here', roles: ['s', 'r'] });
  assert.deepEqual([events.length, told()], [2, 2]);
});

test('weights: offers are made anew only when a framework is in one of the roles', () => {
  const master = new TestMaster();
  master.addAgent();
  const { connection } = master.subscribe();
  const rescinded = (): number =>
    master.eventsOf(connection).filter(({ type }) => type === 'RESCIND').length;
  master.perform(master.core.setWeights([{ role: 'nobody', weight: 2 }]));
  assert.equal(rescinded(), 0);
  const both = [
    { role: 'nobody', weight: 3 },
    { role: 'r', weight: 2 },
  ];
  master.perform(master.core.setWeights(both));
  assert.equal(rescinded(), 1);
  assert.equal(master.offersOf(connection).length, 2);
});
