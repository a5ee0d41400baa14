// Webhooks that really are called: admission that denies, patches, fails, is late, is asked again; and
// custom resources that a webhook converts between their versions.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { definition, CRDS, group, objects } from '#test/support/crd-definition.ts';
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

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';

async function send(method: string, path: string, body?: unknown, rest: Partial<Step> = {}) {
  const answer = await sendStep(own.target, { name: path, method, path, body, ...rest });
  return { ...answer, body: answer.body as Json };
}

function webhook(path: string, rest: Json = {}): Json {
  return {
    ...webhookAt(hook, path),
    rules: [
      {
        operations: ['CREATE', 'UPDATE'],
        apiGroups: [''],
        apiVersions: ['v1'],
        resources: ['configmaps'],
      },
    ],
    objectSelector: { matchLabels: { hook: path.slice(1) } },
    ...rest,
  };
}

async function configure(
  kind: 'mutating' | 'validating',
  name: string,
  webhooks: readonly Json[],
): Promise<void> {
  const path = `${ADMISSION}/${kind}webhookconfigurations`;
  const answer = await send('POST', path, { metadata: { name }, webhooks });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
}

const map = (name: string, path: string, data: Json = {}): Json => ({
  metadata: { name, labels: { hook: path } },
  data,
});

const MAPS = '/api/v1/namespaces/default/configmaps';

test('a validating webhook denies with its own words, code and warnings', async () => {
  hook.on('/deny', (review) => {
    const { object } = review['request'] as { object: { data?: Json } };
    return admissionAnswer(review, {
      allowed: object.data?.['bad'] === undefined,
      status: { code: 409, message: 'bad is bad', reason: 'Conflict' },
      warnings: ['looked at'],
    });
  });
  await configure('validating', 'deny', [webhook('/deny')]);
  const refused = await send('POST', MAPS, map('a', 'deny', { bad: '1' }));
  assert.equal(refused.status, 409);
  assert.equal(
    refused.body['message'],
    'admission webhook "deny.example.com" denied the request: bad is bad',
  );
  const made = await send('POST', MAPS, map('a', 'deny'));
  assert.equal(made.status, 201);
  assert.deepEqual(made.warnings, ['299 - "looked at"']);
  const { body } = hook.reviews.find(({ path }) => path === '/deny') ?? assert.fail();
  const request = body['request'] as Json;
  assert.deepEqual(request['kind'], { group: '', version: 'v1', kind: 'ConfigMap' });
  assert.equal(request['operation'], 'CREATE');
  assert.equal(request['oldObject'], null);
  assert.deepEqual((request['userInfo'] as Json)['groups'], [
    'system:masters',
    'system:authenticated',
  ]);
});

test('mutating webhooks see what others made, and are asked again when they want to', async () => {
  const seen: string[] = [];
  const keysOf = (review: Json): string[] =>
    Object.keys(((review['request'] as Json)['object'] as { data?: Json }).data ?? {});
  hook.on('/first', (review) => {
    seen.push(`first ${keysOf(review).join(' ')}`);
    const wanted = keysOf(review).includes('second') ? 'again' : 'first';
    return admissionAnswer(review, patchOf([{ op: 'add', path: `/data/${wanted}`, value: 'x' }]));
  });
  hook.on('/second', (review) => {
    seen.push(`second ${keysOf(review).join(' ')}`);
    return admissionAnswer(review, patchOf([{ op: 'add', path: '/data/second', value: 'x' }]));
  });
  const selector = { objectSelector: { matchLabels: { hook: 'mutate' } } };
  await configure('mutating', 'mutate', [
    webhook('/first', { ...selector, reinvocationPolicy: 'IfNeeded' }),
    webhook('/second', selector),
  ]);
  const made = await send('POST', MAPS, map('m', 'mutate', { own: '1' }));
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual(Object.keys(made.body['data'] as Json).sort(), [
    'again',
    'first',
    'own',
    'second',
  ]);
  assert.deepEqual(seen, ['first own', 'second own first', 'first own first second']);
});

test('a webhook that fails is fatal or ignored, as it says; conditions decide whether it is asked', async () => {
  await configure('validating', 'broken', [
    webhook('/broken', {
      matchConditions: [{ name: 'not-skipped', expression: "object.metadata.name != 'skipped'" }],
    }),
  ]);
  const refused = await send('POST', MAPS, map('b', 'broken'));
  assert.equal(refused.status, 500);
  assert.match(
    String(refused.body['message']),
    /^Internal error occurred: failed calling webhook "broken.example.com": /,
  );
  assert.equal((await send('POST', MAPS, map('skipped', 'broken'))).status, 201);
  await configure('validating', 'lenient', [
    webhook('/lenient', { failurePolicy: 'Ignore' }),
    webhook('/late', { failurePolicy: 'Ignore', timeoutSeconds: 1 }),
  ]);
  hook.on('/late', () => undefined);
  assert.equal((await send('POST', MAPS, map('l', 'lenient'))).status, 201);
  assert.equal((await send('POST', MAPS, map('late', 'late'))).status, 201);
});

test('connections, bindings and scales are refused as anything is', async () => {
  hook.on('/below', (review) => {
    const { object, subResource } = review['request'] as { object: Json; subResource: string };
    const { command = [], spec = {}, target = {} } = object as Record<string, Json>;
    const isAllowed =
      subResource === 'exec'
        ? !(command as unknown as string[]).includes('rm')
        : subResource === 'scale'
          ? Number(spec['replicas']) < 5
          : target['name'] !== 'bad';
    const message = `no ${subResource}`;
    return admissionAnswer(review, { allowed: isAllowed, status: { code: 403, message } });
  });
  const rules = [
    {
      operations: ['CONNECT', 'CREATE', 'UPDATE'],
      apiGroups: ['', 'apps'],
      apiVersions: ['v1'],
      resources: ['pods/exec', 'pods/binding', 'deployments/scale'],
    },
  ];
  await configure('validating', 'below', [webhook('/below', { rules, objectSelector: {} })]);
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: { containers: [{ name: 'main', image: 'a:1' }] },
  };
  const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template };
  await send('POST', deployments, { metadata: { name: 'd' }, spec });
  const refused = (what: string): string =>
    `admission webhook "below.example.com" denied the request: no ${what}`;
  const scaled = await send(
    'PATCH',
    `${deployments}/d/scale`,
    { spec: { replicas: 7 } },
    { type: 'application/merge-patch+json' },
  );
  assert.deepEqual([scaled.status, scaled.body['message']], [403, refused('scale')]);
  assert.deepEqual((await send('GET', `${deployments}/d/scale`)).body['spec'], {});
  const pods = '/api/v1/namespaces/default/pods';
  const bound = await send('POST', `${pods}/p/binding`, {
    metadata: { name: 'p' },
    target: { name: 'bad' },
  });
  assert.deepEqual([bound.status, bound.body['message']], [403, refused('binding')]);
  const run = await send('POST', `${pods}/p/exec?command=rm`);
  assert.deepEqual([run.status, run.body['message']], [403, refused('exec')]);
  // Allowed, and then there is no such pod.
  assert.equal((await send('POST', `${pods}/p/exec?command=ls`)).status, 404);
  const policies = `${ADMISSION}/validatingadmissionpolicies`;
  const policy = {
    metadata: { name: 'no-shells' },
    spec: {
      matchConstraints: { resourceRules: [{ ...rules[0], resources: ['pods/exec'] }] },
      validations: [{ expression: "object.command[0] != 'sh'", message: 'no shells' }],
    },
  };
  assert.equal((await send('POST', policies, policy)).status, 201);
  const binding = { policyName: 'no-shells', validationActions: ['Deny'] };
  await send('POST', `${ADMISSION}/validatingadmissionpolicybindings`, {
    metadata: { name: 'no-shells' },
    spec: binding,
  });
  const shell = await send('GET', `${pods}/p/exec?command=sh`);
  assert.equal(shell.status, 422, JSON.stringify(shell.body));
  assert.match(String(shell.body['message']), /no shells$/);
});

test('a certificate of somebody else is not trusted', async () => {
  const clientConfig = {
    url: `${hook.url}/deny`,
    caBundle: Buffer.from(own.server.authority.caCert).toString('base64'),
  };
  await configure('validating', 'mistrusted', [webhook('/mistrusted', { clientConfig })]);
  const refused = await send('POST', MAPS, map('t', 'mistrusted'));
  assert.equal(refused.status, 500);
  assert.match(String(refused.body['message']), /tls: failed to verify certificate/);
});

test('a webhook behind a service is found by its endpoints', async () => {
  hook.on('/service', (review) => admissionAnswer(review, { allowed: false }));
  await send('POST', '/api/v1/namespaces/default/services', {
    metadata: { name: 'hook' },
    spec: { ports: [{ port: 443 }] },
  });
  const clientConfig = {
    service: { namespace: 'default', name: 'hook', path: '/service' },
    caBundle: hook.caBundle,
  };
  await configure('validating', 'service', [webhook('/service', { clientConfig })]);
  const early = await send('POST', MAPS, map('s', 'service'));
  assert.match(String(early.body['message']), /no endpoints available for service "hook"/);
  await send('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 'hook', labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'] }],
    ports: [{ name: '', port: hook.port }],
  });
  const refused = await send('POST', MAPS, map('s', 'service'));
  assert.equal(
    refused.body['message'],
    'admission webhook "service.example.com" denied the request without explanation',
  );
});

test('the endpoints of a webhook take turns', async (t) => {
  const other = await startWebhookServer();
  t.after(() => other.close());
  const both = [hook, other];
  const called = new Set<number>();
  both.forEach((one) =>
    one.on('/shared', (review) => {
      called.add(one.port);
      return admissionAnswer(review, { allowed: true });
    }),
  );
  await send('POST', '/api/v1/namespaces/default/services', {
    metadata: { name: 'shared' },
    spec: { ports: [{ port: 443 }] },
  });
  for (const { port } of both) {
    await send('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      metadata: { name: `shared-${port}`, labels: { 'kubernetes.io/service-name': 'shared' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'] }],
      ports: [{ name: '', port }],
    });
  }
  const bundles = both.map(({ caBundle }) => Buffer.from(caBundle, 'base64').toString());
  const clientConfig = {
    service: { namespace: 'default', name: 'shared', path: '/shared' },
    caBundle: Buffer.from(bundles.join('')).toString('base64'),
  };
  await configure('validating', 'shared', [webhook('/shared', { clientConfig })]);
  // Each is drawn: that one of two is left out so often will not be seen.
  for (let i = 0; i < 64 && called.size < both.length; i++) {
    const made = await send('POST', MAPS, map(`shared-${i}`, 'shared'));
    assert.equal(made.status, 201, JSON.stringify(made.body));
  }
  assert.equal(called.size, both.length);
});

test('custom resources are converted by their webhook, read, listed, watched and written', async () => {
  hook.on('/convert', (review) => {
    const {
      uid,
      desiredAPIVersion,
      objects: all,
    } = review['request'] as { uid: string; desiredAPIVersion: string; objects: Json[] };
    const converted = all.map((object) => {
      const spec = object['spec'] as Json;
      const isNew = desiredAPIVersion.endsWith('/v2');
      const changed = isNew
        ? { amount: { value: spec['size'] } }
        : { size: (spec['amount'] as Json)['value'] };
      return { ...object, apiVersion: desiredAPIVersion, spec: changed };
    });
    return {
      kind: 'ConversionReview',
      apiVersion: 'apiextensions.k8s.io/v1',
      response: { uid, convertedObjects: converted, result: { status: 'Success' } },
    };
  });
  const schema = (spec: Json): Json => ({
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: spec } } },
  });
  const body = definition(
    'converts',
    'Convert',
    {},
    {
      conversion: {
        strategy: 'Webhook',
        webhook: {
          conversionReviewVersions: ['v1'],
          clientConfig: { url: `${hook.url}/convert`, caBundle: hook.caBundle },
        },
      },
      versions: [
        { name: 'v1', served: true, storage: true, schema: schema({ size: { type: 'integer' } }) },
        {
          name: 'v2',
          served: true,
          storage: false,
          schema: schema({
            amount: { type: 'object', properties: { value: { type: 'integer' } } },
          }),
        },
      ],
    },
  );
  assert.equal((await send('POST', CRDS, body)).status, 201);
  const made = await send('POST', objects('converts', 'v2'), {
    apiVersion: `${group}/v2`,
    kind: 'Convert',
    metadata: { name: 'one' },
    spec: { amount: { value: 5 } },
  });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  assert.deepEqual(made.body['spec'], { amount: { value: 5 } });
  const old = await send('GET', `${objects('converts')}/one`);
  assert.deepEqual(old.body['spec'], { size: 5 });
  const patched = await send(
    'PATCH',
    `${objects('converts')}/one`,
    { spec: { size: 7 } },
    { type: 'application/merge-patch+json' },
  );
  assert.deepEqual(patched.body['spec'], { size: 7 });
  const listed = await send('GET', objects('converts', 'v2'));
  const [first] = listed.body['items'] as Json[];
  assert.deepEqual(first?.['spec'], { amount: { value: 7 } });
  const watched = await send(
    'GET',
    `${objects('converts', 'v2')}?watch=1&resourceVersion=0&timeoutSeconds=1`,
  );
  assert.deepEqual((watched.body['object'] as Json)['spec'], { amount: { value: 7 } });
});
