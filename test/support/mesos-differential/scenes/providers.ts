// A resource provider of an agent: what it has is offered, a disk is made of it, its end is acknowledged and
// told once more, the provider leaves; what the master then says to agent, framework and operator.
import type { Messages, Operation, Resource } from '#wire/mesos/v1.ts';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  agentGreeting,
  aUuid,
  FakeAgent,
  Scheduler,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, type Json } from './things.ts';

const provider_id = { value: 'rp-1' };
const uuid = (byte: number) => ({ value: aUuid(byte) });

function raw(value: number): Resource {
  const disk = { source: { type: 'RAW' as const, profile: 'fast' } };
  return { name: 'disk', type: 'SCALAR', scalar: { value }, disk, provider_id };
}

function mounted(value: number): Resource {
  const source = { type: 'MOUNT' as const, id: 'v1', profile: 'fast', mount: { root: '/v1' } };
  return { ...raw(value), disk: { source } };
}

type Reported = NonNullable<Messages['UpdateSlaveMessage']['resource_providers']>['providers'];

function report(agent: FakeAgent, providers: Reported): void {
  agent.send('UpdateSlaveMessage', {
    agent_id: { value: agent.id },
    update_oversubscribed_resources: false,
    operations: { operations: [] },
    resource_providers: { providers: providers ?? [] },
  });
}

function aProvider(total: Resource[], operations: Operation[] = []): NonNullable<Reported>[number] {
  return {
    info: { id: provider_id, type: 'org.test', name: 'disks' },
    total_resources: total,
    operations: { operations },
    resource_version_uuid: uuid(1),
  };
}

const hasDisk =
  (type: string) =>
  (offer: Json): boolean =>
    JSON.stringify(offer['resources']).includes(`"${type}"`);

async function look(world: World, when: string): Promise<void> {
  await world.operatorJson(`GET_AGENTS ${when}`, { type: 'GET_AGENTS' });
  await world.operatorJson(`GET_OPERATIONS ${when}`, { type: 'GET_OPERATIONS' });
}

interface Cast {
  readonly agent: FakeAgent;
  readonly scheduler: Scheduler;
}

/** The agent tells the end of an operation that it was asked for. */
function end({ agent, scheduler }: Cast, operation_uuid: { value: Uint8Array }): void {
  const status = {
    operation_id: { value: 'make' },
    state: 'OPERATION_FINISHED' as const,
    uuid: uuid(9),
    agent_id: { value: agent.id },
    resource_provider_id: provider_id,
    converted_resources: [{ ...mounted(40), allocation_info: { role: 'r' } }],
  };
  agent.send('UpdateOperationStatusMessage', {
    framework_id: { value: scheduler.frameworkId },
    agent_id: { value: agent.id },
    status,
    latest_status: status,
    operation_uuid,
  });
}

async function make(world: World, cast: Cast): Promise<{ value: Uint8Array }> {
  const { agent, scheduler } = cast;
  const offer = await scheduler.offer(hasDisk('RAW'));
  world.keep('an offer with raw disk', { body: world.clean(offer) });
  const source = { ...raw(40), allocation_info: offer['allocation_info'] };
  const create_disk = { source, target_type: 'MOUNT' };
  const operation = { type: 'CREATE_DISK', id: { value: 'make' }, create_disk };
  await scheduler.accept('ACCEPT CREATE_DISK', [offer], [operation], 3600);
  const { body } = await agent.expect('ApplyOperationMessage');
  const text = (body['operation_uuid'] as { value: string }).value;
  await look(world, 'while a disk is made');
  return { value: new Uint8Array(Buffer.from(text, 'base64')) };
}

async function acknowledge({ agent, scheduler }: Cast): Promise<void> {
  const acknowledge_operation_status = {
    agent_id: { value: agent.id },
    resource_provider_id: provider_id,
    operation_id: { value: 'make' },
    uuid: Buffer.from(uuid(9).value).toString('base64'),
  };
  const type = 'ACKNOWLEDGE_OPERATION_STATUS';
  await scheduler.call(type, { type, acknowledge_operation_status });
  await agent.expect('AcknowledgeOperationStatusMessage');
}

async function ask(cast: Cast, when: string, operations: Json[]): Promise<void> {
  const type = 'RECONCILE_OPERATIONS';
  await cast.scheduler.call(`${type} ${when}`, { type, reconcile_operations: { operations } });
  await cast.scheduler.stream.expect('UPDATE_OPERATION_STATUS');
}

export const providers: Scene = {
  name: 'providers',
  async play(world) {
    const agent = await new FakeAgent(world, 'provided').start();
    await agent.register({}, agentGreeting);
    const capabilities = ['MULTI_ROLE', 'PARTITION_AWARE', 'RESERVATION_REFINEMENT'];
    const info = aFramework('disks', { capabilities: capabilities.map((type) => ({ type })) });
    report(agent, [aProvider([raw(100)])]);
    // Disk alone is not offered: it has to be there before the rest is.
    await world.until('the provider is known', async () => {
      const { bytes } = await world.ask({ path: '/slaves' });
      return bytes.toString().includes('"rp-1"') ? true : undefined;
    });
    const scheduler = await new Scheduler(world, 'disks').subscribe(info);
    const cast = { agent, scheduler };
    const operation = await make(world, cast);
    await ask(cast, 'while it is made', [{ operation_id: { value: 'make' } }]);
    end(cast, operation);
    await scheduler.stream.expect('UPDATE_OPERATION_STATUS');
    await acknowledge(cast);
    await scheduler.call('REVIVE', { type: 'REVIVE' });
    const made = await scheduler.offer(hasDisk('MOUNT'));
    world.keep('an offer with what was made', { body: world.clean(made) });
    await look(world, 'when it is made');
    const unknown = { operation_id: { value: 'make' }, agent_id: { value: agent.id } };
    await ask(cast, 'when it is acknowledged', [unknown]);
    report(agent, []);
    await scheduler.stream.expect('RESCIND');
    await look(world, 'when the provider has left');
    const gone = { ...unknown, resource_provider_id: provider_id };
    const reconcile_operations = { operations: [gone] };
    const type = 'RECONCILE_OPERATIONS';
    await scheduler.call(`${type} of a provider that left`, { type, reconcile_operations });
    await agent.expect('ReconcileOperationsMessage');
    await world.metrics('after providers');
  },
};
