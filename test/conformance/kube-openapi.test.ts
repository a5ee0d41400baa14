// The OpenAPI document has the paths, operations, kinds and fields of kube-apiserver v1.37 (recorded by
// tools/record-kube-openapi.ts); what it has not is listed here.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { openApiV2, openApiV3 } from '#kube/openapi/documents.ts';
import { groupsOf } from '#kube/openapi/discovery.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { outlineOf, typeHashes, type Outline } from '#test/support/kube-openapi.ts';

const vectors = join(import.meta.dirname, '../vectors/kube-openapi.json');
const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as Outline;
const registry = new TypeRegistry();
const own = outlineOf(openApiV2(registry, {}));

/** Old paths of watches, which upstream calls deprecated; they are served, and not described. */
const isWatch = (path: string): boolean => /\/watch\//.test(path);
const inMeta = (name: string): string => `apis.meta.v1.${name}`;
/** What only descriptions of discovery, patches and watches refer to. */
const inlined = new Set(
  [
    'version.Info',
    ...['APIGroup', 'APIGroupList', 'APIResource', 'APIResourceList', 'APIVersions'].map(inMeta),
    ...['GroupVersionForDiscovery', 'Patch'].map(inMeta),
    ...['ServerAddressByClientCIDR', 'WatchEvent'].map(inMeta),
  ].map((name) => `io.k8s.apimachinery.pkg.${name}`),
);

test('every path has the operations of upstream', () => {
  const wanted = Object.entries(recorded.paths).filter(([path]) => !isWatch(path));
  for (const [path, operations] of wanted) assert.deepEqual(own.paths[path], operations, path);
  const known = new Set(Object.keys(recorded.paths));
  assert.deepEqual(
    Object.keys(own.paths).filter((path) => !known.has(path)),
    [],
  );
});

test('every definition has the fields of upstream', () => {
  const wanted = Object.entries(recorded.definitions).filter(([name]) => !inlined.has(name));
  for (const [name, fields] of wanted) assert.deepEqual(own.definitions[name], fields, name);
  const known = new Set(Object.keys(recorded.definitions));
  assert.deepEqual(
    Object.keys(own.definitions).filter((name) => !known.has(name)),
    [],
  );
});

/** Both are of every group: whose they are said to be depends on the document. */
const everywhere = new Set(
  ['DeleteOptions', 'WatchEvent'].map((name) => `io.k8s.apimachinery.pkg.${inMeta(name)}`),
);

test('everything that upstream says of a type is said of it', () => {
  const place = join(import.meta.dirname, '../vectors/kube-openapi-types.json');
  const recordedTypes = JSON.parse(readFileSync(place, 'utf8')) as Record<string, string[]>;
  const v2 = typeHashes(openApiV2(registry, {})['definitions'] as Record<string, unknown>);
  const v3: Record<string, string> = {};
  for (const { group, versions } of groupsOf(registry)) {
    for (const version of versions) {
      const document = openApiV3(registry, { group, version }, {}) as {
        components: { schemas: Record<string, unknown> };
      };
      Object.assign(v3, typeHashes(document.components.schemas));
    }
  }
  const differing = Object.entries(recordedTypes).filter(
    ([name, [old, next]]) =>
      !inlined.has(name) && !everywhere.has(name) && (old !== v2[name] || next !== v3[name]),
  );
  assert.deepEqual(
    differing.map(([name]) => name),
    [],
  );
});

test('the documents of v3 have the same paths', () => {
  const paths = groupsOf(registry).flatMap(({ group, versions }) =>
    versions.flatMap((version) => {
      const document = openApiV3(registry, { group, version }, {}) as { paths: object };
      return Object.keys(document.paths);
    }),
  );
  // The rest of what is about the server has no document of its own here.
  const ofServer = (path: string): boolean => path.endsWith('/') && !/\/v\d+\/$/.test(path);
  const described = Object.keys(own.paths).filter((path) => !ofServer(path));
  assert.deepEqual(paths.toSorted(), described.toSorted());
});
