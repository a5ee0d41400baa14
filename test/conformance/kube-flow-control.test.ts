// API priority and fairness on a whole server: the objects of every cluster, what requests are sorted by,
// one client that asks for too much beside one that does not, refusals, tables and metrics.
import assert from 'node:assert/strict';
import { connect, type ClientHttp2Session } from 'node:http2';
import { after, before, test } from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import { sendStep, type Step } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into at will
type Json = Record<string, any>;

const ROOT = '/apis/flowcontrol.apiserver.k8s.io/v1';
const WAIT_MS = 60_000;
const MERGE = { 'content-type': 'application/merge-patch+json' };

let own: OwnServer;

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Json }> {
  const step: Step = { name: path, method, path, body, headers };
  return (await sendStep(own.target, step)) as { status: number; body: Json };
}

interface Answer {
  readonly status: number;
  readonly headers: Json;
  readonly text: string;
  readonly ms: number;
}

/** One connection for everybody: all that is asked at once arrives at once. */
let session: ClientHttp2Session;

function get(path: string, user: string): Promise<Answer> {
  const startedAt = performance.now();
  return new Promise((done, fail) => {
    const stream = session.request({ ':path': path, 'impersonate-user': user });
    let headers: Json = {};
    let text = '';
    stream.on('response', (found) => (headers = found));
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('error', fail);
    stream.on('end', () => {
      const status = Number(headers[':status']);
      done({ status, headers, text, ms: performance.now() - startedAt });
    });
    stream.end();
  });
}

async function uidOf(resource: string, name: string): Promise<string> {
  return (await send('GET', `${ROOT}/${resource}/${name}`)).body['metadata'].uid;
}

before(async () => {
  own = await startOwnServer({ inflightMax: 60 });
  const { ca, cert, key } = own.target.agent.options;
  session = connect(own.target.server, { ca, cert, key });
});

after(async () => {
  session.destroy();
  await own.close();
});

test('every cluster has upstream levels and schemas, and each schema says that its level exists', async () => {
  const levels = await send('GET', `${ROOT}/prioritylevelconfigurations`);
  assert.deepEqual(
    levels.body['items'].map(({ metadata }: Json) => metadata.name),
    [
      'catch-all',
      'exempt',
      'global-default',
      'leader-election',
      'node-high',
      'system',
      'workload-high',
      'workload-low',
    ],
  );
  const schemas = await eventually('every schema has its status', async () => {
    const found = await send('GET', `${ROOT}/flowschemas`);
    const { items } = found.body as { items: Json[] };
    return items.every(({ status }) => status.conditions !== undefined) ? found : undefined;
  });
  assert.equal(schemas.body['items'].length, 11);
  for (const { status } of schemas.body['items']) {
    const [{ type, status: is, reason }] = status.conditions;
    assert.deepEqual({ type, is, reason }, { type: 'Dangling', is: 'False', reason: 'Found' });
  }
});

test('answers name the schema and the level, refusals too', async () => {
  const jane = await get('/api/v1/namespaces/default/configmaps', 'jane');
  assert.equal(jane.status, 403);
  assert.equal(
    jane.headers['x-kubernetes-pf-flowschema-uid'],
    await uidOf('flowschemas', 'global-default'),
  );
  const level = await uidOf('prioritylevelconfigurations', 'global-default');
  assert.equal(jane.headers['x-kubernetes-pf-prioritylevel-uid'], level);
  const cases = [
    ['system:kube-scheduler', '/api/v1/pods', 'kube-scheduler'],
    ['system:serviceaccount:kube-system:x', '/api/v1/pods', 'kube-system-service-accounts'],
    ['system:serviceaccount:a:x', '/api/v1/pods', 'service-accounts'],
    ['system:anonymous', '/readyz', 'probes'],
    [
      'system:kube-scheduler',
      '/apis/coordination.k8s.io/v1/namespaces/a/leases/b',
      'system-leader-election',
    ],
  ] as const;
  for (const [user, path, schema] of cases) {
    const { headers } = await get(path, user);
    const uid = await uidOf('flowschemas', schema);
    assert.equal(headers['x-kubernetes-pf-flowschema-uid'], uid, `${user} ${path}`);
  }
});

test('what nothing goes without comes back when it is deleted or changed', async () => {
  const path = `${ROOT}/flowschemas/catch-all`;
  await send('DELETE', path);
  await eventually(
    'catch-all is back',
    async () => ((await send('GET', path)).status === 200 ? true : undefined),
    WAIT_MS,
  );
  const changed = `${ROOT}/prioritylevelconfigurations/catch-all`;
  const spec = { limited: { nominalConcurrencyShares: 50 } };
  await send('PATCH', changed, { spec }, MERGE);
  await eventually(
    'catch-all is as it was',
    async () => {
      const { body } = await send('GET', changed);
      return body['spec'].limited.nominalConcurrencyShares === 5 ? true : undefined;
    },
    WAIT_MS,
  );
});

test('a schema whose level is missing says so and takes no part', async () => {
  const schema = {
    metadata: { name: 'lost' },
    spec: {
      matchingPrecedence: 50,
      priorityLevelConfiguration: { name: 'lost' },
      rules: [
        {
          subjects: [{ kind: 'User', user: { name: 'joe' } }],
          resourceRules: [
            {
              verbs: ['*'],
              apiGroups: ['*'],
              resources: ['*'],
              clusterScope: true,
              namespaces: ['*'],
            },
          ],
        },
      ],
    },
  };
  await send('POST', `${ROOT}/flowschemas`, schema);
  const condition = async (): Promise<Json> =>
    (await send('GET', `${ROOT}/flowschemas/lost`)).body['status']?.conditions?.[0] ?? {};
  await eventually(
    'it dangles',
    async () => ((await condition())['status'] === 'True' ? true : undefined),
    WAIT_MS,
  );
  const schemaOf = async (): Promise<unknown> =>
    (await get('/api/v1/pods', 'joe')).headers['x-kubernetes-pf-flowschema-uid'];
  assert.equal(await schemaOf(), await uidOf('flowschemas', 'global-default'));
  await send('POST', `${ROOT}/prioritylevelconfigurations`, {
    metadata: { name: 'lost' },
    spec: {
      type: 'Limited',
      limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } },
    },
  });
  await eventually(
    'it does not dangle',
    async () => ((await condition())['status'] === 'False' ? true : undefined),
    WAIT_MS,
  );
  assert.equal(await schemaOf(), await uidOf('flowschemas', 'lost'));
});

test('one client that floods the server keeps nobody else from being served', async () => {
  await send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'reader' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] }],
  });
  await send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'readers' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
    subjects: [
      { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'greedy' },
      { apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'modest' },
    ],
  });
  const data = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`k${i}`, 'x'.repeat(100)]),
  );
  for (let i = 0; i < 100; i++) {
    await send('POST', '/api/v1/namespaces/default/configmaps', {
      metadata: { name: `m${i}` },
      data,
    });
  }
  const path = '/api/v1/namespaces/default/configmaps';
  const flood: Promise<Answer>[] = [];
  for (let i = 0; i < 600; i++) flood.push(get(`${path}?labelSelector=none${i}`, 'greedy'));
  const modest: Answer[] = [];
  for (let i = 0; i < 10; i++) modest.push(await get(`${path}?limit=1`, 'modest'));
  const answers = await Promise.all(flood);
  assert.deepEqual([...new Set(modest.map(({ status }) => status))], [200]);
  const refused = answers.filter(({ status }) => status === 429);
  const served = answers.filter(({ status }) => status === 200);
  assert.equal(refused.length + served.length, answers.length);
  // Its own hand of queues is full.
  assert.ok(refused.length > 0, 'nothing was refused');
  assert.equal(refused[0]?.text, 'Too many requests, please try again later.\n');
  assert.match(String(refused[0]?.headers['retry-after']), /^\d+$/);
  assert.ok(refused[0]?.headers['x-kubernetes-pf-flowschema-uid']);
  const slowest = Math.max(...modest.map(({ ms }) => ms));
  const last = Math.max(...served.map(({ ms }) => ms));
  assert.ok(slowest < last, `modest waited ${slowest} ms, the flood took ${last} ms`);
});

test('a watch has a seat until it has started, so that many may go on', async () => {
  const streams: ReturnType<ClientHttp2Session['request']>[] = [];
  const { body } = await send('GET', '/api/v1/namespaces/default/configmaps?limit=1');
  const { resourceVersion } = body['metadata'];
  const path = `/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=${resourceVersion}`;
  for (let i = 0; i < 100; i++) {
    const stream = session.request({ ':path': path, 'impersonate-user': 'modest' });
    streams.push(stream);
    stream.on('error', () => {});
    const status = await new Promise((done, fail) => {
      stream.on('close', () => fail(new Error('the watch has ended')));
      stream.on('response', (headers) => done(headers[':status']));
      stream.resume();
    });
    assert.equal(status, 200);
  }
  const { text } = await metrics();
  const executing =
    /apiserver_flowcontrol_current_executing_requests\{flow_schema="global-default",priority_level="global-default"\} (\d+)/.exec(
      text,
    )?.[1];
  assert.equal(executing, '0');
  for (const one of streams) one.close();
});

async function metrics(): Promise<{ text: string }> {
  return { text: String((await send('GET', '/metrics')).body) };
}

test('tables of levels, queues and requests have the columns of upstream', async () => {
  const table = async (name: string): Promise<string[]> =>
    String((await send('GET', `/debug/api_priority_and_fairness/${name}`)).body).split('\n');
  const [header, first] = await table('dump_priority_levels');
  assert.equal(
    header,
    'PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests',
  );
  assert.match(String(first), /^catch-all, {9}0, {12}true, {3}false, /);
  const [queues, queue] = await table('dump_queues');
  assert.match(
    String(queues),
    /^PriorityLevelName, Index, {2}PendingRequests, ExecutingRequests, /,
  );
  assert.match(String(queue), /^global-default, {4}0, {6}0, /);
  const [, self] = await table('dump_requests?includeRequestDetails=1');
  assert.match(String(self), /^exempt, {12}exempt, .*kubernetes-admin, get, /);
  assert.equal((await send('GET', '/debug/api_priority_and_fairness/other')).status, 404);
});

test('metrics tell of seats and requests by level and schema', async () => {
  const { text } = await metrics();
  for (const line of [
    /^apiserver_flowcontrol_nominal_limit_seats\{priority_level="workload-low"\} \d+$/m,
    /^apiserver_flowcontrol_dispatched_requests_total\{flow_schema="exempt",priority_level="exempt"\} \d+$/m,
    /^apiserver_flowcontrol_rejected_requests_total\{flow_schema="global-default",priority_level="global-default",reason="queue-full"\} \d+$/m,
    /^apiserver_flowcontrol_request_wait_duration_seconds_bucket\{execute="true",flow_schema="global-default",priority_level="global-default",le="0"\} \d+$/m,
  ]) {
    assert.ok(line.test(text), String(line));
  }
});
