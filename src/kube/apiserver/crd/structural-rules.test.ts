// What is structural about a schema and what is not, in the words of apiextensions.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { JsonSchema } from './json-schema.ts';
import { checkStructure, unstructured } from './structural-rules.ts';

const told = (schema: JsonSchema): string[] =>
  checkStructure(schema, 's').map(({ field, message }) => `${field}: ${message}`);
const object = (properties: Record<string, JsonSchema>, more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...more,
});

const cases: readonly (readonly [what: string, schema: JsonSchema, ...causes: string[]])[] = [
  ['nothing is wrong', object({ a: { type: 'array', items: { type: 'string' } } })],
  [
    'types are left out',
    { properties: { a: {}, b: { type: 'array', items: {} }, c: { type: 'array' } } },
    's.properties[a].type: Required value: must not be empty for specified object fields',
    's.properties[b].items.type: Required value: must not be empty for specified array items',
    's.properties[c].items: Required value: must be specified',
    's.type: Required value: must not be empty at the root',
  ],
  [
    'junctors speak of what is not described',
    object(
      { a: { type: 'string' } },
      { anyOf: [{ properties: { b: { minLength: 1 } } }, { not: { items: { minimum: 1 } } }] },
    ),
    's.items: Required value: because it is defined in s.anyOf[1].not.items',
    's.properties[b]: Required value: because it is defined in s.anyOf[0].properties[b]',
  ],
  [
    'junctors have types and values of maps',
    object({ a: { type: 'object', oneOf: [{ type: 'object', additionalProperties: {} }] } }),
    's.properties[a].oneOf[0].additionalProperties: Forbidden: must be undefined to be structural',
    's.properties[a].oneOf[0].type: Forbidden: must be empty to be structural',
  ],
  [
    'metadata and type are described',
    object({ kind: { type: 'integer' }, metadata: { type: 'object', maxProperties: 1 } }),
    's.properties[kind].type: Invalid value: "integer": must be string',
    's.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
  ],
  [
    'a resource inside is nothing that is known',
    object({ a: { type: 'object', 'x-kubernetes-embedded-resource': true } }),
    's.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
  ],
  [
    'either a number or a text, in the two ways that there are',
    object({
      a: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      b: {
        'x-kubernetes-int-or-string': true,
        allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, { pattern: 'a' }],
      },
    }),
  ],
];

for (const [what, schema, ...causes] of cases)
  void test(`structure: ${what}`, () => assert.deepEqual(told(schema), causes));

test('what a structural schema cannot have at all', () => {
  assert.equal(unstructured({ type: 'object', properties: { a: { id: '' } } }), undefined);
  assert.equal(
    unstructured({ type: 'object', properties: { a: { anyOf: [{ $schema: 'x' }] } } }),
    "OpenAPIV3Schema 'schema' is not supported",
  );
});
