// Single cases that upstream's own integration tests (test/integration of v1.37) showed: what a kube-apiserver
// answers is said in each name.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Authority } from '#kube/pki/authority.ts';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
import { eventually } from '#test/support/cluster.ts';
import { sendStep, type Step } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';
import { startWebhookServer } from '#test/support/webhook-server.ts';

type Json = Record<string, unknown>;
type Answer = Awaited<ReturnType<typeof sendStep>>;

const pods = '/api/v1/namespaces/default/pods';
const pod = (more: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'a' },
  spec: { containers: [{ name: 'foo', image: 'bar/foo' }], ...more },
});

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-cases-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function start(t: TestContext, flags: Readonly<Record<string, string>>): Promise<OwnServer> {
  const keyed = Object.entries(flags).map(([name, value]) => [flagKey(name), value]);
  const own = await startOwnServer({ flags: Object.fromEntries(keyed) as Json });
  t.after(() => own.close());
  return own;
}

const send = (own: OwnServer, step: Omit<Step, 'name'>): Promise<Answer> =>
  sendStep(own.target, { name: 'case', ...step });

test('what admission made of a priority class need not be named in an update', async (t) => {
  const own = await start(t, { 'disable-admission-plugins': 'ServiceAccount' });
  assert.equal((await send(own, { method: 'POST', path: pods, body: pod() })).status, 201);
  const again = await send(own, { method: 'PUT', path: `${pods}/a`, body: pod() });
  assert.equal(again.status, 200);
  const other = pod({ priority: 5 });
  assert.equal((await send(own, { method: 'PUT', path: `${pods}/a`, body: other })).status, 422);
});

test('what is only ever created has no path of its own', async (t) => {
  const own = await start(t, {});
  const bindings = '/api/v1/namespaces/default/bindings';
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const body = method === 'PUT' ? { body: { apiVersion: 'v1', kind: 'Binding' } } : {};
    assert.equal((await send(own, { method, path: `${bindings}/a`, ...body })).status, 404, method);
  }
  assert.equal((await send(own, { method: 'GET', path: bindings })).status, 405);
  assert.equal((await send(own, { method: 'GET', path: '/api/v1/bindings' })).status, 404);
});

test('a webhook of access may be reached without a look at its certificate', async (t) => {
  const folder = folderOf(t);
  const hook = await startWebhookServer();
  t.after(() => hook.close());
  hook.on('/', ({ apiVersion, kind }) => ({ apiVersion, kind, status: { allowed: true } }));
  const cluster = { server: hook.url, 'insecure-skip-tls-verify': true };
  const kubeConfigFile = join(folder, 'hook.yaml');
  const config = { apiVersion: 'v1', kind: 'Config', clusters: [{ name: 'a', cluster }] };
  writeFileSync(kubeConfigFile, JSON.stringify(config));
  const webhook = {
    timeout: '5s',
    failurePolicy: 'Deny',
    subjectAccessReviewVersion: 'v1',
    authorizedTTL: '1s',
    unauthorizedTTL: '1s',
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile },
  };
  const file = join(folder, 'access.yaml');
  // The oldest version of the file is read, too.
  const access = {
    apiVersion: 'apiserver.config.k8s.io/v1alpha1',
    kind: 'AuthorizationConfiguration',
    authorizers: [{ type: 'Webhook', name: 'hook', webhook }],
  };
  writeFileSync(file, JSON.stringify(access));
  const own = await start(t, { 'authorization-config': file });
  const anonymous = { authorization: '' };
  const answer = await send(own, { method: 'GET', path: '/api/v1/nodes', headers: anonymous });
  assert.equal(answer.status, 200);
  assert.ok(hook.reviews.length > 0);
});

test('who has an answer finds it in the audit log', async (t) => {
  const folder = folderOf(t);
  const [policy, log] = [join(folder, 'policy.yaml'), join(folder, 'audit.log')];
  const rules = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'Metadata' }] };
  writeFileSync(policy, JSON.stringify(rules));
  const own = await start(t, { 'audit-policy-file': policy, 'audit-log-path': log });
  for (const name of ['default', 'nowhere', 'default', 'kube-system']) {
    truncateSync(log);
    const path = `/api/v1/namespaces/${name}`;
    const { status } = await send(own, { method: 'GET', path });
    const events = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { requestURI: string; stage: string } & Json)
      .filter(({ requestURI, stage }) => requestURI === path && stage === 'ResponseComplete');
    assert.deepEqual(
      events.map(({ responseStatus }) => (responseStatus as { code: number }).code),
      [status],
    );
  }
});

test('who may not act as somebody else is in the audit log', async (t) => {
  const folder = folderOf(t);
  const [policy, log] = [join(folder, 'policy.yaml'), join(folder, 'audit.log')];
  const rules = [{ level: 'Metadata' }];
  writeFileSync(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }));
  const own = await start(t, { 'audit-policy-file': policy, 'audit-log-path': log });
  const path = '/api/v1/nodes?limit=7';
  const headers = { authorization: '', 'impersonate-user': 'ann' };
  assert.equal((await send(own, { method: 'GET', path, headers })).status, 403);
  const [event] = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes(path) && line.includes('ResponseComplete'))
    .map((line) => JSON.parse(line) as { user: Json; responseStatus: Json });
  assert.equal(event?.user['username'], 'system:anonymous');
  assert.match(String(event?.responseStatus['message']), /cannot impersonate/);
});

test('managed fields are written down in order', async (t) => {
  const own = await start(t, { 'disable-admission-plugins': 'ServiceAccount' });
  const ports = [10, 9, 100].map((containerPort) => ({ containerPort }));
  const containers = [{ name: 'foo', image: 'bar/foo', ports }];
  const body = { ...pod(), spec: { containers, restartPolicy: 'Never', activeDeadlineSeconds: 9 } };
  const answer = await send(own, { method: 'POST', path: pods, body });
  const found = answer.body as { metadata: { managedFields: { fieldsV1: Json }[] } };
  const spec = found.metadata.managedFields[0]?.fieldsV1['f:spec'] as Json;
  const names = Object.keys(spec);
  assert.deepEqual(names, names.toSorted());
  const container = (spec['f:containers'] as Json)['k:{"name":"foo"}'] as Json;
  assert.equal(Object.keys(container)[0], '.');
  assert.deepEqual(
    Object.keys(container['f:ports'] as Json).map((key) => /\d+|\./.exec(key)?.[0]),
    ['.', '9', '10', '100'],
  );
});

const definition = (version: string): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: 'foos.networking.k8s.io',
    annotations: { 'api-approved.kubernetes.io': 'unapproved, test-only' },
  },
  spec: {
    group: 'networking.k8s.io',
    scope: 'Cluster',
    names: { plural: 'foos', kind: 'Foo' },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    ],
  },
});

test('a definition adds nothing to a version of a group that is built in', async (t) => {
  const own = await start(t, {});
  const all = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const listOf = async (version: string): Promise<number> =>
    (await send(own, { method: 'GET', path: `/apis/networking.k8s.io/${version}/foos` })).status;
  const define = async (version: string): Promise<void> => {
    assert.equal(
      (await send(own, { method: 'POST', path: all, body: definition(version) })).status,
      201,
    );
    await eventually('an established definition', async () => {
      const path = `${all}/foos.networking.k8s.io`;
      const { body } = await send(own, { method: 'GET', path });
      const text = JSON.stringify((body as { status?: Json }).status ?? {});
      return /"Established"[^}]*"True"|"True"[^}]*"Established"/.exec(text) ?? undefined;
    });
  };
  await define('v9');
  await eventually('a list', async () => ((await listOf('v9')) === 200 ? true : undefined));
  const path = `${all}/foos.networking.k8s.io`;
  await send(own, { method: 'DELETE', path });
  await eventually('no definition', async () =>
    (await send(own, { method: 'GET', path })).status === 404 ? true : undefined,
  );
  await define('v1');
  assert.equal(await listOf('v1'), 404);
  const { body } = await send(own, { method: 'GET', path: '/apis/networking.k8s.io/v1' });
  assert.doesNotMatch(JSON.stringify(body), /"foos"/);
  await send(own, { method: 'DELETE', path });
  await eventually('no definition', async () =>
    (await send(own, { method: 'GET', path })).status === 404 ? true : undefined,
  );
});

test('a binding that was split off is made of the one before', async (t) => {
  const own = await start(t, {});
  const all = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
  const group = { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io' };
  const subjects = [{ ...group, name: 'system:authenticated' }];
  const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
  const path = `${all}/system:discovery`;
  const body = { metadata: { annotations }, subjects };
  const headers = { 'content-type': 'application/merge-patch+json' };
  assert.equal((await send(own, { method: 'PATCH', path, body, headers })).status, 200);
  await send(own, { method: 'DELETE', path: `${all}/system:public-info-viewer` });
  const target = await own.restart({});
  const step = { name: 'get', method: 'GET', path: `${all}/system:public-info-viewer` };
  const found = (await sendStep(target, step)).body as Json;
  assert.deepEqual(found['subjects'], subjects);
  assert.deepEqual((found['metadata'] as Json)['annotations'], annotations);
});

test('clients and proxies of further authorities are let in, and of those that take their place', async (t) => {
  const folder = folderOf(t);
  const now = Date.now();
  const open = (name: string): Promise<Authority> => Authority.open(join(folder, name), now, name);
  const [first, second, proxies] = [await open('first'), await open('second'), await open('proxy')];
  const [clientFile, proxyFile] = [join(folder, 'clients.pem'), join(folder, 'proxies.pem')];
  writeFileSync(clientFile, first.caCert);
  writeFileSync(proxyFile, proxies.caCert);
  const own = await start(t, {
    'client-ca-file': clientFile,
    'requestheader-client-ca-file': proxyFile,
    'requestheader-allowed-names': 'the-proxy',
  });
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const whoIs = async (
    by: Authority,
    commonName: string,
    headers: Record<string, string> = {},
  ): Promise<string> => {
    const { cert, key } = await by.issueClient({ commonName, organizations: [] }, now);
    const agent = new Agent({ ca: own.server.authority.caCert, cert, key });
    const target = { ...own.target, agent, headers: {} };
    const step = { name: 'who', method: 'POST', path, body, headers };
    const answer = (await sendStep(target, step)).body as { status?: { userInfo?: Json } };
    return String(answer.status?.userInfo?.['username'] ?? 'nobody');
  };
  assert.equal(await whoIs(first, 'ann'), 'ann');
  // Nobody may not even ask.
  assert.equal(await whoIs(second, 'bob'), 'nobody');
  assert.equal(await whoIs(proxies, 'the-proxy', { 'X-Remote-User': 'eve' }), 'eve');
  assert.equal(await whoIs(proxies, 'another', { 'X-Remote-User': 'eve' }), 'nobody');
  writeFileSync(clientFile, second.caCert);
  await eventually('a client of the second authority', async () =>
    (await whoIs(second, 'bob')) === 'bob' ? true : undefined,
  );
  assert.equal(await whoIs(first, 'ann'), 'nobody');
});

test('lists in protobuf are in the audit log with all that is answered', async (t) => {
  const folder = folderOf(t);
  const [policy, log] = [join(folder, 'policy.yaml'), join(folder, 'audit.log')];
  const rules = [{ level: 'RequestResponse' }];
  writeFileSync(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }));
  const own = await start(t, { 'audit-policy-file': policy, 'audit-log-path': log });
  const path = '/api/v1/namespaces?limit=2';
  const accept = 'application/vnd.kubernetes.protobuf';
  assert.equal((await send(own, { method: 'GET', path, headers: { accept } })).status, 200);
  const event = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes(path) && line.includes('ResponseComplete'))
    .map((line) => JSON.parse(line) as { responseObject: Json });
  const { kind, apiVersion, metadata, items } = event[0]?.responseObject ?? {};
  assert.deepEqual([kind, apiVersion], ['NamespaceList', 'v1']);
  assert.equal(typeof (metadata as Json)['continue'], 'string');
  const names = (items as { metadata: { name: string } }[]).map((one) => one.metadata.name);
  assert.deepEqual(names, ['default', 'kube-node-lease']);
});

test('webhooks that know the first version of reviews only are asked in it', async (t) => {
  const hook = await startWebhookServer();
  t.after(() => hook.close());
  const patch = Buffer.from('[{"op":"add","path":"/data","value":{"a":"b"}}]').toString('base64');
  hook.on('/old', ({ apiVersion, kind }) => ({
    apiVersion,
    kind,
    response: { allowed: apiVersion === 'admission.k8s.io/v1beta1', patch },
  }));
  const own = await start(t, {});
  const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] };
  const webhook = {
    name: 'old.test.local',
    clientConfig: { url: `${hook.url}/old`, caBundle: hook.caBundle },
    rules: [{ ...rule, operations: ['CREATE'] }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1alpha1', 'v1beta1', 'v1'],
  };
  const made = await send(own, {
    method: 'POST',
    path: configurations,
    body: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'old' },
      webhooks: [webhook],
    },
  });
  assert.equal(made.status, 201);
  const path = '/api/v1/namespaces/default/configmaps';
  const found = await eventually('a patched object', async () => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'a-' } };
    const answer = await send(own, { method: 'POST', path, body });
    return (answer.body as { data?: Json }).data;
  });
  assert.deepEqual(found, { a: 'b' });
});
