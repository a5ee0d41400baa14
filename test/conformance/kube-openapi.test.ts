// The OpenAPI documents say what those of kube-apiserver v1.37 say, but for descriptions (recorded by
// tools/record-kube-openapi.ts): which paths, operations, kinds and fields there are, and by hashes everything of each.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { same } from '#base/same.ts';
import { openApiPaths, openApiV2, openApiV3 } from '#kube/openapi/documents.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import {
  documentHash,
  outlineOf,
  pathHashes,
  typeHashes,
  type Outline,
} from '#test/support/kube-openapi.ts';

const vectors = join(import.meta.dirname, '../vectors/kube-openapi.json');
const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as Outline;
const registry = new TypeRegistry();
const own = outlineOf(openApiV2(registry, {}));

test('every path has the operations of upstream', () => {
  assert.deepEqual(own.paths, recorded.paths);
});

test('every definition has the fields of upstream', () => {
  assert.deepEqual(own.definitions, recorded.definitions);
});

const read = (name: string): unknown =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../vectors', name), 'utf8')) as unknown;

type Json = Record<string, unknown>;

interface Document extends Json {
  readonly paths: Json;
  readonly components: { readonly schemas?: Json };
}

const v2 = openApiV2(registry, {});
const v3 = new Map(
  openApiPaths(registry).map((path) => [path, openApiV3(registry, path, {}) as Document]),
);

test('everything that upstream says of a type is said of it', () => {
  const wanted = read('kube-openapi-types.json') as Record<string, string[]>;
  const old = typeHashes(v2['definitions'] as Json);
  const next: Record<string, string> = {};
  // In which groups a few are depends on the document: of those upstream's last one was recorded, too.
  for (const { components } of v3.values())
    Object.assign(next, typeHashes(components.schemas ?? {}));
  assertSame(wanted, (name) => [old[name] ?? '', next[name] ?? '']);
  assert.deepEqual(Object.keys(old).toSorted(), Object.keys(wanted).toSorted());
});

/** Names those that differ: hashes tell nothing. */
function assertSame(wanted: Json, found: (name: string) => unknown): void {
  const differing = Object.entries(wanted).filter(([name, one]) => !same(one, found(name)));
  assert.deepEqual(
    differing.map(([name]) => name),
    [],
  );
}

const recordedPaths = read('kube-openapi-paths.json') as {
  readonly documents: Readonly<Record<string, string>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
};

test('everything that upstream says of a path is said of it: parameters, bodies, answers, names', () => {
  const old = pathHashes(v2);
  const next = Object.assign({}, ...[...v3.values()].map(pathHashes)) as typeof old;
  const both = Object.entries(old).map(([path, item]) => {
    const hashes = Object.entries(item).map(([method, hash]) => [
      method,
      [hash, next[path]?.[method] ?? ''],
    ]);
    return [path, Object.fromEntries(hashes)] as const;
  });
  const found = Object.fromEntries(both) as Record<string, unknown>;
  assertSame(recordedPaths.paths, (path) => found[path]);
  assert.deepEqual(Object.keys(found), Object.keys(recordedPaths.paths));
});

test('every document has the paths and types of upstream, and the same around them', () => {
  const found = new Map([['v2', documentHash(v2)]]);
  for (const [path, document] of v3) found.set(path, documentHash(document));
  assertSame(recordedPaths.documents, (path) => found.get(path));
  assert.deepEqual([...found.keys()], Object.keys(recordedPaths.documents));
});
