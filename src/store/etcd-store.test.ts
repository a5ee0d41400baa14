// The etcd engine against the conformance suite, on a real etcd; several stores on one etcd; a store whose
// etcd goes away and comes back, and one whose watch was compacted away meanwhile.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { createEnv } from '#env/node/env.ts';
import { CuttableProxy } from '#test/support/cuttable-proxy.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import { storeConformance } from './conformance.ts';
import { EtcdClient, tellsProgress } from './etcd-client.ts';
import { openEtcdStore } from './etcd-store.ts';
import { prefixEnd, type Store } from './store.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const all = { start: '/', end: prefixEnd('/') };
const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

const found = findEtcd();
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

  test('history beyond its bound leaves the memory; lists of it are still answered', async () => {
    const bounded = { endpoints, historyBytesMax: 4_000 };
    await openEmpty().then((empty) => empty[Symbol.asyncDispose]());
    await using store = await openEtcdStore(bounded, env);
    await put(store, '/kept', 'first');
    const revision = store.revision();
    for (let i = 0; i < 100; i++) await put(store, '/hot', 'x'.repeat(100));
    const old = await store.range({ ...all, revision });
    assert.deepEqual(
      old.items.map(({ key }) => key),
      ['/kept'],
    );
    const told: string[] = [];
    const watcher = (name: string) => ({
      onEvents: () => void told.push(`${name} event`),
      onEnd: (why: string) => void told.push(`${name} ${why}`),
    });
    store.watch({ ...all, startRevision: revision }, watcher('old'));
    store.watch({ ...all, startRevision: store.revision() }, watcher('new'));
    assert.deepEqual(told, ['old compacted', 'new event']);
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
    // The client's connection comes back a little after the member.
    await eventually(() => put(store, '/b', '1'));
    assert.deepEqual([...seen], ['/b']);
  });

  test('a watch that was cut off has all that was written before a read ends', async () => {
    await using writer = await openEmpty();
    await using proxy = await CuttableProxy.start(endpoints[0] ?? '');
    await using store = await openEtcdStore({ endpoints: [proxy.url] }, env);
    const value = 'x'.repeat(2_000);
    for (let round = 0; round < 5; round++) {
      const seen = new Set<string>();
      const { cancel } = store.watch(
        { ...all, startRevision: store.revision() + 1 },
        {
          onEvents: (events) => {
            for (const event of events) if (event.kind === 'put') seen.add(event.kv.key);
          },
          onEnd: () => {},
        },
      );
      proxy.cut();
      const keys = Array.from({ length: 400 }, (_, i) => `/r${round}/${i}`);
      await Promise.all(keys.map((key) => put(writer, key, value)));
      proxy.mend();
      const last = keys.at(-1) ?? '';
      assert.equal((await eventually(() => store.get(last)))?.value.length, value.length);
      assert.equal(seen.size, keys.length);
      assert.equal((await store.range(all)).items.length, keys.length * (round + 1));
      cancel();
    }
  });

  test('revisions of other prefixes pass without an event and without a trace', async () => {
    await using store = await openEmpty();
    await using other = await openEtcdStore({ endpoints, prefix: '/other' }, env);
    await put(store, '/a', '1');
    for (let i = 0; i < 3; i++) {
      await put(other, '/elsewhere', String(i));
      assert.equal((await store.get('/a'))?.version, 1);
      await put(store, '/b', String(i));
      assert.equal((await other.get('/elsewhere'))?.version, i + 1);
    }
    const { items } = await other.range(all);
    assert.deepEqual(
      items.map(({ key }) => key),
      ['/elsewhere'],
    );
    await using anew = await openEtcdStore({ endpoints, prefix: '/other' }, env);
    assert.equal((await anew.range(all)).items.length, 1);
    await put(other, '/elsewhere', 'gone');
    await other.txn({ compare: [], then: [{ kind: 'delete', key: '/elsewhere' }] });
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

test('which versions of etcd tell the progress of a watch in order', () => {
  const table: Readonly<Record<string, boolean>> = {
    '3.4.30': false,
    '3.4.31': true,
    '3.5.0': false,
    '3.5.12': false,
    '3.5.13': true,
    '3.6.0-rc.1': true,
    '3.7.2': true,
    '4.0.0': true,
    '': false,
  };
  for (const [version, want] of Object.entries(table)) assert.equal(tellsProgress(version), want);
});

/** Until the connection is there again. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (faultCode(error) !== 'store-unavailable') throw error;
    }
    // A refused connection fails within a turn: leave the processor to others.
    await new Promise((done) => setTimeout(done, 20));
  }
}
