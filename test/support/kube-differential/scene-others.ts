// What is no object of its own: subresources, reviews, and paths that nothing is at.
import { namespace } from './scene.ts';
import type { Json } from './kinds.ts';
import type { Player } from './player.ts';

const merge = 'application/merge-patch+json';
const home = `/api/v1/namespaces/${namespace}`;
const apps = `/apis/apps/v1/namespaces/${namespace}`;

const template = {
  metadata: { labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image: 'host' }] },
};

async function playScale(player: Player, path: string, name: string): Promise<void> {
  const at = `${path}/${name}/scale`;
  const ask = player.ask.bind(player);
  const what = path.split('/').at(-1) ?? '';
  const scale = await ask(`${what}: scale`, 'GET', at);
  await ask(`${what}: put a scale`, 'PUT', at, { body: { ...scale, spec: { replicas: 4 } } });
  await ask(`${what}: put less`, 'PUT', at, { body: { ...scale, spec: { replicas: -1 } } });
  await ask(`${what}: put an old one`, 'PUT', at, {
    body: { ...scale, metadata: { ...(scale['metadata'] as Json), resourceVersion: '1' } },
  });
  await ask(`${what}: merge a scale`, 'PATCH', at, {
    body: { spec: { replicas: 5 } },
    contentType: merge,
  });
  await ask(`${what}: merge a bad one`, 'PATCH', at, {
    body: { spec: { replicas: 'x' } },
    contentType: merge,
  });
  await ask(`${what}: apply a scale`, 'PATCH', at, {
    body: {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name },
      spec: { replicas: 6 },
    },
    contentType: 'application/apply-patch+yaml',
    query: 'fieldManager=scaler&force=true',
  });
  await ask(`${what}: after scaling`, 'GET', `${path}/${name}`);
  await ask(`${what}: delete a scale`, 'DELETE', at);
}

export async function playSubresources(player: Player): Promise<void> {
  const ask = player.ask.bind(player);
  const selector = { matchLabels: { app: 'a' } };
  for (const [path, spec] of [
    [`${apps}/deployments`, { selector, template }],
    [`${apps}/replicasets`, { selector, template }],
    [`${apps}/statefulsets`, { selector, serviceName: 's', template }],
    [`${home}/replicationcontrollers`, { selector: { app: 'a' }, template }],
  ] as const) {
    await player.quietly('POST', path, { body: { metadata: { name: 'scaled' }, spec } });
    await playScale(player, path, 'scaled');
    await player.quietly('DELETE', `${path}/scaled`);
  }
  const pods = `${home}/pods`;
  const pod = { metadata: { name: 'sub' }, spec: { containers: [{ name: 'c', image: 'host' }] } };
  await player.quietly('POST', pods, { body: pod });
  const ephemeral = { ephemeralContainers: [{ name: 'e', image: 'host' }] };
  await ask('ephemeral containers', 'GET', `${pods}/sub/ephemeralcontainers`);
  await ask('add an ephemeral container', 'PATCH', `${pods}/sub/ephemeralcontainers`, {
    body: { spec: ephemeral },
    contentType: 'application/strategic-merge-patch+json',
  });
  await ask('take it away', 'PATCH', `${pods}/sub/ephemeralcontainers`, {
    body: { spec: { ephemeralContainers: [] } },
    contentType: merge,
  });
  const resources = { requests: { cpu: '100m' } };
  await ask('resize', 'PATCH', `${pods}/sub/resize`, {
    body: { spec: { containers: [{ name: 'c', resources }] } },
    contentType: 'application/strategic-merge-patch+json',
  });
  await ask('resize badly', 'PATCH', `${pods}/sub/resize`, {
    body: { spec: { containers: [{ name: 'c', image: 'other' }] } },
    contentType: 'application/strategic-merge-patch+json',
  });
  const binding = (target: Json): Json => ({ metadata: { name: 'sub' }, target });
  const bind = `${pods}/sub/binding`;
  await ask('bind to nothing', 'POST', bind, { body: binding({}) });
  await ask('bind to a pod', 'POST', bind, { body: binding({ kind: 'Pod', name: 'x' }) });
  await ask('bind', 'POST', bind, { body: binding({ kind: 'Node', name: 'x' }) });
  await ask('bind again', 'POST', bind, { body: binding({ kind: 'Node', name: 'y' }) });
  await ask('bind by the old way', 'POST', `${home}/bindings`, {
    body: binding({ kind: 'Node', name: 'y' }),
  });
  await ask('evict dry', 'POST', `${pods}/sub/eviction`, {
    body: { metadata: { name: 'sub' }, deleteOptions: { dryRun: ['All'] } },
  });
  await ask('evict another', 'POST', `${pods}/sub/eviction`, { body: { metadata: { name: 'x' } } });
  await ask('evict', 'POST', `${pods}/sub/eviction`, {
    body: { metadata: { name: 'sub' }, deleteOptions: { gracePeriodSeconds: 0 } },
  });
  await ask('evict what is gone', 'POST', `${pods}/sub/eviction`, {
    body: { metadata: { name: 'sub' } },
  });
  await ask('finalize', 'PUT', `/api/v1/namespaces/${namespace}/finalize`, {
    body: { metadata: { name: 'other' } },
  });
  await ask('log of nobody', 'GET', `${pods}/none/log`);
  await ask('exec in nobody', 'POST', `${pods}/none/exec`, { query: 'command=ls' });
  await ask('proxy of nobody', 'GET', `${home}/services/none/proxy/`);
  await ask('token of nobody', 'POST', `${home}/serviceaccounts/none/token`, {
    body: { spec: {} },
  });
  await ask('token for too short', 'POST', `${home}/serviceaccounts/default/token`, {
    body: { spec: { expirationSeconds: 5 } },
  });
  await ask(
    'approve nothing',
    'PUT',
    '/apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval',
    {
      body: { metadata: { name: 'x' }, spec: { request: '', signerName: 'a/b', usages: [] } },
    },
  );
}

export async function playReviews(player: Player): Promise<void> {
  const ask = player.ask.bind(player);
  const access = '/apis/authorization.k8s.io/v1';
  const one = { resourceAttributes: { verb: 'get', resource: 'pods', namespace } };
  const user = { user: 'u', groups: ['g'] };
  await ask('own access', 'POST', `${access}/selfsubjectaccessreviews`, { body: { spec: one } });
  await ask('own access to nothing', 'POST', `${access}/selfsubjectaccessreviews`, {
    body: { spec: {} },
  });
  await ask('own access to both', 'POST', `${access}/selfsubjectaccessreviews`, {
    body: { spec: { ...one, nonResourceAttributes: { path: '/', verb: 'get' } } },
  });
  await ask('access', 'POST', `${access}/subjectaccessreviews`, {
    body: { spec: { ...one, ...user } },
  });
  await ask('access of nobody', 'POST', `${access}/subjectaccessreviews`, { body: { spec: one } });
  await ask('access by selectors', 'POST', `${access}/subjectaccessreviews`, {
    body: {
      spec: {
        ...user,
        resourceAttributes: {
          verb: 'list',
          resource: 'pods',
          fieldSelector: { rawSelector: 'a=b' },
          labelSelector: { requirements: [{ key: 'a', operator: 'Odd', values: [] }] },
        },
      },
    },
  });
  const local = `${access}/namespaces/${namespace}/localsubjectaccessreviews`;
  await ask('access here', 'POST', local, { body: { spec: { ...one, ...user } } });
  await ask('access elsewhere', 'POST', local, {
    body: {
      spec: { ...user, resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'x' } },
    },
  });
  await ask('rules', 'POST', `${access}/selfsubjectrulesreviews`, {
    body: { spec: { namespace } },
  });
  await ask('rules of nowhere', 'POST', `${access}/selfsubjectrulesreviews`, {
    body: { spec: {} },
  });
  const who = '/apis/authentication.k8s.io/v1';
  await ask('who I am', 'POST', `${who}/selfsubjectreviews`, { body: {} });
  await ask('a token', 'POST', `${who}/tokenreviews`, { body: { spec: { token: 'x' } } });
  await ask('no token', 'POST', `${who}/tokenreviews`, { body: { spec: {} } });
  await ask('list reviews', 'GET', `${who}/tokenreviews`);
  await ask('get a review', 'GET', `${who}/tokenreviews/x`);
}

const paths = [
  '/odd',
  '/api/v2',
  '/api/v1/odds',
  '/api/v1/odds/x',
  '/apis/none',
  '/apis/none/v1',
  '/apis/none/v1/odds',
  '/apis/apps/v2/deployments',
  '/apis/apps/v1/odds',
  '/apis/apps/v1/namespaces/default/odds/x',
  '/api/v1/namespaces/default',
  '/api/v1/namespaces/none/pods',
  '/api/v1/namespaces/none/pods/x',
  '/api/v1/nodes/x/odd',
  '/api/v1/componentstatuses/none',
  '/openid/v1/odd',
  '/version/odd',
  '/healthz/odd',
  '/openapi/v3/odd',
  '/debug/odd',
];

export async function playPaths(player: Player): Promise<void> {
  const ask = player.ask.bind(player);
  for (const path of paths) await ask(`get ${path}`, 'GET', path);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const path of [
      '/api',
      '/apis/apps',
      '/apis/apps/v1',
      '/version',
      '/healthz',
      '/api/v1/nodes',
    ]) {
      await ask(`${method} ${path}`, method, path, method === 'DELETE' ? {} : { body: {} });
    }
  }
  await ask('create where nothing is', 'POST', '/api/v1/namespaces/none/configmaps', {
    body: { metadata: { name: 'a' } },
  });
  await ask('live', 'GET', '/livez');
  await ask('ping', 'GET', '/healthz/ping');
  await ask('a check that is none', 'GET', '/readyz', { query: 'exclude=odd' });
}
