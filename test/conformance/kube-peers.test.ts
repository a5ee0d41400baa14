// API servers that share one etcd keep each other in the endpoints of the service `kubernetes`: by leases, as
// kube-apiservers do.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { openEtcdStore } from '#store/etcd-store.ts';
import type { Store } from '#store/store.ts';
import { eventually } from '#test/support/cluster.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const etcd = findEtcd();
const LEASES = '/registry/masterleases/';

interface Found {
  readonly endpoints: readonly string[];
  readonly slice: readonly string[];
}

async function found(target: Target): Promise<Found> {
  const get = async (path: string): Promise<Record<string, unknown>> =>
    JSON.parse((await senderTo(target)({ method: 'GET', path })).bytes.toString()) as never;
  const whole = await get('/api/v1/namespaces/default/endpoints/kubernetes');
  const [subset] = (whole['subsets'] ?? []) as readonly { addresses: { ip: string }[] }[];
  const slice = await get('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes');
  const all = (slice['endpoints'] ?? []) as readonly { addresses: string[] }[];
  return {
    endpoints: (subset?.addresses ?? []).map(({ ip }) => ip),
    slice: all.flatMap(({ addresses }) => addresses),
  };
}

test('servers on one etcd list each other', { skip: !etcd.ok && etcd.reason }, async () => {
  assert.ok(etcd.ok);
  const cluster = await EtcdCluster.start(etcd.path, { size: 1 });
  const stores: Store[] = [];
  const open = async (): Promise<Store> => {
    const store = await openEtcdStore({ endpoints: cluster.endpoints }, env);
    stores.push(store);
    return store;
  };
  const other = await open();
  const own = async (host: string): Promise<OwnServer> =>
    await startOwnServer({ store: await open(), listen: { host, port: 0 } });
  const put = async (ttlSeconds: number): Promise<void> => {
    const value = Buffer.from('{"kind":"Endpoints","apiVersion":"v1"}');
    const lease = { kind: 'put', key: `${LEASES}10.0.0.9`, value, ttlSeconds } as const;
    await other.txn({ compare: [], then: [lease] });
  };
  const one = '127.0.0.1';
  await put(3_600);
  const first = await own(one);
  let second: OwnServer | undefined;
  try {
    const both = ['10.0.0.9', one];
    assert.deepEqual(await found(first.target), { endpoints: both, slice: both });
    // It was killed: its lease is not renewed.
    await put(1);
    const gone = async (): Promise<true | undefined> =>
      (await other.get(`${LEASES}10.0.0.9`)) === undefined ? true : undefined;
    await eventually('the lease of the dead server ends', gone);
    second = await own('127.0.0.2');
    const two = [one, '127.0.0.2'];
    assert.deepEqual(await found(first.target), { endpoints: two, slice: two });
  } finally {
    await second?.close();
    const left = await found(first.target);
    await first.close();
    const leases = await other.range({ start: LEASES, end: `${LEASES}~` });
    for (const store of stores) await store[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
    assert.deepEqual(
      { left, leases: leases.items },
      { left: { endpoints: [one], slice: [one] }, leases: [] },
    );
  }
});
