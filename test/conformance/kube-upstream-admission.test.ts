// What upstream's own integration tests of admission (test/integration/apiserver/admissionwebhook and cel of v1.37)
// showed, each in a few requests: whom webhooks and policies are told of, and that none keeps a server from its start.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { MemoryStore } from '#store/memory-store.ts';
import { sendStep, type Step } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import {
  admissionAnswer,
  patchOf,
  startWebhookServer,
  webhookAt,
  type WebhookServer,
} from '#test/support/webhook-server.ts';

type Json = Record<string, unknown>;

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const VALIDATING = `${ADMISSION}/validatingwebhookconfigurations`;
const MUTATING = `${ADMISSION}/mutatingwebhookconfigurations`;
const MAPS = '/api/v1/namespaces/default/configmaps';

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

async function send(
  method: string,
  path: string,
  body?: unknown,
  { to = own, ...rest }: Partial<Step> & { to?: OwnServer } = {},
) {
  const answer = await sendStep(to.target, { name: path, method, path, body, ...rest });
  return { ...answer, body: answer.body as Json };
}

interface Asked {
  readonly operations?: readonly string[];
  readonly resources?: readonly string[];
  readonly apiGroups?: readonly string[];
}

function webhook(path: string, asked: Asked, rest: Json = {}): Json {
  const { operations = ['*'], resources = ['configmaps'], apiGroups = [''] } = asked;
  return {
    ...webhookAt(hook, path),
    rules: [{ operations, apiGroups, apiVersions: ['v1'], resources }],
    ...rest,
  };
}

/** What the webhook at the path was asked. */
const requestsOf = (path: string): Json[] =>
  hook.reviews.filter((one) => one.path === path).map(({ body }) => body['request'] as Json);

// TestWebhookAdmissionWithWatchCache, deletecollection
test('of one of many that are deleted at once a webhook is told no name', async () => {
  hook.on('/many', (review) => admissionAnswer(review, { allowed: true }));
  const webhooks = [webhook('/many', { operations: ['DELETE'] })];
  await send('POST', VALIDATING, { metadata: { name: 'many' }, webhooks });
  for (const name of ['one', 'two']) {
    await send('POST', MAPS, { metadata: { name, labels: { of: 'many' } } });
  }
  const gone = await send('DELETE', `${MAPS}?labelSelector=of%3Dmany`);
  assert.equal(gone.status, 200);
  await send('POST', MAPS, { metadata: { name: 'three' } });
  await send('DELETE', `${MAPS}/three`);
  const told = requestsOf('/many').map(({ name, oldObject }) => [
    name,
    ((oldObject as Json)['metadata'] as Json)['name'],
  ]);
  assert.deepEqual(told, [
    [undefined, 'one'],
    [undefined, 'two'],
    ['three', 'three'],
  ]);
  await send('DELETE', `${VALIDATING}/many`);
});

// TestWebhookAdmissionWithWatchCache, proxy
test('every method may be sent through a proxy, and is a connection', async () => {
  hook.on('/proxied', (review) => admissionAnswer(review, { allowed: true }));
  const asked = { operations: ['CONNECT'], resources: ['services/proxy'] };
  const webhooks = [webhook('/proxied', asked)];
  await send('POST', VALIDATING, { metadata: { name: 'proxied' }, webhooks });
  const methods = ['POST', 'GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'];
  for (const method of methods) {
    const answer = await send(method, '/api/v1/namespaces/default/services/nothing/proxy');
    // Nobody is there, but the method is taken.
    assert.equal(answer.status, 503, method);
  }
  assert.deepEqual(
    requestsOf('/proxied').map(({ operation }) => operation),
    methods.map(() => 'CONNECT'),
  );
  await send('DELETE', `${VALIDATING}/proxied`);
});

// TestPolicyAdmission, mutatingwebhookconfigurations
test('policies judge the configurations of webhooks, but no policies', async () => {
  const matchConstraints = {
    resourceRules: [
      { operations: ['*'], apiGroups: [''], apiVersions: ['*'], resources: ['configmaps'] },
      {
        operations: ['CREATE'],
        apiGroups: ['admissionregistration.k8s.io'],
        apiVersions: ['*'],
        resources: ['*'],
      },
    ],
  };
  const expression = "!object.metadata.name.startsWith('bad')";
  const spec = { matchConstraints, validations: [{ expression }] };
  const policies = `${ADMISSION}/validatingadmissionpolicies`;
  await send('POST', policies, { metadata: { name: 'names' }, spec });
  await send('POST', `${ADMISSION}/validatingadmissionpolicybindings`, {
    metadata: { name: 'names' },
    spec: { policyName: 'names', validationActions: ['Deny'] },
  });
  assert.equal((await send('POST', MAPS, { metadata: { name: 'bad' } })).status, 422);
  for (const path of [VALIDATING, MUTATING]) {
    const refused = await send('POST', path, { metadata: { name: 'bad' }, webhooks: [] });
    assert.equal(refused.status, 422, path);
  }
  const more = await send('POST', policies, { metadata: { name: 'bad' }, spec });
  assert.equal(more.status, 201);
  for (const name of ['names', 'bad']) await send('DELETE', `${policies}/${name}`);
});

// TestWebhookVirtualResourceExclusionWarnings
test('a rule for what no webhook is told of is warned of', async () => {
  const named = {
    apiGroups: ['authentication.k8s.io'],
    resources: ['tokenreviews', 'tokenreviews'],
  };
  for (const path of [VALIDATING, MUTATING]) {
    const webhooks = [
      webhook('/unseen', named),
      webhook('/all', { apiGroups: ['authentication.k8s.io'], resources: ['*'] }),
    ];
    const made = await send('POST', path, { metadata: { name: 'unseen' }, webhooks });
    const why = 'is excluded from admission webhooks; this rule will have no effect';
    assert.deepEqual(made.warnings, [
      `299 - "webhooks[0].rules[0]: tokenreviews.authentication.k8s.io ${why}"`,
    ]);
    await send('DELETE', `${path}/unseen`);
  }
});

// TestBrokenWebhook
test('a server starts although a webhook refuses everything, and it can be taken away', async (t) => {
  const store = new MemoryStore();
  const first = await startOwnServer({ store });
  const service = { namespace: 'default', name: 'not-there' };
  const everything = { resources: ['*/*'], apiGroups: ['*'] };
  const broken = webhook('/broken', everything, { clientConfig: { service } });
  const made = await send(
    'POST',
    VALIDATING,
    { metadata: { name: 'broken' }, webhooks: [broken] },
    { to: first },
  );
  assert.equal(made.status, 201);
  await first.close();
  const second = await startOwnServer({ store });
  t.after(() => second.close());
  const refused = await send('POST', MAPS, { metadata: { name: 'a' } }, { to: second });
  assert.equal(refused.status, 500);
  await send('DELETE', `${VALIDATING}/broken`, undefined, { to: second });
  const taken = await send('POST', MAPS, { metadata: { name: 'a' } }, { to: second });
  assert.equal(taken.status, 201);
});

// TestWebhookReinvocationPolicyWithWatchCache
test('a webhook is asked again for what others changed after it, and nobody for the first time', async () => {
  const seen: string[] = [];
  const labelling = (path: string, label: string): void =>
    hook.on(path, (review) => {
      seen.push(path);
      const { object } = review['request'] as { object: { metadata: { labels: Json } } };
      const isThere = object.metadata.labels[label] !== undefined;
      const add = [{ op: 'add', path: `/metadata/labels/${label}`, value: 'x' }];
      return admissionAnswer(review, isThere ? { allowed: true } : patchOf(add));
    });
  for (const label of ['a', 'b', 'c']) labelling(`/label-${label}`, label);
  const rest = {
    reinvocationPolicy: 'IfNeeded',
    objectSelector: { matchLabels: { again: 'yes' } },
  };
  const skipped = { ...rest, objectSelector: { matchLabels: { again: 'yes', b: 'x' } } };
  const cases = [
    // Its own change is no reason.
    [[webhook('/label-a', {}, rest)], ['/label-a']],
    [
      [webhook('/label-a', {}, rest), webhook('/label-b', {}, rest)],
      ['/label-a', '/label-b', '/label-a'],
    ],
    [[webhook('/label-c', {}, skipped), webhook('/label-b', {}, rest)], ['/label-b']],
  ] as const;
  for (const [i, [webhooks, wanted]] of cases.entries()) {
    await send('POST', MUTATING, { metadata: { name: 'again' }, webhooks });
    seen.length = 0;
    const metadata = { name: `again-${i}`, labels: { again: 'yes' } };
    assert.equal((await send('POST', MAPS, { metadata })).status, 201);
    assert.deepEqual(seen, wanted);
    await send('DELETE', `${MUTATING}/again`);
  }
});

// TestMutatingWebhookResetsInvalidManagedFields
test('owners that a webhook breaks are those of before', async () => {
  const path = '/metadata/managedFields/0';
  hook.on('/owners', (review) =>
    admissionAnswer(
      review,
      patchOf(['apiVersion', 'fieldsV1'].map((one) => ({ op: 'remove', path: `${path}/${one}` }))),
    ),
  );
  const rest = { objectSelector: { matchLabels: { owners: 'yes' } } };
  const webhooks = [webhook('/owners', { operations: ['CREATE'] }, rest)];
  await send('POST', MUTATING, { metadata: { name: 'owners' }, webhooks });
  const metadata = { name: 'owners', labels: { owners: 'yes' } };
  const made = await send('POST', MAPS, { metadata });
  const head = '.metadata.managedFields was in an invalid state after admission';
  const why = 'this could be caused by an outdated mutating admission controller';
  assert.deepEqual(made.warnings, [
    `299 - "${head}; ${why}; please fix your requests: apiVersion must not be empty"`,
  ]);
  const [owner] = (made.body['metadata'] as { managedFields: Json[] }).managedFields;
  assert.equal(owner?.['apiVersion'], 'v1');
  assert.ok(owner?.['fieldsV1'] !== undefined);
  await send('DELETE', `${MUTATING}/owners`);
});

// Test_ValidatingAdmissionPolicy_UpdateParamKind
test('a policy that judges knows of what kind its parameters are', async () => {
  await send('POST', MAPS, { metadata: { name: 'parameters' } });
  const rule = {
    operations: ['CREATE'],
    apiGroups: [''],
    apiVersions: ['v1'],
    resources: ['secrets'],
  };
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    matchConstraints: { resourceRules: [rule] },
    validations: [{ expression: 'object.metadata.name.startsWith(params.kind.lowerAscii())' }],
  };
  const metadata = { name: 'kinds' };
  await send('POST', `${ADMISSION}/validatingadmissionpolicies`, { metadata, spec });
  const paramRef = {
    name: 'parameters',
    namespace: 'default',
    parameterNotFoundAction: 'Deny',
  };
  const binding = { policyName: 'kinds', validationActions: ['Deny'], paramRef };
  const bindings = `${ADMISSION}/validatingadmissionpolicybindings`;
  await send('POST', bindings, { metadata, spec: binding });
  const secrets = '/api/v1/namespaces/default/secrets';
  const [good, bad] = [{ name: 'configmap-a' }, { name: 'secret-a' }];
  assert.equal((await send('POST', secrets, { metadata: good })).status, 201);
  assert.equal((await send('POST', secrets, { metadata: bad })).status, 422);
  await send('DELETE', `${bindings}/kinds`);
});

test('a webhook may send its clients elsewhere', async () => {
  hook.on('/moved', () => new URL('/here', hook.url));
  hook.on('/here', (review) => admissionAnswer(review, { allowed: true, warnings: ['here'] }));
  hook.on('/round', () => new URL('/round', hook.url));
  for (const name of ['moved', 'round']) {
    const selector = { objectSelector: { matchLabels: { goes: name } } };
    const webhooks = [webhook(`/${name}`, {}, selector)];
    await send('POST', VALIDATING, { metadata: { name }, webhooks });
  }
  const metadata = { name: 'moved', labels: { goes: 'moved' } };
  const made = await send('POST', MAPS, { metadata });
  assert.deepEqual([made.status, made.warnings], [201, ['299 - "here"']]);
  const lost = await send('POST', MAPS, { metadata: { name: 'r', labels: { goes: 'round' } } });
  assert.match(String(lost.body['message']), /: stopped after 10 redirects$/);
  for (const name of ['moved', 'round']) await send('DELETE', `${VALIDATING}/${name}`);
});
