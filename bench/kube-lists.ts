// Lists of many pending pods, in each form a client may ask for, whole and in pages; and the memory that a server
// with so many pods needs.
import type { Benchmark, Measure } from './benchmark.ts';
import { KubeClient } from './kube-client.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, higher, lower, numberOf } from './mesos-master.ts';

const PATH = '/api/v1/namespaces/pods/pods';
const PAGE = 500;
/** A pending pod in any encoding is larger than this. */
const POD_BYTES_MIN = 400;

/** What the load generator has no command for: pages in protobuf. */
async function protobufPages(server: KubeServer, count: number, reps: number): Promise<Measure[]> {
  using client = new KubeClient(server.kubeconfig);
  const seconds: number[] = [];
  // Once before it counts: the client of both sides is compiled while it runs for the first time.
  await client.protobufPages(PATH, PAGE);
  const before = server.processorSeconds;
  for (let rep = 0; rep < reps; rep += 1) {
    const from = performance.now();
    const { pages, items } = await client.protobufPages(PATH, PAGE);
    seconds.push((performance.now() - from) / 1_000);
    expectEqual('pages', pages, Math.ceil(count / PAGE));
    expectEqual('pods in pages', items, count);
  }
  const cpu = (server.processorSeconds - before) / reps;
  const name = `list, protobuf limit=${PAGE}`;
  const [middle = Number.NaN] = seconds.toSorted((a, b) => a - b).slice(Math.floor(reps / 2));
  return [lower(name, middle, 's', 3), lower(`${name}, processor time`, cpu, 's', 3)];
}

function lists(name: string, full: number, reps: number): Benchmark {
  const pods = full.toLocaleString('en');
  return {
    name,
    about: `${pods} pods created by 16 workers, then listed as JSON, gzip and protobuf, whole and in pages`,
    peer: 'Kubernetes',
    missing: missingKube,
    async measure(side, size) {
      const count = size === 'full' ? full : 100;
      await using server = await KubeServer.start(side);
      const [created] = await server.load('pods', '-n', String(count), '-workers', '16');
      if (created === undefined) throw new Error('no pods');
      expectEqual('pods', created['n'], count);
      const cpuMs = (numberOf(created, 'cpu_server_s') * 1_000) / count;
      const before = server.residentMb;
      const found = await server.load('list', '-reps', String(reps));
      return [
        higher('pods created', numberOf(created, 'per_second'), '/s', 1),
        lower('pods created, processor time', cpuMs, 'ms', 1),
        lower('resident memory with the pods', before, 'MB', 1),
        ...found.flatMap((list) => {
          const variant = String(list['variant']);
          expectEqual(`${variant}: lists`, list['reps'], reps);
          if (variant.startsWith('json') && !variant.includes('gzip')) {
            const isWhole = numberOf(list, 'bytes') > count * POD_BYTES_MIN;
            if (!isWhole) throw new Error(`${variant}: only ${String(list['bytes'])} bytes`);
          }
          const cpu = numberOf(list, 'cpu_server_s') / reps;
          return [
            lower(`list, ${variant}`, numberOf(list, 'p50_ms') / 1_000, 's', 3),
            lower(`list, ${variant}, processor time`, cpu, 's', 3),
          ];
        }),
        ...(await protobufPages(server, count, reps)),
        lower('resident memory after the lists', server.residentMb, 'MB', 1),
      ];
    },
  };
}

export const kubeLists = lists('kube-lists', 10_000, 5);
export const kubeListsLarge = lists('kube-lists-large', 100_000, 3);
