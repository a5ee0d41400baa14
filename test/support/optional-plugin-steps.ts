// The admission plugins that are off by default, switched on: flags with their configuration, and requests
// that they change or refuse.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aPod, create, dryPods, namespace, silent, type Json } from './step-parts.ts';
import type { Step } from './step-player.ts';

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
  const annotations = (of: Json): Json => ({
    annotations: Object.fromEntries(
      Object.entries(of).map(([name, value]) => [`scheduler.alpha.kubernetes.io/${name}`, value]),
    ),
  });
  const only = (key: string): string => JSON.stringify([{ key, operator: 'Exists' }]);
  const init = { initContainers: [{ name: 'i', image: 'b:1', imagePullPolicy: 'Never' }] };
  return [
    ...namespace('plain'),
    ...namespace('narrow'),
    ...namespace('placed', annotations({ 'node-selector': 'pool=b, kind=c' })),
    ...namespace('unreadable', annotations({ 'node-selector': 'pool' })),
    ...namespace(
      'tolerant',
      annotations({ defaultTolerations: only('own'), tolerationsWhitelist: only('own') }),
    ),
    create('pod: as it comes', dryPods('plain'), aPod(init)),
    create(
      'pod: image volume',
      dryPods('plain'),
      aPod({
        volumes: [{ name: 'v', image: { reference: 'c:1', pullPolicy: 'IfNotPresent' } }],
      }),
    ),
    create('pod: by zone', dryPods('plain'), aPod(antiAffinity('topology.kubernetes.io/zone'))),
    create('pod: by host', dryPods('plain'), aPod(antiAffinity('kubernetes.io/hostname'))),
    create('pod: device', dryPods('plain'), aPod({}, device)),
    create(
      'pod: burstable',
      dryPods('plain'),
      aPod({}, { resources: { requests: { cpu: '1m' } } }),
    ),
    create('pod: elsewhere', dryPods('plain'), aPod({ nodeSelector: { pool: 'z' } })),
    create('pod: narrow', dryPods('narrow'), aPod()),
    create('pod: too narrow', dryPods('narrow'), aPod({ nodeSelector: { more: 'x' } })),
    create('pod: placed', dryPods('placed'), aPod({ nodeSelector: { pool: 'b', more: 'x' } })),
    create('pod: unreadable', dryPods('unreadable'), aPod()),
    create('pod: tolerant', dryPods('tolerant'), aPod()),
    create(
      'pod: too tolerant',
      dryPods('tolerant'),
      aPod({
        tolerations: [{ key: 'other', operator: 'Exists' }],
      }),
    ),
    create(
      'pod: merged',
      dryPods('plain'),
      aPod({
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
    create('service: external', '/api/v1/namespaces/plain/services?dryRun=All', {
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
    create(`event: ${name}`, path, event(name), name === 'three' ? {} : silent),
  );
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/plain';

function ownerSteps(): Step[] {
  const role = (name: string, rules: readonly Json[]): Step[] => [
    create(`role ${name}`, `${RBAC}/roles`, { metadata: { name }, rules }, silent),
    create(
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
    create('owner: created', all, map('a', owner('u1')), {
      ...as('writer'),
      until: (status) => status !== 403,
    }),
    create('owner: kept', all, map('kept', owner('u1')), {
      ...as('keeper'),
      until: (status) => status !== 403,
    }),
    create('owner: created and blocking', all, map('b', blocking), as('writer')),
    create('owner: of an unknown kind', all, map('c', unknown), as('writer')),
    create('owner: of the keeper', all, map('d', blocking), as('keeper')),
    change('owner: changed by a writer', 'writer', owner('u2')),
    change('owner: blocking by a writer', 'writer', blocking),
    change('owner: the same', 'writer', owner('u1')),
    change('owner: changed by the keeper', 'keeper', owner('u2'), blocking),
  ];
}

export function optionalPluginSteps(): Step[] {
  return [...podSteps(), ...eventSteps(), ...ownerSteps()];
}
