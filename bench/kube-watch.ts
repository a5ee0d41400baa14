// Watch fan-out: many watchers of one namespace, each to see every update, as fast as updates are taken at a
// rate that both sides can keep up with.
import type { Benchmark } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, lower, numberOf } from './mesos-master.ts';

const RATE = 10;

export const kubeWatch: Benchmark = {
  name: 'kube-watch',
  about: `500 watchers each see 300 updates, ${RATE} a second`,
  peer: 'Kubernetes',
  missing: missingKube,
  async measure(side, size) {
    const [watchers, updates] = size === 'full' ? [500, 300] : [20, 50];
    await using server = await KubeServer.start(side);
    const what = [
      '-watchers',
      String(watchers),
      '-updates',
      String(updates),
      '-rate',
      String(RATE),
    ];
    const [watched] = await server.load('-conns', '16', 'watch', ...what);
    if (watched === undefined) throw new Error('no watch');
    expectEqual('watchers closed', watched['closed'], 0);
    expectEqual('events', watched['events'], watchers * updates);
    return [
      lower('update to event, median', numberOf(watched, 'watch_p50_ms'), 'ms', 3),
      lower('update to event, p99', numberOf(watched, 'watch_p99_ms'), 'ms', 3),
      lower('processor time', numberOf(watched, 'cpu_server_s'), 's', 3),
      lower('resident memory after', server.residentMb, 'MB'),
    ];
  },
};
