// The allocator's decisions, as each master times them itself: how long its runs take and wait while
// frameworks decline what they are offered. A run of this program looks at what changed, one of Mesos at all.
import type { Benchmark, Measure, Side } from './benchmark.ts';
import { expectEqual, loadMaster, lower, missingMesos, numberOf, stepsOf } from './mesos-master.ts';

const RUN = 'allocator/mesos/allocation_run_ms';
const WAIT = 'allocator/mesos/allocation_run_latency_ms';
const GOAL = 10;

interface Shape {
  readonly name: string;
  readonly agents: number;
  readonly frameworks: number;
  readonly roles: number;
}

export const mesosDecisions: Benchmark = {
  name: 'mesos-decisions',
  about: 'runs of the allocator with 10,000 agents: 1 framework, and 200 in 10 roles, that decline',
  peer: 'Mesos',
  missing: missingMesos,
  async measure(side, size) {
    const agents = size === 'full' ? 10_000 : 200;
    const [frameworks, roles] = size === 'full' ? [200, 10] : [10, 2];
    const window = size === 'full' ? 20 : 6;
    return [
      ...(await runsOf(side, { name: '1 framework', agents, frameworks: 1, roles: 1 }, window)),
      ...(await runsOf(
        side,
        { name: `${frameworks} frameworks`, agents, frameworks, roles },
        window,
      )),
    ];
  },
};

async function runsOf(side: Side, shape: Shape, windowSeconds: number): Promise<Measure[]> {
  const { name, agents, frameworks, roles } = shape;
  let metrics: Readonly<Record<string, number>> = {};
  const steps = await loadMaster(side, {
    agents,
    steps: [`multi:${frameworks}:${roles}`],
    windowSeconds,
    onMetrics: (now) => {
      if (now['master/frameworks_active'] === frameworks) metrics = now;
    },
  });
  const [multi] = stepsOf(steps, 'multi');
  if (multi === undefined) throw new Error('no step');
  expectEqual('frameworks', multi['frameworks'], frameworks);
  const perSecond = numberOf(multi, 'offers_per_s');
  if (perSecond === 0) throw new Error('no framework was offered anything');
  const ms = (key: string): number => {
    const value = metrics[key];
    if (value === undefined) throw new Error(`${side} does not tell ${key}`);
    return value;
  };
  const cpuMs = (numberOf(multi, 'master_cpu_share') * 1_000) / perSecond;
  return [
    // The longest is the one that offers all agents.
    lower(`${name}: longest run`, ms(`${RUN}/max`), 'ms', GOAL),
    lower(`${name}: run, p99`, ms(`${RUN}/p99`), 'ms', GOAL),
    lower(`${name}: run, p50`, ms(`${RUN}/p50`), 'ms'),
    lower(`${name}: wait for a run, p99`, ms(`${WAIT}/p99`), 'ms'),
    lower(`${name}: processor time of an offer`, cpuMs, 'ms'),
  ];
}
