// Resource providers as the master sees them: what they have is offered, disks are made of it, and
// whatever becomes of provider, framework or agent meanwhile, nothing is offered twice or lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type {
  Messages,
  Offer_Operation,
  Operation,
  OperationState,
  Resource,
} from '#wire/mesos/v1.ts';
import { aFramework, TestMaster } from './core-fixture.ts';
import { answer } from './operator-answers.ts';

const PID = 'slave(1)@10.0.0.2:5051';
const provider_id = { value: 'rp-1' };
const uuid = (byte: number) => ({ value: new Uint8Array(16).fill(byte) });

function raw(value: number): Resource {
  const disk = { source: { type: 'RAW' as const, profile: 'fast' } };
  return { name: 'disk', type: 'SCALAR', scalar: { value }, disk, provider_id };
}

function mounted(value: number): Resource {
  const source = { type: 'MOUNT' as const, id: 'v1', profile: 'fast', mount: { root: '/v1' } };
  return { ...raw(value), disk: { source } };
}

const createDisk = (source: Resource, id = 'make'): Offer_Operation => ({
  type: 'CREATE_DISK',
  id: { value: id },
  create_disk: { source, target_type: 'MOUNT' },
});

type Reported = NonNullable<
  NonNullable<Messages['UpdateSlaveMessage']['resource_providers']>['providers']
>;

function reported(total: Resource[], version = 1, operations: Operation[] = []): Reported {
  const info = { id: provider_id, type: 'org.test', name: 'disks' };
  const resource_version_uuid = uuid(version);
  return [{ info, total_resources: total, operations: { operations }, resource_version_uuid }];
}

class Story {
  readonly master: TestMaster;
  readonly agentId: string;
  connection = 0;
  frameworkId = '';

  constructor(master = new TestMaster()) {
    this.master = master;
    this.agentId = master.addAgent(PID, 'cpus:4;mem:1000');
  }

  subscribe(id?: string): this {
    const info = aFramework({ failover_timeout: 60, ...(id && { id: { value: id } }) });
    const { connection, frameworkId } = this.master.subscribe(info);
    Object.assign(this, { connection, frameworkId });
    return this;
  }

  tell(providers: Reported): this {
    const agent_id = { value: this.agentId };
    const body = { agent_id, resource_providers: { providers }, operations: {} };
    this.master.fromAgent(PID, {
      name: 'UpdateSlaveMessage',
      body: { ...body, update_oversubscribed_resources: false },
    });
    return this;
  }

  get offer() {
    const offer = this.master.offersOf(this.connection).at(-1);
    assert.ok(offer !== undefined, 'nothing is offered');
    return offer;
  }

  offered(): string {
    return resourcesText(Resources.of(this.offer.resources).allocatedTo(undefined));
  }

  total(): string {
    return resourcesText(this.record.total);
  }

  get record() {
    const record = this.master.core.state.agents.get(this.agentId);
    assert.ok(record !== undefined);
    return record;
  }

  free(): string {
    return resourcesText(this.master.core.state.allocator.available(this.agentId));
  }

  accept(...operations: Offer_Operation[]): void {
    const filters = { refuse_seconds: 0 };
    const accept = { offer_ids: [this.offer.id], operations, filters };
    this.master.call(this.frameworkId, { type: 'ACCEPT', accept });
  }

  /** So that all that is free is offered together. */
  giveBack(): void {
    const decline = { offer_ids: [this.offer.id], filters: { refuse_seconds: 0 } };
    this.master.call(this.frameworkId, { type: 'DECLINE', decline });
  }

  get applied() {
    return this.master.sent.flatMap(({ message }) =>
      message.name === 'ApplyOperationMessage' ? [message.body] : [],
    );
  }

  sent<Name extends 'ReconcileOperationsMessage' | 'AcknowledgeOperationStatusMessage'>(
    name: Name,
  ) {
    return this.master.sent.flatMap(({ message }) =>
      message.name === name ? [message.body as Messages[Name]] : [],
    );
  }

  /** The provider's word on the last operation. */
  end(state: OperationState, converted: Resource[] = []): void {
    const applied = this.applied.at(-1);
    assert.ok(applied !== undefined);
    const status = {
      state,
      uuid: uuid(9),
      resource_provider_id: provider_id,
      agent_id: { value: this.agentId },
      ...(converted.length > 0 && { converted_resources: converted }),
    };
    const body = {
      agent_id: { value: this.agentId },
      status,
      operation_uuid: applied.operation_uuid,
    };
    this.master.fromAgent(PID, { name: 'UpdateOperationStatusMessage', body });
  }

  statuses() {
    return this.master
      .eventsOf(this.connection)
      .flatMap((event) => event.update_operation_status?.status ?? []);
  }
}

const PLAIN = 'cpus:4; mem:1000';
const RAW = `${PLAIN}; disk[RAW(,,fast)]:100`;

test('what a provider has is offered; it is shown with its agent', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  assert.equal(story.offered(), RAW);
  const shown = answer(story.master.core, { type: 'GET_AGENTS' })?.get_agents?.agents?.[0];
  assert.deepEqual(shown?.resource_providers, [
    {
      resource_provider_info: { id: provider_id, type: 'org.test', name: 'disks' },
      total_resources: [raw(100)],
    },
  ]);
});

test('a disk is in use until the provider has made it, and is offered then', () => {
  const story = new Story().tell(reported([raw(100)], 5)).subscribe();
  story.accept(createDisk(raw(40)));
  const [applied] = story.applied;
  assert.deepEqual(applied?.resource_version_uuid, {
    resource_provider_id: provider_id,
    uuid: uuid(5),
  });
  assert.equal(story.offered(), `${PLAIN}; disk[RAW(,,fast)]:60`);
  assert.equal(story.total(), RAW);
  const { used } = story.master.core.state.frameworks.get(story.frameworkId) ?? {};
  assert.equal(
    resourcesText(used?.total() ?? Resources.none),
    'disk(allocated: r)[RAW(,,fast)]:40',
  );
  story.end('OPERATION_FINISHED', [mounted(40)]);
  const after = `${PLAIN}; disk[RAW(,,fast)]:60; disk[MOUNT(,v1,fast)]:40`;
  assert.equal(story.total(), after);
  story.giveBack();
  assert.equal(story.offered(), after);
  assert.ok(used?.total().isEmpty);
  assert.deepEqual(story.record.providers.get('rp-1')?.total.toWire(), [raw(60), mounted(40)]);
});

test('the end is told, acknowledged towards the provider, and then forgotten', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  story.accept(createDisk(raw(40)));
  story.end('OPERATION_FINISHED', [mounted(40)]);
  const [status] = story.statuses();
  assert.equal(status?.state, 'OPERATION_FINISHED');
  assert.deepEqual(status?.operation_id, { value: 'make' });
  story.master.call(story.frameworkId, {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: {
      agent_id: { value: story.agentId },
      resource_provider_id: provider_id,
      uuid: uuid(9).value,
      operation_id: { value: 'make' },
    },
  });
  assert.deepEqual(story.sent('AcknowledgeOperationStatusMessage'), [
    {
      status_uuid: uuid(9),
      operation_uuid: story.applied[0]?.operation_uuid,
      resource_provider_id: provider_id,
    },
  ]);
  assert.equal(story.record.operations.size, 0);
});

test('a disk that is unmade is in use until it is raw space again', () => {
  const story = new Story().tell(reported([raw(60), mounted(40)])).subscribe();
  const source = mounted(40);
  story.accept({ type: 'DESTROY_DISK', id: { value: 'unmake' }, destroy_disk: { source } });
  assert.equal(story.offered(), `${PLAIN}; disk[RAW(,,fast)]:60`);
  story.end('OPERATION_FINISHED', [raw(40)]);
  assert.equal(story.total(), RAW);
  story.giveBack();
  assert.equal(story.offered(), RAW);
});

for (const state of ['OPERATION_FAILED', 'OPERATION_DROPPED', 'OPERATION_ERROR'] as const) {
  test(`${state}: what was to be a disk is offered again as it was`, () => {
    const story = new Story().tell(reported([raw(100)])).subscribe();
    story.accept(createDisk(raw(100)));
    assert.equal(story.offered(), PLAIN);
    story.end(state);
    assert.equal(story.total(), RAW);
    assert.ok(story.record.used === undefined || story.record.used.isEmpty);
  });
}

test('more than is offered, or what is no raw disk, is refused in words', () => {
  const refusals: [Resource, string][] = [
    [
      raw(200),
      'Invalid CREATE_DISK Operation: cpus(allocated: r):4; mem(allocated: r):1000; disk(allocated: r)[RAW(,,fast)]:100 does not contain disk(allocated: r)[RAW(,,fast)]:200',
    ],
    [
      mounted(40),
      "'source' is not a RAW disk resource; on agent m-S0 at slave(1)@10.0.0.2:5051 (host)",
    ],
  ];
  for (const [source, message] of refusals) {
    const story = new Story().tell(reported([raw(100)])).subscribe();
    story.accept(createDisk(source));
    assert.equal(story.statuses()[0]?.message, message);
    assert.equal(story.offered(), RAW);
  }
});

test('reservations of what a provider has are foreseen, and refused ones undone by its next word', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  const reservations = [{ type: 'DYNAMIC' as const, role: 'r' }];
  story.accept({ type: 'RESERVE', reserve: { resources: [{ ...raw(100), reservations }] } });
  const reserved = `${PLAIN}; disk(reservations: [(DYNAMIC,r)])[RAW(,,fast)]:100`;
  assert.equal(story.offered(), reserved);
  assert.deepEqual(story.record.providers.get('rp-1')?.total.toWire(), [
    { ...raw(100), reservations },
  ]);
  assert.equal(story.record.checkpointed.size, 0);
  story.end('OPERATION_DROPPED');
  story.tell(reported([raw(100)], 2));
  assert.equal(story.total(), RAW);
  assert.equal(story.offered(), RAW);
});

test('a report that was on its way before a reservation does not undo it', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  const reservations = [{ type: 'DYNAMIC' as const, role: 'r' }];
  story.accept({ type: 'RESERVE', reserve: { resources: [{ ...raw(60), reservations }] } });
  story.tell(reported([raw(100), { ...raw(1), disk: { source: { type: 'RAW' } } }]));
  const after =
    'cpus:4; mem:1000; disk[RAW(,,fast)]:40; disk[RAW]:1; disk(reservations: [(DYNAMIC,r)])[RAW(,,fast)]:60';
  assert.equal(story.total(), after);
  story.end('OPERATION_FINISHED');
  assert.equal(story.total(), after);
});

test('a provider that is gone takes its resources, offers and operations with it', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  story.accept(createDisk(raw(40)));
  story.tell([]);
  assert.equal(story.total(), PLAIN);
  assert.equal(story.offered(), PLAIN);
  assert.equal(story.record.operations.size, 0);
  const { used } = story.master.core.state.frameworks.get(story.frameworkId) ?? {};
  assert.ok(used?.total().isEmpty);
  // Whether it will be back, the agent knows.
  const operation_id = { value: 'make' };
  story.master.call(story.frameworkId, {
    type: 'RECONCILE_OPERATIONS',
    reconcile_operations: {
      operations: [
        { operation_id, agent_id: { value: story.agentId }, resource_provider_id: provider_id },
      ],
    },
  });
  assert.deepEqual(story.sent('ReconcileOperationsMessage').at(-1), {
    framework_id: { value: story.frameworkId },
    operations: [{ operation_id, resource_provider_id: provider_id }],
  });
  assert.deepEqual(story.statuses(), []);
});

test('an operation that the provider does not name is asked about; one that it ended is not done twice', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  story.accept(createDisk(raw(40)));
  story.tell(reported([raw(100)], 2));
  const applied = story.applied[0];
  assert.ok(applied !== undefined);
  const { operation_uuid } = applied;
  assert.deepEqual(story.sent('ReconcileOperationsMessage').at(-1), {
    operations: [{ operation_uuid, resource_provider_id: provider_id }],
  });
  const info = { ...applied.operation_info };
  const done: Operation = {
    framework_id: { value: story.frameworkId },
    agent_id: { value: story.agentId },
    info,
    latest_status: {
      state: 'OPERATION_FINISHED',
      converted_resources: [mounted(40)],
      uuid: uuid(9),
    },
    uuid: operation_uuid,
  };
  story.tell(reported([raw(60), mounted(40)], 3, [done]));
  const after = `${PLAIN}; disk[RAW(,,fast)]:60; disk[MOUNT(,v1,fast)]:40`;
  assert.equal(story.total(), after);
  assert.equal(story.offered(), after);
  story.end('OPERATION_FINISHED', [mounted(40)]);
  assert.equal(story.total(), after);
});

test('an end that was acknowledged while a report of it was on its way is not told otherwise', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  story.accept(createDisk(raw(40)));
  story.end('OPERATION_FINISHED', [mounted(40)]);
  const [applied] = story.applied;
  assert.ok(applied !== undefined);
  const { operation_uuid } = applied;
  story.master.call(story.frameworkId, {
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: {
      agent_id: { value: story.agentId },
      resource_provider_id: provider_id,
      uuid: uuid(9).value,
      operation_id: { value: 'make' },
    },
  });
  // The provider's connection breaks; it comes back before the acknowledgement, and forgets the operation then.
  const latest_status = {
    state: 'OPERATION_FINISHED' as const,
    uuid: uuid(9),
    converted_resources: [mounted(40)],
  };
  const done: Operation = {
    framework_id: { value: story.frameworkId },
    agent_id: { value: story.agentId },
    info: applied.operation_info,
    latest_status,
    uuid: operation_uuid,
  };
  story.tell([]).tell(reported([raw(60), mounted(40)], 2, [done]));
  story.tell(reported([raw(60), mounted(40)], 3));
  assert.deepEqual(story.sent('ReconcileOperationsMessage').at(-1), {
    operations: [{ operation_uuid, resource_provider_id: provider_id }],
  });
  const status = {
    state: 'OPERATION_DROPPED' as const,
    uuid: uuid(8),
    operation_id: { value: 'make' },
  };
  const body = { agent_id: { value: story.agentId }, status, operation_uuid };
  story.master.fromAgent(PID, { name: 'UpdateOperationStatusMessage', body });
  assert.deepEqual(
    story.statuses().map(({ state }) => state),
    ['OPERATION_FINISHED'],
  );
  assert.deepEqual(story.sent('AcknowledgeOperationStatusMessage').at(-1)?.status_uuid, uuid(8));
  assert.equal(story.record.operations.size, 0);
  assert.equal(story.total(), `${PLAIN}; disk[RAW(,,fast)]:60; disk[MOUNT(,v1,fast)]:40`);
});

test('what an operation of an unknown framework takes is offered to nobody until its end', () => {
  const story = new Story();
  const source = { ...raw(40), allocation_info: { role: 'r' } };
  const pending: Operation = {
    framework_id: { value: 'f-1' },
    agent_id: { value: story.agentId },
    info: { ...createDisk(source) },
    latest_status: { state: 'OPERATION_PENDING' },
    uuid: uuid(3),
  };
  story.tell(reported([raw(100)], 1, [pending]));
  assert.equal(story.total(), `${PLAIN}; disk[RAW(,,fast)]:60`);
  story.tell(reported([raw(100)], 2, [pending]));
  assert.equal(story.free(), `${PLAIN}; disk[RAW(,,fast)]:60`);
  // The framework is back: it is its own operation again.
  story.subscribe('f-1');
  assert.equal(story.total(), RAW);
  assert.equal(story.offered(), `${PLAIN}; disk[RAW(,,fast)]:60`);
  const body = {
    agent_id: { value: story.agentId },
    status: { state: 'OPERATION_FINISHED' as const, converted_resources: [mounted(40)] },
    operation_uuid: uuid(3),
  };
  story.master.fromAgent(PID, { name: 'UpdateOperationStatusMessage', body });
  assert.equal(story.total(), `${PLAIN}; disk[RAW(,,fast)]:60; disk[MOUNT(,v1,fast)]:40`);
});

test('a framework that ends leaves its operation to go on: nothing of it is free before', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  story.accept(createDisk(raw(40)));
  story.master.call(story.frameworkId, { type: 'TEARDOWN' });
  assert.equal(story.free(), `${PLAIN}; disk[RAW(,,fast)]:60`);
  story.end('OPERATION_FINISHED', [mounted(40)]);
  assert.equal(story.free(), `${PLAIN}; disk[RAW(,,fast)]:60; disk[MOUNT(,v1,fast)]:40`);
  // Nobody else is left to acknowledge it.
  assert.equal(story.sent('AcknowledgeOperationStatusMessage').length, 1);
  assert.equal(story.record.operations.size, 0);
});

test('an agent that is back has what its providers had, before it tells of them', () => {
  const story = new Story().tell(reported([raw(100)])).subscribe();
  const slave = { ...story.record.info };
  story.master.fromAgent(PID, {
    name: 'ReregisterSlaveMessage',
    body: { slave, agent_capabilities: [...story.record.capabilities], version: '1.11.0' },
  });
  assert.equal(story.total(), RAW);
  story.tell([]);
  assert.equal(story.total(), PLAIN);
});

test('a framework that asks is told its own id of an operation, which the provider may not know', () => {
  const story = new Story().subscribe();
  const operation: Operation = {
    framework_id: { value: story.frameworkId },
    info: createDisk(raw(40)),
    latest_status: { state: 'OPERATION_PENDING', resource_provider_id: provider_id },
    uuid: uuid(3),
  };
  story.tell(reported([raw(100)], 1, [operation]));
  const reconcile_operations = { operations: [{ operation_id: { value: 'make' } }] };
  story.master.call(story.frameworkId, { type: 'RECONCILE_OPERATIONS', reconcile_operations });
  const last = story.statuses().at(-1);
  assert.deepEqual([last?.operation_id?.value, last?.state], ['make', 'OPERATION_PENDING']);
});
