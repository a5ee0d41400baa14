// In which version objects lie in the store, and that what kube-apiserver v1.37 has stored there is served as it serves
// it (what upstream's TestEtcdStoragePath and TestEtcdStorage look into etcd for).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import { senderTo } from '#test/support/kube-sender.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import { encodeObject, messageOf } from '#kube/types/protobuf.ts';
import { MemoryStore } from '#store/memory-store.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of many shapes
type Body = any;
type Json = Record<string, unknown>;

const store = new MemoryStore();
let own: OwnServer;

before(async () => {
  own = await startOwnServer({ store });
});
after(() => own.close());

async function send(
  method: string,
  path: string,
  body?: unknown,
  type = 'application/json',
): Promise<{ status: number; body: Body }> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = { 'content-type': type };
  const { status, bytes } = await senderTo(own.target)({ method, path, headers, body: text });
  const answer = bytes.toString();
  return { status, body: answer.startsWith('{') ? JSON.parse(answer) : answer };
}

async function stored(key: string): Promise<Body> {
  const kv = await store.get(key);
  return kv === undefined ? undefined : JSON.parse(Buffer.from(kv.value).toString());
}

async function put(key: string, value: Uint8Array | object): Promise<void> {
  const bytes = value instanceof Uint8Array ? value : Buffer.from(`${JSON.stringify(value)}\n`);
  await store.txn({ compare: [], then: [{ kind: 'put', key, value: bytes }] });
}

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const definitionKey = (name: string): string =>
  `/registry/apiextensions.k8s.io/customresourcedefinitions/${name}`;

/** Kinds that are stored in another version than they are served in. */
const renamed = [
  {
    group: 'certificates.k8s.io',
    resource: 'clustertrustbundles',
    kind: 'ClusterTrustBundle',
    version: 'v1beta1',
    spec: { trustBundle: '' },
  },
  {
    group: 'resource.k8s.io',
    resource: 'devicetaintrules',
    kind: 'DeviceTaintRule',
    version: 'v1beta2',
    spec: { deviceSelector: { driver: 'd.example.com' }, taint: { key: 'a/b', effect: 'None' } },
  },
  {
    group: 'storagemigration.k8s.io',
    resource: 'storageversionmigrations',
    kind: 'StorageVersionMigration',
    version: 'v1beta1',
    spec: { resource: { group: 'a.example.com', resource: 'bs' } },
  },
] as const;

for (const { group, resource, kind, version, spec } of renamed) {
  const path = `/apis/${group}/v1/${resource}`;
  const key = (name: string): string => `/registry/${resource}/${name}`;
  const given = (): Json =>
    kind === 'ClusterTrustBundle' ? { trustBundle: own.server.authority.caCert } : { ...spec };

  test(`${kind} is stored in ${version}, and served in v1`, async () => {
    const made = await send('POST', path, { metadata: { name: 'made' }, spec: given() });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.equal(made.body.apiVersion, `${group}/v1`);
    assert.equal((await stored(key('made'))).apiVersion, `${group}/${version}`);
    const merge = 'application/merge-patch+json';
    const changed = await send(
      'PATCH',
      `${path}/made`,
      { metadata: { labels: { a: 'b' } } },
      merge,
    );
    assert.equal(changed.body.apiVersion, `${group}/v1`);
    const kept = await stored(key('made'));
    assert.deepEqual([kept.apiVersion, kept.metadata.labels], [`${group}/${version}`, { a: 'b' }]);
    const got = await send('GET', `${path}/made`);
    assert.deepEqual(got.body, changed.body);
    const { items } = (await send('GET', path)).body;
    assert.deepEqual(
      items.map(({ metadata }: Body) => metadata.name),
      ['made'],
    );
    assert.equal((await send('DELETE', `${path}/made`)).status, 200);
  });

  test(`${kind} that upstream has stored in ${version} is read, as JSON and as protobuf`, async () => {
    const apiVersion = `${group}/${version}`;
    const metadata = { name: 'old', uid: '08675309-9376-9376-9376-086753099999' };
    const object = { apiVersion, kind, metadata, spec: given() };
    assert.equal(messageOf(apiVersion, kind), undefined);
    const message = encodeObject({ ...object, apiVersion: `${group}/v1` } as never);
    assert.ok(message !== undefined);
    for (const value of [object, envelope(apiVersion, kind, message)]) {
      await put(key('old'), value);
      const { status, body } = await send('GET', `${path}/old`);
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual([body.apiVersion, body.spec], [`${group}/v1`, object.spec]);
    }
    assert.equal((await send('DELETE', `${path}/old`)).status, 200);
  });
}

/** As kube-apiserver writes it: runtime.Unknown behind four bytes. */
function envelope(apiVersion: string, kind: string, message: Uint8Array): Buffer {
  const field = (tag: number, bytes: Uint8Array): Buffer => {
    const size = [];
    let left = bytes.length;
    for (; left > 127; left = Math.floor(left / 128)) size.push((left % 128) + 128);
    return Buffer.concat([Buffer.of((tag << 3) | 2, ...size, left), bytes]);
  };
  const types = [field(1, Buffer.from(apiVersion)), field(2, Buffer.from(kind))];
  const parts = [field(1, Buffer.concat(types)), field(2, message)];
  return Buffer.concat([Buffer.from('k8s\0'), ...parts]);
}

const group = 'lie.example.com';
const names = (plural: string): Json => ({
  plural,
  singular: `${plural}one`,
  kind: `K${plural}`,
  listKind: `K${plural}List`,
});
const schemaOf = (properties: Json): Json => ({ openAPIV3Schema: { type: 'object', properties } });
const columns = [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }];
const properties = { spec: { type: 'object', properties: { size: { type: 'integer' } } } };

test('a definition is stored in v1beta1: what its versions have in common is said once', async () => {
  const common = {
    schema: schemaOf(properties),
    additionalPrinterColumns: columns,
    selectableFields: [{ jsonPath: '.spec.size' }],
  };
  const versions = [
    { name: 'v1', served: true, storage: true, ...common, subresources: { status: {} } },
    { name: 'v2', served: true, storage: false, ...common },
  ];
  const name = `twos.${group}`;
  const spec = { group, scope: 'Cluster', names: names('twos'), versions };
  const made = await send('POST', CRDS, { metadata: { name }, spec });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { apiVersion, spec: kept } = await stored(definitionKey(name));
  assert.equal(apiVersion, 'apiextensions.k8s.io/v1beta1');
  const { conversion, preserveUnknownFields, version, ...rest } = kept;
  assert.deepEqual(
    [conversion, preserveUnknownFields, version],
    [{ strategy: 'None' }, false, 'v1'],
  );
  assert.deepEqual(rest, {
    group,
    names: names('twos'),
    scope: 'Cluster',
    validation: common.schema,
    additionalPrinterColumns: [{ name: 'Size', type: 'integer', JSONPath: '.spec.size' }],
    selectableFields: common.selectableFields,
    versions: [
      { name: 'v1', served: true, storage: true, subresources: { status: {} } },
      { name: 'v2', served: true, storage: false },
    ],
  });
  const got = await send('GET', `${CRDS}/${name}`);
  assert.deepEqual(got.body.spec.versions, versions);
});

test('a definition that upstream has stored serves its schema, subresources and columns', async () => {
  const name = `olds.${group}`;
  const spec = {
    group,
    version: 'v1',
    scope: 'Cluster',
    names: names('olds'),
    validation: schemaOf(properties),
    subresources: {
      status: {},
      scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' },
    },
    additionalPrinterColumns: [{ name: 'Size', type: 'integer', JSONPath: '.spec.size' }],
    versions: [{ name: 'v1', served: true, storage: true }],
    conversion: { strategy: 'None' },
    preserveUnknownFields: false,
  };
  const apiVersion = 'apiextensions.k8s.io/v1beta1';
  await put(definitionKey(name), {
    kind: 'CustomResourceDefinition',
    apiVersion,
    metadata: { name, uid: '08675309-9376-9376-9376-086753099998' },
    spec,
    status: { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: ['v1'] },
  });
  const path = `/apis/${group}/v1/olds`;
  const object = { apiVersion: `${group}/v1`, kind: 'Kolds', metadata: { name: 'a' } };
  const made = await eventually('the definition is served', async () => {
    const answer = await send('POST', path, { ...object, spec: { size: 2, more: 1 } });
    return answer.status === 404 ? undefined : answer;
  });
  assert.deepEqual([made.status, made.body.spec], [201, { size: 2 }]);
  const wrong = await send('POST', path, { ...object, spec: { size: 'x' } });
  assert.equal(wrong.status, 422);
  assert.equal((await send('GET', `${path}/a/status`)).status, 200);
  assert.equal((await send('GET', `${path}/a/scale`)).body.spec.replicas, 2);
  const { status } = (await send('GET', `${CRDS}/${name}`)).body;
  assert.deepEqual(
    status.conditions.map(({ type }: Body) => type),
    ['NamesAccepted', 'Established'],
  );
  assert.equal((await stored(definitionKey(name))).apiVersion, apiVersion);
});

test('a definition of before v1 whose schema is not structural is told so', async () => {
  const name = `loose.${group}`;
  await put(definitionKey(name), {
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1beta1',
    metadata: { name, uid: '08675309-9376-9376-9376-086753099997' },
    spec: {
      group,
      version: 'v1',
      scope: 'Cluster',
      names: names('loose'),
      validation: schemaOf({ foo: {} }),
    },
  });
  const condition = await eventually('the condition is there', async () => {
    const { status } = (await send('GET', `${CRDS}/${name}`)).body;
    return status?.conditions?.find(({ type }: Body) => type === 'NonStructuralSchema');
  });
  const at = 'spec.versions[0].schema.openAPIV3Schema.properties[foo].type';
  const { status, reason, message } = condition;
  assert.deepEqual(
    [status, reason, message],
    [
      'True',
      'Violations',
      `[spec.preserveUnknownFields: Invalid value: true: must be false, ${at}: Required value: must not be empty for specified object fields]`,
    ],
  );
});

test('objects of a definition of before v1 keep what its schema does not name; OpenAPI does not tell it', async () => {
  const path = `/apis/${group}/v1/loose`;
  const object = { apiVersion: `${group}/v1`, kind: 'Kloose', metadata: { name: 'a' } };
  const apply = (replicas: number, manager: string) =>
    send(
      'PATCH',
      `${path}/a?fieldManager=${manager}`,
      { ...object, spec: { replicas } },
      'application/apply-patch+yaml',
    );
  const made = await apply(1, 'one');
  assert.deepEqual(
    [made.status, made.body.spec],
    [201, { replicas: 1 }],
    JSON.stringify(made.body),
  );
  const merge = 'application/merge-patch+json';
  const changed = await send('PATCH', `${path}/a`, { spec: { replicas: 5, more: {} } }, merge);
  assert.deepEqual(changed.body.spec, { replicas: 5, more: {} });
  const refused = await apply(1, 'one');
  assert.equal(refused.status, 409);
  assert.deepEqual(
    refused.body.details.causes.map(({ field }: Body) => field),
    ['.spec.replicas'],
  );
  const published = await eventually('the definition is in OpenAPI', async () => {
    const { body } = await send('GET', '/openapi/v2');
    return body.definitions['com.example.lie.v1.Kloose'];
  });
  assert.deepEqual([published.type, published.properties], ['object', undefined]);
});

test('what etcd would not take is refused in the words of etcd and its client', async () => {
  const path = '/api/v1/namespaces/default/configmaps';
  const large = (bytes: number): Json => ({
    metadata: {
      name: 'large',
      finalizers: Array.from(
        { length: bytes / 40 },
        (_one, i) => `${'a'.repeat(20)}${i}.example.com/a`,
      ),
    },
  });
  const cases = [
    [1_700_000, /^etcdserver: request is too large$/],
    [
      2_300_000,
      /^rpc error: code = ResourceExhausted desc = trying to send message larger than max \(\d+ vs\. 2097152\)$/,
    ],
    [3_600_000, /^Request entity too large: limit is 3145728$/],
  ] as const;
  for (const [bytes, words] of cases) {
    const { status, body } = await send('POST', path, large(bytes));
    assert.equal(status, bytes > 3_000_000 ? 413 : 500);
    assert.match(body.message, words);
  }
  assert.equal((await send('GET', `${path}/large`)).status, 404);
});
