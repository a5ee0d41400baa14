// The OpenAPI of another server comes into ours with all that its paths refer to, under names that are free.
import assert from 'node:assert/strict';
import test from 'node:test';
import { mergeOpenApiV2 } from './remote-versions.ts';

const remote = {
  paths: {
    '/apis/far.example.com/v1/things': {
      parameters: [{ $ref: '#/parameters/pretty-1' }, { $ref: '#/parameters/body-1' }],
      get: { responses: { 200: { schema: { $ref: '#/definitions/Thing' } } } },
    },
    '/apis/far.example.com/v2/things': { get: { $ref: '#/definitions/Other' } },
  },
  parameters: {
    'pretty-1': { name: 'pretty', in: 'query', type: 'boolean' },
    'body-1': { name: 'body', in: 'body', schema: { $ref: '#/definitions/Body' } },
    'other-1': { name: 'other', in: 'query' },
  },
  definitions: { Thing: { type: 'object' }, Body: { type: 'string' }, Other: {} },
};

test('mergeOpenApiV2() takes what the paths need, parameters too, and renames what is taken', () => {
  const kept = JSON.stringify({ name: 'pretty', in: 'query', type: 'string' });
  const target = {
    paths: new Map<string, string>(),
    definitions: new Map([['Thing', '{"type":"array"}']]),
    parameters: new Map([['pretty-1', kept]]),
  };
  const version = { group: 'far.example.com', version: 'v1', priority: { group: 1, version: 1 } };
  mergeOpenApiV2(target, remote, { ...version, resources: [], isCurrent: true });
  assert.deepEqual([...target.paths.keys()], ['/apis/far.example.com/v1/things']);
  assert.deepEqual(JSON.parse(target.paths.get('/apis/far.example.com/v1/things') ?? ''), {
    parameters: [{ $ref: '#/parameters/pretty-1_v2' }, { $ref: '#/parameters/body-1' }],
    get: { responses: { 200: { schema: { $ref: '#/definitions/Thing_v2' } } } },
  });
  assert.deepEqual([...target.parameters.keys()].toSorted(), ['body-1', 'pretty-1', 'pretty-1_v2']);
  assert.equal(target.parameters.get('pretty-1'), kept);
  assert.deepEqual([...target.definitions.keys()].toSorted(), ['Body', 'Thing', 'Thing_v2']);
});
