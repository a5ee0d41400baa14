// OpenAPI documents are complete in themselves and say what kubectl looks for.
import assert from 'node:assert/strict';
import test from 'node:test';
import { TypeRegistry } from '#kube/types/registry.ts';
import { openApiPaths, openApiV2, openApiV3, openApiV3Index } from './documents.ts';
import { hashOf } from './made-documents.ts';

const registry = new TypeRegistry();

/** Every `$ref` below the value. */
function refs(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(refs);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) =>
    key === '$ref' && typeof one === 'string' ? [one] : refs(one),
  );
}

for (const path of openApiPaths(registry)) {
  test(`openApiV3() of ${path} defines all that it refers to, and nothing else`, () => {
    const document = openApiV3(registry, path, {});
    assert.ok(document);
    const { schemas = {} } = document['components'] as { schemas?: Record<string, unknown> };
    const named = new Set(refs(document).map((ref) => ref.slice('#/components/schemas/'.length)));
    assert.deepEqual(Object.keys(schemas), [...named].toSorted());
  });
}

test('lists are described as their kinds are', () => {
  const said = { '': 'some', items: 'the services', kind: 'a name' };
  const document = openApiV2(registry, { 'io.k8s.api.core.v1.ServiceList': said });
  const { ServiceList } = Object.fromEntries(
    Object.entries(document['definitions'] as Record<string, Record<string, unknown>>).map(
      ([name, one]) => [name.split('.').at(-1), one],
    ),
  );
  const properties = ServiceList?.['properties'] as Record<string, { description?: string }>;
  const texts = Object.entries(properties).map(([name, one]) => [name, one.description]);
  assert.equal(ServiceList?.['description'], 'some');
  assert.deepEqual(Object.fromEntries(texts), {
    apiVersion: undefined,
    items: 'the services',
    kind: 'a name',
    metadata: undefined,
  });
});

test('openApiV2() defines all that it refers to, and nothing else', () => {
  const document = openApiV2(registry, {});
  const all = new Set(
    ['definitions', 'parameters'].flatMap((place) =>
      Object.keys(document[place] as object).map((name) => `#/${place}/${name}`),
    ),
  );
  assert.deepEqual([...all].toSorted(), [...new Set(refs(document))].toSorted());
});

test('openApiV3() lets kubectl see that fields are validated by the server', () => {
  const document = openApiV3(registry, 'api/v1', {});
  const paths = document?.['paths'] as Record<
    string,
    Record<string, { parameters: { name: string }[] }>
  >;
  const patch = paths['/api/v1/namespaces/{namespace}/pods/{name}']?.['patch'];
  assert.ok(patch?.parameters.some(({ name }) => name === 'fieldValidation'));
});

test('openApiV3Index() changes its hash with the document', () => {
  const url = (text: string): unknown => openApiV3Index(new Map([['api/v1', hashOf(text)]]));
  assert.notDeepEqual(url('a'), url('b'));
  assert.deepEqual(url('a'), url('a'));
});
