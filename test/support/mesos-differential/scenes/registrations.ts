// Agents that say of themselves what cannot be, when they register and when they come back: nothing of it is taken
// over, and they are not answered. Each is followed by one that can; only that is known then.
import type { AgentInfo, Messages } from '#wire/mesos/v1.ts';
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import {
  agentGreeting,
  FakeAgent,
  Scheduler,
  type World,
} from '#test/support/mesos-differential/player.ts';
import { aFramework, anExecutor, aTask, launch, scalar, type Json } from './things.ts';

const reservation = { role: 'r', reservation: {} };

/** What is wrong with a registration, by what it is called: of the agent's info, and of the message. */
const registrations: Readonly<Record<string, { info?: Json; message?: Json }>> = {
  'a negative amount': { info: { resources: [scalar('cpus', -1)] } },
  'a nameless resource': { info: { resources: [scalar('', 1)] } },
  'a scalar without value': { info: { resources: [{ name: 'cpus', type: 'SCALAR' }] } },
  'a bad role': { info: { resources: [scalar('cpus', 1, { role: 'a b' })] } },
  'what it keeps without keeping': {
    message: { checkpointed_resources: [scalar('disk', 10, reservation)] },
  },
  'a negative amount that it keeps': {
    info: { checkpoint: true },
    message: { checkpointed_resources: [scalar('disk', -1, reservation)] },
  },
  'no version': { message: { version: undefined } },
  'an empty version': { message: { version: '' } },
  'a version of words': { message: { version: 'new' } },
  'an old version': { message: { version: '0.28.2' } },
  'a version before the first': { message: { version: '1.0.0-rc1' } },
  'a version of four parts': { message: { version: '1.0.0.0' } },
};

/** They may. */
const good: Readonly<Record<string, Json>> = {
  'the first version': { version: '1.0.0' },
  'a short version': { version: '1.1' },
  'a version to come': { version: '2.0.0-dev+1' },
};

async function register(world: World): Promise<void> {
  for (const [name, { info = {}, message = {} }] of Object.entries(registrations)) {
    const agent = await new FakeAgent(world, name.replaceAll(' ', '-')).start();
    const slave = agent.info(info as Partial<AgentInfo>);
    const asked = await asks(world);
    agent.send('RegisterSlaveMessage', { slave, ...agentGreeting, ...(message as object) });
    await world.until('it has come', async () => ((await asks(world)) > asked ? true : undefined));
    // Mesos may wait for the end of the first for ever, so that it is another one.
    const fine = await (await new FakeAgent(world, 'fine').start()).register();
    const { bytes } = await world.ask({ path: '/slaves' });
    const { slaves } = JSON.parse(bytes.toString()) as { slaves: { hostname: string }[] };
    world.keep(`${name}: known as`, { body: slaves.map(({ hostname }) => hostname).toSorted() });
    agent.stop();
    fine.send('UnregisterSlaveMessage', { agent_id: { value: fine.id } });
    const taken = agent.received.find((one) => one.name === 'SlaveRegisteredMessage');
    if (taken !== undefined) {
      const agent_id = taken.body['agent_id'] as { value: string };
      fine.send('UnregisterSlaveMessage', { agent_id });
    }
    await gone(world);
  }
  for (const [name, message] of Object.entries(good)) {
    const agent = await new FakeAgent(world, name.replaceAll(' ', '-')).start();
    await agent.register({}, message);
    await world.http(`${name}: GET /slaves`, { path: '/slaves' });
    agent.send('UnregisterSlaveMessage', { agent_id: { value: agent.id } });
    await gone(world);
  }
}

async function asks(world: World): Promise<number> {
  const { bytes } = await world.ask({ path: '/metrics/snapshot' });
  const all = JSON.parse(bytes.toString()) as Record<string, number>;
  return all['master/messages_register_slave'] ?? 0;
}

async function gone(world: World): Promise<void> {
  await world.until('nobody is there', async () => {
    const { bytes } = await world.ask({ path: '/slaves' });
    return bytes.toString().includes('"slaves":[]') ? true : undefined;
  });
}

type Reregister = Messages['ReregisterSlaveMessage'];

async function comeBack(world: World): Promise<void> {
  const agent = await (await new FakeAgent(world, 'back').start()).register();
  const runner = await new Scheduler(world, 'runner').subscribe(aFramework('runner'));
  const offer = await runner.offer();
  const executor = anExecutor('e', offer);
  const task = aTask('t', offer, { command: undefined, executor });
  await runner.accept('ACCEPT', [offer], [launch(task)], 3600);
  await agent.find('RunTaskMessage');
  agent.update(runner.frameworkId, 't', 'TASK_RUNNING');
  await runner.stream.find('UPDATE');
  const id = { value: runner.frameworkId };
  const framework = aFramework('runner', { id });
  const running = { ...executor, framework_id: id };
  const told = {
    name: 'task t',
    task_id: { value: 't' },
    framework_id: id,
    executor_id: { value: 'e' },
    agent_id: { value: agent.id },
    state: 'TASK_RUNNING',
    resources: task['resources'],
  };
  const wrong: Readonly<Record<string, Json>> = {
    'a framework twice': { frameworks: [framework, framework] },
    'a framework of a bad role': { frameworks: [{ ...framework, roles: ['/r'] }] },
    'a framework of a bad id': {
      frameworks: [framework, { ...framework, id: { value: 'a/b' } }],
    },
    'an executor of nobody': { frameworks: [], tasks: [] },
    'an executor twice': { executor_infos: [running, running] },
    'an executor of a bad id': {
      executor_infos: [running, { ...running, executor_id: { value: 'a/b' } }],
    },
    'an executor of less than nothing': {
      executor_infos: [{ ...running, resources: [scalar('cpus', -1)] }],
    },
    'a task of nobody': { frameworks: [], executor_infos: [] },
    'a task of another agent': { tasks: [{ ...told, agent_id: { value: 'other' } }] },
    'a task of a bad id': { tasks: [{ ...told, task_id: { value: 'a/b' } }] },
    'a task of no executor': { executor_infos: [] },
    'a task of less than nothing': { tasks: [{ ...told, resources: [scalar('cpus', -1)] }] },
    'less than nothing': {
      slave: {
        ...agent.info({ resources: [scalar('cpus', -1) as never] }),
        id: { value: agent.id },
      },
    },
  };
  const whole = {
    slave: { ...agent.info(), id: { value: agent.id } },
    frameworks: [framework],
    executor_infos: [running],
    tasks: [told],
    ...agentGreeting,
  };
  const count = (): number =>
    agent.received.filter(({ name }) => name === 'SlaveReregisteredMessage').length;
  for (const [name, change] of Object.entries(wrong)) {
    const before = count();
    agent.send('ReregisterSlaveMessage', { ...whole, ...change } as unknown as Reregister);
    agent.send('ReregisterSlaveMessage', whole as unknown as Reregister);
    await agent.find('SlaveReregisteredMessage');
    await world.operatorJson(`${name}: GET_TASKS`, { type: 'GET_TASKS' });
    world.keep(`${name}: answers`, { body: count() - before });
  }
  await world.get('/slaves');
}

export const registrationsOfAgents: Scene = {
  name: 'registrations',
  async play(world) {
    await register(world);
    await comeBack(world);
  },
};
