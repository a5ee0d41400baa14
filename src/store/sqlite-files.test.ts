// Backups of a store that is written to, restores, locks, files that are broken, and copies.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import { copyStore } from './copy.ts';
import { MemoryStore } from './memory-store.ts';
import { parseStoreSpec } from './store-spec.ts';
import { backupSqlite, checkSqlite, restoreSqlite } from './sqlite-files.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { prefixEnd, type Store } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-files-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const all = { start: '/', end: prefixEnd('/') };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function put(store: Store, ...keys: string[]) {
  const then = keys.map((key) => ({ kind: 'put' as const, key, value: bytes(key) }));
  return store.txn({ compare: [], then });
}

async function keysOf(store: Store): Promise<string[]> {
  return (await store.range(all)).items.map(({ key }) => key);
}

test('a store is open in one process at a time', async () => {
  const path = join(folder, 'locked.db');
  {
    await using _store = await openSqliteStore(path);
    await assert.rejects(openSqliteStore(path), (error) => faultCode(error) === 'store-locked');
  }
  await using store = await openSqliteStore(path);
  assert.equal(store.revision(), 1);
});

const writer = `
import { openSqliteStore } from '#store/sqlite-store.ts';
const store = await openSqliteStore(process.argv[1]);
for (let i = 0; ; i++) {
  const value = new Uint8Array(2000);
  const then = ['/a/', '/b/'].map((key) => ({ kind: 'put', key: key + i, value }));
  await store.txn({ compare: [], then });
  if (i === 100) process.stdout.write('going');
}`;

test('a backup of a store that another process writes is one moment of it', async () => {
  const path = join(folder, 'busy.db');
  const args = ['--input-type=module-typescript', '-e', writer, path];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((done) => child.stdout.once('data', done));
  for (let i = 0; i < 5; i++) {
    const file = join(folder, `busy-${i}.backup`);
    const { keys, revision } = backupSqlite(path, file);
    await using copy = await openSqliteStore(file);
    const found = await keysOf(copy);
    const numbers = (prefix: string) =>
      found.filter((key) => key.startsWith(prefix)).map((key) => Number(key.slice(3)));
    assert.deepEqual(numbers('/a/').sort(), numbers('/b/').sort());
    // Each transaction made two keys and one revision, and none is missing in between.
    assert.deepEqual([found.length, revision - 1], [keys, keys / 2]);
    assert.ok(keys > 200);
  }
  child.kill('SIGKILL');
  await new Promise((done) => child.on('close', done));
});

test('a restored store has what the backup had, at a revision that nobody has seen', async () => {
  const path = join(folder, 'lost.db');
  const file = join(folder, 'lost.backup');
  let last = 0;
  {
    await using store = await openSqliteStore(path);
    await put(store, '/kept');
    backupSqlite(path, file);
    assert.throws(
      () => restoreSqlite(file, path, 1),
      (error) => faultCode(error) === 'store-locked',
    );
    await put(store, '/later');
    last = (await put(store, '/kept')).revision;
  }
  const { aside, keys } = restoreSqlite(file, path, 1);
  assert.equal(keys, 1);
  await using store = await openSqliteStore(path);
  assert.deepEqual(await keysOf(store), ['/kept']);
  assert.ok(store.revision() > last);
  const ends: string[] = [];
  store.watch(
    { ...all, startRevision: last + 1 },
    { onEvents: () => {}, onEnd: (why) => ends.push(why) },
  );
  assert.deepEqual(ends, ['compacted']);
  assert.equal(checkSqlite(aside ?? '').keys, 2);
});

test('a file that is broken is neither restored nor called whole', async () => {
  const path = join(folder, 'broken.db');
  {
    await using store = await openSqliteStore(path);
    for (let i = 0; i < 500; i++) await put(store, `/k${i}`);
  }
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(8_192, 0x5a), 0, 8_192, Math.floor(statSync(path).size / 2));
  assert.throws(
    () => checkSqlite(path),
    (error) => faultCode(error) === 'store-corrupt',
  );
  assert.throws(
    () => restoreSqlite(path, join(folder, 'target.db'), 1),
    (error) => faultCode(error) === 'store-corrupt',
  );
});

test('copyStore() takes everything over, and nothing into a store that has keys', async () => {
  await using from = new MemoryStore();
  for (let i = 0; i < 2_500; i++) await put(from, `/k${i}`);
  await from.txn({ compare: [], then: [{ kind: 'delete', key: '/k7' }] });
  await using to = await openSqliteStore(join(folder, 'copy.db'));
  assert.equal((await copyStore(from, to)).keys, 2_499);
  assert.deepEqual(await keysOf(to), await keysOf(from));
  await assert.rejects(copyStore(from, to), (error) => faultCode(error) === 'not-empty');
});

test('parseStoreSpec() reads what operators write', () => {
  const parse = (text: string) => parseStoreSpec(text, '/strata/x');
  assert.deepEqual(parse('sqlite:/a/b.db'), { kind: 'sqlite', path: '/a/b.db' });
  assert.deepEqual(parse('etcd:h:1,https://i:2?prefix=/p/&cafile=/ca'), {
    kind: 'etcd',
    endpoints: ['http://h:1', 'https://i:2'],
    prefix: '/p',
    caFile: '/ca',
  });
  for (const text of ['x', 'etcd:', 'etcd:h:1?what=1', 'etcd:http://[', 'sqlite:'])
    assert.throws(
      () => parse(text),
      (error) => faultCode(error) === 'bad-option',
    );
});
