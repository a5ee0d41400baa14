// Patches of each kind, and server-side apply, of pending pods by one, sixteen and sixty-four workers. The load
// generator knows merge patches only, so that the benchmarks' own client asks here.
import type { Benchmark, Measure } from './benchmark.ts';
import { KubeClient, type BenchRequest } from './kube-client.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, higher, lower } from './mesos-master.ts';

const PODS = '/api/v1/namespaces/default/pods';
const workersOf = [1, 16, 64];

const nameOf = (index: number): string => `patched-${String(index).padStart(5, '0')}`;

function pod(index: number, image: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: nameOf(index), labels: { app: 'patched' } },
    spec: {
      // Nobody: it stays pending, and nobody else touches it.
      schedulerName: 'nobody',
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image, resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
    },
  });
}

interface Kind {
  readonly name: string;
  readonly contentType: string;
  body(index: number, round: string): string;
}

const kinds: readonly Kind[] = [
  {
    name: 'json patch',
    contentType: 'application/json-patch+json',
    body: (_index, value) =>
      JSON.stringify([{ op: 'replace', path: '/spec/containers/0/image', value }]),
  },
  {
    name: 'merge patch',
    contentType: 'application/merge-patch+json',
    body: (_index, round) => JSON.stringify({ metadata: { labels: { round } } }),
  },
  {
    name: 'strategic merge patch',
    contentType: 'application/strategic-merge-patch+json',
    body: (_index, image) => JSON.stringify({ spec: { containers: [{ name: 'c', image }] } }),
  },
  {
    name: 'apply',
    contentType: 'application/apply-patch+yaml',
    body: (index, image) => pod(index, image),
  },
];

function patchOf(kind: Kind, index: number, round: string): BenchRequest {
  const path = `${PODS}/${nameOf(index)}?fieldManager=bench&force=${kind.name === 'apply'}`;
  const { contentType } = kind;
  const plain = kind.name === 'apply' ? path : path.replace('&force=false', '');
  return { method: 'PATCH', path: plain, contentType, body: kind.body(index, round) };
}

/** The namespace's service account is there as soon as a controller has made it. */
async function accountIsThere(client: KubeClient): Promise<void> {
  const path = '/api/v1/namespaces/default/serviceaccounts/default';
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      return void (await client.send({ method: 'GET', path }));
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

export const kubePatches: Benchmark = {
  name: 'kube-patches',
  about: '1,000 pods applied, then changed by each kind of patch, by 1, 16 and 64 workers',
  peer: 'Kubernetes',
  missing: missingKube,
  async measure(side, size) {
    const count = size === 'full' ? 1_000 : 32;
    await using server = await KubeServer.start(side);
    using client = new KubeClient(server.kubeconfig);
    await accountIsThere(client);
    const measures: Measure[] = [];
    const take = async (
      name: string,
      workers: number,
      n: number,
      of: (index: number) => BenchRequest,
    ) => {
      const before = server.processorSeconds;
      const { perSecond, p99Ms } = await client.load(workers, n, of);
      const cpuMs = ((server.processorSeconds - before) * 1_000) / n;
      measures.push(
        higher(name, perSecond, '/s', 1),
        lower(`${name}, processor time`, cpuMs, 'ms', 1),
        lower(`${name}, p99`, p99Ms, 'ms'),
      );
    };
    const apply = kinds.at(-1) as Kind;
    await take('create by apply, 16 workers', 16, count, (index) => patchOf(apply, index, 'first'));
    for (const workers of workersOf) {
      const n = workers === 1 ? Math.ceil(count / 4) : count;
      for (const kind of kinds) {
        const name = `${kind.name}, ${workers} worker${workers === 1 ? '' : 's'}`;
        await take(name, workers, n, (index) => patchOf(kind, index, `${kind.name[0]}${workers}`));
      }
    }
    const left = await client.send({ method: 'GET', path: `${PODS}/${nameOf(count - 1)}` });
    const { spec } = JSON.parse(left.toString()) as { spec: { containers: { image: string }[] } };
    expectEqual('the last image', spec.containers[0]?.image, `a${workersOf.at(-1)}`);
    return measures;
  },
};
