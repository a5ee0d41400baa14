// Ranges of service addresses that come and go: ServiceCIDR objects beside the server's own range, and servers that
// are started again on the same store with other ranges than before.
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

const cidrs = '/apis/networking.k8s.io/v1/servicecidrs';
const addresses = '/apis/networking.k8s.io/v1/ipaddresses';

const service = (name: string, spec: Json): Json => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], selector: { a: 'b' }, ...spec },
});
const range = (name: string, ...all: string[]): Json => ({
  metadata: { name },
  spec: { cidrs: all },
});
/** Upstream's allocators see ranges a little later. */
const until = (step: Step, wanted: number): Step => ({
  ...step,
  until: (status) => status === wanted,
});

const condition = (status: string): Json => ({
  status: {
    conditions: [
      {
        type: 'Ready',
        status,
        reason: 'Test',
        message: 'a test',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      },
    ],
  },
});

/** The server's range has room for six, of which one is its own. */
export function addedRangeSteps(isDual: boolean): Step[] {
  const space = 'added';
  const services = `${below('v1', space)}/services`;
  const six = isDual ? { ipFamilies: ['IPv4'] } : {};
  const four = (name: string, ip: string): Step =>
    post(`${name}: ${ip}`, services, service(name, { ...six, clusterIP: ip }));
  const plain = (name: string): Step => post(`${name}: any`, services, service(name, six));
  const gone = (name: string): Step => quiet(remove(`${name} goes`, `${services}/${name}`));
  const needed = (step: string, name: string, more: Json = {}): Step =>
    post(step, services, service(name, { ipFamilyPolicy: 'RequireDualStack', ...more }));
  const own = isDual ? [1, 2, 3, 4, 5, 6] : [2, 3, 4, 5, 6];
  return [
    ...place(space),
    four('beyond', '198.19.0.70'),
    ...own.map((n) => four(`own${n}`, `198.19.0.${n}`)),
    plain('full'),
    four('last', '198.19.0.7'),
    four('first', '198.19.0.0'),
    post('more', cidrs, range('more', '198.19.64.0/24')),
    until(plain('drawn'), 201),
    gone('drawn'),
    post('small', cidrs, range('small', '198.19.0.64/29')),
    until(four('small', '198.19.0.70'), 201),
    four('small last', '198.19.0.71'),
    patch('more is not ready', `${cidrs}/more/status`, condition('False')),
    until(four('none', '198.19.64.7'), 422),
    patch('more is unknown', `${cidrs}/more/status`, condition('Unknown')),
    four('none again', '198.19.64.7'),
    patch('more is ready', `${cidrs}/more/status`, condition('True')),
    until(four('again', '198.19.64.7'), 201),
    patch('more is held', `${cidrs}/more`, { metadata: { finalizers: ['a.b/c'] } }),
    remove('more begins to go', `${cidrs}/more`),
    until(four('going', '198.19.64.8'), 422),
    get('a service keeps its address', `${services}/again`),
    patch('a service is changed', `${services}/again`, { metadata: { labels: { a: 'b' } } }),
    post('over it', cidrs, range('over', '198.19.64.0/23')),
    until(four('going', '198.19.64.9'), 201),
    patch('more goes', `${cidrs}/more`, { metadata: { finalizers: null } }),
    remove('over goes', `${cidrs}/over`),
    until(four('gone', '198.19.64.10'), 422),
    remove('a service without a range goes', `${services}/again`),
    get('its address', `${addresses}/198.19.64.7`),
    // The other family does not come with a range of it, if the server was not told one.
    post('other family', cidrs, range('other', 'fd00:19::100/120')),
    until(
      needed(
        'needs both',
        'both',
        isDual ? { clusterIP: 'fd00:19::103', clusterIPs: ['fd00:19::103', '198.19.0.67'] } : {},
      ),
      isDual ? 201 : 422,
    ),
    post(
      'prefers both',
      services,
      service('likes', {
        clusterIP: isDual ? 'fd00:19::101' : '198.19.0.66',
        ...(isDual ? { clusterIPs: ['fd00:19::101', '198.19.0.66'] } : {}),
        ipFamilyPolicy: 'PreferDualStack',
      }),
    ),
    post(
      'wants IPv6',
      services,
      service('six', { ipFamilies: ['IPv6'], ...(isDual ? { clusterIP: 'fd00:19::102' } : {}) }),
    ),
    post('wants an address', services, service('wide', { clusterIP: 'fd00:19::1ff' })),
    post('wide', cidrs, range('wide', 'fd00:20::/48')),
    until(post('of a wide one', services, service('odd', { clusterIP: 'fd00:20::7' })), 422),
    patch('prefers both later', `${services}/own2`, {
      spec: {
        ipFamilyPolicy: 'PreferDualStack',
        ...(isDual ? { clusterIPs: ['198.19.0.2', 'fd00:19::104'] } : {}),
      },
    }),
    {
      ...get('ranges', cidrs),
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    },
  ];
}

interface Life {
  readonly range: string;
  readonly steps: () => Step[];
}

const space = 'changed';
const services = `${below('v1', space)}/services`;
const FOUR = '198.19.0.0/16';
const SIX = 'fd00:19::/112';

const reasons = ['KubernetesDefaultServiceCIDRInconsistent', 'KubernetesDefaultServiceCIDRError'];

/** What the server says of its default range, once it has said so often. */
const told = (step: string, count: number): Step[] =>
  reasons.map((reason) => ({
    ...get(`${step} ${reason}`, `/api/v1/namespaces/default/events?fieldSelector=reason=${reason}`),
    headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
    isSilent: true,
    until: (_status, body) => {
      const wanted = reason === 'KubernetesDefaultServiceCIDRInconsistent' ? count : 0;
      return ((body['items'] ?? []) as unknown[]).length === wanted;
    },
  }));

/** What every server is asked, by whichever ranges it has. */
function always(): Step[] {
  const kept = ['plain', 'likes', 'bare', 'headless', 'dual', 'turned'];
  return [
    get('default range', `${cidrs}/kubernetes`),
    {
      ...get('service of the server', '/api/v1/namespaces/default/services/kubernetes'),
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
      until: (status) => status === 200,
    },
    ...kept.flatMap((name) => [
      get(`${name} is there`, `${services}/${name}`),
      patch(`${name} gets a label`, `${services}/${name}?dryRun=All`, {
        metadata: { labels: { new: 'one' } },
      }),
      patch(`${name} prefers two`, `${services}/${name}?dryRun=All`, {
        spec: { ipFamilyPolicy: 'PreferDualStack' },
      }),
      patch(`${name} needs two`, `${services}/${name}?dryRun=All`, {
        spec: { ipFamilyPolicy: 'RequireDualStack' },
      }),
      patch(`${name} is single`, `${services}/${name}?dryRun=All`, {
        spec: { ipFamilyPolicy: 'SingleStack' },
      }),
      put(`${name} is replaced`, `${services}/${name}?dryRun=All`, service(name, {})),
      patch(`${name} is a name`, `${services}/${name}?dryRun=All`, {
        spec: { type: 'ExternalName', externalName: 'a.b' },
      }),
    ]),
    post('new', `${services}?dryRun=All`, service('new', {})),
    post(
      'new, prefers two',
      `${services}?dryRun=All`,
      service('new', { ipFamilyPolicy: 'PreferDualStack' }),
    ),
    post(
      'new, needs two',
      `${services}?dryRun=All`,
      service('new', { ipFamilyPolicy: 'RequireDualStack' }),
    ),
    post('new, headless', `${services}?dryRun=All`, service('new', { clusterIP: 'None' })),
    post(
      'new, bare',
      `${services}?dryRun=All`,
      service('new', { clusterIP: 'None', selector: null }),
    ),
  ];
}

const first = (): Step[] => [
  ...place(space),
  quiet(post('plain', services, service('plain', { clusterIP: '198.19.0.10' }))),
  quiet(
    post(
      'likes',
      services,
      service('likes', { clusterIP: '198.19.0.11', ipFamilyPolicy: 'PreferDualStack' }),
    ),
  ),
  quiet(post('bare', services, service('bare', { clusterIP: 'None', selector: null }))),
  quiet(post('headless', services, service('headless', { clusterIP: 'None' }))),
  ...always(),
];

/** The range that was there gets another beside it, and services get second addresses. */
const grown = (): Step[] => [
  quiet({
    ...get('grown', `${cidrs}/kubernetes`),
    until: (_status, body) => ((body['spec'] as Json)['cidrs'] as unknown[]).length === 2,
  }),
  quiet(
    post(
      'dual',
      services,
      service('dual', {
        clusterIP: '198.19.0.20',
        clusterIPs: ['198.19.0.20', 'fd00:19::20'],
        ipFamilyPolicy: 'RequireDualStack',
      }),
    ),
  ),
  quiet(
    post(
      'turned',
      services,
      service('turned', {
        clusterIP: 'fd00:19::21',
        clusterIPs: ['fd00:19::21', '198.19.0.21'],
        ipFamilyPolicy: 'PreferDualStack',
      }),
    ),
  ),
  ...always(),
  ...told('grown', 0),
];

export const rangeLives: Readonly<Record<string, Life>> = {
  'one range': { range: FOUR, steps: first },
  'another one beside it': { range: `${FOUR},${SIX}`, steps: grown },
  'in the other order': {
    range: `${SIX},${FOUR}`,
    steps: () => [...told('turned', 1), ...always()],
  },
  'one again': { range: FOUR, steps: () => [...told('one', 2), ...always()] },
  'the other one': { range: SIX, steps: () => [...told('other', 3), ...always()] },
  elsewhere: {
    range: '198.20.0.0/16',
    steps: () => [
      ...told('elsewhere', 4),
      ...always(),
      post('of the range that is there', services, service('here', {})),
      post('of the own range', services, service('there', { clusterIP: '198.20.0.7' })),
    ],
  },
};
