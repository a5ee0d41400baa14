// What upstream's own integration tests ask of an API server and no other test of ours did, each in a few requests
// (tools/run-kube-integration.ts runs them whole).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { MemoryStore } from '#store/memory-store.ts';
import type { Txn, TxnResult } from '#store/store.ts';
import { senderTo, type SendRaw } from '#test/support/kube-sender.ts';
import { startOwnServer } from '#test/support/step-target.ts';

type Json = Record<string, unknown> & { readonly metadata: Record<string, unknown> };

interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly warnings: readonly string[];
}

/** Others come between a read and a write of it, as of a store of another process. */
class DistantStore extends MemoryStore {
  override async txn(txn: Txn): Promise<TxnResult> {
    for (let turns = 0; turns < 3; turns++) await turn();
    return await super.txn(txn);
  }
}

const store = new DistantStore();
let own: Awaited<ReturnType<typeof startOwnServer>>;
let send: SendRaw;

before(async () => {
  own = await startOwnServer({ store });
  send = senderTo(own.target);
});
after(() => own.close());

async function ask(
  method: string,
  path: string,
  body?: unknown,
  {
    type = 'application/json',
    user,
    accept,
  }: { type?: string; user?: string; accept?: string } = {},
): Promise<Answer> {
  const acting: Record<string, string> = user === undefined ? {} : { 'impersonate-user': user };
  const accepting: Record<string, string> = accept === undefined ? {} : { accept };
  const headers = { 'content-type': type, 'user-agent': 'cases', ...acting, ...accepting };
  const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const { status, headers: answered, bytes } = await send({ method, path, headers, body: text });
  const warnings = [...(answered['warning'] ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(
    ([, one]) => JSON.parse(`"${one}"`) as string,
  );
  return { status, body: JSON.parse(bytes.toString()) as Json, warnings };
}

const MERGE = { type: 'application/merge-patch+json' };
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

test('what is applied must have a name', async () => {
  const applied = { apiVersion: 'v1', kind: 'ConfigMap' };
  for (const metadata of [undefined, null, {}]) {
    const path = `${CONFIG_MAPS}/nameless?fieldManager=x`;
    const type = 'application/apply-patch+yaml';
    const { status, body } = await ask('PATCH', path, { ...applied, metadata }, { type });
    assert.equal(status, 400);
    const why = 'name must be provided';
    const wanted = `the name of the object (nameless based on URL) was undeterminable: ${why}`;
    assert.equal(body['message'], wanted);
  }
});

// TestPatchConflicts
test('of many patches at once none is refused', async () => {
  const metadata = { name: 'patched-at-once' };
  assert.equal((await ask('POST', CONFIG_MAPS, { metadata })).status, 201);
  const path = `${CONFIG_MAPS}/${metadata.name}`;
  const patches = Array.from({ length: 60 }, (_one, index) =>
    ask('PATCH', path, { data: { [`key-${index}`]: 'x' } }, MERGE),
  );
  const found = await Promise.all(patches);
  assert.deepEqual([...new Set(found.map(({ status }) => status))], [200]);
  const { body } = await ask('GET', path);
  assert.equal(Object.keys(body['data'] as object).length, 60);
});

// Test202StatusCode
test('a deletion that waits is accepted for who asks by orphanDependents', async () => {
  const outcomes: number[] = [];
  for (const options of [
    { orphanDependents: false },
    { propagationPolicy: 'Background' },
    undefined,
  ]) {
    const metadata = { generateName: 'held-', finalizers: ['example.com/held'] };
    const { body } = await ask('POST', CONFIG_MAPS, { metadata });
    const path = `${CONFIG_MAPS}/${String(body.metadata['name'])}`;
    outcomes.push((await ask('DELETE', path, options)).status);
    const patch = { metadata: { finalizers: null } };
    await ask('PATCH', path, patch, MERGE);
  }
  assert.deepEqual(outcomes, [202, 200, 200]);
});

// TestDefaultGarbageCollectionPolicy
test('dependents of events are not waited for, nor those of a definition that begins to go', async () => {
  const held = { finalizers: ['example.com/held'] };
  const names = { plural: 'heldones', singular: 'heldone', kind: 'Held', listKind: 'HeldList' };
  const schema = { openAPIV3Schema: { type: 'object' } };
  const versions = [{ name: 'v1', served: true, storage: true, schema }];
  const group = 'held.example.com';
  const cases = [
    {
      path: '/api/v1/namespaces/default/events',
      object: { metadata: { name: 'held', ...held }, involvedObject: { namespace: 'default' } },
      left: held.finalizers,
    },
    {
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      object: {
        metadata: { name: `heldones.${group}`, ...held },
        spec: { group, names, scope: 'Cluster', versions },
      },
      left: [...held.finalizers, 'customresourcecleanup.apiextensions.k8s.io'],
    },
    {
      path: CONFIG_MAPS,
      object: { metadata: { name: 'held-in-front', ...held } },
      left: [...held.finalizers, 'foregroundDeletion'],
    },
  ];
  for (const { path, object, left } of cases) {
    const made = await ask('POST', path, object);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const own = `${path}/${object.metadata.name}`;
    const { status, body } = await ask('DELETE', own, { propagationPolicy: 'Foreground' });
    assert.equal(status, 200);
    assert.deepEqual(body.metadata['finalizers'], left);
    await ask('PATCH', own, { metadata: { finalizers: null } }, MERGE);
  }
});

// TestFieldsWipingConsistency
test('metadata cannot be changed at the status of a CSI node, nor when a pod went at its status', async () => {
  const label = { metadata: { labels: { at: 'status' } } };
  const nodes = '/apis/storage.k8s.io/v1/csinodes';
  const node = { metadata: { name: 'wiped' }, spec: { drivers: [] } };
  assert.equal((await ask('POST', nodes, node)).status, 201);
  const changed = await ask('PATCH', `${nodes}/wiped/status`, label, MERGE);
  assert.deepEqual([changed.status, changed.body.metadata['labels']], [200, undefined]);
  const pods = '/api/v1/namespaces/default/pods';
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  assert.equal((await ask('POST', accounts, { metadata: { name: 'wiped' } })).status, 201);
  const spec = { serviceAccountName: 'wiped', containers: [{ name: 'c', image: 'i' }] };
  const pod = { metadata: { name: 'wiped' }, spec };
  assert.equal((await ask('POST', pods, pod)).status, 201);
  const going = { ...label.metadata, deletionTimestamp: '2020-01-01T00:00:00Z' };
  const { status, body } = await ask('PATCH', `${pods}/wiped/status`, { metadata: going }, MERGE);
  assert.equal(status, 200, JSON.stringify(body));
  const { labels, deletionTimestamp } = body.metadata;
  assert.deepEqual([labels, deletionTimestamp], [label.metadata.labels, undefined]);
});

// TestDedupOwnerReferences
test('the group without a name may be written in apiVersion', async () => {
  const object = { apiVersion: '/v1', kind: 'ConfigMap', metadata: { name: 'core-by-name' } };
  const { status, body } = await ask('POST', CONFIG_MAPS, object);
  assert.deepEqual([status, body['apiVersion']], [201, 'v1']);
});

// TestPodSubresourceAuth
test('who may only read connections to pods may not make one by GET', async () => {
  const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';
  const bindings = roles.replace('roles', 'rolebindings');
  const resources = ['pods/exec', 'pods/attach', 'pods/portforward'];
  for (const [name, verbs] of [
    ['reader', ['get']],
    ['maker', ['get', 'create']],
  ] as const) {
    const rules = [{ apiGroups: [''], resources, verbs }];
    assert.equal((await ask('POST', roles, { metadata: { name }, rules })).status, 201);
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }];
    const binding = { metadata: { name }, roleRef, subjects };
    assert.equal((await ask('POST', bindings, binding)).status, 201);
  }
  for (const subresource of ['exec', 'attach', 'portforward']) {
    const path = `/api/v1/namespaces/default/pods/nobody/${subresource}`;
    const { status, body } = await ask('GET', path, undefined, { user: 'reader' });
    assert.deepEqual([status, body['reason']], [403, 'Forbidden']);
    assert.equal(body['message'], 'pods "nobody" is forbidden: ');
    assert.equal((await ask('GET', path, undefined, { user: 'maker' })).status, 404);
  }
});

const APPLY = { type: 'application/apply-patch+yaml' };
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const template = `"template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i",
  "unknownNested": "1", "imagePullPolicy": "Always", "imagePullPolicy": "Never"}]}}`;
const selector = '"selector": {"matchLabels": {"app": "a"}}';

// TestFieldValidation
test('unknown fields and fields that stand twice are told as they stand in the text', async () => {
  const body = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "first", "name": "twice", "other": "1"},
    "spec": {"un": "1", "two": "1", "two": "2", "paused": true, "paused": false, ${selector}, ${template}}}`;
  const container = 'spec.template.spec.containers[0]';
  const told = [
    'duplicate field "metadata.name"',
    'unknown field "metadata.other"',
    'unknown field "spec.un"',
    'unknown field "spec.two"',
    'duplicate field "spec.paused"',
    `unknown field "${container}.unknownNested"`,
    `duplicate field "${container}.imagePullPolicy"`,
  ];
  const { status, body: refusal } = await ask(
    'POST',
    `${DEPLOYMENTS}?fieldValidation=Strict`,
    body,
  );
  const head =
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ';
  assert.deepEqual([status, refusal['message']], [400, head + told.join(', ')]);
  const made = await ask('POST', DEPLOYMENTS, body);
  assert.deepEqual([made.status, made.warnings], [201, told]);
});

test('what stands twice in a patch is told before what nobody knows in its outcome', async () => {
  const path = `${DEPLOYMENTS}/twice`;
  const patch = `{"spec": {"un": "1", "two": "1", "two": "2", "paused": true, "paused": false}}`;
  const told = [
    'duplicate field "spec.two"',
    'duplicate field "spec.paused"',
    'unknown field "spec.two"',
    'unknown field "spec.un"',
  ];
  assert.deepEqual((await ask('PATCH', path, patch, MERGE)).warnings, told);
  const strategic = { type: 'application/strategic-merge-patch+json' };
  assert.deepEqual((await ask('PATCH', path, patch, strategic)).warnings, told);
  const { body } = await ask('PATCH', `${path}?fieldValidation=Strict`, patch, strategic);
  assert.ok(String(body['message']).endsWith(`: strict decoding error: ${told.join(', ')}`));
  const operations = `[{"op": "add", "path": "/spec/un", "value": "1", "foo": 1},
    {"op": "add", "path": "/spec/a", "path": "/spec/b", "value": "1"}]`;
  const json = { type: 'application/json-patch+json' };
  assert.deepEqual((await ask('PATCH', path, operations, json)).warnings, [
    'json patch unknown field "[0].foo"',
    'json patch duplicate field "[1].path"',
    'unknown field "spec.b"',
    'unknown field "spec.un"',
  ]);
});

test('each line of what a YAML decoder says is a warning, also of JSON that is applied', async () => {
  const yaml =
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: lines\nzz: 1\naa: 1\n';
  const told = [
    'line 5: key "name" already set in map',
    'unknown field "aa"',
    'unknown field "zz"',
  ];
  const sent = await ask('POST', CONFIG_MAPS, yaml, { type: 'application/yaml' });
  assert.deepEqual([sent.status, sent.warnings], [201, told]);
  const json =
    '{"apiVersion": "v1", "kind": "ConfigMap",\n"metadata": {"name": "lines"},\n"data": {"a": "1",\n"a": "2"}}';
  const path = `${CONFIG_MAPS}/lines?fieldManager=m`;
  const applied = await ask('PATCH', path, json, APPLY);
  assert.deepEqual(applied.warnings, ['line 4: key "a" already set in map']);
  const strict = await ask('PATCH', `${path}&fieldValidation=Strict`, json, APPLY);
  const why = 'yaml: unmarshal errors:\n  line 4: key "a" already set in map';
  const message = `error strict decoding patch: error converting YAML to JSON: ${why}`;
  assert.deepEqual([strict.status, strict.body['message']], [400, message]);
});

test('what is applied may be YAML that looks like JSON', async () => {
  const body =
    '{\n\t"apiVersion": "v1",\n\t"kind": "ConfigMap",\n\t"metadata": {\n\t\t"name": "comma",\n\t},\n}';
  const { status } = await ask('PATCH', `${CONFIG_MAPS}/comma?fieldManager=m`, body, APPLY);
  assert.equal(status, 201);
});

// TestCreateOnApplyFailsWithUID, TestCreateOnApplyFailsWithForbidden
test('who may not create makes nothing by applying, and a uid means an object that is there', async () => {
  const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch', 'update'] }];
  const name = 'patcher';
  assert.equal((await ask('POST', roles, { metadata: { name }, rules })).status, 201);
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }];
  const bindings = roles.replace('roles', 'rolebindings');
  assert.equal(
    (await ask('POST', bindings, { metadata: { name }, roleRef, subjects })).status,
    201,
  );
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied-anew' } };
  const path = `${CONFIG_MAPS}/applied-anew?fieldManager=m`;
  const refused = await ask('PATCH', path, object, { ...APPLY, user: name });
  assert.equal(refused.status, 403);
  assert.match(String(refused.body['message']), /cannot create resource "configmaps"/);
  const uid = '88e00824-7f0e-11e8-94a1-c8d3ffb15800';
  const named = { ...object, metadata: { ...object.metadata, uid } };
  assert.equal((await ask('PATCH', path, named, APPLY)).status, 409);
  assert.equal((await ask('PATCH', path, object, APPLY)).status, 201);
  assert.equal((await ask('PATCH', path, object, { ...APPLY, user: name })).status, 200);
});

// TestClearManagedFieldsWithUpdateEmptyList, TestRenamingAppliedFieldManagers, TestManagedFieldsTrailingData
test('managedFields that are sent: none forgets all, one owner twice is one, what is no set changes nothing', async () => {
  const path = `${CONFIG_MAPS}/owned`;
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned' } };
  for (const [manager, key] of [
    ['one', 'a'],
    ['two', 'b'],
  ] as const) {
    await ask(
      'PATCH',
      `${path}?fieldManager=${manager}`,
      { ...object, data: { [key]: '1' } },
      APPLY,
    );
  }
  const owners = (answer: Answer): unknown =>
    ((answer.body.metadata['managedFields'] ?? []) as Record<string, unknown>[]).map(
      ({ manager, fieldsV1 }) => [manager, fieldsV1],
    );
  const put = async (change: (entries: Record<string, unknown>[]) => unknown): Promise<unknown> => {
    const { body } = await ask('GET', path);
    const before = body.metadata['managedFields'] as Record<string, unknown>[];
    const metadata = { ...body.metadata, managedFields: change(before) };
    return owners(await ask('PUT', path, { ...body, metadata }));
  };
  const [a, b] = [{ 'f:data': { 'f:a': {} } }, { 'f:data': { 'f:b': {} } }];
  assert.deepEqual(await put((all) => all), [
    ['one', a],
    ['two', b],
  ]);
  const broken = { 'f:metadata': { 'f:finalizers': { 'v:"a" {"more":1}': {} } } };
  assert.deepEqual(await put((all) => all.map((one) => ({ ...one, fieldsV1: broken }))), [
    ['one', a],
    ['two', b],
  ]);
  assert.deepEqual(await put((all) => all.map((one) => ({ ...one, manager: 'both' }))), [
    ['both', b],
  ]);
  assert.deepEqual(await put(() => []), []);
});

// TestWatchTransformCaching
test('a table is of the version that was asked for, and what its rows hold is, too', async () => {
  await ask('POST', CONFIG_MAPS, { metadata: { name: 'in-a-table' } });
  for (const version of ['v1', 'v1beta1']) {
    const accept = `application/json;as=Table;v=${version};g=meta.k8s.io`;
    const { body } = await ask('GET', CONFIG_MAPS, undefined, { accept });
    const rows = body['rows'] as { object: Json }[];
    assert.equal(body['apiVersion'], `meta.k8s.io/${version}`);
    assert.equal(rows[0]?.object['apiVersion'], `meta.k8s.io/${version}`);
  }
});

// TestTransform
test('a watch of tables is refused as a list of them is', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const path = `${CONFIG_MAPS}?watch=true&includeObject=unrecognized`;
  const { status, body } = await ask('GET', path, undefined, { accept });
  assert.equal(status, 400);
  assert.match(String(body['message']), /Invalid value: "unrecognized": must be 'Metadata'/);
});

// TestCreateVeryLargeObject, TestUpdateVeryLargeObject, TestPatchVeryLargeObject
test('an object that is too large with its owners is stored without, unless it is applied', async () => {
  const names = Array.from({ length: 10_000 }, (_one, index) => `${'long-'.repeat(14)}${index}`);
  const data = Object.fromEntries(names.map((name) => [name, 'A']));
  const outcome = ({ status, body }: Answer) => [status, body.metadata['managedFields']];
  const made = await ask('POST', CONFIG_MAPS, { metadata: { name: 'made-large' }, data });
  assert.deepEqual(outcome(made), [201, undefined]);
  const path = `${CONFIG_MAPS}/changed-large`;
  const metadata = { name: 'changed-large' };
  for (const change of ['PUT', 'PATCH'] as const) {
    assert.equal((await ask('POST', CONFIG_MAPS, { metadata })).status, 201);
    const { type } = change === 'PATCH' ? MERGE : { type: 'application/json' };
    assert.deepEqual(outcome(await ask(change, path, { metadata, data }, { type })), [
      200,
      undefined,
    ]);
    assert.equal((await ask('DELETE', path)).status, 200);
  }
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
  assert.equal((await ask('POST', CONFIG_MAPS, { metadata })).status, 201);
  assert.equal((await ask('PATCH', `${path}?fieldManager=m`, applied, APPLY)).status, 500);
});

// CreateCRDUsingRemovedAPI, by which many of upstream's tests begin; kube-apiserver itself stores definitions so
test('a definition that is stored in v1beta1 is read, and changed, as one of v1', async () => {
  const names = { plural: 'olds', singular: 'old', kind: 'Old', listKind: 'OldList' };
  const validation = {
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' } } },
  };
  const spec = {
    group: 'example.com',
    version: 'v1',
    versions: [{ name: 'v1', served: true, storage: true }],
    names,
    scope: 'Namespaced',
    validation,
    subresources: { status: {} },
    additionalPrinterColumns: [{ name: 'Spec', type: 'string', JSONPath: '.spec' }],
    preserveUnknownFields: false,
  };
  const name = 'olds.example.com';
  const metadata = {
    name,
    uid: '7860e1b1-5fe2-4bb6-b028-f70e2b905821',
    creationTimestamp: '2020-01-01T00:00:00Z',
  };
  const condition = (type: string): Json =>
    ({
      type,
      status: 'True',
      reason: 'x',
      message: '',
      lastTransitionTime: '2020-01-01T00:00:00Z',
    }) as unknown as Json;
  const conditions = [condition('NamesAccepted'), condition('Established')];
  const status = { conditions, acceptedNames: names, storedVersions: ['v1'] };
  const kind = 'CustomResourceDefinition';
  const stored = { kind, apiVersion: 'apiextensions.k8s.io/v1beta1', metadata, spec, status };
  const key = `/registry/apiextensions.k8s.io/customresourcedefinitions/${name}`;
  await store.txn({
    compare: [],
    then: [{ kind: 'put', key, value: Buffer.from(JSON.stringify(stored)) }],
  });
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
  const labelled = await ask('PATCH', path, { metadata: { labels: { a: 'b' } } }, MERGE);
  assert.equal(labelled.status, 200);
  const { body } = await ask('GET', path);
  assert.deepEqual(body['spec'], {
    group: 'example.com',
    names,
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: validation,
        subresources: { status: {} },
        additionalPrinterColumns: [{ name: 'Spec', type: 'string', jsonPath: '.spec' }],
      },
    ],
    conversion: { strategy: 'None' },
  });
  const objects = '/apis/example.com/v1/namespaces/default/olds';
  const object = { apiVersion: 'example.com/v1', kind: 'Old', metadata: { name: 'one' }, spec: {} };
  assert.equal((await ask('POST', objects, object)).status, 201);
});
