// Stories of the agent core on told time: no sockets, no files, no clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkInfo, TaskInfo } from '#wire/mesos/v1.ts';
import { Agent, FRAMEWORK } from './core-fixture.ts';
import { lossState } from './agent-state.ts';

test('registration is tried again with growing waits, then pings are awaited', () => {
  const agent = new Agent();
  agent.input({ kind: 'master-found', address: 'm:5050' });
  agent.pass(10_000);
  const tries = agent.take().filter((one) => one === 'RegisterSlaveMessage').length;
  assert.ok(tries >= 4 && tries <= 6, `${tries} tries in 10 s`);
  const body = { agent_id: { value: 'a' }, connection: { total_ping_timeout_seconds: 30 } };
  agent.master({ name: 'SlaveRegisteredMessage', body });
  assert.deepEqual(agent.take(), ['checkpoint agent', 'log', 'UpdateSlaveMessage']);
  agent.pass(29_000);
  agent.master({ name: 'PingSlaveMessage', from: 'o@m', body: { connected: true } });
  agent.pass(29_000);
  assert.deepEqual(agent.take(), ['PongSlaveMessage']);
  agent.pass(2_000);
  assert.ok(agent.take().includes('ReregisterSlaveMessage'));
});

test('a ping of a master that gave us up brings everything again', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  agent.take();
  agent.master({ name: 'PingSlaveMessage', from: 'o@m', body: { connected: false } });
  const sent = agent.effects.find((one) => one.kind === 'send-master' && one.name[0] === 'R');
  assert.ok(sent?.kind === 'send-master');
  const body = sent.body as { tasks: { task_id: { value: string } }[]; executor_infos: unknown[] };
  assert.deepEqual(
    body.tasks.map((task) => task.task_id.value),
    ['t'],
  );
  assert.deepEqual(body.executor_infos, [], 'command executors are not reported');
});

test('a master that knows us by another id than an earlier one gave us is told of it', () => {
  const agent = Agent.registered();
  const body = { agent_id: { value: 'b' }, connection: { total_ping_timeout_seconds: 75 } };
  agent.master({ name: 'SlaveRegisteredMessage', body });
  assert.deepEqual(agent.take(), ['log', 'ReregisterSlaveMessage']);
  agent.master({ name: 'SlaveReregisteredMessage', body: { ...body, agent_id: { value: 'a' } } });
  agent.take();
  agent.runTask('t', FRAMEWORK, { agent_id: { value: 'b' } });
  assert.deepEqual(agent.take(), [], 'it was meant for an agent that there is not');
});

test('a task waits for its executor; what is promised is written first', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  const launched = ['checkpoint framework', 'checkpoint executor', 'launch-container'];
  assert.deepEqual(agent.take(), launched);
  agent.subscribe('t');
  assert.deepEqual(agent.take(), ['SUBSCRIBED to 1', 'checkpoint task', 'LAUNCH to 1']);
  agent.update('t', 't', 'TASK_RUNNING');
  const running = ['checkpoint update', 'ACKNOWLEDGED to 1', 'TASK_RUNNING latest TASK_RUNNING'];
  assert.deepEqual(agent.take(), running);
});

test('one update of a task is in flight, again after 10 s, doubling', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  agent.subscribe('t');
  agent.take();
  const first = agent.update('t', 't', 'TASK_RUNNING');
  const second = agent.update('t', 't', 'TASK_FINISHED');
  const sent = (): string[] => agent.take().filter((one) => one.includes('latest'));
  assert.deepEqual(sent(), ['TASK_RUNNING latest TASK_RUNNING']);
  agent.pass(9_999);
  assert.deepEqual(sent(), []);
  agent.pass(1);
  assert.deepEqual(sent(), ['TASK_RUNNING latest TASK_FINISHED']);
  agent.pass(20_000);
  assert.equal(sent().length, 1);
  agent.acknowledge('t', second);
  assert.deepEqual(sent(), [], 'a later uuid is not the one in flight');
  agent.acknowledge('t', first);
  assert.deepEqual(sent(), ['TASK_FINISHED latest TASK_FINISHED']);
  agent.acknowledge('t', first);
  agent.acknowledge('t', second);
  assert.deepEqual(agent.take(), ['checkpoint acknowledgement']);
  agent.end('t');
  const done = ['checkpoint executor-done', 'forget-container', 'checkpoint framework-done'];
  assert.deepEqual(agent.take(), ['close 1', ...done]);
});

test('a task whose executor dies fails; those killed before delivery are killed', () => {
  const agent = Agent.registered();
  const executor = { type: 'CUSTOM', executor_id: { value: 'e' } } as const;
  agent.runTask('t1', FRAMEWORK, { executor });
  agent.runTask('t2', FRAMEWORK, { executor });
  const kill = { framework_id: { value: 'f' }, task_id: { value: 't2' } };
  agent.master({ name: 'KillTaskMessage', body: kill });
  agent.end('e');
  const sent = agent.take().filter((one) => /TASK|Exited/.test(one));
  assert.deepEqual(sent, [
    'TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH latest TASK_KILLED',
    'ExitedExecutorMessage',
    'TASK_FAILED REASON_EXECUTOR_TERMINATED latest TASK_FAILED',
  ]);
});

test('an executor that does not subscribe in time is ended, its task fails', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  agent.pass(59_999);
  assert.ok(!agent.take().includes('destroy-container'));
  agent.pass(1);
  assert.ok(agent.take().includes('destroy-container'));
  agent.end('t');
  const want = 'TASK_FAILED REASON_EXECUTOR_REGISTRATION_TIMEOUT latest TASK_FAILED';
  assert.ok(agent.take().includes(want));
});

test('launch_executor=false without that executor is dropped', () => {
  const agent = Agent.registered();
  const task: TaskInfo = {
    name: 't',
    task_id: { value: 't' },
    agent_id: { value: 'a' },
    executor: { executor_id: { value: 'gone' } },
  };
  const body = { framework: FRAMEWORK, task, launch_executor: false };
  agent.master({ name: 'RunTaskMessage', body });
  const want = 'TASK_DROPPED REASON_EXECUTOR_TERMINATED latest TASK_DROPPED';
  assert.ok(agent.take().includes(want));
  assert.equal(agent.core.workloads.executors().length, 0);
});

test('reconciliation answers for tasks that are not here, in the words the framework knows', () => {
  const agent = new Agent({ info: { hostname: 'h', id: { value: 'a' } }, frameworks: [] });
  agent.input({ kind: 'master-found', address: 'm:5050' });
  const old: FrameworkInfo = { id: { value: 'old' }, user: 'u', name: 'old' };
  const status = { task_id: { value: 't' }, state: 'TASK_RUNNING' } as const;
  const reconciliations = [
    { framework_id: { value: 'f' }, framework: FRAMEWORK, statuses: [status] },
    { framework_id: { value: 'old' }, framework: old, statuses: [status] },
  ];
  const body = { agent_id: { value: 'a' }, reconciliations };
  agent.master({ name: 'SlaveReregisteredMessage', body });
  const sent = agent.take().filter((one) => one.includes('latest'));
  assert.deepEqual(sent, [
    'TASK_DROPPED REASON_RECONCILIATION latest TASK_DROPPED',
    'TASK_LOST REASON_RECONCILIATION latest TASK_LOST',
  ]);
  assert.equal(lossState(old, 'TASK_GONE'), 'TASK_LOST');
});

test('asked twice about a task that is not here, it tells one end', () => {
  const agent = Agent.registered();
  const status = { task_id: { value: 'x' }, state: 'TASK_STAGING' as const };
  const reconciliations = [
    { framework_id: { value: 'f' }, framework: FRAMEWORK, statuses: [status] },
  ];
  const body = { agent_id: { value: 'a' }, reconciliations };
  agent.master({ name: 'SlaveReregisteredMessage', body });
  agent.master({ name: 'SlaveReregisteredMessage', body });
  assert.equal(agent.core.workloads.streams.of('f', 'x')?.pending.length, 1);
});

test('an executor that subscribes again replaces its connection and gets what was lost', () => {
  const agent = Agent.registered();
  const executor = { type: 'CUSTOM', executor_id: { value: 'e' } } as const;
  agent.runTask('t1', FRAMEWORK, { executor });
  const first = agent.subscribe('e');
  agent.update('e', 't1', 'TASK_RUNNING');
  agent.runTask('t2', FRAMEWORK, { executor });
  agent.take();
  agent.subscribe('e');
  assert.deepEqual(agent.take(), [
    `close ${first}`,
    'SUBSCRIBED to 2',
    'checkpoint task',
    'LAUNCH to 2',
  ]);
  agent.input({ kind: 'executor-disconnected', connection: first });
  agent.update('e', 't2', 'TASK_RUNNING');
  assert.ok(agent.take().includes('ACKNOWLEDGED to 2'), 'the old end does not end the new one');
});

test('shutting down a framework ends its executors and forgets its updates', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  agent.subscribe('t');
  agent.update('t', 't', 'TASK_RUNNING');
  agent.take();
  const body = { framework_id: { value: 'f' } };
  agent.master({ name: 'ShutdownFrameworkMessage', body });
  assert.deepEqual(agent.take(), ['SHUTDOWN to 1']);
  agent.pass(5_000);
  assert.deepEqual(agent.take(), ['destroy-container']);
  agent.update('t', 't', 'TASK_KILLED');
  agent.end('t');
  const sent = agent.take();
  assert.ok(!sent.some((one) => one.includes('latest')), 'nobody hears of it any more');
  assert.equal(agent.core.workloads.frameworks.size, 0);
});

test('recovery: acknowledged is not told again, pending is, a lost executor takes its tasks', () => {
  const seed = Agent.registered();
  seed.runTask('t');
  seed.subscribe('t');
  const first = seed.update('t', 't', 'TASK_STARTING');
  seed.acknowledge('t', first);
  seed.update('t', 't', 'TASK_RUNNING');
  const records = seed.effects.flatMap((one) => (one.kind === 'checkpoint' ? [one.record] : []));
  const task = records.find((one) => one.kind === 'task');
  const executor = records.find((one) => one.kind === 'executor');
  assert.ok(task?.kind === 'task' && executor?.kind === 'executor');
  const updates = records.flatMap((one) =>
    one.kind === 'update' && one.update !== undefined ? [one.update] : [],
  );
  const agent = Agent.registered({
    info: { hostname: 'h', id: { value: 'a' } },
    frameworks: [
      {
        info: FRAMEWORK,
        pid: '',
        executors: [
          {
            info: executor.info,
            containerId: executor.containerId,
            tasks: [{ task: task.task, updates, acknowledged: [first] }],
          },
        ],
      },
    ],
  });
  assert.deepEqual(agent.core.workloads.streams.of('f', 't')?.pending.length, 1);
  agent.pass(2_000);
  assert.ok(agent.take().includes('destroy-container'));
  agent.end('t');
  const pending = agent.core.workloads.streams.of('f', 't')?.pending;
  assert.deepEqual(
    pending?.map((one) => one.status.state),
    ['TASK_RUNNING', 'TASK_GONE'],
  );
  const reason = pending?.[1]?.status.reason;
  assert.equal(reason, 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT');
});

test('a framework first heard of in a reconciliation is kept on disk once it launches', () => {
  const agent = Agent.registered();
  const framework_id = { value: 'f' };
  const statuses = [{ task_id: { value: 'gone' }, state: 'TASK_STAGING' as const }];
  const reconciliations = [{ framework_id, framework: FRAMEWORK, statuses }];
  const body = { agent_id: { value: 'a' }, reconciliations };
  agent.master({ name: 'SlaveReregisteredMessage', body });
  const reported = agent.take();
  assert.ok(!reported.some((one) => one.startsWith('checkpoint')), 'nothing to keep yet');
  agent.runTask('t');
  agent.subscribe('t');
  const kept = agent.take().filter((one) => one.startsWith('checkpoint'));
  assert.deepEqual(kept, ['checkpoint framework', 'checkpoint executor', 'checkpoint task']);
});

test('a task that the master gave up is not run when its message comes late', () => {
  const agent = Agent.registered();
  agent.input({ kind: 'master-lost' });
  agent.input({ kind: 'master-found', address: 'm:5050' });
  agent.masterConnection = 2;
  const statuses = [{ task_id: { value: 't' }, state: 'TASK_STAGING' as const }];
  const reconciliations = [{ framework_id: { value: 'f' }, framework: FRAMEWORK, statuses }];
  const body = { agent_id: { value: 'a' }, reconciliations };
  agent.master({ name: 'SlaveReregisteredMessage', body });
  agent.take();
  agent.masterConnection = 1;
  agent.runTask('t');
  assert.deepEqual(agent.take(), []);
});

test('leave ends every task, unregisters and exits', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  agent.subscribe('t');
  agent.take();
  agent.input({ kind: 'leave' });
  assert.deepEqual(agent.take(), ['SHUTDOWN to 1']);
  agent.end('t');
  const last = agent.take().slice(-3);
  assert.deepEqual(last, ['UnregisterSlaveMessage', 'checkpoint agent-gone', 'exit']);
});

test('an executor that is away while the agent leaves is waited for, and then told', () => {
  const agent = Agent.registered();
  agent.runTask('t');
  const first = agent.subscribe('t');
  agent.input({ kind: 'executor-disconnected', connection: first });
  agent.take();
  agent.input({ kind: 'leave' });
  assert.deepEqual(agent.take(), []);
  agent.subscribe('t');
  assert.deepEqual(agent.take(), ['SHUTDOWN to 2']);
  agent.pass(60_000);
  assert.deepEqual(agent.take(), ['destroy-container']);
});
