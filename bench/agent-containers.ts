// Containers on one agent: all launched with one ACCEPT and destroyed again, as plain processes with
// cgroups and with namespaces; beside runc alone in the same run.
import { AgentCluster, missingAgent } from './agent-cluster.ts';
import type { Benchmark, Measure } from './benchmark.ts';
import { containerMeasures, measureRunc, missingRunc } from './runc.ts';

/** What runc makes by the same configuration: pid and ipc namespaces, own mounts, limits. */
const ISOLATION = 'cgroups/cpu,cgroups/mem,namespaces/pid,namespaces/ipc';

function benchmark(
  name: string,
  about: string,
  flags: Readonly<Record<string, string>>,
): Benchmark {
  return {
    name,
    about,
    peer: 'runc',
    missing: (side) => (side === 'peer' ? missingRunc() : missingAgent('strata')),
    async measure(side, size): Promise<Measure[]> {
      const count = size === 'full' ? 1000 : 20;
      if (side === 'peer') return measureRunc(count);
      await using cluster = await AgentCluster.start('strata', flags);
      const ids = Array.from({ length: count }, (_, index) => `c${index}`);
      try {
        const timed = await cluster.launch(ids);
        const started = timed[0]?.askedAt ?? 0;
        const launched = performance.now();
        await cluster.end(ids);
        return containerMeasures(started, launched, performance.now());
      } catch (error) {
        throw new Error(`${String(error)}\n${cluster.log()}`, { cause: error });
      }
    },
  };
}

export const agentProcesses = benchmark(
  'agent-processes',
  '1,000 plain processes launched on one agent and ended again',
  {},
);

export const agentContainers = benchmark(
  'agent-containers',
  '1,000 containers with namespaces launched on one agent and destroyed again',
  { isolation: ISOLATION },
);
