// The lone run of the design: 50,000 agents, 200 frameworks and 500,000 running tasks, and how much later
// than its own length a short task of one more framework ends, on a real agent of this program. How
// large it is: STRATA_BENCH_SCALE, a part of that.
import { join } from 'node:path';
import { median, type Benchmark, type Measure } from './benchmark.ts';
import { holdMaster, type Held } from './mesos-held.ts';
import { bundle, expectEqual, higher, lower, missingMesos } from './mesos-master.ts';
import { processorSeconds, Program, residentMb } from './program.ts';
import { metricsOf, probeTask, type ProbeShares } from './task-probe.ts';
import { freePort } from '#test/support/free-port.ts';

const HOST = 'probe-host';
const FILL_LIMIT_MS = 3_600_000;
const HEAP_MB = 12_000;

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
    probes: 10,
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
    const seen: ProbeShares[] = [];
    for (let index = 0; index < probes; index += 1) {
      const name = `probe-${index}`;
      const where = { masterPort: held.port, agentPort: agent.port, hostname: HOST };
      seen.push(await probeTask({ ...where, name, taskSeconds }));
    }
    const metrics = await metricsOf(held.port);
    expectEqual('tasks that run', metrics['master/tasks_running'], tasks);
    expectEqual('agents', metrics['master/slaves_active'], agents + 1);
    return [
      ...measuresOf(seen, taskSeconds),
      lower('until all agents are registered', registered, 's'),
      higher('tasks running, 10 a call', tasks / filled, '/s'),
      lower('processor time of all', processorSeconds(held.master.pid), 's'),
      lower('resident memory', residentMb(held.master.pid), 'MB'),
    ];
  },
};

/** Whose share is what: of the median of all, of the longest in any, and of the one that was latest. */
function measuresOf(seen: readonly ProbeShares[], taskSeconds: number): Measure[] {
  const all = (of: keyof ProbeShares): number[] => seen.map((one) => one[of]);
  const middle = (of: keyof ProbeShares): number => median(all(of)) ?? Number.NaN;
  const most = (of: keyof ProbeShares): number => Math.max(...all(of));
  const latest = seen.toSorted((a, b) => b.later - a.later)[0];
  const parts: [string, keyof ProbeShares][] = [
    ['the master: until it is subscribed', 'subscribed'],
    ['the master: until the first offer', 'offered'],
    ['the master: from the ACCEPT to the agent', 'arrived'],
    ['the agent: until the task runs', 'started'],
    ['the executor: later than the length', 'ended'],
    ['the agent: until it has the end', 'reported'],
    ['the master: from the agent to the framework', 'told'],
  ];
  const later = `a ${taskSeconds} s task, later than that by`;
  return [
    lower(`${later}, median`, middle('later'), 's'),
    { ...lower('longest', most('later'), 's'), atMost: 1 },
    lower("the master's share of that, median", middle('master'), 's'),
    lower("the master's share, longest", most('master'), 's'),
    ...parts.map(([name, of]) => lower(`of the median, ${name}`, middle(of), 's')),
    ...parts.map(([name, of]) => lower(`of the latest, ${name}`, latest?.[of] ?? NaN, 's')),
    lower('the master answers /health meanwhile, longest', most('healthMs'), 'ms'),
    lower('this load generator was late itself by at most', most('ownMs'), 'ms'),
  ];
}

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

/** An agent that really runs what it is told to. */
async function realAgent({ port }: Held): Promise<AsyncDisposable & { readonly port: number }> {
  const before = (await metricsOf(port))['master/slaves_active'] ?? 0;
  const own = await freePort();
  const flags = ['--master', `127.0.0.1:${port}`, '--port', String(own), '--hostname', HOST];
  const agent = new Program({
    command: (home) => [process.execPath, bundle, 'agent', '--home', home, ...flags],
  });
  await agent.ready(async () => (await metricsOf(port))['master/slaves_active'] === before + 1);
  return { port: own, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}
