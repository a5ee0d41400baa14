// Three operators with names and different rights: what each may change, by role, by who reserved and by
// whose framework it is, and what each sees of it.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  FakeAgent,
  Scheduler,
  Stream,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, scalar, type Json } from './things.ts';

const ANY = { type: 'ANY' };
const NONE = { type: 'NONE' };
const who = (...values: string[]): Json => ({ values });

const acls = {
  view_roles: [
    { principals: who('alice'), roles: who('a', 'a/%', '*') },
    { principals: who('bob'), roles: who('b', '*') },
    { principals: NONE, roles: ANY },
  ],
  view_frameworks: [
    { principals: who('alice'), users: ANY },
    { principals: who('bob'), users: NONE },
  ],
  update_weights: [
    { principals: who('alice'), roles: who('a/%') },
    { principals: who('alice', 'bob'), roles: who('b') },
    { principals: ANY, roles: NONE },
  ],
  update_quotas: [
    { principals: who('alice'), roles: who('a') },
    { principals: ANY, roles: NONE },
  ],
  get_quotas: [
    { principals: who('alice'), roles: ANY },
    { principals: who('bob'), roles: who('b') },
    { principals: who('bob'), roles: NONE },
  ],
  reserve_resources: [
    { principals: who('alice'), roles: who('a', 'a/%') },
    { principals: who('alice'), roles: NONE },
    { principals: who('bob'), roles: NONE },
  ],
  unreserve_resources: [
    { principals: who('alice'), reserver_principals: who('alice') },
    { principals: who('alice'), reserver_principals: NONE },
    { principals: who('bob'), reserver_principals: NONE },
  ],
  create_volumes: [
    { principals: who('alice'), roles: who('a') },
    { principals: who('alice'), roles: NONE },
  ],
  destroy_volumes: [
    { principals: who('bob'), creator_principals: who('alice') },
    { principals: who('alice'), creator_principals: NONE },
  ],
  teardown_frameworks: [
    { principals: who('alice'), framework_principals: who('alice') },
    { principals: who('bob'), framework_principals: who('alice', 'bob') },
    { principals: who('alice', 'bob'), framework_principals: NONE },
  ],
  drain_agents: [
    { principals: who('alice'), agents: ANY },
    { principals: who('bob'), agents: NONE },
  ],
  mark_agents_gone: [{ principals: who('alice'), agents: NONE }],
};

const credentials: Readonly<Record<string, string>> = { alice: 'wonder', bob: 'builder' };

async function each(world: World, act: (name: string) => Promise<void>): Promise<void> {
  for (const name of ['alice', 'bob']) {
    world.as(name, credentials[name]);
    await act(name);
  }
}

async function views(world: World, when: string): Promise<void> {
  await each(world, async (name) => {
    for (const path of [
      '/slaves',
      '/roles',
      '/weights',
      '/quota',
      '/frameworks',
      '/state-summary',
    ]) {
      await world.http(`GET ${path} ${when}, as ${name}`, { path });
    }
    for (const type of ['GET_AGENTS', 'GET_ROLES', 'GET_QUOTA', 'GET_OPERATIONS'] as const) {
      await world.operatorJson(`${type} ${when}, as ${name}`, { type });
    }
  });
}

async function play(world: World): Promise<void> {
  world.as('alice', 'wonder');
  const events = new Stream(world, 'alice', 'MasterEvent');
  await events.open('/api/v1', '{"type":"SUBSCRIBE"}', 'application/json');
  await events.expect('SUBSCRIBED');
  const one = await new FakeAgent(world, 'one').start();
  await one.register({
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 8 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 4096 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 512 } },
      { name: 'disk', type: 'SCALAR', scalar: { value: 64 }, role: 'a' },
      { name: 'disk', type: 'SCALAR', scalar: { value: 32 }, role: 'b' },
    ],
  });
  await weights(world);
  await reservations(world, one);
  await views(world, 'after the changes');
  await teardowns(world);
  await each(world, async (name) => {
    const agent_id = { value: one.id };
    const gone = { agent_id, mark_gone: true };
    await world.operatorJson(`DRAIN_AGENT and gone, as ${name}`, {
      type: 'DRAIN_AGENT',
      drain_agent: gone,
    });
    if (name === 'alice') return;
    await world.operatorJson(`DRAIN_AGENT, as ${name}`, {
      type: 'DRAIN_AGENT',
      drain_agent: { agent_id },
    });
  });
}

async function weights(world: World): Promise<void> {
  await each(world, async (name) => {
    for (const roles of [['a/x'], ['a'], ['b'], ['a/x', 'c']]) {
      const list = roles.map((role) => ({ role, weight: 2 }));
      await world.post(`${roles.join()} as ${name}`, '/weights', list, 'PUT');
    }
    for (const role of ['a', 'b']) {
      const quota_configs = [{ role, limits: { cpus: { value: 4 } } }];
      await world.operatorJson(`UPDATE_QUOTA of ${role}, as ${name}`, {
        type: 'UPDATE_QUOTA',
        update_quota: { quota_configs },
      });
    }
  });
}

async function reservations(world: World, one: FakeAgent): Promise<void> {
  const form = (name: string, list: Json[]): string =>
    `slaveId=${one.id}&${name}=${encodeURIComponent(JSON.stringify(list))}`;
  const reserved = (role: string, principal: string): Json =>
    scalar('cpus', 1, { reservations: [{ type: 'DYNAMIC', role, principal }] });
  const volume = (role: string, id: string, principal: string): Json =>
    scalar('disk', 8, {
      reservations: [{ type: 'STATIC', role }],
      disk: {
        persistence: { id, principal },
        volume: { mode: 'RW', container_path: 'v' },
      },
    });
  await each(world, async (name) => {
    for (const role of ['a', 'a/x', 'b']) {
      await world.post(`${role} as ${name}`, '/reserve', form('resources', [reserved(role, name)]));
    }
    for (const role of ['a', 'b']) {
      const list = [volume(role, `${name}-${role}`, name)];
      await world.post(`${role} as ${name}`, '/create-volumes', form('volumes', list));
    }
  });
  await each(world, async (name) => {
    await world.post(`as ${name}`, '/unreserve', form('resources', [reserved('a', 'alice')]));
    await world.post(
      `as ${name}`,
      '/destroy-volumes',
      form('volumes', [volume('a', 'alice-a', 'alice')]),
    );
  });
}

async function teardowns(world: World): Promise<void> {
  const frameworks: Scheduler[] = [];
  for (const principal of ['alice', 'carol', 'bob', undefined]) {
    const scheduler = new Scheduler(world, `of ${principal}`);
    await scheduler.subscribe(aFramework(`of ${principal}`, { principal, roles: ['a'] }));
    frameworks.push(scheduler);
  }
  await each(world, async (name) => {
    for (const one of frameworks) {
      const step = `${one.stream.name} by ${name}`;
      await world.post(step, '/teardown', `frameworkId=${one.frameworkId}`);
    }
  });
}

export const aclPrincipals: Scene = {
  name: 'acl-principals',
  settings: {
    acls,
    credentials,
    flags: { authenticate_http_readonly: 'true', authenticate_http_readwrite: 'true' },
  },
  play,
};
