// Operations on offers and by operators: what becomes of resources, offers and the framework's news.
// The messages are those of a Mesos 1.11 master (test/conformance compares them with a real one).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everything } from '#mesos/security/authorizer.ts';
import { isUuid } from '#mesos/executor/uuid.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type { Offer_Operation, OperationStatus, Resource } from '#wire/mesos/v1.ts';
import { aFramework, aTask, TestMaster } from './core-fixture.ts';

const PID = 'slave(1)@10.0.0.2:5051';
const dynamic = (role: string, principal?: string) => ({
  type: 'DYNAMIC' as const,
  role,
  ...(principal === undefined ? {} : { principal }),
});

function scalar(name: string, value: number, more: Partial<Resource> = {}): Resource {
  return { name, type: 'SCALAR', scalar: { value }, ...more };
}

const volume = (id: string, value: number, more: Partial<Resource> = {}): Resource =>
  scalar('disk', value, {
    reservations: [dynamic('r', 'p')],
    disk: { persistence: { id, principal: 'p' }, volume: { container_path: 'v', mode: 'RW' } },
    ...more,
  });
const reserve = (...resources: Resource[]): Offer_Operation => ({
  type: 'RESERVE',
  reserve: { resources },
});
const unreserve = (...resources: Resource[]): Offer_Operation => ({
  type: 'UNRESERVE',
  unreserve: { resources },
});
const create = (...volumes: Resource[]): Offer_Operation => ({
  type: 'CREATE',
  create: { volumes },
});
const destroy = (...volumes: Resource[]): Offer_Operation => ({
  type: 'DESTROY',
  destroy: { volumes },
});

const capabilities = [
  { type: 'MULTI_ROLE' as const },
  { type: 'RESERVATION_REFINEMENT' as const },
  { type: 'SHARED_RESOURCES' as const },
  { type: 'PARTITION_AWARE' as const },
];

class Story {
  readonly master = new TestMaster();
  readonly agentId: string;
  readonly connection: number;
  readonly frameworkId: string;

  constructor(checkpointed: readonly Resource[] = [], resources = 'cpus:4;mem:1000;disk:1000') {
    this.agentId = this.master.addAgent(PID, resources, checkpointed);
    const info = aFramework({ capabilities, principal: 'p', failover_timeout: 60 });
    const { connection, frameworkId } = this.master.subscribe(info);
    Object.assign(this, { connection, frameworkId });
    this.connection = connection;
    this.frameworkId = frameworkId;
  }

  get offer() {
    const offer = this.master.offersOf(this.connection).at(-1);
    assert.ok(offer !== undefined, 'nothing is offered');
    return offer;
  }

  offered(): string {
    return resourcesText(Resources.of(this.offer.resources).allocatedTo(undefined));
  }

  /** With ids, so that a refusal is told; no filter, so that what is left is offered again. */
  accept(...operations: Offer_Operation[]): void {
    this.master.call(this.frameworkId, {
      type: 'ACCEPT',
      accept: {
        offer_ids: [this.offer.id],
        operations: operations.map((one, i) => ({ id: { value: `op${i}` }, ...one })),
        filters: { refuse_seconds: 0 },
      },
    });
  }

  statuses(): OperationStatus[] {
    return this.master
      .eventsOf(this.connection)
      .flatMap((event) => event.update_operation_status?.status ?? []);
  }

  get applied() {
    return this.master.sent.flatMap(({ message }) =>
      message.name === 'ApplyOperationMessage' ? [message.body] : [],
    );
  }

  total(): string {
    return resourcesText(this.master.core.state.agents.get(this.agentId)?.total ?? Resources.none);
  }
}

test('RESERVE, CREATE, DESTROY and UNRESERVE change the agent and what is offered next', () => {
  const story = new Story();
  const reserved = scalar('disk', 300, { reservations: [dynamic('r', 'p')] });
  story.accept(reserve(reserved), create(volume('id', 100)));
  assert.deepEqual(story.statuses(), []);
  const all =
    'cpus:4; mem:1000; disk:700; disk(reservations: [(DYNAMIC,r,p)]):200; disk(reservations: [(DYNAMIC,r,p)])[id:v]:100';
  assert.equal(story.offered(), all);
  assert.equal(story.total(), all);
  assert.deepEqual(
    story.applied.map(({ operation_info }) => operation_info.type),
    ['RESERVE', 'CREATE'],
  );
  story.accept(
    destroy(volume('id', 100)),
    unreserve(scalar('disk', 300, { reservations: [dynamic('r', 'p')] })),
  );
  assert.deepEqual(story.statuses(), []);
  assert.equal(story.offered(), 'cpus:4; mem:1000; disk:1000');
});

const tooMuch = scalar('cpus', 9, { reservations: [dynamic('r', 'p')] });
const cpus = (more: Partial<Resource>) => scalar('cpus', 1, more);
const host = 'on agent m-S0 at slave(1)@10.0.0.2:5051 (host)';
const refused: [string, Offer_Operation, string][] = [
  [
    'more than is offered',
    reserve(tooMuch),
    'cpus(allocated: r):4; mem(allocated: r):1000; disk(allocated: r):1000 does not contain cpus(allocated: r):9',
  ],
  [
    'a reservation that is none',
    reserve(cpus({})),
    `Resource cpus(allocated: r):1 is not dynamically reserved; ${host}`,
  ],
  [
    'a reservation for another role',
    reserve(cpus({ reservations: [dynamic('q', 'p')] })),
    `A reserve operation was attempted for a resource with role 'q', but the resource was allocated to role 'r'; ${host}`,
  ],
  [
    'a reservation without a principal',
    reserve(cpus({ reservations: [dynamic('r')] })),
    `A reserve operation was attempted by principal 'p', but there is a reserved resource in the request with no principal set; ${host}`,
  ],
  [
    'a reservation with two providers',
    reserve(
      cpus({ reservations: [dynamic('r', 'p')], provider_id: { value: 'x' } }),
      cpus({ reservations: [dynamic('r', 'p')] }),
    ),
    `Invalid resources: Some resources have a resource provider and some do not; ${host}`,
  ],
  [
    'a refinement that is none',
    reserve(cpus({ reservations: [dynamic('r', 'p'), dynamic('q', 'p')] })),
    "Operation attempted with invalid resources: Resource 'cpus(reservations: [(DYNAMIC,r,p),(DYNAMIC,q,p)]):1' is invalid: Invalid refined reservation: role 'q' is not a refinement of 'r'",
  ],
  [
    'a source',
    { type: 'RESERVE', reserve: { source: [cpus({})], resources: [tooMuch] } },
    'Operation attempted with invalid resources: Reservation updates are not yet implemented for the scheduler API.',
  ],
  [
    'no body',
    { type: 'UNRESERVE' },
    'Operation attempted with invalid resources: An UNRESERVE offer operation must have the Offer.Operation.unreserve field set.',
  ],
  [
    'a negative amount',
    reserve(scalar('cpus', -1, { reservations: [dynamic('r', 'p')] })),
    "Operation attempted with invalid resources: Resource 'cpus(reservations: [(DYNAMIC,r,p)]):-1' is invalid: Invalid scalar resource: value <= 0",
  ],
  // These end the process of a real master.
  [
    'a volume of nothing',
    create(volume('id', 0)),
    "Operation attempted with invalid resources: Resource 'disk(reservations: [(DYNAMIC,r,p)])[id:v]:0' is invalid: Invalid scalar resource: value <= 0",
  ],
  [
    'an end of a reservation of nothing',
    {
      type: 'UNRESERVE',
      unreserve: { resources: [scalar('cpus', 0, { reservations: [dynamic('r', 'p')] })] },
    },
    "Operation attempted with invalid resources: Resource 'cpus(reservations: [(DYNAMIC,r,p)]):0' is invalid: Invalid scalar resource: value <= 0",
  ],
  [
    'an amount of nothing',
    reserve(scalar('cpus', 0, { reservations: [dynamic('r', 'p')] })),
    "Operation attempted with invalid resources: Resource 'cpus(reservations: [(DYNAMIC,r,p)]):0' is invalid: Invalid scalar resource: value <= 0",
  ],
  [
    'text',
    reserve({ ...cpus({ reservations: [dynamic('r', 'p')] }), type: 'TEXT' }),
    "Operation attempted with invalid resources: Resource 'cpus(reservations: [(DYNAMIC,r,p)]):1' is invalid: Unsupported resource type",
  ],
  [
    'a volume of what is not reserved',
    create(volume('id', 10, { reservations: [] })),
    `Invalid resources: Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources; ${host}`,
  ],
  [
    'a volume with a slash in its id',
    create(volume('a/b', 10)),
    `Invalid resources: Invalid DiskInfo: Invalid persistence ID for persistent volume: 'a/b' contains invalid characters; ${host}`,
  ],
  [
    'a volume that is not there',
    destroy(volume('id', 10)),
    `Persistent volumes not found; ${host}`,
  ],
  [
    'a disk of no provider',
    { type: 'CREATE_DISK', create_disk: { source: scalar('disk', 1), target_type: 'MOUNT' } },
    `'source' is not managed by a resource provider; ${host}`,
  ],
  [
    'growing by nothing',
    { type: 'GROW_VOLUME', grow_volume: { volume: volume('id', 1), addition: scalar('disk', 0) } },
    `The size of 'GrowVolume.addition' field must be greater than zero; ${host}`,
  ],
  [
    'shrinking by all',
    { type: 'SHRINK_VOLUME', shrink_volume: { volume: volume('id', 1), subtract: { value: 1 } } },
    `Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'; ${host}`,
  ],
];
for (const [name, operation, message] of refused) {
  test(`ACCEPT answers OPERATION_ERROR to ${name}, and changes nothing`, () => {
    const story = new Story();
    const before = story.total();
    story.accept(operation);
    assert.deepEqual(story.statuses(), [
      { operation_id: { value: 'op0' }, state: 'OPERATION_ERROR', message },
    ]);
    assert.equal(story.total(), before);
    assert.equal(story.offered(), before);
    assert.deepEqual(story.applied, []);
  });
}

test('a resized volume is there afterwards, but not for later operations of the same call', () => {
  const story = new Story([volume('id', 100)], 'cpus:4;mem:1000;disk:500');
  const addition = scalar('disk', 50, { reservations: [dynamic('r', 'p')] });
  const spare = scalar('disk', 40, { reservations: [dynamic('r', 'p')] });
  story.accept(reserve(addition), reserve(spare), {
    type: 'GROW_VOLUME',
    grow_volume: { volume: volume('id', 100), addition },
  });
  assert.match(story.offered(), /\[id:v\]:150/);
  story.accept(
    {
      type: 'SHRINK_VOLUME',
      shrink_volume: { volume: volume('id', 150), subtract: { value: 30 } },
    },
    destroy(volume('id', 120)),
  );
  assert.equal(story.statuses().length, 1);
  assert.match(story.statuses()[0]?.message ?? '', /does not contain/);
  assert.match(story.offered(), /\[id:v\]:120/);
  assert.match(story.offered(), /disk\([^)]*\)\]\):70/, 'what was freed joins what was spare');
});

test('tasks share a shared volume; it cannot be destroyed while one uses it', () => {
  const shared = volume('id', 100, { shared: {} });
  const story = new Story([shared]);
  const task = (id: string) => {
    const plain = aTask(id, story.agentId, 'cpus:1;mem:100');
    return { ...plain, resources: [...(plain.resources ?? []), shared] };
  };
  story.master.launch(story.frameworkId, story.offer.id.value, task('a'), task('b'));
  const { agentId, frameworkId } = story;
  assert.deepEqual(story.master.statusesOf(story.connection), []);
  story.master.wait(6_000);
  assert.match(story.offered(), /<SHARED>/, 'and it is still offered');
  story.accept(destroy(shared));
  assert.equal(story.statuses().at(-1)?.message, `Persistent volumes in use; ${host}`);
  for (const [i, taskId] of ['a', 'b'].entries()) {
    const of = { frameworkId, agentId, taskId };
    story.master.update(PID, { ...of, state: 'TASK_FINISHED', uuid: i + 1 });
  }
  story.accept(destroy(shared));
  assert.equal(story.statuses().length, 1);
  assert.equal(
    story.total(),
    'cpus:4; mem:1000; disk:900; disk(reservations: [(DYNAMIC,r,p)]):100',
  );
});

test('the agent’s word reaches the framework, and the acknowledgement the agent', () => {
  const story = new Story();
  const { master, agentId, frameworkId } = story;
  story.accept(reserve(cpus({ reservations: [dynamic('r', 'p')] })));
  const [applied] = story.applied;
  assert.ok(applied !== undefined);
  assert.ok(isUuid(applied.operation_uuid.value), 'a real agent dies of what is none');
  const uuid = { value: new Uint8Array(16).fill(1) };
  const agent_id = { value: agentId };
  const status = { state: 'OPERATION_FINISHED' as const, uuid, agent_id };
  const { operation_uuid } = applied;
  master.fromAgent(PID, {
    name: 'UpdateOperationStatusMessage',
    body: { framework_id: { value: frameworkId }, agent_id, status, operation_uuid },
  });
  const operation_id = { value: 'op0' };
  assert.deepEqual(story.statuses(), [{ ...status, operation_id }]);
  const reconcile = () =>
    master.call(frameworkId, { type: 'RECONCILE_OPERATIONS', reconcile_operations: {} });
  reconcile();
  assert.deepEqual(story.statuses().at(-1), {
    state: 'OPERATION_FINISHED',
    agent_id,
    operation_id,
  });
  const acknowledge = { agent_id, uuid: uuid.value, operation_id };
  master.call(frameworkId, {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: acknowledge,
  });
  assert.deepEqual(master.sent.at(-1)?.message, {
    name: 'AcknowledgeOperationStatusMessage',
    body: { status_uuid: uuid, operation_uuid },
  });
  reconcile();
  assert.equal(story.statuses().length, 2, 'its end is acknowledged: it is forgotten');
});

test('an operation that the agent does not know after all is asked about', () => {
  const story = new Story();
  story.accept(reserve(cpus({ reservations: [dynamic('r', 'p')] })));
  story.master.fromAgent(PID, {
    name: 'UpdateSlaveMessage',
    body: {
      agent_id: { value: story.agentId },
      update_oversubscribed_resources: false,
      operations: {},
    },
  });
  assert.equal(story.master.sent.at(-1)?.message.name, 'ReconcileOperationsMessage');
});

test('a repeated report from before an operation does not undo it; one of a new connection does', () => {
  const story = new Story();
  const { master, agentId } = story;
  const reserved = cpus({ reservations: [dynamic('r', 'p')] });
  const agent = master.core.state.agents.get(agentId);
  assert.ok(agent !== undefined);
  const report = (): void => {
    const resource_version_uuid = { value: new Uint8Array(16).fill(8) };
    const { info: slave, capabilities: known } = agent;
    const agent_capabilities = [...known];
    const body = { slave, version: '1.11.0', agent_capabilities, resource_version_uuid };
    master.fromAgent(PID, { name: 'ReregisterSlaveMessage', body });
  };
  const before = story.total();
  report();
  story.accept(reserve(reserved));
  const after = story.total();
  assert.notEqual(after, before);
  report();
  assert.equal(story.total(), after, 'the operation is on its way to it');
  master.agentConnection = 2;
  report();
  assert.equal(story.total(), before, 'the operation was lost with the connection');
});

test('frameworks hear nothing of operations without an id that the master no longer knows', () => {
  const story = new Story();
  const { master, agentId, frameworkId } = story;
  const tell = (more: Partial<OperationStatus>): void => {
    const agent_id = { value: agentId };
    const status = { state: 'OPERATION_FINISHED' as const, agent_id, ...more };
    const operation_uuid = { value: new Uint8Array(16).fill(9) };
    const body = { framework_id: { value: frameworkId }, agent_id, status, operation_uuid };
    master.fromAgent(PID, { name: 'UpdateOperationStatusMessage', body });
  };
  tell({});
  assert.deepEqual(story.statuses(), []);
  tell({ operation_id: { value: 'asked-for' } });
  assert.deepEqual(
    story.statuses().map(({ operation_id }) => operation_id?.value),
    ['asked-for'],
  );
});

test('operate() takes back offers that are in its way, and answers 409 to what is not there', () => {
  const story = new Story();
  const { master, agentId } = story;
  const operate = (operation: Offer_Operation) => {
    const outcome = master.core.operate(
      agentId,
      operation,
      { principal: 'op', approvers: everything },
      master.now,
    );
    if ('status' in outcome) return outcome;
    master.perform(outcome);
    return undefined;
  };
  const one = cpus({ reservations: [dynamic('a', 'op')] });
  assert.equal(operate(reserve(one)), undefined);
  assert.equal(
    master.eventsOf(story.connection).filter(({ type }) => type === 'RESCIND').length,
    1,
  );
  assert.equal(
    story.total(),
    'cpus:3; mem:1000; disk:1000; cpus(reservations: [(DYNAMIC,a,op)]):1',
  );
  assert.deepEqual(operate(reserve(scalar('cpus', 4, { reservations: [dynamic('a', 'op')] }))), {
    status: 409,
    message:
      'cpus:3; mem:1000; disk:1000; cpus(reservations: [(DYNAMIC,a,op)]):1 does not contain cpus:4',
  });
  assert.deepEqual(operate(reserve(cpus({ reservations: [dynamic('a', 'x')] }))), {
    status: 400,
    message: `Invalid RESERVE operation ${host}: A reserve operation was attempted by authenticated principal 'op', which does not match a reserved resource in the request with principal 'x'`,
  });
  assert.equal(operate(unreserve(one)), undefined);
});

test('a master that comes back learns reservations and volumes from the agent', () => {
  const kept = [volume('id', 100), cpus({ reservations: [dynamic('r', 'p')] })];
  const story = new Story(kept);
  assert.match(story.offered(), /cpus\(reservations: \[\(DYNAMIC,r,p\)\]\):1/);
  assert.match(story.offered(), /\[id:v\]:100/);
});

test('an end that was acknowledged is not learnt again from a report that was on its way', () => {
  const { master, told, agent_id, tell, acknowledged } = returned();
  const info = aFramework({ failover_timeout: 60, id: { value: 'late' } });
  const { frameworkId } = master.subscribe(info);
  const agent = master.core.state.agents.get(agent_id.value);
  assert.ok(agent !== undefined);
  const operations = { operations: [...agent.operations.values()].map((one) => one.operation) };
  tell();
  const operation_id = { value: 'o' };
  const acknowledge_operation_status = { agent_id, operation_id, uuid: told.uuid.value };
  master.call(frameworkId, { type: 'ACKNOWLEDGE_OPERATION_STATUS', acknowledge_operation_status });
  assert.equal(agent.operations.size, 0);
  master.fromAgent(PID, { name: 'UpdateSlaveMessage', body: { agent_id, operations } });
  assert.equal(agent.operations.size, 0, 'the agent hears of the acknowledgement yet');
  const before = acknowledged();
  tell();
  assert.equal(acknowledged(), before + 1, 'or has lost it');
});

/** An agent that is back after a failover, with an operation of a framework that is not (yet). */
function returned() {
  const master = new TestMaster();
  const agentId = master.addAgent(PID);
  const agent_id = { value: agentId };
  const framework_id = { value: 'late' };
  const status = { operation_id: { value: 'o' }, state: 'OPERATION_FINISHED' as const, agent_id };
  const told = { ...status, uuid: { value: new Uint8Array(16).fill(1) } };
  const uuid = { value: new Uint8Array(16).fill(2) };
  const info = { ...reserve(scalar('cpus', 1)), id: { value: 'o' } };
  const operation = { framework_id, agent_id, info, latest_status: told, statuses: [told], uuid };
  const operations = { operations: [operation] };
  master.fromAgent(PID, { name: 'UpdateSlaveMessage', body: { agent_id, operations } });
  const tell = (): void => {
    const body = {
      framework_id,
      agent_id,
      status: told,
      latest_status: told,
      operation_uuid: uuid,
    };
    master.fromAgent(PID, { name: 'UpdateOperationStatusMessage', body });
  };
  const acknowledged = (): number =>
    master.sent.filter(({ message }) => message.name === 'AcknowledgeOperationStatusMessage')
      .length;
  return { master, told, agent_id, tell, acknowledged };
}

test('operations of a framework that comes back later are its own again', () => {
  const { master, told, agent_id, tell, acknowledged } = returned();
  const { connection } = master.subscribe(aFramework({ id: { value: 'late' } }));
  tell();
  assert.equal(master.eventsOf(connection).at(-1)?.type, 'UPDATE_OPERATION_STATUS');
  master.call('late', {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: {
      agent_id,
      operation_id: told.operation_id,
      uuid: told.uuid.value,
    },
  });
  assert.equal(acknowledged(), 1);
});

test('operations of a framework that does not come back are ended after five minutes', () => {
  const { master, tell, acknowledged } = returned();
  tell();
  assert.equal(acknowledged(), 0);
  master.now += 5 * 60_000;
  tell();
  assert.equal(acknowledged(), 1);
});

test('explicit reconciliation answers for agents in every state', () => {
  const known = { hostname: 'h', id: { value: 'returning' } };
  const master = new TestMaster({
    agents: [known],
    unreachable: [{ agentId: 'away', at: 1 }],
    gone: [{ agentId: 'gone', at: 1 }],
    weights: [],
  });
  const agentId = master.addAgent(PID);
  const { connection, frameworkId } = master.subscribe(aFramework());
  const ask = (agent?: string) => {
    const agent_id = agent === undefined ? {} : { agent_id: { value: agent } };
    const operations = [{ operation_id: { value: 'x' }, ...agent_id }];
    master.call(frameworkId, {
      type: 'RECONCILE_OPERATIONS',
      reconcile_operations: { operations },
    });
    const last = master.eventsOf(connection).at(-1)?.update_operation_status?.status;
    assert.equal(last?.uuid, undefined);
    assert.equal(last?.agent_id?.value, agent);
    return [last?.state, last?.message?.replace('Reconciliation: ', '')];
  };
  assert.deepEqual(
    [undefined, agentId, 'returning', 'away', 'gone', 'never'].map((agent) => ask(agent)),
    [
      ['OPERATION_UNKNOWN', "Operation is unknown and no 'agent_id' was provided"],
      ['OPERATION_UNKNOWN', 'Operation is unknown'],
      ['OPERATION_RECOVERING', 'Agent is recovered but has not re-registered'],
      ['OPERATION_UNREACHABLE', 'Agent is unreachable'],
      ['OPERATION_GONE_BY_OPERATOR', 'Agent marked gone by operator'],
      ['OPERATION_UNKNOWN', 'Both operation and agent are unknown'],
    ],
  );
});
