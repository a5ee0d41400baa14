// ConfigMaps of 1 KB by one, sixteen and sixty-four workers: created (durably), read, replaced, patched, deleted.
// Before that, the time to /readyz and the memory of the idle server.
import type { Benchmark, Measure } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, higher, lower, numberOf } from './mesos-master.ts';

/** Workers, and objects of theirs at full size. */
const loads: readonly (readonly [workers: number, count: number])[] = [
  [16, 2_000],
  [1, 500],
  [64, 2_000],
];

async function loadBy(server: KubeServer, workers: number, count: number): Promise<Measure[]> {
  const operations = 'create,get,update,patch,delete';
  const load = ['cm', '-n', String(count), '-workers', String(workers), '-ops', operations];
  const steps = await server.load(...load);
  expectEqual('operations', steps.length, operations.split(',').length);
  return steps.flatMap((step) => {
    expectEqual(step.step, step['n'], count);
    const name = `${step.step.replace('cm-', '')}, ${workers} worker${workers === 1 ? '' : 's'}`;
    const cpuMs = (numberOf(step, 'cpu_server_s') * 1_000) / count;
    return [
      higher(name, numberOf(step, 'per_second'), '/s', 1),
      lower(`${name}, processor time`, cpuMs, 'ms', 1),
      lower(`${name}, p99`, numberOf(step, 'p99_ms'), 'ms'),
    ];
  });
}

export const kubeObjects: Benchmark = {
  name: 'kube-objects',
  about: 'ConfigMaps of 1 KB created, read, replaced, patched and deleted by 1, 16 and 64 workers',
  peer: 'Kubernetes',
  missing: missingKube,
  async measure(side, size) {
    await using server = await KubeServer.start(side);
    // Two seconds after it is ready the controllers have made what a new cluster has.
    await new Promise((done) => setTimeout(done, 2_000));
    const measures: Measure[] = [
      lower('start to /readyz', server.readySeconds, 's', 10),
      lower('processor time of the start', server.processorSeconds, 's'),
      lower('resident memory, idle', server.residentMb, 'MB', 4),
    ];
    for (const [workers, count] of loads)
      measures.push(...(await loadBy(server, workers, size === 'full' ? count : 64)));
    return measures;
  },
};
