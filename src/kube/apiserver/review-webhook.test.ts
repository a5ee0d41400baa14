// A webhook of access that answers with what nobody can read is asked once; one that is away, again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlainServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { Authority } from '#kube/pki/authority.ts';
import { readEndpoint } from './kubeconfig-endpoint.ts';
import { ReviewWebhook } from './review-webhook.ts';

for (const [status, text, times] of [
  [200, 'malformed', 1],
  [400, 'no', 1],
  [503, 'away', 1],
  [500, 'ill', 5],
  [429, 'busy', 5],
  [504, 'late', 5],
] as const) {
  test(`an answer ${status} "${text}" is asked for ${times} times`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strata-test-review-'));
    const now = Date.now();
    const authority = await Authority.open(folder, now);
    const identity = { commonName: 'hook', names: ['localhost'], ips: ['127.0.0.1'] };
    const { cert, key } = await authority.issueServer(identity, now);
    let asked = 0;
    const server = createServer({ cert, key }, (request, response) => {
      asked += 1;
      request.resume().on('end', () => response.writeHead(status).end(text));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
    const endpoint = { url: `https://127.0.0.1:${port}`, isInsecure: true };
    const webhook = new ReviewWebhook(endpoint, env, { backoffMs: 1 });
    await assert.rejects(webhook.ask({}));
    assert.equal(asked, times);
    await new Promise((done) => server.close(done));
    rmSync(folder, { recursive: true, force: true });
  });
}

test('a webhook without TLS is asked as a file says, and may send to another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-review-'));
  const seen: (string | undefined)[] = [];
  const server = createPlainServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization}`);
    request.resume().on('end', () => {
      if (request.url === '/ask') response.writeHead(307, { Location: '/there' }).end();
      else response.end('{"status":{"allowed":true}}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const file = join(folder, 'kubeconfig');
  const config = {
    clusters: [{ name: 'hook', cluster: { server: `http://127.0.0.1:${port}/ask` } }],
    users: [{ name: 'me', user: { token: 'secret' } }],
    contexts: [{ name: 'one', context: { cluster: 'hook', user: 'me' } }],
    'current-context': 'one',
  };
  writeFileSync(file, JSON.stringify(config));
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const answer = await new ReviewWebhook(readEndpoint(file), env).ask({});
  assert.deepEqual(answer, { status: { allowed: true } });
  assert.deepEqual(seen, ['/ask Bearer secret', '/there Bearer secret']);
  await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true, force: true });
});
