// Many frameworks: each declines whatever it is offered for five seconds; what the master delivers, what
// that costs, how long others wait meanwhile, and how long the frameworks' removal takes.
import type { Benchmark } from './benchmark.ts';
import {
  expectEqual,
  higher,
  loadMaster,
  lower,
  missingMesos,
  numberOf,
  stepsOf,
} from './mesos-master.ts';

export const mesosFrameworks: Benchmark = {
  name: 'mesos-frameworks',
  about: '200 frameworks in 10 roles decline the offers of 10,000 agents for 5 s each time',
  peer: 'Mesos',
  missing: missingMesos,
  async measure(side, size) {
    const isFull = size === 'full';
    const [agents, frameworks, roles] = isFull ? [10_000, 200, 10] : [200, 10, 2];
    const steps = await loadMaster(side, {
      agents,
      steps: [`multi:${frameworks}:${roles}`],
      windowSeconds: isFull ? 20 : 6,
    });
    const [multi] = stepsOf(steps, 'multi');
    const [removal] = stepsOf(steps, 'multi-teardown');
    if (multi === undefined || removal === undefined) throw new Error('no steps');
    expectEqual('frameworks', multi['frameworks'], frameworks);
    const perSecond = numberOf(multi, 'offers_per_s');
    if (perSecond === 0) throw new Error('no framework was offered anything');
    const cpuMs = (numberOf(multi, 'master_cpu_share') * 1_000_000) / perSecond;
    return [
      lower('until every agent was offered', numberOf(multi, 'all_agents_offered_s'), 's', 3),
      higher('offers delivered', perSecond, '/s', 3),
      lower('processor time for 1,000 offers', cpuMs, 'ms', 3),
      higher('offers of the framework with the fewest', numberOf(multi, 'least_offers'), ''),
      lower('/health, median', numberOf(multi, 'health_ms_median'), 'ms'),
      lower('/health, longest', numberOf(multi, 'health_ms_max'), 'ms'),
      lower('all frameworks removed', numberOf(removal, 'seconds'), 's', 20),
      lower('processor time of the removal', numberOf(removal, 'step_cpu_s'), 's', 20),
      lower('resident memory after', numberOf(removal, 'rss_mb'), 'MB', 2),
    ];
  },
};
