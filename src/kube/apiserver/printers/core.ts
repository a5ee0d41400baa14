// Tables of the core group but pods: nodes, services, configuration, events, quotas, volumes.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  ageColumn,
  columns,
  conditionStatus,
  containerCells,
  created,
  integer,
  labelsText,
  list,
  name,
  nameColumn,
  shortened,
  wide,
  type Json,
  type Printers,
} from './cells.ts';
import { age, column } from './columns.ts';
import { loadBalancerText } from './network.ts';
import { podCells, podColumns } from './pods.ts';

function nodeStatus(node: KubeObject): string {
  const ready = conditionStatus(node, 'Ready');
  const word = ready === undefined ? 'Unknown' : ready === 'True' ? 'Ready' : 'NotReady';
  return node['spec']?.unschedulable === true ? `${word},SchedulingDisabled` : word;
}

function nodeRoles(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(prefix)) return [key.slice(prefix.length)];
    return key === 'kubernetes.io/role' ? [value] : [];
  });
  return [...new Set(roles.filter((role) => role !== ''))].toSorted().join(',') || '<none>';
}

function nodeAddress(node: KubeObject, type: string): string {
  const found = list(node['status']?.addresses).find((one) => one['type'] === type);
  return String(found?.['address'] ?? '<none>');
}

function nodeCells(node: KubeObject, now: number): unknown[] {
  const info = node['status']?.nodeInfo ?? {};
  const known = (text: unknown): string =>
    text === undefined || text === '' ? '<unknown>' : String(text);
  const architecture = info.architecture ? ` (${String(info.architecture)})` : '';
  return [
    name(node),
    nodeStatus(node),
    nodeRoles(node),
    created(node, now),
    info.kubeletVersion ?? '',
    nodeAddress(node, 'InternalIP'),
    nodeAddress(node, 'ExternalIP'),
    known(info.osImage),
    known(info.kernelVersion) + architecture,
    known(info.containerRuntimeVersion),
  ];
}

function servicePorts(service: KubeObject): string {
  const ports = list(service['spec']?.ports).map((port) => {
    const nodePort = Number(port['nodePort'] ?? 0);
    const through = nodePort > 0 ? `:${nodePort}` : '';
    return `${String(port['port'])}${through}/${String(port['protocol'])}`;
  });
  return ports.join(',') || '<none>';
}

function serviceExternal(service: KubeObject): string {
  const ips = ((service['spec']?.externalIPs ?? []) as string[]).join(',');
  switch (service['spec']?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return ips || '<none>';
    case 'LoadBalancer': {
      const balanced = loadBalancerText(service);
      return [balanced, ips].filter((one) => one !== '').join(',') || '<pending>';
    }
    case 'ExternalName':
      return String(service['spec'].externalName ?? '');
    default:
      return '<unknown>';
  }
}

function serviceCells(service: KubeObject, now: number): unknown[] {
  const { clusterIPs, clusterIP, type, selector } = service['spec'] ?? {};
  return [
    name(service),
    type ?? '',
    clusterIPs?.[0] ?? clusterIP ?? '<none>',
    serviceExternal(service),
    servicePorts(service),
    created(service, now),
    labelsText(selector),
  ];
}

function endpointsText(endpoints: KubeObject): string {
  const all = list(endpoints['subsets']).flatMap((subset) => {
    const ips = list(subset['addresses']).map((address) => String(address['ip']));
    const ports = list(subset['ports']);
    if (ports.length === 0) return ips;
    return ports.flatMap((port) =>
      ips.map((ip) => `${ip.includes(':') ? `[${ip}]` : ip}:${String(port['port'])}`),
    );
  });
  return shortened(all, 3, list(endpoints['subsets']).length === 0 ? '<none>' : '');
}

/** Of both groups: what events.k8s.io calls otherwise is the same as in the core group. */
function eventCells(event: KubeObject, now: number): unknown[] {
  const first =
    event['firstTimestamp'] ?? event['deprecatedFirstTimestamp'] ?? event['eventTime'] ?? undefined;
  const { series } = event;
  const latest = event['lastTimestamp'] ?? event['deprecatedLastTimestamp'] ?? first;
  const involved = event['involvedObject'] ?? event['regarding'] ?? {};
  const { kind = '', name: involvedName = '', fieldPath = '' } = involved;
  const target = String(kind).toLowerCase() + (involvedName === '' ? '' : `/${involvedName}`);
  const source = event['source'] ?? event['deprecatedSource'] ?? {};
  const component =
    source.component || event['reportingComponent'] || event['reportingController'] || '';
  const instance = source.host || event['reportingInstance'] || '';
  const count = series?.count ?? (event['count'] || event['deprecatedCount'] || 1);
  return [
    age(series?.lastObservedTime ?? latest, now),
    event['type'] ?? '',
    event['reason'] ?? '',
    target,
    fieldPath,
    instance === '' ? component : `${component}, ${instance}`,
    String(event['message'] ?? event['note'] ?? '').trim(),
    age(first, now),
    count,
    name(event),
  ];
}

/** `cpu: 1/2, pods: 3/4`: used and allowed of what is limited by requests, or by limits. */
function quotaText(quota: KubeObject, isLimit: boolean): string {
  const { hard = {}, used = {} } = (quota['status'] ?? {}) as { hard?: Json; used?: Json };
  return Object.keys(hard)
    .toSorted()
    .filter((resource) => resource.startsWith('limits.') === isLimit)
    .map((resource) => `${resource}: ${String(used[resource] ?? 0)}/${String(hard[resource])}`)
    .join(', ');
}

const accessModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

function modesText(modes: unknown): string {
  const given = new Set(Array.isArray(modes) ? (modes as string[]) : []);
  return Object.keys(accessModes)
    .filter((mode) => given.has(mode))
    .map((mode) => accessModes[mode])
    .join(',');
}

function storageClassOf(object: KubeObject): string {
  const old = object.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'];
  return old ?? object['spec']?.storageClassName ?? '';
}

function phaseOf(object: KubeObject): string {
  if (object.metadata.deletionTimestamp !== undefined) return 'Terminating';
  return object['status']?.phase ?? '';
}

function volumeCells(volume: KubeObject, now: number): unknown[] {
  const spec = volume['spec'] ?? {};
  const { claimRef } = spec;
  return [
    name(volume),
    spec.capacity?.storage ?? '0',
    modesText(spec.accessModes),
    spec.persistentVolumeReclaimPolicy ?? '',
    phaseOf(volume),
    claimRef === undefined ? '' : `${String(claimRef.namespace ?? '')}/${String(claimRef.name)}`,
    storageClassOf(volume),
    spec.volumeAttributesClassName ?? '<unset>',
    volume['status']?.reason ?? '',
    created(volume, now),
    spec.volumeMode ?? '<unset>',
  ];
}

function claimCells(claim: KubeObject, now: number): unknown[] {
  const [spec, status] = [claim['spec'] ?? {}, claim['status'] ?? {}];
  const isBound = (spec.volumeName ?? '') !== '';
  return [
    name(claim),
    phaseOf(claim),
    spec.volumeName ?? '',
    isBound ? (status.capacity?.storage ?? '0') : '',
    isBound ? modesText(status.accessModes) : '',
    storageClassOf(claim),
    spec.volumeAttributesClassName ?? '<unset>',
    created(claim, now),
    spec.volumeMode ?? '<unset>',
  ];
}

function componentCells(component: KubeObject): unknown[] {
  const healthy = list(component['conditions']).find((one) => one['type'] === 'Healthy');
  const word =
    healthy === undefined ? 'Unknown' : healthy['status'] === 'True' ? 'Healthy' : 'Unhealthy';
  return [name(component), word, healthy?.['message'] ?? '', healthy?.['error'] ?? ''];
}

export const corePrinters: Printers = {
  '/pods': { columns: podColumns, cells: podCells },
  '/podtemplates': {
    columns: [nameColumn, column('Containers'), column('Images'), column('Pod Labels')],
    cells: (one) => [
      name(one),
      ...containerCells(one['template']),
      labelsText(one['template']?.metadata?.labels),
    ],
  },
  '/nodes': {
    columns: [
      nameColumn,
      column('Status'),
      column('Roles'),
      ageColumn,
      column('Version'),
      wide('Internal-IP'),
      wide('External-IP'),
      wide('OS-Image'),
      wide('Kernel-Version'),
      wide('Container-Runtime'),
    ],
    cells: nodeCells,
  },
  '/namespaces': {
    columns: columns('Status'),
    cells: (one, now) => [name(one), one['status']?.phase ?? '', created(one, now)],
  },
  '/services': {
    columns: [...columns('Type', 'Cluster-IP', 'External-IP', 'Port(s)'), wide('Selector')],
    cells: serviceCells,
  },
  '/endpoints': {
    columns: columns('Endpoints'),
    cells: (one, now) => [name(one), endpointsText(one), created(one, now)],
  },
  '/configmaps': {
    columns: columns('Data'),
    cells: (one, now) => [
      name(one),
      Object.keys(one['data'] ?? {}).length + Object.keys(one['binaryData'] ?? {}).length,
      created(one, now),
    ],
  },
  '/secrets': {
    columns: columns('Type', 'Data'),
    cells: (one, now) => [
      name(one),
      one['type'] ?? '',
      Object.keys(one['data'] ?? {}).length,
      created(one, now),
    ],
  },
  '/serviceaccounts': {
    columns: columns(),
    cells: (one, now) => [name(one), created(one, now)],
  },
  '/events': {
    columns: [
      column('Last Seen'),
      column('Type'),
      column('Reason'),
      column('Object'),
      wide('Subobject'),
      wide('Source'),
      column('Message'),
      wide('First Seen'),
      wide('Count'),
      { ...wide('Name'), format: 'name' },
    ],
    cells: eventCells,
  },
  '/resourcequotas': {
    columns: columns('Request', 'Limit'),
    cells: (one, now) => [
      name(one),
      quotaText(one, false),
      quotaText(one, true),
      created(one, now),
    ],
  },
  '/persistentvolumes': {
    columns: [
      ...columns(
        'Capacity',
        'Access Modes',
        'Reclaim Policy',
        'Status',
        'Claim',
        'StorageClass',
        'VolumeAttributesClass',
        'Reason',
      ),
      wide('VolumeMode'),
    ],
    cells: volumeCells,
  },
  '/persistentvolumeclaims': {
    columns: [
      ...columns(
        'Status',
        'Volume',
        'Capacity',
        'Access Modes',
        'StorageClass',
        'VolumeAttributesClass',
      ),
      wide('VolumeMode'),
    ],
    cells: claimCells,
  },
  '/componentstatuses': {
    columns: [nameColumn, column('Status'), column('Message'), column('Error')],
    cells: componentCells,
  },
  '/replicationcontrollers': {
    columns: [
      ...columns(integer('Desired'), integer('Current'), integer('Ready')),
      wide('Containers'),
      wide('Images'),
      wide('Selector'),
    ],
    cells: (one, now) => [
      name(one),
      one['spec']?.replicas ?? 0,
      one['status']?.replicas ?? 0,
      one['status']?.readyReplicas ?? 0,
      created(one, now),
      ...containerCells(one['spec']?.template),
      labelsText(one['spec']?.selector),
    ],
  },
};
