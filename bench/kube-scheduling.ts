// Pods bound per second, through the whole API and durable: on our side by an instance's scheduler on the offers
// of a master with fake agents, on the peer's by kube-scheduler on fake nodes. Where the pods would run is
// simulated on both; the load generator of the Kubernetes peer makes them and watches until all are bound.
import type { Benchmark, Side } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, higher, lower, missingMesos, numberOf } from './mesos-master.ts';
import { absent, kubePeer } from './peers.ts';

function missing(side: Side): string | undefined {
  const own = missingKube(side);
  if (own !== undefined) return own;
  // The fake agents come with the Mesos peer.
  if (side === 'strata') return missingMesos('strata');
  return absent([kubePeer.scheduler, kubePeer.kwok], 'STRATA_BENCH_KUBERNETES');
}

export const kubeScheduling: Benchmark = {
  name: 'kube-scheduling',
  about: '2,000 pods made directly by 16 workers and bound to 1,000 nodes',
  peer: 'Kubernetes',
  missing,
  async measure(side, size) {
    const [nodes, pods] = size === 'full' ? [1_000, 2_000] : [20, 60];
    await using server = await KubeServer.start(side, { nodes });
    const [bound] = await server.load('sched', '-n', String(pods), '-bound-only');
    if (bound === undefined) throw new Error('no pods');
    expectEqual('pods bound', bound['bound'], pods);
    return [
      higher('pods bound', numberOf(bound, 'bound_per_second'), '/s', 10),
      lower('processor time', numberOf(bound, 'cpu_server_s'), 's'),
      lower('resident memory after', server.residentMb, 'MB', 5),
    ];
  },
};
