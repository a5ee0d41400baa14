// An operator who may do nothing: what each call and endpoint answers, to what is valid and to what is
// not, and that nothing has changed after all of it.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { FakeAgent, Scheduler, type World } from '#test/support/mesos-differential/player.ts';
import type { MasterCall } from '#wire/mesos/v1.ts';
import { aFramework, scalar, type Json } from './things.ts';

const ANY = { type: 'ANY' };
const acls = {
  permissive: false,
  register_agents: [{ principals: ANY, agents: ANY }],
  register_frameworks: [{ principals: ANY, roles: ANY }],
  reserve_resources: [{ principals: ANY, roles: { values: ['static', '*'] } }],
  // To see that nothing has changed.
  view_roles: [{ principals: ANY, roles: ANY }],
  view_frameworks: [{ principals: ANY, users: ANY }],
};

const reservation = { type: 'DYNAMIC', role: 'r' };
const reserved = (amount: number, more: Json = {}): Json =>
  scalar('cpus', amount, { reservations: [reservation], ...more });
const volume = scalar('disk', 8, {
  reservations: [{ type: 'STATIC', role: 'static' }],
  disk: {
    persistence: { id: 'v', principal: 'p' },
    volume: { mode: 'RW', container_path: 'v' },
  },
});

async function play(world: World): Promise<void> {
  const one = await new FakeAgent(world, 'one').start();
  await one.register({
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 4 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 4096 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 512 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 64 }, role: 'static' },
    ],
  });
  const scheduler = await new Scheduler(world, 'owned').subscribe(
    aFramework('owned', { principal: 'p' }),
  );
  await scheduler.call('SUPPRESS', { type: 'SUPPRESS' });
  for (const [step, call] of callsOn(one.id, scheduler.frameworkId)) {
    await world.operator(step, call);
  }
  await endpoints(world, one.id, scheduler.frameworkId);
  for (const path of ['/state', '/slaves', '/roles', '/weights', '/quota', '/frameworks']) {
    await world.http(`GET ${path} after all`, { path });
  }
}

function callsOn(agentId: string, frameworkId: string): [string, MasterCall][] {
  const agent_id = { value: agentId };
  const nobody = { value: 'nobody' };
  const config = { role: 'r', limits: { cpus: { value: 1 } } };
  const schedule = {
    windows: [
      {
        machine_ids: [{ hostname: 'one.example' }],
        unavailability: { start: { nanoseconds: 1e18 } },
      },
    ],
  };
  const machines = [{ hostname: 'one.example' }];
  const all: [string, Json][] = [
    ['TEARDOWN', { teardown: { framework_id: { value: frameworkId } } }],
    ['TEARDOWN of nobody', { teardown: { framework_id: nobody } }],
    ['UPDATE_WEIGHTS', { update_weights: { weight_infos: [{ role: 'r', weight: 2 }] } }],
    ['UPDATE_WEIGHTS of none', { update_weights: { weight_infos: [] } }],
    ['UPDATE_WEIGHTS wrong', { update_weights: { weight_infos: [{ role: 'r', weight: -2 }] } }],
    [
      'SET_LOGGING_LEVEL',
      { set_logging_level: { level: 1, duration: { nanoseconds: 60_000_000_000 } } },
    ],
    ['UPDATE_QUOTA', { update_quota: { quota_configs: [config] } }],
    [
      'UPDATE_QUOTA wrong',
      {
        update_quota: {
          quota_configs: [{ role: 'r', limits: { cpus: { value: -1 } } }],
        },
      },
    ],
    [
      'SET_QUOTA',
      { set_quota: { quota_request: { role: 'r', guarantee: [scalar('cpus', 1000)] } } },
    ],
    ['UPDATE_MAINTENANCE_SCHEDULE', { update_maintenance_schedule: { schedule } }],
    [
      'UPDATE_MAINTENANCE_SCHEDULE wrong',
      {
        update_maintenance_schedule: {
          schedule: { windows: [{ ...schedule.windows[0], machine_ids: [] }] },
        },
      },
    ],
    ['START_MAINTENANCE', { start_maintenance: { machines } }],
    ['STOP_MAINTENANCE', { stop_maintenance: { machines } }],
    ['DRAIN_AGENT', { drain_agent: { agent_id } }],
    ['DRAIN_AGENT and mark gone', { drain_agent: { agent_id, mark_gone: true } }],
    ['DRAIN_AGENT of nobody', { drain_agent: { agent_id: nobody } }],
    ['DEACTIVATE_AGENT', { deactivate_agent: { agent_id } }],
    ['DEACTIVATE_AGENT of nobody', { deactivate_agent: { agent_id: nobody } }],
    ['REACTIVATE_AGENT', { reactivate_agent: { agent_id } }],
    ['MARK_AGENT_GONE', { mark_agent_gone: { agent_id } }],
    ['MARK_AGENT_GONE of nobody', { mark_agent_gone: { agent_id: nobody } }],
    ['RESERVE_RESOURCES', { reserve_resources: { agent_id, resources: [reserved(1)] } }],
    [
      'RESERVE_RESOURCES wrong',
      { reserve_resources: { agent_id, resources: [scalar('cpus', 1)] } },
    ],
    [
      'RESERVE_RESOURCES of nobody',
      { reserve_resources: { agent_id: nobody, resources: [reserved(1)] } },
    ],
    ['UNRESERVE_RESOURCES', { unreserve_resources: { agent_id, resources: [reserved(1)] } }],
    ['CREATE_VOLUMES', { create_volumes: { agent_id, volumes: [volume] } }],
    ['DESTROY_VOLUMES', { destroy_volumes: { agent_id, volumes: [volume] } }],
    [
      'GROW_VOLUME',
      {
        grow_volume: {
          agent_id,
          volume,
          addition: scalar('disk', 1, { reservations: [{ type: 'STATIC', role: 'static' }] }),
        },
      },
    ],
    ['SHRINK_VOLUME', { shrink_volume: { agent_id, volume, subtract: { value: 1 } } }],
    ['GET_FLAGS', {}],
    ['LIST_FILES', { list_files: { path: '/master/log' } }],
  ];
  return all.map(([step, call]) => [step, { type: step.split(' ')[0], ...call } as MasterCall]);
}

async function endpoints(world: World, agentId: string, frameworkId: string): Promise<void> {
  await world.post('', '/teardown', `frameworkId=${frameworkId}`);
  await world.post('', '/weights', [{ role: 'r', weight: 2 }], 'PUT');
  await world.post('', '/quota', { role: 'r', guarantee: [scalar('cpus', 1)] });
  await world.post('', '/quota/r', '', 'DELETE');
  const window = {
    machine_ids: [{ hostname: 'one.example' }],
    unavailability: { start: { nanoseconds: 1e18 } },
  };
  await world.post('', '/maintenance/schedule', { windows: [window] });
  for (const path of ['/machine/down', '/machine/up']) {
    await world.post('', path, [{ hostname: 'one.example' }]);
  }
  const form = (name: string, list: Json[]): string =>
    `slaveId=${agentId}&${name}=${encodeURIComponent(JSON.stringify(list))}`;
  for (const path of ['/reserve', '/unreserve']) {
    await world.post('', path, form('resources', [reserved(1)]));
  }
  for (const path of ['/create-volumes', '/destroy-volumes']) {
    await world.post('', path, form('volumes', [volume]));
  }
  await world.get('/flags');
  await world.post('', '/flags', '');
}

export const aclOperators: Scene = { name: 'acl-operators', settings: { acls }, play };
