// Addresses and services that do not agree, what is done about it, and that it is enough: in the end they do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Effect } from '#kube/controllers/effects.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { reconcileAddress, reconcileNodePorts, reconcileService, type Known } from './core.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const at = (ms: number): string => new Date(START + ms).toISOString();

const service = (name: string, spec: object, ms = 0): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'a', name, creationTimestamp: at(ms) },
  spec,
});
const both = (first: string, second: string): object => ({
  type: 'ClusterIP',
  clusterIP: first,
  clusterIPs: [first, second],
});
const own = (ip: string): object => ({ type: 'ClusterIP', clusterIP: ip, clusterIPs: [ip] });
const labelsOf = (family: string): Record<string, string> => ({
  'ipaddress.kubernetes.io/ip-family': family,
  'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
});
const address = (ip: string, name: string, more: object = {}, ms = 0): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IPAddress',
  metadata: {
    name: ip,
    labels: labelsOf(ip.includes(':') ? 'IPv6' : 'IPv4'),
    creationTimestamp: at(ms),
  },
  spec: { parentRef: { group: '', resource: 'services', namespace: 'a', name, ...more } },
});

const knownOf = (services: readonly KubeObject[], addresses: readonly KubeObject[]): Known => ({
  cidrs: ['10.0.0.0/24', 'fd00::/120'],
  address: (ip) => addresses.find(({ metadata }) => metadata.name === ip),
  service: (namespace, name) =>
    services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
});

function words(effects: readonly Effect[]): string[] {
  return effects.map((one) => {
    if (one.kind === 'event') return `${one.reason}: ${one.message}`;
    return one.kind === 'create' || one.kind === 'delete'
      ? `${one.kind} ${one.object.metadata.name}`
      : one.kind;
  });
}

const ofServices: readonly (readonly [string, KubeObject, KubeObject[], string[]])[] = [
  ['its own', service('s', own('10.0.0.5')), [address('10.0.0.5', 's')], []],
  ['none', service('s', { clusterIP: 'None', clusterIPs: ['None'] }), [], []],
  [
    'not taken',
    service('s', own('10.0.0.5')),
    [],
    [
      'ClusterIPNotAllocated: Cluster IP [IPv4]: 10.0.0.5 is not allocated; repairing',
      'create 10.0.0.5',
    ],
  ],
  [
    'out of range',
    service('s', own('10.0.1.5')),
    [],
    [
      'ClusterIPOutOfRange: Cluster IP [IPv4]: 10.0.1.5 is not within any configured Service CIDR; please recreate service',
    ],
  ],
  [
    'of something else',
    service('s', own('10.0.0.5')),
    [address('10.0.0.5', 's', { resource: 'gateways', group: 'x.test' })],
    [
      'ClusterIPNotAllocated: the ClusterIP [IPv4]: 10.0.0.5 for Service a/s has a wrong reference; repairing',
      'delete 10.0.0.5',
      'create 10.0.0.5',
    ],
  ],
  [
    'of a service that is gone',
    service('s', own('10.0.0.5')),
    [address('10.0.0.5', 'gone')],
    [
      'ClusterIPNotAllocated: the ClusterIP [IPv4]: 10.0.0.5 for Service a/s has a wrong reference; repairing',
      'delete 10.0.0.5',
      'create 10.0.0.5',
    ],
  ],
  [
    'of two services',
    service('s', own('10.0.0.7')),
    [address('10.0.0.7', 'twin')],
    [
      'ClusterIPAlreadyAllocated: Cluster IP [IPv4]:10.0.0.7 was assigned to multiple services; please recreate service',
    ],
  ],
  [
    'without its labels',
    service('s', own('10.0.0.5')),
    [{ ...address('10.0.0.5', 's'), metadata: { name: '10.0.0.5' } }],
    ['delete 10.0.0.5', 'create 10.0.0.5'],
  ],
  [
    'both, its own',
    service('s', both('10.0.0.5', 'fd00::5')),
    [address('10.0.0.5', 's'), address('fd00::5', 's')],
    [],
  ],
  [
    'both, written long',
    service('s', both('FD00:0::5', '10.0.0.5')),
    [address('10.0.0.5', 's'), address('fd00::5', 's')],
    [],
  ],
  [
    'both, the second not taken',
    service('s', both('10.0.0.5', 'fd00::5')),
    [address('10.0.0.5', 's')],
    [
      'ClusterIPNotAllocated: Cluster IP [IPv6]: fd00::5 is not allocated; repairing',
      'create fd00::5',
    ],
  ],
  [
    'both, of no range any more',
    service('s', both('10.0.1.5', 'fd01::5')),
    [],
    [
      'ClusterIPOutOfRange: Cluster IP [IPv4]: 10.0.1.5 is not within any configured Service CIDR; please recreate service',
      'ClusterIPOutOfRange: Cluster IP [IPv6]: fd01::5 is not within any configured Service CIDR; please recreate service',
    ],
  ],
  [
    'of IPv6, labelled as of the other family',
    service('s', own('fd00::5')),
    [
      {
        ...address('fd00::5', 's'),
        metadata: { name: 'fd00::5', labels: labelsOf('IPv4') },
      },
    ],
    ['delete fd00::5', 'create fd00::5'],
  ],
];

for (const [what, one, addresses, wanted] of ofServices) {
  test(`a service whose address is ${what}`, () => {
    const known = knownOf([one, service('twin', own('10.0.0.7'))], addresses);
    assert.deepEqual(words(reconcileService(one, known).effects), wanted);
  });
}

const leaked =
  'IPAddressNotAllocated: IPAddress: 10.0.0.5 for Service a/s appears to have leaked: cleaning up';
const wrong =
  'IPAddressWrongReference: IPAddress: 10.0.0.5 for Service a/s has a wrong reference; cleaning up';
const ofAddresses: readonly (readonly [
  string,
  KubeObject,
  KubeObject[],
  number,
  string[] | number,
])[] = [
  ['of its service', address('10.0.0.5', 's'), [service('s', own('10.0.0.5'))], 0, []],
  ['of nobody, new', address('10.0.0.5', 's'), [], 59_000, 1_001],
  ['of nobody, old', address('10.0.0.5', 's'), [], 60_001, [leaked, 'delete 10.0.0.5']],
  [
    'of a gateway',
    address('10.0.0.5', 's', { resource: 'gateways', group: 'x.test' }),
    [],
    0,
    [
      'IPAddressNotAllocated: IPAddress 10.0.0.5 appears to have been modified, not referencing a Service &{x.test gateways a s}: cleaning up',
      'delete 10.0.0.5',
    ],
  ],
  [
    'of a service that has another',
    address('10.0.0.5', 's'),
    [service('s', own('10.0.0.6'))],
    5_000,
    [wrong, 'delete 10.0.0.5'],
  ],
  [
    'of the second in which its service was made',
    address('10.0.0.5', 's'),
    [service('s', own('10.0.0.6'))],
    900,
    5_000,
  ],
  [
    'of a service as its second one',
    address('fd00::5', 's'),
    [service('s', both('10.0.0.5', 'fd00::5'))],
    90_000,
    [],
  ],
  [
    'newer than the service that is seen',
    address('10.0.0.5', 's', {}, 2_000),
    [service('s', own('10.0.0.6'))],
    3_000,
    5_000,
  ],
  [
    'of a service that became a name',
    address('10.0.0.5', 's'),
    [service('s', { type: 'ExternalName' })],
    20_000,
    40_000,
  ],
  [
    "of somebody else's making",
    { ...address('10.0.0.5', 's'), metadata: { name: '10.0.0.5', creationTimestamp: at(0) } },
    [],
    90_000,
    [],
  ],
];

for (const [what, one, services, ms, wanted] of ofAddresses) {
  test(`an address ${what}`, () => {
    const { effects, againInMs } = reconcileAddress(one, knownOf(services, [one]), START + ms);
    assert.deepEqual(againInMs ?? words(effects), wanted);
  });
}

test('node ports of two services and out of range are told, to who came later', () => {
  const ports = (...all: number[]): object => ({ ports: all.map((nodePort) => ({ nodePort })) });
  const services = [
    service('one', ports(30_001, 30_002)),
    service('two', ports(30_002, 30_002)),
    service('three', ports(80)),
  ];
  assert.deepEqual(
    reconcileNodePorts(services).effects.flatMap((one) =>
      one.kind === 'event' ? [`${one.about.metadata.name} ${one.reason}: ${one.message}`] : [],
    ),
    [
      'two PortAlreadyAllocated: Port 30002 was assigned to multiple services; please recreate service',
      'three PortOutOfRange: Port 80 is not within the port range 30000-32767; please recreate service',
    ],
  );
});
