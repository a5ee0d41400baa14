// How webhooks of admission are called: for which forms of a kind, how long they are waited for, on which connections,
// as whom. Answers are those of a kube-apiserver v1.37.2 to the same requests.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { senderTo } from '#test/support/kube-sender.ts';
import { sendStep, type Step } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import {
  admissionAnswer,
  patchOf,
  startWebhookServer,
  webhookAt,
  type Review,
  type WebhookServer,
} from '#test/support/webhook-server.ts';

type Json = Record<string, unknown>;

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const MAPS = '/api/v1/namespaces/default/configmaps';
const SCALERS = 'horizontalpodautoscalers';

let own: OwnServer;
let hook: WebhookServer;

before(async () => {
  own = await startOwnServer();
  hook = await startWebhookServer();
});

after(async () => {
  await own.close();
  await hook.close();
});

async function send(method: string, path: string, body?: unknown, rest: Partial<Step> = {}) {
  const answer = await sendStep(own.target, { name: path, method, path, body, ...rest });
  return { ...answer, body: answer.body as Json };
}

interface Ruled {
  readonly group: string;
  readonly version?: string;
  readonly resource: string;
}

function webhook(path: string, { group, version = 'v1', resource }: Ruled, rest: Json = {}): Json {
  const rule = { operations: ['CREATE'], apiGroups: [group], apiVersions: [version] };
  return { ...webhookAt(hook, path), rules: [{ ...rule, resources: [resource] }], ...rest };
}

/** A map that a webhook of this path is asked about. */
const maps = (path: string, rest: Json = {}): Json =>
  webhook(
    path,
    { group: '', resource: 'configmaps' },
    { objectSelector: { matchLabels: { hook: path.slice(1) } }, ...rest },
  );

const map = (name: string, label: string): Json => ({
  metadata: { name, labels: { hook: label } },
});

async function configure(kind: 'mutating' | 'validating', webhooks: readonly Json[]) {
  const path = `${ADMISSION}/${kind}webhookconfigurations`;
  const metadata = { generateName: 'hooks-' };
  const made = await send('POST', path, { metadata, webhooks });
  assert.equal(made.status, 201, JSON.stringify(made.body));
}

const reviewsAt = (path: string): Review[] => hook.reviews.filter((one) => one.path === path);

function reviewed(path: string): { kind: Json; requestKind: Json; object: Json } {
  const { body } = reviewsAt(path).at(-1) ?? assert.fail(`nobody asked ${path}`);
  return body['request'] as { kind: Json; requestKind: Json; object: Json };
}

const regarding = { kind: 'Pod', namespace: 'default', name: 'p' };

test('events are of both their groups: whoever knows the other one is told in its form', async () => {
  hook.on('/core', (review) =>
    admissionAnswer(review, patchOf([{ op: 'replace', path: '/message', value: 'by core' }])),
  );
  hook.on('/later', (review) =>
    admissionAnswer(review, patchOf([{ op: 'replace', path: '/note', value: 'by later' }])),
  );
  const reasons = { namespaceSelector: {}, matchPolicy: 'Equivalent' };
  const onlyOf = (reason: string): Json => ({
    ...reasons,
    matchConditions: [{ name: 'of', expression: `object.reason == '${reason}'` }],
  });
  const exact = { ...onlyOf('Core'), matchPolicy: 'Exact' };
  await configure('mutating', [
    webhook('/core', { group: '', resource: 'events' }, onlyOf('Core')),
    webhook('/later', { group: 'events.k8s.io', resource: 'events' }, onlyOf('Later')),
    webhook('/exact', { group: '', resource: 'events' }, exact),
  ]);
  const later = await send('POST', '/apis/events.k8s.io/v1/namespaces/default/events', {
    metadata: { name: 'later' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'a.b/c',
    reportingInstance: 'i',
    action: 'act',
    reason: 'Core',
    regarding,
    type: 'Normal',
    note: 'first',
  });
  assert.deepEqual([later.status, later.body['note']], [201, 'by core'], JSON.stringify(later));
  const asCore = reviewed('/core');
  assert.deepEqual(asCore.kind, { group: '', version: 'v1', kind: 'Event' });
  assert.deepEqual(asCore.requestKind, { group: 'events.k8s.io', version: 'v1', kind: 'Event' });
  const { apiVersion, message, involvedObject, reportingComponent } = asCore.object;
  assert.deepEqual(
    [apiVersion, message, involvedObject, reportingComponent],
    ['v1', 'first', regarding, 'a.b/c'],
  );
  const core = await send('POST', '/api/v1/namespaces/default/events', {
    metadata: { name: 'core' },
    involvedObject: regarding,
    message: 'first',
    reason: 'Later',
    type: 'Normal',
  });
  assert.deepEqual([core.status, core.body['message']], [201, 'by later'], JSON.stringify(core));
  assert.equal(reviewed('/later').object['note'], 'first');
  assert.deepEqual(reviewsAt('/exact'), []);
});

test('policies see events in the form of the group that they name', async () => {
  const rule = { operations: ['CREATE'], apiVersions: ['v1'], resources: ['events'] };
  const policy = {
    metadata: { name: 'notes' },
    spec: {
      matchConstraints: { resourceRules: [{ ...rule, apiGroups: ['events.k8s.io'] }] },
      validations: [{ expression: "object.note != 'bad'", message: 'a bad note' }],
    },
  };
  await send('POST', `${ADMISSION}/validatingadmissionpolicies`, policy);
  await send('POST', `${ADMISSION}/validatingadmissionpolicybindings`, {
    metadata: { name: 'notes' },
    spec: { policyName: 'notes', validationActions: ['Deny'] },
  });
  const refused = await send('POST', '/api/v1/namespaces/default/events', {
    metadata: { name: 'refused' },
    involvedObject: regarding,
    reason: 'Other',
    message: 'bad',
  });
  assert.equal(refused.status, 422, JSON.stringify(refused.body));
  assert.match(String(refused.body['message']), /a bad note$/);
});

test('a kind is told in the version of the earliest rule that has another one', async () => {
  hook.on('/scalers', (review) => admissionAnswer(review, { allowed: true }));
  const ruled = { group: 'autoscaling', resource: SCALERS };
  await configure('validating', [webhook('/scalers', ruled)]);
  const target = { type: 'Utilization', averageUtilization: 50 };
  const made = await send('POST', `/apis/autoscaling/v2/namespaces/default/${SCALERS}`, {
    metadata: { name: 'scaled' },
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
    },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { kind, object } = reviewed('/scalers');
  assert.equal(kind['version'], 'v1');
  assert.equal(object['apiVersion'], 'autoscaling/v1');
  assert.equal((object['spec'] as Json)['targetCPUUtilizationPercentage'], 50);
});

test('no webhook is waited for longer than the client waits, whatever it says of failures', async () => {
  hook.on('/endless', () => undefined);
  const selector = { objectSelector: { matchLabels: { hook: 'endless' } } };
  const endless = { ...selector, failurePolicy: 'Ignore', timeoutSeconds: 10 };
  await configure('mutating', [maps('/endless', endless), maps('/after', endless)]);
  const sent = await senderTo(own.target)({
    method: 'POST',
    path: `${MAPS}?timeout=3s`,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(map('late', 'endless'))),
  });
  assert.equal(sent.headers['content-type'], 'text/plain; charset=utf-8');
  assert.deepEqual(JSON.parse(sent.bytes.toString()), {
    metadata: {},
    status: 'Failure',
    message: 'Timeout: request did not complete within the allotted timeout',
    reason: 'Timeout',
    details: {},
    code: 504,
  });
  // Whatever has passed before it is asked is gone.
  for (const { query } of reviewsAt('/endless')) assert.match(query, /^timeout=[1-3]s$/);
  assert.deepEqual(reviewsAt('/after'), []);
  assert.equal((await send('GET', `${MAPS}/late`)).status, 404);
});

test('a webhook is told for how long it is waited for, and is named in what is said of it', async () => {
  await configure('validating', [
    maps('/told', { timeoutSeconds: 20 }),
    maps('/short', { timeoutSeconds: 1 }),
    maps('/judged', { matchConditions: [{ name: 'c', expression: 'object.nope == 1' }] }),
  ]);
  hook.on('/told', (review) => admissionAnswer(review, { allowed: true }));
  hook.on('/short', () => undefined);
  assert.equal((await send('POST', `${MAPS}?timeout=15s`, map('a', 'told'))).status, 201);
  assert.equal((await send('POST', `${MAPS}?timeout=0s`, map('b', 'told'))).status, 201);
  const [limited, whole] = reviewsAt('/told').map(({ query }) => query);
  assert.match(limited ?? '', /^timeout=(?:\d|1[0-5])s$/);
  assert.equal(whole, 'timeout=20s');
  const short = await send('POST', MAPS, map('c', 'short'));
  assert.equal(
    short.body['message'],
    `Internal error occurred: failed calling webhook "short.example.com": failed to call webhook: Post "${hook.url}/short?timeout=1s": context deadline exceeded`,
  );
  const judged = await send('POST', MAPS, map('d', 'judged'));
  assert.deepEqual(
    [judged.status, judged.body['message']],
    [
      403,
      `configmaps "d" is forbidden: expression 'object.nope == 1' resulted in error: no such key: nope`,
    ],
  );
});

test('calls of one webhook share a connection; those by another trust have their own', async () => {
  const allow = (review: Json): Json => admissionAnswer(review, { allowed: true });
  hook.on('/kept', allow);
  hook.on('/elsewhere', allow);
  const { certBundle: caBundle } = hook;
  const clientConfig = { url: `${hook.url}/elsewhere`, caBundle };
  const selector = { objectSelector: { matchLabels: { hook: 'kept' } } };
  await configure('validating', [maps('/kept')]);
  for (const name of ['k1', 'k2', 'k3'])
    assert.equal((await send('POST', MAPS, map(name, 'kept'))).status, 201);
  await configure('mutating', [maps('/elsewhere', { ...selector, clientConfig })]);
  assert.equal((await send('POST', MAPS, map('k4', 'kept'))).status, 201);
  const kept = new Set(reviewsAt('/kept').map(({ from }) => from));
  assert.equal(kept.size, 1);
  const [elsewhere] = reviewsAt('/elsewhere');
  assert.ok(elsewhere !== undefined && !kept.has(elsewhere.from));
});

test('a connection that the webhook has closed meanwhile is made again', async () => {
  hook.on('/closing', (review) => admissionAnswer(review, { allowed: true }));
  await configure('validating', [maps('/closing')]);
  for (const name of ['c1', 'c2', 'c3']) {
    assert.equal((await send('POST', MAPS, map(name, 'closing'))).status, 201, name);
    hook.closeConnections();
  }
  assert.equal(reviewsAt('/closing').length, 3);
});

test('webhooks are called as the configuration of the plugin says', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-credentials-'));
  const at = (name: string): string => join(folder, name);
  const host = hook.url.slice('https://'.length);
  const users = [
    { name: host, user: { token: 'by-port' } },
    { name: '*', user: { username: 'any', password: 'body' } },
  ];
  writeFileSync(at('users.yaml'), JSON.stringify({ apiVersion: 'v1', kind: 'Config', users }));
  const kubeConfigFile = at('users.yaml');
  const kind = 'WebhookAdmissionConfiguration';
  const configuration = { apiVersion: 'apiserver.config.k8s.io/v1', kind, kubeConfigFile };
  const plugins = [{ name: 'ValidatingAdmissionWebhook', configuration }];
  const apiVersion = 'apiserver.config.k8s.io/v1';
  const whole = { apiVersion, kind: 'AdmissionConfiguration', plugins };
  writeFileSync(at('plugins.yaml'), JSON.stringify(whole));
  const flags = { [flagKey('admission-control-config-file')]: at('plugins.yaml') };
  const asked = await startOwnServer({ flags });
  const allow = (review: Json): Json => admissionAnswer(review, { allowed: true });
  for (const path of ['/named', '/other', '/nobody']) hook.on(path, allow);
  const elsewhere = { url: `https://localhost:${hook.port}/other`, caBundle: hook.caBundle };
  const all = { objectSelector: {} };
  const post = async (path: string, body: Json): Promise<number> =>
    (await sendStep(asked.target, { name: path, method: 'POST', path, body })).status;
  try {
    const validating = [maps('/named', all), maps('/other', { ...all, clientConfig: elsewhere })];
    const mutating = [maps('/nobody', all)];
    for (const [one, webhooks] of Object.entries({ validating, mutating })) {
      const path = `${ADMISSION}/${one}webhookconfigurations`;
      assert.equal(await post(path, { metadata: { name: 'as' }, webhooks }), 201);
    }
    assert.equal(await post(MAPS, map('asked', 'x')), 201);
    const told = (path: string): unknown => reviewsAt(path)[0]?.headers.authorization;
    assert.equal(told('/named'), 'Bearer by-port');
    assert.equal(told('/other'), `Basic ${Buffer.from('any:body').toString('base64')}`);
    assert.equal(told('/nobody'), undefined);
    assert.equal(reviewsAt('/nobody').length, 1);
  } finally {
    await asked.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
