// Upstream's sample-apiserver v0.37 serves wardle.example.com behind our API server: delegated
// authentication and authorization, discovery, OpenAPI, kubectl's verbs and watches go through.
import { freePort } from '#test/support/free-port.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { eventually } from '#test/support/cluster.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import { realProgram, skipWithout } from '#test/support/real-kubernetes.ts';
import { sendStep } from '#test/support/step-player.ts';
import { startOwnServer, type OwnServer } from '#test/support/step-target.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into at will
type Json = Record<string, any>;

const program = 'sample-apiserver';
const etcd = findEtcd();
const skip =
  skipWithout([program], 'go build k8s.io/sample-apiserver') || (!etcd.ok && etcd.reason);

const GROUP = 'wardle.example.com';
const WAIT_MS = 120_000;

suite('sample-apiserver', { skip }, () => {
  let own: OwnServer;
  let cluster: EtcdCluster;
  let child: ChildProcess;

  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: Json }> {
    const step = { name: path, method, path, body, headers };
    return (await sendStep(own.target, step)) as { status: number; body: Json };
  }

  before(async () => {
    own = await startOwnServer();
    cluster = await EtcdCluster.start(etcd.ok ? etcd.path : '', { size: 1 });
    const port = await freePort();
    const now = Date.now();
    const { authority } = own.server;
    const identity = { commonName: 'wardle', names: ['api.wardle.svc'], ips: ['127.0.0.1'] };
    const pair = await authority.issueServer(identity, now);
    const [cert, key] = [join(own.home, 'wardle.crt'), join(own.home, 'wardle.key')];
    writeFileSync(cert, pair.cert);
    writeFileSync(key, pair.key);
    const log = openSync(join(own.home, 'wardle.log'), 'w');
    const config = join(own.home, 'kubeconfig');
    const flags = [
      `--etcd-servers=${cluster.endpoints.join(',')}`,
      `--secure-port=${port}`,
      '--bind-address=127.0.0.1',
      `--kubeconfig=${config}`,
      `--authentication-kubeconfig=${config}`,
      `--authorization-kubeconfig=${config}`,
      `--tls-cert-file=${cert}`,
      `--tls-private-key-file=${key}`,
    ];
    child = spawn(realProgram(program), flags, { stdio: ['ignore', log, log] });
    await send('POST', '/api/v1/namespaces', { metadata: { name: 'wardle' } });
    await send('POST', '/api/v1/namespaces/wardle/services', {
      metadata: { name: 'api' },
      spec: { ports: [{ port: 443 }] },
    });
    await send('POST', '/apis/discovery.k8s.io/v1/namespaces/wardle/endpointslices', {
      metadata: { name: 'api', labels: { 'kubernetes.io/service-name': 'api' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'] }],
      ports: [{ name: '', port }],
    });
    for (const [version, versionPriority] of [
      ['v1alpha1', 200],
      ['v1beta1', 100],
    ] as const) {
      await send('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
        metadata: { name: `${version}.${GROUP}` },
        spec: {
          group: GROUP,
          version,
          groupPriorityMinimum: 2_000,
          versionPriority,
          service: { name: 'api', namespace: 'wardle' },
          caBundle: Buffer.from(authority.caCert).toString('base64'),
        },
      });
    }
  });

  after(async () => {
    child.kill('SIGKILL');
    await own.close();
    await cluster[Symbol.asyncDispose]();
  });

  test('it becomes available, with all of its resources in discovery', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const group = await eventually(
      'the group is current',
      async () => {
        const { body } = await send('GET', '/apis', undefined, { accept });
        const found = body['items'].find(({ metadata }: Json) => metadata.name === GROUP);
        const isCurrent = found?.versions.every(({ freshness }: Json) => freshness === 'Current');
        return found?.versions.length === 2 && isCurrent ? (found as Json) : undefined;
      },
      WAIT_MS,
    ).catch((error: unknown) => {
      const log = readFileSync(join(own.home, 'wardle.log'), 'utf8').slice(-2_000);
      throw new Error(log, { cause: error });
    });
    // Whether it is reached and what it has are found out apart from each other.
    for (const version of ['v1alpha1', 'v1beta1']) {
      const path = `/apis/apiregistration.k8s.io/v1/apiservices/${version}.${GROUP}`;
      await eventually(
        `${version} is available`,
        async () => {
          const conditions: Json[] = (await send('GET', path)).body['status']?.conditions ?? [];
          const isThere = conditions.some(
            (one) => one.type === 'Available' && one.status === 'True',
          );
          return isThere ? true : undefined;
        },
        WAIT_MS,
      );
    }
    // By priority, not by how mature they are.
    const versions = group['versions'].map(({ version }: Json) => version);
    assert.deepEqual(versions, ['v1alpha1', 'v1beta1']);
    const names = group['versions'][0].resources.map(({ resource }: Json) => resource);
    assert.deepEqual(names.toSorted(), ['fischers', 'flunders']);
  });

  test('objects are made, patched, listed and deleted through us, its defaults and rules its own', async () => {
    const path = `/apis/${GROUP}/v1alpha1/namespaces/wardle/flunders`;
    const flunder = { metadata: { name: 'one' }, spec: { reference: 'a' } };
    const made = await send('POST', path, flunder);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    const patched = await send(
      'PATCH',
      `${path}/one`,
      { metadata: { labels: { a: 'b' } } },
      { 'content-type': 'application/merge-patch+json' },
    );
    assert.equal(patched.body['metadata'].labels.a, 'b');
    const applied = await send(
      'PATCH',
      `${path}/one?fieldManager=me&force=true`,
      {
        apiVersion: `${GROUP}/v1alpha1`,
        kind: 'Flunder',
        metadata: { name: 'one', labels: { c: 'd' } },
      },
      { 'content-type': 'application/apply-patch+yaml' },
    );
    assert.equal(applied.status, 200);
    const listed = await send('GET', path);
    assert.equal(listed.body['items'].length, 1);
    const beta = await send('GET', `${path.replace('v1alpha1', 'v1beta1')}/one`);
    assert.equal(beta.body['spec'].flunderReference, 'a');
    assert.equal((await send('DELETE', `${path}/one`)).status, 200);
  });

  test('it asks us whether a user may, and refuses as we do', async () => {
    const path = `/apis/${GROUP}/v1alpha1/namespaces/wardle/flunders`;
    const refused = await send('GET', path, undefined, { 'impersonate-user': 'jane' });
    assert.equal(refused.status, 403);
    await send('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/wardle/roles', {
      metadata: { name: 'flunders' },
      rules: [{ apiGroups: [GROUP], resources: ['flunders'], verbs: ['list'] }],
    });
    await send('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/wardle/rolebindings', {
      metadata: { name: 'flunders' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'flunders' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
    });
    // Refusals are kept for some seconds over there.
    await eventually(
      'jane may list',
      async () => {
        const { status } = await send('GET', path, undefined, { 'impersonate-user': 'jane' });
        return status === 200 ? true : undefined;
      },
      WAIT_MS,
    );
  });

  test('its OpenAPI is part of ours', async () => {
    const v2 = await send('GET', '/openapi/v2');
    assert.ok(v2.body['paths'][`/apis/${GROUP}/v1alpha1/namespaces/{namespace}/flunders`]);
    const v3 = await send('GET', '/openapi/v3');
    const { serverRelativeURL } = v3.body['paths'][`apis/${GROUP}/v1alpha1`];
    const { status, body } = await send('GET', serverRelativeURL);
    assert.equal(status, 200);
    assert.ok(Object.keys(body['components'].schemas).some((name) => name.endsWith('Flunder')));
  });

  test('when it goes, its versions are stale and requests are told so', async () => {
    child.kill('SIGKILL');
    const endpoint = '/apis/discovery.k8s.io/v1/namespaces/wardle/endpointslices/api';
    await send(
      'PATCH',
      endpoint,
      { metadata: { labels: { look: 'again' } } },
      {
        'content-type': 'application/merge-patch+json',
      },
    );
    const condition = await eventually(
      'the check fails',
      async () => {
        const { body } = await send(
          'GET',
          `/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.${GROUP}`,
        );
        const [found] = body['status'].conditions;
        return found.status === 'False' ? (found as Json) : undefined;
      },
      WAIT_MS,
    );
    assert.equal(condition['reason'], 'FailedDiscoveryCheck');
    assert.match(condition['message'], /connection refused$/);
    const { status } = await send('GET', `/apis/${GROUP}/v1beta1/namespaces/wardle/flunders`);
    assert.equal(status, 503);
  });
});
