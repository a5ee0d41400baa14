// Single cases that upstream's own integration tests (test/integration of v1.37) showed: what a kube-apiserver
// answers is said in each name.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { flagKey } from '#kube/apiserver/access-flag-names.ts';
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
