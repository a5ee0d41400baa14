// Resource providers as the agent sees them: who may subscribe, what the master is told, operations there
// and back, and tasks that wait until what they use is usable.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  Messages,
  Offer_Operation,
  Resource,
  ResourceProviderCall,
  ResourceProviderEvent,
} from '#wire/mesos/v1.ts';
import { Agent, FRAMEWORK } from './core-fixture.ts';

const uuid = (byte: number) => ({ value: new Uint8Array(16).fill(byte) });
const INFO = { type: 'org.test', name: 'disks' };

class Story {
  readonly agent = Agent.registered();
  id = '';

  subscribe(connection = 7, id?: string): this {
    const info = id === undefined ? INFO : { ...INFO, id: { value: id } };
    this.agent.input({ kind: 'provider-subscribed', connection, info });
    this.id = this.events(connection).at(-1)?.subscribed?.provider_id.value ?? '';
    return this;
  }

  get provider_id() {
    return { value: this.id };
  }

  raw(value: number): Resource {
    const disk = { source: { type: 'RAW' as const } };
    const { provider_id } = this;
    return { name: 'disk', type: 'SCALAR', scalar: { value }, disk, provider_id };
  }

  mounted(value: number): Resource {
    const source = { type: 'MOUNT' as const, id: 'v', mount: { root: '/v' } };
    return { ...this.raw(value), disk: { source } };
  }

  call(call: ResourceProviderCall): this {
    this.agent.input({ kind: 'provider-call', id: this.id, call });
    return this;
  }

  has(...resources: Resource[]): this {
    const resource_version_uuid = uuid(1);
    return this.call({ type: 'UPDATE_STATE', update_state: { resources, resource_version_uuid } });
  }

  apply(info: Offer_Operation, byte = 5): this {
    const body = {
      framework_id: { value: 'f' },
      operation_info: info,
      operation_uuid: uuid(byte),
      resource_version_uuid: { resource_provider_id: this.provider_id, uuid: uuid(1) },
    };
    this.agent.master({ name: 'ApplyOperationMessage', body });
    return this;
  }

  events(connection = 7): ResourceProviderEvent[] {
    return this.agent.effects.flatMap((one) =>
      one.kind === 'provider-event' && one.connection === connection ? [one.event] : [],
    );
  }

  told<Name extends 'UpdateSlaveMessage' | 'UpdateOperationStatusMessage'>(name: Name) {
    return this.agent.effects.flatMap((one) =>
      one.kind === 'send-master' && one.name === name ? [one.body as Messages[Name]] : [],
    );
  }

  providers() {
    return this.told('UpdateSlaveMessage').at(-1)?.resource_providers?.providers;
  }
}

test('a provider gets an id that is kept before it is told, and the same one again', () => {
  const story = new Story().subscribe();
  const kinds = story.agent.effects.map(({ kind }) => kind);
  assert.deepEqual(kinds, ['checkpoint', 'provider-event']);
  const { id } = story;
  story.agent.input({ kind: 'provider-disconnected', connection: 7 });
  story.subscribe(8, id);
  assert.equal(story.id, id);
});

test('an id of nobody, or of one with another name, is refused', () => {
  const story = new Story().subscribe();
  const { id } = story;
  const refused: [string, string][] = [
    ['nobody', 'disks'],
    [id, 'others'],
  ];
  for (const [value, name] of refused) {
    story.agent.effects = [];
    const info = { ...INFO, name, id: { value } };
    story.agent.input({ kind: 'provider-subscribed', connection: 9, info });
    assert.deepEqual(story.agent.take(), ['log', 'close-provider']);
  }
});

test('a provider that subscribes a second time takes over from its first stream', () => {
  const story = new Story().subscribe();
  story.subscribe(8, story.id).has(story.raw(5));
  story.agent.effects = [];
  story.agent.input({ kind: 'provider-disconnected', connection: 7 });
  assert.deepEqual(story.agent.take(), []);
});

test('the master hears of what a provider has, and of nothing when it leaves', () => {
  const story = new Story().subscribe();
  assert.equal(story.providers(), undefined);
  story.has(story.raw(100));
  const [told] = story.providers() ?? [];
  assert.deepEqual(told?.total_resources, [story.raw(100)]);
  assert.deepEqual(told?.resource_version_uuid, uuid(1));
  story.agent.input({ kind: 'provider-disconnected', connection: 7 });
  assert.deepEqual(story.providers(), []);
});

const createDisk = (source: Resource): Offer_Operation => ({
  type: 'CREATE_DISK',
  id: { value: 'make' },
  create_disk: { source, target_type: 'MOUNT' },
});

test('an operation goes to the provider, its status to the master, the acknowledgement back', () => {
  const story = new Story().subscribe();
  story.has(story.raw(100)).apply(createDisk(story.raw(40)));
  assert.deepEqual(story.events().at(-1)?.apply_operation?.operation_uuid, uuid(5));
  const converted_resources = [story.mounted(40)];
  const resource_provider_id = story.provider_id;
  const status = {
    state: 'OPERATION_FINISHED' as const,
    uuid: uuid(6),
    converted_resources,
    resource_provider_id,
  };
  const update = { framework_id: { value: 'f' }, status, operation_uuid: uuid(5) };
  story.call({ type: 'UPDATE_OPERATION_STATUS', update_operation_status: update });
  assert.deepEqual(story.told('UpdateOperationStatusMessage').at(-1), {
    ...update,
    agent_id: { value: 'a' },
    status: { ...status, agent_id: { value: 'a' }, operation_id: { value: 'make' } },
  });
  assert.deepEqual(story.agent.core.providers.total.toWire(), [story.raw(60), story.mounted(40)]);
  const body = { status_uuid: uuid(6), operation_uuid: uuid(5), resource_provider_id };
  story.agent.master({ name: 'AcknowledgeOperationStatusMessage', body });
  assert.equal(story.events().at(-1)?.type, 'ACKNOWLEDGE_OPERATION_STATUS');
  assert.deepEqual(story.agent.core.providers.operations, []);
});

test('an end that was acknowledged is not known again by what was on its way', () => {
  const story = new Story().subscribe();
  const resource_provider_id = story.provider_id;
  story.has(story.raw(100)).apply(createDisk(story.raw(40)));
  const status = { state: 'OPERATION_FINISHED' as const, uuid: uuid(6), resource_provider_id };
  const update = { status, operation_uuid: uuid(5) };
  story.call({ type: 'UPDATE_OPERATION_STATUS', update_operation_status: update });
  const [operation] = story.agent.core.providers.operations;
  assert.ok(operation !== undefined);
  const body = { status_uuid: uuid(6), operation_uuid: uuid(5), resource_provider_id };
  story.agent.master({ name: 'AcknowledgeOperationStatusMessage', body });
  const resources = [story.raw(60), story.mounted(40)];
  const update_state = { operations: [operation], resources, resource_version_uuid: uuid(2) };
  story.call({ type: 'UPDATE_STATE', update_state });
  assert.deepEqual(story.agent.core.providers.operations, []);
  assert.deepEqual(story.providers()?.[0]?.operations.operations, []);
});

test('a reservation is foreseen; one for a provider that has left is dropped', () => {
  const story = new Story().subscribe();
  const reservations = [{ type: 'DYNAMIC' as const, role: 'r' }];
  const reserve = (value: number): Offer_Operation => ({
    type: 'RESERVE',
    reserve: { resources: [{ ...story.raw(value), reservations }] },
  });
  story.has(story.raw(100)).apply(reserve(100));
  assert.deepEqual(story.agent.core.providers.total.toWire(), [
    { ...story.raw(100), reservations },
  ]);
  story.agent.input({ kind: 'provider-disconnected', connection: 7 });
  story.apply(reserve(1), 8);
  const last = story.told('UpdateOperationStatusMessage').at(-1);
  assert.equal(last?.status.state, 'OPERATION_DROPPED');
  assert.deepEqual(last?.operation_uuid, uuid(8));
});

test('who asks about an operation of a provider is answered by it, or for it', () => {
  const story = new Story().subscribe();
  const resource_provider_id = story.provider_id;
  const ask = (
    operations: Messages['ReconcileOperationsMessage']['operations'],
    byFramework = false,
  ) => {
    const body = { operations, ...(byFramework && { framework_id: { value: 'f' } }) };
    story.agent.master({ name: 'ReconcileOperationsMessage', body });
  };
  ask([{ operation_uuid: uuid(5), resource_provider_id }]);
  assert.deepEqual(story.events().at(-1)?.reconcile_operations?.operation_uuids, [uuid(5)]);
  story.agent.input({ kind: 'provider-disconnected', connection: 7 });
  const operation_id = { value: 'make' };
  ask([{ operation_id, resource_provider_id }], true);
  ask([{ operation_id, resource_provider_id: { value: 'nobody' } }], true);
  assert.deepEqual(
    story
      .told('UpdateOperationStatusMessage')
      .map(({ status, framework_id }) => [
        status.state,
        status.operation_id?.value,
        framework_id?.value,
      ]),
    [
      ['OPERATION_RECOVERING', 'make', 'f'],
      ['OPERATION_UNKNOWN', 'make', 'f'],
    ],
  );
});

test('marked gone, a provider is told to go, what it was doing ends, its id is nobody any more', () => {
  const story = new Story().subscribe();
  story.has(story.raw(100));
  assert.match(
    story.agent.core.providers.problemWithGone(story.id) ?? '',
    /Resource provider has resources$/,
  );
  story.apply(createDisk(story.raw(40))).has();
  const { id } = story;
  assert.equal(story.agent.core.providers.problemWithGone(id), undefined);
  story.apply(createDisk(story.raw(40)), 6);
  story.agent.effects = [];
  story.agent.input({ kind: 'provider-gone', id });
  assert.equal(story.events().at(-1)?.type, 'TEARDOWN');
  const gone = story.told('UpdateOperationStatusMessage').map(({ status }) => status.state);
  assert.deepEqual(gone, ['OPERATION_GONE_BY_OPERATOR']);
  assert.deepEqual(story.providers(), []);
  story.agent.effects = [];
  story.agent.input({
    kind: 'provider-subscribed',
    connection: 9,
    info: { ...INFO, id: { value: id } },
  });
  assert.deepEqual(story.agent.take(), ['log', 'close-provider']);
});

// ---- what is used is made usable first

function published(story: Story, status: 'OK' | 'FAILED'): void {
  const asked = story.events().at(-1)?.publish_resources;
  assert.ok(asked !== undefined, 'nothing is to be published');
  story.call({
    type: 'UPDATE_PUBLISH_RESOURCES_STATUS',
    update_publish_resources_status: { uuid: asked.uuid, status },
  });
}

function launched(story: Story): Story {
  story.subscribe().has(story.mounted(40));
  story.agent.runTask('t', FRAMEWORK, { resources: [story.mounted(40)] });
  return story;
}

test('a task is launched once what it uses of a provider is usable', () => {
  const story = launched(new Story());
  assert.ok(!story.agent.effects.some(({ kind }) => kind === 'launch-container'));
  assert.deepEqual(story.events().at(-1)?.publish_resources?.resources, [story.mounted(40)]);
  published(story, 'OK');
  assert.ok(story.agent.effects.some(({ kind }) => kind === 'launch-container'));
  story.agent.effects = [];
  story.agent.subscribe('t');
  assert.ok(story.agent.take().includes('LAUNCH to 1'));
});

test('a task fails when what it uses cannot be made usable, or its provider leaves', () => {
  const ways: ((story: Story) => void)[] = [
    (story) => published(story, 'FAILED'),
    (story) => story.agent.input({ kind: 'provider-disconnected', connection: 7 }),
  ];
  for (const way of ways) {
    const story = launched(new Story());
    way(story);
    const words = story.agent.take();
    assert.ok(words.some((one) => one.startsWith('TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED')));
    assert.ok(!words.includes('launch-container'));
    assert.equal(
      story.agent.core.workloads.executors().filter(({ state }) => state !== 'terminated').length,
      0,
    );
  }
});

test('a task that waits for its provider can be killed', () => {
  const story = launched(new Story());
  const body = { framework_id: { value: 'f' }, task_id: { value: 't' } };
  story.agent.master({ name: 'KillTaskMessage', body });
  const words = story.agent.take();
  assert.ok(
    words.some((one) => one.startsWith('TASK_KILLED')),
    words.join(),
  );
  assert.ok(!words.includes('launch-container'));
  assert.ok(!words.includes('destroy-container'));
});

test('a later task of an executor waits, others of it do not', () => {
  const story = new Story().subscribe();
  story.has(story.mounted(40));
  const executor = {
    executor_id: { value: 'e' },
    framework_id: { value: 'f' },
    type: 'CUSTOM' as const,
    command: { value: 'x' },
  };
  story.agent.runTask('first', FRAMEWORK, { executor });
  story.agent.subscribe('e');
  story.agent.effects = [];
  story.agent.runTask('waits', FRAMEWORK, { executor, resources: [story.mounted(40)] });
  assert.ok(!story.agent.effects.some(({ kind }) => kind === 'executor-event'));
  story.agent.runTask('goes', FRAMEWORK, { executor });
  assert.equal(story.agent.effects.filter(({ kind }) => kind === 'executor-event').length, 1);
  published(story, 'OK');
  assert.equal(story.agent.effects.filter(({ kind }) => kind === 'executor-event').length, 2);
});

test('a task with what no provider has is dropped', () => {
  const story = new Story().subscribe();
  story.has(story.raw(40));
  story.agent.effects = [];
  story.agent.runTask('t', FRAMEWORK, { resources: [story.mounted(40)] });
  assert.ok(
    story.agent.take().some((one) => one.startsWith('TASK_DROPPED REASON_RESOURCES_UNKNOWN')),
  );
});
