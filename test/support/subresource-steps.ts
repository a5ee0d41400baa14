// What is below an object (status, scale, resize, ephemeral containers, approval), by every way to change it: whole, by
// patches of each kind, applied, in dry runs, on versions and ids that are others, with odd bodies.
import { ofAlice } from './signing-requests.ts';
import { below, get, patch, place, post, put, quiet, remove, type Json } from './step-makers.ts';
import type { Step } from './step-player.ts';

const space = 'below';
const core = below('v1', space);
const apps = below('apps/v1', space);

interface Below {
  /** Of the object. */
  readonly path: string;
  readonly kind: string;
  readonly apiVersion: string;
  readonly object: Json;
  readonly subresource: string;
  /** What is sent to the subresource, as far as it is of it; in two forms. */
  readonly next: Json;
  readonly other: Json;
  /** Of what the subresource itself is. */
  readonly own?: { readonly kind: string; readonly apiVersion: string };
}

const template = {
  metadata: { labels: { a: 'b' } },
  spec: { containers: [{ name: 'c', image: 'i' }] },
};
const selector = { matchLabels: { a: 'b' } };
const condition = (type: string, status: string): Json => ({
  type,
  status,
  reason: 'Test',
  message: 'a test',
  lastTransitionTime: '2026-01-02T03:04:05Z',
});

const scale = { kind: 'Scale', apiVersion: 'autoscaling/v1' };
const one = (
  path: string,
  [apiVersion, kind]: readonly [string, string],
  object: Json,
  subresource: string,
  rest: Pick<Below, 'next' | 'other' | 'own'>,
): Below => ({ path, apiVersion, kind, object, subresource, ...rest });

const all: readonly Below[] = [
  one(
    `${apps}/deployments`,
    ['apps/v1', 'Deployment'],
    { spec: { selector, template } },
    'status',
    {
      next: { status: { replicas: 2, conditions: [condition('Available', 'True')] } },
      other: { status: { replicas: 3 } },
    },
  ),
  one(`${apps}/deployments`, ['apps/v1', 'Deployment'], { spec: { selector, template } }, 'scale', {
    next: { spec: { replicas: 2 } },
    other: { spec: { replicas: 3 } },
    own: scale,
  }),
  one(`${apps}/replicasets`, ['apps/v1', 'ReplicaSet'], { spec: { selector, template } }, 'scale', {
    next: { spec: { replicas: 2 } },
    other: { spec: { replicas: 0 } },
    own: scale,
  }),
  one(
    `${apps}/statefulsets`,
    ['apps/v1', 'StatefulSet'],
    { spec: { selector, template, serviceName: 's' } },
    'scale',
    { next: { spec: { replicas: 2 } }, other: { spec: { replicas: -1 } }, own: scale },
  ),
  one(
    `${core}/replicationcontrollers`,
    ['v1', 'ReplicationController'],
    { spec: { selector: { a: 'b' }, template } },
    'scale',
    { next: { spec: { replicas: 2 } }, other: { spec: { replicas: 3 } }, own: scale },
  ),
  one(`${core}/pods`, ['v1', 'Pod'], { spec: template.spec }, 'status', {
    next: { status: { phase: 'Running', conditions: [condition('Ready', 'True')] } },
    other: { status: { podIP: 'fd01::1', podIPs: [{ ip: 'fd01::1' }, { ip: '10.1.1.1' }] } },
  }),
  one(`${core}/pods`, ['v1', 'Pod'], { spec: template.spec }, 'resize', {
    next: {
      spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1' } } }] },
    },
    other: { spec: { containers: [{ name: 'c', image: 'other' }] } },
  }),
  one(`${core}/pods`, ['v1', 'Pod'], { spec: template.spec }, 'ephemeralcontainers', {
    next: { spec: { ephemeralContainers: [{ name: 'e', image: 'i' }] } },
    other: { spec: { ephemeralContainers: [{ name: 'c', image: 'i' }] } },
  }),
  one(
    `${core}/services`,
    ['v1', 'Service'],
    {
      spec: {
        type: 'LoadBalancer',
        allocateLoadBalancerNodePorts: false,
        ports: [{ port: 80 }],
      },
    },
    'status',
    {
      next: { status: { loadBalancer: { ingress: [{ ip: '10.1.1.1' }] } } },
      other: { status: { conditions: [condition('Odd', 'Unknown')] } },
    },
  ),
  one(
    '/apis/certificates.k8s.io/v1/certificatesigningrequests',
    ['certificates.k8s.io/v1', 'CertificateSigningRequest'],
    {
      spec: {
        signerName: 'a.b/c',
        usages: ['client auth'],
        request: ofAlice,
      },
    },
    'approval',
    {
      next: { status: { conditions: [condition('Approved', 'True')] } },
      other: { status: { conditions: [condition('Denied', 'True')] } },
    },
  ),
  one(
    `${core}/resourcequotas`,
    ['v1', 'ResourceQuota'],
    { spec: { hard: { pods: '9' } } },
    'status',
    {
      next: { status: { hard: { pods: '9' }, used: { pods: '1' } } },
      other: { status: { used: { pods: '-1' } } },
    },
  ),
  one(
    `${below('policy/v1', space)}/poddisruptionbudgets`,
    ['policy/v1', 'PodDisruptionBudget'],
    { spec: { minAvailable: 1, selector } },
    'status',
    {
      next: {
        status: { currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, disruptionsAllowed: 0 },
      },
      other: { status: { disruptionsAllowed: -1 } },
    },
  ),
  one(
    `${below('batch/v1', space)}/jobs`,
    ['batch/v1', 'Job'],
    { spec: { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } } },
    'status',
    {
      next: { status: { active: 1, startTime: '2026-01-02T03:04:05Z' } },
      other: { status: { active: -1 } },
    },
  ),
  one(
    `${below('networking.k8s.io/v1', space)}/ingresses`,
    ['networking.k8s.io/v1', 'Ingress'],
    { spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } } },
    'status',
    {
      next: { status: { loadBalancer: { ingress: [{ hostname: 'a.b' }, { ip: 'fd01::1' }] } } },
      other: { status: { loadBalancer: { ingress: [{ hostname: 'A_b' }] } } },
    },
  ),
  one('/api/v1/nodes', ['v1', 'Node'], {}, 'status', {
    next: { status: { capacity: { cpu: '2' }, conditions: [condition('Ready', 'True')] } },
    other: {
      status: {
        addresses: [
          { type: 'InternalIP', address: '10.1.1.1' },
          { type: 'InternalIP', address: 'fd01::1' },
        ],
      },
    },
  }),
  one(
    '/api/v1/persistentvolumes',
    ['v1', 'PersistentVolume'],
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/a' },
      },
    },
    'status',
    {
      next: { status: { phase: 'Available', message: 'm' } },
      other: { status: { phase: 'Failed' } },
    },
  ),
  one('/api/v1/namespaces', ['v1', 'Namespace'], {}, 'finalize', {
    next: { spec: { finalizers: ['kubernetes', 'a.b/c'] } },
    other: { spec: { finalizers: ['odd'] } },
  }),
  one(
    '/apis/networking.k8s.io/v1/servicecidrs',
    ['networking.k8s.io/v1', 'ServiceCIDR'],
    { spec: { cidrs: ['10.7.0.0/24'] } },
    'status',
    {
      next: { status: { conditions: [condition('Ready', 'True')] } },
      other: { status: { conditions: [condition('Ready', 'Odd')] } },
    },
  ),
  one(
    `/apis/below.test/v1/namespaces/${space}/things`,
    ['below.test/v1', 'Thing'],
    { spec: { replicas: 1, selector: 'a=b' } },
    'status',
    {
      next: { status: { replicas: 2, list: [{ name: 'a', value: 'b' }] } },
      other: { status: { replicas: 'x' } },
    },
  ),
  one(
    `/apis/below.test/v1/namespaces/${space}/things`,
    ['below.test/v1', 'Thing'],
    { spec: { replicas: 1, selector: 'a=b' } },
    'scale',
    {
      next: { spec: { replicas: 2 } },
      other: { spec: { replicas: -1 } },
      own: scale,
    },
  ),
];

const definition = {
  metadata: { name: 'things.below.test' },
  spec: {
    group: 'below.test',
    scope: 'Namespaced',
    names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.replicas',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.spec.selector',
          },
        },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  replicas: { type: 'integer', minimum: 0 },
                  selector: { type: 'string' },
                },
              },
              status: {
                type: 'object',
                properties: {
                  replicas: { type: 'integer' },
                  list: {
                    type: 'array',
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, value: { type: 'string' } },
                    },
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};

const dry = (path: string, more = ''): string => `${path}?dryRun=All${more}`;

function stepsOf({ path, kind, apiVersion, object, subresource, next, other, own }: Below): Step[] {
  const name = `${kind.toLowerCase()}-${subresource}`;
  const title = `${kind} ${subresource}`;
  const at = `${path}/${name}/${subresource}`;
  const type = own ?? { kind, apiVersion };
  const whole = (more: Json, metadata: Json = {}): Json => ({
    ...type,
    metadata: { name, ...metadata },
    ...object,
    ...more,
  });
  const sent = (more: Json, metadata: Json = {}): Json =>
    own === undefined
      ? whole(more, metadata)
      : { ...type, metadata: { name, ...metadata }, ...more };
  const field = Object.keys(next)[0] ?? '';
  const meta = { metadata: { labels: { from: subresource }, annotations: { by: 'below' } } };
  const t = (what: string): string => `${title}: ${what}`;
  return [
    post(t('made'), path, { kind, apiVersion, metadata: { name }, ...object }),
    get(t('got'), at),
    {
      ...get(t('as a table'), at),
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    },
    { ...get(t('as YAML'), at), headers: { accept: 'application/yaml' } },
    put(t('put dry'), dry(at), sent(next)),
    put(t('put'), at, sent(next)),
    put(t('put again'), at, sent(next)),
    put(t('put with metadata'), dry(at), { ...sent(next, meta.metadata) }),
    put(t('put the other'), dry(at), sent(other)),
    put(t('put without its type'), dry(at), { metadata: { name }, ...object, ...next }),
    put(t('put of another kind'), dry(at), { ...sent(next), kind: 'Odd' }),
    put(t('put of another version'), dry(at), { ...sent(next), apiVersion: 'odd/v1' }),
    put(t('put by another name'), dry(at), { ...sent(next), metadata: { name: 'odd' } }),
    put(t('put without a name'), dry(at), { ...sent(next), metadata: {} }),
    put(t('put to another place'), dry(at), sent(next, { namespace: 'elsewhere' })),
    put(t('put of another id'), dry(at), sent(next, { uid: 'odd' })),
    put(t('put of an old version'), dry(at), sent(next, { resourceVersion: '1' })),
    put(t('put of an odd version'), dry(at), sent(next, { resourceVersion: 'x' })),
    put(t('put with an unknown field'), dry(at), { ...sent(next), odd: 1 }),
    put(t('put with an unknown field, strict'), dry(at, '&fieldValidation=Strict'), {
      ...sent(next),
      odd: 1,
    }),
    put(t('put of nothing'), dry(at), {}),
    put(t('put to nobody'), `${path}/nobody/${subresource}`, {
      ...sent(next),
      metadata: { name: 'nobody' },
    }),
    patch(t('merged dry'), dry(at), next),
    patch(t('merged'), `${at}?fieldManager=merger`, next),
    patch(t('merged metadata'), dry(at), meta),
    patch(t('merged the other'), dry(at), other),
    patch(t('merged nothing'), dry(at), {}),
    patch(t('merged away'), dry(at), { [field]: null }),
    patch(t('merged by another name'), dry(at), { metadata: { name: 'odd' }, ...next }),
    patch(t('merged of another id'), dry(at), { metadata: { uid: 'odd' }, ...next }),
    patch(t('merged of an old version'), dry(at), { metadata: { resourceVersion: '1' }, ...next }),
    patch(t('merged an unknown field'), dry(at), { odd: 1 }),
    patch(t('merged an unknown field, strict'), dry(at, '&fieldValidation=Strict'), { odd: 1 }),
    patch(t('merged a list'), dry(at), []),
    patch(t('merged text'), dry(at), 'x'),
    patch(t('merged with force'), dry(at, '&force=true'), next),
    patch(t('merged to nobody'), `${path}/nobody/${subresource}`, next),
    patch(t('strategic dry'), dry(at), next, 'strategic'),
    patch(t('strategic the other'), dry(at), other, 'strategic'),
    patch(t('strategic metadata'), dry(at), meta, 'strategic'),
    patch(t('strategic away'), dry(at), { [field]: { $patch: 'delete' } }, 'strategic'),
    patch(t('in order'), dry(at), [{ op: 'add', path: `/${field}`, value: next[field] }], 'json'),
    patch(
      t('in order the other'),
      dry(at),
      [{ op: 'replace', path: `/${field}`, value: other[field] }],
      'json',
    ),
    patch(
      t('in order a label'),
      dry(at),
      [{ op: 'add', path: '/metadata/labels', value: { a: 'b' } }],
      'json',
    ),
    patch(t('in order nothing'), dry(at), [], 'json'),
    patch(
      t('in order a test that fails'),
      dry(at),
      [{ op: 'test', path: '/metadata/name', value: 'x' }],
      'json',
    ),
    patch(t('in order away'), dry(at), [{ op: 'remove', path: '/odd' }], 'json'),
    patch(t('applied dry'), dry(at, '&fieldManager=applier'), sent(next), 'apply'),
    patch(
      t('applied'),
      `${at}?fieldManager=applier&force=true`,
      { ...type, metadata: { name }, ...next },
      'apply',
    ),
    patch(
      t('applied the other'),
      dry(at, '&fieldManager=applier'),
      { ...type, metadata: { name }, ...other },
      'apply',
    ),
    patch(
      t('applied by another'),
      dry(at, '&fieldManager=another'),
      { ...type, metadata: { name }, ...other },
      'apply',
    ),
    patch(t('applied by nobody'), dry(at), { ...type, metadata: { name }, ...next }, 'apply'),
    patch(
      t('applied with metadata'),
      dry(at, '&fieldManager=applier&force=true'),
      { ...type, ...next, metadata: { name, ...meta.metadata } },
      'apply',
    ),
    patch(
      t('applied by another name'),
      dry(at, '&fieldManager=applier'),
      { ...type, metadata: { name: 'odd' }, ...next },
      'apply',
    ),
    patch(
      t('applied of another kind'),
      dry(at, '&fieldManager=applier'),
      { ...type, kind: 'Odd', metadata: { name }, ...next },
      'apply',
    ),
    patch(
      t('applied nothing'),
      dry(at, '&fieldManager=applier'),
      { ...type, metadata: { name } },
      'apply',
    ),
    patch(
      t('applied to nobody'),
      `${path}/nobody/${subresource}?fieldManager=applier`,
      { ...type, metadata: { name: 'nobody' }, ...next },
      'apply',
    ),
    { ...patch(t('of an odd type'), dry(at), next), type: 'application/odd' },
    post(t('posted'), dry(at), sent(next)),
    remove(t('deleted'), at),
    get(t('got by an odd name'), `${path}/${name}/${subresource}x`),
    get(t('got below'), `${at}/more`),
    get(t('the object'), `${path}/${name}`),
    quiet(remove(t('goes'), `${path}/${name}`, { gracePeriodSeconds: 0 })),
  ];
}

export function subresourceSteps(): Step[] {
  return [
    ...place(space),
    quiet(
      post('definition', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition),
    ),
    {
      ...get('definition is served', `/apis/below.test/v1/namespaces/${space}/things`),
      isSilent: true,
      until: (status) => status === 200,
    },
    ...all.flatMap(stepsOf),
  ];
}
