// Frameworks and agents that may not do all that they ask for: subscriptions, changes of roles, launches
// by user, groups, and operations with the words of their refusals.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { FakeAgent, Scheduler, type World } from '#test/support/mesos-differential/player.ts';
import { aFramework, anExecutor, aTask, launch, scalar, type Json } from './things.ts';

const ANY = { type: 'ANY' };
const NONE = { type: 'NONE' };
const p = { values: ['p'] };
const acls = {
  register_frameworks: [
    { principals: p, roles: { values: ['r', 'r/%', 'q'] } },
    { principals: p, roles: NONE },
    { principals: NONE, roles: { values: ['r'] } },
  ],
  run_tasks: [
    { principals: p, users: { values: ['root', 'nobody'] } },
    { principals: p, users: NONE },
  ],
  reserve_resources: [
    { principals: ANY, roles: { values: ['free', '*'] } },
    { principals: p, roles: { values: ['r/%'] } },
    { principals: ANY, roles: NONE },
  ],
  unreserve_resources: [
    { principals: p, reserver_principals: { values: ['p'] } },
    { principals: p, reserver_principals: NONE },
  ],
  create_volumes: [{ principals: p, roles: NONE }],
  destroy_volumes: [{ principals: p, creator_principals: NONE }],
  resize_volumes: [{ principals: p, roles: NONE }],
};

async function play(world: World): Promise<void> {
  await subscriptions(world);
  await agents(world);
  const one = await new FakeAgent(world, 'one').start();
  await one.register({
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 8 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 4096 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 512 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 64 }, role: 'free' },
    ],
  });
  const scheduler = await new Scheduler(world, 'p').subscribe(
    aFramework('p', { principal: 'p', roles: ['r/a'], user: 'root' }),
  );
  await updates(world, scheduler);
  await launches(scheduler, one);
  await operations(scheduler, one);
  await world.operatorJson('GET_TASKS after all', { type: 'GET_TASKS' });
  await world.metrics('after all');
}

async function subscriptions(world: World): Promise<void> {
  const infos: Readonly<Record<string, Json>> = {
    'p in s': { principal: 'p', roles: ['s'] },
    'p in r and s': { principal: 'p', roles: ['r', 's'] },
    'p in none': { principal: 'p', roles: [] },
    'q in r': { principal: 'q', roles: ['r'] },
    'nobody in r': { roles: ['r'] },
    'nobody in s': { roles: ['s'] },
    'p without roles': { principal: 'p', roles: undefined, role: 's', capabilities: [] },
    'p again': { principal: 'p', roles: ['s'], id: { value: 'an-old-id' } },
  };
  for (const [name, more] of Object.entries(infos)) {
    const scheduler = await new Scheduler(world, name).subscribe(aFramework(name, more));
    if (scheduler.frameworkId === '') await scheduler.stream.end();
    else await scheduler.call('TEARDOWN', { type: 'TEARDOWN' });
  }
}

/** Who may not join gets no answer: the agent that may comes after it. */
async function agents(world: World): Promise<void> {
  const refused = await new FakeAgent(world, 'refused').start();
  const cpus = (role: string) => ({
    name: 'cpus',
    type: 'SCALAR' as const,
    scalar: { value: 1 },
    role,
  });
  const slave = refused.info({ resources: [cpus('*'), cpus('free'), cpus('theirs')] });
  refused.send('RegisterSlaveMessage', { slave });
  refused.send('ReregisterSlaveMessage', { slave: { ...slave, id: { value: 'an-old-one' } } });
  await world.until('both messages are dealt with', async () => {
    const { bytes } = await world.ask({ path: '/metrics/snapshot' });
    const all = JSON.parse(bytes.toString()) as Record<string, number>;
    return all['master/messages_reregister_slave'] === 1 ? true : undefined;
  });
  await world.http('GET /slaves without the refused', { path: '/slaves' });
}

async function updates(world: World, scheduler: Scheduler): Promise<void> {
  // When runs of an allocator are is its own affair: one has been before each change, and after the last.
  await world.untilOffered(1);
  for (const roles of [['r/a', 's'], ['s'], ['r/a', 'q']]) {
    const info = aFramework('p', {
      principal: 'p',
      roles,
      id: { value: scheduler.frameworkId },
      user: 'root',
    });
    await scheduler.call(`UPDATE_FRAMEWORK to ${roles.join()}`, {
      type: 'UPDATE_FRAMEWORK',
      update_framework: { framework_info: info },
    });
    await world.untilOffered(1);
  }
  await world.http('GET /frameworks after the updates', { path: '/frameworks' });
  const suppressed = { type: 'SUPPRESS', suppress: { roles: ['q'] } };
  await scheduler.call('SUPPRESS q', suppressed);
}

const inRole = (offer: Json): boolean => JSON.stringify(offer['allocation_info']).includes('"r/a"');

async function launches(scheduler: Scheduler, one: FakeAgent): Promise<void> {
  const offer = await scheduler.offer(inRole);
  const own = { allocation_info: offer['allocation_info'] };
  const user = (name: string): Json => ({ command: { value: 'true', user: name } });
  const executor = (id: string, name: string): Json => ({
    command: undefined,
    executor: anExecutor(id, offer, { command: { value: 'run', user: name } }),
  });
  const group = (...tasks: Json[]): Json => ({
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: {
        type: 'DEFAULT',
        executor_id: { value: 'default' },
        framework_id: { value: scheduler.frameworkId },
        resources: [scalar('cpus', 0.1, own), scalar('mem', 32, own), scalar('disk', 10, own)],
      },
      task_group: { tasks },
    },
  });
  await scheduler.accept(
    'ACCEPT with tasks of many users',
    [offer],
    [
      launch(aTask('own', offer), aTask('of eve', offer, user('eve'))),
      launch(aTask('in an executor of eve', offer, executor('e', 'eve'))),
      launch(aTask('of nobody', offer, user('nobody'))),
      // Not allowed comes before not valid.
      launch(aTask('wrong/id', offer, user('eve'))),
      group(aTask('first', offer), aTask('second', offer, user('eve'))),
    ],
  );
  for (let i = 0; i < 5; i++) await scheduler.stream.expect('UPDATE');
  for (let i = 0; i < 2; i++) await one.expect('RunTaskMessage');
}

async function operations(scheduler: Scheduler, one: FakeAgent): Promise<void> {
  const reservation = (role: string, principal: string | undefined): Json => ({
    type: 'DYNAMIC',
    role,
    ...(principal === undefined ? {} : { principal }),
  });
  const cpus = (...reservations: Json[]): Json => scalar('cpus', 0.5, { reservations });
  const mine = cpus(reservation('r/a', 'p'));
  const disk = (id: string): Json =>
    scalar('disk', 8, {
      reservations: [reservation('r/a', 'p')],
      disk: {
        persistence: { id, principal: 'p' },
        volume: { mode: 'RW', container_path: 'v' },
      },
    });
  const addition = scalar('disk', 1, { reservations: [reservation('r/a', 'p')] });
  const plain = scalar('disk', 8, { reservations: [reservation('r/a', 'p')] });
  const list: Json[] = [
    { type: 'RESERVE', reserve: { resources: [cpus(reservation('r', 'p'))] } },
    { type: 'RESERVE', reserve: { resources: [mine, plain] } },
    { type: 'UNRESERVE', unreserve: { resources: [cpus(reservation('r/a', 'somebody'))] } },
    { type: 'UNRESERVE', unreserve: { resources: [cpus(reservation('r/a', undefined))] } },
    { type: 'CREATE', create: { volumes: [disk('v')] } },
    { type: 'DESTROY', destroy: { volumes: [disk('v')] } },
    { type: 'GROW_VOLUME', grow_volume: { volume: disk('v'), addition } },
    { type: 'SHRINK_VOLUME', shrink_volume: { volume: disk('v'), subtract: { value: 1 } } },
    { type: 'UNRESERVE', unreserve: { resources: [mine] } },
  ];
  const offer = await scheduler.offer(inRole);
  await scheduler.call('SUPPRESS', { type: 'SUPPRESS' });
  const operations = list.map((one, i) => ({ id: { value: `op-${i}` }, ...one }));
  await scheduler.accept('ACCEPT with operations', [offer], operations);
  for (const { id } of operations) {
    if (['op-1', 'op-8'].includes(id.value)) await one.expect('ApplyOperationMessage');
    else await scheduler.stream.expect('UPDATE_OPERATION_STATUS');
  }
}

export const aclFrameworks: Scene = { name: 'acl-frameworks', settings: { acls }, play };
