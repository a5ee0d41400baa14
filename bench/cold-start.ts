// Cold start: from nothing to the first pod that runs, and what the idle whole needs then. Ours starts everything, the
// agent and a real process as the pod included; the peer its control plane, and kwok plays the node.
import { join } from 'node:path';
import { Cluster, run } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';
import type { Benchmark, Measure, Side } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { lower } from './mesos-master.ts';
import { absent, kubePeer } from './peers.ts';
import { processorSeconds, residentMb } from './program.ts';

const POD = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'first' },
  spec: { containers: [{ name: 'first', image: 'host', command: ['sleep', '1000'] }] },
});

/** Creates the pod as soon as it is accepted and waits until it runs. */
async function firstPod(kubeconfig: string): Promise<void> {
  const kubectl = [join(await kubectlFolder(), 'kubectl'), '--kubeconfig', kubeconfig];
  const deadline = performance.now() + 60_000;
  for (;;) {
    const created = await run([...kubectl, 'create', '-f', '-'], { input: POD });
    if (created.status === 0) break;
    // The service account of the namespace is made by a controller.
    if (performance.now() > deadline) throw new Error(`No pod: ${created.stderr}`);
  }
  const phase = '--for=jsonpath={.status.phase}=Running';
  const waited = await run([...kubectl, 'wait', phase, 'pod/first', '--timeout=120s']);
  if (waited.status !== 0) throw new Error(`The first pod does not run: ${waited.stderr}`);
}

function measures(started: number, found: { megabytes: number; cpuSeconds: number }): Measure[] {
  return [
    lower('start to the first pod running', (performance.now() - started) / 1_000, 's', 10),
    lower('processor time of that', found.cpuSeconds, 's', 10),
    lower('resident memory of the control plane', found.megabytes, 'MB', 5),
  ];
}

async function measureOurs(): Promise<Measure[]> {
  await kubectlFolder();
  const started = performance.now();
  const cluster = await Cluster.start();
  try {
    await firstPod(cluster.kubeconfig());
    const { pid, parts } = cluster.state();
    const pids = [pid, ...parts.map((part) => part.pid ?? 0)];
    const sum = (of: (one: number) => number): number =>
      pids.reduce((total, one) => total + of(one), 0);
    // The agent and master are part of the whole here: the peer has nothing in their place.
    return measures(started, { megabytes: sum(residentMb), cpuSeconds: sum(processorSeconds) });
  } finally {
    await cluster.stop();
  }
}

async function measurePeer(): Promise<Measure[]> {
  await kubectlFolder();
  const started = performance.now();
  await using server = await KubeServer.start('peer', { nodes: 1 });
  await firstPod(server.kubeconfig);
  const { residentMb: megabytes, processorSeconds: cpuSeconds } = server;
  return measures(started, { megabytes, cpuSeconds });
}

function missing(side: Side): string | undefined {
  if (side === 'strata') return undefined;
  const more = absent([kubePeer.scheduler, kubePeer.kwok], 'STRATA_BENCH_KUBERNETES');
  return missingKube(side) ?? more;
}

export const coldStart: Benchmark = {
  name: 'cold-start',
  about: 'from nothing to the first pod running; memory of the idle whole',
  peer: 'Kubernetes',
  missing,
  measure: (side) => (side === 'strata' ? measureOurs() : measurePeer()),
};
