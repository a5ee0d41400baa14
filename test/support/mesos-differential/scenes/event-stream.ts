// The event stream of the operator API through a whole life: every event in its order, as each of several
// subscribers sees it, in JSON and protobuf; with it UPDATE_FRAMEWORK, what it changes and what it may not.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  FakeAgent,
  JSON_TYPE,
  PROTOBUF_TYPE,
  Scheduler,
  Stream,
  type ContentType,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, anExecutor, aTask, launch, scalar, type Json } from './things.ts';

/** What a subscriber is told, all types together. */
class Watch {
  readonly #world: World;
  readonly #stream: Stream;
  #kept = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#stream = new Stream(world, name, 'MasterEvent');
  }

  async open(type: ContentType): Promise<this> {
    const body = '{"type":"SUBSCRIBE"}';
    await this.#stream.open('/api/v1', body, JSON_TYPE, type);
    return this;
  }

  /** Everything since it was asked last, up to the end of that framework. */
  async keep(step: string, last: string): Promise<void> {
    const isLast = (event: Json): boolean =>
      event['type'] === 'FRAMEWORK_REMOVED' && JSON.stringify(event).includes(`"${last}"`);
    const { name, events } = this.#stream;
    const end = await this.#world.until(`the end of ${last} on ${name}`, () => {
      const index = events.findIndex(isLast);
      return index < 0 ? undefined : index + 1;
    });
    const told = events.slice(this.#kept, end).filter((event) => !isAside(event));
    this.#kept = end;
    this.#world.keep(`${name}: ${step}`, { body: this.#world.clean(told) });
  }
}

/** The frameworks that mark the end of a step, and what is a matter of time. */
function isAside(event: Json): boolean {
  if (event['type'] === 'HEARTBEAT') return true;
  return (
    /^FRAMEWORK_(ADDED|REMOVED)$/.test(String(event['type'])) &&
    /"fence \d+"/.test(JSON.stringify(event))
  );
}

class Life {
  readonly world: World;
  readonly watches: Watch[] = [];
  /** Who reserves. */
  principal = 'p';
  #fences = 0;

  constructor(world: World) {
    this.world = world;
  }

  async watch(name: string, type: ContentType): Promise<void> {
    this.watches.push(await new Watch(this.world, name).open(type));
  }

  /** Keeps what everybody was told of the step: events come in the order of their causes. */
  async told(step: string): Promise<void> {
    const name = `fence ${++this.#fences}`;
    const fence = new Stream(this.world, name, 'SchedulerEvent');
    const info = aFramework(name, { roles: ['fence'] });
    const subscribe = { framework_info: info, suppressed_roles: ['fence'] };
    const path = '/api/v1/scheduler';
    await fence.open(path, JSON.stringify({ type: 'SUBSCRIBE', subscribe }), JSON_TYPE);
    const { subscribed } = await fence.find('SUBSCRIBED');
    const { framework_id } = subscribed as { framework_id: Json };
    const headers = { 'Content-Type': JSON_TYPE, 'Mesos-Stream-Id': fence.streamId };
    const body = JSON.stringify({ type: 'TEARDOWN', framework_id });
    await this.world.ask({ method: 'POST', path, headers, body });
    for (const watch of this.watches) await watch.keep(step, name);
  }

  async agent(name: string): Promise<FakeAgent> {
    const agent = await new FakeAgent(this.world, name).start();
    const role = 'e';
    const of = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, role } as const;
    await agent.register({ resources: [...(agent.info().resources ?? []), of] });
    return agent;
  }

  /** A task that runs there. */
  async run(of: Scheduler, on: FakeAgent, id: string): Promise<void> {
    const offer = await of.offer(({ hostname }) => hostname === `${on.name}.example`);
    await of.accept('ACCEPT', [offer], [launch(aTask(id, offer))], 3600);
    await on.expect('RunTaskMessage');
    on.update(of.frameworkId, id, 'TASK_RUNNING');
    await of.stream.expect('UPDATE');
  }
}

const roles = ['hidden', 'r', 's'];
const labels = (...keys: string[]): Json => ({ labels: keys.map((key) => ({ key, value: 'v' })) });
const constraints = (role: string): Json => ({
  role_constraints: {
    [role]: {
      groups: [
        {
          attribute_constraints: [
            {
              selector: { attribute_name: 'rack' },
              predicate: { text_equals: { value: 'nowhere' } },
            },
          ],
        },
      ],
    },
  },
});
const atLeast = { quantities: { cpus: { value: 1 } } };
const filters = (role: string): Json => ({
  offer_filters: { [role]: { min_allocatable_resources: { quantities: [atLeast] } } },
});

/** What UPDATE_FRAMEWORK is tried with: other fields of the framework, and what comes beside it. */
const updates: readonly (readonly [string, Json, Json?])[] = [
  ['nothing else', {}],
  ['roles in another order', { roles: roles.toReversed() }],
  [
    'capabilities in another order',
    { capabilities: [{ type: 'PARTITION_AWARE' }, { type: 'MULTI_ROLE' }] },
  ],
  [
    'a capability twice',
    { capabilities: [{ type: 'MULTI_ROLE' }, { type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] },
  ],
  ['what holds anyway', { failover_timeout: 0, hostname: '', checkpoint: false }],
  ['labels', { labels: labels('a', 'b') }],
  ['labels in another order', { labels: labels('b', 'a') }],
  ['a host name and a page', { hostname: 'h', webui_url: 'http://h/' }],
  ['another name', { name: 'another' }],
  ['a failover timeout', { failover_timeout: 3600 }],
  ['filters of offers', filters('r')],
  [
    'a capability more',
    {
      capabilities: [
        { type: 'MULTI_ROLE' },
        { type: 'PARTITION_AWARE' },
        { type: 'GPU_RESOURCES' },
      ],
    },
  ],
  ['a capability less', { capabilities: [{ type: 'MULTI_ROLE' }] }],
  ['a role suppressed', {}, { suppressed_roles: ['s'] }],
  ['all roles suppressed', {}, { suppressed_roles: roles }],
  ['a role suppressed twice', {}, { suppressed_roles: ['s', 's'] }],
  ['a role suppressed that it has not', {}, { suppressed_roles: ['x'] }],
  ['constraints', {}, { offer_constraints: constraints('s') }],
  ['constraints of no role', {}, { offer_constraints: { role_constraints: {} } }],
  ['constraints of a role that it has not', {}, { offer_constraints: constraints('x') }],
  ['no constraints', {}],
  ['another user', { user: 'nobody' }],
  ['no user', { user: '' }],
  ['another principal', { principal: 'p' }],
  ['a checkpoint', { checkpoint: true }],
  ['a role twice', { roles: ['r', 'r'] }],
  ['a role that none can be', { roles: ['r', '.'] }],
  ['one role beside several', { role: 'r' }],
  ['one role', { role: 'r', roles: undefined, capabilities: [{ type: 'PARTITION_AWARE' }] }],
  ['a failover timeout of less than nothing', { failover_timeout: -1 }],
  ['a failover timeout without end', { failover_timeout: 1e300 }],
  ['filters of a role that it has not', filters('x')],
  [
    'filters of nothing',
    { offer_filters: { r: { min_allocatable_resources: { quantities: [{}] } } } },
  ],
];

async function look(world: World, when: string): Promise<void> {
  await world.operatorJson(`GET_FRAMEWORKS ${when}`, { type: 'GET_FRAMEWORKS' });
}

async function changed(life: Life, many: Scheduler, one: FakeAgent): Promise<void> {
  const { world } = life;
  for (const [name, change, beside = {}] of updates) {
    const framework_info = aFramework('many', {
      roles,
      id: { value: many.frameworkId },
      ...change,
    });
    const update_framework = { framework_info, ...beside };
    await many.call(`UPDATE_FRAMEWORK with ${name}`, {
      type: 'UPDATE_FRAMEWORK',
      update_framework,
    });
    await life.told(`updated with ${name}`);
    await world.untilOffered(1);
    if (/constraint|suppressed|order/.test(name)) await look(world, `with ${name}`);
  }
  await look(world, 'after what was refused');
  const told = one.received.filter(({ name }) => name === 'UpdateFrameworkMessage');
  world.keep('agents are told of', { body: world.clean(told.map(({ body }) => body)) });
}

/** Roles that come and go, with offers of them. */
async function ofRoles(life: Life, many: Scheduler): Promise<void> {
  const { world } = life;
  const to = async (name: string, now: readonly string[], beside: Json = {}): Promise<void> => {
    const framework_info = aFramework('many', { roles: now, id: { value: many.frameworkId } });
    const update_framework = { framework_info, ...beside };
    await many.call(`UPDATE_FRAMEWORK to ${name}`, { type: 'UPDATE_FRAMEWORK', update_framework });
    await life.told(`updated to ${name}`);
  };
  // What was offered to another role went there when it had that one alone.
  await to('the role of its offers only, suppressed', ['r'], { suppressed_roles: ['r'] });
  await world.untilOffered(1);
  await look(world, 'with one role');
  await to('another one, suppressed', ['t'], { suppressed_roles: ['t'] });
  await many.stream.expect('RESCIND');
  await world.untilOffered(0);
  await look(world, 'with another role');
  await to('none', []);
  await look(world, 'without a role');
  await to('a role whose constraints nobody meets', ['s'], { offer_constraints: constraints('s') });
  await to('the role without constraints', ['s']);
  await world.untilOffered(1);
  await look(world, 'with an offer again');
  await to('the roles from before', roles);
}

async function lives(life: Life, first: Scheduler): Promise<Scheduler> {
  const { world } = life;
  const id = { value: first.frameworkId };
  const info = aFramework('many', { roles, id, failover_timeout: 3600 });
  const second = await new Scheduler(world, 'second life').subscribe(info);
  await first.stream.end();
  await world.untilOffered(1);
  await life.told('subscribed again');
  second.stream.close();
  await world.until('it is known to be away', async () => {
    const { bytes } = await world.ask({ path: `/frameworks?framework_id=${id.value}` });
    const { frameworks } = JSON.parse(bytes.toString()) as { frameworks: { connected: boolean }[] };
    return frameworks[0]?.connected === false ? true : undefined;
  });
  await life.told('away');
  const third = await new Scheduler(world, 'third life').subscribe(
    { ...info, roles: ['s'], labels: labels('a') },
    { suppressed_roles: [] },
  );
  await world.untilOffered(1);
  await life.told('back with other roles');
  return third;
}

async function tasks(life: Life, of: Scheduler, one: FakeAgent): Promise<void> {
  const offer = await of.offer();
  const custom = aTask('custom', offer, { command: undefined, executor: anExecutor('own', offer) });
  const wrong = aTask('wrong', offer, { agent_id: { value: 'nobody' } });
  const eves = aTask('of eve', offer, { command: { value: 'true', user: 'eve' } });
  const all = [aTask('plain', offer, { labels: labels('a') }), custom, eves, wrong];
  await of.accept('ACCEPT', [offer], [launch(...all)], 3600);
  for (let i = 0; i < 3; i++) await one.expect('RunTaskMessage');
  await of.stream.expect('UPDATE');
  await life.told('launched');
  for (const state of ['TASK_STARTING', 'TASK_RUNNING', 'TASK_RUNNING', 'TASK_KILLING'] as const) {
    one.update(of.frameworkId, 'plain', state);
    await of.stream.expect('UPDATE');
  }
  for (const id of ['custom', 'of eve']) {
    one.update(of.frameworkId, id, 'TASK_RUNNING');
    await of.stream.expect('UPDATE');
  }
  one.update(of.frameworkId, 'unheard of', 'TASK_RUNNING');
  await of.stream.expect('UPDATE');
  await life.told('they run');
  const uuid = one.update(of.frameworkId, 'plain', 'TASK_FINISHED');
  await of.stream.expect('UPDATE');
  await life.told('one has ended');
  const acknowledge = { agent_id: { value: one.id }, task_id: { value: 'plain' }, uuid };
  await of.call('ACKNOWLEDGE', { type: 'ACKNOWLEDGE', acknowledge });
  await one.expect('StatusUpdateAcknowledgementMessage');
  const tasks = [{ task_id: { value: 'custom' } }];
  await of.call('RECONCILE', { type: 'RECONCILE', reconcile: { tasks } });
  await of.stream.expect('UPDATE');
  await life.told('its end is acknowledged');
  await change(life, of, one);
}

/** While it runs something there. */
async function change(life: Life, of: Scheduler, one: FakeAgent): Promise<void> {
  const framework_info = aFramework('many', {
    roles: ['s'],
    id: { value: of.frameworkId },
    failover_timeout: 3600,
    labels: labels('while it runs'),
  });
  const update_framework = { framework_info };
  await of.call('UPDATE_FRAMEWORK', { type: 'UPDATE_FRAMEWORK', update_framework });
  await life.told('updated while it runs');
  const told = await life.world.until('the agent is told', () =>
    one.received.find((message) => JSON.stringify(message.body).includes('while it runs')),
  );
  life.world.keep('the agent is told', { body: life.world.clean(told.body) });
}

async function agents(life: Life, of: Scheduler, one: FakeAgent): Promise<void> {
  const { world } = life;
  const call = (type: string, agent: FakeAgent, more: Json = {}) =>
    world.operatorJson(type, {
      type,
      [type.toLowerCase()]: { agent_id: { value: agent.id }, ...more },
    });
  await call('DEACTIVATE_AGENT', one);
  await life.told('deactivated');
  await call('REACTIVATE_AGENT', one);
  await life.told('reactivated');
  await call('DRAIN_AGENT', one);
  await one.expect('DrainSlaveMessage');
  for (const id of ['custom', 'of eve']) {
    const uuid = one.update(of.frameworkId, id, 'TASK_KILLED');
    await of.stream.expect('UPDATE');
    const acknowledge = { agent_id: { value: one.id }, task_id: { value: id }, uuid };
    await of.call('ACKNOWLEDGE', { type: 'ACKNOWLEDGE', acknowledge });
    await one.expect('StatusUpdateAcknowledgementMessage');
  }
  await life.told('draining');
  const gone = await life.agent('gone');
  await life.told('another agent');
  await life.run(of, gone, 'there');
  await call('MARK_AGENT_GONE', gone);
  await of.stream.expect('UPDATE');
  await of.stream.expect('FAILURE');
  await life.told('gone for ever');
  const leaving = await life.agent('leaving');
  await life.run(of, leaving, 'on the leaving');
  leaving.send('UnregisterSlaveMessage', { agent_id: { value: leaving.id } });
  await of.stream.expect('FAILURE');
  await life.told('it left');
}

async function operations(life: Life, agent: FakeAgent): Promise<void> {
  const reservations = [{ type: 'DYNAMIC', role: 's', principal: life.principal }];
  const call = (type: string) => ({
    type,
    [type.toLowerCase()]: {
      agent_id: { value: agent.id },
      resources: [scalar('cpus', 1, { reservations })],
    },
  });
  await life.world.operatorJson('RESERVE_RESOURCES', call('RESERVE_RESOURCES'));
  await agent.expect('ApplyOperationMessage');
  await life.told('reserved');
}

async function ends(life: Life, of: Scheduler): Promise<void> {
  const { world } = life;
  const last = await life.agent('last');
  await life.run(of, last, 'to the end');
  await operations(life, last);
  const before = life.watches.length;
  await life.watch('later in JSON', JSON_TYPE);
  await life.watch('later in protobuf', PROTOBUF_TYPE);
  await life.told('what is there');
  await world.post('', '/teardown', `frameworkId=${of.frameworkId}`);
  await of.stream.end();
  await life.told('torn down');
  life.watches.length = before;
  await life.watch('at the end', JSON_TYPE);
  await life.told('what is left');
}

async function play(world: World, watch: (life: Life) => Promise<void>): Promise<void> {
  const life = new Life(world);
  await watch(life);
  await life.told('subscribed');
  const one = await life.agent('one');
  await life.told('an agent');
  const eve = await new Scheduler(world, 'eve').subscribe(
    aFramework('of eve', { user: 'eve', roles: ['e'] }),
    { suppressed_roles: ['e'] },
  );
  await life.told('a framework of eve');
  const many = await new Scheduler(world, 'many').subscribe(aFramework('many', { roles }));
  await life.told('a framework');
  await world.untilOffered(1);
  await changed(life, many, one);
  await ofRoles(life, many);
  const last = await lives(life, many);
  await tasks(life, last, one);
  await agents(life, last, one);
  await ends(life, last);
  await world.post('eve', '/teardown', `frameworkId=${eve.frameworkId}`);
  await eve.stream.end();
  await life.told('eve is gone');
}

const who = (...values: string[]): Json => ({ values });

/** What the second one may not see. */
const acls = {
  view_frameworks: [
    { principals: who('bob'), users: who('root') },
    { principals: who('bob'), users: { type: 'NONE' } },
  ],
  view_tasks: [
    { principals: who('bob'), users: who('root') },
    { principals: who('bob'), users: { type: 'NONE' } },
  ],
  view_executors: [{ principals: who('bob'), users: { type: 'NONE' } }],
  view_roles: [
    { principals: who('bob'), roles: who('r', 's', '*') },
    { principals: who('bob'), roles: { type: 'NONE' } },
  ],
};
const credentials: Readonly<Record<string, string>> = { alice: 'wonder', bob: 'builder' };

/** The same life, as one who may see everything and one who may not sees it. */
export const eventViews: Scene = {
  name: 'event-views',
  settings: { acls, credentials, flags: { authenticate_http_readwrite: 'true' } },
  async play(world) {
    await play(world, async (life) => {
      world.as('bob', credentials['bob']);
      await life.watch('bob in JSON', JSON_TYPE);
      await life.watch('bob in protobuf', PROTOBUF_TYPE);
      life.principal = 'alice';
      world.as('alice', credentials['alice']);
      await life.watch('alice', JSON_TYPE);
    });
  },
};

export const eventStream: Scene = {
  name: 'event-stream',
  async play(world) {
    await play(world, async (life) => {
      await life.watch('in JSON', JSON_TYPE);
      await life.watch('in protobuf', PROTOBUF_TYPE);
    });
  },
};
