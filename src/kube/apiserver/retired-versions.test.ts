// What earlier clusters stored in versions that are served no more is there in the version that is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import { podDisruptionBudgets } from '#kube/client/resources.ts';
import { encodeEnvelope } from '#kube/types/protobuf.ts';
import { currentVersion, inCurrentVersion } from './retired-versions.ts';

const KEY = 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match';
const none = { matchExpressions: [{ key: KEY, operator: 'Exists' }] };
const all = { matchExpressions: [{ key: KEY, operator: 'DoesNotExist' }] };
const some = { matchLabels: { app: 'a' } };

const selectors = [
  [{}, none],
  [all, {}],
  [some, some],
  [undefined, undefined],
] as const;

for (const [selector, wanted] of selectors) {
  test(`the selector ${JSON.stringify(selector)} of a budget of v1beta1 is ${JSON.stringify(wanted)}`, () => {
    const spec = selector === undefined ? {} : { selector: structuredClone(selector) };
    const old = { apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget', metadata: {}, spec };
    const now = inCurrentVersion(old as never);
    assert.equal(now.apiVersion, 'policy/v1');
    assert.deepEqual(now['spec']?.['selector'], wanted);
  });
}

const versions = [
  ['batch/v1beta1', 'CronJob', 'batch/v1'],
  ['storage.k8s.io/v1beta1', 'StorageClass', 'storage.k8s.io/v1'],
  ['coordination.k8s.io/v1beta1', 'Lease', 'coordination.k8s.io/v1'],
  ['certificates.k8s.io/v1beta1', 'ClusterTrustBundle', 'certificates.k8s.io/v1'],
  ['networking.k8s.io/v1beta1', 'ServiceCIDR', 'networking.k8s.io/v1'],
  ['networking.k8s.io/v1beta1', 'Ingress', 'networking.k8s.io/v1beta1'],
  ['example.com/v1beta1', 'Thing', 'example.com/v1beta1'],
  ['v1', 'Pod', 'v1'],
] as const;

for (const [apiVersion, kind, wanted] of versions) {
  test(`${kind} of ${apiVersion} is read in ${wanted}`, () => {
    assert.equal(currentVersion(apiVersion, kind), wanted);
  });
}

test('a budget that was stored in v1beta1 is got, listed and written in v1', async () => {
  const api = await startInProcessApi(createSimEnv(1));
  const metadata = {
    name: 'old',
    namespace: 'default',
    uid: '08675309-9376-9376-9376-086753099999',
  };
  const spec = { minAvailable: 1, selector: {} };
  const object = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata, spec };
  const json = JSON.stringify({ ...object, apiVersion: 'policy/v1beta1' });
  // The length of its version is one byte of its envelope, and so is that of both together.
  const message = Buffer.from(encodeEnvelope(object as never) ?? []);
  const at = message.indexOf('policy/v1');
  const longer = Buffer.concat([
    message.subarray(0, at),
    Buffer.from('policy/v1beta1'),
    message.subarray(at + 'policy/v1'.length),
  ]);
  for (const back of [1, 3]) longer[at - back] = (longer[at - back] ?? 0) + 'beta1'.length;
  const place = { namespace: 'default', name: 'old' };
  try {
    for (const value of [Buffer.from(json), longer]) {
      const key = '/registry/poddisruptionbudgets/default/old';
      await api.store.txn({ compare: [], then: [{ kind: 'put', key, value }] });
      const found = await api.client.find(podDisruptionBudgets, place);
      assert.equal(found?.apiVersion, 'policy/v1');
      assert.deepEqual(found?.['spec']?.['selector'], none);
      const written = await api.client.update(podDisruptionBudgets, {
        ...found,
        spec: { ...found?.['spec'], minAvailable: 2 },
      } as never);
      assert.deepEqual(written['spec'], { minAvailable: 2, selector: none });
    }
  } finally {
    api.close();
  }
});
