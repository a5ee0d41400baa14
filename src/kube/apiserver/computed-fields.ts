// Fields that upstream drops from what clients send, or fills in beside it, when an object is created or updated
// as a whole: forms of old versions, and what follows from other fields.
import type { KubeObject } from '#kube/meta/object.ts';
import { same } from '#base/same.ts';

type Json = Record<string, unknown>;

const HOST_NAME = 'kubernetes.io/hostname';

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function ownsData({ apiGroup = '', kind }: Json): boolean {
  if (kind === 'PersistentVolumeClaim') return apiGroup === '';
  return kind === 'VolumeSnapshot' && apiGroup === 'snapshot.storage.k8s.io';
}

/** A claim names its source twice; the older field knows claims and snapshots only. */
function settleDataSource(object: KubeObject, old: KubeObject | undefined): void {
  const spec = object['spec'] as Json;
  const before = (old?.['spec'] ?? {}) as Json;
  const had = before['dataSource'] ?? before['dataSourceRef'];
  const source = spec['dataSource'] as Json | undefined;
  const reference = spec['dataSourceRef'] as Json | undefined;
  if (had === undefined && reference === undefined && source !== undefined && !ownsData(source)) {
    delete spec['dataSource'];
    return;
  }
  matchDataSources(spec);
}

const sourceOf = ({ apiGroup, kind, name }: Json): Json => ({
  ...(apiGroup === undefined ? {} : { apiGroup }),
  kind,
  name,
});

/** Either field of a claim's source says the other, unless that is there or the source is in another namespace. */
function matchDataSources(spec: Json): void {
  const source = spec['dataSource'] as Json | undefined;
  const reference = spec['dataSourceRef'] as Json | undefined;
  if (source !== undefined && reference === undefined) spec['dataSourceRef'] = sourceOf(source);
  if (source === undefined && reference !== undefined && !reference['namespace']) {
    spec['dataSource'] = sourceOf(reference);
  }
}

/** As a claim is read that was written before there were two fields; Go writes null for the group of the core. */
export function inBothFields(spec: Json): void {
  for (const field of ['dataSource', 'dataSourceRef']) {
    const source = spec[field] as Json | null | undefined;
    if (source === null) delete spec[field];
    else if (source?.['apiGroup'] === null) delete source['apiGroup'];
  }
  matchDataSources(spec);
}

/** The topology of endpoints is that of the first version of slices, and not written by v1. */
function dropTopology(object: KubeObject, old: KubeObject | undefined): void {
  if (old !== undefined && same(object['endpoints'], old['endpoints'])) return;
  const topologyOf = (one: Json): Json => (one['deprecatedTopology'] ?? {}) as Json;
  const known = new Set(list(old?.['endpoints']).map((one) => topologyOf(one)[HOST_NAME]));
  for (const endpoint of list(object['endpoints'])) {
    const name = topologyOf(endpoint)[HOST_NAME];
    if (endpoint['nodeName'] === undefined && name !== undefined && known.has(name)) {
      endpoint['nodeName'] = name;
    }
    delete endpoint['deprecatedTopology'];
  }
}

function dropNodeConfiguration(object: KubeObject, old: KubeObject | undefined): void {
  const spec = (object['spec'] ?? {}) as Json;
  if ((old?.['spec'] as Json | undefined)?.['configSource'] === undefined) {
    delete spec['configSource'];
  }
}

const specOf = (one: KubeObject | undefined): Json => (one?.['spec'] ?? {}) as Json;
const devicesIn = (one: KubeObject | undefined): Json[] => list(specOf(one)['devices']);

/** Of slices: what holds fields that are off by default upstream, and the fields. */
const offInSlices: readonly (readonly [
  holders: (one: KubeObject | undefined) => Json[],
  fields: readonly string[],
])[] = [
  [
    (one) =>
      devicesIn(one).flatMap(({ attributes }) =>
        Object.values((attributes ?? {}) as Record<string, Json>),
      ),
    ['ints', 'bools', 'strings', 'versions'],
  ],
  [
    (one) => devicesIn(one).flatMap((device) => list(device['consumesCounters'])),
    ['compatibilityGroups'],
  ],
  [devicesIn, ['nodeAllocatableResources']],
  [(one) => [specOf(one)], ['partitionTypeAttribute']],
  [(one) => [specOf(one)], ['skipNodeOperations']],
];

/** They are kept where they are. */
function dropOffInSlices(object: KubeObject, old: KubeObject | undefined): void {
  for (const [holders, fields] of offInSlices) {
    const isUsed = (one: Json): boolean => fields.some((name) => one[name] !== undefined);
    if (holders(old).some(isUsed)) continue;
    for (const one of holders(object)) for (const name of fields) delete one[name];
  }
}

const settlers: Readonly<
  Record<string, (object: KubeObject, old: KubeObject | undefined) => void>
> = {
  '/persistentvolumeclaims': settleDataSource,
  'discovery.k8s.io/endpointslices': dropTopology,
  '/nodes': dropNodeConfiguration,
  'resource.k8s.io/resourceslices': dropOffInSlices,
};

/** `key`: group and resource. `old` is undefined for what is created. */
export function settleFields(key: string, object: KubeObject, old?: KubeObject): void {
  settlers[key]?.(object, old);
}

/** Phases that are there from the first moment, and so whenever nobody says another. */
const phases: Readonly<Record<string, string>> = {
  '/namespaces': 'Active',
  '/persistentvolumeclaims': 'Pending',
  '/persistentvolumes': 'Pending',
};

/** The one address of old clients is the first of the list. */
export function matchPodAddresses(status: Json): void {
  const [first] = list(status['podIPs']);
  const { podIP } = status;
  if (!podIP) {
    if (first?.['ip']) status['podIP'] = first['ip'];
  } else if (first?.['ip'] !== podIP) status['podIPs'] = [{ ip: podIP }];
}

/** Clients that know nothing of devices write back what they know of a status. */
const deviceStatuses = [
  'resourceClaimStatuses',
  'extendedResourceClaimStatus',
  'nodeAllocatableResourceClaimStatuses',
];

function keepPodStatus(status: Json, before: Json): void {
  matchPodAddresses(status);
  for (const field of deviceStatuses) {
    const had = before[field];
    if (had !== undefined) status[field] ??= had;
  }
  if (!status['qosClass'] && before['qosClass'] !== undefined) {
    status['qosClass'] = before['qosClass'];
  }
  if (before['observedGeneration'] !== undefined) {
    status['observedGeneration'] ||= before['observedGeneration'];
  }
  const earlier = [...list(before['conditions'])];
  for (const condition of list(status['conditions'])) {
    // There may be several of a type: each stands for one that was there.
    const at = earlier.findIndex(({ type }) => type === condition['type']);
    const [old] = at === -1 ? [] : earlier.splice(at, 1);
    const generation = old?.['observedGeneration'];
    if (generation !== undefined) condition['observedGeneration'] ||= generation;
  }
}

const deviceOf = ({ driver, pool, device, shareID }: Json): string =>
  JSON.stringify([driver, pool, device, shareID]);

function devicesOf({ status }: KubeObject): ReadonlySet<string> {
  const { allocation } = (status ?? {}) as Json;
  const { results } = (((allocation ?? {}) as Json)['devices'] ?? {}) as Json;
  return new Set(list(results).map(deviceOf));
}

/** Devices that are a claim's no more have no status in it. */
function dropDeallocated(object: KubeObject, old: KubeObject): void {
  const status = object['status'] as Json | undefined;
  if (status?.['devices'] === undefined) return;
  const [now, before] = [devicesOf(object), devicesOf(old)];
  const kept = list(status['devices']).filter((one) => {
    const device = deviceOf(one);
    return now.has(device) || !before.has(device);
  });
  if (kept.length > 0) status['devices'] = kept;
  else delete status['devices'];
}

/** What was decided of a request for a certificate stays as it was, where as much of it is there as before. */
function keepDecisions(object: KubeObject, old: KubeObject): void {
  const conditions = list(object['status']?.conditions);
  const before = list(old['status']?.conditions);
  for (const type of ['Approved', 'Denied']) {
    const own = conditions.flatMap((one, i) => (one['type'] === type ? [i] : []));
    const kept = before.filter((one) => one['type'] === type);
    if (own.length === kept.length) own.forEach((at, i) => (conditions[at] = kept[i] ?? {}));
  }
}

/** What a status keeps, or says by itself, when it is written at its own endpoint. */
export function settleStatus(key: string, object: KubeObject, old: KubeObject): void {
  if (key === 'certificates.k8s.io/certificatesigningrequests') keepDecisions(object, old);
  if (key === 'resource.k8s.io/resourceclaims') dropDeallocated(object, old);
  const phase = phases[key];
  if (phase === undefined && key !== '/pods') return;
  const status = (object['status'] ??= {}) as Json;
  if (phase === undefined) keepPodStatus(status, (old['status'] ?? {}) as Json);
  else if (!status['phase']) status['phase'] = phase;
}

/** Pods that nobody may schedule yet say so from the start. */
export function markGated(object: KubeObject, now: string): void {
  if (list((object['spec'] as Json)['schedulingGates']).length === 0) return;
  const status = object['status'] as Json;
  status['conditions'] = [
    {
      type: 'PodScheduled',
      status: 'False',
      lastProbeTime: null,
      lastTransitionTime: now,
      reason: 'SchedulingGated',
      message: 'Scheduling is blocked due to non-empty scheduling gates',
    },
  ];
}
