// What kubectl asks a server before its first command: discovery, and the schemas that explain a type, each time with
// an empty cache. kubectl's own start is part of both sides' times.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '#test/support/cluster.ts';
import { kubectlFolder } from '#test/support/kubectl.ts';
import { median, type Benchmark, type Measure } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { lower } from './mesos-master.ts';

/** A command, and what its answer holds. */
const commands: readonly (readonly [name: string, args: readonly string[], expected: string])[] = [
  ['api-resources', ['api-resources', '--no-headers'], 'deployments'],
  ['explain', ['explain', 'pods.spec.containers'], 'livenessProbe'],
];

async function cold(
  kubeconfig: string,
  args: readonly string[],
  expected: string,
): Promise<number> {
  const cache = mkdtempSync(join(tmpdir(), 'strata-bench-kubectl-'));
  try {
    const kubectl = join(await kubectlFolder(), 'kubectl');
    const from = performance.now();
    const answer = await run([kubectl, '--kubeconfig', kubeconfig, '--cache-dir', cache, ...args]);
    const seconds = (performance.now() - from) / 1_000;
    if (answer.status !== 0 || !answer.stdout.includes(expected)) {
      throw new Error(`kubectl ${args.join(' ')} failed: ${answer.stderr}${answer.stdout}`);
    }
    return seconds;
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

export const kubeDiscovery: Benchmark = {
  name: 'kube-discovery',
  about: 'kubectl api-resources and kubectl explain, each with a cold cache',
  peer: 'Kubernetes',
  missing: missingKube,
  async measure(side, size) {
    const reps = size === 'full' ? 20 : 2;
    // The program itself is read from the disk once, whichever side is first.
    await run([join(await kubectlFolder(), 'kubectl'), 'version', '--client']);
    await using server = await KubeServer.start(side);
    const measures: Measure[] = [];
    for (const [name, args, expected] of commands) {
      const before = server.processorSeconds;
      const seconds: number[] = [];
      for (let rep = 0; rep < reps; rep += 1)
        seconds.push(await cold(server.kubeconfig, args, expected));
      const cpu = (server.processorSeconds - before) / reps;
      measures.push(
        lower(`kubectl ${name}, the first`, seconds[0] ?? Number.NaN, 's', 1),
        lower(`kubectl ${name}`, median(seconds) ?? Number.NaN, 's', 1),
        lower(`kubectl ${name}, processor time`, cpu, 's', 1),
      );
    }
    return measures;
  },
};
