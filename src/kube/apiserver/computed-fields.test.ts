// What the status of a pod keeps when a client writes one that does not say it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pods, serviceAccounts } from '#kube/client/resources.ts';
import { createSimEnv, startInProcessApi } from '#test/support/in-process-api.ts';
import { settleFields, settleStatus } from './computed-fields.ts';

const claims = [{ name: 'gpu', resourceClaimName: 'pod-gpu' }];

test('devices of a pod stay in its status until a client says that there are none', async () => {
  const api = await startInProcessApi(createSimEnv(1));
  const metadata = { name: 'a', namespace: 'default' };
  const containers = [{ name: 'c', image: 'pause' }];
  const resourceClaims = [{ name: 'gpu', resourceClaimName: 'pod-gpu' }];
  const spec = { containers, resourceClaims };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec };
  const claimsAfter = async (status: object): Promise<unknown> => {
    const written = await api.client.updateStatus(pods, { ...pod, status } as never);
    return written['status']?.['resourceClaimStatuses'];
  };
  try {
    const account = { metadata: { name: 'default', namespace: 'default' } };
    await api.client.create(serviceAccounts, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      ...account,
    });
    await api.client.create(pods, pod);
    assert.deepEqual(await claimsAfter({ resourceClaimStatuses: claims }), claims);
    assert.deepEqual(await claimsAfter({ phase: 'Running' }), claims);
    assert.deepEqual(await claimsAfter({ resourceClaimStatuses: [] }), undefined);
    assert.deepEqual(await claimsAfter({}), undefined);
  } finally {
    api.close();
  }
});

test('generations of conditions stay one by one, several of a type too', () => {
  const of = (type: string, observedGeneration?: number) =>
    observedGeneration === undefined ? { type } : { type, observedGeneration };
  const before = [of('A', 1), of('B', 2), of('A', 3)];
  const status = { conditions: [of('A'), of('A'), of('A'), of('B', 7)] };
  const old = { status: { observedGeneration: 4, conditions: before } };
  settleStatus('/pods', { status } as never, old as never);
  const wanted = [of('A', 1), of('A', 3), of('A'), of('B', 7)];
  assert.deepEqual(status, { conditions: wanted, observedGeneration: 4 });
});

const used = {
  partitionTypeAttribute: 'a.test/kind',
  skipNodeOperations: ['Prepare'],
  devices: [
    {
      name: 'a',
      attributes: { one: { ints: [1] } },
      consumesCounters: [{ counterSet: 'a', compatibilityGroups: ['mig'] }],
      nodeAllocatableResources: [{ resource: 'cpu' }],
    },
  ],
};
const unused = {
  devices: [{ name: 'a', attributes: { one: {} }, consumesCounters: [{ counterSet: 'a' }] }],
};

for (const [name, old, wanted] of [
  ['go from a new slice', undefined, unused],
  ['go from one that has not used them', unused, unused],
  ['stay in one that uses them', used, used],
] as const) {
  test(`fields of devices that are off by default ${name}`, () => {
    const slice = { spec: structuredClone(used) };
    const before = old === undefined ? undefined : { spec: old };
    settleFields('resource.k8s.io/resourceslices', slice as never, before as never);
    assert.deepEqual(slice.spec, wanted);
  });
}
