// The allocator alone, in the shapes of Mesos' own allocator benchmarks (inventory section 5.4). Those are
// part of Mesos' tests, which its packages leave out: this side alone is measured.
import type { Benchmark, Measure } from './benchmark.ts';
import { measure } from './micro/allocator.ts';

export const mesosAllocator: Benchmark = {
  name: 'mesos-allocator',
  about: "the allocator's own benchmark shapes with 1,000 agents and 200 frameworks",
  peer: 'Mesos',
  missing: (side) =>
    side === 'peer' ? 'its allocator benchmarks are not in its packages' : undefined,
  measure(_side, size) {
    const shape =
      size === 'full' ? { agents: 1_000, frameworks: 200 } : { agents: 100, frameworks: 20 };
    const found: Measure[] = [];
    for (const { shape: name, phases } of measure(shape)) {
      for (const phase of phases) {
        found.push({
          name: `${name}: ${phase.name} (${phase.count})`,
          value: phase.ms,
          unit: 'ms',
          better: 'lower',
        });
      }
    }
    return Promise.resolve(found);
  },
};
