// History that does not stay in memory: lists of old revisions and watches from them are told the same, whether
// it is all in memory, on disk but for a little, or on disk alone.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { faultCode } from '#base/fault.ts';
import { storeConformance } from './conformance.ts';
import { StoreIndex } from './index-core.ts';
import { MemoryStore } from './memory-store.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { prefixEnd, type KeyValue, type Store, type StoreEvent, type StoreOp } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-history-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const newPath = (): string => join(folder, `${count++}.db`);

const all = { start: '/', end: prefixEnd('/') };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string => new TextDecoder().decode(value);

storeConformance('SqliteStore with all history on disk', () =>
  openSqliteStore(newPath(), { historyBytesMax: 0 }),
);

function shown(kv: KeyValue | undefined): unknown {
  return kv && [kv.key, text(kv.value), kv.createRevision, kv.modRevision, kv.version];
}

const keyOf = (event: StoreEvent): string => (event.kind === 'put' ? event.kv.key : event.key);

/** Everything that can be asked about the past: lists at each revision, watches from each. */
async function pastOf(store: Store): Promise<unknown[]> {
  const told: unknown[] = [];
  for (let revision = 1; revision <= store.revision() + 1; revision++) {
    const items = await store.range({ ...all, revision }).then(
      (found) => [found.items.map(shown), found.remaining],
      (error: unknown) => faultCode(error),
    );
    const limited = await store.range({ ...all, revision, limit: 1 }).then(
      (found) => {
        const [whole = []] = items as unknown[][];
        assert.equal(found.remaining, whole.length - found.items.length);
        return [found.items.map(shown), found.more, found.remaining];
      },
      (error: unknown) => faultCode(error),
    );
    const events: unknown[] = [];
    const watch = store.watch(
      { start: '/b', end: '/d', startRevision: revision },
      {
        onEvents: (found, at) => {
          // A store that was opened again tells the changes of one revision in the order of their keys.
          for (const one of found.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))) {
            const what = one.kind === 'put' ? shown(one.kv) : [one.key, one.modRevision];
            events.push([at, one.kind, what, shown(one.previous)]);
          }
        },
        onEnd: (why) => events.push(why),
      },
    );
    watch.cancel();
    told.push([revision, items, limited, events]);
  }
  return told;
}

test('the past is the same whatever of it is in memory, over compactions and restarts', async () => {
  const key = fc.constantFrom('/a', '/b', '/c', '/d');
  const value = fc.string({ maxLength: 300 }).map(bytes);
  const op: fc.Arbitrary<StoreOp> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('put' as const), key, value }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  );
  // Of several operations on one key the last one counts, which each engine may show in its own way.
  const transaction = fc.uniqueArray(op, {
    selector: ({ key: one }) => one,
    minLength: 1,
    maxLength: 3,
  });
  const step = fc.oneof(
    { weight: 12, arbitrary: transaction },
    { weight: 1, arbitrary: fc.nat({ max: 100 }).map((percent) => ({ percent })) },
    { weight: 1, arbitrary: fc.constant('reopen' as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.constantFrom(0, 300, 900, 2_000),
      async (steps, historyBytesMax) => {
        const path = newPath();
        const oracle = new MemoryStore();
        let store = await openSqliteStore(path, { historyBytesMax });
        try {
          for (const one of steps) {
            if (one === 'reopen') {
              await store[Symbol.asyncDispose]();
              store = await openSqliteStore(path, { historyBytesMax });
            } else if ('percent' in one) {
              const at = Math.floor((store.revision() * one.percent) / 100);
              await Promise.all([store.compact(at), oracle.compact(at)]);
            } else {
              await Promise.all([store, oracle].map((to) => to.txn({ compare: [], then: one })));
            }
          }
          assert.deepEqual(await pastOf(store), await pastOf(oracle));
        } finally {
          await store[Symbol.asyncDispose]();
        }
      },
    ),
    { numRuns: 80 },
  );
});

test('no more of history is in memory than its bound, whatever is written', () => {
  const written = new Map<string, KeyValue>();
  const index = new StoreIndex({
    bytesMax: 10_000,
    read: (key, revision) => written.get(`${key} ${revision}`) as KeyValue,
  });
  for (let revision = 2; revision < 2_000; revision++) {
    const key = `/${revision % 7}`;
    const value = bytes('x'.repeat(revision % 900));
    const kv = { key, value, createRevision: 1, modRevision: revision, version: 1 };
    written.set(`${key} ${revision}`, kv);
    index.apply(revision, [{ key, kv }]);
    assert.ok(index.historyBytes <= 10_000, `${index.historyBytes} bytes of history`);
  }
  assert.equal(index.range({ ...all, revision: 100 }).items.length, 7);
  index.compact(1_998);
  assert.ok(index.historyBytes < 2_000);
});

test('what readers made of a version is forgotten when another one has come', async () => {
  const store = new MemoryStore();
  const put = (value: string) =>
    store.txn({ compare: [], then: [{ kind: 'put', key: '/a', value: bytes(value) }] });
  await put('1');
  const first = await store.get('/a');
  assert.ok(first !== undefined);
  first.memo = { made: 'of it' };
  const seen: unknown[] = [];
  const watcher = {
    onEvents: (events: readonly { previous: KeyValue | undefined }[]) =>
      seen.push(events[0]?.previous?.memo),
    onEnd: () => {},
  };
  store.watch({ ...all, startRevision: store.revision() + 1 }, watcher);
  await put('2');
  // Watchers, who compare the two, still have it.
  assert.deepEqual(seen, [{ made: 'of it' }]);
  assert.equal(first.memo, undefined);
});
