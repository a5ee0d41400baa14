// Watch fan-out: many watchers of one namespace, each to see every update; at a rate of updates that both sides can
// keep up with, and as fast as it goes, as the peer's own measurements have it.
import type { Benchmark } from './benchmark.ts';
import { KubeServer, missingKube } from './kube-server.ts';
import { expectEqual, higher, lower, numberOf, type Step } from './mesos-master.ts';

const UPDATES = 1_000;
const counted = (full: number): string => full.toLocaleString('en');

/** `rate`: updates a second; undefined is as fast as eight clients have their answers. */
async function load(
  server: KubeServer,
  { watchers, updates, rate }: { watchers: number; updates: number; rate?: number },
): Promise<Step> {
  const pace = rate === undefined ? [] : ['-rate', String(rate)];
  const what = ['-watchers', String(watchers), '-updates', String(updates)];
  const [watched] = await server.load('-conns', '16', 'watch', ...what, ...pace);
  if (watched === undefined) throw new Error('no watch');
  return watched;
}

function paced(name: string, full: number, rate: number): Benchmark {
  return {
    name,
    about: `${counted(full)} watchers each see ${UPDATES} updates, ${rate} a second`,
    peer: 'Kubernetes',
    missing: missingKube,
    async measure(side, size) {
      const [watchers, updates] = size === 'full' ? [full, UPDATES] : [50, 50];
      await using server = await KubeServer.start(side);
      const pace = size === 'full' ? rate : 25;
      const watched = await load(server, { watchers, updates, rate: pace });
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

/** The peer closes watchers that fall behind, and they do not come back: its events are those that arrived. */
function unpaced(name: string, full: number): Benchmark {
  return {
    name,
    about: `${counted(full)} watchers during ${UPDATES} updates as fast as they go`,
    peer: 'Kubernetes',
    missing: missingKube,
    async measure(side, size) {
      const [watchers, updates] = size === 'full' ? [full, UPDATES] : [50, 50];
      await using server = await KubeServer.start(side);
      const watched = await load(server, { watchers, updates });
      if (side === 'strata') {
        expectEqual('watchers closed', watched['closed'], 0);
        expectEqual('events', watched['events'], watchers * updates);
      }
      const events = numberOf(watched, 'events');
      return [
        higher('events delivered', numberOf(watched, 'events_per_second'), '/s', 3),
        lower('watchers closed', numberOf(watched, 'closed'), ''),
        lower('update to event, median', numberOf(watched, 'watch_p50_ms'), 'ms', 3),
        lower('update to event, p99', numberOf(watched, 'watch_p99_ms'), 'ms', 3),
        lower(
          'processor time an event',
          (numberOf(watched, 'cpu_server_s') / events) * 1e6,
          'µs',
          3,
        ),
        lower('resident memory after', server.residentMb, 'MB'),
      ];
    },
  };
}

export const kubeWatch = paced('kube-watch', 1_000, 10);
export const kubeWatchLarge = paced('kube-watch-large', 5_000, 3);
export const kubeWatchFast = unpaced('kube-watch-fast', 1_000);
export const kubeWatchFastLarge = unpaced('kube-watch-fast-large', 5_000);
