// The etcd engine against the conformance suite, on a real etcd; several stores on one etcd; a store whose
// etcd goes away and comes back, and one whose watch was compacted away meanwhile.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { createEnv } from '#env/node/env.ts';
import { CuttableProxy } from '#test/support/cuttable-proxy.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import { storeConformance } from './conformance.ts';
import { EtcdClient } from './etcd-client.ts';
import { openEtcdStore } from './etcd-store.ts';
import { prefixEnd, type Store } from './store.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const all = { start: '/', end: prefixEnd('/') };
const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

const found = await findEtcd();
if (!found.ok) {
  test('EtcdStore', { skip: found.reason }, () => {});
} else {
  const cluster = await EtcdCluster.start(found.path, { size: 1, flags: ['--unsafe-no-fsync'] });
  const { endpoints } = cluster;
  const open = (): Promise<Store> => openEtcdStore({ endpoints }, env);
  after(async () => await cluster[Symbol.asyncDispose]());

  /** A store that finds nothing of what other tests left. */
  const openEmpty = async (): Promise<Store> => {
    const client = new EtcdClient({ endpoints });
    const everything = { key: bytes('/'), rangeEnd: bytes('0') };
    await client.txn({ compare: [], success: [{ delete: everything }], failure: [] });
    client.close();
    return await open();
  };

  storeConformance('EtcdStore', openEmpty);

  const put = (store: Store, key: string, value: string) =>
    store.txn({ compare: [], then: [{ kind: 'put', key, value: bytes(value) }] });

  test('what one store wrote is read by another at once', async () => {
    await using one = await openEmpty();
    await using other = await open();
    await using third = await openEtcdStore({ endpoints, prefix: '/other' }, env);
    for (let i = 0; i < 50; i++) {
      await put(one, '/shared', String(i));
      const kv = await other.get('/shared');
      assert.equal(new TextDecoder().decode(kv?.value), String(i));
    }
    assert.equal(await third.get('/shared'), undefined);
  });

  test('pages go on at a revision that is older than the store that is asked', async () => {
    await using one = await openEmpty();
    for (let i = 0; i < 4; i++) await put(one, `/k${i}`, 'old');
    const first = await one.range({ ...all, limit: 2 });
    await put(one, '/k3', 'new');
    await using other = await open();
    const { revision } = first;
    const next = await other.range({ start: '/k1\u0000', end: all.end, revision, limit: 1 });
    assert.deepEqual([next.items.map(({ key }) => key), next.remaining], [['/k2'], 1]);
  });

  test('a store whose etcd is killed says so, and goes on when it is back', async () => {
    await using store = await openEmpty();
    await put(store, '/a', '1');
    const seen: string[] = [];
    store.watch(
      { ...all, startRevision: store.revision() + 1 },
      {
        onEvents: (events) => {
          for (const event of events) seen.push(event.kind === 'put' ? event.kv.key : event.key);
        },
        onEnd: () => seen.push('end'),
      },
    );
    await cluster.signal('m0', 'SIGKILL');
    await assert.rejects(store.get('/a'), (error) => faultCode(error) === 'store-unavailable');
    assert.equal((await store.range({ ...all, isStaleOk: true })).items.length, 1);
    cluster.launch('m0');
    await cluster.ready();
    await put(store, '/b', '1');
    assert.deepEqual(seen, ['/b']);
  });

  test('a watch that was compacted away catches up with what is there', async () => {
    await using writer = await openEmpty();
    await using proxy = await CuttableProxy.start(endpoints[0] ?? '');
    await using store = await openEtcdStore({ endpoints: [proxy.url] }, env);
    for (const key of ['/a', '/b', '/c']) await put(store, key, '1');
    const seen: string[] = [];
    store.watch(
      { ...all, startRevision: store.revision() + 1 },
      {
        onEvents: (events) => {
          for (const event of events)
            seen.push(event.kind === 'put' ? event.kv.key : `-${event.key}`);
        },
        onEnd: () => seen.push('end'),
      },
    );
    proxy.cut();
    await put(writer, '/a', '2');
    await writer.txn({ compare: [], then: [{ kind: 'delete', key: '/b' }] });
    await put(writer, '/d', '1');
    await writer.compact(writer.revision());
    proxy.mend();
    assert.equal((await eventually(() => store.get('/d')))?.version, 1);
    assert.deepEqual(seen.toSorted(), ['-/b', '/a', '/d']);
    assert.equal(store.revision(), writer.revision());
  });
}

/** Until the connection is there again. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (faultCode(error) !== 'store-unavailable') throw error;
    }
  }
}
