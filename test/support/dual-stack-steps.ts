// Services on a server with a range of each family, in either order: what is filled in, what is refused, what
// becomes of addresses when a service gets a second one, loses it, or becomes another kind of service.
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

/** Low addresses are not drawn by the servers, and so they are compared. */
const four = (n: number): string => `198.19.0.${n}`;
const six = (n: number): string => `fd00:19::${n.toString(16)}`;

export const ranges = { four: '198.19.0.0/16', six: 'fd00:19::/112' };

const addresses = '/apis/networking.k8s.io/v1/ipaddresses';
const cidrs = '/apis/networking.k8s.io/v1/servicecidrs';

const service = (name: string, spec: Json): Json => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], selector: { a: 'b' }, ...spec },
});

const policies = [undefined, 'SingleStack', 'PreferDualStack', 'RequireDualStack'];
const familyLists = [undefined, ['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4']];
const addressLists: readonly (readonly string[] | undefined)[] = [
  undefined,
  ['None'],
  [four(70)],
  [six(70)],
  [four(70), six(70)],
  [six(70), four(70)],
];

const addressed = (all: readonly string[] | undefined): Json =>
  all === undefined ? {} : { clusterIP: all[0], clusterIPs: all };

/** Every combination, in a dry run. */
function combinations(services: string): Step[] {
  return policies.flatMap((ipFamilyPolicy) =>
    familyLists.flatMap((ipFamilies) =>
      addressLists.flatMap((list) => {
        const name = `${ipFamilyPolicy ?? 'no policy'}, ${ipFamilies?.join() ?? 'no family'}, ${list?.join() ?? 'no address'}`;
        const spec = {
          ...(ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy }),
          ...(ipFamilies === undefined ? {} : { ipFamilies }),
          ...addressed(list),
        };
        const path = `${services}?dryRun=All`;
        const made = post(`made: ${name}`, path, service('a', spec));
        if (list?.[0] !== 'None') return [made];
        const bare = service('a', { ...spec, selector: null });
        return [made, post(`made: ${name}, no selector`, path, bare)];
      }),
    ),
  );
}

const odd: Readonly<Record<string, Json>> = {
  'odd policy': { ipFamilyPolicy: 'Odd' },
  'same family twice': { ipFamilies: ['IPv6', 'IPv6'] },
  'three families': { ipFamilies: ['IPv4', 'IPv6', 'IPv4'] },
  'odd family': { ipFamilies: ['IPv5'] },
  'odd family with an address': { ipFamilies: ['IPv5'], clusterIP: four(71) },
  'no families': { ipFamilies: [] },
  'addresses alone': { clusterIPs: [four(71), six(71)] },
  'address alone': { clusterIP: six(71) },
  'addresses that differ': { clusterIP: four(71), clusterIPs: [four(72), six(71)] },
  'addresses turned': { clusterIP: four(71), clusterIPs: [six(71), four(71)] },
  'two of one family': {
    clusterIP: six(71),
    clusterIPs: [six(71), six(72)],
    ipFamilyPolicy: 'RequireDualStack',
  },
  'three addresses': { clusterIP: four(71), clusterIPs: [four(71), six(71), four(72)] },
  'none and an address': { clusterIP: 'None', clusterIPs: ['None', six(71)] },
  'an address and none': { clusterIP: six(71), clusterIPs: [six(71), 'None'] },
  'odd second address': { clusterIP: four(71), clusterIPs: [four(71), 'x'] },
  'empty second address': {
    clusterIP: four(71),
    clusterIPs: [four(71), ''],
    ipFamilyPolicy: 'RequireDualStack',
  },
  'long form': { clusterIP: 'FD00:19:0:0::47' },
  'long form, two': {
    clusterIP: four(71),
    clusterIPs: [four(71), 'fd00:0019:0::0:47'],
    ipFamilyPolicy: 'PreferDualStack',
  },
  'mapped address': { clusterIP: '::ffff:198.19.0.71' },
  'leading zeros': { clusterIP: '198.19.000.071' },
  'second beyond its range': {
    clusterIP: four(71),
    clusterIPs: [four(71), 'fd01::1'],
    ipFamilyPolicy: 'RequireDualStack',
  },
  'own address of the range': { clusterIP: '198.19.0.0' },
  'own address of the other range': { clusterIP: 'fd00:19::' },
  'last address': { clusterIP: '198.19.255.255' },
  'last address of the other range': { clusterIP: 'fd00:19::ffff' },
  'headless node ports': { clusterIP: 'None', type: 'NodePort' },
  'node ports': { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack' },
  balancer: { type: 'LoadBalancer', ipFamilyPolicy: 'PreferDualStack' },
  'balancer by address': { type: 'LoadBalancer', loadBalancerIP: 'FD01::1' },
  'external addresses': { externalIPs: ['fd01::1', '10.1.1.1', 'FD01:0::2', '::ffff:1.2.3.4'] },
  'source ranges': {
    type: 'LoadBalancer',
    loadBalancerSourceRanges: ['fd01::/64', '10.0.0.0/8', 'FD01::/64', 'fd01::1/64', '010.0.0.0/8'],
  },
  'external name': { type: 'ExternalName', externalName: 'a.b', ports: null },
  'external name, policy': {
    type: 'ExternalName',
    externalName: 'a.b',
    ipFamilyPolicy: 'RequireDualStack',
  },
  'external name, families': {
    type: 'ExternalName',
    externalName: 'a.b',
    ipFamilies: ['IPv6', 'IPv4'],
  },
  'external name, addresses': {
    type: 'ExternalName',
    externalName: 'a.b',
    ...addressed([four(71), six(71)]),
  },
};

/** What is there before each change. */
const kept: Readonly<Record<string, Json>> = {
  four: { clusterIP: four(10) },
  six: { clusterIP: six(10) },
  both: {
    ...addressed([four(11), six(11)]),
    ipFamilyPolicy: 'RequireDualStack',
  },
  turned: {
    ...addressed([six(12), four(12)]),
    ipFamilyPolicy: 'PreferDualStack',
  },
  likely: { clusterIP: four(13), ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
  headless: { clusterIP: 'None' },
  'headless-both': { clusterIP: 'None', ipFamilyPolicy: 'RequireDualStack' },
  bare: { clusterIP: 'None', selector: null },
  named: { type: 'ExternalName', externalName: 'a.b' },
  ports: {
    type: 'NodePort',
    ...addressed([four(14), six(14)]),
    ipFamilyPolicy: 'PreferDualStack',
    ports: [{ port: 80, nodePort: 30_080 }],
  },
  balanced: {
    type: 'LoadBalancer',
    ...addressed([six(15), four(15)]),
    ipFamilyPolicy: 'RequireDualStack',
    ports: [{ port: 80, nodePort: 30_081 }],
  },
};

const changes: Readonly<Record<string, Json>> = {
  'to one': { ipFamilyPolicy: 'SingleStack' },
  'to preferred two': { ipFamilyPolicy: 'PreferDualStack' },
  'to needed two': { ipFamilyPolicy: 'RequireDualStack' },
  'to no policy': { ipFamilyPolicy: null },
  'to an odd policy': { ipFamilyPolicy: 'Odd' },
  'to one family': { ipFamilies: ['IPv4'] },
  'to the other family': { ipFamilies: ['IPv6'] },
  'to both families': { ipFamilies: ['IPv4', 'IPv6'] },
  'to both families, turned': { ipFamilies: ['IPv6', 'IPv4'] },
  'to no families': { ipFamilies: null },
  'to empty families': { ipFamilies: [] },
  'to no address': { clusterIP: null, clusterIPs: null },
  'to no addresses': { clusterIPs: null },
  'to an empty address': { clusterIP: '', clusterIPs: [] },
  'to another address': { clusterIP: four(99) },
  'to other addresses': { clusterIPs: [four(99), six(99)] },
  'to two other addresses': {
    ...addressed([four(99), six(99)]),
    ipFamilyPolicy: 'RequireDualStack',
  },
  'to headless': { clusterIP: 'None', clusterIPs: ['None'] },
  'to two and both families': {
    ipFamilyPolicy: 'PreferDualStack',
    ipFamilies: ['IPv4', 'IPv6'],
  },
  'to two and both families, turned': {
    ipFamilyPolicy: 'RequireDualStack',
    ipFamilies: ['IPv6', 'IPv4'],
  },
  'to one and one family': { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] },
  'to one and the other family': { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] },
  'to one and both families': {
    ipFamilyPolicy: 'SingleStack',
    ipFamilies: ['IPv4', 'IPv6'],
  },
  'to two and one family': { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4'] },
  'to a name': { type: 'ExternalName', externalName: 'a.b' },
  'to a name with a policy': {
    type: 'ExternalName',
    externalName: 'a.b',
    ipFamilyPolicy: 'SingleStack',
  },
  'to a name with a family': {
    type: 'ExternalName',
    externalName: 'a.b',
    ipFamilies: ['IPv6'],
  },
  'to a name with addresses': {
    type: 'ExternalName',
    externalName: 'a.b',
    ...addressed([four(99), six(99)]),
  },
  'to a name without anything': {
    type: 'ExternalName',
    externalName: 'a.b',
    clusterIP: null,
    clusterIPs: null,
    ipFamilies: null,
    ipFamilyPolicy: null,
  },
  'to plain': { type: 'ClusterIP', externalName: null },
  'to plain two': {
    type: 'ClusterIP',
    externalName: null,
    ipFamilyPolicy: 'RequireDualStack',
  },
  'to plain with addresses': {
    type: 'ClusterIP',
    externalName: null,
    ...addressed([six(98), four(98)]),
    ipFamilyPolicy: 'PreferDualStack',
  },
  'to node ports': { type: 'NodePort', externalName: null },
  'to a balancer': { type: 'LoadBalancer', externalName: null },
  'to no selector': { selector: null },
};

const primaryAndOther = (list: unknown): Json => {
  const [first, second] = (list ?? []) as string[];
  return second === undefined ? {} : { clusterIP: first, clusterIPs: [first] };
};

/** Of services with one address or two what is left of two when only one is said. */
function lessened(services: string): Step[] {
  return ['both', 'turned', 'ports', 'balanced'].flatMap((name) => {
    const { clusterIPs } = kept[name] ?? {};
    const less = primaryAndOther(clusterIPs);
    const path = `${services}/${name}?dryRun=All`;
    const [first] = (clusterIPs ?? []) as string[];
    const family = first?.includes(':') === true ? 'IPv6' : 'IPv4';
    return [
      patch(`${name} to its first address`, path, { spec: less }),
      patch(`${name} to its first address, single`, path, {
        spec: { ...less, ipFamilyPolicy: 'SingleStack' },
      }),
      patch(`${name} to its first family`, path, { spec: { ipFamilies: [family] } }),
      patch(`${name} to its first family, single`, path, {
        spec: { ipFamilies: [family], ipFamilyPolicy: 'SingleStack' },
      }),
      patch(`${name} to its first of all`, path, {
        spec: { ...less, ipFamilies: [family], ipFamilyPolicy: 'SingleStack' },
      }),
      patch(`${name} to its first of all, preferred`, path, {
        spec: { ...less, ipFamilies: [family], ipFamilyPolicy: 'PreferDualStack' },
      }),
    ];
  });
}

/** Whole services that say less, or something else, than what is there. */
function replaced(services: string): Step[] {
  return Object.keys(kept).flatMap((name) => {
    const whole = (spec: Json): Json => service(name, spec);
    const path = `${services}/${name}?dryRun=All`;
    return [
      put(`${name} replaced`, path, whole({})),
      put(`${name} replaced, single`, path, whole({ ipFamilyPolicy: 'SingleStack' })),
      put(`${name} replaced, preferred`, path, whole({ ipFamilyPolicy: 'PreferDualStack' })),
      put(`${name} replaced, needed`, path, whole({ ipFamilyPolicy: 'RequireDualStack' })),
      put(`${name} replaced, families`, path, whole({ ipFamilies: ['IPv6', 'IPv4'] })),
      put(`${name} replaced, headless`, path, whole({ clusterIP: 'None' })),
      put(
        `${name} replaced by a name`,
        path,
        whole({ type: 'ExternalName', externalName: 'a.b', ports: null }),
      ),
      patch(
        `${name} applied`,
        `${path}&fieldManager=other&force=true`,
        { apiVersion: 'v1', kind: 'Service', ...whole({ ipFamilyPolicy: 'PreferDualStack' }) },
        'apply',
      ),
    ];
  });
}

const second = (body: Json): string =>
  ((body['spec'] as Json | undefined)?.['clusterIPs'] as string[] | undefined)?.[1] ?? '';

/** Not in dry runs: what is taken, and what is free again. */
function lives(services: string): Step[] {
  const at = (name: string): string => `${services}/${name}`;
  // Upstream's repair may take an address for a stray one before it sees the service, and make it again.
  const of = (name: string, ip: string, wanted = 200): Step => ({
    ...get(name, `${addresses}/${ip}`),
    until: (status) => status === wanted,
  });
  return [
    {
      ...patch('up: two', at('up'), { spec: { ipFamilyPolicy: 'PreferDualStack' } }),
      keep: second,
    },
    of('up: its first address', four(20)),
    of('up: its second address', '@{up: two}'),
    patch('up: one again', at('up'), { spec: { ipFamilyPolicy: 'SingleStack' } }),
    of('up: its first address stays', four(20)),
    of('up: its second address is gone', '@{up: two}', 404),
    patch('up: two by address', at('up'), {
      spec: { clusterIPs: [four(20), six(20)], ipFamilyPolicy: 'RequireDualStack' },
    }),
    of('up: the address that was wanted', six(20)),
    patch('up: as it is', at('up'), { spec: { ipFamilyPolicy: 'RequireDualStack' } }),
    post('taken: second', services, service('taken', { clusterIP: six(20) })),
    post(
      'taken: both',
      services,
      service('taken', { ...addressed([four(21), six(20)]), ipFamilyPolicy: 'RequireDualStack' }),
    ),
    post('taken: second, dry', `${services}?dryRun=All`, service('taken', { clusterIP: six(20) })),
    patch('up: a name', at('up'), { spec: { type: 'ExternalName', externalName: 'a.b' } }),
    of('up: no first address', four(20), 404),
    of('up: no second address', six(20), 404),
    patch('up: back with both', at('up'), {
      spec: {
        type: 'ClusterIP',
        externalName: null,
        ...addressed([six(22), four(22)]),
        ipFamilyPolicy: 'RequireDualStack',
      },
    }),
    of('up: a new first address', six(22)),
    of('up: a new second address', four(22)),
    put('up: replaced by itself', at('up'), service('up', { ipFamilyPolicy: 'SingleStack' })),
    of('up: without the second', four(22), 404),
    remove('up: goes', at('up')),
    of('up: nothing left', six(22), 404),
    post(
      'held: made',
      services,
      service('held', { ...addressed([four(23), six(23)]), ipFamilyPolicy: 'PreferDualStack' }),
    ),
    patch('held: by a finalizer', at('held'), { metadata: { finalizers: ['a.b/c'] } }),
    quiet(remove('held: goes', at('held'))),
    of('held: still has its address', six(23)),
    patch('held: let go', at('held'), { metadata: { finalizers: null } }),
    of('held: no first address', four(23), 404),
    of('held: no second address', six(23), 404),
    post(
      'drawn: made',
      services,
      service('drawn', { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack' }),
    ),
    patch('drawn: plain', at('drawn'), { spec: { type: 'ClusterIP' } }),
    patch(
      'drawn: by a patch in order',
      at('drawn'),
      [
        { op: 'replace', path: '/spec/ipFamilyPolicy', value: 'SingleStack' },
        { op: 'remove', path: '/spec/clusterIPs/1' },
        { op: 'remove', path: '/spec/ipFamilies/1' },
      ],
      'json',
    ),
    patch(
      'drawn: strategic',
      at('drawn'),
      { spec: { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' } },
      'strategic',
    ),
    post(
      'balanced: status',
      services,
      service('lb', {
        type: 'LoadBalancer',
        ...addressed([six(24), four(24)]),
        ipFamilyPolicy: 'RequireDualStack',
      }),
    ),
    patch('balanced: addresses', `${at('lb')}/status`, {
      status: {
        loadBalancer: { ingress: [{ ip: 'fd01::1' }, { ip: '10.1.1.1', ipMode: 'Proxy' }] },
      },
    }),
    patch('balanced: odd addresses', `${at('lb')}/status`, {
      status: {
        loadBalancer: {
          ingress: [
            { ip: 'FD01:0::1' },
            { ip: '::ffff:10.1.1.1' },
            { ip: '010.1.1.1' },
            { hostname: 'fd01::1' },
            { ip: 'fd01::2', ipMode: 'Odd' },
          ],
        },
      },
    }),
    patch('balanced: no more', at('lb'), { spec: { type: 'ClusterIP' } }),
    remove('balanced: goes', at('lb')),
  ];
}

const written = (name: string, spec: Json): Json => ({ metadata: { name }, spec });
const parentRef = { resource: 'services', namespace: 'dual', name: 'x' };

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';

/** Ranges and addresses as objects. */
const objects = (): Step[] => [
  get('range of the server', `${cidrs}/kubernetes`),
  {
    // Its target port is wherever the server listens.
    ...get('service of the server', '/api/v1/namespaces/default/services/kubernetes'),
    headers: { accept: table },
    until: (status) => status === 200,
  },
  {
    ...get('ranges as a table', cidrs),
    headers: { accept: table },
  },
  ...Object.entries({
    'both families': ['10.7.0.0/24', 'fd07::/120'],
    'other order': ['fd08::/120', '10.8.0.0/24'],
    'one family twice': ['fd07::/120', 'fd08::/120'],
    'one family twice, IPv4': ['10.7.0.0/24', '10.8.0.0/24'],
    'three ranges': ['10.7.0.0/24', 'fd07::/120', '10.9.0.0/24'],
    'no ranges': [],
    'wide range': ['fd07::/48'],
    'upper case': ['FD07::/120'],
    'long form': ['fd07:0:0::/120'],
    'bits of a host': ['fd07::1/120'],
    'bits of a host, IPv4': ['10.7.0.1/24'],
    'mapped range': ['::ffff:10.7.0.0/120'],
    'leading zeros': ['010.7.0.0/24'],
    'no range': ['fd07::'],
    'too many bits': ['fd07::/129'],
    'odd range and a right one': ['x', 'fd07::/120'],
  }).map(([name, list]) =>
    post(`range: ${name}`, `${cidrs}?dryRun=All`, written('r', { cidrs: list })),
  ),
  post('range', cidrs, written('one', { cidrs: ['10.7.0.0/24'] })),
  patch('range gets a second of its family', `${cidrs}/one`, {
    spec: { cidrs: ['10.7.0.0/24', '10.8.0.0/24'] },
  }),
  patch('range gets another', `${cidrs}/one`, { spec: { cidrs: ['fd07::/120', '10.7.0.0/24'] } }),
  patch('range gets an odd one', `${cidrs}/one`, {
    spec: { cidrs: ['10.7.0.0/24', 'fd07::1/120'] },
  }),
  patch('range gets the other family', `${cidrs}/one?dryRun=All`, {
    spec: { cidrs: ['10.7.0.0/24', 'fd07::/120'] },
  }),
  patch('range gets two more', `${cidrs}/one`, {
    spec: { cidrs: ['10.7.0.0/24', 'fd07::/120', 'fd08::/120'] },
  }),
  remove('range goes', `${cidrs}/one`),
  ...[
    'fd09::1',
    '10.9.9.9',
    'FD09::1',
    'fd09:0::1',
    '::ffff:10.9.9.9',
    '010.9.9.9',
    'x',
    'fd09::1/128',
  ].map((name) =>
    post(`address: ${name}`, `${addresses}?dryRun=All`, written(name, { parentRef })),
  ),
];

/** Networks that policies and nodes name. */
const networks = (space: string): Step[] => {
  const policies = `${below('networking.k8s.io/v1', space)}/networkpolicies`;
  const policy = (cidr: string, except: readonly string[]): Json => ({
    metadata: { name: 'a' },
    spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr, except } }] }] },
  });
  const blocks: readonly (readonly [string, ...string[]])[] = [
    ['fd01::/64', 'fd01::1:0/112'],
    ['fd01::/64', 'fd02::/112'],
    ['fd01::/64', 'fd01::/64'],
    ['fd01::/64', 'fd01::/32'],
    ['fd01::/64', '10.0.0.0/8'],
    ['fd01::/64', 'fd01::1/112'],
    ['10.0.0.0/8', 'fd01::/64'],
    ['10.0.0.0/8', '010.1.0.0/16', '11.0.0.1/8'],
    ['10.0.0.1/8', '10.1.0.0/16'],
    ['::ffff:10.0.0.0/104', '::ffff:10.1.0.0/112'],
    ['fd01:0::/64', 'fd01::1:0/112'],
    ['x', '10.0.0.0/8'],
  ];
  return [
    ...blocks.map(([cidr, ...except]) =>
      post(`network: ${cidr} but ${except.join()}`, `${policies}?dryRun=All`, policy(cidr, except)),
    ),
    ...[
      ['10.1.0.0/24', 'fd01::/64'],
      ['fd01::/64', '10.1.0.0/24'],
      ['fd01::/64'],
      ['fd01::1/64', '10.1.0.0/24'],
      ['fd01::/64', 'fd02::/64'],
    ].map((podCIDRs) =>
      post(`node of ${podCIDRs.join()}`, '/api/v1/nodes?dryRun=All', {
        metadata: { name: 'n' },
        spec: { podCIDR: podCIDRs[0], podCIDRs },
      }),
    ),
  ];
};

/** The same on each order of the ranges, and on one of them alone. */
export const dualStackSteps = (isDual: boolean): Step[] => {
  const services = `${below('v1', 'dual')}/services`;
  return [
    ...place('dual'),
    // Upstream's repair undoes a second address that comes within the second in which the service was made.
    post('up: made', services, service('up', { clusterIP: four(20) })),
    ...objects(),
    ...networks('dual'),
    ...combinations(services),
    ...Object.entries(odd).map(([name, spec]) =>
      post(`made: ${name}`, `${services}?dryRun=All`, service('a', spec)),
    ),
    ...Object.entries(kept).map(([name, spec]) =>
      post(`kept ${name}`, services, service(name, spec)),
    ),
    ...Object.keys(kept).flatMap((one) =>
      Object.entries(changes).map(([name, spec]) =>
        patch(`${one} ${name}`, `${services}/${one}?dryRun=All`, { spec }),
      ),
    ),
    ...lessened(services),
    ...replaced(services),
    ...(isDual ? lives(services) : []),
  ];
};
