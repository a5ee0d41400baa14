// Watch fan-out: many watchers of one namespace, each to see every update, at a rate of updates that both sides
// can keep up with.
import type { Benchmark } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, lower, numberOf } from './mesos-master.ts';

const UPDATES = 1_000;

function watch(name: string, full: number, rate: number): Benchmark {
  return {
    name,
    about: `${full.toLocaleString('en')} watchers each see ${UPDATES} updates, ${rate} a second`,
    peer: 'Kubernetes',
    missing: missingKube,
    async measure(side, size) {
      const [watchers, updates] = size === 'full' ? [full, UPDATES] : [50, 50];
      await using server = await KubeServer.start(side);
      const load = ['-watchers', String(watchers), '-updates', String(updates)];
      const pace = ['-rate', String(size === 'full' ? rate : 25)];
      const [watched] = await server.load('-conns', '16', 'watch', ...load, ...pace);
      if (watched === undefined) throw new Error('no watch');
      expectEqual('watchers closed', watched['closed'], 0);
      expectEqual('events', watched['events'], watchers * updates);
      return [
        lower('watches opened', numberOf(watched, 'open_seconds'), 's'),
        lower('update to event, median', numberOf(watched, 'watch_p50_ms'), 'ms', 3),
        lower('update to event, p99', numberOf(watched, 'watch_p99_ms'), 'ms', 3),
        lower('processor time', numberOf(watched, 'cpu_server_s'), 's', 3),
        lower('resident memory after', server.residentMb, 'MB'),
      ];
    },
  };
}

export const kubeWatch = watch('kube-watch', 1_000, 10);
export const kubeWatchLarge = watch('kube-watch-large', 5_000, 3);
