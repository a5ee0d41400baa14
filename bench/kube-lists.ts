// Lists of many pending pods, in each form a client may ask for.
import type { Benchmark } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, higher, lower, numberOf } from './mesos-master.ts';

const REPETITIONS = 5;
/** A pending pod in any encoding is larger than this. */
const POD_BYTES_MIN = 400;

export const kubeLists: Benchmark = {
  name: 'kube-lists',
  about: '5,000 pods created by 16 workers, then listed as JSON, gzip, protobuf and in pages',
  peer: 'Kubernetes',
  missing: missingKube,
  async measure(side, size) {
    const count = size === 'full' ? 5_000 : 100;
    await using server = await KubeServer.start(side);
    const [created] = await server.load('pods', '-n', String(count), '-workers', '16');
    if (created === undefined) throw new Error('no pods');
    expectEqual('pods', created['n'], count);
    const lists = await server.load('list', '-reps', String(REPETITIONS));
    return [
      higher('pods created', numberOf(created, 'per_second'), '/s', 1),
      ...lists.flatMap((list) => {
        const variant = String(list['variant']);
        expectEqual(`${variant}: lists`, list['reps'], REPETITIONS);
        if (variant.startsWith('json') && !variant.includes('gzip')) {
          const isWhole = numberOf(list, 'bytes') > count * POD_BYTES_MIN;
          if (!isWhole) throw new Error(`${variant}: only ${String(list['bytes'])} bytes`);
        }
        const cpu = numberOf(list, 'cpu_server_s') / REPETITIONS;
        return [
          lower(`list, ${variant}`, numberOf(list, 'p50_ms') / 1_000, 's', 3),
          lower(`list, ${variant}, processor time`, cpu, 's', 3),
        ];
      }),
      lower('resident memory after', server.residentMb, 'MB'),
    ];
  },
};
