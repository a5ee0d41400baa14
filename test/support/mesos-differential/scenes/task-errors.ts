// Every way for a task or a group to be wrong: what TASK_ERROR says of it.
import type { Scene } from '#test/support/mesos-differential/corpus.ts';
import { FakeAgent, Scheduler, type World } from '#test/support/mesos-differential/player.ts';
import { aFramework, anExecutor, aTask, launch, scalar, type Json } from './things.ts';

const own = { allocation_info: { role: 'r' } };
const ports = (begin: number, end: number): Json => ({
  name: 'ports',
  type: 'RANGES',
  ranges: { range: [{ begin, end }] },
  ...own,
});
const volume = (id: string): Json =>
  scalar('disk', 1, {
    ...own,
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id }, volume: { mode: 'RW', container_path: 'p' } },
  });
const negative = { nanoseconds: -1 };
const http = (more: Json): Json => ({ type: 'HTTP', http: { port: 80, ...more } });
const command = { value: 'sleep 1' };

/** What is wrong with a task, by what it is called; what it says instead. */
const tasks: Readonly<Record<string, Json>> = {
  'an empty id': { task_id: { value: '' } },
  'an id with a slash': { task_id: { value: 'a/b' } },
  'an id of a dot': { task_id: { value: '.' } },
  'an id of two dots': { task_id: { value: '..' } },
  'a long id': { task_id: { value: 'x'.repeat(256) } },
  'an id with a control character': { task_id: { value: 'a\u0001' } },
  'another agent': { agent_id: { value: 'nobody' } },
  'no resources': { resources: [] },
  'a negative amount': { resources: [scalar('cpus', -1, own)] },
  'an amount of nothing': { resources: [scalar('cpus', 0, own), scalar('mem', 64, own)] },
  'a scalar without value': { resources: [{ name: 'cpus', type: 'SCALAR', ...own }] },
  'ranges for a scalar': { resources: [{ ...ports(1, 2), name: 'cpus' }] },
  'a range backwards': { resources: [scalar('cpus', 0.1, own), ports(31010, 31005)] },
  'ranges that overlap': {
    resources: [
      scalar('cpus', 0.1, own),
      {
        ...ports(31001, 31005),
        ranges: {
          range: [
            { begin: 31001, end: 31005 },
            { begin: 31003, end: 31007 },
          ],
        },
      },
    ],
  },
  'too much': { resources: [scalar('cpus', 1000, own)] },
  'what is not offered': { resources: [scalar('gold', 1, own)] },
  'a part of a gpu': { resources: [scalar('cpus', 0.1, own), scalar('gpus', 0.5, own)] },
  'two roles': {
    resources: [scalar('cpus', 0.1, own), scalar('mem', 32, { allocation_info: { role: 'q' } })],
  },
  'another role': { resources: [scalar('cpus', 0.1, { allocation_info: { role: 'q' } })] },
  'revocable and not': {
    resources: [scalar('cpus', 0.1, own), scalar('cpus', 0.1, { ...own, revocable: {} })],
  },
  'a volume twice': { resources: [volume('v'), volume('v')] },
  'a volume that is not there': { resources: [scalar('cpus', 0.1, own), volume('w')] },
  'a role and a reservation': {
    resources: [
      scalar('cpus', 0.1, { ...own, role: 'r', reservations: [{ type: 'STATIC', role: 'r' }] }),
    ],
  },
  'a nameless resource': { resources: [scalar('', 0.1, own)] },
  'neither command nor executor': { command: undefined },
  'a variable without value': {
    command: { ...command, environment: { variables: [{ name: 'A', type: 'VALUE' }] } },
  },
  'a secret without one': {
    command: { ...command, environment: { variables: [{ name: 'A', type: 'SECRET' }] } },
  },
  'a value and a secret': {
    command: {
      ...command,
      environment: {
        variables: [
          {
            name: 'A',
            type: 'VALUE',
            value: 'a',
            secret: { type: 'VALUE', value: { data: 'YQ==' } },
          },
        ],
      },
    },
  },
  'a variable of no type': {
    command: {
      ...command,
      environment: { variables: [{ name: 'A', type: 'UNKNOWN', value: 'a' }] },
    },
  },
  'docker without docker': { container: { type: 'DOCKER' } },
  'a docker parameter name': {
    container: {
      type: 'DOCKER',
      docker: { image: 'i', parameters: [{ key: 'name', value: 'n' }] },
    },
  },
  'a volume of nothing': {
    container: { type: 'MESOS', volumes: [{ container_path: '/p', mode: 'RW' }] },
  },
  'a volume of two things': {
    container: {
      type: 'MESOS',
      volumes: [
        {
          container_path: '/p',
          mode: 'RW',
          host_path: '/h',
          image: { type: 'DOCKER', docker: { name: 'i' } },
        },
      ],
    },
  },
  'a volume of an unknown source': {
    container: {
      type: 'MESOS',
      volumes: [{ container_path: '/p', mode: 'RW', source: { type: 'UNKNOWN' } }],
    },
  },
  'a host path that is none': {
    container: {
      type: 'MESOS',
      volumes: [{ container_path: '/p', mode: 'RW', source: { type: 'HOST_PATH' } }],
    },
  },
  'a sandbox path that is none': {
    container: {
      type: 'MESOS',
      volumes: [{ container_path: '/p', mode: 'RW', source: { type: 'SANDBOX_PATH' } }],
    },
  },
  'a docker volume that is none': {
    container: {
      type: 'MESOS',
      volumes: [{ container_path: '/p', mode: 'RW', source: { type: 'DOCKER_VOLUME' } }],
    },
  },
  'a secret volume that is none': {
    container: {
      type: 'MESOS',
      volumes: [{ container_path: '/p', mode: 'RW', source: { type: 'SECRET' } }],
    },
  },
  'an rlimit of one side': {
    container: { type: 'MESOS', rlimit_info: { rlimits: [{ type: 'RLMT_CORE', soft: 1 }] } },
  },
  'an rlimit upside down': {
    container: {
      type: 'MESOS',
      rlimit_info: { rlimits: [{ type: 'RLMT_CORE', soft: 2, hard: 1 }] },
    },
  },
  'a health check of nothing': { health_check: {} },
  'a health check of a command that is none': { health_check: { type: 'COMMAND' } },
  'a health check of an empty command': { health_check: { type: 'COMMAND', command: {} } },
  'a health check of a command and more': {
    health_check: { type: 'COMMAND', command, http: { port: 80 } },
  },
  'a health check of HTTP that is none': { health_check: { type: 'HTTP' } },
  'a health check of an odd scheme': { health_check: http({ scheme: 'ftp' }) },
  'a health check of an odd path': { health_check: http({ path: 'a' }) },
  'a health check of TCP that is none': { health_check: { type: 'TCP' } },
  'a health check of an unknown type': { health_check: { type: 'UNKNOWN' } },
  'a health check in the past': { health_check: { type: 'COMMAND', command, delay_seconds: -1 } },
  'a health check of a negative interval': {
    health_check: { type: 'COMMAND', command, interval_seconds: -1 },
  },
  'a health check of a negative timeout': {
    health_check: { type: 'COMMAND', command, timeout_seconds: -1 },
  },
  'a health check of negative grace': {
    health_check: { type: 'COMMAND', command, grace_period_seconds: -1 },
  },
  'a check of nothing': { check: {} },
  'a check of a command that is none': { check: { type: 'COMMAND' } },
  'a check of an empty command': { check: { type: 'COMMAND', command: { command: {} } } },
  'a check of HTTP that is none': { check: { type: 'HTTP' } },
  'a check of an odd path': { check: http({ path: 'a' }) },
  'a check of TCP that is none': { check: { type: 'TCP' } },
  'a check of an unknown type': { check: { type: 'UNKNOWN' } },
  'a check in the past': { check: { type: 'TCP', tcp: { port: 1 }, delay_seconds: -1 } },
  'a check of a negative interval': {
    check: { type: 'TCP', tcp: { port: 1 }, interval_seconds: -1 },
  },
  'a check of a negative timeout': {
    check: { type: 'TCP', tcp: { port: 1 }, timeout_seconds: -1 },
  },
  'a limit of disk': { limits: { disk: { value: 10 } } },
  'a limit below the request': { limits: { cpus: { value: 0.1 } } },
  'a limit without a request': {
    resources: [scalar('cpus', 0.1, own)],
    limits: { mem: { value: 100 } },
  },
  'a negative kill policy': { kill_policy: { grace_period: negative } },
  'a negative completion time': { max_completion_time: negative },
  'cgroups of its own': {
    container: { type: 'MESOS', linux_info: { share_cgroups: false } },
  },
};

/** The same of its executor. */
const executors: Readonly<Record<string, Json>> = {
  'no command': { command: undefined },
  'a type of a group': { type: 'DEFAULT', command: undefined },
  'an unknown type': { type: 'UNKNOWN' },
  'an odd id': { executor_id: { value: 'a/b' } },
  'an empty id': { executor_id: { value: '' } },
  'another framework': { framework_id: { value: 'other' } },
  'negative grace': { shutdown_grace_period: negative },
  'a negative amount': { resources: [scalar('cpus', -1, own)] },
  'another role': { resources: [scalar('cpus', 0.1, { allocation_info: { role: 'q' } })] },
  'too much': { resources: [scalar('cpus', 1000, own)] },
  'a variable without value': {
    command: { value: 'run', environment: { variables: [{ name: 'A', type: 'VALUE' }] } },
  },
  'docker without docker': { container: { type: 'DOCKER' } },
};

const groups: Readonly<Record<string, { executor?: Json; tasks?: readonly Json[] }>> = {
  'no tasks': { tasks: [] },
  'an executor of no framework': { executor: { framework_id: undefined } },
  'an executor of another framework': { executor: { framework_id: { value: 'other' } } },
  'an executor of no type': { executor: { type: undefined } },
  'an executor of an unknown type': { executor: { type: 'UNKNOWN' } },
  'a default executor with a command': { executor: { command } },
  'a custom executor without one': { executor: { type: 'CUSTOM' } },
  'an executor without resources': { executor: { resources: [] } },
  'an executor of too little memory': {
    executor: {
      resources: [scalar('cpus', 0.1, own), scalar('mem', 1, own), scalar('disk', 1, own)],
    },
  },
  'an executor of too little cpu': {
    executor: {
      resources: [scalar('cpus', 0.001, own), scalar('mem', 32, own), scalar('disk', 1, own)],
    },
  },
  'an executor without disk': {
    executor: { resources: [scalar('cpus', 0.1, own), scalar('mem', 32, own)] },
  },
  'a default executor in docker': {
    executor: { container: { type: 'DOCKER', docker: { image: 'i' } } },
  },
  'a default executor with an image': {
    executor: {
      container: {
        type: 'MESOS',
        mesos: { image: { type: 'DOCKER', docker: { name: 'i' } } },
      },
    },
  },
  'a task in docker': { tasks: [{ container: { type: 'DOCKER', docker: { image: 'i' } } }] },
  'a task without command': { tasks: [{ command: undefined }] },
  'a task of another agent': { tasks: [{ agent_id: { value: 'nobody' } }] },
  'a task of too much': { tasks: [{ resources: [scalar('cpus', 1000, own)] }] },
  'a task with a limit': { tasks: [{ limits: { cpus: { value: 2 } } }] },
  'a task with an odd limit': {
    tasks: [
      {
        limits: { disk: { value: 2 } },
        container: { type: 'MESOS', linux_info: { share_cgroups: false } },
      },
    ],
  },
  'tasks of two kinds of cgroups': {
    tasks: [
      { container: { type: 'MESOS', linux_info: { share_cgroups: false } } },
      { container: { type: 'MESOS', linux_info: { share_cgroups: true } } },
    ],
  },
  'an executor that shares cgroups': {
    executor: { container: { type: 'MESOS', linux_info: { share_cgroups: true } } },
  },
  'a health check by HTTP in a network of its own': {
    tasks: [
      {
        health_check: http({}),
        container: { type: 'MESOS', network_infos: [{ name: 'n' }] },
      },
    ],
  },
};

interface Cast {
  readonly world: World;
  readonly framework: Scheduler;
  readonly agent: FakeAgent;
}

/** What comes back in parts is taken together: everything that the agent has. */
export async function wholeOffer(framework: Scheduler): Promise<Json[]> {
  const offers: Json[] = [];
  const sum = (name: string): number =>
    offers
      .flatMap((offer) => offer['resources'] as { name: string; scalar?: { value: number } }[])
      .filter((one) => one.name === name)
      .reduce((total, { scalar: amount }) => total + (amount?.value ?? 0), 0);
  while (sum('cpus') < 4 || sum('mem') < 4096) {
    const taken = new Set(offers.map((offer) => JSON.stringify(offer['id'])));
    offers.push(await framework.offer((one) => !taken.has(JSON.stringify(one['id']))));
  }
  return offers;
}

/** Keeps what the framework is told, or that the agent was told to launch it. */
async function tell({ world, framework, agent }: Cast, step: string, operation: Json) {
  const offers = await wholeOffer(framework);
  const seen = framework.stream.events.length;
  const launched = agent.received.length;
  const list = JSON.stringify(operation).replaceAll(
    '"AGENT"',
    JSON.stringify(agentOf(offers[0] ?? {})),
  );
  await framework.accept(step, offers, [JSON.parse(list) as Json]);
  const update = (): Json | undefined =>
    framework.stream.events.slice(seen).find((event) => event['type'] === 'UPDATE');
  await world.until(`an answer to ${step}`, () =>
    update() !== undefined || agent.received.length > launched ? true : undefined,
  );
  const told = update();
  if (told !== undefined) {
    // What is available is written in the order of a hash table.
    const text = JSON.stringify(world.clean(told)).replace(/more than available [^"]*/, 'more');
    world.keep(`${step}: UPDATE`, { body: JSON.parse(text) as Json });
    return;
  }
  world.keep(`${step}: launched`, {});
  const executor = /"executor_id":\{"value":"(e\d+)"/.exec(list)?.[1];
  const ids = new Set(list.matchAll(/"task_id":\{"value":"(t\d+)"/g).map(([, id = '']) => id));
  for (const id of ids) {
    agent.update(framework.frameworkId, id, 'TASK_FINISHED');
    await framework.stream.find('UPDATE', (event) => JSON.stringify(event).includes(`"${id}"`));
  }
  if (executor === undefined) return;
  agent.send('ExitedExecutorMessage', {
    agent_id: { value: agent.id },
    framework_id: { value: framework.frameworkId },
    executor_id: { value: executor },
    status: 0,
  });
}

function agentOf(offer: Json): string {
  return (offer['agent_id'] as { value: string }).value;
}

const place: Json = { agent_id: { value: 'AGENT' }, ...own };

export const taskErrors: Scene = {
  name: 'task-errors',
  async play(world) {
    const agent = await (await new FakeAgent(world, 'agent').start()).register();
    const framework = await new Scheduler(world, 'runner').subscribe(aFramework('runner'));
    const cast = { world, framework, agent };
    let count = 0;
    const next = (): string => `t${count++}`;
    for (const [name, more] of Object.entries(tasks)) {
      await tell(cast, `a task with ${name}`, launch(aTask(next(), place, more)));
    }
    const both = { executor: anExecutor('e', place) };
    await tell(cast, 'command and executor', launch(aTask(next(), place, both)));
    for (const [name, more] of Object.entries(executors)) {
      const task = { command: undefined, executor: anExecutor(`e${count}`, place, more) };
      await tell(cast, `an executor with ${name}`, launch(aTask(next(), place, task)));
    }
    for (const [name, { executor = {}, tasks: list = [{}] }] of Object.entries(groups)) {
      // Nothing is told of a group of no tasks.
      if (list.length === 0) continue;
      const base = {
        type: 'DEFAULT',
        framework_id: { value: framework.frameworkId },
        command: undefined,
        resources: [scalar('cpus', 0.1, own), scalar('mem', 32, own), scalar('disk', 1, own)],
      };
      const task_infos = list.map((more) => aTask(next(), place, more));
      await tell(cast, `a group with ${name}`, {
        type: 'LAUNCH_GROUP',
        launch_group: {
          executor: anExecutor(`e${count}`, place, { ...base, ...executor }),
          task_group: { tasks: task_infos },
        },
      });
    }
  },
};
