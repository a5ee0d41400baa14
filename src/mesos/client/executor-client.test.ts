// The executor client against an agent that restarts, and one that never comes back.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import type { ExecutorEvent, TaskInfo } from '#wire/mesos/v1.ts';
import {
  ExecutorClient,
  executorOptions,
  parseMesosDuration,
  type ExecutorClientOptions,
} from './executor-client.ts';
import { ScriptedPeer, TestTime } from './scripted-peer-fixture.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function agent(port = 0) {
  const peer = await ScriptedPeer.start('ExecutorCall', 'ExecutorEvent', port);
  closers.push(() => peer.close());
  return peer;
}
type Agent = Awaited<ReturnType<typeof agent>>;

class Executor {
  readonly time = new TestTime();
  /** By how much the machine's clock is set. */
  setMs = 0;
  readonly events: ExecutorEvent[] = [];
  abandoned = 0;
  readonly client: ExecutorClient;

  constructor(agentUrl: string, more: Partial<ExecutorClientOptions> = {}) {
    this.client = new ExecutorClient(
      {
        agentUrl,
        frameworkId: 'f',
        executorId: 'e',
        checkpoint: true,
        recoveryTimeoutMs: 900_000,
        backoffMsMax: 2_000,
        ...more,
      },
      {
        onEvent: (event) => this.events.push(event),
        onAbandoned: () => (this.abandoned += 1),
      },
      {
        ...this.time.env,
        clock: {
          now: () => this.time.env.clock.now() + this.setMs,
          monotonicMs: () => this.time.env.clock.monotonicMs(),
        },
      },
    );
    closers.push(() => this.client.close());
    this.client.start();
  }

  async subscribed(peer: Agent, count = 1): Promise<void> {
    await this.time.until(() => peer.streams.length >= count);
    const seen = this.events.length;
    peer.send({
      type: 'SUBSCRIBED',
      subscribed: {
        executor_info: { executor_id: { value: 'e' } },
        framework_info: { user: 'u', name: 'f' },
        agent_info: { hostname: 'h' },
      },
    });
    await this.time.until(() => this.events.length > seen);
  }
}

function task(id: string): TaskInfo {
  return { name: id, task_id: { value: id }, agent_id: { value: 'a' } };
}

/** What of an earlier life a SUBSCRIBE tells. */
function told(peer: Agent) {
  const subscribe = peer.calls.findLast(({ call }) => call.type === 'SUBSCRIBE')?.call.subscribe;
  return {
    tasks: (subscribe?.unacknowledged_tasks ?? []).map((one) => one.task_id.value),
    updates: (subscribe?.unacknowledged_updates ?? []).map(
      ({ status }) => `${status.task_id.value} ${status.state}`,
    ),
  };
}

test('what an agent has not acknowledged is told with the next subscription, and only that', async () => {
  const peer = await agent();
  const executor = new Executor(peer.url);
  await executor.subscribed(peer);
  assert.deepEqual(told(peer), { tasks: [], updates: [] });
  peer.send({ type: 'LAUNCH', launch: { task: task('one') } });
  peer.send({
    type: 'LAUNCH_GROUP',
    launch_group: { task_group: { tasks: [task('two'), task('three')] } },
  });
  await executor.time.until(() => executor.events.length === 3);
  for (const id of ['one', 'two']) {
    executor.client.sendUpdate({ task_id: { value: id }, state: 'TASK_RUNNING' });
  }
  await executor.time.until(() => peer.calls.length === 3);
  const first = peer.calls[1]?.call.update?.status;
  assert.equal(first?.task_id.value, 'one');
  assert.equal(first?.uuid?.length, 16);
  assert.equal(first?.source, 'SOURCE_EXECUTOR');
  assert.equal(first?.executor_id?.value, 'e');
  peer.send({
    type: 'ACKNOWLEDGED',
    acknowledged: { task_id: { value: 'one' }, uuid: first?.uuid ?? new Uint8Array() },
  });
  await executor.time.until(() => executor.events.length === 4);

  peer.streams[0]?.destroy();
  await executor.time.until(() => peer.streams.length === 2);
  assert.deepEqual(told(peer), { tasks: ['two', 'three'], updates: ['two TASK_RUNNING'] });
  executor.client.sendUpdate({ task_id: { value: 'three' }, state: 'TASK_FINISHED' });
  await executor.subscribed(peer, 2);
  await executor.time.until(() => peer.calls.at(-1)?.call.type === 'UPDATE');
  assert.equal(peer.calls.at(-1)?.call.update?.status.task_id.value, 'three');
  assert.equal(peer.calls.filter(({ call }) => call.type === 'UPDATE').length, 3);
});

test('an agent that comes back within its recovery time is found again, whatever the clock shows', async () => {
  const peer = await agent();
  const executor = new Executor(peer.url);
  await executor.subscribed(peer);
  await peer.close();
  closers.shift();
  await executor.time.clock.settle(60_000);
  executor.setMs = 86_400_000;
  await executor.time.clock.settle(600_000);
  assert.equal(executor.abandoned, 0);
  const successor = await agent(peer.port);
  await executor.subscribed(successor);
  assert.equal(executor.abandoned, 0);
});

for (const { checkpoint, limitMs } of [
  { checkpoint: true, limitMs: 60_000 },
  { checkpoint: false, limitMs: 2_000 },
]) {
  test(`abandoned once, after ${limitMs} ms, when checkpoint is ${checkpoint}`, async () => {
    const peer = await agent();
    const executor = new Executor(peer.url, { checkpoint, recoveryTimeoutMs: 60_000 });
    await executor.subscribed(peer);
    await peer.close();
    closers.shift();
    const before = executor.time.clock.now();
    await executor.time.until(() => executor.abandoned === 1, 500);
    const passed = executor.time.clock.now() - before;
    assert.ok(passed > limitMs && passed < limitMs + 10_000, `${passed} ms`);
    await executor.time.clock.settle(600_000);
    assert.equal(executor.abandoned, 1);
  });
}

test('flush waits for acknowledgements, and not for ever', async () => {
  const peer = await agent();
  const executor = new Executor(peer.url);
  await executor.subscribed(peer);
  executor.client.sendUpdate({ task_id: { value: 't' }, state: 'TASK_FINISHED' });
  let isFlushed = false;
  void executor.client.flush(5_000).then(() => (isFlushed = true));
  await executor.time.until(() => peer.calls.length === 2);
  assert.equal(isFlushed, false);
  const uuid = peer.calls[1]?.call.update?.status.uuid ?? new Uint8Array();
  peer.send({ type: 'ACKNOWLEDGED', acknowledged: { task_id: { value: 't' }, uuid } });
  await executor.time.until(() => isFlushed);
  executor.client.sendUpdate({ task_id: { value: 'u' }, state: 'TASK_FINISHED' });
  isFlushed = false;
  void executor.client.flush(5_000).then(() => (isFlushed = true));
  await executor.time.until(() => isFlushed);
});

test('durations as Mesos writes them', () => {
  const table: [string, number | undefined][] = [
    ['15mins', 900_000],
    ['2secs', 2_000],
    ['1.5hrs', 5_400_000],
    ['500ms', 500],
    ['1weeks', 604_800_000],
    ['7', undefined],
    ['', undefined],
    ['1 secs', undefined],
  ];
  for (const [text, ms] of table) assert.equal(parseMesosDuration(text), ms, text);
});

test("an executor's options come from its environment, and what is missing is named", () => {
  const environment = {
    MESOS_AGENT_ENDPOINT: '127.0.0.1:5051',
    MESOS_FRAMEWORK_ID: 'f',
    MESOS_EXECUTOR_ID: 'e',
    MESOS_CHECKPOINT: '1',
    MESOS_RECOVERY_TIMEOUT: '10mins',
    MESOS_EXECUTOR_AUTHENTICATION_TOKEN: 'secret',
  };
  assert.deepEqual(executorOptions(environment), {
    agentUrl: 'http://127.0.0.1:5051',
    frameworkId: 'f',
    executorId: 'e',
    checkpoint: true,
    recoveryTimeoutMs: 600_000,
    backoffMsMax: 2_000,
    authorization: 'Bearer secret',
  });
  const there = {
    MESOS_DOMAIN_SOCKET: import.meta.filename,
    MESOS_SLAVE_PID: 'slave(1)@10.0.0.1:5051',
  };
  const { agentUrl, socketPath } = executorOptions({ ...environment, ...there });
  assert.deepEqual([agentUrl, socketPath], ['http://localhost/slave(1)', import.meta.filename]);
  const gone = { MESOS_DOMAIN_SOCKET: '/no/such/socket' };
  assert.equal(executorOptions({ ...environment, ...gone }).socketPath, undefined);
  assert.throws(
    () => executorOptions({ ...environment, MESOS_EXECUTOR_ID: undefined }),
    (error) =>
      faultCode(error) === 'no-executor-environment' && /MESOS_EXECUTOR_ID/.test(String(error)),
  );
});
