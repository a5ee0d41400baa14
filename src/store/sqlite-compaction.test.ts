// Compaction of the embedded store: what leaves the disk, at what cost, and what a killed one leaves.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { openSqliteStore } from './sqlite-store.ts';
import { prefixEnd, type Store, type StoreOp } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-compaction-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const newPath = (): string => join(folder, `${count++}.db`);

const all = { start: '/', end: prefixEnd('/') };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (key: string, value = 'v'): StoreOp => ({ kind: 'put', key, value: bytes(value) });
const write = (store: Store, ...then: StoreOp[]) => store.txn({ compare: [], then });

function rowsOf(path: string): string[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = database.prepare('SELECT revision, key FROM version ORDER BY revision, key').all();
    return rows.map(({ revision, key }) => `${String(revision)} ${String(key)}`);
  } finally {
    database.close();
  }
}

/** What was there before the compaction is current, or it is not there. */
async function currentRows(store: Store): Promise<string[]> {
  const { items } = await store.range(all);
  return items
    .toSorted((a, b) => a.modRevision - b.modRevision || (a.key < b.key ? -1 : 1))
    .map(({ key, modRevision }) => `${modRevision} ${key}`);
}

test('a compaction leaves of any history what is current, on disk as in memory', async () => {
  const key = fc.constantFrom('/a', '/b', '/c');
  const op = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), key }),
    fc.record({ kind: fc.constant('delete' as const), key }),
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.array(op, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constantFrom('compact' as const, 'reopen' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const path = newPath();
      let store = await openSqliteStore(path);
      try {
        for (const one of steps) {
          const before = await currentRows(store);
          if (one === 'compact') await store.compact(store.revision());
          else if (one === 'reopen') {
            await store[Symbol.asyncDispose]();
            store = await openSqliteStore(path);
          } else await write(store, ...one.map((o) => (o.kind === 'put' ? put(o.key) : o)));
          if (typeof one === 'string') assert.deepEqual(await currentRows(store), before);
        }
        await store.compact(store.revision());
        assert.deepEqual(rowsOf(path), await currentRows(store));
      } finally {
        await store[Symbol.asyncDispose]();
      }
    }),
    { numRuns: 60 },
  );
});

test('a compaction costs what was superseded, not what is stored', async () => {
  const path = newPath();
  await using store = await openSqliteStore(path);
  // So many that looking for later versions of each key would take minutes.
  const keys = Array.from({ length: 20_000 }, (_, i) => `/k${String(i).padStart(5, '0')}`);
  await Promise.all(keys.map((key) => write(store, put(key, 'x'.repeat(500)))));
  await Promise.all(keys.slice(0, 3_000).map((key) => write(store, put(key))));
  const compacted = store.compact(store.revision());
  // The rest of it waits; writes do not wait for it.
  assert.ok(rowsOf(path).length > keys.length + 1);
  await write(store, put('/k00000', 'between'));
  await compacted;
  assert.equal(rowsOf(path).length, keys.length + 1);
});

test('what a killed compaction has left goes with the next one', async () => {
  const path = newPath();
  {
    await using store = await openSqliteStore(path);
    const keys = Array.from({ length: 2_000 }, (_, i) => `/k${i}`);
    await Promise.all(keys.map((key) => write(store, put(key))));
    await Promise.all(keys.map((key) => write(store, { kind: 'delete', key })));
    await write(store, put('/last'));
    // Closed after the first slice.
    void store.compact(store.revision());
  }
  assert.ok(rowsOf(path).length > 3_000);
  await using store = await openSqliteStore(path);
  assert.deepEqual(
    (await store.range(all)).items.map(({ key }) => key),
    ['/last'],
  );
  await write(store, put('/last'));
  await store.compact(store.revision());
  assert.deepEqual(rowsOf(path), [`${store.revision()} /last`]);
});
