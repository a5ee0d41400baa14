// The allocator's decisions, as each master times them itself while frameworks decline what they are offered
// (the load of Mesos' own DeclineOffers benchmark, which its packages leave out). What is compared is the
// decision for an offer: the time that runs take in all, of which there are few long ones on one side and many
// short ones on the other, over the offers that come of them; without making and sending those, on both sides.
// Both masters time themselves by the clock: so both have real-time priority, or it would be told how long others
// had the processor meanwhile.
// Percentiles are told for information: a run of this program looks at what changed, one of Mesos at everything.
import type { Benchmark, Measure, Side } from './benchmark.ts';
import { expectEqual, loadMaster, lower, missingMesos, numberOf, stepsOf } from './mesos-master.ts';

const RUN = 'allocator/mesos/allocation_run_ms';
const RUNS = 'allocator/mesos/allocation_runs';
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
  const share = new BusyShare();
  const steps = await loadMaster(side, {
    agents,
    steps: [`multi:${frameworks}:${roles}`],
    windowSeconds,
    isUndisturbed: true,
    onMetrics: (now) => {
      if (now['master/frameworks_active'] !== frameworks) return;
      metrics = now;
      share.add(now[RUNS] ?? 0, now[RUN] ?? 0, performance.now());
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
    lower(`${name}: decision for an offer`, (share.value() * 1_000_000) / perSecond, 'µs', GOAL),
    // The one that offers all agents; while few frameworks are there, and code is not optimized yet.
    lower(`${name}: longest run`, ms(`${RUN}/max`), 'ms'),
    lower(`${name}: run, p99`, ms(`${RUN}/p99`), 'ms'),
    lower(`${name}: run, p50`, ms(`${RUN}/p50`), 'ms'),
    lower(`${name}: wait for a run, p99`, ms(`${WAIT}/p99`), 'ms'),
    lower(`${name}: processor time of an offer`, cpuMs, 'ms'),
  ];
}

/**
 * Part of the time that runs take, seen from time to time. Those that came between two looks are taken to be as long
 * as the longer one of the two that were seen: that errs against whoever has many.
 */
class BusyShare {
  #first: { readonly at: number; readonly runs: number } | undefined;
  #runs = 0;
  #lastMs = 0;
  #busyMs = 0;
  #lastAt = 0;

  /** Runs so far, the milliseconds of the last one, and when that was asked. */
  add(runs: number, lastMs: number, at: number): void {
    const more = runs - this.#runs;
    if (this.#first === undefined) this.#first = { at, runs };
    else if (more > 0) this.#busyMs += lastMs + (more - 1) * Math.max(lastMs, this.#lastMs);
    this.#runs = runs;
    this.#lastMs = lastMs;
    this.#lastAt = at;
  }

  value(): number {
    const first = this.#first;
    if (first === undefined || this.#runs === first.runs) throw new Error('no runs were seen');
    return this.#busyMs / (this.#lastAt - first.at);
  }
}
