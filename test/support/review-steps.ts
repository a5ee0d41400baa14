// What an admission webhook that is asked about everything is told of each request: below objects
// (bindings, evictions, tokens, scales, status) and connections (exec, attach, port-forward, proxies).
import type { Target } from './kube-sender.ts';
import { plainValue } from './plain-value.ts';
import { playSteps, sendStep, type Step } from './step-player.ts';
import { admissionAnswer, startWebhookServer } from './webhook-server.ts';

type Json = Record<string, unknown>;

/** Reviews of each step, in order; of webhooks that mutate, then of those that validate. */
export type Reviews = Record<string, readonly { readonly path: string; readonly request: Json }[]>;

const NS = '/api/v1/namespaces/default';
const POD = `${NS}/pods/one`;
const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/d';
const MERGE = 'application/merge-patch+json';
const SPDY = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };

const post = (name: string, path: string, body: unknown, more: Partial<Step> = {}): Step => ({
  name,
  method: 'POST',
  path,
  body,
  ...more,
});

const pod = (name: string, spec: Json = {}): Json => ({
  metadata: { name, labels: { app: 'one' } },
  spec: {
    containers: [{ name: 'main', image: 'a:1', resources: { requests: { cpu: '1m' } } }],
    ...spec,
  },
});

const deployment: Json = {
  metadata: { name: 'd' },
  spec: {
    replicas: 0,
    selector: { matchLabels: { a: 'b' } },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'main', image: 'a:1' }] },
    },
  },
};

/** What the others are about; before the webhooks are there. */
const things: readonly Step[] = [
  post('account', `${NS}/serviceaccounts`, {
    metadata: { name: 'default' },
    automountServiceAccountToken: false,
  }),
  post('node', '/api/v1/nodes', { metadata: { name: 'n' } }),
  ...['one', 'two', 'three', 'four', 'five'].map((name) => post(name, `${NS}/pods`, pod(name))),
  post('service', `${NS}/services`, {
    metadata: { name: 's' },
    spec: { ports: [{ port: 80 }] },
  }),
  post('deployment', '/apis/apps/v1/namespaces/default/deployments', deployment),
].map((step) => ({ ...step, isSilent: true }));

const below: readonly Step[] = [
  post('binding', `${NS}/pods/two/binding`, {
    metadata: { name: 'two' },
    target: { kind: 'Node', name: 'n' },
  }),
  post('binding by collection', `${NS}/bindings`, {
    metadata: { name: 'three', annotations: { a: 'b' } },
    target: { name: 'n' },
  }),
  post('binding that is refused', `${NS}/pods/two/binding`, {
    metadata: { name: 'two' },
    target: { kind: 'Node', name: 'n' },
  }),
  post('binding dry', `${NS}/pods/four/binding?dryRun=All`, {
    metadata: { name: 'four' },
    target: { name: 'n' },
  }),
  post('eviction dry', `${NS}/pods/four/eviction`, {
    metadata: { name: 'four' },
    deleteOptions: { dryRun: ['All'] },
  }),
  post('eviction', `${NS}/pods/four/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'four' },
    deleteOptions: { gracePeriodSeconds: 0 },
  }),
  post('token', `${NS}/serviceaccounts/default/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: ['a'], expirationSeconds: 3_600 },
  }),
  {
    name: 'scale',
    method: 'PUT',
    path: `${DEPLOYMENT}/scale`,
    body: { metadata: { name: 'd', namespace: 'default' }, spec: { replicas: 2 } },
  },
  {
    name: 'scale patch',
    method: 'PATCH',
    path: `${DEPLOYMENT}/scale?fieldManager=me`,
    body: { spec: { replicas: 3 } },
    type: MERGE,
  },
  {
    name: 'scale apply',
    method: 'PATCH',
    path: `${DEPLOYMENT}/scale?fieldManager=applier&force=true`,
    body: { apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 4 } },
    type: 'application/apply-patch+yaml',
  },
  {
    name: 'status',
    method: 'PATCH',
    path: `${DEPLOYMENT}/status`,
    body: { status: { observedGeneration: 1 } },
    type: MERGE,
  },
  {
    name: 'ephemeral containers',
    method: 'PATCH',
    path: `${POD}/ephemeralcontainers`,
    body: { spec: { ephemeralContainers: [{ name: 'e', image: 'b:1' }] } },
    type: 'application/strategic-merge-patch+json',
  },
  {
    name: 'resize',
    method: 'PATCH',
    path: `${POD}/resize`,
    body: { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '2m' } } }] } },
    type: 'application/strategic-merge-patch+json',
  },
  post('namespace', '/api/v1/namespaces', { metadata: { name: 'other' } }),
  {
    name: 'finalize',
    method: 'PUT',
    path: '/api/v1/namespaces/other/finalize',
    body: { metadata: { name: 'other' }, spec: { finalizers: ['kubernetes'] } },
  },
  post('review', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
  }),
  { name: 'delete', method: 'DELETE', path: `${NS}/pods/five?gracePeriodSeconds=0` },
  {
    name: 'delete with a body',
    method: 'DELETE',
    path: `${NS}/services/s`,
    body: { propagationPolicy: 'Background', kind: 'DeleteOptions', apiVersion: 'v1' },
  },
  { name: 'read', method: 'GET', path: POD },
  { name: 'log', method: 'GET', path: `${NS}/pods/none/log` },
];

const connections: readonly Step[] = [
  ['exec', `${POD}/exec?command=ls&command=-l&container=main&stdin=true&stdout=1&tty=false`],
  ['exec of nothing', `${POD}/exec`],
  ['attach', `${POD}/attach?stdout=true&tty=true`],
  ['port-forward', `${POD}/portforward?ports=80&ports=81`],
  ['exec of no pod', `${NS}/pods/none/exec?command=ls`],
].flatMap(([name = '', path = '']) => [
  post(name, path, undefined),
  { name: `${name} upgraded`, method: 'POST', path, headers: SPDY },
]);

const proxies: readonly Step[] = [
  ['pod', `${NS}/pods/none:80/proxy/a/b?x=y`],
  ['pod root', `${NS}/pods/none/proxy`],
  ['service', `${NS}/services/https:none:web/proxy/a`],
  ['node', '/api/v1/nodes/none:10250/proxy/healthz'],
].flatMap(([name = '', path = '']) =>
  ['GET', 'POST', 'DELETE'].map((method) => ({ name: `${name} by ${method}`, method, path })),
);

const everything = [
  {
    operations: ['*'],
    apiGroups: ['*'],
    apiVersions: ['*'],
    resources: ['*/*'],
  },
];

/** Resources that servers write by themselves. */
const ours = (request: Json): boolean => {
  const { username } = request['userInfo'] as Json;
  return !String(username).startsWith('system:');
};

/** Without what each server draws by itself. */
function comparable(request: Json): Json {
  const text = JSON.stringify(plainValue(request));
  const plain = text
    .replaceAll(/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=DRAWN')
    .replaceAll(/198\.18\.\d+\.\d+/g, '198.18.0.0');
  return JSON.parse(plain) as Json;
}

/** Plays the steps against a server whose only webhooks are these; a step's own reviews are kept. */
export async function playReviews(target: Target): Promise<Reviews> {
  const hook = await startWebhookServer();
  try {
    for (const path of ['/mutate', '/validate'])
      hook.on(path, (review) => admissionAnswer(review, { allowed: true }));
    await playSteps(target, things);
    for (const kind of ['mutating', 'validating']) {
      const path = kind === 'mutating' ? '/mutate' : '/validate';
      const webhook = {
        name: `${kind}.example.com`,
        clientConfig: { url: `${hook.url}${path}`, caBundle: hook.caBundle },
        rules: everything,
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      };
      const all = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
      await playSteps(target, [post(kind, all, { metadata: { name: kind }, webhooks: [webhook] })]);
    }
    // Until both are known to the server.
    const probe = `${NS}/configmaps?dryRun=All`;
    while (new Set(hook.reviews.map(({ path }) => path)).size < 2)
      await sendStep(target, post('probe', probe, { metadata: { name: 'probe' } }));
    const found: Reviews = {};
    for (const step of [...below, ...connections, ...proxies]) {
      const before = hook.reviews.length;
      const { status } = await sendStep(target, step);
      const reviews = hook.reviews.slice(before).map(({ path, body }) => {
        const { request } = body as { request: Json };
        return { path, request: comparable(request) };
      });
      found[`${step.name}`] = [
        { path: 'status', request: { status } },
        ...reviews.filter(({ request }) => ours(request)),
      ];
    }
    return found;
  } finally {
    await hook.close();
  }
}
