// A webhook of access that answers with what nobody can read is asked once; one that is away, again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { Authority } from '#kube/pki/authority.ts';
import { ReviewWebhook } from './review-webhook.ts';

for (const [status, text, times] of [
  [200, 'malformed', 1],
  [400, 'no', 1],
  [503, 'away', 5],
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
