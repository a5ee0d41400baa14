// What upstream's integration tests of apiextensions-apiserver v0.37 ask of custom resources and their definitions,
// and recorded requests had not asked. (Those tests themselves:
// `node tools/run-kube-integration.ts BIN . conversion --suite extensions`.)
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import { senderTo } from '#test/support/kube-sender.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import { startWebhookServer } from '#test/support/webhook-server.ts';
import { MemoryStore } from '#store/memory-store.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of many shapes
type Body = any;
type Json = Record<string, unknown>;

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const group = 'found.example.com';
const store = new MemoryStore();
let own: OwnServer;

before(async () => {
  own = await startOwnServer({ store });
});
after(() => own.close());

const types: Readonly<Record<string, string>> = {
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

async function send(
  method: string,
  path: string,
  body?: unknown,
  type = 'application/json',
): Promise<{ status: number; body: Body }> {
  const { status, bytes } = await senderTo(own.target)({
    method,
    path,
    headers: { 'content-type': types[type] ?? type },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = bytes.toString();
  return { status, body: text.startsWith('{') ? JSON.parse(text) : text };
}

const versionOf = (properties: Json, more: Json = {}): Json => ({
  name: 'v1',
  served: true,
  storage: true,
  schema: { openAPIV3Schema: { type: 'object', properties } },
  ...more,
});

const named = (plural: string): string => `${definitions}/${plural}.${group}`;

function definition(plural: string, versions: readonly Json[], more: Json = {}): Json {
  const kind = `Kind${plural}`;
  const names = { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope: 'Cluster', names, versions, ...more },
  };
}

async function define(plural: string, versions: readonly Json[], more: Json = {}): Promise<void> {
  const { status, body } = await send('POST', definitions, definition(plural, versions, more));
  assert.equal(status, 201, JSON.stringify(body));
}

const placeOf = (plural: string, version = 'v1'): string => `/apis/${group}/${version}/${plural}`;

const object = (plural: string, name: string, fields: Json = {}, version = 'v1'): Json => ({
  apiVersion: `${group}/${version}`,
  kind: `Kind${plural}`,
  metadata: { name },
  ...fields,
});

test('a null that is applied stays where it may be one, and is refused elsewhere', async () => {
  const inner = { type: 'object', properties: { a: { type: 'string' } } };
  await define('nulls', [
    versionOf({
      spec: {
        type: 'object',
        properties: {
          free: { ...inner, nullable: true },
          bound: inner,
          given: { ...inner, default: { a: 'x' } },
        },
      },
    }),
  ]);
  const path = `${placeOf('nulls')}/one?fieldManager=m`;
  const apply = (spec: Json) => send('PATCH', path, object('nulls', 'one', { spec }), 'apply');
  assert.equal((await apply({ free: { a: '1' }, bound: { a: '1' } })).status, 201);
  const kept = await apply({ free: null, bound: { a: '1' } });
  assert.equal(kept.status, 200);
  assert.equal(kept.body.spec.free, null);
  const filled = await apply({ given: null, bound: { a: '1' } });
  assert.deepEqual(filled.body.spec.given, { a: 'x' });
  const refused = await apply({ bound: null });
  assert.equal(refused.status, 422);
  assert.match(refused.body.message, /spec\.bound in body must be of type object: "null"/);
});

test('a bundle without certificates keeps a definition from being served', async () => {
  const conversion = {
    strategy: 'Webhook',
    webhook: {
      clientConfig: { caBundle: 'Cg==', service: { namespace: 'default', name: 'example' } },
      conversionReviewVersions: ['v1'],
    },
  };
  await define('bundles', [versionOf({})], { conversion });
  const { body } = await send('GET', named('bundles'));
  const { lastTransitionTime: _time, ...condition } = body.status.conditions.find(
    ({ type }: Json) => type === 'Established',
  );
  assert.deepEqual(condition, {
    type: 'Established',
    status: 'False',
    reason: 'InvalidCABundle',
    message: 'The conversion webhook CABundle is invalid',
  });
  await define('plains', [versionOf({})]);
  const patched = await send('PATCH', named('plains'), { spec: { conversion } }, 'merge');
  assert.equal(patched.status, 422);
  assert.match(
    patched.body.message,
    /caBundle: .*unable to load root certificates: unable to parse bytes as PEM block/,
  );
});

/** A watch that says how it ended. */
function watch(path: string): Promise<{ readonly ended: Promise<string> }> {
  const { server, agent, headers } = own.target;
  return new Promise((resolve, reject) => {
    const call = request(`${server}${path}?watch=true`, { agent, headers }, (response) => {
      let text = '';
      const ended = new Promise<string>((done) => {
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => done(text));
      });
      resolve({ ended });
    });
    call.on('error', reject);
    call.end();
  });
}

test('watches end when a definition serves something else, not when it is going', async () => {
  await define('watched', [versionOf({})]);
  const first = await watch(placeOf('watched'));
  await send('POST', placeOf('watched'), object('watched', 'one'));
  const v2 = { ...versionOf({}), name: 'v2', storage: false };
  await send('PATCH', named('watched'), { spec: { versions: [versionOf({}), v2] } }, 'merge');
  assert.match(await first.ended, /"type":"ADDED"/);
  const second = await watch(placeOf('watched'));
  assert.equal((await send('DELETE', named('watched'))).status, 200);
  assert.match(await second.ended, /"type":"DELETED"/);
});

test('a status is given the defaults of the version that it is written in', async () => {
  const part = (more: Json): Json => ({ type: 'object', properties: { a: more } });
  const text = { type: 'string' };
  const filled = part({ ...text, default: 'A' });
  const subresources = { status: {} };
  await define('defaults', [
    versionOf({ spec: filled, status: filled }, { subresources, storage: false }),
    versionOf({ spec: part(text), status: part(text) }, { subresources, name: 'v2' }),
  ]);
  const made = await send(
    'POST',
    placeOf('defaults', 'v2'),
    object('defaults', 'one', { spec: {} }, 'v2'),
  );
  assert.equal(made.status, 201);
  const path = `${placeOf('defaults')}/one/status`;
  const { metadata } = (await send('GET', `${placeOf('defaults')}/one`)).body;
  const sent = { ...object('defaults', 'one', { spec: {}, status: {} }), metadata };
  const { body } = await send('PUT', path, sent);
  assert.deepEqual([body.spec, body.status], [{}, { a: 'A' }]);
});

const embedded = {
  type: 'object',
  'x-kubernetes-embedded-resource': true,
  'x-kubernetes-preserve-unknown-fields': true,
};

test('metadata within an object is typed, and defaults have none that it does not', async () => {
  const word = (value: string): Json => ({ type: 'string', default: value });
  const whole = { apiVersion: 'foos/v1', kind: 'Foo', metadata: { name: 'Bar', unknown: 'x' } };
  await define('holders', [
    versionOf({
      plain: embedded,
      fields: {
        ...embedded,
        properties: {
          apiVersion: word('foos/v1'),
          kind: word('Foo'),
          metadata: { type: 'object', properties: { name: word('Bar'), unknown: word('x') } },
        },
      },
      metadata: { type: 'object' },
      full: { ...embedded, default: whole },
      spanning: { type: 'object', properties: { inner: embedded }, default: { inner: whole } },
    }),
  ]);
  const fields = { fields: { metadata: {} } };
  const { body } = await send('POST', placeOf('holders'), object('holders', 'one', fields));
  const wanted = { apiVersion: 'foos/v1', kind: 'Foo', metadata: { name: 'Bar' } };
  assert.deepEqual([body.fields, body.full, body.spanning?.inner], [wanted, wanted, wanted]);
  const wrong = { plain: { apiVersion: 'v1', kind: 'A', metadata: { namespace: 42 } } };
  const refused = await send('POST', placeOf('holders'), object('holders', 'two', wrong));
  assert.equal(refused.status, 400);
  assert.match(
    refused.body.message,
    /plain\.metadata: Invalid value: .*number into Go struct field ObjectMeta\.namespace of type string/,
  );
});

test('what cannot be in stored metadata is left out, and nothing is without a generation', async () => {
  await define('olds', [versionOf({ plain: embedded })]);
  const metadata = { name: 'one', labels: { a: 'x y' }, annotations: { a: 42, b: 'c' } };
  const plain = { apiVersion: 'v1', kind: 'A', metadata };
  const stored = { ...object('olds', 'one', { plain }), metadata };
  const key = `/registry/${group}/olds/one`;
  await store.txn({
    compare: [],
    then: [{ kind: 'put', key, value: Buffer.from(JSON.stringify(stored)) }],
  });
  const { body } = await send('GET', `${placeOf('olds')}/one`);
  const { generation, resourceVersion: _version, ...left } = body.metadata;
  const wanted = { name: 'one', labels: { a: 'x y' } };
  assert.deepEqual([generation, left, body.plain.metadata], [1, wanted, wanted]);
});

test('nothing is made of a kind that goes; outside of namespaces nothing is made of one in them', async () => {
  await define('leaving', [versionOf({})]);
  const finalizers = ['example.com/held'];
  await send('PATCH', named('leaving'), { metadata: { finalizers } }, 'merge');
  await send('DELETE', named('leaving'));
  const one = object('leaving', 'one');
  const why = 'create not allowed while custom resource definition is terminating';
  const text = `leaving.${group} "one" is forbidden: ${why}`;
  const paths = [
    ['POST', placeOf('leaving'), 'application/json'],
    ['PATCH', `${placeOf('leaving')}/one?fieldManager=m`, 'apply'],
  ] as const;
  await eventually('the definition is going', async () => {
    const { body } = await send('GET', named('leaving'));
    return body.status.conditions.find(({ type }: Json) => type === 'Terminating');
  });
  for (const [method, path, type] of paths) {
    const { status, body } = await send(method, path, one, type);
    assert.deepEqual([status, body.message], [403, text]);
  }
  await send('PATCH', named('leaving'), { metadata: { finalizers: null } }, 'merge');
  await define('inside', [versionOf({})], { scope: 'Namespaced' });
  for (const method of ['POST', 'DELETE']) {
    const { status } = await send(method, placeOf('inside'), object('inside', 'one'));
    assert.equal(status, 404);
  }
});

test('who scaled an object stands before who made it, for it is not noted when', async () => {
  const whole = { type: 'integer' };
  const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
  const properties = {
    spec: { type: 'object', properties: { replicas: whole, other: whole } },
    status: { type: 'object', properties: { replicas: whole } },
  };
  await define('scaled', [versionOf(properties, { subresources: { status: {}, scale } })]);
  const spec = { replicas: 1, other: 1 };
  await send('POST', `${placeOf('scaled')}?fieldManager=a`, object('scaled', 'one', { spec }));
  const path = `${placeOf('scaled')}/one`;
  await send('PATCH', `${path}/scale?fieldManager=b`, { spec: { replicas: 5 } }, 'merge');
  const { body } = await send('GET', path);
  const owners = body.metadata.managedFields.map(({ manager }: Json) => manager);
  assert.deepEqual(owners, ['b', 'a']);
  const { resources } = (await send('GET', `/apis/${group}/v1`)).body;
  const names = resources
    .map(({ name }: Json) => name)
    .filter((name: string) => name.startsWith('scaled'));
  assert.deepEqual(names, ['scaled', 'scaled/status', 'scaled/scale']);
});

test('what all versions have the same of is told of once, as of the definition', async () => {
  const wrong = versionOf({ a: { type: 'array' } });
  const versions = [wrong, { ...wrong, name: 'v2', storage: false }];
  const { status, body } = await send('POST', definitions, definition('wrongs', versions));
  assert.equal(status, 422);
  assert.deepEqual(
    body.details.causes.map(({ field }: Json) => field),
    ['spec.validation.openAPIV3Schema.properties[a].items'],
  );
});

test('a list by keys is unchanged in another order', async () => {
  const list = {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
    items: { type: 'object', required: ['k'], properties: { k: { type: 'string' } } },
  };
  await define('lists', [versionOf({ list })]);
  const items = ['a', 'b', 'c'].map((k) => ({ k }));
  await send('POST', placeOf('lists'), object('lists', 'one', { list: items }));
  const versions = [versionOf({ list: { ...list, maxItems: 2 } })];
  assert.equal((await send('PATCH', named('lists'), { spec: { versions } }, 'merge')).status, 200);
  const path = `${placeOf('lists')}/one`;
  const turned = { list: items.toReversed() };
  assert.equal((await send('PATCH', path, turned, 'merge')).status, 200);
  const more = { list: [...items, { k: 'd' }] };
  assert.equal((await send('PATCH', path, more, 'merge')).status, 422);
});

test('rules of what is a list no more, by the schema, cannot be compiled', async () => {
  const items = {
    type: 'object',
    properties: { n: { type: 'integer' } },
    'x-kubernetes-validations': [{ rule: 'self.n < 10' }],
  };
  const schema = (type: string): Json => ({ list: { type, maxItems: 9, items } });
  await define('turned', [versionOf(schema('array'))]);
  const list = [{ n: 8 }];
  const path = placeOf('turned');
  assert.equal((await send('POST', path, object('turned', 'one', { list }))).status, 201);
  const versions = [versionOf(schema('object'))];
  assert.equal((await send('PATCH', named('turned'), { spec: { versions } }, 'merge')).status, 200);
  const labelled = { metadata: { labels: { a: 'b' } } };
  const { status, body } = await send('PATCH', `${path}/one`, labelled, 'merge');
  assert.equal(status, 422);
  const why = 'failed to convert to declType for CEL validation rules';
  assert.equal(
    body.details.causes[0].message,
    `Invalid value: "object": rule compiler initialization error: ${why}`,
  );
  assert.equal(body.details.causes[0].field, 'list[0]');
  const made = await send('POST', path, object('turned', 'two', { list }));
  assert.match(made.body.message, /list in body must be of type object: "array"/);
});

// TestStorageVersionMigrationWithCRD
test('an update that changes nothing is stored in the version that is stored now', async () => {
  const versions = (stored: string): Json[] =>
    ['v1', 'v2'].map((name) => versionOf({}, { name, storage: name === stored }));
  await define('moved', versions('v1'));
  const made = await send('POST', placeOf('moved'), object('moved', 'one'));
  const storedVersion = async (): Promise<unknown> => {
    const kv = await store.get(`/registry/${group}/moved/one`);
    return JSON.parse(Buffer.from(kv?.value ?? []).toString()).apiVersion;
  };
  assert.equal(await storedVersion(), `${group}/v1`);
  const change = { spec: { versions: versions('v2') } };
  assert.equal((await send('PATCH', named('moved'), change, 'merge')).status, 200);
  const revisions = [made.body.metadata.resourceVersion];
  for (const version of ['v1', 'v2']) {
    const path = `${placeOf('moved', version)}/one`;
    const { status, body } = await send('PATCH', path, {}, 'merge');
    assert.equal(status, 200);
    assert.equal(await storedVersion(), `${group}/v2`);
    revisions.push(body.metadata.resourceVersion);
  }
  assert.notEqual(revisions[1], revisions[0]);
  assert.equal(revisions[2], revisions[1]);
});

test('of a webhook that is trusted by its own certificate and answers with a bare error the status is told', async () => {
  const hook = await startWebhookServer();
  try {
    const clientConfig = { url: `${hook.url}/none`, caBundle: hook.certBundle };
    const conversion = {
      strategy: 'Webhook',
      webhook: { clientConfig, conversionReviewVersions: ['v1'] },
    };
    hook.on('/none', () => 'Cannot handle v1 ConversionReview');
    const v2 = { ...versionOf({}), name: 'v2', storage: false };
    await define('hooked', [versionOf({}), v2], { conversion });
    await send('POST', placeOf('hooked'), object('hooked', 'one'));
    const { status, body } = await send('GET', `${placeOf('hooked', 'v2')}/one`);
    assert.equal(status, 500);
    assert.equal(
      body.message,
      `conversion webhook for ${group}/v1, Kind=Kindhooked failed: the server rejected our request for an unknown reason`,
    );
  } finally {
    await hook.close();
  }
});

test('an object with a version is made in a dry run only (as controller-runtime has it)', async () => {
  const place = '/api/v1/namespaces/default/configmaps';
  const metadata = { name: 'versioned', resourceVersion: '7' };
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
  assert.equal((await send('POST', `${place}?dryRun=All`, map)).status, 201);
  const { status, body } = await send('POST', place, map);
  const text = 'resourceVersion should not be set on objects to be created';
  assert.deepEqual([status, body.message], [500, text]);
  assert.equal((await send('GET', `${place}/versioned`)).status, 404);
});
