// What goes from a service that has another type than the one its fields are for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { services } from '#kube/client/resources.ts';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import { dropForeign, dropInnerPolicy } from './service-fields.ts';

const cases = [
  ['ExternalName', 'Cluster', undefined],
  ['ExternalName', 'Local', undefined],
  ['ExternalName', 'Both', 'Both'],
  ['ClusterIP', 'Local', 'Local'],
] as const;

for (const [type, internalTrafficPolicy, wanted] of cases) {
  test(`the inner policy ${internalTrafficPolicy} of type ${type} is ${wanted}`, () => {
    const spec = { type, internalTrafficPolicy };
    dropInnerPolicy(spec);
    assert.equal(spec.internalTrafficPolicy, wanted);
    const again = { metadata: { name: 'a' }, spec: { type, internalTrafficPolicy } };
    dropForeign(again as never, { type });
    assert.equal(again.spec.internalTrafficPolicy, wanted);
  });
}

test('a service of old is updated by clients that know one address, and has all that new ones have', async () => {
  const api = await startInProcessApi(createSimEnv(1));
  const metadata = {
    name: 'old',
    namespace: 'default',
    uid: '08675309-9376-9376-9376-086753099999',
  };
  const spec = { clusterIP: '10.96.0.1', ports: [{ name: 'a', port: 81 }] };
  const old = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  try {
    const key = '/registry/services/specs/default/old';
    const value = Buffer.from(JSON.stringify(old));
    await api.store.txn({ compare: [], then: [{ kind: 'put', key, value }] });
    const { spec: now } = await api.client.update(services, old);
    assert.deepEqual([now?.['clusterIPs'], now?.['ipFamilies']], [['10.96.0.1'], ['IPv4']]);
    assert.equal(now?.['ipFamilyPolicy'], 'SingleStack');
  } finally {
    api.close();
  }
});
