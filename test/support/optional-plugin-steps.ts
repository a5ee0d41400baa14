// The admission plugins that are off by default, switched on: flags with their configuration, and requests
// that they change or refuse.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Step } from './step-player.ts';

type Json = Record<string, unknown>;

export const optionalPlugins = [
  'OwnerReferencesPermissionEnforcement',
  'LimitPodHardAntiAffinityTopology',
  'AlwaysPullImages',
  'PodNodeSelector',
  'PodTolerationRestriction',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'DenyServiceExternalIPs',
  'NamespaceExists',
];

const configuration = {
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AdmissionConfiguration',
  plugins: [
    {
      name: 'PodNodeSelector',
      configuration: {
        podNodeSelectorPluginConfig: { clusterDefaultNodeSelector: 'pool=a', narrow: 'pool=a' },
      },
    },
    {
      name: 'PodTolerationRestriction',
      configuration: {
        apiVersion: 'podtolerationrestriction.admission.k8s.io/v1alpha1',
        kind: 'Configuration',
        default: [{ key: 'basic', operator: 'Exists' }],
      },
    },
    {
      name: 'EventRateLimit',
      configuration: {
        apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1',
        kind: 'Configuration',
        limits: [
          { type: 'Namespace', qps: 1, burst: 1_000 },
          { type: 'SourceAndObject', qps: 1, burst: 2 },
        ],
      },
    },
  ],
};

export interface PluginWorld {
  /** Of kube-apiserver, without dashes. */
  readonly flags: Readonly<Record<string, string>>;
  close(): void;
}

export function startPluginWorld(): PluginWorld {
  const folder = mkdtempSync(join(tmpdir(), 'strata-plugins-'));
  const file = join(folder, 'admission.yaml');
  writeFileSync(file, JSON.stringify(configuration));
  const flags = {
    'enable-admission-plugins': ['NodeRestriction', ...optionalPlugins].join(','),
    'disable-admission-plugins': 'DefaultTolerationSeconds',
    'admission-control-config-file': file,
  };
  return { flags, close: () => rmSync(folder, { recursive: true, force: true }) };
}

const post = (name: string, path: string, body: Json, more: Partial<Step> = {}): Step => ({
  name,
  method: 'POST',
  path,
  body,
  ...more,
});

const silent = { isSilent: true };

function namespace(name: string, annotations: Json = {}): Step[] {
  return [
    post(`namespace ${name}`, '/api/v1/namespaces', { metadata: { name, annotations } }, silent),
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

const antiAffinity = (topologyKey: string): Json => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey, labelSelector: { matchLabels: { a: 'b' } } },
      ],
    },
  },
});

function podSteps(): Step[] {
  const device = { resources: { requests: { 'x.y/z': '1' }, limits: { 'x.y/z': '1' } } };
  const annotated = 'scheduler.alpha.kubernetes.io';
  const only = (key: string): string => JSON.stringify([{ key, operator: 'Exists' }]);
  const init = { initContainers: [{ name: 'i', image: 'b:1', imagePullPolicy: 'Never' }] };
  return [
    ...namespace('plain'),
    ...namespace('narrow'),
    ...namespace('placed', { [`${annotated}/node-selector`]: 'pool=b, kind=c' }),
    ...namespace('unreadable', { [`${annotated}/node-selector`]: 'pool' }),
    ...namespace('tolerant', {
      [`${annotated}/defaultTolerations`]: only('own'),
      [`${annotated}/tolerationsWhitelist`]: only('own'),
    }),
    post('pod: as it comes', pods('plain'), pod(init)),
    post(
      'pod: image volume',
      pods('plain'),
      pod({
        volumes: [{ name: 'v', image: { reference: 'c:1', pullPolicy: 'IfNotPresent' } }],
      }),
    ),
    post('pod: by zone', pods('plain'), pod(antiAffinity('topology.kubernetes.io/zone'))),
    post('pod: by host', pods('plain'), pod(antiAffinity('kubernetes.io/hostname'))),
    post('pod: device', pods('plain'), pod({}, device)),
    post('pod: burstable', pods('plain'), pod({}, { resources: { requests: { cpu: '1m' } } })),
    post('pod: elsewhere', pods('plain'), pod({ nodeSelector: { pool: 'z' } })),
    post('pod: narrow', pods('narrow'), pod()),
    post('pod: too narrow', pods('narrow'), pod({ nodeSelector: { more: 'x' } })),
    post('pod: placed', pods('placed'), pod({ nodeSelector: { pool: 'b', more: 'x' } })),
    post('pod: unreadable', pods('unreadable'), pod()),
    post('pod: tolerant', pods('tolerant'), pod()),
    post(
      'pod: too tolerant',
      pods('tolerant'),
      pod({
        tolerations: [{ key: 'other', operator: 'Exists' }],
      }),
    ),
    post(
      'pod: merged',
      pods('plain'),
      pod({
        tolerations: [
          {
            key: 'basic',
            operator: 'Equal',
            value: 'x',
            effect: 'NoExecute',
            tolerationSeconds: 5,
          },
          { key: 'k', operator: 'Equal', value: 'v' },
          { key: 'k', operator: 'Exists' },
        ],
      }),
    ),
    post('service: external', '/api/v1/namespaces/plain/services?dryRun=All', {
      metadata: { name: 's' },
      spec: { ports: [{ port: 80 }], externalIPs: ['192.0.2.1'] },
    }),
    { name: 'delete nowhere', method: 'DELETE', path: '/api/v1/namespaces/none/configmaps/a' },
  ];
}

function eventSteps(): Step[] {
  const event = (name: string): Json => ({
    metadata: { name },
    involvedObject: { kind: 'Pod', namespace: 'plain', name: 'p' },
    source: { component: 'c' },
    reason: 'r',
  });
  const path = '/api/v1/namespaces/plain/events';
  return ['one', 'two', 'three'].map((name) =>
    post(`event: ${name}`, path, event(name), name === 'three' ? {} : silent),
  );
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/plain';

function ownerSteps(): Step[] {
  const role = (name: string, rules: readonly Json[]): Step[] => [
    post(`role ${name}`, `${RBAC}/roles`, { metadata: { name }, rules }, silent),
    post(
      `binding ${name}`,
      `${RBAC}/rolebindings`,
      {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
      },
      silent,
    ),
  ];
  const rule = (verbs: readonly string[], resources: readonly string[]): Json => ({
    apiGroups: ['', 'apps'],
    verbs,
    resources,
  });
  const all = '/api/v1/namespaces/plain/configmaps';
  const owner = (uid: string, more: Json = {}): Json => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    name: 'd',
    uid,
    ...more,
  });
  const map = (name: string, ...ownerReferences: Json[]): Json => ({
    metadata: { name, ownerReferences },
  });
  const as = (user: string) => ({ headers: { 'impersonate-user': user } });
  const change = (name: string, user: string, ...ownerReferences: Json[]): Step => ({
    name,
    method: 'PATCH',
    path: `${all}/kept`,
    body: { metadata: { ownerReferences } },
    type: 'application/merge-patch+json',
    ...as(user),
  });
  const blocking = owner('u1', { blockOwnerDeletion: true });
  const unknown = { ...blocking, kind: 'Unknown' };
  return [
    ...role('writer', [rule(['create', 'update', 'patch', 'get'], ['configmaps'])]),
    ...role('keeper', [
      rule(['create', 'update', 'patch', 'get', 'delete'], ['configmaps']),
      rule(['update'], ['deployments/finalizers']),
    ]),
    // Until both roles are known.
    post('owner: created', all, map('a', owner('u1')), {
      ...as('writer'),
      until: (status) => status !== 403,
    }),
    post('owner: kept', all, map('kept', owner('u1')), {
      ...as('keeper'),
      until: (status) => status !== 403,
    }),
    post('owner: created and blocking', all, map('b', blocking), as('writer')),
    post('owner: of an unknown kind', all, map('c', unknown), as('writer')),
    post('owner: of the keeper', all, map('d', blocking), as('keeper')),
    change('owner: changed by a writer', 'writer', owner('u2')),
    change('owner: blocking by a writer', 'writer', blocking),
    change('owner: the same', 'writer', owner('u1')),
    change('owner: changed by the keeper', 'keeper', owner('u2'), blocking),
  ];
}

export function optionalPluginSteps(): Step[] {
  return [...podSteps(), ...eventSteps(), ...ownerSteps()];
}
