// Accept headers and what they get, as k8s.io/apiserver v1.37 negotiates.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { ApiError } from '#kube/meta/status.ts';
import { negotiateOrRefuse, type Media } from './negotiation.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const META = 'g=meta.k8s.io;v=v1';

const builtin: readonly Media[] = ['json', 'yaml', 'protobuf'];

function said(accept: string | undefined, options: { agent?: string; isWatch?: boolean } = {}) {
  const headers = { accept, 'user-agent': options.agent ?? 'test' };
  const request = { headers, url: '/api/v1/pods' } as unknown as IncomingMessage;
  const isWatch = options.isWatch === true;
  try {
    const offered = { media: builtin, hasTransforms: true, isWatch, isListed: true };
    const found = negotiateOrRefuse(request, offered);
    return [found.media, found.as ?? '', found.isPretty ? 'pretty' : ''].join(' ').trim();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

const accepts: readonly (readonly [string | undefined, string])[] = [
  [undefined, 'json'],
  ['', 'json'],
  ['*/*', 'json'],
  ['application/*', '406 406: Not Acceptable'],
  [PROTOBUF, 'protobuf'],
  [`${PROTOBUF},application/json`, 'protobuf'],
  [`application/json,${PROTOBUF}`, 'json'],
  [`application/json;q=0.5,${PROTOBUF};q=0.9`, 'protobuf'],
  [`*/*,${PROTOBUF}`, 'protobuf'],
  ['text/html,application/yaml;q=0.8,*/*;q=0.1', 'yaml'],
  [`application/json;as=Table;${META},application/json`, 'json Table'],
  [`${PROTOBUF};as=Table;${META}`, '406 only'],
  [`${PROTOBUF};as=Table;${META},application/json`, 'json'],
  [`${PROTOBUF};as=PartialObjectMetadataList;${META}`, 'protobuf PartialObjectMetadataList'],
  ['application/json;as=Table;g=meta.k8s.io;v=v2', '406 only'],
  ['application/json;as=Other;g=meta.k8s.io;v=v1', '406 only'],
  ['application/json;as=Table', '406 only'],
  ['application/json;pretty=1', 'json  pretty'],
  ['application/json;stream=watch', 'json'],
  ['application/json;stream=other', '406 only'],
  ['text/plain', '406 406: Not Acceptable'],
  ['nonsense', '406 406: Not Acceptable'],
];

test('negotiation', async (t) => {
  for (const [accept, wanted] of accepts) {
    await t.test(`${accept}`, () => assert.ok(said(accept).startsWith(wanted), said(accept)));
  }
});

test('people get it over several lines', () => {
  assert.equal(said('*/*', { agent: 'curl/8.0' }), 'json  pretty');
});

test('a watch has no YAML', () => {
  assert.equal(
    said('application/yaml', { isWatch: true }),
    `406 only the following media types are accepted: application/json;stream=watch, ${PROTOBUF};stream=watch`,
  );
});

test('what is accepted for no answer is accepted for no watch: it is told of answers', () => {
  assert.equal(
    said(`${PROTOBUF};as=Table;${META}`, { isWatch: true }),
    `406 only the following media types are accepted: application/json, application/yaml, ${PROTOBUF}`,
  );
});
