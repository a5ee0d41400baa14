// Documents that were made before are served as they are, until a custom kind is among what they should say.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { encodeOpenApiV2 } from '#kube/openapi/gnostic-v2.ts';
import { fileOf, hashOf } from '#kube/openapi/made-documents.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { OpenApiDocuments } from './openapi-documents.ts';

const alone = { documents: () => [] };

function addGadget(registry: TypeRegistry, group: string, customSchema?: object): void {
  const pod = registry.byResource('', 'v1', 'pods');
  assert.ok(pod);
  const names = { resource: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' };
  const definition = `gadgets.${group}`;
  const schema = { type: 'object' as const };
  registry.addCustom(definition, [
    {
      ...pod,
      ...names,
      group,
      version: 'v1',
      schema,
      customSchema,
      customResourceDefinition: definition,
    },
  ]);
}

test('OpenApiDocuments serves what was made before, and makes what custom kinds change', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-openapi-'));
  try {
    // Something that nobody would make, to tell it from what is made.
    const index: Record<string, unknown> = {};
    for (const path of ['v2', 'apis/apps/v1', 'apis/batch/v1']) {
      const text = JSON.stringify({ made: path });
      writeFileSync(join(folder, fileOf(path)), text);
      writeFileSync(join(folder, `${fileOf(path)}.gz`), gzipSync(text));
      index[path] = { hash: hashOf(text), isPacked: path !== 'v2' };
    }
    writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
    const registry = new TypeRegistry();
    const documents = new OpenApiDocuments(registry, alone, { folder, now: () => 0 });
    const textOf = async (path: string): Promise<string> =>
      String((await documents.v3(path))?.bytes);
    const url = async (path: string): Promise<unknown> => {
      const index = String(await documents.v3Index());
      const { paths } = JSON.parse(index) as { paths: Record<string, unknown> };
      return (paths[path] as { serverRelativeURL: string } | undefined)?.serverRelativeURL;
    };
    const madeHash = hashOf(JSON.stringify({ made: 'apis/apps/v1' }));
    assert.equal(String((await documents.v2()).bytes), '{"made":"v2"}');
    const apps = await documents.v3('apis/apps/v1');
    assert.equal(apps?.bytes.toString(), '{"made":"apis/apps/v1"}');
    assert.deepEqual(gunzipSync(apps.packed ?? Buffer.alloc(0)), apps.bytes);
    assert.equal(await url('apis/apps/v1'), `/openapi/v3/apis/apps/v1?hash=${madeHash}`);
    assert.equal(await documents.v3('apis/none/v1'), undefined);

    addGadget(registry, 'apps');
    assert.match(String((await documents.v2()).bytes), /"kind":"Gadget"/);
    const changed = await textOf('apis/apps/v1');
    assert.match(changed, /"kind":"Gadget"/);
    assert.equal(await url('apis/apps/v1'), `/openapi/v3/apis/apps/v1?hash=${hashOf(changed)}`);
    assert.equal(await textOf('apis/batch/v1'), '{"made":"apis/batch/v1"}');

    registry.removeCustom('gadgets.apps');
    assert.equal(await textOf('apis/apps/v1'), '{"made":"apis/apps/v1"}');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('others have their turns while a large document is made, and a change costs what changed', async () => {
  const registry = new TypeRegistry();
  const text = { type: 'string', description: 'x'.repeat(100) };
  const properties = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, text]));
  const large = { type: 'object', properties: { spec: { type: 'object', properties } } };
  for (let i = 0; i < 40; i++) addGadget(registry, `g${i}.example.com`, large);
  const documents = new OpenApiDocuments(registry, alone, { folder: '/nowhere', now: () => 0 });
  const turnsOf = async (work: Promise<unknown>): Promise<number> => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await work;
    isOver = true;
    return turns;
  };
  const first = await turnsOf(documents.v2());
  // One a kind at least, and one for each 64 KiB of what is written.
  const { bytes } = await documents.v2();
  assert.ok(first > registry.all().length + bytes.length / 2 ** 17, `${first} turns`);
  addGadget(registry, 'another.example.com', large);
  const second = await turnsOf(documents.v2());
  assert.ok(second < first / 2, `${second} turns after ${first}`);
  assert.equal(await turnsOf(documents.v2()), 0);
});

test('all that are asked for at once are one document, in both forms', async () => {
  const registry = new TypeRegistry();
  addGadget(registry, 'example.com', { type: 'object', properties: { a: { type: 'string' } } });
  const documents = new OpenApiDocuments(registry, alone, { folder: '/nowhere', now: () => 0 });
  const [a, b] = await Promise.all([documents.v2(), documents.v2()]);
  assert.equal(a, b);
  assert.equal(a.hash, hashOf(a.bytes.toString()));
  const whole = encodeOpenApiV2(JSON.parse(a.bytes.toString()) as Record<string, unknown>);
  assert.deepEqual(await a.protobuf(), whole);
});
