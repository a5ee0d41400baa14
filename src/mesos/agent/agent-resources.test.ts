// Operations on resources in the agent core: what they make, what is told of them and when again,
// and what a later life of the agent knows of it all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SimRandom } from '#env/sim/random.ts';
import { uuidBytes } from '#mesos/executor/uuid.ts';
import { parseResources } from '#mesos/resources/parse.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type { Messages, Offer_Operation, Resource, TaskInfo } from '#wire/mesos/v1.ts';
import { AgentCore } from './core.ts';
import type { AgentEffect, AgentInput, FromMaster, KeptResources } from './types.ts';

const reservations = [{ type: 'DYNAMIC' as const, role: 'r' }];
const reserved = (value: number): Resource => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value },
  reservations,
});
const volume = (id: string, value: number): Resource => ({
  ...reserved(value),
  disk: { persistence: { id }, volume: { container_path: 'v', mode: 'RW' } },
});
const reserve = (value: number): Offer_Operation => ({
  type: 'RESERVE',
  reserve: { resources: [reserved(value)] },
});
const create = (id: string, value: number): Offer_Operation => ({
  type: 'CREATE',
  create: { volumes: [volume(id, value)] },
});
const destroy = (id: string, value: number): Offer_Operation => ({
  type: 'DESTROY',
  destroy: { volumes: [volume(id, value)] },
});

function uuidOf(n: number): { value: Uint8Array } {
  return { value: new Uint8Array(16).fill(n) };
}

type Report = Messages['ReregisterSlaveMessage'];

class Agent {
  readonly core: AgentCore;
  now = 0;
  effects: AgentEffect[] = [];
  kept: KeptResources | undefined;
  /** Of what was reported last. */
  version: Uint8Array = new Uint8Array(16);

  constructor(kept?: KeptResources | undefined, seed = 1) {
    const random = new SimRandom(seed);
    this.core = new AgentCore(
      {
        info: { hostname: 'h', resources: parseResources('cpus:4;mem:1000;disk:100') },
        upid: 'slave(1)@10.0.0.2:5051',
        version: '1.11.0',
        capabilities: [],
        registrationBackoffMs: 1_000,
        registrationBackoffMsMax: 60_000,
        updateRetryMs: 10_000,
        updateRetryMsMax: 600_000,
        executorRegistrationTimeoutMs: 60_000,
        executorReregistrationTimeoutMs: 2_000,
        executorShutdownGraceMs: 5_000,
        completedFrameworksMax: 50,
        completedExecutorsMax: 150,
        completedTasksMax: 200,
      },
      {
        uuid: () => random.uuid(),
        uuidBytes: () => uuidBytes(random.uuid()),
        next: () => random.next(),
      },
    );
    const info = kept === undefined ? undefined : { hostname: 'h', id: { value: 'a' } };
    this.input({ kind: 'recovered', state: { info, frameworks: [], resources: kept } });
    this.input({ kind: 'master-found', address: 'm:5050' });
    const body = { agent_id: { value: 'a' }, connection: { total_ping_timeout_seconds: 75 } };
    const name = kept === undefined ? 'SlaveRegisteredMessage' : 'SlaveReregisteredMessage';
    this.master({ name, body });
  }

  input(input: AgentInput): void {
    const effects = this.core.handle(input, this.now);
    for (const effect of effects) {
      if (effect.kind === 'checkpoint' && effect.record.kind === 'resources') {
        this.kept = effect.record;
      }
      const report = effect.kind === 'send-master' ? (effect.body as Partial<Report>) : {};
      this.version = report.resource_version_uuid?.value ?? this.version;
    }
    this.effects.push(...effects);
  }

  master(message: FromMaster): void {
    this.input({ kind: 'master-message', message, connection: 1 });
  }

  apply(n: number, operation_info: Offer_Operation, version = this.version): void {
    const resource_version_uuid = { uuid: { value: version } };
    const framework_id = { value: 'f' };
    const body = { framework_id, operation_info, operation_uuid: uuidOf(n), resource_version_uuid };
    this.master({ name: 'ApplyOperationMessage', body });
  }

  pass(ms: number): void {
    const until = this.now + ms;
    for (let at = this.core.nextDeadline(); at <= until; at = this.core.nextDeadline()) {
      this.now = Math.max(this.now, at);
      this.input({ kind: 'tick' });
      const ping = { name: 'PingSlaveMessage', from: 'o@m', body: { connected: true } } as const;
      this.master(ping);
    }
    this.now = until;
  }

  sent<Name extends keyof Messages>(name: Name): Messages[Name][] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'send-master' && effect.name === name ? [effect.body as Messages[Name]] : [],
    );
  }

  statuses(): string[] {
    return this.sent('UpdateOperationStatusMessage').map(
      ({ status, operation_uuid }) => `${operation_uuid?.value[0]} ${status.state}`,
    );
  }

  acknowledge(n: number, status?: Uint8Array | undefined): void {
    const last = this.sent('UpdateOperationStatusMessage').find(
      ({ operation_uuid }) => operation_uuid?.value[0] === n,
    );
    const value = status ?? last?.status.uuid?.value ?? new Uint8Array();
    const body = { status_uuid: { value }, operation_uuid: uuidOf(n) };
    this.master({ name: 'AcknowledgeOperationStatusMessage', body });
  }

  total(): string {
    return resourcesText(this.core.resources.total);
  }
}

test('an operation of a master that has not read the last report is dropped', () => {
  const agent = new Agent();
  const before = agent.version;
  agent.master({ name: 'PingSlaveMessage', from: 'o@m', body: { connected: false } });
  const body = { agent_id: { value: 'a' }, connection: { total_ping_timeout_seconds: 75 } };
  agent.master({ name: 'SlaveReregisteredMessage', body });
  agent.apply(1, reserve(10), before);
  assert.deepEqual(agent.statuses(), ['1 OPERATION_DROPPED']);
  assert.equal(agent.sent('ReregisterSlaveMessage').length, 1, 'the report is on its way');
  agent.apply(2, reserve(10));
  assert.deepEqual(agent.statuses().slice(1), ['2 OPERATION_FINISHED']);
});

test('an operation is kept, applied and told of until it is acknowledged', () => {
  const agent = new Agent();
  agent.effects = [];
  agent.apply(1, { ...reserve(10), id: { value: 'op' } });
  assert.equal(agent.total(), 'cpus:4; mem:1000; disk:90; disk(reservations: [(DYNAMIC,r)]):10');
  assert.deepEqual(
    agent.effects.map((one) => (one.kind === 'checkpoint' ? one.record.kind : one.kind)),
    ['resources', 'send-master'],
    'it is on disk before the master hears of it',
  );
  const [update] = agent.sent('UpdateOperationStatusMessage');
  assert.equal(update?.status.operation_id?.value, 'op');
  assert.equal(update?.framework_id?.value, 'f');
  assert.equal(update?.status.uuid?.value.length, 16);
  agent.pass(75_000);
  assert.equal(agent.statuses().length, 4, 'again after 10, 20 and 40 s');
  agent.acknowledge(1, new Uint8Array(16).fill(3));
  assert.equal(agent.core.resources.operations.length, 1, 'of another status');
  agent.acknowledge(1);
  agent.effects = [];
  agent.pass(600_000);
  assert.deepEqual(agent.statuses(), []);
  assert.deepEqual(agent.kept?.operations, []);
  assert.equal(
    resourcesText(Resources.of(agent.kept?.resources)),
    'disk(reservations: [(DYNAMIC,r)]):10',
  );
});

test('the same operation twice is one operation', () => {
  const agent = new Agent();
  agent.apply(1, reserve(10));
  agent.apply(1, reserve(10));
  assert.equal(agent.core.resources.total.scalar('disk'), 100);
  assert.equal(agent.core.resources.checkpointed.scalar('disk'), 10);
  assert.deepEqual(agent.statuses(), ['1 OPERATION_FINISHED']);
});

test('an operation that does not go with what is here fails, and the master is told all anew', () => {
  const agent = new Agent();
  const before = agent.total();
  agent.apply(1, create('v', 10));
  assert.equal(agent.total(), before);
  assert.equal(agent.core.master.kind, 'registering');
  const [register] = agent.sent('ReregisterSlaveMessage');
  assert.deepEqual(register?.checkpointed_resources, []);
  // Without it a master of Mesos answers nobody who has kept something.
  assert.equal(register?.slave.checkpoint, true);
  const body = { agent_id: { value: 'a' }, connection: { total_ping_timeout_seconds: 75 } };
  agent.master({ name: 'SlaveReregisteredMessage', body });
  assert.deepEqual(agent.statuses(), ['1 OPERATION_FAILED']);
  const operations = agent.sent('UpdateSlaveMessage').at(-1)?.operations?.operations;
  assert.equal(operations?.[0]?.latest_status.state, 'OPERATION_FAILED');
});

test('a later life has what was made, tells it at registration and goes on telling the end', () => {
  const first = new Agent();
  first.apply(1, reserve(10));
  first.apply(2, create('v', 4));
  first.acknowledge(1);
  const second = new Agent(first.kept, 2);
  assert.equal(second.total(), first.total());
  const [register] = second.sent('ReregisterSlaveMessage');
  assert.equal(
    resourcesText(Resources.of(register?.checkpointed_resources)),
    resourcesText(first.core.resources.checkpointed),
  );
  assert.ok(
    register?.checkpointed_resources?.every((one) => one.role === 'r'),
    'the older form',
  );
  const [update] = second.sent('UpdateSlaveMessage');
  assert.deepEqual(
    update?.operations?.operations?.map(({ uuid }) => uuid.value[0]),
    [2],
  );
  assert.deepEqual(second.statuses(), ['2 OPERATION_FINISHED']);
  assert.deepEqual(
    second.sent('UpdateOperationStatusMessage')[0]?.status.uuid,
    first.sent('UpdateOperationStatusMessage').at(-1)?.status.uuid,
    'the same status, for whoever acknowledged it already',
  );
});

test("an operation that Mesos' agent had noted and not done is done", () => {
  const info = reserve(10);
  const agent_id = { value: 'a' };
  const latest_status = { state: 'OPERATION_PENDING' as const, agent_id };
  const operation = { info, latest_status, statuses: [], uuid: uuidOf(1), agent_id };
  const agent = new Agent({ resources: [], operations: [operation] });
  assert.equal(agent.core.resources.checkpointed.scalar('disk'), 10);
  assert.deepEqual(agent.statuses(), ['1 OPERATION_FINISHED']);
  assert.equal(agent.kept?.operations[0]?.latest_status.state, 'OPERATION_FINISHED');
});

test('what never got here is dropped when the master asks; a framework is told what is known', () => {
  const agent = new Agent();
  agent.apply(1, { ...reserve(10), id: { value: 'op' } });
  agent.effects = [];
  const operations = [{ operation_uuid: uuidOf(1) }, { operation_uuid: uuidOf(2) }];
  agent.master({ name: 'ReconcileOperationsMessage', body: { operations } });
  assert.deepEqual(agent.statuses(), ['2 OPERATION_DROPPED']);
  agent.effects = [];
  agent.master({
    name: 'ReconcileOperationsMessage',
    body: {
      framework_id: { value: 'f' },
      operations: [{ operation_id: { value: 'op' } }, { operation_id: { value: 'other' } }],
    },
  });
  assert.deepEqual(
    agent.sent('UpdateOperationStatusMessage').map(({ status }) => [status.state, status.uuid]),
    [
      ['OPERATION_FINISHED', undefined],
      ['OPERATION_UNKNOWN', undefined],
    ],
  );
});

test('a master that knows no operations tells the outcome of all of them', () => {
  const agent = new Agent();
  const body = { resources: [reserved(6), volume('v', 4)] };
  agent.master({ name: 'CheckpointResourcesMessage', body });
  assert.equal(agent.core.resources.checkpointed.scalar('disk'), 10);
  assert.equal(agent.kept?.resources.length, 2);
  agent.kept = undefined;
  agent.master({ name: 'CheckpointResourcesMessage', body });
  assert.equal(agent.kept, undefined, 'the same again is no work');
  agent.master({ name: 'CheckpointResourcesMessage', body: { resources: [reserved(600)] } });
  assert.equal(agent.core.resources.checkpointed.scalar('disk'), 10);
  assert.equal(agent.core.master.kind, 'registering');
});

test('a task with a volume that is not here is dropped, and its executor is not waited for', () => {
  const agent = new Agent();
  agent.apply(1, reserve(10));
  agent.effects = [];
  const task: TaskInfo = {
    name: 't',
    task_id: { value: 't' },
    agent_id: { value: 'a' },
    resources: [{ ...volume('v', 10), allocation_info: { role: 'r' } }],
    executor: { executor_id: { value: 'e' }, command: { value: 'true' } },
  };
  const framework = { id: { value: 'f' }, user: 'root', name: 'f' };
  agent.master({ name: 'RunTaskMessage', body: { framework, task, launch_executor: true } });
  const [update] = agent.sent('StatusUpdateMessage');
  assert.equal(update?.update.status.reason, 'REASON_RESOURCES_UNKNOWN');
  assert.equal(update?.update.status.state, 'TASK_LOST');
  assert.equal(agent.sent('ExitedExecutorMessage').length, 1);
  assert.ok(!agent.effects.some((one) => one.kind === 'launch-container'));
  const known = { ...task, task_id: { value: 't2' }, resources: [reserved(10)] };
  agent.master({ name: 'RunTaskMessage', body: { framework, task: known, launch_executor: true } });
  assert.ok(agent.effects.some((one) => one.kind === 'launch-container'));
});

test('a new agent id has the reservations of the machine and none of the operations', () => {
  const agent = new Agent();
  agent.apply(1, reserve(10));
  agent.master({ name: 'ShutdownMessage', body: {} });
  assert.deepEqual(agent.kept?.operations, []);
  assert.equal(agent.kept?.resources.length, 1);
});

test('nothing is made or lost: whatever is applied, all scalars stay what is configured', () => {
  const step = fc.oneof(
    fc.integer({ min: 1, max: 60 }).map(reserve),
    fc
      .tuple(fc.constantFrom('v', 'w'), fc.integer({ min: 1, max: 20 }))
      .map(([id, n]) => create(id, n)),
    fc
      .tuple(fc.constantFrom('v', 'w'), fc.integer({ min: 1, max: 20 }))
      .map(([id, n]) => destroy(id, n)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const agent = new Agent();
      const body = { agent_id: { value: 'a' } };
      for (const [i, operation] of steps.entries()) {
        agent.apply(i, operation);
        agent.master({ name: 'SlaveReregisteredMessage', body });
      }
      const { total, checkpointed } = agent.core.resources;
      assert.deepEqual(
        [...total.scalarQuantities()],
        [
          ['cpus', 4_000],
          ['mem', 1_000_000],
          ['disk', 100_000],
        ],
      );
      assert.ok(total.contains(checkpointed));
      const again = new Agent(agent.kept ?? { resources: [], operations: [] }, 2);
      assert.ok(again.core.resources.total.equals(total));
      assert.equal(again.core.resources.operations.length, steps.length);
    }),
    { numRuns: 200 },
  );
});
