// Admission plugins with a configuration of their own: standards and exemptions of PodSecurity, resources that
// ResourceQuota limits, a webhook that knows images; namespaces that come when they are wanted.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aPod, create, dryPods, namespace, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';
import { startWebhookServer } from './webhook-server.ts';

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

const MERGE = 'application/merge-patch+json';

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
    ...namespace('plain'),
    ...namespace('free', { labels: restricted }, {}),
    ...namespace('strict', { labels: restricted }, {}),
    ...namespace('odd', { labels: { [`${label}/enforce`]: 'most' } }, {}),
    create(
      'runtime class',
      '/apis/node.k8s.io/v1/runtimeclasses',
      { metadata: { name: 'sandboxed' }, handler: 'h' },
      silent,
    ),
    create('standard: plain pod', dryPods('plain'), aPod()),
    create('standard: host network', dryPods('plain'), aPod(host)),
    create('standard: host network by a trusted one', dryPods('plain'), aPod(host), {
      headers: { 'impersonate-user': 'trusted', 'impersonate-group': 'system:masters' },
    }),
    create('standard: host network, free', dryPods('free'), aPod(host)),
    create(
      'standard: host network, sandboxed',
      dryPods('plain'),
      aPod({ ...host, runtimeClassName: 'sandboxed' }),
      {
        until: (_status, body) => !JSON.stringify(body).includes('not found'),
      },
    ),
    create('standard: plain pod, strict', dryPods('strict'), aPod()),
    create(
      'standard: template',
      '/apis/apps/v1/namespaces/strict/replicasets?dryRun=All',
      template,
    ),
    create(
      'standard: template, free',
      '/apis/apps/v1/namespaces/free/replicasets?dryRun=All',
      template,
    ),
    create(
      'standard: a pod that stays',
      '/api/v1/namespaces/plain/pods',
      { ...aPod(), metadata: { name: 'kept' } },
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
    create(`quota ${name}`, `${place}/resourcequotas`, { metadata: { name }, spec }, silent),
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
    create('limited: claim of no class', claims, claim('')),
    create('limited: claim of a class', claims, claim('fast')),
    create('limited: service', services, service('ClusterIP')),
    create('limited: balanced service', services, service('LoadBalancer')),
    create(
      'limited: deployment',
      '/apis/apps/v1/namespaces/plain/deployments?dryRun=All',
      deployment,
    ),
    create(
      'class precious',
      '/apis/scheduling.k8s.io/v1/priorityclasses',
      { metadata: { name: 'precious' }, value: 5 },
      silent,
    ),
    create('limited: pod', dryPods('plain'), aPod()),
    create('limited: precious pod', dryPods('plain'), aPod({ priorityClassName: 'precious' }), {
      until: (_status, body) => !JSON.stringify(body).includes('no PriorityClass'),
    }),
    ...quotaOf('balancers', { hard: { 'services.loadbalancers': '1' } }),
    create('limited: balanced service, half covered', services, service('LoadBalancer'), {
      until: (_status, body) => !JSON.stringify(body).includes('loadbalancers,'),
    }),
    ...quotaOf('ports', { hard: { 'services.nodeports': '3' } }),
    create('limited: balanced service, covered', services, service('LoadBalancer'), {
      until: (status) => status === 201,
    }),
    ...quotaOf('classes', {
      hard: { pods: '1' },
      scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'Exists' }] },
    }),
    create(
      'limited: precious pod, covered',
      dryPods('plain'),
      aPod({ priorityClassName: 'precious' }),
      {
        until: (status) => status === 201,
      },
    ),
  ];
}

function images(): Step[] {
  const annotated = {
    metadata: { name: 'p', annotations: { 'x.image-policy.k8s.io/y': 'z', other: 'o' } },
    spec: { containers: [{ name: 'main', image: 'bad-annotated' }] },
  };
  return [
    create('images: good', dryPods('plain'), aPod()),
    create('images: bad', dryPods('plain'), aPod({}, { image: 'bad:1' })),
    create('images: bad again', dryPods('plain'), aPod({}, { image: 'bad:1' })),
    create('images: bad without a word', dryPods('plain'), aPod({}, { image: 'bad-silent' })),
    create(
      'images: bad init',
      dryPods('plain'),
      aPod({ initContainers: [{ name: 'i', image: 'bad:init' }] }),
    ),
    create('images: annotated', dryPods('plain'), annotated),
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
    create('provision: dry', '/api/v1/namespaces/dry/configmaps?dryRun=All', map),
    create('provision: made', '/api/v1/namespaces/made/configmaps', map),
    { name: 'provision: the namespace', method: 'GET', path: '/api/v1/namespaces/made' },
    { name: 'provision: none', method: 'GET', path: '/api/v1/namespaces/dry' },
  ];
}

export function configuredPluginSteps(): Step[] {
  return [...standards(), ...limited(), ...images(), ...provision()];
}
