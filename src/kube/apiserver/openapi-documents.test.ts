// Documents that were made before are served as they are, until a custom kind is among what they should say.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fileOf, hashOf } from '#kube/openapi/made-documents.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { OpenApiDocuments } from './openapi-documents.ts';

const alone = { documents: () => [] };

function addGadget(registry: TypeRegistry, group: string): void {
  const pod = registry.byResource('', 'v1', 'pods');
  assert.ok(pod);
  const names = { resource: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' };
  const definition = `gadgets.${group}`;
  const schema = { type: 'object' as const };
  registry.addCustom(definition, [
    { ...pod, ...names, group, version: 'v1', schema, customResourceDefinition: definition },
  ]);
}

test('OpenApiDocuments serves what was made before, and makes what custom kinds change', () => {
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
    const documents = new OpenApiDocuments(registry, alone, folder);
    const url = (path: string): unknown => {
      const { paths } = documents.v3Index() as { paths: Record<string, unknown> };
      return (paths[path] as { serverRelativeURL: string } | undefined)?.serverRelativeURL;
    };
    const madeHash = hashOf(JSON.stringify({ made: 'apis/apps/v1' }));
    assert.equal(documents.v2().bytes.toString(), '{"made":"v2"}');
    const apps = documents.v3('apis/apps/v1');
    assert.equal(apps?.bytes.toString(), '{"made":"apis/apps/v1"}');
    assert.deepEqual(gunzipSync(apps.packed ?? Buffer.alloc(0)), apps.bytes);
    assert.equal(url('apis/apps/v1'), `/openapi/v3/apis/apps/v1?hash=${madeHash}`);
    assert.equal(documents.v3('apis/none/v1'), undefined);

    addGadget(registry, 'apps');
    assert.match(documents.v2().bytes.toString(), /"kind":"Gadget"/);
    const changed = documents.v3('apis/apps/v1')?.bytes.toString() ?? '';
    assert.match(changed, /"kind":"Gadget"/);
    assert.equal(url('apis/apps/v1'), `/openapi/v3/apis/apps/v1?hash=${hashOf(changed)}`);
    assert.equal(documents.v3('apis/batch/v1')?.bytes.toString(), '{"made":"apis/batch/v1"}');

    registry.removeCustom('gadgets.apps');
    assert.equal(documents.v3('apis/apps/v1')?.bytes.toString(), '{"made":"apis/apps/v1"}');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
