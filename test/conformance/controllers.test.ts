// Controllers over the wire: the real HTTP/2 client against the real server, which is killed under them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { startApiServer, type ApiServer } from '#kube/apiserver/server.ts';
import { KubeClient } from '#kube/client/client.ts';
import { configMaps, deployments, namespaces, pods, replicaSets } from '#kube/client/resources.ts';
import { eventually } from '#test/support/cluster.ts';
import { componentConfig } from '#test/support/component-config.ts';
import { startControllers } from '#kube/controllers/run.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { TypeRegistry } from '#kube/types/registry.ts';
import { MemoryStore } from '#store/memory-store.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

class Server {
  readonly home = mkdtempSync(join(tmpdir(), 'strata-controllers-'));
  readonly #store = new MemoryStore();
  #port = 0;
  #running: ApiServer | undefined;

  async start(): Promise<ApiServer> {
    this.#running = await startApiServer(
      {
        instance: 'test',
        home: this.home,
        listen: { host: '127.0.0.1', port: this.#port },
        store: this.#store,
        registry: new TypeRegistry(),
        serviceCidr: '10.96.0.0/16',
      },
      env,
    );
    this.#port = Number(new URL(this.#running.url).port);
    return this.#running;
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    this.#running = undefined;
  }
}

async function begin(t: TestContext): Promise<{ server: Server; client: KubeClient }> {
  const server = new Server();
  const api = await server.start();
  const config = await componentConfig(api, 'system:kube-controller-manager');
  const own = KubeClient.fromKubeconfig(config);
  const client = KubeClient.fromKubeconfig(join(server.home, 'kubeconfig'));
  const controllers = startControllers({ client: own, rootCa: 'PEM' }, env);
  t.after(async () => {
    await controllers.close();
    await own.close();
    await client.close();
    await server.stop();
    rmSync(server.home, { recursive: true, force: true });
  });
  await controllers.ready;
  return { server, client };
}

/** The first object (by watch) of which the predicate is true. */
async function until(
  client: KubeClient,
  resource: typeof pods,
  isTrue: (object: KubeObject) => boolean,
): Promise<KubeObject> {
  const stop = new AbortController();
  const limit = AbortSignal.timeout(60_000);
  let found: KubeObject | undefined;
  const end = AbortSignal.any([stop.signal, limit]);
  const look = (event: { type: string; object: KubeObject }): void => {
    if (event.type === 'BOOKMARK' || event.type === 'DELETED' || !isTrue(event.object)) return;
    found = event.object;
    stop.abort();
  };
  await client.watch(resource, { namespace: 'default' }, look, end);
  assert.ok(found !== undefined, `Never came true for ${resource.resource}`);
  return found;
}

function deployment(replicas: number): KubeObject {
  const labels = { app: 'web' };
  const container = { name: 'main', image: 'host' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}

test('controllers work over the wire, and go on after the server was away', async (t) => {
  const { server, client } = await begin(t);
  await client.create(deployments, deployment(3));
  await until(client, replicaSets, (one) => one['status']?.replicas === 3);
  await server.stop();
  await server.start();
  // The client may not have noticed yet that its connection is gone.
  await eventually('the server is back', () =>
    client.find(deployments, { namespace: 'default', name: 'web' }),
  );
  await client.patch(
    deployments,
    { namespace: 'default', name: 'web', type: 'strategic' },
    { spec: { replicas: 5 } },
  );
  await until(client, replicaSets, (one) => one['status']?.replicas === 5);
  assert.equal((await client.list(pods, { namespace: 'default' })).items.length, 5);
});

test('a namespace has what it needs and goes with all it has', async (t) => {
  const { client } = await begin(t);
  const metadata = { name: 'team' };
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
  const stop = new AbortController();
  const limit = AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]);
  const watch = client.watch(configMaps, { namespace: 'team' }, () => stop.abort(), limit);
  await watch;
  const ended = new AbortController();
  const seen = client.watch(
    namespaces,
    { fieldSelector: 'metadata.name=team' },
    ({ type }) => {
      if (type === 'DELETED') ended.abort();
    },
    AbortSignal.any([ended.signal, AbortSignal.timeout(60_000)]),
  );
  await client.delete(namespaces, { name: 'team' });
  await seen;
  assert.equal(await client.find(namespaces, { name: 'team' }), undefined);
});

test('errors come as the server says them', async (t) => {
  const { client } = await begin(t);
  const missing = client.get(pods, { namespace: 'default', name: 'none' });
  await assert.rejects(missing, {
    code: 404,
    reason: 'NotFound',
    message: 'pods "none" not found',
  });
  const stop = AbortSignal.timeout(60_000);
  const options = { resourceVersion: '999999999' };
  await assert.rejects(client.list(pods, options), { code: 504, reason: 'Timeout' });
  // A watch from there waits for that version, as upstream's does, until its time is over.
  const events: unknown[] = [];
  const wait = { ...options, timeoutSeconds: 1 };
  await client.watch(pods, wait, (event) => events.push(event), stop);
  assert.deepEqual(events, []);
  const bad = client.watch(pods, { labelSelector: '!!' }, () => {}, stop);
  await assert.rejects(bad, { code: 400, reason: 'BadRequest' });
});
