// Offers: one framework subscribes and is offered every agent; it leaves and another comes.
import { median, type Benchmark } from './benchmark.ts';
import { expectEqual, loadMaster, lower, missingMesos, numberOf, stepsOf } from './mesos-master.ts';

const REPETITIONS = 5;

export const mesosOffers: Benchmark = {
  name: 'mesos-offers',
  about: 'all offers of 10,000 agents to one framework, five times',
  peer: 'Mesos',
  missing: missingMesos,
  async measure(side, size) {
    const agents = size === 'full' ? 10_000 : 200;
    const steps = await loadMaster(side, { agents, steps: [`offers:${REPETITIONS}`] });
    const offers = stepsOf(steps, 'offers');
    expectEqual('runs', offers.length, REPETITIONS);
    for (const one of offers) expectEqual('agents offered', one['agents'], agents);
    const middle = (field: string): number =>
      median(offers.map((one) => numberOf(one, field))) ?? Number.NaN;
    return [
      lower('until all are offered', middle('seconds'), 's', 3),
      lower('until the first offer', middle('first_s'), 's'),
      lower('processor time of that', middle('step_cpu_s'), 's', 3),
      lower('resident memory after', middle('rss_mb'), 'MB', 2),
    ];
  },
};
