// Both engines against the conformance suite; the durable one against being killed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { storeConformance } from './conformance.ts';
import { MemoryStore } from './memory-store.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { prefixEnd } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

storeConformance('MemoryStore', async () => new MemoryStore());
storeConformance('SqliteStore', () => openSqliteStore(join(folder, `${count++}.db`)));

test('SqliteStore keeps everything over a restart, revisions included', async () => {
  const path = join(folder, 'restart.db');
  const value = new TextEncoder().encode('v');
  let revision = 0;
  {
    await using store = await openSqliteStore(path);
    for (let i = 0; i < 10; i++)
      await store.txn({ compare: [], then: [{ kind: 'put', key: `/k${i}`, value }] });
    await store.txn({ compare: [], then: [{ kind: 'delete', key: '/k9' }] });
    await store.compact(store.revision());
    revision = store.revision();
  }
  await using store = await openSqliteStore(path);
  assert.equal(store.revision(), revision);
  assert.equal((await store.range({ start: '/', end: prefixEnd('/') })).items.length, 9);
});

test('SqliteStore tells how much it takes on disk', async () => {
  await using store = await openSqliteStore(join(folder, 'sized.db'));
  const [before = 0] = (await store.sizes?.()) ?? [];
  const value = new Uint8Array(1_000_000);
  await store.txn({ compare: [], then: [{ kind: 'put', key: '/large', value }] });
  const [bytes = 0] = (await store.sizes?.()) ?? [];
  assert.ok(before > 0 && bytes >= before + value.length, `${before}, then ${bytes}`);
});

test('SqliteStore lets watchers go on where they were over a restart', async () => {
  const path = join(folder, 'resume.db');
  const put = (key: string) =>
    ({ compare: [], then: [{ kind: 'put', key, value: new Uint8Array([1]) }] }) as const;
  let start = 0;
  {
    await using store = await openSqliteStore(path);
    for (const key of ['/a', '/b']) await store.txn(put(key));
    await store.compact(store.revision());
    start = (await store.txn(put('/c'))).revision;
    await store.txn(put('/c'));
    await store.txn({ compare: [], then: [{ kind: 'delete', key: '/a' }] });
  }
  await using store = await openSqliteStore(path);
  const seen: string[] = [];
  const watch = (startRevision: number) =>
    store.watch(
      { start: '/', end: prefixEnd('/'), startRevision },
      {
        onEvents: (events, revision) => {
          for (const event of events)
            seen.push(`${revision - start} ${event.kind} ${event.previous?.version ?? 0}`);
        },
        onEnd: (why) => seen.push(why),
      },
    );
  watch(start);
  assert.deepEqual(seen.splice(0), ['0 put 0', '1 put 1', '2 delete 1']);
  watch(start - 1);
  assert.deepEqual(seen, ['compacted']);
  const old = await store.range({ start: '/', end: prefixEnd('/'), revision: start });
  assert.deepEqual(
    old.items.map(({ key, version }) => `${key} ${version}`),
    ['/a 1', '/b 1', '/c 1'],
  );
});

test('SqliteStore in a folder that is not there is a fault with the path', async () => {
  const path = join(folder, 'none/x.db');
  await assert.rejects(openSqliteStore(path), (error: unknown) => {
    assert.match(String(error), new RegExp(path));
    return faultCode(error) === 'disk-permission';
  });
});

const writer = `
import { openSqliteStore } from '#store/sqlite-store.ts';
const store = await openSqliteStore(process.argv[1]);
let next = Number(process.argv[2]);
const worker = async () => {
  for (;;) {
    const number = next++;
    const value = new TextEncoder().encode(String(number));
    await store.txn({ compare: [], then: [{ kind: 'put', key: '/n/' + number, value }] });
    process.stdout.write(number + '\\n');
  }
};
await Promise.all(Array.from({ length: 16 }, worker));
`;

test('SqliteStore loses nothing that it acknowledged when it is killed', async () => {
  const path = join(folder, 'killed.db');
  const acknowledged = new Set<string>();
  for (let round = 0; round < 10; round++) {
    const args = ['--input-type=module-typescript', '-e', writer, path, String(round * 100_000)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) acknowledged.add(line);
      if (acknowledged.size > (round + 1) * 40) child.kill('SIGKILL');
    });
    await new Promise((done) => child.on('close', done));
    await using store = await openSqliteStore(path);
    const { items } = await store.range({ start: '/n/', end: prefixEnd('/n/') });
    const found = new Set(items.map(({ key }) => key.slice('/n/'.length)));
    assert.ok(acknowledged.size > 0);
    assert.deepEqual([...acknowledged.difference(found)], []);
  }
});
