// Node ports that clients want: free ones, taken ones, some out of range.
import type { Step } from './step-player.ts';

type Json = Record<string, unknown>;

const HOME = '/api/v1/namespaces/default/services';
const silent = { isSilent: true };

const service = (name: string, spec: Json, ...ports: Json[]): Json => ({
  metadata: { name },
  spec: { type: 'NodePort', ports: ports.length === 0 ? [{ port: 80 }] : ports, ...spec },
});

const post = (name: string, body: Json, more: Partial<Step> = {}): Step => ({
  name,
  method: 'POST',
  path: HOME,
  body,
  ...more,
});

const merge = (name: string, to: string, spec: Json): Step => ({
  name,
  method: 'PATCH',
  path: `${HOME}/${to}`,
  body: { spec },
  type: 'application/merge-patch+json',
});

const both = (nodePort: number): Json[] =>
  ['TCP', 'UDP'].map((protocol) => ({
    name: protocol.toLowerCase(),
    port: 53,
    protocol,
    nodePort,
  }));

export function portSteps(): Step[] {
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
  return [
    post('wanted', service('one', {}, { port: 80, nodePort: 30_100 })),
    post('taken', service('two', {}, { port: 80, nodePort: 30_100 })),
    post(
      'taken, the second',
      service(
        'two',
        {},
        { name: 'a', port: 80, nodePort: 30_101 },
        { name: 'b', port: 81, nodePort: 30_100 },
      ),
    ),
    post('too low', service('two', {}, { port: 80, nodePort: 80 })),
    post('too high', service('two', {}, { port: 80, nodePort: 32_768 })),
    post('of two protocols', service('dns', {}, ...both(30_200))),
    post(
      'of the same protocol twice',
      service(
        'two',
        {},
        { name: 'a', port: 80, nodePort: 30_300 },
        { name: 'b', port: 81, nodePort: 30_300 },
      ),
    ),
    post('inside', service('inner', { type: 'ClusterIP' }, { port: 80, nodePort: 30_400 })),
    post('drawn', service('drawn', {}), silent),
    merge('changed to a taken one', 'one', { ports: [{ port: 80, nodePort: 30_200 }] }),
    merge('changed to its own', 'one', { ports: [{ port: 81, nodePort: 30_100 }] }),
    merge('changed to another', 'one', { ports: [{ port: 81, nodePort: 30_500 }] }),
    post('free again', service('two', {}, { port: 80, nodePort: 30_100 })),
    post(
      'checked',
      service('checked', { ...local, healthCheckNodePort: 30_600 }, { port: 80, nodePort: 30_601 }),
    ),
    post('checked at a taken one', service('more', { ...local, healthCheckNodePort: 30_600 })),
    post('checked out of range', service('more', { ...local, healthCheckNodePort: 600 })),
    post(
      'checked without a reason',
      service('more', { type: 'LoadBalancer', healthCheckNodePort: 30_700 }),
    ),
    post(
      'without ports',
      service('none', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }),
    ),
    merge('no longer checked', 'checked', { externalTrafficPolicy: 'Cluster' }),
    merge('inside now', 'checked', {
      type: 'ClusterIP',
      externalTrafficPolicy: null,
      allocateLoadBalancerNodePorts: null,
    }),
  ];
}
