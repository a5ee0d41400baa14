// API services: other servers serve groups of ours. Against a bare extension server, another API server
// of Strata, and upstream's sample-apiserver v0.37 where it is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { KubeClient } from '#kube/client/client.ts';
import { eventually } from '#test/support/cluster.ts';
import { startExtensionServer, type ExtensionServer } from '#test/support/extension-server.ts';
import { sendStep, type Step } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into at will
type Json = Record<string, any>;

const GROUP = 'echo.example.com';
const VERSION = 'v1beta1';
const WAIT_MS = 60_000;
const SERVICES = '/apis/apiregistration.k8s.io/v1/apiservices';
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

let own: OwnServer;
let bare: ExtensionServer;
let trust: { caCert: string; allowedNames: string[] };

async function send(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Json }> {
  const step: Step = { name: path, method, path, body, headers };
  return (await sendStep(own.target, step)) as { status: number; body: Json };
}

async function expose(name: string, port: number): Promise<void> {
  await send('POST', '/api/v1/namespaces/default/services', {
    metadata: { name },
    spec: { ports: [{ port: 443, name: 'https' }] },
  });
  await point(name, port);
}

async function point(name: string, port: number): Promise<void> {
  await send('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'] }],
    ports: [{ name: 'https', port }],
  });
}

function apiService(group: string, version: string, more: Json): Json {
  return {
    metadata: { name: `${version}.${group}` },
    spec: { group, version, groupPriorityMinimum: 2_000, versionPriority: 10, ...more },
  };
}

async function available(name: string): Promise<Json> {
  const { body } = await send('GET', `${SERVICES}/${name}`);
  return body['status']?.conditions?.find(({ type }: Json) => type === 'Available') ?? {};
}

async function becomes(name: string, reason: string): Promise<Json> {
  return await eventually(
    `${name} is ${reason}`,
    async () => {
      const found = await available(name);
      return found['reason'] === reason ? found : undefined;
    },
    WAIT_MS,
  );
}

before(async () => {
  own = await startOwnServer();
  const caCert = readFileSync(join(own.home, 'pki/front-proxy/ca.crt'), 'utf8');
  trust = { caCert, allowedNames: ['front-proxy-client'] };
  const name = 'echo.default.svc';
  bare = await startExtensionServer({ name, group: GROUP, version: VERSION, clientCa: caCert });
});

after(async () => {
  await own.close();
  await bare.close();
});

test('every version that is built in has its API service, and comes in upstream order', async () => {
  const { body } = await send('GET', SERVICES);
  assert.equal(body['items'].length, 22);
  for (const { metadata, status } of body['items']) {
    assert.equal(metadata.labels['kube-aggregator.kubernetes.io/automanaged'], 'onstart');
    assert.equal(status.conditions[0].reason, 'Local');
  }
});

test('the condition says what is missing, step by step', async () => {
  const name = `${VERSION}.${GROUP}`;
  const service = { namespace: 'default', name: 'echo', port: 443 };
  const { caBundle } = bare;
  await send('POST', SERVICES, apiService(GROUP, VERSION, { service, caBundle }));
  const first = await becomes(name, 'ServiceNotFound');
  assert.equal(first['message'], 'service/echo in "default" is not present');
  const refused = await send('GET', `/apis/${GROUP}/${VERSION}/namespaces/a/echoes/x`);
  assert.deepEqual(refused, { ...refused, status: 503, body: 'service unavailable\n' as never });
  const stale = await send('GET', '/apis', undefined, { accept: AGGREGATED });
  const group = stale.body['items'].find(({ metadata }: Json) => metadata.name === GROUP);
  assert.deepEqual(group.versions, [{ version: VERSION, freshness: 'Stale' }]);
  const { paths } = (await send('GET', '/')).body;
  for (const path of [`/apis/${GROUP}`, `/apis/${GROUP}/${VERSION}`])
    assert.ok(paths.includes(path), path);

  await send('POST', '/api/v1/namespaces/default/services', {
    metadata: { name: 'echo' },
    spec: { ports: [{ port: 444, name: 'https' }] },
  });
  const second = await becomes(name, 'ServicePortError');
  assert.equal(second['message'], 'service/echo in "default" is not listening on port 443');
  await send('DELETE', '/api/v1/namespaces/default/services/echo');
  await send('POST', '/api/v1/namespaces/default/services', {
    metadata: { name: 'echo' },
    spec: { ports: [{ port: 443, name: 'https' }] },
  });
  const third = await becomes(name, 'EndpointsNotFound');
  assert.equal(third['message'], 'cannot find endpointslices for service/echo in "default"');
  await send('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 'echo', labels: { 'kubernetes.io/service-name': 'echo' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: false } }],
    ports: [{ name: 'https', port: bare.port }],
  });
  const fourth = await becomes(name, 'MissingEndpoints');
  assert.equal(
    fourth['message'],
    'endpointslices for service/echo in "default" have no addresses with port name "https"',
  );
  await send('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/echo');
  await point('echo', 1);
  const fifth = await becomes(name, 'FailedDiscoveryCheck');
  const url = `https://127.0.0.1:1/apis/${GROUP}/${VERSION}`;
  assert.equal(
    fifth['message'],
    `failing or missing response from ${url}: Get "${url}": dial tcp 127.0.0.1:1: connect: connection refused`,
  );
  await send('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/echo');
  await point('echo', bare.port);
  const last = await becomes(name, 'Passed');
  assert.equal(last['status'], 'True');
});

test('requests come on behalf of their user, by the certificate of the front proxy', async () => {
  const path = `/apis/${GROUP}/${VERSION}/namespaces/a/echoes/x?q=1`;
  const headers = {
    'impersonate-user': 'jane',
    'impersonate-group': 'readers',
    'impersonate-extra-scopes.example.com%2fkind': 'view',
    'x-remote-user': 'root',
    'x-remote-group': 'system:masters',
  };
  await send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'echo' },
    rules: [{ apiGroups: [GROUP], resources: ['echoes'], verbs: ['get'] }],
  });
  await send('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'echo' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'echo' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
  });
  const { status, body } = await send('GET', path, undefined, headers);
  assert.deepEqual({ status, body }, { status: 200, body: { path } });
  const seen = bare.seen.at(-1);
  assert.equal(seen?.peer, 'front-proxy-client');
  const named = Object.entries(seen?.headers ?? {}).filter(([name]) =>
    /remote|imperson/.test(name),
  );
  assert.deepEqual(Object.fromEntries(named), {
    'x-remote-user': 'jane',
    'x-remote-group': 'readers, system:authenticated',
    'x-remote-extra-scopes.example.com%2fkind': 'view',
  });
  const other = await send('GET', path, undefined, { 'impersonate-user': 'joe' });
  assert.equal(other.status, 403);
});

test('a webhook of admission that is served here is called as the server itself', async () => {
  const path = `/apis/${GROUP}/${VERSION}/reviews`;
  const hooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'] };
  const made = await send('POST', hooks, {
    metadata: { name: 'own' },
    webhooks: [
      {
        name: 'own.a.test',
        clientConfig: { service: { namespace: 'default', name: 'kubernetes', path } },
        rules: [{ ...rule, resources: ['configmaps'] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        // The server answers something else than a review: only who asks is looked at.
        failurePolicy: 'Ignore',
      },
    ],
  });
  assert.equal(made.status, 201);
  const seen = await eventually('the webhook is called', async () => {
    await send('POST', '/api/v1/namespaces/default/configmaps', {
      metadata: { generateName: 'a' },
    });
    return bare.seen.find((one) => one.path.startsWith(path));
  });
  assert.equal(seen.headers['x-remote-user'], 'system:apiserver');
  assert.match(String(seen.headers['x-remote-group']), /system:masters/);
  await send('DELETE', `${hooks}/own`);
});

test('discovery of a server that knows the older form alone is merged', async () => {
  const { body } = await send('GET', '/apis', undefined, { accept: AGGREGATED });
  const names = body['items'].map(({ metadata }: Json) => metadata.name);
  assert.equal(names.at(-1), GROUP);
  const [version] = body['items'].at(-1).versions;
  assert.equal(version.freshness, 'Current');
  const kind = { group: GROUP, version: VERSION, kind: 'Echo' };
  assert.deepEqual(version.resources, [
    {
      resource: 'echoes',
      responseKind: kind,
      scope: 'Namespaced',
      singularResource: 'echo',
      verbs: ['get'],
      subresources: [{ subresource: 'exec', responseKind: kind, verbs: ['get'] }],
    },
  ]);
  const legacy = await send('GET', '/apis');
  assert.ok(legacy.body['groups'].some(({ name }: Json) => name === GROUP));
  const group = await send('GET', `/apis/${GROUP}`);
  assert.equal(group.body['preferredVersion'].version, VERSION);
  const direct = await send('GET', `/apis/${GROUP}/${VERSION}`);
  assert.equal(direct.body['kind'], 'APIResourceList');
});

test('upgraded connections are passed both ways', async () => {
  const path = `/apis/${GROUP}/${VERSION}/namespaces/a/echoes/x/exec`;
  const text = await new Promise<string>((done, fail) => {
    const call = request(own.target.server + path, {
      agent: own.target.agent,
      headers: { ...own.target.headers, connection: 'Upgrade', upgrade: 'SPDY/3.1' },
    });
    call.on('error', fail);
    call.on('response', ({ statusCode }) => fail(new Error(`status ${statusCode}`)));
    call.on('upgrade', (answer, socket, head) => {
      let found = `${answer.headers['x-user']} ${head.toString()}`;
      socket.on('data', (chunk: Buffer) => {
        found += chunk.toString();
        if (found.endsWith('ping')) {
          socket.destroy();
          done(found);
        }
      });
      socket.write('ping');
    });
    call.end();
  });
  assert.equal(text, 'kubernetes-admin ping');
});

test('a bundle that did not sign the certificate fails the check, insecureSkipTLSVerify passes', async () => {
  const name = `${VERSION}.${GROUP}`;
  const service = { namespace: 'default', name: 'echo', port: 443 };
  const caBundle = Buffer.from(trust.caCert).toString('base64');
  const patch = (spec: Json) =>
    send(
      'PATCH',
      `${SERVICES}/${name}`,
      { spec },
      { 'content-type': 'application/merge-patch+json' },
    );
  await patch({ service, caBundle });
  const failed = await becomes(name, 'FailedDiscoveryCheck');
  assert.match(failed['message'], /x509: certificate signed by unknown authority$/);
  await patch({ caBundle: null, insecureSkipTLSVerify: true });
  await becomes(name, 'Passed');
});

test('what is wrong is refused', async () => {
  const { status, body } = await send('POST', SERVICES, {
    metadata: { name: 'v1.wrong' },
    spec: {
      group: 'right',
      version: 'v1',
      service: { name: 'a' },
      insecureSkipTLSVerify: true,
      caBundle: 'YQ==',
    },
  });
  assert.equal(status, 422);
  assert.deepEqual(
    body['details'].causes.map(({ field }: Json) => field),
    [
      'metadata.name',
      'spec.groupPriorityMinimum',
      'spec.versionPriority',
      'spec.service.namespace',
      'spec.insecureSkipTLSVerify',
    ],
  );
});

const crd = (group: string): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
});

test('custom resources have an API service as long as they are served', async () => {
  const group = 'local.example.com';
  await send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd(group));
  await becomes(`v1.${group}`, 'Local');
  const { body } = await send('GET', `${SERVICES}/v1.${group}`);
  assert.equal(body['metadata'].labels['kube-aggregator.kubernetes.io/automanaged'], 'true');
  assert.equal(body['spec'].groupPriorityMinimum, 1_000);
  await send('DELETE', `${SERVICES}/v1.${group}`);
  await becomes(`v1.${group}`, 'Local');
  await send('DELETE', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.${group}`);
  await eventually(
    'the API service goes',
    async () => ((await send('GET', `${SERVICES}/v1.${group}`)).status === 404 ? true : undefined),
    WAIT_MS,
  );
});

test('another API server of Strata serves a group of ours', async (t) => {
  const group = 'widgets.example.com';
  const other = await startOwnServer({ names: ['other.default.svc'], requestHeader: trust });
  t.after(() => other.close());
  const made = await sendStep(other.target, {
    name: 'crd',
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: crd(group),
  });
  assert.equal(made.status, 201);
  await expose('other', Number(new URL(other.target.server).port));
  const caBundle = Buffer.from(other.server.authority.caCert).toString('base64');
  const service = { namespace: 'default', name: 'other' };
  await send('POST', SERVICES, apiService(group, 'v1', { service, caBundle }));
  await becomes(`v1.${group}`, 'Passed');

  const path = `/apis/${group}/v1/namespaces/default/widgets`;
  const client = KubeClient.fromKubeconfig(
    parse(readFileSync(join(own.home, 'kubeconfig'), 'utf8')) as object,
  );
  t.after(() => client.close());
  const events = watchLines(`${path}?watch=true`);
  const widget = {
    apiVersion: `${group}/v1`,
    kind: 'Widget',
    metadata: { name: 'a' },
    spec: { size: 3 },
  };
  assert.equal((await send('POST', path, widget)).status, 201);
  const [first] = await events.until(1);
  assert.equal(first?.['object'].metadata.name, 'a');
  events.end();
  const wrong = await send('POST', path, {
    ...widget,
    spec: { size: 'x' },
    metadata: { name: 'b' },
  });
  assert.equal(wrong.status, 422);
  const listed = await send('GET', path, undefined, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
  });
  assert.equal(listed.body['kind'], 'Table');
  // Here all users of the group are allowed, there nobody but masters is.
  const jane = await send('GET', path, undefined, {
    'impersonate-user': 'jane',
    'impersonate-group': 'system:masters',
  });
  assert.equal(jane.status, 200);

  const v2 = await send('GET', '/openapi/v2');
  assert.ok(v2.body['paths'][`/apis/${group}/v1/namespaces/{namespace}/widgets`]);
  const reference = v2.body['definitions']['com.example.widgets.v1.Widget'];
  assert.equal(reference.properties.spec.properties.size.type, 'integer');
  const v3 = await send('GET', '/openapi/v3');
  const { serverRelativeURL } = v3.body['paths'][`apis/${group}/v1`];
  const document = await send('GET', serverRelativeURL);
  assert.ok(document.body['components'].schemas['com.example.widgets.v1.Widget']);

  await send('DELETE', `${SERVICES}/v1.${group}`);
  await eventually(
    'the group goes',
    async () => ((await send('GET', path)).status === 404 ? true : undefined),
    WAIT_MS,
  );
});

/** The events of a watch, as they come. */
function watchLines(path: string): { until(count: number): Promise<Json[]>; end(): void } {
  const found: Json[] = [];
  let text = '';
  const { target } = own;
  const call = request(target.server + path, { agent: target.agent, headers: target.headers });
  call.on('response', (answer) =>
    answer.on('data', (chunk: Buffer) => {
      const lines = (text + chunk.toString()).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) found.push(JSON.parse(line) as Json);
    }),
  );
  call.on('error', () => {});
  call.end();
  return {
    until: (count) =>
      eventually('events', async () => (found.length >= count ? found : undefined), WAIT_MS),
    end: () => void call.destroy(),
  };
}
