// What access control lists hide from an operator who may see something: frameworks, tasks and
// executors of other users, roles, flags, quota, maintenance; in answers and in the stream of events.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  FakeAgent,
  Scheduler,
  Stream,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, anExecutor, aTask, launch, scalar, type Json } from './things.ts';

const ANY = { type: 'ANY' };
const NONE = { type: 'NONE' };

/** Only these objects, by anybody. */
const only = (field: string, ...values: string[]): Json[] => [
  { principals: ANY, [field]: { values } },
  { principals: ANY, [field]: NONE },
];
const no = (field: string): Json[] => [{ principals: ANY, [field]: NONE }];

const acls = {
  view_frameworks: only('users', 'root'),
  view_tasks: only('users', 'root', 'nobody'),
  view_executors: only('users', 'root'),
  view_roles: only('roles', '*', 'r', 'r/%'),
  view_flags: no('flags'),
  get_quotas: only('roles', 'r'),
  get_maintenance_schedules: no('machines'),
  get_maintenance_statuses: no('machines'),
};

const paths = [
  '/state',
  '/state-summary',
  '/slaves',
  '/frameworks',
  '/tasks',
  '/tasks?task_id=own',
  '/tasks?task_id=of%20eve',
  '/roles',
  '/weights',
  '/quota',
  '/flags',
  '/maintenance/schedule',
  '/maintenance/status',
  '/allocator/offer_constraints_debug',
];
const calls = [
  'GET_STATE',
  'GET_AGENTS',
  'GET_FRAMEWORKS',
  'GET_EXECUTORS',
  'GET_TASKS',
  'GET_ROLES',
  'GET_OPERATIONS',
  'GET_WEIGHTS',
  'GET_QUOTA',
  'GET_FLAGS',
  'GET_MAINTENANCE_SCHEDULE',
  'GET_MAINTENANCE_STATUS',
] as const;

async function views(world: World, when: string): Promise<void> {
  for (const path of paths) await world.http(`GET ${path} ${when}`, { path });
  for (const type of calls) await world.operatorJson(`${type} ${when}`, { type });
  for (const type of calls) await world.operatorProtobuf(`${type} ${when}`, { type });
}

async function play(world: World): Promise<void> {
  const events = new Stream(world, 'operator', 'MasterEvent');
  await events.open('/api/v1', '{"type":"SUBSCRIBE"}', 'application/json');
  await events.expect('SUBSCRIBED');
  const one = await new FakeAgent(world, 'one').start();
  await one.register({
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 8 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 4096 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 512 } },
      { name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, role: 'r' },
      { name: 'cpus', type: 'SCALAR', scalar: { value: 2 }, role: 'hidden' },
    ],
  });
  await events.find('AGENT_ADDED');
  const seen = await new Scheduler(world, 'seen').subscribe(aFramework('seen'));
  await events.expect('FRAMEWORK_ADDED');
  await play2(world, { one, seen, events });
}

interface Cast {
  readonly one: FakeAgent;
  readonly seen: Scheduler;
  readonly events: Stream;
}

async function run(scheduler: Scheduler, one: FakeAgent, tasks: (offer: Json) => Json[]) {
  const offer = await scheduler.offer();
  const list = tasks(offer);
  await scheduler.accept('ACCEPT', [offer], [launch(...list)], 3600);
  for (const _ of list) await one.expect('RunTaskMessage');
}

async function play2(world: World, { one, seen, events }: Cast): Promise<void> {
  await run(seen, one, (offer) => [
    aTask('own', offer),
    aTask('of nobody', offer, { command: { value: 'true', user: 'nobody' } }),
    aTask('of eve', offer, { command: { value: 'true', user: 'eve' } }),
    aTask('in a visible executor', offer, {
      command: undefined,
      executor: anExecutor('visible', offer),
    }),
    aTask('in a hidden executor', offer, {
      command: undefined,
      executor: anExecutor('hidden', offer, { command: { value: 'run', user: 'nobody' } }),
    }),
  ]);
  for (let i = 0; i < 4; i++) await events.expect('TASK_ADDED');
  // It is suppressed: what becomes free is for the other.
  await seen.call('SUPPRESS', { type: 'SUPPRESS' });
  const hidden = new Scheduler(world, 'hidden');
  const roles = { roles: ['hidden'], user: 'eve' };
  await hidden.subscribe(aFramework('hidden', roles));
  await run(hidden, one, (offer) => [aTask('of the hidden', offer)]);
  await views(world, 'with tasks');
  for (const id of ['of eve', 'own']) {
    one.update(seen.frameworkId, id, 'TASK_RUNNING');
    await seen.stream.expect('UPDATE');
  }
  await events.expect('TASK_UPDATED');
  await hidden.call('SUPPRESS', { type: 'SUPPRESS' });
  await changes(world, one);
  await views(world, 'with more');
  for (const scheduler of [hidden, seen]) {
    await world.post('', '/teardown', `frameworkId=${scheduler.frameworkId}`);
    await scheduler.stream.end();
  }
  await events.expect('FRAMEWORK_REMOVED');
  await views(world, 'after all');
}

/** What operators keep of roles and machines; they may do so. */
async function changes(world: World, one: FakeAgent): Promise<void> {
  const weights = [
    { role: 'r', weight: 2 },
    { role: 'hidden', weight: 3 },
  ];
  await world.post('', '/weights', weights, 'PUT');
  for (const role of ['r', 'hidden']) {
    const guarantee = [scalar('cpus', 1)];
    await world.post(role, '/quota', { role, guarantee, force: true });
  }
  const window = {
    machine_ids: [{ hostname: 'machine.example' }],
    unavailability: { start: { nanoseconds: 1e18 } },
  };
  await world.post('', '/maintenance/schedule', { windows: [window] });
  const reserved = (role: string): Json =>
    scalar('mem', 16, { reservations: [{ type: 'DYNAMIC', role, principal: 'p' }] });
  for (const role of ['r', 'hidden']) {
    const form = `slaveId=${one.id}&resources=${encodeURIComponent(JSON.stringify([reserved(role)]))}`;
    await world.post(role, '/reserve', form);
    await one.expect('ApplyOperationMessage');
  }
}

export const aclViews: Scene = { name: 'acl-views', settings: { acls }, play };
