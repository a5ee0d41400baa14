// A cluster with two agents and frameworks that hold offers and run tasks: every view of it, the
// metrics, the stream of events, and what agents are told.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  FakeAgent,
  PROTOBUF_TYPE,
  Scheduler,
  Stream,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, anExecutor, aTask, launch, scalar, type Json } from './things.ts';

async function views(world: World, when: string): Promise<void> {
  const paths = ['/state', '/state-summary', '/slaves', '/frameworks', '/tasks', '/roles'];
  for (const path of paths) await world.http(`GET ${path} ${when}`, { path });
  const types = [
    'GET_STATE',
    'GET_AGENTS',
    'GET_FRAMEWORKS',
    'GET_EXECUTORS',
    'GET_TASKS',
    'GET_ROLES',
    'GET_OPERATIONS',
  ] as const;
  for (const type of types) await world.operatorJson(`${type} ${when}`, { type });
  await world.operatorProtobuf(`GET_STATE ${when}`, { type: 'GET_STATE' });
  await world.metrics(when);
}

/** Waits until the master shows so many of its tasks in a state. */
async function settled(world: World, state: string, count: number): Promise<void> {
  await world.until(`${count} tasks in ${state}`, async () => {
    const { bytes } = await world.ask({ path: '/tasks' });
    const { tasks } = JSON.parse(bytes.toString()) as { tasks: Json[] };
    return tasks.filter((one) => one['state'] === state).length === count ? true : undefined;
  });
}

async function play(world: World): Promise<void> {
  const events = new Stream(world, 'operator', 'MasterEvent');
  await events.open('/api/v1', '{"type":"SUBSCRIBE"}', 'application/json');
  await events.expect('SUBSCRIBED');
  const one = await (await new FakeAgent(world, 'one').start()).register();
  await events.expect('AGENT_ADDED');
  await views(world, 'with one agent');
  const holder = await new Scheduler(world, 'holder').subscribe(
    aFramework('holder', { roles: ['holders/a', 'b'], labels: { labels: [{ key: 'k' }] } }),
  );
  await events.expect('FRAMEWORK_ADDED');
  const held = await holder.stream.expect('OFFERS');
  await views(world, 'with an offer');
  const offers = (held['offers'] as { offers: Json[] }).offers;
  await holder.call('SUPPRESS', { type: 'SUPPRESS' });
  await holder.call('DECLINE', {
    type: 'DECLINE',
    decline: { offer_ids: offers.map((offer) => offer['id']), filters: { refuse_seconds: 3600 } },
  });
  const runner = await new Scheduler(world, 'runner', PROTOBUF_TYPE).subscribe(
    aFramework('runner', { checkpoint: true, failover_timeout: 3600, principal: 'p' }),
  );
  await events.expect('FRAMEWORK_ADDED');
  const offer = await runner.offer();
  await launchAll(runner, offer);
  for (let i = 0; i < 4; i++) await one.expect('RunTaskMessage');
  await one.expect('RunTaskGroupMessage');
  await events.expect('TASK_ADDED');
  await settled(world, 'TASK_STAGING', 6);
  await world.untilOffered(1);
  await views(world, 'with staging tasks');
  await updates(world, { one, runner, events });
  await views(world, 'with running tasks');
  await queries(world, runner);
  await second(world, runner);
  await executors(world, { one, runner });
  await runner.call('KILL', { type: 'KILL', kill: { task_id: { value: 'plain' } } });
  await one.expect('KillTaskMessage');
  await ends(world, { one, runner, events });
}

async function launchAll(runner: Scheduler, offer: Json): Promise<void> {
  const executor = anExecutor('custom', offer);
  const own = { allocation_info: offer['allocation_info'] };
  const rich = aTask('rich', offer, {
    labels: { labels: [{ key: 'a', value: 'b' }] },
    discovery: {
      visibility: 'CLUSTER',
      name: 'd',
      ports: { ports: [{ number: 80, name: 'web' }] },
    },
    container: { type: 'MESOS', network_infos: [{ name: 'net' }] },
    health_check: { type: 'COMMAND', command: { value: 'true' } },
    kill_policy: { grace_period: { nanoseconds: 1e9 } },
    limits: { cpus: { value: 1 }, mem: { value: 128 } },
    resources: [
      scalar('cpus', 0.25, own),
      scalar('mem', 64, own),
      { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31001, end: 31003 }] }, ...own },
    ],
  });
  const user = { command: { value: 'true', user: 'nobody' } };
  const custom = { command: undefined, executor };
  const group = {
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: {
        type: 'DEFAULT',
        executor_id: { value: 'default' },
        framework_id: { value: runner.frameworkId },
        resources: [scalar('cpus', 0.1, own), scalar('mem', 32, own), scalar('disk', 10, own)],
      },
      task_group: { tasks: [aTask('grouped', offer)] },
    },
  };
  const tasks = [aTask('plain', offer), rich, aTask('of a user', offer, user)];
  await runner.accept(
    'ACCEPT with launches',
    [offer],
    [
      launch(...tasks),
      launch(aTask('custom-1', offer, custom)),
      group,
      launch(aTask('custom-1', offer, custom), aTask('custom-2', offer, custom)),
    ],
  );
  await runner.stream.expect('UPDATE');
}

interface Cast {
  readonly one: FakeAgent;
  readonly runner: Scheduler;
  readonly events: Stream;
}

async function updates(world: World, { one, runner, events }: Cast): Promise<void> {
  for (const id of ['plain', 'rich', 'of a user', 'grouped']) {
    one.update(runner.frameworkId, id, 'TASK_RUNNING');
    await runner.stream.expect('UPDATE');
    await events.expect('TASK_UPDATED');
  }
  await settled(world, 'TASK_RUNNING', 4);
  const acknowledge = {
    agent_id: { value: one.id },
    task_id: { value: 'plain' },
    uuid: one.update(runner.frameworkId, 'plain', 'TASK_RUNNING'),
  };
  await runner.stream.expect('UPDATE');
  await runner.call('ACKNOWLEDGE', { type: 'ACKNOWLEDGE', acknowledge });
  await one.expect('StatusUpdateAcknowledgementMessage');
  // Updates of the unknown.
  one.update(runner.frameworkId, 'never heard of', 'TASK_RUNNING');
  await runner.stream.expect('UPDATE');
  one.update('nobody', 'plain', 'TASK_RUNNING');
  one.update(runner.frameworkId, 'rich', 'TASK_KILLING');
  await runner.stream.expect('UPDATE');
}

async function queries(world: World, runner: Scheduler): Promise<void> {
  const id = runner.frameworkId;
  for (const query of [
    'limit=2',
    'limit=2&offset=2&order=asc',
    'offset=100',
    'order=asc',
    'order=up',
    `framework_id=${id}&task_id=plain`,
    'task_id=plain',
    'framework_id=nobody',
    'limit=0',
    'limit=-1',
    'limit=x&offset=y',
  ]) {
    await world.http(`GET /tasks?${query.replace(id, '<id>')}`, { path: `/tasks?${query}` });
  }
  await world.http('GET /frameworks of one', { path: `/frameworks?framework_id=${id}` });
  await world.http('GET /state with jsonp', { path: '/slaves?jsonp=cb&slave_id=x' });
}

async function second(world: World, runner: Scheduler): Promise<void> {
  const two = await new FakeAgent(world, 'two').start();
  await two.register(
    {
      hostname: 'two.example',
      attributes: [
        { name: 'speed', type: 'SCALAR', scalar: { value: 1.5 } },
        { name: 'tags', type: 'SET', set: { item: ['b', 'a'] } },
        { name: 'slots', type: 'RANGES', ranges: { range: [{ begin: 1, end: 3 }] } },
        { name: 'rack', type: 'TEXT', text: { value: 'b' } },
        { name: 'rack', type: 'TEXT', text: { value: 'c' } },
      ],
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: 2 } },
        { name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, role: 'r' },
        { name: 'mem', type: 'SCALAR', scalar: { value: 1024 } },
        { name: 'disk', type: 'SCALAR', scalar: { value: 512 } },
        { name: 'bag', type: 'SET', set: { item: ['x', 'y'] } },
      ],
    },
    { version: '1.9.0' },
  );
  const isOfTwo = (offer: Json): boolean => offer['hostname'] === 'two.example';
  const offer = await runner.offer(isOfTwo);
  world.keep('an offer of agent two', { body: world.clean(offer) });
  await world.untilOffered(2);
  await views(world, 'with two agents');
  await world.http('GET /slaves of one', { path: `/slaves?slave_id=${two.id}` });
  await runner.accept('ACCEPT on two', [offer], [launch(aTask('short', offer))]);
  await two.expect('RunTaskMessage');
  two.update(runner.frameworkId, 'short', 'TASK_FINISHED');
  await runner.stream.expect('UPDATE');
  await settled(world, 'TASK_FINISHED', 1);
}

async function executors(world: World, { one, runner }: Omit<Cast, 'events'>): Promise<void> {
  const data = 'aGVsbG8=';
  const ids = { agent_id: { value: one.id }, executor_id: { value: 'custom' } };
  await runner.call('MESSAGE', { type: 'MESSAGE', message: { ...ids, data } });
  await one.expect('FrameworkToExecutorMessage');
  const framework_id = { value: runner.frameworkId };
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  one.send('ExecutorToFrameworkMessage', { ...ids, framework_id, data: bytes });
  await runner.stream.expect('MESSAGE');
  await runner.call('SHUTDOWN', { type: 'SHUTDOWN', shutdown: ids });
  await one.expect('ShutdownExecutorMessage');
  one.send('ExitedExecutorMessage', { ...ids, framework_id, status: 9 });
  await runner.stream.expect('FAILURE');
  await world.operatorJson('GET_EXECUTORS after an exit', { type: 'GET_EXECUTORS' });
}

async function ends(world: World, { one, runner, events }: Cast): Promise<void> {
  const uuid = one.update(runner.frameworkId, 'plain', 'TASK_KILLED');
  await runner.stream.expect('UPDATE');
  await settled(world, 'TASK_KILLED', 1);
  await world.operatorJson('GET_TASKS before the acknowledgement', { type: 'GET_TASKS' });
  const acknowledge = { agent_id: { value: one.id }, task_id: { value: 'plain' }, uuid };
  await runner.call('ACKNOWLEDGE of the end', { type: 'ACKNOWLEDGE', acknowledge });
  await one.expect('StatusUpdateAcknowledgementMessage');
  await world.operatorJson('GET_TASKS after the acknowledgement', { type: 'GET_TASKS' });
  await runner.call('RECONCILE of all', { type: 'RECONCILE', reconcile: {} });
  await runner.stream.expect('UPDATE', (event) => JSON.stringify(event).includes('"rich"'));
  for (const task of ['plain', 'rich', 'short', 'nothing']) {
    for (const agent of [one.id, 'nobody', undefined]) {
      const agent_id = agent === undefined ? {} : { agent_id: { value: agent } };
      const tasks = [{ task_id: { value: task }, ...agent_id }];
      await runner.call('RECONCILE', { type: 'RECONCILE', reconcile: { tasks } });
      await runner.stream.expect('UPDATE', (event) => JSON.stringify(event).includes(`"${task}"`));
    }
  }
  await world.post('runner', '/teardown', `frameworkId=${runner.frameworkId}`);
  await one.expect('ShutdownFrameworkMessage');
  await runner.stream.end();
  await events.expect('FRAMEWORK_REMOVED');
  await views(world, 'after a teardown');
  one.send('UnregisterSlaveMessage', { agent_id: { value: one.id } });
  await events.expect('AGENT_REMOVED');
  await views(world, 'after an agent left');
}

export const cluster: Scene = { name: 'cluster', play };
