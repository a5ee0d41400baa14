// Admission plugins with a configuration of their own: standards and exemptions of PodSecurity, resources that
// ResourceQuota limits, a webhook that knows images; namespaces that come when they are wanted.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Step } from './step-player.ts';
import { startWebhookServer } from './webhook-server.ts';

type Json = Record<string, unknown>;

const podSecurity = {
  apiVersion: 'pod-security.admission.config.k8s.io/v1',
  kind: 'PodSecurityConfiguration',
  defaults: { enforce: 'baseline', 'enforce-version': 'v1.30', warn: 'restricted', audit: '' },
  exemptions: { usernames: ['trusted'], namespaces: ['free'], runtimeClasses: ['sandboxed'] },
};

const quota = {
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'ResourceQuotaConfiguration',
  limitedResources: [
    {
      resource: 'persistentvolumeclaims',
      matchContains: ['.storageclass.storage.k8s.io/requests'],
    },
    { resource: 'services', matchContains: ['loadbalancers', 'nodeports'] },
    { apiGroup: 'apps', resource: 'deployments', matchContains: ['count/deployments.apps'] },
    {
      resource: 'pods',
      matchScopes: [{ scopeName: 'PriorityClass', operator: 'In', values: ['precious'] }],
    },
  ],
};

const imagePolicy = (kubeConfigFile: string): Json => ({
  imagePolicy: { kubeConfigFile, allowTTL: 50, denyTTL: 50, retryBackoff: 1, defaultAllow: false },
});

const hookConfig = (url: string, ca: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'hook', cluster: { server: url, 'certificate-authority-data': ca } }],
    users: [{ name: 'hook', user: {} }],
    contexts: [{ name: 'hook', context: { cluster: 'hook', user: 'hook' } }],
    'current-context': 'hook',
  });

/** Of an ImageReview: what the names of the images say. */
function verdict(review: Json): Json {
  const { containers = [] } = review['spec'] as { containers?: { image?: string }[] };
  const images = containers.map(({ image = '' }) => image);
  const isDenied = images.some((image) => image.startsWith('bad'));
  const reason = images.some((image) => image.startsWith('bad-silent'))
    ? {}
    : { reason: `no ${images.filter((image) => image.startsWith('bad')).join(' and no ')}` };
  const status = isDenied ? { allowed: false, ...reason } : { allowed: true };
  return { apiVersion: 'imagepolicy.k8s.io/v1alpha1', kind: 'ImageReview', status };
}

export interface ConfiguredWorld {
  /** Of kube-apiserver, without dashes. */
  readonly flags: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export async function startConfiguredWorld(): Promise<ConfiguredWorld> {
  const hook = await startWebhookServer();
  hook.on('/images', verdict);
  const folder = mkdtempSync(join(tmpdir(), 'strata-configured-'));
  const kubeconfig = join(folder, 'images.yaml');
  writeFileSync(kubeconfig, hookConfig(`${hook.url}/images`, hook.caBundle));
  // By a file of its own, beside the configuration that names it.
  writeFileSync(join(folder, 'security.yaml'), JSON.stringify(podSecurity));
  const file = join(folder, 'admission.yaml');
  const configuration = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: [
      { name: 'PodSecurity', path: 'security.yaml' },
      { name: 'ResourceQuota', configuration: quota },
      { name: 'ImagePolicyWebhook', configuration: imagePolicy(kubeconfig) },
    ],
  };
  writeFileSync(file, JSON.stringify(configuration));
  return {
    flags: {
      'enable-admission-plugins': 'NodeRestriction,ImagePolicyWebhook,NamespaceAutoProvision',
      'admission-control-config-file': file,
    },
    async close() {
      await hook.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const post = (name: string, path: string, body: Json, more: Partial<Step> = {}): Step => ({
  name,
  method: 'POST',
  path,
  body,
  ...more,
});
const silent = { isSilent: true };
const MERGE = 'application/merge-patch+json';

function namespace(name: string, labels: Json = {}, more: Partial<Step> = {}): Step[] {
  return [
    post(`namespace ${name}`, '/api/v1/namespaces', { metadata: { name, labels } }, more),
    post(
      `account of ${name}`,
      `/api/v1/namespaces/${name}/serviceaccounts`,
      { metadata: { name: 'default' }, automountServiceAccountToken: false },
      silent,
    ),
  ];
}

const pods = (place: string): string => `/api/v1/namespaces/${place}/pods?dryRun=All`;
const pod = (spec: Json = {}, container: Json = {}): Json => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'main', image: 'a:1', ...container }], ...spec },
});

function standards(): Step[] {
  const label = 'pod-security.kubernetes.io';
  const restricted = { [`${label}/enforce`]: 'restricted', [`${label}/audit-version`]: 'v1.20' };
  const relabel = (place: string, labels: Json): Step => ({
    name: `standard: ${place} with ${JSON.stringify(labels)}`,
    method: 'PATCH',
    path: `/api/v1/namespaces/${place}`,
    body: { metadata: { labels } },
    type: MERGE,
  });
  const template = {
    metadata: { name: 'd' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: {
        metadata: { labels: { a: 'b' } },
        spec: { containers: [{ name: 'c', image: 'a' }] },
      },
    },
  };
  const host = { hostNetwork: true };
  return [
    ...namespace('plain', {}, silent),
    ...namespace('free', restricted),
    ...namespace('strict', restricted),
    ...namespace('odd', { [`${label}/enforce`]: 'most' }),
    post(
      'runtime class',
      '/apis/node.k8s.io/v1/runtimeclasses',
      { metadata: { name: 'sandboxed' }, handler: 'h' },
      silent,
    ),
    post('standard: plain pod', pods('plain'), pod()),
    post('standard: host network', pods('plain'), pod(host)),
    post('standard: host network by a trusted one', pods('plain'), pod(host), {
      headers: { 'impersonate-user': 'trusted', 'impersonate-group': 'system:masters' },
    }),
    post('standard: host network, free', pods('free'), pod(host)),
    post(
      'standard: host network, sandboxed',
      pods('plain'),
      pod({ ...host, runtimeClassName: 'sandboxed' }),
      {
        until: (_status, body) => !JSON.stringify(body).includes('not found'),
      },
    ),
    post('standard: plain pod, strict', pods('strict'), pod()),
    post('standard: template', '/apis/apps/v1/namespaces/strict/replicasets?dryRun=All', template),
    post(
      'standard: template, free',
      '/apis/apps/v1/namespaces/free/replicasets?dryRun=All',
      template,
    ),
    post(
      'standard: a pod that stays',
      '/api/v1/namespaces/plain/pods',
      { ...pod(), metadata: { name: 'kept' } },
      silent,
    ),
    relabel('plain', { [`${label}/enforce`]: 'restricted' }),
    relabel('plain', { [`${label}/enforce`]: 'privileged' }),
    relabel('free', { [`${label}/enforce`]: 'baseline', [`${label}/warn`]: 'baseline' }),
    relabel('free', { [`${label}/enforce`]: 'restricted', [`${label}/warn-version`]: 'v1.25' }),
  ];
}

function limited(): Step[] {
  const place = '/api/v1/namespaces/plain';
  const claim = (storageClassName: string): Json => ({
    metadata: { name: 'c' },
    spec: {
      storageClassName,
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
    },
  });
  const service = (type: string): Json => ({
    metadata: { name: 's' },
    spec: { type, ports: [{ port: 80 }] },
  });
  const claims = `${place}/persistentvolumeclaims?dryRun=All`;
  const services = `${place}/services?dryRun=All`;
  const deployment = {
    metadata: { name: 'd' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: {
        metadata: { labels: { a: 'b' } },
        spec: { containers: [{ name: 'c', image: 'a' }] },
      },
    },
  };
  const quotaOf = (name: string, spec: Json): Step[] => [
    post(`quota ${name}`, `${place}/resourcequotas`, { metadata: { name }, spec }, silent),
    {
      name: `quota ${name} counted`,
      method: 'PATCH',
      path: `${place}/resourcequotas/${name}/status`,
      body: {
        status: {
          hard: spec['hard'],
          used: Object.fromEntries(Object.keys(spec['hard'] as Json).map((one) => [one, '0'])),
        },
      },
      type: MERGE,
      ...silent,
    },
  ];
  return [
    post('limited: claim of no class', claims, claim('')),
    post('limited: claim of a class', claims, claim('fast')),
    post('limited: service', services, service('ClusterIP')),
    post('limited: balanced service', services, service('LoadBalancer')),
    post(
      'limited: deployment',
      '/apis/apps/v1/namespaces/plain/deployments?dryRun=All',
      deployment,
    ),
    post(
      'class precious',
      '/apis/scheduling.k8s.io/v1/priorityclasses',
      { metadata: { name: 'precious' }, value: 5 },
      silent,
    ),
    post('limited: pod', pods('plain'), pod()),
    post('limited: precious pod', pods('plain'), pod({ priorityClassName: 'precious' }), {
      until: (_status, body) => !JSON.stringify(body).includes('no PriorityClass'),
    }),
    ...quotaOf('balancers', { hard: { 'services.loadbalancers': '1' } }),
    post('limited: balanced service, half covered', services, service('LoadBalancer'), {
      until: (_status, body) => !JSON.stringify(body).includes('loadbalancers,'),
    }),
    ...quotaOf('ports', { hard: { 'services.nodeports': '3' } }),
    post('limited: balanced service, covered', services, service('LoadBalancer'), {
      until: (status) => status === 201,
    }),
    ...quotaOf('classes', {
      hard: { pods: '1' },
      scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'Exists' }] },
    }),
    post('limited: precious pod, covered', pods('plain'), pod({ priorityClassName: 'precious' }), {
      until: (status) => status === 201,
    }),
  ];
}

function images(): Step[] {
  const annotated = {
    metadata: { name: 'p', annotations: { 'x.image-policy.k8s.io/y': 'z', other: 'o' } },
    spec: { containers: [{ name: 'main', image: 'bad-annotated' }] },
  };
  return [
    post('images: good', pods('plain'), pod()),
    post('images: bad', pods('plain'), pod({}, { image: 'bad:1' })),
    post('images: bad again', pods('plain'), pod({}, { image: 'bad:1' })),
    post('images: bad without a word', pods('plain'), pod({}, { image: 'bad-silent' })),
    post(
      'images: bad init',
      pods('plain'),
      pod({ initContainers: [{ name: 'i', image: 'bad:init' }] }),
    ),
    post('images: annotated', pods('plain'), annotated),
    {
      name: 'images: bad ephemeral',
      method: 'PATCH',
      path: '/api/v1/namespaces/plain/pods/kept/ephemeralcontainers',
      body: { spec: { ephemeralContainers: [{ name: 'e', image: 'bad:debug' }] } },
      type: 'application/strategic-merge-patch+json',
    },
    {
      name: 'images: changed to bad',
      method: 'PATCH',
      path: '/api/v1/namespaces/plain/pods/kept',
      body: { spec: { containers: [{ name: 'main', image: 'bad:2' }] } },
      type: 'application/strategic-merge-patch+json',
    },
  ];
}

function provision(): Step[] {
  const map = { metadata: { name: 'm' } };
  return [
    post('provision: dry', '/api/v1/namespaces/dry/configmaps?dryRun=All', map),
    post('provision: made', '/api/v1/namespaces/made/configmaps', map),
    { name: 'provision: the namespace', method: 'GET', path: '/api/v1/namespaces/made' },
    { name: 'provision: none', method: 'GET', path: '/api/v1/namespaces/dry' },
  ];
}

export function configuredPluginSteps(): Step[] {
  return [...standards(), ...limited(), ...images(), ...provision()];
}
