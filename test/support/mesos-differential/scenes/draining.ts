// Agents that are drained, deactivated, reactivated and marked gone: states, messages to the agent,
// what frameworks are told of their tasks, and what is refused.
import type { MasterCall, Messages } from '#wire/mesos/v1.ts';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  FakeAgent,
  Scheduler,
  Stream,
  agentGreeting,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, aTask, launch, type Json } from './things.ts';

type Kind = 'DRAIN_AGENT' | 'DEACTIVATE_AGENT' | 'REACTIVATE_AGENT' | 'MARK_AGENT_GONE';

function call(type: Kind, agent: string, more: Json = {}): MasterCall {
  return { type, [type.toLowerCase()]: { agent_id: { value: agent }, ...more } };
}

async function look(world: World, when: string): Promise<void> {
  await world.operatorJson(`GET_AGENTS ${when}`, { type: 'GET_AGENTS' });
  await world.operatorJson(`GET_TASKS ${when}`, { type: 'GET_TASKS' });
  await world.http(`GET /slaves ${when}`, { path: '/slaves' });
  await world.http(`GET /registrar(1)/registry ${when}`, { path: '/registrar(1)/registry' });
}

async function agentLooks(
  world: World,
  agent: FakeAgent,
  test: (agent: Json) => boolean,
): Promise<void> {
  await world.until('the agent has changed', async () => {
    const { bytes } = await world.ask({ path: `/slaves?slave_id=${agent.id}` });
    const { slaves } = JSON.parse(bytes.toString()) as { slaves: Json[] };
    return test(slaves[0] ?? {}) ? true : undefined;
  });
}

interface Cast {
  readonly agent: FakeAgent;
  readonly aware: Scheduler;
  readonly plain: Scheduler;
}

/** A partition-aware framework and one that is not, each with a task on the agent. */
async function cast(world: World, name: string, tasks = true): Promise<Cast> {
  const agent = await (await new FakeAgent(world, name).start()).register();
  const aware = await new Scheduler(world, `aware of ${name}`).subscribe(aFramework('aware'));
  const isMine = (offer: Json): boolean => offer['hostname'] === `${name}.example`;
  let plain = aware;
  if (tasks) {
    const first = await aware.offer(isMine);
    await aware.accept('ACCEPT', [first], [launch(aTask(`a-${name}`, first))], 3600);
    await agent.expect('RunTaskMessage');
    const old = aFramework('plain', { capabilities: [{ type: 'MULTI_ROLE' }] });
    plain = await new Scheduler(world, `plain of ${name}`).subscribe(old);
    const second = await plain.offer(isMine);
    await plain.accept('ACCEPT', [second], [launch(aTask(`p-${name}`, second))], 3600);
    await agent.expect('RunTaskMessage');
    for (const [of, id] of [
      [aware, `a-${name}`],
      [plain, `p-${name}`],
    ] as const) {
      agent.update(of.frameworkId, id, 'TASK_RUNNING');
      await of.stream.expect('UPDATE');
    }
  }
  return { agent, aware, plain };
}

/** Tells that a task has ended, and has it acknowledged. */
async function finish({ agent }: Cast, of: Scheduler, task: string): Promise<void> {
  const uuid = agent.update(of.frameworkId, task, 'TASK_KILLED');
  await of.stream.expect('UPDATE');
  const acknowledge = { agent_id: { value: agent.id }, task_id: { value: task }, uuid };
  await of.call('ACKNOWLEDGE', { type: 'ACKNOWLEDGE', acknowledge });
  await agent.expect('StatusUpdateAcknowledgementMessage');
}

async function drained(world: World): Promise<void> {
  const all = await cast(world, 'drained');
  const { agent, aware, plain } = all;
  const config = { max_grace_period: { seconds: 7, nanos: 5 } };
  await world.operatorJson('DRAIN_AGENT', call('DRAIN_AGENT', agent.id, config));
  await agent.expect('DrainSlaveMessage');
  await look(world, 'while draining');
  await world.operatorProtobuf('DRAIN_AGENT again', call('DRAIN_AGENT', agent.id));
  await agent.expect('DrainSlaveMessage');
  await world.operatorJson('REACTIVATE_AGENT while draining', call('REACTIVATE_AGENT', agent.id));
  await world.operatorJson('DEACTIVATE_AGENT while draining', call('DEACTIVATE_AGENT', agent.id));
  await finish(all, aware, 'a-drained');
  await finish(all, plain, 'p-drained');
  await agentLooks(world, agent, (one) => JSON.stringify(one['drain_info']).includes('DRAINED'));
  await look(world, 'when drained');
  await world.operatorProtobuf('REACTIVATE_AGENT', call('REACTIVATE_AGENT', agent.id));
  await world.operatorJson('REACTIVATE_AGENT again', call('REACTIVATE_AGENT', agent.id));
  await world.untilOffered(1);
  await look(world, 'when reactivated');
  await aware.call('REVIVE', { type: 'REVIVE' });
  await aware.offer((offer) => offer['hostname'] === 'drained.example');
  await world.metrics('after draining');
  aware.stream.close();
  plain.stream.close();
}

async function idle(world: World): Promise<void> {
  const { agent, aware } = await cast(world, 'idle', false);
  await aware.offer((offer) => offer['hostname'] === 'idle.example');
  await world.operatorProtobuf('DEACTIVATE_AGENT', call('DEACTIVATE_AGENT', agent.id));
  await aware.stream.expect('RESCIND');
  await look(world, 'when deactivated');
  await world.operatorJson('DEACTIVATE_AGENT again', call('DEACTIVATE_AGENT', agent.id));
  await world.operatorJson('REACTIVATE_AGENT of it', call('REACTIVATE_AGENT', agent.id));
  await aware.offer((offer) => offer['hostname'] === 'idle.example');
  await world.operatorJson('DRAIN_AGENT of an idle agent', call('DRAIN_AGENT', agent.id));
  await agent.expect('DrainSlaveMessage');
  await agentLooks(world, agent, (one) => JSON.stringify(one['drain_info']).includes('DRAINED'));
  await look(world, 'when drained at once');
  await world.operatorJson('REACTIVATE_AGENT after that', call('REACTIVATE_AGENT', agent.id));
  const gone = call('DRAIN_AGENT', agent.id, { mark_gone: true });
  await world.operatorJson('DRAIN_AGENT with mark_gone', gone);
  await agent.expect('DrainSlaveMessage');
  await agent.expect('ShutdownMessage');
  await aware.stream.expect('FAILURE');
  await look(world, 'when drained and gone');
  aware.stream.close();
}

async function goner(world: World): Promise<void> {
  const { agent, aware, plain } = await cast(world, 'goner');
  const events = new Stream(world, 'operator', 'MasterEvent');
  await events.open('/api/v1', '{"type":"SUBSCRIBE"}', 'application/json');
  await events.find('SUBSCRIBED');
  await world.operatorProtobuf('MARK_AGENT_GONE', call('MARK_AGENT_GONE', agent.id));
  await agent.expect('ShutdownMessage');
  await aware.stream.expect('UPDATE');
  await aware.stream.expect('FAILURE');
  await plain.stream.expect('UPDATE');
  await plain.stream.expect('FAILURE');
  await look(world, 'with an agent gone');
  await world.operatorJson('MARK_AGENT_GONE again', call('MARK_AGENT_GONE', agent.id));
  await world.operatorJson('DRAIN_AGENT of one gone', call('DRAIN_AGENT', agent.id));
  await world.operatorJson('DEACTIVATE_AGENT of one gone', call('DEACTIVATE_AGENT', agent.id));
  await world.operatorJson('REACTIVATE_AGENT of one gone', call('REACTIVATE_AGENT', agent.id));
  for (const scheduler of [aware, plain]) {
    const tasks = [{ task_id: { value: 'any' }, agent_id: { value: agent.id } }];
    await scheduler.call('RECONCILE', { type: 'RECONCILE', reconcile: { tasks } });
    await scheduler.stream.expect('UPDATE');
  }
  const slave = agent.info({ id: { value: agent.id } });
  agent.send('ReregisterSlaveMessage', { slave, ...agentGreeting });
  await agent.expect('ShutdownMessage');
  await world.http('GET /state with an agent gone', { path: '/state' });
  await world.metrics('with an agent gone');
  events.close();
}

async function old(world: World): Promise<void> {
  const agent = await new FakeAgent(world, 'old').start();
  const hello: Partial<Messages['RegisterSlaveMessage']> = {
    version: '1.8.0',
    agent_capabilities: agentGreeting.agent_capabilities.filter(
      (one) => one.type !== 'AGENT_DRAINING',
    ),
  };
  await agent.register({}, hello);
  await world.operatorJson('DRAIN_AGENT of an old agent', call('DRAIN_AGENT', agent.id));
  await world.operatorJson('DEACTIVATE_AGENT of an old agent', call('DEACTIVATE_AGENT', agent.id));
  // Back after a cut, it is still deactivated.
  const slave = agent.info({ id: { value: agent.id } });
  agent.send('ReregisterSlaveMessage', { slave, ...hello });
  await agent.expect('SlaveReregisteredMessage');
  await look(world, 'with an old agent');
}

export const draining: Scene = {
  name: 'draining',
  async play(world) {
    await drained(world);
    await idle(world);
    await goner(world);
    await old(world);
  },
};
