// Endpoints of two families: a slice for each family that a service asks for, of the pods that have an address of it;
// Endpoints, which know one family, of the first; and both mirrored from Endpoints that somebody wrote.
import assert from 'node:assert/strict';
import test from 'node:test';
import { mirrorEndpoints } from '#kube/controllers/endpointslicemirroring/core.ts';
import type { Effect } from '#kube/controllers/effects.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileService } from './core.ts';

const metadata = { namespace: 'a', name: 's', uid: 'u' };

const pod = (name: string, ...ips: string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'a', name, uid: name, labels: { app: 'a' } },
  spec: { containers: [] },
  status: {
    phase: 'Running',
    podIP: ips[0],
    podIPs: ips.map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});

const pods = [
  pod('p1', '10.1.0.1', 'fd01::1'),
  pod('p2', 'FD01:0::2', '10.1.0.2'),
  pod('p3', '10.1.0.3'),
  pod('p4', 'fd01::4'),
];
const fours = '10.1.0.1 10.1.0.2 10.1.0.3';
const sixes = 'fd01::1 fd01::2 fd01::4';

/** By kind and family: whose addresses. */
function made(effects: readonly Effect[]): Record<string, string> {
  const found = effects.flatMap((one): [string, string][] => {
    if (one.kind !== 'create') return [];
    const { object } = one;
    const endpoints = (object['endpoints'] ?? []) as { addresses: string[] }[];
    if (object.kind === 'EndpointSlice') {
      const ips = endpoints.flatMap(({ addresses }) => addresses);
      return [[String(object['addressType']), ips.toSorted().join(' ')]];
    }
    const subsets = (object['subsets'] ?? []) as { addresses: { ip: string }[] }[];
    const ips = subsets.flatMap(({ addresses }) => addresses.map(({ ip }) => ip));
    return [['Endpoints', ips.toSorted().join(' ')]];
  });
  return Object.fromEntries(found);
}

const table = [
  ['the first family', ['IPv4'], { IPv4: fours, Endpoints: fours }],
  ['the other family', ['IPv6'], { IPv6: sixes, Endpoints: sixes }],
  ['both', ['IPv4', 'IPv6'], { IPv4: fours, IPv6: sixes, Endpoints: fours }],
  ['both, turned', ['IPv6', 'IPv4'], { IPv4: fours, IPv6: sixes, Endpoints: sixes }],
] as const;

for (const clusterIP of ['10.0.0.7', 'None']) {
  for (const [what, ipFamilies, wanted] of table) {
    test(`endpoints of ${what}, of a service with the address ${clusterIP}`, () => {
      const spec = { clusterIP, ipFamilies, selector: { app: 'a' }, ports: [{ port: 80 }] };
      const service = { apiVersion: 'v1', kind: 'Service', metadata, spec };
      const snapshot = {
        service,
        pods,
        slices: [],
        endpoints: undefined,
        nodes: () => undefined,
      };
      assert.deepEqual(made(reconcileService(snapshot, 0).effects), wanted);
    });
  }
}

test('Endpoints of both families are mirrored to a slice of each, in the form that slices take', () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: {} };
  const subsets = [
    {
      addresses: [{ ip: '10.9.9.9' }, { ip: 'FD09::A' }],
      notReadyAddresses: [{ ip: 'fd09:0::b' }],
    },
  ];
  const endpoints = { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets };
  const { effects } = mirrorEndpoints({ service, endpoints, slices: [] });
  assert.deepEqual(made(effects), { IPv4: '10.9.9.9', IPv6: 'fd09::a fd09::b' });
});
