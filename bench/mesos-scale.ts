// The lone run of the design: 50,000 agents, 200 frameworks and 500,000 running tasks, and how much later
// than its own length a short task of one more framework ends, on a real agent of this program. How
// large it is: STRATA_BENCH_SCALE, a part of that.
import { join } from 'node:path';
import { createEnv } from '#env/node/env.ts';
import { SchedulerClient } from '#mesos/client/scheduler-client.ts';
import { scalarResource } from '#mesos/resources/resources.ts';
import type { SchedulerCall, SchedulerEvent } from '#wire/mesos/v1.ts';
import { median, type Benchmark, type Measure } from './benchmark.ts';
import { holdMaster, type Held } from './mesos-held.ts';
import { bundle, expectEqual, higher, lower, missingMesos } from './mesos-master.ts';
import { processorSeconds, Program, residentMb } from './program.ts';
import { freePort } from '#test/support/free-port.ts';

const HOST = 'probe-host';
const ROLE = 'probe';
const FILL_LIMIT_MS = 3_600_000;
const PROBE_LIMIT_MS = 300_000;
const HEAP_MB = 12_000;
const HEALTH_PAUSE_MS = 20;

interface Shape {
  readonly agents: number;
  readonly frameworks: number;
  readonly tasks: number;
  readonly taskSeconds: number;
  readonly probes: number;
}

function shapeOf(size: 'small' | 'full'): Shape {
  if (size === 'small') {
    return { agents: 100, frameworks: 4, tasks: 400, taskSeconds: 1, probes: 2 };
  }
  const part = Number(process.env['STRATA_BENCH_SCALE'] ?? 1);
  const [agents, frameworks, tasks] = [50_000, 200, 500_000].map((n) => Math.ceil(n * part));
  return {
    agents: agents ?? 1,
    frameworks: frameworks ?? 1,
    tasks: tasks ?? 1,
    taskSeconds: 10,
    probes: 5,
  };
}

export const mesosScale: Benchmark = {
  name: 'mesos-scale',
  about: 'a 10 s task of a new framework beside 50,000 agents, 200 frameworks and 500,000 tasks',
  peer: 'Mesos',
  missing: (side) => (side === 'peer' ? 'the goal is one of this side alone' : missingMesos(side)),
  async measure(side, size) {
    const shape = shapeOf(size);
    const { agents, tasks, taskSeconds, probes } = shape;
    const crowd = agents > 10_000 ? { generators: 2, agentsPerAddress: 5 } : {};
    const from = performance.now();
    await using held = await holdMaster(side, { agents, tasks: 0, heapMb: HEAP_MB, ...crowd });
    const registered = (performance.now() - from) / 1_000;
    await using filler = fillerOf(held.port, shape);
    const started = performance.now();
    await filler.ready(() => isFull(filler), FILL_LIMIT_MS);
    const filled = (performance.now() - started) / 1_000;
    await using agent = await realAgent(held);
    const seen: Phases[] = [];
    const isProbing = new AbortController();
    const health = longestHealth(held.port, isProbing.signal);
    try {
      for (let index = 0; index < probes; index += 1)
        seen.push(await probe(held.port, index, taskSeconds));
    } finally {
      isProbing.abort();
    }
    const extra = seen.map(({ ended }) => ended - taskSeconds);
    const [last = seen[0] as Phases] = seen.toSorted((a, b) => b.ended - a.ended);
    const ofLast = (name: string, from: keyof Phases | undefined, to: keyof Phases): Measure =>
      lower(`of the longest, ${name}`, last[to] - (from === undefined ? 0 : last[from]), 's');
    const waited = (name: string, from: keyof Phases | undefined, to: keyof Phases): Measure => {
      const seconds = seen.map((one) => one[to] - (from === undefined ? 0 : one[from]));
      return lower(name, median(seconds) ?? Number.NaN, 's');
    };
    if (agent.pid === 0) throw new Error('the agent has ended');
    const metrics = await metricsOf(held.port);
    expectEqual('tasks that run', metrics['master/tasks_running'], tasks);
    expectEqual('agents', metrics['master/slaves_active'], agents + 1);
    return [
      lower(
        `a ${taskSeconds} s task, later than that by, median`,
        median(extra) ?? Number.NaN,
        's',
      ),
      lower('longest', Math.max(...extra), 's'),
      ofLast('until it is subscribed', undefined, 'subscribed'),
      ofLast('until the first offer', 'subscribed', 'offered'),
      ofLast('until it runs', 'offered', 'running'),
      ofLast('until it is told to have ended', 'running', 'ended'),
      lower('/health meanwhile, longest', await health, 'ms'),
      waited('of that, until it is subscribed', undefined, 'subscribed'),
      waited('until the first offer', 'subscribed', 'offered'),
      waited('until it runs', 'offered', 'running'),
      lower('until all agents are registered', registered, 's'),
      higher('tasks running, 10 a call', tasks / filled, '/s'),
      lower('processor time of all', processorSeconds(held.master.pid), 's'),
      lower('resident memory', residentMb(held.master.pid), 'MB'),
    ];
  },
};

function fillerOf(port: number, { frameworks, tasks }: Shape): Program {
  const script = join(import.meta.dirname, 'task-frameworks.ts');
  const size = [String(port), String(frameworks), String(tasks)];
  return new Program({
    command: () => [process.execPath, '--max-old-space-size=4096', script, ...size],
  });
}

function isFull(filler: Program): Promise<boolean> {
  const said = filler.log();
  if (said.includes('"bad"')) throw new Error(said);
  return Promise.resolve(said.includes('"step":"running"'));
}

/** Milliseconds that the master kept a small question waiting, asked every few until the signal. */
async function longestHealth(port: number, signal: AbortSignal): Promise<number> {
  let longest = 0;
  while (!signal.aborted) {
    const from = performance.now();
    const answer = await fetch(`http://127.0.0.1:${port}/health`);
    await answer.body?.cancel();
    longest = Math.max(longest, performance.now() - from);
    await new Promise((done) => setTimeout(done, HEALTH_PAUSE_MS));
  }
  return longest;
}

async function metricsOf(port: number): Promise<Record<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics/snapshot`);
  return (await answer.json()) as Record<string, number>;
}

/** An agent that really runs what it is told to. */
async function realAgent({ port }: Held): Promise<Program> {
  const before = (await metricsOf(port))['master/slaves_active'] ?? 0;
  const own = await freePort();
  const flags = ['--master', `127.0.0.1:${port}`, '--port', String(own), '--hostname', HOST];
  const agent = new Program({
    command: (home) => [process.execPath, bundle, 'agent', '--home', home, ...flags],
  });
  await agent.ready(async () => (await metricsOf(port))['master/slaves_active'] === before + 1);
  return agent;
}

/** Seconds since the new framework began to subscribe. */
interface Phases {
  subscribed: number;
  offered: number;
  running: number;
  /** Its task. */
  ended: number;
}

async function probe(port: number, index: number, taskSeconds: number): Promise<Phases> {
  const env = createEnv({ component: 'bench', logLevel: 'error', logFormat: 'text' });
  const ended = Promise.withResolvers<void>();
  const phases: Phases = { subscribed: 0, offered: 0, running: 0, ended: 0 };
  const reach = (phase: keyof Phases): void => {
    phases[phase] ||= (performance.now() - from) / 1_000;
  };
  const call = (one: SchedulerCall): void => {
    client.call(one).catch((error: unknown) => ended.reject(error));
  };
  const onEvent = ({ type, offers, update, error }: SchedulerEvent): void => {
    if (type === 'ERROR') ended.reject(new Error(error?.message));
    const [offer] = offers?.offers ?? [];
    if (type === 'SUBSCRIBED') reach('subscribed');
    if (type === 'OFFERS' && offer !== undefined && phases.offered === 0) {
      reach('offered');
      call(launchOf(offer, `probe-${index}`, taskSeconds));
    }
    const status = update?.status;
    if (type !== 'UPDATE' || status === undefined) return;
    const { task_id, agent_id, uuid, state } = status;
    if (uuid !== undefined && agent_id !== undefined) {
      call({ type: 'ACKNOWLEDGE', acknowledge: { task_id, agent_id, uuid } });
    }
    if (state === 'TASK_RUNNING') reach('running');
    if (state === 'TASK_FINISHED') ended.resolve();
    else if (state !== 'TASK_RUNNING' && state !== 'TASK_STARTING') {
      ended.reject(new Error(`${state}: ${status.message}`));
    }
  };
  const constraint = {
    selector: { pseudoattribute_type: 'HOSTNAME' as const },
    predicate: { text_equals: { value: HOST } },
  };
  const client = new SchedulerClient(
    {
      masterUrl: `http://127.0.0.1:${port}`,
      framework: {
        user: 'root',
        name: `probe-${index}`,
        roles: [ROLE],
        capabilities: [{ type: 'MULTI_ROLE' }],
      },
      contentType: 'application/x-protobuf',
      offerConstraints: {
        role_constraints: { [ROLE]: { groups: [{ attribute_constraints: [constraint] }] } },
      },
    },
    { onEvent, onDisconnected: () => {}, onError: (error) => ended.reject(error) },
    env,
  );
  const patience = setTimeout(() => ended.reject(new Error('no end')), PROBE_LIMIT_MS);
  const from = performance.now();
  client.start();
  try {
    await ended.promise;
    reach('ended');
    await client.call({ type: 'TEARDOWN' });
    return phases;
  } finally {
    clearTimeout(patience);
    client.close();
  }
}

function launchOf(
  { id, agent_id }: { id: { value: string }; agent_id: { value: string } },
  name: string,
  taskSeconds: number,
): SchedulerCall {
  const allocation_info = { role: ROLE };
  const resources = [scalarResource('cpus', 0.1), scalarResource('mem', 32)];
  const task = {
    name,
    task_id: { value: name },
    agent_id,
    command: { value: `sleep ${taskSeconds}` },
    resources: resources.map((one) => ({ ...one, allocation_info })),
  };
  const operations = [{ type: 'LAUNCH' as const, launch: { task_infos: [task] } }];
  return { type: 'ACCEPT', accept: { offer_ids: [id], operations } };
}
