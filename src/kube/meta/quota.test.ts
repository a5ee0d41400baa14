// Which quotas are about a claim, and what it uses of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from './object.ts';
import { matchingNames, quotaMatches, usageOf, type ScopeRequirement } from './quota.ts';

const claims = { group: '', resource: 'persistentvolumeclaims' };

function claim(
  spec: object,
  status: object = {},
  annotations?: Record<string, string>,
): KubeObject {
  const metadata = { name: 'c', ...(annotations === undefined ? {} : { annotations }) };
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec, status };
}

const scoped = (operator: string, values?: string[]): KubeObject => {
  const one: ScopeRequirement = {
    scopeName: 'VolumeAttributesClass',
    operator,
    ...(values === undefined ? {} : { values }),
  };
  const spec = { hard: {}, scopeSelector: { matchExpressions: [one] } };
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec };
};

test('quotaMatches(): each class of attributes that a claim names counts for the scope', () => {
  const none = claim({});
  const wanted = claim({ volumeAttributesClassName: 'gold' });
  const present = claim({}, { currentVolumeAttributesClassName: 'gold' });
  const target = { targetVolumeAttributesClassName: 'gold', status: 'Pending' };
  const changed = claim({ volumeAttributesClassName: '' }, { modifyVolumeStatus: target });
  const both = claim(
    { volumeAttributesClassName: 'silver' },
    { currentVolumeAttributesClassName: 'gold' },
  );
  const hard = { persistentvolumeclaims: '1' };
  const table: [operator: string, values: string[] | undefined, matches: boolean[]][] = [
    ['Exists', undefined, [false, true, true, true, true]],
    ['DoesNotExist', undefined, [true, false, false, false, false]],
    ['In', ['gold'], [false, true, true, true, true]],
    ['In', ['silver', 'tin'], [false, false, false, false, true]],
    ['NotIn', ['gold'], [true, false, false, false, true]],
    ['NotIn', ['gold', 'silver'], [true, false, false, false, false]],
  ];
  for (const [operator, values, matches] of table) {
    const found = [none, wanted, present, changed, both].map((one) =>
      quotaMatches(scoped(operator, values), claims, one, hard),
    );
    assert.deepEqual(found, matches, `${operator} ${values?.join() ?? ''}`);
  }
});

test('quotaMatches(): a scope of pods holds no claim, and one of claims no pod', () => {
  const gold = claim({ volumeAttributesClassName: 'gold' });
  const spec = { hard: {}, scopes: ['BestEffort'] };
  const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec };
  assert.equal(quotaMatches(quota, claims, gold, { persistentvolumeclaims: '1' }), false);
  const pods = { group: '', resource: 'pods' };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {} };
  assert.equal(quotaMatches(scoped('DoesNotExist'), pods, pod, { pods: '1' }), false);
});

test('usageOf(): a claim uses whole bytes, what is allocated where that is more, and its class', () => {
  const asked = (storage: string): object => ({ resources: { requests: { storage } } });
  const storage = (one: KubeObject): unknown => usageOf(claims, one)['requests.storage'];
  assert.equal(storage(claim(asked('1Gi'))), '1Gi');
  assert.equal(storage(claim(asked('1500m'))), '2');
  assert.equal(storage(claim(asked('1Gi'), { allocatedResources: { storage: '2Gi' } })), '2Gi');
  assert.equal(storage(claim(asked('3Gi'), { allocatedResources: { storage: '2Gi' } })), '3Gi');
  assert.equal(storage(claim({}, { allocatedResources: { storage: '2Gi' } })), undefined);
  const old = { 'volume.beta.kubernetes.io/storage-class': 'old' };
  const used = usageOf(claims, claim({ ...asked('1'), storageClassName: 'new' }, {}, old));
  assert.deepEqual(
    Object.keys(used).filter((name) => name.includes('storageclass')),
    [
      'old.storageclass.storage.k8s.io/persistentvolumeclaims',
      'old.storageclass.storage.k8s.io/requests.storage',
    ],
  );
});

const deviceClaims = { group: 'resource.k8s.io', resource: 'resourceclaims' };
const object = (kind: string, metadata: object, rest: object = {}): KubeObject =>
  ({ apiVersion: 'v1', kind, metadata, ...rest }) as KubeObject;
const gold = object(
  'DeviceClass',
  { name: 'gold' },
  { spec: { extendedResourceName: 'example.com/gold' } },
);
const tin = object('DeviceClass', { name: 'tin' }, { spec: {} });

test('matchingNames(): an extended resource is one of devices where a class has it', () => {
  const names = [
    'count/resourceclaims.resource.k8s.io',
    'none.deviceclass.resource.k8s.io/devices',
    'requests.deviceclass.resource.kubernetes.io/tin',
    'requests.deviceclass.resource.kubernetes.io/none',
    'requests.example.com/gold',
    'requests.example.com/none',
    'requests.cpu',
  ];
  const devices = { classes: [gold, tin], pods: [], claims: [] };
  assert.deepEqual(matchingNames(deviceClaims, names), names.slice(0, 2));
  const found = matchingNames({ ...deviceClaims, devices }, names);
  assert.deepEqual(found, [...names.slice(0, 3), 'requests.example.com/gold']);
});

test('usageOf(): what its pod was charged for, a claim made for it is not charged for again', () => {
  const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u', controller: true };
  const made = (name: string, requests: object[], creationTimestamp = '2026-01-01T00:00:00Z') =>
    object(
      'ResourceClaim',
      {
        name,
        creationTimestamp,
        annotations: { 'resource.kubernetes.io/extended-resource-claim': 'true' },
        ownerReferences: [owner],
      },
      { spec: { devices: { requests } } },
    );
  const exactly = { deviceClassName: 'gold', allocationMode: 'ExactCount', count: 3 };
  const first = made('b', [{ name: 'r', exactly }]);
  const second = made('a', [{ name: 'r', exactly }], '2026-01-01T00:00:01Z');
  const containers = [{ name: 'main', resources: { requests: { 'example.com/gold': '2' } } }];
  const pod = (status: object = {}): KubeObject =>
    object('Pod', { name: 'p', uid: 'u' }, { spec: { containers }, status });
  const extended = (claim: KubeObject, its: KubeObject): unknown => {
    const devices = { classes: [gold, tin], pods: [its], claims: [second, first] };
    return usageOf({ ...deviceClaims, devices }, claim)['requests.example.com/gold'];
  };
  assert.equal(extended(first, pod()), '1');
  assert.equal(extended(second, pod()), '3');
  const told = pod({ extendedResourceClaimStatus: { resourceClaimName: 'a' } });
  assert.equal(extended(first, told), '3');
  assert.equal(extended(second, told), '1');
  assert.equal(extended(first, object('Pod', { name: 'p', uid: 'another' })), '3');
});
