// Which node port a port of a service has when an update does not name one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepNodePorts } from './node-ports.ts';

const before = { type: 'LoadBalancer', ports: [{ name: 'a', port: 80, nodePort: 30_080 }] };
const none = { allocateLoadBalancerNodePorts: false };

const cases = [
  ['stays', 'LoadBalancer', {}, {}, 30_080],
  ['stays with another type', 'NodePort', {}, {}, 30_080],
  ['goes when the balancer is told to do without', 'LoadBalancer', none, {}, undefined],
  ['is not taken from one that did without', 'LoadBalancer', {}, none, undefined],
  ['is none of a cluster IP', 'ClusterIP', {}, {}, undefined],
] as const;

for (const [name, type, now, earlier, wanted] of cases) {
  test(`the node port of a port that does not name it ${name}`, () => {
    const ports: { name: string; port: number; nodePort?: number }[] = [{ name: 'a', port: 81 }];
    keepNodePorts({ ...now, type, ports }, { ...before, ...earlier });
    assert.equal(ports[0]?.nodePort, wanted);
  });
}
