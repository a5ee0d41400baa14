// Columns and cells of the kinds beside workloads: storage, networking, access, devices, quotas, as
// upstream prints them (v1.37).
import type { KubeObject } from '#kube/meta/object.ts';
import { formatLabelSelector, labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { age, column, humanDuration, type Column } from './columns.ts';

type Json = Record<string, unknown>;

interface Piece {
  readonly columns: readonly Column[];
  readonly cells: (object: KubeObject, now: number) => unknown[];
}

/** Between name and age: what the columns are called, and what stands in them. */
function named(
  names: readonly (string | Column)[],
  cells: (object: KubeObject) => unknown[],
  wide: readonly string[] = [],
  wideCells: (object: KubeObject) => unknown[] = () => [],
): Piece {
  return {
    columns: [
      column('Name'),
      ...names.map((one) => (typeof one === 'string' ? column(one) : one)),
      column('Age'),
      ...wide.map((one) => column(one, 'string', 1)),
    ],
    cells: (object, now) => [
      object.metadata.name ?? '',
      ...cells(object),
      age(object.metadata.creationTimestamp, now),
      ...wideCells(object),
    ],
  };
}

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const text = (value: unknown, otherwise = '<none>'): string =>
  value === undefined || value === null || value === '' ? otherwise : String(value);
const flag = (name: string): Column => column(name, 'boolean');
const whole = (name: string): Column => column(name, 'integer');

const modes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function accessModes(given: unknown): string {
  const have = new Set(list(given).map(String));
  return Object.keys(modes)
    .filter((mode) => have.has(mode))
    .map((mode) => modes[mode])
    .join(',');
}

const phaseOf = ({ metadata, status }: KubeObject): string =>
  metadata.deletionTimestamp === undefined ? text(status?.phase, '') : 'Terminating';

function classOf({ metadata, spec }: KubeObject): string {
  const old = metadata.annotations?.['volume.beta.kubernetes.io/storage-class'];
  return old ?? text(spec?.storageClassName, '');
}

function containers(template: unknown): [string, string] {
  const all = list((template as KubeObject | undefined)?.['spec']?.containers);
  return [all.map((one) => one['name']).join(','), all.map((one) => one['image']).join(',')];
}

function labelsText(labels: unknown): string {
  const pairs = Object.entries((labels ?? {}) as Json).map(([key, value]) => `${key}=${value}`);
  return pairs.toSorted().join(',') || '<none>';
}

function isDefault({ metadata }: KubeObject, group: string): boolean {
  return metadata.annotations?.[`${group}.kubernetes.io/is-default-class`] === 'true';
}

function subjects(binding: KubeObject): unknown[] {
  const of = (kind: string): Json[] =>
    list(binding['subjects']).filter((one) => one['kind'] === kind);
  const names = (kind: string): string =>
    of(kind)
      .map((one) => one['name'])
      .join(', ');
  const accounts = of('ServiceAccount').map((one) => {
    const { namespace } = one;
    return namespace === undefined ? one['name'] : `${String(namespace)}/${String(one['name'])}`;
  });
  return [names('User'), names('Group'), accounts.join(', ')];
}

const binding = named(
  ['Role'],
  (one) => [`${text(one['roleRef']?.kind, '')}/${text(one['roleRef']?.name, '')}`],
  ['Users', 'Groups', 'ServiceAccounts'],
  subjects,
);

function requestState({ status }: KubeObject): string {
  const is = (type: string): boolean =>
    list(status?.conditions).some((one) => one['type'] === type);
  const state = is('Denied') ? 'Denied' : is('Approved') ? 'Approved' : 'Pending';
  const more = [
    is('Failed') ? ',Failed' : '',
    text(status?.certificate, '') === '' ? '' : ',Issued',
  ];
  return state + more.join('');
}

function claimState({ metadata, status }: KubeObject): string {
  const isGoing = metadata.deletionTimestamp !== undefined;
  const states = isGoing ? ['deleted'] : [];
  if (status?.allocation === undefined) states.push(...(isGoing ? [] : ['pending']));
  else states.push('allocated', ...(list(status.reservedFor).length > 0 ? ['reserved'] : []));
  return states.join(',');
}

function quotaTexts({ status }: KubeObject): [string, string] {
  const hard = (status?.hard ?? {}) as Json;
  const used = (status?.used ?? {}) as Json;
  const texts = (isLimit: boolean): string =>
    Object.keys(hard)
      .toSorted()
      .filter((name) => name.startsWith('limits.') === isLimit)
      .map((name) => `${name}: ${text(used[name], '0')}/${String(hard[name])}`)
      .join(', ');
  return [texts(false), texts(true)];
}

interface Metric {
  readonly current: unknown;
  readonly target: Json;
  readonly name: string;
}

function metricOf(spec: Json, status: Json | undefined): Metric | undefined {
  const type = String(spec['type']);
  const key = type.charAt(0).toLowerCase() + type.slice(1);
  const source = spec[key] as Json | undefined;
  if (source === undefined) return undefined;
  const current = ((status?.[key] as Json | undefined)?.['current'] ?? {}) as Json;
  const isResource = type === 'Resource' || type === 'ContainerResource';
  const name = isResource ? `${String(source['name'])}: ` : '';
  return { current, target: (source['target'] ?? {}) as Json, name };
}

function metricText(spec: Json, status: Json | undefined): string {
  const metric = metricOf(spec, status);
  if (metric === undefined) return '<unknown type>';
  const { target, name } = metric;
  const current = metric.current as Json;
  if (target['averageValue'] !== undefined) {
    const end = name === '' && spec['type'] !== 'Pods' ? ' (avg)' : '';
    const now = text(current['averageValue'], '<unknown>');
    return `${name}${now}/${String(target['averageValue'])}${end}`;
  }
  if (name === '') return `${text(current['value'], '<unknown>')}/${String(target['value'])}`;
  const percent = (value: unknown, otherwise: string): string =>
    value === undefined ? otherwise : `${String(value)}%`;
  const now = percent(current['averageUtilization'], '<unknown>');
  return `${name}${now}/${percent(target['averageUtilization'], '<auto>')}`;
}

const METRICS_SHOWN = 2;

function metricsText({ spec, status }: KubeObject): string {
  const specs = list(spec?.metrics);
  if (specs.length === 0) return '<none>';
  const current = list(status?.currentMetrics);
  const texts = specs.map((one, index) => metricText(one, current[index]));
  const shown = texts.slice(0, METRICS_SHOWN).join(', ');
  const rest = texts.length - METRICS_SHOWN;
  return rest > 0 ? `${shown} + ${rest} more...` : shown;
}

const HOSTS_SHOWN = 3;
const ADDRESS_LENGTH_MAX = 16;

function hostsText(rules: unknown): string {
  const hosts = list(rules).flatMap((rule) => (rule['host'] ? [String(rule['host'])] : []));
  if (hosts.length === 0) return '*';
  const shown = hosts.slice(0, HOSTS_SHOWN).join(',');
  const rest = hosts.length - HOSTS_SHOWN;
  return rest > 0 ? `${shown} + ${rest} more...` : shown;
}

function addressText({ status }: KubeObject): string {
  const all = list(status?.loadBalancer?.ingress).map((one) =>
    text(one['ip'], text(one['hostname'], '')),
  );
  const joined = [...new Set(all)].toSorted().join(',');
  if (joined.length <= ADDRESS_LENGTH_MAX) return joined;
  return `${joined.slice(0, ADDRESS_LENGTH_MAX - 3)}...`;
}

function selectorText(selector: unknown): string {
  const parsed = labelSelectorFromObject(selector as never);
  return parsed === undefined || parsed.length === 0 ? '<none>' : formatLabelSelector(parsed);
}

function parametersText(parameters: Json | undefined): string {
  if (parameters === undefined) return '<none>';
  const { kind, apiGroup, name } = parameters;
  return `${String(kind)}${apiGroup === undefined ? '' : `.${String(apiGroup)}`}/${String(name)}`;
}

function parentText(parent: Json | undefined): string {
  const { group = '', resource, namespace, name } = parent ?? {};
  const parts = [group, resource, namespace, name];
  return parts.filter((one) => one !== undefined && one !== '').join('/');
}

function ownerText({ metadata }: KubeObject): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return '<none>';
  const [group, version] = owner.apiVersion.split('/');
  const suffix = version === undefined ? '' : `.${group ?? ''}`;
  return `${owner.kind.toLowerCase()}${suffix}/${owner.name}`;
}

const levelNames = ['NominalConcurrencyShares', 'Queues', 'HandSize', 'QueueLengthLimit'];

function levelCells({ spec }: KubeObject): unknown[] {
  const limits = spec?.limited ?? spec?.exempt ?? {};
  const { queues, handSize, queueLengthLimit } = limits.limitResponse?.queuing ?? {};
  const shown = (value: unknown): unknown => value ?? '<none>';
  const shares = shown(limits.nominalConcurrencyShares);
  return [spec?.type ?? '', shares, shown(queues), shown(handSize), shown(queueLengthLimit)];
}

export const piecePrinters: Readonly<Record<string, Piece>> = {
  '/persistentvolumes': named(
    [
      'Capacity',
      'Access Modes',
      'Reclaim Policy',
      'Status',
      'Claim',
      'StorageClass',
      'VolumeAttributesClass',
      'Reason',
    ],
    (one) => {
      const spec = one['spec'] ?? {};
      const { claimRef } = spec;
      return [
        text(spec.capacity?.storage, '0'),
        accessModes(spec.accessModes),
        text(spec.persistentVolumeReclaimPolicy, ''),
        phaseOf(one),
        claimRef === undefined ? '' : `${claimRef.namespace}/${claimRef.name}`,
        classOf(one),
        text(spec.volumeAttributesClassName, '<unset>'),
        text(one['status']?.reason, ''),
      ];
    },
    ['VolumeMode'],
    (one) => [text(one['spec']?.volumeMode, '<unset>')],
  ),
  '/persistentvolumeclaims': named(
    ['Status', 'Volume', 'Capacity', 'Access Modes', 'StorageClass', 'VolumeAttributesClass'],
    (one) => {
      const { volumeName, volumeAttributesClassName } = one['spec'] ?? {};
      const isBound = text(volumeName, '') !== '';
      return [
        phaseOf(one),
        text(volumeName, ''),
        isBound ? text(one['status']?.capacity?.storage, '0') : '',
        isBound ? accessModes(one['status']?.accessModes) : '',
        classOf(one),
        text(volumeAttributesClassName, '<unset>'),
      ];
    },
    ['VolumeMode'],
    (one) => [text(one['spec']?.volumeMode, '<unset>')],
  ),
  '/podtemplates': {
    columns: [column('Name'), column('Containers'), column('Images'), column('Pod Labels')],
    cells: (one) => [
      one.metadata.name ?? '',
      ...containers(one['template']),
      labelsText(one['template']?.metadata?.labels),
    ],
  },
  '/replicationcontrollers': named(
    [whole('Desired'), whole('Current'), whole('Ready')],
    ({ spec, status }) => [spec?.replicas ?? 0, status?.replicas ?? 0, status?.readyReplicas ?? 0],
    ['Containers', 'Images', 'Selector'],
    ({ spec }) => [...containers(spec?.template), labelsText(spec?.selector)],
  ),
  '/resourcequotas': named(['Request', 'Limit'], quotaTexts),
  '/serviceaccounts': named([], () => []),
  '/limitranges': {
    columns: [column('Name'), column('Created At', 'date')],
    cells: ({ metadata }) => [metadata.name ?? '', metadata.creationTimestamp],
  },
  'apps/controllerrevisions': named(['Controller', 'Revision'], (one) => [
    ownerText(one),
    one['revision'] ?? 0,
  ]),
  'autoscaling/horizontalpodautoscalers': named(
    ['Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas'],
    (one) => {
      const { scaleTargetRef: target, minReplicas, maxReplicas } = one['spec'] ?? {};
      return [
        `${target?.kind}/${target?.name}`,
        metricsText(one),
        text(minReplicas, '<unset>'),
        maxReplicas ?? 0,
        one['status']?.currentReplicas ?? 0,
      ];
    },
  ),
  'certificates.k8s.io/certificatesigningrequests': {
    columns: ['Name', 'Age', 'SignerName', 'Requestor', 'RequestedDuration', 'Condition'].map(
      (name) => column(name),
    ),
    cells: (one, now) => {
      const { signerName, username, expirationSeconds: seconds } = one['spec'] ?? {};
      return [
        one.metadata.name ?? '',
        age(one.metadata.creationTimestamp, now),
        text(signerName),
        text(username, ''),
        seconds === undefined ? '<none>' : humanDuration(Number(seconds) * 1_000),
        requestState(one),
      ];
    },
  },
  'certificates.k8s.io/clustertrustbundles': {
    columns: [column('Name'), column('SignerName')],
    cells: (one) => [one.metadata.name ?? '', text(one['spec']?.signerName)],
  },
  'flowcontrol.apiserver.k8s.io/flowschemas': {
    columns: [
      'Name',
      'PriorityLevel',
      'MatchingPrecedence',
      'DistinguisherMethod',
      'Age',
      'MissingPL',
    ].map((name) => column(name)),
    cells: (one, now) => {
      const { spec = {}, status } = one;
      const dangling = list(status?.conditions).find(({ type }) => type === 'Dangling');
      return [
        one.metadata.name ?? '',
        text(spec.priorityLevelConfiguration?.name, ''),
        spec.matchingPrecedence ?? 0,
        text(spec.distinguisherMethod?.type),
        age(one.metadata.creationTimestamp, now),
        text(dangling?.['status'], '?'),
      ];
    },
  },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': named(
    ['Type', ...levelNames],
    levelCells,
  ),
  'networking.k8s.io/ingressclasses': {
    columns: [column('Name'), column('Controller'), column('Parameters'), column('Age')],
    cells: (one, now) => [
      `${one.metadata.name}${isDefault(one, 'ingressclass') ? ' (default)' : ''}`,
      text(one['spec']?.controller, ''),
      parametersText(one['spec']?.parameters),
      age(one.metadata.creationTimestamp, now),
    ],
  },
  'networking.k8s.io/ingresses': named(['Class', 'Hosts', 'Address', 'Ports'], (one) => [
    text(one['spec']?.ingressClassName),
    hostsText(one['spec']?.rules),
    addressText(one),
    list(one['spec']?.tls).length > 0 ? '80, 443' : '80',
  ]),
  'networking.k8s.io/ipaddresses': {
    columns: [column('Name'), column('ParentRef')],
    cells: (one, now) => [
      one.metadata.name ?? '',
      parentText(one['spec']?.parentRef),
      age(one.metadata.creationTimestamp, now),
    ],
  },
  'networking.k8s.io/networkpolicies': named(['Pod-Selector'], (one) => [
    selectorText(one['spec']?.podSelector),
  ]),
  'networking.k8s.io/servicecidrs': named(['CIDRs'], (one) => [list(one['spec']?.cidrs).join(',')]),
  'policy/poddisruptionbudgets': named(
    ['Min Available', 'Max Unavailable', whole('Allowed Disruptions')],
    ({ spec, status }) => [
      text(spec?.minAvailable, 'N/A'),
      text(spec?.maxUnavailable, 'N/A'),
      status?.disruptionsAllowed ?? 0,
    ],
  ),
  'rbac.authorization.k8s.io/rolebindings': binding,
  'rbac.authorization.k8s.io/clusterrolebindings': binding,
  'resource.k8s.io/devicetaintrules': {
    columns: ['Name', 'Key', 'Value', 'Effect', 'TimeAdded', 'Age'].map((name) => column(name)),
    cells: (one, now) => {
      const { key, value, effect, timeAdded } = one['spec']?.taint ?? {};
      return [
        one.metadata.name ?? '',
        text(key, ''),
        text(value, ''),
        text(effect, ''),
        age(timeAdded, now),
        age(one.metadata.creationTimestamp, now),
      ];
    },
  },
  'resource.k8s.io/resourceclaims': named(['State'], (one) => [claimState(one)]),
  'resource.k8s.io/resourceslices': named(['Node', 'Driver', 'Pool'], ({ spec }) => [
    text(spec?.nodeName, '<none>'),
    text(spec?.driver, ''),
    text(spec?.pool?.name, ''),
  ]),
  'storage.k8s.io/csidrivers': named(
    [
      flag('AttachRequired'),
      flag('PodInfoOnMount'),
      flag('StorageCapacity'),
      'TokenRequests',
      flag('RequiresRepublish'),
      'Modes',
    ],
    ({ spec = {} }) => [
      spec.attachRequired ?? true,
      spec.podInfoOnMount ?? false,
      spec.storageCapacity ?? false,
      spec.tokenRequests === undefined
        ? '<unset>'
        : list(spec.tokenRequests)
            .map(({ audience = '' }) => audience)
            .join(','),
      spec.requiresRepublish ?? false,
      list(spec.volumeLifecycleModes).join(',') || '<none>',
    ],
  ),
  'storage.k8s.io/csinodes': named([whole('Drivers')], (one) => [
    list(one['spec']?.drivers).length,
  ]),
  'storage.k8s.io/csistoragecapacities': {
    columns: [column('Name'), column('Created At', 'date')],
    cells: ({ metadata }) => [metadata.name ?? '', metadata.creationTimestamp],
  },
  'storage.k8s.io/storageclasses': {
    columns: [
      column('Name'),
      column('Provisioner'),
      column('ReclaimPolicy'),
      column('VolumeBindingMode'),
      column('AllowVolumeExpansion'),
      column('Age'),
    ],
    cells: (one, now) => [
      `${one.metadata.name}${isDefault(one, 'storageclass') ? ' (default)' : ''}`,
      text(one['provisioner'], ''),
      text(one['reclaimPolicy'], 'Delete'),
      text(one['volumeBindingMode'], '<unset>'),
      one['allowVolumeExpansion'] ?? false,
      age(one.metadata.creationTimestamp, now),
    ],
  },
  'storage.k8s.io/volumeattachments': named(
    [{ ...column('Attacher'), format: 'name' }, 'PV', 'Node', flag('Attached')],
    ({ spec, status }) => [
      text(spec?.attacher, ''),
      text(spec?.source?.persistentVolumeName, ''),
      text(spec?.nodeName, ''),
      status?.attached ?? false,
    ],
  ),
  'storage.k8s.io/volumeattributesclasses': named(['DriverName'], (one) => [
    text(one['driverName'], ''),
  ]),
  'storagemigration.k8s.io/storageversionmigrations': {
    columns: [{ ...column('Name'), format: '' }, column('Resource'), column('Status')],
    cells: ({ metadata, spec, status }) => {
      const { group = '', resource = '' } = spec?.resource ?? {};
      const states = ['Running', 'Failed', 'Succeeded'];
      const found = list(status?.conditions).findLast(
        (one) => one['status'] === 'True' && states.includes(String(one['type'])),
      );
      return [
        metadata.name ?? '',
        group === '' ? resource : `${resource}.${group}`,
        text(found?.['type'], 'Unknown'),
      ];
    },
  },
};
