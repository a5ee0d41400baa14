// Which endpoint of a service of two families a request through the API server goes to.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectLookup } from './object-lookup.ts';
import { proxyTarget } from './resource-proxy.ts';

const pod = (name: string, ...ips: string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'a', name },
  status: { podIPs: ips.map((ip) => ({ ip })) },
});

const slice = (addressType: string, ip: string, ready = true): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'a', name: ip, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType,
  ports: [{ name: '', port: 80 }],
  endpoints: [
    { addresses: [ip], conditions: { ready }, targetRef: { namespace: 'a', name: 'web' } },
  ],
});

const [four, six] = ['10.1.0.7', 'fd01::7'];

function lookupOf(slices: readonly KubeObject[]): ObjectLookup {
  return {
    get: async (_group, resource) => (resource === 'pods' ? pod('web', four, six) : undefined),
    list: async () => slices,
  } as Partial<ObjectLookup> as ObjectLookup;
}

const table = [
  ['the usual family', 'IPv4', [slice('IPv6', six), slice('IPv4', four)], four],
  ['the other as the usual one', 'IPv6', [slice('IPv6', six), slice('IPv4', four)], six],
  ['what is ready', 'IPv4', [slice('IPv6', six), slice('IPv4', four, false)], six],
  ['the only one', 'IPv4', [slice('IPv6', six)], six],
] as const;

for (const [what, family, slices, wanted] of table) {
  void test(`a service is reached by ${what}`, async () => {
    const place = { resource: 'services', namespace: 'a', id: 'web', path: '/' } as const;
    for (const random of [() => 0, () => 0.999]) {
      const target = await proxyTarget(lookupOf(slices), place, { random, family });
      assert.equal(target.host, wanted);
    }
  });
}
