// How a server ends by its flags: it is served while others look elsewhere, those who come are told to come back, and
// watches end one after the other.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { Fault } from '#base/fault.ts';
import type { Env } from '#env/env.ts';
import { createEnv } from '#env/node/env.ts';
import { endSettings } from './server-end.ts';
import { eventually } from '#test/support/cluster.ts';
import { senderTo, type Target } from '#test/support/kube-sender.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import { admissionAnswer, startWebhookServer, webhookAt } from '#test/support/webhook-server.ts';

const refused: readonly (readonly [flags: Record<string, string>, why: string])[] = [
  [
    { shutdownDelayDuration: '-1s' },
    '--shutdown-delay-duration: --shutdown-delay-duration can not be negative value',
  ],
  [
    { shutdownWatchTerminationGracePeriod: '-1s' },
    '--shutdown-watch-termination-grace-period: shutdown-watch-termination-grace-period, if provided, can not be a negative value',
  ],
  [
    { shutdownSendRetryAfter: 'x' },
    '--shutdown-send-retry-after: invalid argument "x" for "--shutdown-send-retry-after" flag: strconv.ParseBool: parsing "x": invalid syntax',
  ],
];

for (const [flags, why] of refused) {
  test(`refused: ${why}`, () => {
    assert.throws(
      () => endSettings(flags),
      (error: Fault) => {
        assert.equal(error.message, `Cannot use ${why}`);
        return true;
      },
    );
  });
}

const HOUR_MS = 3_599_000;

/** Such an hour ends when the test says so. */
function withHour(): { env: Env; passes: () => void; begun: Promise<void> } {
  const real = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const begun = Promise.withResolvers<void>();
  let passes = (): void => {};
  const after: Env['timers']['after'] = (ms, fire) => {
    if (ms !== HOUR_MS) return real.timers.after(ms, fire);
    passes = fire;
    begun.resolve();
    return { cancel: () => {} };
  };
  return { env: { ...real, timers: { after } }, passes: () => passes(), begun: begun.promise };
}

/** It has ended already. */
function leave({ target, home }: OwnServer): void {
  target.agent.destroy();
  target.bare.destroy();
  rmSync(home, { recursive: true });
}

const get = (target: Target, path: string): Promise<{ status: number }> =>
  sendStep(target, { name: path, method: 'GET', path });

test('it says that it is not ready, and is served for as long as is asked for', async () => {
  const hour = withHour();
  const own = await startOwnServer({ flags: { shutdownDelayDuration: '59m59s' } }, hour.env);
  assert.equal((await get(own.target, '/readyz')).status, 200);
  const closed = own.server.close();
  await hour.begun;
  assert.equal((await get(own.target, '/readyz')).status, 500);
  assert.equal((await get(own.target, '/livez')).status, 200);
  const made = await sendStep(own.target, {
    name: 'make',
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps',
    body: { metadata: { name: 'late' } },
  });
  assert.equal(made.status, 201);
  hour.passes();
  await closed;
  await assert.rejects(senderTo(own.target)({ method: 'GET', path: '/livez' }));
  leave(own);
});

const MAPS = '/api/v1/namespaces/default/configmaps';
const hooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';

/** What is answered to one who wants another protocol, and does not get it. */
async function upgrading({ server, agent }: Target, path: string): Promise<IncomingMessage> {
  const { ca, cert, key } = agent.options;
  const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };
  const sent = request(new URL(path, server), { ca, cert, key, headers, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

test('who comes while others are still answered is told to come back', async () => {
  const hook = await startWebhookServer();
  const own = await startOwnServer({ flags: { shutdownSendRetryAfter: 'true' } });
  const release = Promise.withResolvers<void>();
  hook.on('/slow', async (review) => {
    await release.promise;
    return admissionAnswer(review, { allowed: true });
  });
  const rules = [
    { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
  ];
  const webhooks = [{ ...webhookAt(hook, '/slow'), rules, timeoutSeconds: 30 }];
  const body = { metadata: { name: 'slow' }, webhooks };
  await sendStep(own.target, { name: 'hook', method: 'POST', path: hooks, body });
  const held = { name: 'held', method: 'POST', path: MAPS, body: { metadata: { name: 'a' } } };
  const answered = sendStep(own.target, held);
  await eventually('the webhook is asked', async () => hook.reviews.length > 0);

  const closed = own.server.close();
  const send = senderTo(own.target);
  const told = await send({ method: 'GET', path: MAPS, headers: {} });
  assert.equal(told.status, 429);
  assert.equal(told.bytes.toString(), 'The apiserver is shutting down, please try again later.\n');
  assert.equal(told.headers['retry-after'], '5');
  assert.equal(told.headers['connection'], 'close');
  assert.equal(told.headers['content-type'], 'text/plain; charset=utf-8');
  const other = await upgrading(own.target, `${MAPS}?watch=true`);
  assert.equal(other.statusCode, 429);
  assert.equal(await text(other), told.bytes.toString());
  for (const name of ['retry-after', 'connection', 'content-type'])
    assert.equal(other.headers[name], told.headers[name]);
  assert.equal((await get(own.target, '/livez')).status, 200);
  assert.equal((await get(own.target, '/metrics')).status, 200);

  release.resolve();
  assert.equal((await answered).status, 201);
  await closed;
  await hook.close();
  leave(own);
});

test('watches end one after the other, whole', async () => {
  const flags = { shutdownWatchTerminationGracePeriod: '1h' };
  const own = await startOwnServer({ flags });
  const { ca, cert, key } = own.target.agent.options;
  const session = connect(own.target.server, { ca, cert, key });
  const watches = Array.from({ length: 5 }, () =>
    session.request({ ':path': `${MAPS}?watch=true&timeoutSeconds=600` }),
  );
  await Promise.all(watches.map(async (one) => await once(one, 'response')));
  const ended: number[] = [];
  const ends = watches.map(async (one, i) => {
    one.resume();
    await once(one, 'end');
    ended.push(i);
  });
  await own.server.close();
  await Promise.all(ends);
  assert.deepEqual(ended, [0, 1, 2, 3, 4]);
  leave(own);
});
