// A value is judged by its schema in the words of kube-openapi: types with formats, and numbers in their ranges.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { JsonSchema } from './json-schema.ts';
import { validateBySchema } from './schema-validation.ts';

const told = (schema: JsonSchema, value: unknown, hasAllFormats = false): string[] =>
  validateBySchema(
    { type: 'object', properties: { a: schema } },
    { a: value },
    { hasAllFormats },
  ).map(({ field, message }) => `${field}: ${message}`);

test('a format stands for the type where a truth or an object is given', () => {
  const schema = { type: 'integer', format: 'int32' };
  assert.deepEqual(told(schema, true), [
    'a: Invalid value: "": a in body must be of type int32: ""',
  ]);
  assert.deepEqual(told(schema, '1'), [
    'a: Invalid value: "string": a in body must be of type integer: "string"',
  ]);
  assert.deepEqual(told({ type: 'string', format: 'date' }, [1]), []);
});

test('formats that are none of the type count for defaults only', () => {
  const schema = { type: 'boolean', format: 'int32' };
  assert.deepEqual(told(schema, 1), [
    'a: Invalid value: "integer": a in body must be of type boolean: "integer"',
  ]);
  assert.deepEqual(told(schema, 1, true), [
    'a: Invalid value: "int64": a in body must be of type int32: "int64"',
  ]);
});

test('numbers and their bounds are in the range of the type', () => {
  const of = (what: string): string => `<nil>: Invalid value: "": ${what} in a`;
  assert.deepEqual(told({ type: 'integer', format: 'int32' }, 2 ** 31), [
    of('Checked value must be of type integer with format int32'),
  ]);
  assert.deepEqual(told({ type: 'integer', format: 'int32', maximum: 2 ** 40 }, 1), [
    of('Maximum boundary value must be of type integer with format int32'),
  ]);
  assert.deepEqual(told({ type: 'number', format: 'float' }, 1e39), [
    of('Checked value must be of type number with format float'),
  ]);
  assert.deepEqual(told({ type: 'number' }, 1e39), []);
});
