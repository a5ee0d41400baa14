// What a real kube-apiserver describes as JSON becomes, by our hand, the very bytes that it sends as protobuf.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeOpenApiV2 } from '#kube/openapi/gnostic-v2.ts';
import { encodeOpenApiV3 } from '#kube/openapi/gnostic-v3.ts';
import { senderTo } from '#test/support/kube-sender.ts';
import { startRealServer } from '#test/support/real-apiserver.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { richDefinition } from '#test/support/rich-definition.ts';

type Json = Record<string, unknown>;

const skip = skipWithout(['etcd', 'kube-apiserver']);
const protobufOf = (version: string): string =>
  `application/com.github.proto-openapi.spec.${version}@v1.0+protobuf`;

test('OpenAPI as protobuf is what kube-apiserver makes of the same JSON', { skip }, async () => {
  const real = await startRealServer(realProgram('.'), {});
  try {
    const send = senderTo(real.target);
    const get = async (path: string, accept: string): Promise<Buffer> =>
      (await send({ method: 'GET', path, headers: { accept } })).bytes;
    const json = async (path: string): Promise<Json> =>
      JSON.parse((await get(path, 'application/json')).toString()) as Json;
    const made = await send({
      method: 'POST',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(richDefinition),
    });
    assert.equal(made.status, 201, made.bytes.toString());
    const own = `apis/${richDefinition.spec.group}/v1`;
    let paths: Record<string, { serverRelativeURL: string }> = {};
    while (paths[own] === undefined) {
      ({ paths } = (await json('/openapi/v3')) as { paths: typeof paths });
    }
    for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
      const sent = await get(serverRelativeURL, protobufOf('v3'));
      assert.ok(encodeOpenApiV3(await json(serverRelativeURL)).equals(sent), path);
    }
    let document = await json('/openapi/v2');
    while (!JSON.stringify(document['definitions']).includes(richDefinition.spec.names.kind)) {
      document = await json('/openapi/v2');
    }
    const sent = await get('/openapi/v2', protobufOf('v2'));
    assert.ok(encodeOpenApiV2(document).equals(sent), 'v2');
  } finally {
    await real.close();
  }
});
