// Where the peers and their load generators lie on this machine. They are never part of this
// repository; what is absent is said, not passed over.
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mesosFolder = process.env['STRATA_BENCH_MESOS'] ?? join(tmpdir(), 'real-mesos');
const kubeFolder = process.env['STRATA_BENCH_KUBERNETES'] ?? join(tmpdir(), 'k8s-peers/bin');

export const mesosPeer = {
  folder: mesosFolder,
  master: join(mesosFolder, 'real-mesos-master'),
  loadgen: join(mesosFolder, 'loadgen'),
};

export const kubePeer = {
  folder: kubeFolder,
  etcd: join(kubeFolder, 'etcd'),
  apiserver: join(kubeFolder, 'kube-apiserver'),
  controllers: join(kubeFolder, 'kube-controller-manager'),
  scheduler: join(kubeFolder, 'kube-scheduler'),
  kwok: join(kubeFolder, 'kwok'),
  loadgen: join(kubeFolder, 'loadgen'),
};

/** Says which of the files is absent, and by which variable it is found. */
export function absent(files: readonly string[], variable: string): string | undefined {
  const gone = files.filter((file) => !existsSync(file));
  return gone.length === 0 ? undefined : `no ${gone.join(', ')} (set ${variable} to its folder)`;
}
