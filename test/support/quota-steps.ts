// What claims of storage and of devices are charged to the quotas of their namespace, by the classes that they name.
// Nobody counts what there is, so each quota is told what is used of it before it can be charged.
import type { Step } from './step-player.ts';
import { get, patch, place, post, quiet, type Json } from './step-makers.ts';

/** A quota whose status says that nothing is used. */
function quota(space: string, name: string, hard: Json, spec: Json = {}): Step[] {
  const path = `/api/v1/namespaces/${space}/resourcequotas`;
  const used = Object.fromEntries(Object.keys(hard).map((one) => [one, '0']));
  return [
    quiet(post(`${space}: quota ${name}`, path, { metadata: { name }, spec: { hard, ...spec } })),
    quiet(
      patch(`${space}: status of ${name}`, `${path}/${name}/status`, { status: { hard, used } }),
    ),
  ];
}

/** What is used of each quota by now. */
const looks = (space: string, when: string, names: readonly string[]): Step[] =>
  names.map((name) =>
    get(`${space}: ${name} ${when}`, `/api/v1/namespaces/${space}/resourcequotas/${name}`),
  );

/** Until the server has seen the quotas. */
const refused = (step: Step): Step => ({ ...step, until: (status) => status === 403 });

function attributesClasses(): Step[] {
  const space = 'attributes-classes';
  const path = `/api/v1/namespaces/${space}/persistentvolumeclaims`;
  const hard = { persistentvolumeclaims: '1', 'requests.storage': '5Gi' };
  const among = (operator: string, values?: string[]): Json => ({
    scopeSelector: {
      matchExpressions: [
        {
          scopeName: 'VolumeAttributesClass',
          operator,
          ...(values === undefined ? {} : { values }),
        },
      ],
    },
  });
  const claim = (name: string, className?: string, storage = '1Gi'): Json => ({
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: '',
      resources: { requests: { storage } },
      ...(className === undefined ? {} : { volumeAttributesClassName: className }),
    },
  });
  const all = ['gold', 'silver', 'any', 'none', 'not-gold'];
  return [
    ...place(space),
    ...quota(space, 'gold', hard, among('In', ['gold'])),
    ...quota(space, 'silver', hard, among('In', ['silver'])),
    ...quota(space, 'any', { 'requests.storage': '8Gi' }, { scopes: ['VolumeAttributesClass'] }),
    ...quota(space, 'none', hard, among('DoesNotExist')),
    ...quota(space, 'not-gold', hard, among('NotIn', ['gold'])),
    refused(post('too much of gold', `${path}?dryRun=All`, claim('a', 'gold', '6Gi'))),
    refused(post('too much of silver', `${path}?dryRun=All`, claim('a', 'silver', '6Gi'))),
    refused(post('too much of none', `${path}?dryRun=All`, claim('a', undefined, '6Gi'))),
    quiet(post('a claim of gold', path, claim('a', 'gold'))),
    ...looks(space, 'with one of gold', all),
    refused(post('a second of gold', path, claim('b', 'gold'))),
    quiet(post('one of none', path, claim('c'))),
    quiet(post('one of silver', path, claim('d', 'tin'))),
    ...looks(space, 'with three', all),
    quiet(
      patch('the first has gold', `${path}/a/status`, {
        status: { phase: 'Bound', currentVolumeAttributesClassName: 'gold' },
      }),
    ),
    quiet(
      patch('it is to be silver', `${path}/a/status`, {
        status: {
          modifyVolumeStatus: { status: 'InProgress', targetVolumeAttributesClassName: 'silver' },
        },
      }),
    ),
    ...looks(space, 'with one in change', all),
    quiet(
      patch('the third has silver too', `${path}/d/status`, {
        status: { currentVolumeAttributesClassName: 'silver' },
      }),
    ),
    ...looks(space, 'when it was full', all),
    quiet(
      patch('more is allocated', `${path}/c/status`, {
        status: { allocatedResources: { storage: '2500m' }, capacity: { storage: '3Gi' } },
      }),
    ),
    quiet(
      patch('much more is allocated', `${path}/c/status`, {
        status: { allocatedResources: { storage: '4Gi' } },
      }),
    ),
    ...looks(space, 'with more allocated', ['none']),
    patch('more than there is is allocated', `${path}/c/status`, {
      status: { allocatedResources: { storage: '9Gi' } },
    }),
  ];
}

function storageClasses(): Step[] {
  const space = 'storage-classes';
  const path = `/api/v1/namespaces/${space}/persistentvolumeclaims`;
  const tail = 'storageclass.storage.k8s.io';
  const hard = {
    [`old.${tail}/requests.storage`]: '5Gi',
    [`new.${tail}/persistentvolumeclaims`]: '1',
    'requests.storage': '20Gi',
  };
  const claim = (name: string, storage: string, annotations: Json = {}): Json => ({
    metadata: { name, annotations },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'new',
      resources: { requests: { storage } },
    },
  });
  const old = { 'volume.beta.kubernetes.io/storage-class': 'old' };
  return [
    ...place(space),
    ...quota(space, 'q', hard),
    refused(post('too much of the class', `${path}?dryRun=All`, claim('a', '6Gi', old))),
    quiet(post('one by its annotation', path, claim('a', '1Gi', old))),
    quiet(post('one by its field', path, claim('b', '2500m'))),
    ...looks(space, 'with two', ['q']),
    refused(post('a second by its field', path, claim('c', '1Gi'))),
  ];
}

function deviceClasses(): Step[] {
  const space = 'device-classes';
  const path = `/apis/resource.k8s.io/v1/namespaces/${space}/resourceclaims`;
  const classes = '/apis/resource.k8s.io/v1/deviceclasses';
  const tail = 'deviceclass.resource.k8s.io/devices';
  const implicit = 'requests.deviceclass.resource.kubernetes.io';
  const hard = {
    'count/resourceclaims.resource.k8s.io': '4',
    [`quota-gold.${tail}`]: '40',
    [`quota-tin.${tail}`]: '4',
    [`${implicit}/quota-gold`]: '40',
    [`${implicit}/nobody`]: '1',
    'requests.example.com/gold': '36',
  };
  const exactly = (deviceClassName: string, more: Json = {}): Json => ({
    name: 'one',
    exactly: { deviceClassName, ...more },
  });
  const claim = (name: string, requests: Json[]): Json => ({
    metadata: { name },
    spec: { devices: { requests } },
  });
  const choices = {
    name: 'some',
    firstAvailable: [
      { name: 'a', deviceClassName: 'quota-gold', count: 2 },
      { name: 'b', deviceClassName: 'quota-gold', count: 3 },
      { name: 'c', deviceClassName: 'quota-tin' },
    ],
  };
  const old = `/apis/resource.k8s.io/v1beta1/namespaces/${space}/resourceclaims`;
  const plain = { name: 'one', deviceClassName: 'quota-tin', count: 2 };
  return [
    ...place(space),
    quiet(
      post('class gold', classes, {
        metadata: { name: 'quota-gold' },
        spec: { extendedResourceName: 'example.com/gold' },
      }),
    ),
    quiet(post('class tin', classes, { metadata: { name: 'quota-tin' } })),
    ...quota(space, 'q', hard),
    refused(
      post(
        'too many of tin',
        `${path}?dryRun=All`,
        claim('a', [exactly('quota-tin', { count: 5 })]),
      ),
    ),
    quiet(post('one of gold', path, claim('a', [exactly('quota-gold')]))),
    ...looks(space, 'with one', ['q']),
    quiet(post('one of choices', path, claim('b', [choices]))),
    ...looks(space, 'with choices', ['q']),
    quiet(
      post('all of gold', path, claim('c', [exactly('quota-gold', { allocationMode: 'All' })])),
    ),
    ...looks(space, 'with all', ['q']),
    refused(post('one too many', path, claim('d', [exactly('quota-gold')]))),
    quiet(post('of the older version', old, claim('d', [plain]))),
    refused(post('a fifth', path, claim('e', [exactly('other')]))),
    quiet(patch('a label', `${path}/a`, { metadata: { labels: { a: 'b' } } })),
    ...looks(space, 'at the end', ['q']),
  ];
}

export function quotaSteps(): Step[] {
  return [...attributesClasses(), ...storageClasses(), ...deviceClasses()];
}
