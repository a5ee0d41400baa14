// Registration: agents register all at once, each over an address of its own; the master's time,
// processor time and memory until the last one is admitted.
import type { Benchmark } from './benchmark.ts';
import { loadMaster, lower, missingMesos, numberOf, stepsOf } from './mesos-master.ts';

export const mesosRegistration: Benchmark = {
  name: 'mesos-registration',
  about: '10,000 agents register at once',
  peer: 'Mesos',
  missing: missingMesos,
  async measure(side, size) {
    const agents = size === 'full' ? 10_000 : 200;
    const steps = await loadMaster(side, { agents, steps: [] });
    const [register] = stepsOf(steps, 'register');
    const [settled] = stepsOf(steps, 'settle');
    if (register === undefined || settled === undefined) throw new Error('no steps');
    return [
      lower('until all are registered', numberOf(register, 'seconds'), 's', 2),
      lower('processor time of that', numberOf(register, 'step_cpu_s'), 's', 3),
      lower('resident memory after', numberOf(settled, 'rss_mb'), 'MB', 2),
    ];
  },
};
