// Tables of storage and of resources that drivers hand out.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  boolean,
  columns,
  created,
  integer,
  list,
  name,
  nameColumn,
  type Printers,
} from './cells.ts';
import { age, column } from './columns.ts';

const defaultAnnotations = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

/** Of several default classes the one made last, and of those the first by name. */
function defaultClass(classes: readonly KubeObject[]): KubeObject | undefined {
  const made = (one: KubeObject): number => Date.parse(String(one.metadata.creationTimestamp));
  return classes
    .filter(({ metadata }) =>
      defaultAnnotations.some((key) => metadata.annotations?.[key] === 'true'),
    )
    .toSorted((a, b) => made(b) - made(a) || (name(a) < name(b) ? -1 : 1))[0];
}

function driverCells(driver: KubeObject, now: number): unknown[] {
  const spec = driver['spec'] ?? {};
  const { tokenRequests } = spec;
  return [
    name(driver),
    spec.attachRequired ?? true,
    spec.podInfoOnMount ?? false,
    spec.storageCapacity ?? false,
    tokenRequests === undefined
      ? '<unset>'
      : list(tokenRequests)
          .map((one) => String(one['audience'] ?? ''))
          .join(','),
    spec.requiresRepublish ?? false,
    (spec.volumeLifecycleModes ?? []).join(',') || '<none>',
    created(driver, now),
  ];
}

function claimState(claim: KubeObject): string {
  const isDeleted = claim.metadata.deletionTimestamp !== undefined;
  const { allocation, reservedFor } = claim['status'] ?? {};
  const states = isDeleted ? ['deleted'] : [];
  if (allocation === undefined) return [...states, ...(isDeleted ? [] : ['pending'])].join(',');
  states.push('allocated');
  if (list(reservedFor).length > 0) states.push('reserved');
  return states.join(',');
}

/** Sums over the pools of a request, as text; `-` before anything is known, or when it failed. */
function poolCells(request: KubeObject, now: number): unknown[] {
  const status = request['status'];
  const pools = list(status?.pools);
  const conditions = list(status?.conditions).filter((one) => one['status'] === 'True');
  const over = conditions.find((one) => one['type'] === 'Complete' || one['type'] === 'Failed');
  const poolCount = Number(status?.poolCount ?? 0);
  const isCut = over?.['type'] === 'Complete' && poolCount > pools.length;
  const word = String(over?.['type'] ?? 'Pending');
  const isKnown = status !== undefined && over?.['type'] !== 'Failed';
  const sum = (field: string): string =>
    isKnown ? String(pools.reduce((all, pool) => all + Number(pool[field] ?? 0), 0)) : '-';
  const errors = pools.filter((pool) => pool['validationError'] !== undefined).length;
  return [
    name(request),
    request['spec']?.driver ?? '',
    sum('totalDevices'),
    sum('availableDevices'),
    sum('allocatedDevices'),
    sum('unavailableDevices'),
    isKnown ? String(errors) : '-',
    poolCount,
    isCut ? `${word} (${pools.length}/${poolCount} pools)` : word,
    word === 'Complete' ? age(over?.['lastTransitionTime'], now) : '<none>',
  ];
}

export const storagePrinters: Printers = {
  'storage.k8s.io/storageclasses': {
    columns: columns('Provisioner', 'ReclaimPolicy', 'VolumeBindingMode', 'AllowVolumeExpansion'),
    cells: (one, now, all) => [
      name(one) + (defaultClass(all) === one ? ' (default)' : ''),
      one['provisioner'],
      one['reclaimPolicy'] ?? 'Delete',
      one['volumeBindingMode'] ?? 'Immediate',
      one['allowVolumeExpansion'] ?? false,
      created(one, now),
    ],
  },
  'storage.k8s.io/volumeattributesclasses': {
    columns: columns('DriverName'),
    cells: (one, now) => [name(one), one['driverName'], created(one, now)],
  },
  'storage.k8s.io/volumeattachments': {
    columns: columns({ ...column('Attacher'), format: 'name' }, 'PV', 'Node', boolean('Attached')),
    cells: (one, now) => [
      name(one),
      one['spec']?.attacher ?? '',
      one['spec']?.source?.persistentVolumeName ?? '',
      one['spec']?.nodeName ?? '',
      one['status']?.attached ?? false,
      created(one, now),
    ],
  },
  'storage.k8s.io/csinodes': {
    columns: columns(integer('Drivers')),
    cells: (one, now) => [name(one), list(one['spec']?.drivers).length, created(one, now)],
  },
  'storage.k8s.io/csidrivers': {
    columns: columns(
      boolean('AttachRequired'),
      boolean('PodInfoOnMount'),
      boolean('StorageCapacity'),
      'TokenRequests',
      boolean('RequiresRepublish'),
      'Modes',
    ),
    cells: driverCells,
  },
  'resource.k8s.io/deviceclasses': {
    columns: columns(),
    cells: (one, now) => [name(one), created(one, now)],
  },
  'resource.k8s.io/resourceclaims': {
    columns: columns('State'),
    cells: (one, now) => [name(one), claimState(one), created(one, now)],
  },
  'resource.k8s.io/resourceclaimtemplates': {
    columns: columns(),
    cells: (one, now) => [name(one), created(one, now)],
  },
  'resource.k8s.io/resourceslices': {
    columns: columns('Node', 'Driver', 'Pool'),
    cells: (one, now) => [
      name(one),
      one['spec']?.nodeName ?? '',
      one['spec']?.driver ?? '',
      one['spec']?.pool?.name ?? '',
      created(one, now),
    ],
  },
  'resource.k8s.io/devicetaintrules': {
    columns: columns('Key', 'Value', 'Effect', 'TimeAdded'),
    cells: (one, now) => {
      const { key = '', value = '', effect = '', timeAdded } = one['spec']?.taint ?? {};
      const added = timeAdded === undefined ? '' : age(timeAdded, now);
      return [name(one), key, value, effect, added, created(one, now)];
    },
  },
  'resource.k8s.io/resourcepoolstatusrequests': {
    columns: [
      nameColumn,
      ...['Driver', 'Total', 'Available', 'Allocated', 'Unavailable', 'Errors'].map((one) =>
        column(one),
      ),
      integer('Pools'),
      column('Status'),
      column('Completed'),
    ],
    cells: poolCells,
  },
};
