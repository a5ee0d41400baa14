// A server that is told to end while a webhook holds a request: it is not ready any more and takes nothing new,
// the request is answered and what it wrote is there, watches end whole.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type ClientHttp2Stream } from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { after, before, test } from 'node:test';
import { LocalTransport } from '#bin/local-transport.ts';
import { authenticated } from '#kube/apiserver/user.ts';
import { MemoryStore } from '#store/memory-store.ts';
import { eventually } from '#test/support/cluster.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import {
  admissionAnswer,
  startWebhookServer,
  type WebhookServer,
  webhookAt,
} from '#test/support/webhook-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

const store = new MemoryStore();
let own: OwnServer;
let hook: WebhookServer;

before(async () => {
  own = await startOwnServer({ store });
  hook = await startWebhookServer();
});

after(async () => {
  await own.close();
  await hook.close();
});

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

test('what is under way is answered, and nothing new is taken', async () => {
  const release = Promise.withResolvers<void>();
  hook.on('/slow', async (review) => {
    await release.promise;
    return admissionAnswer(review, { allowed: true });
  });
  const configured = await sendStep(own.target, {
    name: 'configure',
    method: 'POST',
    path: '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
    body: {
      metadata: { name: 'slow' },
      webhooks: [
        {
          ...webhookAt(hook, '/slow'),
          rules: [
            {
              operations: ['CREATE'],
              apiGroups: [''],
              apiVersions: ['v1'],
              resources: ['configmaps'],
            },
          ],
          timeoutSeconds: 30,
        },
      ],
    },
  });
  assert.equal(configured.status, 201);

  const { ca, cert, key } = own.target.agent.options;
  const session = connect(own.target.server, { ca, cert, key });
  const gone = once(session, 'close');
  const watch = session.request({ ':path': `${MAPS}?watch=true&timeoutSeconds=600` });
  await once(watch, 'response');
  const watched = textOf(watch);
  const create = session.request({ ':method': 'POST', ':path': MAPS });
  create.end(JSON.stringify({ metadata: { name: 'held' } }));
  const headed = once(create, 'response');
  const made = textOf(create);
  await eventually('the webhook is asked', async () => hook.reviews.length > 0);

  const told = once(session, 'goaway');
  let isClosed = false;
  const closed = own.server.close().then(() => (isClosed = true));
  await told;
  await watched;
  const within = new LocalTransport(own.server.handler, {
    user: authenticated('admin', ['system:masters']),
    userAgent: 'test',
  });
  const ready = await within.send({ method: 'GET', path: '/readyz' });
  assert.equal(ready.status, 500);
  assert.match(ready.text, /\[-\]shutdown failed/);
  const { hostname, port } = new URL(own.target.server);
  const refused = connectPlain({ host: hostname, port: Number(port) });
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
  assert.equal(isClosed, false);

  release.resolve();
  const [head] = (await headed) as [Record<string, unknown>];
  assert.equal(head[':status'], 201);
  assert.equal((JSON.parse(await made) as { metadata: { name: string } }).metadata.name, 'held');
  await gone;
  await closed;
  const target = await own.restart({});
  const kept = await sendStep(target, { name: 'kept', method: 'GET', path: `${MAPS}/held` });
  assert.equal(kept.status, 200);
});

test('a request that is not answered in time is cut, however long its webhook is given', async () => {
  hook.on('/slow', () => undefined);
  const { agent, server } = await own.restart({ endMsMax: 100 });
  const asked = hook.reviews.length;
  const { ca, cert, key } = agent.options;
  const session = connect(server, { ca, cert, key });
  session.on('error', () => {});
  const create = session.request({ ':method': 'POST', ':path': MAPS });
  create.on('error', () => {});
  let hasAnswer = false;
  create.on('response', () => (hasAnswer = true));
  create.end(JSON.stringify({ metadata: { name: 'cut' } }));
  const gone = once(session, 'close');
  await eventually('the webhook is asked', async () => hook.reviews.length > asked);
  await own.restart({});
  await gone;
  assert.equal(hasAnswer, false);
});
