// What a server says of itself, in every form that clients ask for, as a kube-apiserver v1.37.2 says it (recorded by
// tools/record-server-documents.ts); what differs is listed here.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import {
  askAgain,
  askAll,
  type ServerAnswer,
  type ServerAnswers,
} from '#test/support/server-documents.ts';
import { senderTo } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

const vectors = join(import.meta.dirname, '../vectors/kube-server-documents.json');
const recorded = JSON.parse(readFileSync(vectors, 'utf8')) as ServerAnswers;

/** The recorded server had no front proxy. */
const proxy = '[+]poststarthook/aggregator-reload-proxy-client-cert ok\n';
const beforeProxy = '[+]poststarthook/start-kubernetes-service-cidr-controller ok\n';
/** Nobody passes requests on to other API servers of a cluster: none serves what another does not. */
const peers = '[+]poststarthook/peer-endpoint-reconciler-controller ok\n';

function expected(answer: ServerAnswer | undefined): ServerAnswer | undefined {
  if (typeof answer?.body !== 'string') return answer;
  const body = answer.body.replace(peers, '').replace(beforeProxy, beforeProxy + proxy);
  return { ...answer, body };
}

test('a server says of itself what upstream says, in the same forms', async (t) => {
  const own = await startOwnServer();
  try {
    const answers = await askAll(own.target);
    for (const [name, wanted] of Object.entries(recorded)) {
      await t.test(name, () => assert.deepEqual(answers[name], expected(wanted)));
    }
  } finally {
    await own.close();
  }
});

test('documents that a client has are not sent again', async () => {
  const own = await startOwnServer();
  const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  try {
    for (const path of ['/api', '/apis', '/openapi/v2', '/openapi/v3/api/v1']) {
      assert.deepEqual(await askAgain(own.target, path, aggregated), [200, 304, 200], path);
    }
  } finally {
    await own.close();
  }
});

test('of OpenAPI the second version is packed for who takes gzip, the third is not', async () => {
  const own = await startOwnServer();
  try {
    const encoding = async (path: string): Promise<unknown> => {
      const headers = { 'accept-encoding': 'gzip' };
      const answer = await senderTo(own.target)({ method: 'GET', path, headers });
      return answer.headers['content-encoding'];
    };
    assert.equal(await encoding('/openapi/v2'), 'gzip');
    assert.equal(await encoding('/openapi/v3/api/v1'), undefined);
  } finally {
    await own.close();
  }
});
