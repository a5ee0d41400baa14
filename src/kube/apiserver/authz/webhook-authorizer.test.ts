// What a webhook of access is asked, how it is counted, and that whoever is away is not asked again.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { AuthorizationMetrics } from '#kube/apiserver/metrics/authorization-metrics.ts';
import type { AccessRequest } from '#kube/apiserver/rbac.ts';
import { AuthorizerChain, noOpinion, type Authorizer } from './authorizer.ts';
import { namedAuthorizers } from './chain.ts';

const access = (verb: string): AccessRequest => ({
  user: { name: 'ann', groups: [], uid: '', extra: {} },
  verb,
  isResource: false,
  group: '',
  resource: '',
  subresource: undefined,
  namespace: undefined,
  name: undefined,
  path: '/x',
});

test('round trips, decisions and conditions of a webhook are counted', async () => {
  const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
  const metrics = new AuthorizationMetrics();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += String(piece)));
    request.on('end', () => {
      const { verb } = JSON.parse(text).spec.nonResourceAttributes;
      asked.push(verb);
      if (verb === 'late') return;
      if (verb === 'away') return void response.writeHead(503).end();
      const status = { allowed: verb === 'allowed', denied: verb === 'denied' };
      response.end(JSON.stringify({ status }));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const spec = (name: string, condition: string, timeoutMs: number) =>
    ({
      type: 'Webhook',
      name,
      webhook: {
        endpoint: { url: `http://127.0.0.1:${port}` },
        authorizedTtlMs: 0,
        unauthorizedTtlMs: 0,
        timeoutMs,
        failurePolicy: 'NoOpinion',
        matchConditions: [condition],
      },
    }) as const;
  const none: Authorizer = { authorize: () => noOpinion() };
  const specs = [
    spec('a.test', "request.nonResourceAttributes.verb != 'late'", 30_000),
    spec('b.test', "request.nonResourceAttributes.verb == 'late'", 100),
    { type: 'AlwaysAllow', name: 'alwaysallow' } as const,
  ];
  const own = { node: none, rbac: none };
  const chain = new AuthorizerChain(namedAuthorizers(specs, own, { metrics, env }));
  for (const [verb, wanted] of [
    ['allowed', 'allow'],
    ['denied', 'deny'],
    ['away', 'allow'],
    ['late', 'allow'],
  ] as const) {
    assert.equal((await chain.authorize(access(verb))).kind, wanted, verb);
  }
  assert.deepEqual(asked, ['allowed', 'denied', 'away', 'late']);
  const counted = metrics.lines().filter((line) => /^\w+(?:_total|_count)\{/.test(line));
  assert.deepEqual(counted.toSorted(), [
    'apiserver_authorization_decisions_total{decision="allowed",name="a.test",type="Webhook"} 1',
    'apiserver_authorization_decisions_total{decision="allowed",name="alwaysallow",type="AlwaysAllow"} 2',
    'apiserver_authorization_decisions_total{decision="denied",name="a.test",type="Webhook"} 1',
    'apiserver_authorization_match_condition_evaluation_seconds_count{name="a.test",type="Webhook"} 4',
    'apiserver_authorization_match_condition_evaluation_seconds_count{name="b.test",type="Webhook"} 2',
    'apiserver_authorization_match_condition_exclusions_total{name="a.test",type="Webhook"} 1',
    'apiserver_authorization_match_condition_exclusions_total{name="b.test",type="Webhook"} 1',
    'apiserver_authorization_webhook_duration_seconds_count{name="a.test",result="error"} 1',
    'apiserver_authorization_webhook_duration_seconds_count{name="a.test",result="success"} 2',
    'apiserver_authorization_webhook_duration_seconds_count{name="b.test",result="timeout"} 1',
    'apiserver_authorization_webhook_evaluations_fail_open_total{name="a.test",result="error"} 1',
    'apiserver_authorization_webhook_evaluations_fail_open_total{name="b.test",result="timeout"} 1',
    'apiserver_authorization_webhook_evaluations_total{name="a.test",result="error"} 1',
    'apiserver_authorization_webhook_evaluations_total{name="a.test",result="success"} 2',
    'apiserver_authorization_webhook_evaluations_total{name="b.test",result="timeout"} 1',
  ]);
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});
