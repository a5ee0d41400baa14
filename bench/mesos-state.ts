// Reads: the large endpoints of the operator's side with many agents and many running tasks.
import type { Benchmark } from './benchmark.ts';
import { expectEqual, loadMaster, lower, missingMesos, numberOf, stepsOf } from './mesos-master.ts';

/** Endpoint (or call) and its goal. */
const goals: Readonly<Record<string, number | undefined>> = {
  '/state': 10,
  GET_STATE: 10,
  '/slaves': 10,
  GET_AGENTS: 10,
  '/tasks?limit=100000': 10,
  GET_TASKS: 10,
  '/metrics/snapshot': 10,
  GET_METRICS: 10,
};

export const mesosState: Benchmark = {
  name: 'mesos-state',
  about: '/state, GET_STATE and the like with 10,000 agents and 50,000 running tasks',
  peer: 'Mesos',
  missing: missingMesos,
  async measure(side, size) {
    const isFull = size === 'full';
    const [agents, tasks] = isFull ? [10_000, 50_000] : [200, 1_000];
    const launch = `launch:${tasks}:5:keep`;
    const steps = await loadMaster(side, { agents, steps: [launch, 'state:5', 'teardown'] });
    const [launched] = stepsOf(steps, 'launch');
    if (launched === undefined) throw new Error('no launch');
    expectEqual('tasks that run', launched['tasks'], tasks);
    const reads = stepsOf(steps, 'state');
    return [
      lower('resident memory with all tasks', numberOf(launched, 'rss_mb'), 'MB', 2),
      ...reads.map((read) => {
        const what = String(read['get']);
        expectEqual(`${what}: status`, read['status'], '200 OK');
        const isWhole = /metrics/i.test(what) || numberOf(read, 'bytes') > agents * 100;
        if (!isWhole) throw new Error(`${what}: only ${String(read['bytes'])} bytes`);
        return lower(what.replace(/\?.*/, ''), numberOf(read, 'median_s'), 's', goals[what]);
      }),
    ];
  },
};
