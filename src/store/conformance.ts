// What every engine of the store must do: told by stories, and by a naive twin under random histories.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { faultCode } from '#base/fault.ts';
import { prefixEnd, type Store, type StoreEvent, type StoreOp } from './store.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const all = { start: '/', end: prefixEnd('/') };

function put(key: string, value: string): StoreOp {
  return { kind: 'put', key, value: bytes(value) };
}

async function write(store: Store, ...then: StoreOp[]): Promise<number> {
  return (await store.txn({ compare: [], then })).revision;
}

export function storeConformance(name: string, open: () => Promise<Store>): void {
  test(`${name}: revisions grow by one for each transaction that changes something`, async () => {
    await using store = await open();
    const first = await write(store, put('/a', '1'), put('/b', '1'));
    assert.equal(await write(store, put('/a', '2')), first + 1);
    assert.equal(await write(store, { kind: 'delete', key: '/none' }), first + 1);
    const a = await store.get('/a');
    assert.deepEqual([a?.version, a?.createRevision, a?.modRevision], [2, first, first + 1]);
  });

  test(`${name}: a failed compare changes nothing and tells what is there`, async () => {
    await using store = await open();
    const revision = await write(store, put('/a', '1'));
    const result = await store.txn({
      compare: [{ key: '/a', target: 'mod', equals: 0 }],
      then: [put('/a', '2'), put('/b', '2')],
    });
    assert.equal(result.ok, false);
    assert.equal(!result.ok && result.current[0]?.modRevision, revision);
    assert.equal(await store.get('/b'), undefined);
    assert.equal(store.revision(), revision);
  });

  test(`${name}: of many creations of one key at once exactly one wins`, async () => {
    await using store = await open();
    const create = {
      compare: [{ key: '/a', target: 'mod' as const, equals: 0 }],
      then: [put('/a', 'x')],
    };
    const results = await Promise.all(Array.from({ length: 20 }, () => store.txn(create)));
    assert.equal(results.filter(({ ok }) => ok).length, 1);
  });

  test(`${name}: range() pages at one revision while the store goes on`, async () => {
    await using store = await open();
    for (let i = 0; i < 5; i++) await write(store, put(`/k${i}`, 'old'));
    const first = await store.range({ ...all, limit: 2 });
    assert.deepEqual([first.items.length, first.more, first.remaining], [2, true, 3]);
    await write(store, put('/k4', 'new'), { kind: 'delete', key: '/k3' });
    const rest = await store.range({ start: '/k2', end: all.end, revision: first.revision });
    assert.deepEqual(
      rest.items.map(({ value }) => text(value)),
      ['old', 'old', 'old'],
    );
    assert.equal((await store.range(all)).items.length, 4);
  });

  test(`${name}: watch() replays history and goes on, never splitting a revision`, async () => {
    await using store = await open();
    const start = await write(store, put('/a', '1'));
    await write(store, put('/a', '2'), put('/b', '2'));
    const seen: string[] = [];
    const watch = store.watch(
      { ...all, startRevision: start },
      {
        onEvents: (events, revision) =>
          seen.push(`${revision - start}:${events.map(keyOf).join(',')}`),
        onEnd: () => {},
      },
    );
    await write(store, { kind: 'delete', key: '/a' });
    assert.deepEqual(seen, ['0:/a', '1:/a,/b', '2:-/a']);
    watch.cancel();
    await write(store, put('/c', '1'));
    assert.equal(seen.length, 3);
  });

  test(`${name}: compaction ends old reads and watches, and keeps what is current`, async () => {
    await using store = await open();
    const first = await write(store, put('/a', '1'));
    await write(store, put('/a', '2'));
    const last = await write(store, put('/b', '1'));
    await store.compact(last);
    await assert.rejects(
      store.range({ ...all, revision: first }),
      (error) => faultCode(error) === 'compacted',
    );
    const ends: string[] = [];
    store.watch(
      { ...all, startRevision: first },
      { onEvents: () => {}, onEnd: (why) => ends.push(why) },
    );
    assert.deepEqual(ends, ['compacted']);
    assert.deepEqual(
      (await store.range(all)).items.map(({ key }) => key),
      ['/a', '/b'],
    );
    await assert.rejects(
      store.range({ ...all, revision: last + 5 }),
      (error) => faultCode(error) === 'future-revision',
    );
  });

  test(`${name}: random histories agree with a naive twin`, async () => {
    const key = fc.constantFrom('/a', '/b', '/c/d', '/c/e');
    const op = fc.oneof(
      fc.record({
        kind: fc.constant('put' as const),
        key,
        value: fc.string({ maxLength: 4 }).map(bytes),
      }),
      fc.record({ kind: fc.constant('delete' as const), key }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(op, { minLength: 1, maxLength: 3 }), { maxLength: 20 }),
        async (history) => {
          await using store = await open();
          const twin = new Map<string, string>();
          for (const then of history) {
            await store.txn({ compare: [], then });
            for (const one of then) {
              if (one.kind === 'put') twin.set(one.key, text(one.value));
              else twin.delete(one.key);
            }
          }
          const { items } = await store.range(all);
          assert.deepEqual(
            items.map((kv) => [kv.key, text(kv.value)]),
            [...twin].sort(([a], [b]) => (a < b ? -1 : 1)),
          );
        },
      ),
      { numRuns: 40 },
    );
  });
}

function keyOf(event: StoreEvent): string {
  return event.kind === 'put' ? event.kv.key : `-${event.key}`;
}
