// ConfigMaps of 1 KB by sixteen workers: created (durably), read, replaced, patched, deleted. Before that, the time
// to /readyz and the memory of the idle server.
import type { Benchmark, Measure } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, higher, lower, numberOf } from './mesos-master.ts';

const WORKERS = 16;

export const kubeObjects: Benchmark = {
  name: 'kube-objects',
  about: '2,000 ConfigMaps of 1 KB created, read, replaced, patched and deleted by 16 workers',
  peer: 'Kubernetes',
  missing: missingKube,
  async measure(side, size) {
    const count = size === 'full' ? 2_000 : 100;
    await using server = await KubeServer.start(side);
    // Two seconds after it is ready the controllers have made what a new cluster has.
    await new Promise((done) => setTimeout(done, 2_000));
    const before: Measure[] = [
      lower('start to /readyz', server.readySeconds, 's', 10),
      lower('processor time of the start', server.processorSeconds, 's'),
      lower('resident memory, idle', server.residentMb, 'MB', 4),
    ];
    const operations = 'create,get,update,patch,delete';
    const load = ['cm', '-n', String(count), '-workers', String(WORKERS), '-ops', operations];
    const steps = await server.load(...load);
    expectEqual('operations', steps.length, operations.split(',').length);
    return [
      ...before,
      ...steps.flatMap((step) => {
        expectEqual(step.step, step['n'], count);
        const name = step.step.replace('cm-', '');
        const cpuMs = (numberOf(step, 'cpu_server_s') * 1_000) / count;
        return [
          higher(name, numberOf(step, 'per_second'), '/s', 1),
          lower(`${name}, processor time`, cpuMs, 'ms', 1),
          lower(`${name}, p99`, numberOf(step, 'p99_ms'), 'ms'),
        ];
      }),
    ];
  },
};
