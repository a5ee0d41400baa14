// A policy of audit, requests that it sees, and what was written down of them, made comparable.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plainValue } from './plain-value.ts';
import type { Step } from './step-player.ts';
import {
  admissionAnswer,
  patchOf,
  startWebhookServer,
  type WebhookServer,
} from './webhook-server.ts';

type Json = Record<string, unknown>;

const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['Panic'],
  rules: [
    { level: 'None', nonResourceURLs: ['/healthz*', '/version'] },
    { level: 'Metadata', resources: [{ group: '', resources: ['secrets'] }] },
    {
      level: 'RequestResponse',
      omitManagedFields: true,
      resources: [{ group: '', resources: ['pods', 'configmaps'] }],
      namespaces: ['audited'],
    },
    {
      level: 'Request',
      omitStages: ['RequestReceived'],
      resources: [
        { group: '', resources: ['serviceaccounts/*', 'services'] },
        { group: 'apps' },
        { group: 'authorization.k8s.io' },
      ],
    },
    { level: 'Metadata', users: ['tom'], verbs: ['list'] },
    {
      level: 'RequestResponse',
      resources: [{ group: '', resources: ['namespaces'], resourceNames: ['audited'] }],
    },
    { level: 'Metadata', nonResourceURLs: ['/apis', '/metrics'] },
    { level: 'Metadata', userGroups: ['system:unauthenticated'] },
    { level: 'None' },
  ],
};

const home = '/api/v1/namespaces/audited';
const pod = (name: string): Json => ({
  metadata: { name },
  spec: { containers: [{ name: 'm', image: 'a:1' }] },
});
const merge = 'application/merge-patch+json';
const tom = { 'impersonate-user': 'tom', 'impersonate-group': 'dev' };

const written: readonly Omit<Step, 'name'>[] = [
  {
    method: 'POST',
    path: '/api/v1/namespaces',
    body: {
      metadata: {
        name: 'audited',
        labels: {
          'pod-security.kubernetes.io/enforce': 'baseline',
          'pod-security.kubernetes.io/audit': 'restricted',
        },
      },
    },
  },
  { method: 'POST', path: `${home}/serviceaccounts`, body: { metadata: { name: 'default' } } },
  { method: 'GET', path: home },
  {
    method: 'POST',
    path: `${home}/secrets`,
    body: { metadata: { name: 's' }, stringData: { a: 'b' } },
  },
  { method: 'GET', path: `${home}/secrets/s` },
  { method: 'GET', path: `${home}/secrets/none` },
  {
    method: 'POST',
    path: `${home}/configmaps`,
    body: { metadata: { name: 'c' }, data: { a: 'b' } },
  },
  {
    method: 'PUT',
    path: `${home}/configmaps/c`,
    body: { metadata: { name: 'c' }, data: { a: 'c' } },
  },
  { method: 'PATCH', path: `${home}/configmaps/c`, type: merge, body: { data: { x: 'y' } } },
  {
    method: 'PATCH',
    path: `${home}/configmaps/applied?fieldManager=me`,
    type: 'application/apply-patch+yaml',
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: 'b' } },
  },
  { method: 'GET', path: `${home}/configmaps?labelSelector=a%3Db` },
  { method: 'POST', path: `${home}/configmaps`, body: { metadata: { name: 'Bad_Name' } } },
  { method: 'DELETE', path: `${home}/configmaps/c`, body: { gracePeriodSeconds: 0 } },
  {
    method: 'POST',
    path: `${home}/pods`,
    body: pod('p'),
    // Upstream sees the account a little later.
    until: (status) => status === 201,
  },
  {
    method: 'POST',
    path: `${home}/pods`,
    body: {
      metadata: { name: 'q' },
      spec: { hostNetwork: true, containers: [{ name: 'm', image: 'a' }] },
    },
  },
  {
    method: 'PATCH',
    path: `${home}/pods/p/status`,
    type: merge,
    body: { status: { message: 'x' } },
  },
  { method: 'GET', path: `${home}/pods?watch=1&timeoutSeconds=1` },
  { method: 'DELETE', path: `${home}/pods/p?gracePeriodSeconds=0` },
  {
    method: 'POST',
    path: `${home}/services`,
    body: { metadata: { name: 'v' }, spec: { clusterIP: 'None', ports: [{ port: 80 }] } },
  },
  {
    method: 'POST',
    path: `${home}/serviceaccounts/default/token`,
    body: { spec: { audiences: ['x'] } },
  },
  {
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } },
  },
  {
    method: 'POST',
    path: '/apis/apps/v1/namespaces/audited/deployments',
    body: {
      metadata: { name: 'd' },
      spec: {
        replicas: 1,
        selector: { matchLabels: { a: 'b' } },
        template: {
          metadata: { labels: { a: 'b' } },
          spec: { containers: [{ name: 'm', image: 'a:1' }] },
        },
      },
    },
  },
  {
    method: 'PUT',
    path: '/apis/apps/v1/namespaces/audited/deployments/d/scale',
    body: { metadata: { name: 'd', namespace: 'audited' }, spec: { replicas: 2 } },
  },
  {
    method: 'PUT',
    path: '/apis/apps/v1/namespaces/audited/deployments/d/scale?dryRun=All',
    body: { metadata: { name: 'd' }, spec: { replicas: 'no' } },
  },
  {
    method: 'PATCH',
    path: '/apis/apps/v1/namespaces/audited/deployments/d/scale',
    type: merge,
    body: { spec: { replicas: 3 } },
  },
  { method: 'GET', path: `${home}/endpoints`, headers: tom },
  { method: 'GET', path: `${home}/secrets`, headers: tom },
  { method: 'GET', path: '/apis/apps/v1/deployments?limit=5' },
  { method: 'DELETE', path: `${home}/configmaps` },
  { method: 'GET', path: '/apis' },
  { method: 'GET', path: '/healthz' },
  { method: 'GET', path: `${home}/secrets/s`, headers: { authorization: 'Bearer wrong' } },
  { method: 'GET', path: `${home}/endpoints`, headers: { authorization: '' } },
  { method: 'GET', path: `${home}/nothings` },
  { method: 'GET', path: `${home}/secrets/s?timeout=no` },
  { method: 'GET', path: `${home}/secrets?timeout=5`, headers: { authorization: 'Bearer wrong' } },
];

/** Webhooks that change, that see no reason to, that say something for the log, and that are not there. */
function hooked(hook: WebhookServer): Omit<Step, 'name'>[] {
  const add = (name: string): Json => ({ op: 'add', path: `/data/${name}`, value: 'MQ==' });
  hook.on('/adds', (review) => {
    const { object } = review['request'] as { object: { data: Json } };
    return admissionAnswer(review, {
      ...(object.data['added'] === undefined ? patchOf([add('added')]) : { allowed: true }),
      auditAnnotations: { seen: 'yes' },
    });
  });
  hook.on('/late', (review) => admissionAnswer(review, patchOf([add('late')])));
  hook.on('/quiet', (review) => admissionAnswer(review, { allowed: true }));
  const webhook = (name: string, more: Json = {}): Json => ({
    name: `${name}.audit.example`,
    clientConfig: { url: `${hook.url}/${name}`, caBundle: hook.caBundle },
    rules: [
      {
        operations: ['CREATE'],
        apiGroups: [''],
        apiVersions: ['v1'],
        resources: ['configmaps', 'secrets'],
      },
    ],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'audited' } },
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...more,
  });
  const gone = { failurePolicy: 'Ignore' };
  const again = { reinvocationPolicy: 'IfNeeded' };
  const path = '/apis/admissionregistration.k8s.io/v1';
  const map = (name: string, ready: string): Json => ({
    metadata: { name, labels: { hooked: 'yes' }, annotations: { ready } },
    data: { own: 'MQ==' },
  });
  const spec = {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [
        { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
      ],
    },
    matchConditions: [
      {
        name: 'hooked',
        expression: "has(object.metadata.labels) && 'hooked' in object.metadata.labels",
      },
    ],
    validations: [{ expression: "object.metadata.name != 'odd'", message: 'an odd name' }],
    auditAnnotations: [{ key: 'name', valueExpression: 'string(object.metadata.name)' }],
  };
  const binding = { policyName: 'audited.example', validationActions: ['Audit', 'Warn'] };
  return [
    {
      method: 'POST',
      path: `${path}/mutatingwebhookconfigurations`,
      body: {
        metadata: { name: 'changing' },
        webhooks: [
          webhook('adds', again),
          webhook('quiet'),
          webhook('missing', gone),
          webhook('late'),
        ],
      },
    },
    {
      method: 'POST',
      path: `${path}/validatingwebhookconfigurations`,
      body: {
        metadata: { name: 'judging' },
        webhooks: [webhook('quiet'), webhook('absent', gone)],
      },
    },
    {
      method: 'POST',
      path: `${path}/validatingadmissionpolicies`,
      body: { metadata: { name: 'audited.example' }, spec },
    },
    {
      method: 'POST',
      path: `${path}/validatingadmissionpolicybindings`,
      body: { metadata: { name: 'audited.example' }, spec: binding },
    },
    {
      method: 'POST',
      path: `${home}/configmaps?dryRun=All`,
      body: map('odd', 'no'),
      // Everything has been taken up: it is changed, and warned of.
      until: (status, body) =>
        status === 201 &&
        (body['data'] as Json)['late'] === 'MQ==' &&
        hook.reviews.some((one) => one.path === '/absent'),
    },
    {
      method: 'POST',
      path: `${home}/configmaps?dryRun=All`,
      body: map('odd', 'no'),
      until: (status, _body, warnings) => status === 201 && warnings.length > 0,
    },
    { method: 'POST', path: `${home}/configmaps`, body: map('even', 'yes') },
    { method: 'POST', path: `${home}/configmaps`, body: map('odd', 'yes') },
    {
      method: 'POST',
      path: `${home}/secrets`,
      body: { metadata: { name: 'hidden' }, data: { own: 'MQ==' } },
    },
  ];
}

export interface AuditWorld {
  readonly flags: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
  /** Of each step, in the order of their stages. */
  events(): Readonly<Record<string, readonly unknown[]>>;
  close(): Promise<void>;
}

const drawn = ['requestReceivedTimestamp', 'stageTimestamp'];

function comparable(event: Json): unknown {
  const rest = Object.fromEntries(Object.entries(event).filter(([key]) => !drawn.includes(key)));
  const text = JSON.stringify(rest)
    .replaceAll(/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256=SUM')
    .replaceAll(/"resourceVersion":"[1-9]\d*"/g, '"resourceVersion":"N"');
  return plainValue(JSON.parse(text));
}

export async function startAuditWorld(): Promise<AuditWorld> {
  const hook = await startWebhookServer();
  const folder = mkdtempSync(join(tmpdir(), 'strata-test-audit-'));
  const [file, log] = [join(folder, 'policy.yaml'), join(folder, 'audit.log')];
  writeFileSync(file, JSON.stringify(policy));
  const steps = [...written, ...hooked(hook)].map((step, i): Step => {
    // Asked again and again, and not looked at.
    if (step.until !== undefined) return { ...step, name: `wait ${i}`, isSilent: true };
    const id = String(i).padStart(2, '0');
    const name = `${id} ${step.method} ${step.path}`;
    return { ...step, name, headers: { ...step.headers, 'audit-id': `step-${id}` } };
  });
  return {
    flags: { 'audit-policy-file': file, 'audit-log-path': log },
    steps,
    events() {
      const found: Record<string, unknown[]> = {};
      for (const line of readFileSync(log, 'utf8').split('\n').filter(Boolean)) {
        const event = JSON.parse(line) as Json;
        const id = String(event['auditID']);
        const step = steps.find((one) => one.headers?.['audit-id'] === id);
        if (step !== undefined) (found[step.name] ??= []).push(comparable(event));
      }
      return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
    },
    async close() {
      await hook.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
