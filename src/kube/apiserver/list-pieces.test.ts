// Long lists in pieces are, joined, the lists in one piece: plain and packed, in JSON and protobuf; and a change
// costs the packing of its own block only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { jsonForm, packedPieces, plainPieces, protobufForm, type ListForm } from './list-pieces.ts';
import { PieceBuffers } from './piece-buffers.ts';
import { listJson, listPage, listProtobuf, type Listed } from './lists.ts';
import { serialize } from './object-store.ts';

const info = new TypeRegistry().byResource('', 'v1', 'configmaps');
assert.ok(info !== undefined);
const resource = info;

async function put(store: MemoryStore, index: number, text: string): Promise<void> {
  const name = `m-${String(index).padStart(5, '0')}`;
  const metadata = { name, namespace: 'a', labels: { text: 'ä€😀' } };
  const value = serialize({ kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { text } });
  const key = `/registry/configmaps/a/${name}`;
  const { ok } = await store.txn({ compare: [], then: [{ kind: 'put', key, value }] });
  assert.ok(ok);
}

function list(store: MemoryStore, query = ''): Promise<Listed> {
  return listPage(store, { info: resource, namespace: 'a', query: new URLSearchParams(query) });
}

/** Each piece is given back before the next one is made, as when a client reads at once. */
function plainOf(form: ListForm, { items }: Listed): Buffer {
  const buffers = new PieceBuffers();
  const pieces: Buffer[] = [];
  for (const piece of plainPieces(form, items, buffers)) {
    pieces.push(Buffer.from(piece));
    buffers.giveBack(piece);
  }
  return Buffer.concat(pieces);
}

async function packedOf(listed: Listed, media: 'json' | 'protobuf'): Promise<Buffer[]> {
  const form = media === 'json' ? jsonForm(resource, listed) : await protobufForm(resource, listed);
  assert.ok(form !== undefined);
  const pieces: Buffer[] = [];
  for await (const piece of packedPieces(resource, form, listed.items)) pieces.push(piece);
  return pieces;
}

test('pieces are the list', async (t) => {
  const store = new MemoryStore();
  for (let i = 0; i < 1_500; i++) await put(store, i, 'x'.repeat(i % 50));
  const changes: readonly (readonly [name: string, change: () => Promise<void>])[] = [
    ['as it is', async () => {}],
    ['again', async () => {}],
    ['one changed', () => put(store, 700, 'changed')],
    ['one more', () => put(store, 2_000, 'x')],
    ['large ones', () => put(store, 3, 'y'.repeat(700_000))],
  ];
  for (const [name, change] of changes) {
    await change();
    for (const query of ['', 'limit=900', 'limit=1']) {
      await t.test(`${name} ${query}`, async () => {
        const listed = await list(store, query);
        const json = listJson(resource, listed);
        assert.deepEqual(plainOf(jsonForm(resource, listed), listed), json);
        assert.deepEqual(gunzipSync(Buffer.concat(await packedOf(listed, 'json'))), json);
        const messages = listProtobuf(resource, listed);
        const form = await protobufForm(resource, listed);
        assert.ok(messages !== undefined && form !== undefined);
        assert.deepEqual(plainOf(form, listed), messages);
        assert.deepEqual(gunzipSync(Buffer.concat(await packedOf(listed, 'protobuf'))), messages);
      });
    }
  }
});

test('what did not change is not packed again', async () => {
  const store = new MemoryStore();
  for (let i = 0; i < 2_000; i++) await put(store, i, 'x');
  const before = new Set(await packedOf(await list(store), 'json'));
  await put(store, 1_000, 'changed');
  const after = await packedOf(await list(store), 'json');
  const fresh = after.filter((piece) => piece.length > 100 && !before.has(piece));
  // The block of the object, and the ends of the list, which tell its version.
  assert.ok(after.length > 15, `${after.length} pieces`);
  assert.ok(fresh.length <= 2, `${fresh.length} of ${after.length} pieces are new`);
});
