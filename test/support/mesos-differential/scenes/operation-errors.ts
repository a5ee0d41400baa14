// Every way for an operation on an offer to be wrong: what OPERATION_ERROR says of it (an amount of nothing and a
// resource of type TEXT end a real master: `operations.test.ts` has them). An agent has a reservation and a
// volume; a framework without a principal asks, then one with.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { FakeAgent, Scheduler, type World } from '#test/support/mesos-differential/player.ts';
import { wholeOffer } from './task-errors.ts';
import { aFramework, scalar, type Json } from './things.ts';

const own = { allocation_info: { role: 'r' } };
const reserved = (role: string, more: Json = {}): Json => ({ type: 'DYNAMIC', role, ...more });
const inRole = (name: string, value: number, more: Json = {}): Json =>
  scalar(name, value, { ...own, reservations: [reserved('r')], ...more });

const place = { mode: 'RW', container_path: 'data' };
const persistent = (id: string, value: number, more: Json = {}, disk: Json = {}): Json =>
  inRole('disk', value, { disk: { persistence: { id }, volume: place, ...disk }, ...more });

const provided = (disk: Json): Json =>
  scalar('disk', 10, { ...own, disk, provider_id: { value: 'rp' } });

const reserve = (...resources: Json[]): Json => ({ type: 'RESERVE', reserve: { resources } });
const unreserve = (...resources: Json[]): Json => ({ type: 'UNRESERVE', unreserve: { resources } });
const create = (...volumes: Json[]): Json => ({ type: 'CREATE', create: { volumes } });
const destroy = (...volumes: Json[]): Json => ({ type: 'DESTROY', destroy: { volumes } });
const grow = (volume: Json, addition: Json): Json => ({
  type: 'GROW_VOLUME',
  grow_volume: { volume, addition },
});
const shrink = (volume: Json, value: number): Json => ({
  type: 'SHRINK_VOLUME',
  shrink_volume: { volume, subtract: { value } },
});
const createDisk = (source: Json, more: Json = {}): Json => ({
  type: 'CREATE_DISK',
  create_disk: { source, target_type: 'MOUNT', ...more },
});
const destroyDisk = (source: Json): Json => ({ type: 'DESTROY_DISK', destroy_disk: { source } });

/** What the agent has beside what nobody has reserved. */
const there = { reservation: inRole('disk', 100), volume: persistent('v0', 50) };
const raw = { source: { type: 'RAW' } };

const operations: Readonly<Record<string, Json>> = {
  'RESERVE without its field': { type: 'RESERVE' },
  'RESERVE of nothing': reserve(),
  'RESERVE of what is not reserved': reserve(scalar('cpus', 1, own)),
  'RESERVE of a static reservation': reserve(
    scalar('cpus', 1, { ...own, reservations: [{ type: 'STATIC', role: 'r' }] }),
  ),
  'RESERVE for another role': reserve(inRole('cpus', 1, { reservations: [reserved('q')] })),
  'RESERVE for a role below': reserve(inRole('cpus', 1, { reservations: [reserved('r/a')] })),
  'RESERVE allocated to another role': reserve(
    inRole('cpus', 1, { allocation_info: { role: 'q' }, reservations: [reserved('q')] }),
  ),
  'RESERVE of two allocations': reserve(
    inRole('cpus', 1),
    inRole('mem', 1, { allocation_info: { role: 'q' }, reservations: [reserved('q')] }),
  ),
  'RESERVE below itself': reserve(
    inRole('cpus', 1, { reservations: [reserved('r'), reserved('r')] }),
  ),
  'RESERVE above itself': reserve(
    inRole('cpus', 1, { reservations: [reserved('r/a'), reserved('r')] }),
  ),
  'RESERVE for a bad role': reserve(inRole('cpus', 1, { reservations: [reserved('/r')] })),
  'RESERVE for the star': reserve(inRole('cpus', 1, { reservations: [reserved('*')] })),
  'RESERVE for no role': reserve(inRole('cpus', 1, { reservations: [{ type: 'DYNAMIC' }] })),
  'RESERVE of no type': reserve(inRole('cpus', 1, { reservations: [{ role: 'r' }] })),
  'RESERVE with role and reservations': reserve(inRole('cpus', 1, { role: 'r' })),
  'RESERVE of less than nothing': reserve(inRole('cpus', -1)),
  'RESERVE of a nameless resource': reserve(inRole('', 1)),
  'RESERVE of a scalar that is a set': reserve({ ...inRole('cpus', 1), type: 'SET' }),
  'RESERVE of too much': reserve(inRole('cpus', 1000)),
  'RESERVE of what is not there': reserve(inRole('gold', 1)),
  'RESERVE of what is lent': reserve(inRole('cpus', 1, { revocable: {} })),
  'RESERVE of a volume': reserve(persistent('v9', 10)),
  'RESERVE with a source': {
    type: 'RESERVE',
    reserve: { resources: [inRole('cpus', 1)], source: [scalar('cpus', 1, own)] },
  },
  'RESERVE with a source of other amount': {
    type: 'RESERVE',
    reserve: { resources: [inRole('cpus', 1)], source: [scalar('cpus', 2, own)] },
  },
  'RESERVE of a provider and none': reserve(
    inRole('cpus', 1),
    inRole('disk', 1, { provider_id: { value: 'rp' } }),
  ),
  'UNRESERVE without its field': { type: 'UNRESERVE' },
  'UNRESERVE of what is not reserved': unreserve(scalar('cpus', 1, own)),
  'UNRESERVE of a static reservation': unreserve(
    scalar('cpus', 1, { ...own, reservations: [{ type: 'STATIC', role: 'r' }] }),
  ),
  'UNRESERVE of what is not there': unreserve(inRole('cpus', 1)),
  'UNRESERVE of more than is there': unreserve(inRole('disk', 1000)),
  'UNRESERVE of a volume': unreserve(there.volume),
  'UNRESERVE of less than nothing': unreserve(inRole('disk', -5)),
  'CREATE without its field': { type: 'CREATE' },
  'CREATE of what is not reserved': create({
    ...persistent('v1', 10),
    reservations: [],
  }),
  'CREATE without persistence': create(inRole('disk', 10)),
  'CREATE of a disk of nothing': create(inRole('disk', 10, { disk: {} })),
  'CREATE with an id with a slash': create(persistent('a/b', 10)),
  'CREATE with an empty id': create(persistent('', 10)),
  'CREATE with an id of dots': create(persistent('..', 10)),
  'CREATE with an id that is there': create(persistent('v0', 10)),
  'CREATE with an id twice': create(persistent('v1', 10), persistent('v1', 20)),
  'CREATE without a volume': create(inRole('disk', 10, { disk: { persistence: { id: 'v1' } } })),
  'CREATE to be read': create(persistent('v1', 10, {}, { volume: { ...place, mode: 'RO' } })),
  'CREATE at a path of the machine': create(
    persistent('v1', 10, {}, { volume: { ...place, host_path: '/h' } }),
  ),
  'CREATE of cpus': create({ ...persistent('v1', 1), name: 'cpus' }),
  'CREATE of what is lent': create(persistent('v1', 10, { revocable: {} })),
  'CREATE to be shared': create(persistent('v1', 10, { shared: {} })),
  'CREATE of too much': create(persistent('v1', 1000)),
  'CREATE of less than nothing': create(persistent('v1', -1)),
  'CREATE for another role': create(persistent('v1', 10, { reservations: [reserved('q')] })),
  'DESTROY without its field': { type: 'DESTROY' },
  'DESTROY of what is not there': destroy(persistent('v7', 50)),
  'DESTROY of another size': destroy(persistent('v0', 20)),
  'DESTROY of no volume': destroy(there.reservation),
  'DESTROY of an unreserved one': destroy({ ...there.volume, reservations: [] }),
  'DESTROY of an amount of nothing': destroy(persistent('v0', 0)),
  'GROW_VOLUME without its field': { type: 'GROW_VOLUME' },
  'GROW_VOLUME by nothing': grow(there.volume, inRole('disk', 0)),
  'GROW_VOLUME by less than nothing': grow(there.volume, inRole('disk', -1)),
  'GROW_VOLUME by cpus': grow(there.volume, inRole('cpus', 1)),
  'GROW_VOLUME by what is not reserved': grow(there.volume, scalar('disk', 1, own)),
  'GROW_VOLUME by a volume': grow(there.volume, persistent('v1', 10)),
  'GROW_VOLUME of no volume': grow(there.reservation, inRole('disk', 1)),
  'GROW_VOLUME of a shared one': grow({ ...there.volume, shared: {} }, inRole('disk', 1)),
  'GROW_VOLUME of what is not there': grow(persistent('v7', 50), inRole('disk', 1)),
  'GROW_VOLUME by too much': grow(there.volume, inRole('disk', 5000)),
  'GROW_VOLUME of a provider': grow(
    { ...there.volume, provider_id: { value: 'rp' } },
    inRole('disk', 1),
  ),
  'SHRINK_VOLUME without its field': { type: 'SHRINK_VOLUME' },
  'SHRINK_VOLUME by nothing': shrink(there.volume, 0),
  'SHRINK_VOLUME by less than nothing': shrink(there.volume, -1),
  'SHRINK_VOLUME by all of it': shrink(there.volume, 50),
  'SHRINK_VOLUME of no volume': shrink(there.reservation, 1),
  'SHRINK_VOLUME of a shared one': shrink({ ...there.volume, shared: {} }, 1),
  'SHRINK_VOLUME of a mounted disk': shrink(
    persistent('v0', 50, {}, { source: { type: 'MOUNT', mount: { root: '/m' } } }),
    1,
  ),
  'SHRINK_VOLUME of what is not there': shrink(persistent('v7', 50), 1),
  'CREATE_DISK without its field': { type: 'CREATE_DISK' },
  'CREATE_DISK of no provider': createDisk(inRole('disk', 10, { disk: raw })),
  'CREATE_DISK of what is not raw': createDisk(
    provided({ source: { type: 'MOUNT', id: 'm', mount: { root: '/m' } } }),
  ),
  'CREATE_DISK of no source': createDisk(provided({})),
  'CREATE_DISK as raw': createDisk(provided(raw), { target_type: 'RAW', target_profile: 'p' }),
  'CREATE_DISK without a profile': createDisk(provided(raw)),
  'CREATE_DISK with two profiles': createDisk(
    provided({ source: { type: 'RAW', profile: 'fast' } }),
    { target_profile: 'slow' },
  ),
  'CREATE_DISK of what is not there': createDisk(
    provided({ source: { type: 'RAW', profile: 'fast' } }),
  ),
  'DESTROY_DISK without its field': { type: 'DESTROY_DISK' },
  'DESTROY_DISK of no provider': destroyDisk(inRole('disk', 10, { disk: raw })),
  'DESTROY_DISK of what has no id': destroyDisk(
    provided({ source: { type: 'MOUNT', mount: { root: '/m' } } }),
  ),
  'DESTROY_DISK of a path': destroyDisk(
    provided({ source: { type: 'PATH', id: 'p', path: { root: '/p' } } }),
  ),
  'DESTROY_DISK of what is not there': destroyDisk(
    provided({ source: { type: 'MOUNT', id: 'm', mount: { root: '/m' } } }),
  ),
  'DESTROY_DISK of a volume': destroyDisk(
    provided({
      persistence: { id: 'v1' },
      volume: place,
      source: { type: 'MOUNT', id: 'm', mount: { root: '/m' } },
    }),
  ),
};

/** Of a framework whose principal is `p`. */
const ofPrincipals: Readonly<Record<string, Json>> = {
  'RESERVE of nobody': reserve(inRole('cpus', 1)),
  'RESERVE of somebody else': reserve(
    inRole('cpus', 1, { reservations: [reserved('r', { principal: 'q' })] }),
  ),
  'CREATE of nobody': create(persistent('v1', 10)),
  'CREATE of somebody else': create(
    persistent('v1', 10, {}, { persistence: { id: 'v1', principal: 'q' } }),
  ),
};

interface Cast {
  readonly world: World;
  readonly framework: Scheduler;
  readonly agent: FakeAgent;
}

/** Keeps what the framework is told, or that the agent was told to do it. */
async function tell({ world, framework, agent }: Cast, step: string, operation: Json) {
  const offers = await wholeOffer(framework);
  const seen = framework.stream.events.length;
  const applied = agent.received.length;
  await framework.accept(step, offers, [
    { ...operation, id: { value: step.replaceAll(' ', '-') } },
  ]);
  const told = (): Json | undefined =>
    framework.stream.events.slice(seen).find(({ type }) => type === 'UPDATE_OPERATION_STATUS');
  await world.until(`an answer to ${step}`, () =>
    told() !== undefined || agent.received.length > applied ? true : undefined,
  );
  // What an agent has is written in the order of a hash table.
  const there = /(?:cpus|mem|disk|ports)\(allocated: r\).*? does not contain /;
  const text = JSON.stringify(world.clean(told() ?? {})).replace(there, 'it does not contain ');
  world.keep(`${step}: UPDATE_OPERATION_STATUS`, { body: JSON.parse(text) as Json });
}

export const operationErrors: Scene = {
  name: 'operation-errors',
  async play(world) {
    const agent = await new FakeAgent(world, 'agent').start();
    const checkpointed_resources = [there.reservation, there.volume].map(
      ({ name, type, scalar: amount, disk }) => ({
        name,
        type,
        scalar: amount,
        disk,
        role: 'r',
        reservation: {},
      }),
    );
    await agent.register(
      { checkpoint: true },
      { checkpointed_resources: checkpointed_resources as never },
    );
    const types = ['MULTI_ROLE', 'PARTITION_AWARE', 'RESERVATION_REFINEMENT'];
    const capabilities = types.map((type) => ({ type }));
    const info = aFramework('operator', { capabilities });
    const framework = await new Scheduler(world, 'operator').subscribe(info);
    for (const [name, operation] of Object.entries(operations)) {
      await tell({ world, framework, agent }, name, operation);
    }
    await framework.call('TEARDOWN', { type: 'TEARDOWN' });
    await world.until('the end', () => (framework.stream.isOver ? true : undefined));
    const named = aFramework('known', { capabilities, principal: 'p' });
    const other = await new Scheduler(world, 'known').subscribe(named);
    for (const [name, operation] of Object.entries(ofPrincipals)) {
      await tell({ world, framework: other, agent }, name, operation);
    }
    await world.operator('GET_OPERATIONS', { type: 'GET_OPERATIONS' });
    await world.untilOffered(1);
    await world.get('/slaves');
  },
};
