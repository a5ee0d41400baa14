// Agents that register, come back, restart, get lost and return; with frameworks that are aware of
// partitions and that are not, that checkpoint and that do not.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  FakeAgent,
  Scheduler,
  Stream,
  agentGreeting,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, aTask, anExecutor, launch, type Json } from './things.ts';

async function look(world: World, when: string): Promise<void> {
  await world.operatorJson(`GET_AGENTS ${when}`, { type: 'GET_AGENTS' });
  await world.operatorJson(`GET_TASKS ${when}`, { type: 'GET_TASKS' });
  await world.http(`GET /state-summary ${when}`, { path: '/state-summary' });
  await world.metrics(when);
}

interface Cast {
  readonly agent: FakeAgent;
  readonly aware: Scheduler;
  readonly plain: Scheduler;
  readonly events: Stream;
}

async function cast(world: World): Promise<Cast> {
  const events = new Stream(world, 'operator', 'MasterEvent');
  await events.open('/api/v1', '{"type":"SUBSCRIBE"}', 'application/json');
  await events.find('SUBSCRIBED');
  const agent = await (await new FakeAgent(world, 'agent').start()).register();
  const lasting = { failover_timeout: 3600, checkpoint: true };
  const aware = await new Scheduler(world, 'aware').subscribe(aFramework('aware', lasting));
  const first = await aware.offer();
  const executor = anExecutor('custom', first);
  const custom = aTask('custom', first, { command: undefined, executor });
  await aware.accept(
    'ACCEPT',
    [first],
    [launch(aTask('one', first), aTask('two', first), custom)],
    3600,
  );
  for (let i = 0; i < 3; i++) await agent.expect('RunTaskMessage');
  const old = aFramework('plain', { capabilities: [{ type: 'MULTI_ROLE' }], ...lasting });
  const plain = await new Scheduler(world, 'plain').subscribe(old);
  const second = await plain.offer();
  await plain.accept('ACCEPT', [second], [launch(aTask('three', second))], 3600);
  await agent.expect('RunTaskMessage');
  for (const id of ['one', 'two', 'custom']) {
    agent.update(aware.frameworkId, id, 'TASK_RUNNING');
    await aware.stream.expect('UPDATE');
  }
  agent.update(plain.frameworkId, 'three', 'TASK_RUNNING');
  await plain.stream.expect('UPDATE');
  return { agent, aware, plain, events };
}

async function isConnected(world: World, active: boolean): Promise<void> {
  await world.until(`connected: ${active}`, async () => {
    const { bytes } = await world.ask({ path: '/slaves' });
    const { slaves } = JSON.parse(bytes.toString()) as { slaves: Json[] };
    return slaves[0]?.['active'] === active ? true : undefined;
  });
}

/** What the agent knows when it comes back: task two is not among it. */
function story({ agent, aware, plain }: Cast) {
  const task = (
    id: string,
    of: Scheduler,
    state: 'TASK_RUNNING' | 'TASK_FINISHED',
    executor?: string,
  ) => ({
    name: `task ${id}`,
    task_id: { value: id },
    framework_id: { value: of.frameworkId },
    agent_id: { value: agent.id },
    state,
    ...(executor === undefined ? {} : { executor_id: { value: executor } }),
    resources: [
      {
        name: 'cpus',
        type: 'SCALAR' as const,
        scalar: { value: 0.5 },
        allocation_info: { role: 'r' },
      },
      {
        name: 'mem',
        type: 'SCALAR' as const,
        scalar: { value: 64 },
        allocation_info: { role: 'r' },
      },
    ],
    statuses: [{ task_id: { value: id }, state, timestamp: 1 }],
    status_update_state: state,
  });
  const framework = (of: Scheduler, name: string) => ({
    ...(aFramework(name, { failover_timeout: 3600, checkpoint: true }) as {
      user: string;
      name: string;
    }),
    id: { value: of.frameworkId },
  });
  return {
    slave: agent.info({ id: { value: agent.id } }),
    ...agentGreeting,
    tasks: [
      task('one', aware, 'TASK_RUNNING'),
      task('custom', aware, 'TASK_FINISHED', 'custom'),
      task('three', plain, 'TASK_RUNNING'),
      task('unheard of', aware, 'TASK_RUNNING'),
    ],
    executor_infos: [
      {
        ...(anExecutor('custom', { allocation_info: { role: 'r' } }) as {
          executor_id: { value: string };
        }),
        framework_id: { value: aware.frameworkId },
      },
    ],
    frameworks: [framework(aware, 'aware'), framework(plain, 'plain')],
  };
}

async function cut(world: World, all: Cast): Promise<void> {
  const { agent, aware, plain } = all;
  await aware.call('REVIVE', { type: 'REVIVE' });
  await aware.offer();
  agent.answersPings = false;
  agent.stop();
  await aware.stream.expect('RESCIND');
  await isConnected(world, false);
  await look(world, 'while cut off');
  await aware.call('KILL', { type: 'KILL', kill: { task_id: { value: 'one' } } });
  for (const each of [aware, plain]) {
    const tasks = [{ task_id: { value: 'nothing' }, agent_id: { value: agent.id } }];
    await each.call('RECONCILE', { type: 'RECONCILE', reconcile: { tasks } });
    await each.stream.expect('UPDATE');
  }
  agent.answersPings = true;
  await agent.restart();
  agent.send('ReregisterSlaveMessage', story(all));
  await agent.expect('SlaveReregisteredMessage');
  await agent.expect('KillTaskMessage');
  await isConnected(world, true);
  await world.untilOffered(1);
  await look(world, 'after the cut');
}

async function lost(world: World, all: Cast): Promise<void> {
  const { agent, aware, plain, events } = all;
  agent.answersPings = false;
  await aware.stream.expect('UPDATE', (one) => JSON.stringify(one).includes('"one"'));
  await aware.stream.expect('FAILURE');
  await plain.stream.expect('UPDATE', (one) => JSON.stringify(one).includes('"three"'));
  await plain.stream.expect('FAILURE');
  await look(world, 'when unreachable');
  await world.http('GET /state when unreachable', { path: '/state' });
  await world.http('GET /tasks when unreachable', { path: '/tasks' });
  await world.http('GET /registrar(1)/registry when unreachable', {
    path: '/registrar(1)/registry',
  });
  for (const each of [aware, plain]) {
    await each.call('RECONCILE of all', { type: 'RECONCILE', reconcile: {} });
    for (const id of ['one', 'three', 'nothing']) {
      const tasks = [{ task_id: { value: id }, agent_id: { value: agent.id } }];
      await each.call('RECONCILE', { type: 'RECONCILE', reconcile: { tasks } });
      await each.stream.expect('UPDATE', (one) => JSON.stringify(one).includes(`"${id}"`));
    }
  }
  await aware.call('KILL', { type: 'KILL', kill: { task_id: { value: 'one' } } });
  await aware.stream.expect('UPDATE');
  const calls = ['DEACTIVATE_AGENT', 'DRAIN_AGENT', 'REACTIVATE_AGENT'] as const;
  for (const type of calls) {
    const body = { agent_id: { value: agent.id } };
    await world.operatorJson(`${type} when unreachable`, { type, [type.toLowerCase()]: body });
  }
  agent.answersPings = true;
  agent.send('ReregisterSlaveMessage', story(all));
  await agent.expect('SlaveReregisteredMessage');
  await agent.expect('DrainSlaveMessage');
  await events.expect('AGENT_ADDED');
  await aware.stream.expect('UPDATE', (one) => JSON.stringify(one).includes('"one"'));
  await plain.stream.expect('UPDATE', (one) => JSON.stringify(one).includes('"three"'));
  await look(world, 'back from unreachable');
}

async function restarted(world: World, { agent, aware, events }: Cast): Promise<void> {
  // The same address under a new life: what was there is over.
  agent.stop();
  await isConnected(world, false);
  await agent.restart();
  await agent.register();
  await aware.stream.expect('UPDATE');
  await aware.stream.expect('FAILURE');
  await events.expect('AGENT_REMOVED');
  await events.expect('AGENT_ADDED');
  await look(world, 'in a new life');
  agent.send('RegisterSlaveMessage', { slave: agent.info(), ...agentGreeting });
  await agent.expect('SlaveRegisteredMessage');
  const stranger = agent.info({ id: { value: 'S-stranger' }, hostname: 'stranger' });
  const other = await new FakeAgent(world, 'other').start();
  other.send('ReregisterSlaveMessage', { slave: stranger, ...agentGreeting });
  await other.expect('SlaveReregisteredMessage');
  await look(world, 'with an agent of another cluster');
}

export const agents: Scene = {
  name: 'agents',
  settings: { pingTimeoutMs: 1_000, pingTimeoutsMax: 1 },
  async play(world) {
    const all = await cast(world);
    await cut(world, all);
    await lost(world, all);
    await restarted(world, all);
  },
};
