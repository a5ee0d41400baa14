// Decides which addresses stand behind a service: EndpointSlices, and the older Endpoints. Pure.
import { endpoints as endpointsResource } from '#kube/client/resources.ts';
import { timestamp } from '#kube/meta/conditions.ts';
import type { Decision, Effect } from '#kube/controllers/effects.ts';
import { same } from '#base/same.ts';
import { isControlledBy } from '#kube/controllers/owners.ts';
import { isGoing, isPodOver, isPodReady } from '#kube/controllers/pod-facts.ts';
import { canonicalAddress, familyOf } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { byName, MANAGED_BY, SERVICE_NAME, settleSlices, type WantedSlice } from './slices.ts';

export const MANAGER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';
const TRIGGER = 'endpoints.kubernetes.io/last-change-trigger-time';
const CAPACITY = 'endpoints.kubernetes.io/over-capacity';
const SLICE_MAX = 100;
const ENDPOINTS_MAX = 1_000;

interface ServicePort {
  readonly name?: string | undefined;
  readonly protocol?: string | undefined;
  readonly port: number;
  readonly targetPort?: number | string | undefined;
  readonly appProtocol?: string | undefined;
}

interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

export interface EndpointPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number | null;
  readonly appProtocol?: string | undefined;
}

export interface ServiceSnapshot {
  readonly service: KubeObject;
  /** Those its selector matches. */
  readonly pods: readonly KubeObject[];
  /** Those with its label. */
  readonly slices: readonly KubeObject[];
  readonly endpoints: KubeObject | undefined;
  readonly nodes: (name: string) => KubeObject | undefined;
}

/** The number of a service's port on one pod; undefined when the pod has no port of that name. */
export function targetPort(pod: KubeObject, port: ServicePort): number | undefined {
  const wanted = port.targetPort ?? port.port;
  if (typeof wanted === 'number') return wanted === 0 ? port.port : wanted;
  const { containers = [], initContainers = [] } = pod['spec'] ?? {};
  const sidecars = initContainers.filter((one: KubeObject) => one['restartPolicy'] === 'Always');
  for (const container of [...containers, ...sidecars] as { ports?: readonly ContainerPort[] }[]) {
    const found = (container.ports ?? []).find(
      (one) => one.name === wanted && (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'),
    );
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

function portsFor(service: KubeObject, pod: KubeObject): EndpointPort[] {
  return ((service['spec'].ports ?? []) as readonly ServicePort[]).flatMap((port) => {
    const number = targetPort(pod, port);
    if (number === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = port;
    return [
      { name, protocol, port: number, ...(appProtocol === undefined ? {} : { appProtocol }) },
    ];
  });
}

/** In the one form that slices take. */
function addressesOf(pod: KubeObject): string[] {
  const { podIP, podIPs } = pod['status'] ?? {};
  const all = ((podIPs ?? []) as { ip: string }[]).map(({ ip }) => ip);
  if (all.length === 0 && typeof podIP === 'string' && podIP !== '') all.push(podIP);
  return all.map(canonicalAddress);
}

function familiesOf(service: KubeObject): readonly string[] {
  const families = (service['spec'].ipFamilies ?? []) as string[];
  return families.length > 0 ? families : ['IPv4'];
}

function targetRef(pod: KubeObject) {
  const { namespace, name, uid } = pod.metadata;
  return { kind: 'Pod', namespace, name, uid };
}

/** The name by which a pod of a headless service is found, when it has asked for one. */
function hostnameOf(service: KubeObject, pod: KubeObject): { hostname?: string } {
  const { hostname, subdomain } = pod['spec'] ?? {};
  return hostname && subdomain === service.metadata.name ? { hostname } : {};
}

function endpointFor(
  { service, nodes }: ServiceSnapshot,
  pod: KubeObject,
  ip: string,
): Record<string, unknown> {
  const terminating = isGoing(pod);
  const serving = isPodReady(pod);
  const publishes = service['spec'].publishNotReadyAddresses === true;
  const ready = publishes || (serving && !terminating);
  const nodeName = pod['spec']?.nodeName as string | undefined;
  const zone =
    nodeName === undefined
      ? undefined
      : nodes(nodeName)?.metadata.labels?.['topology.kubernetes.io/zone'];
  return {
    addresses: [ip],
    conditions: { ready, serving: publishes || serving, terminating },
    ...hostnameOf(service, pod),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: targetRef(pod),
    ...(zone === undefined ? {} : { zone }),
  };
}

/** Pods whose named ports have other numbers stand in slices of their own. */
function wantedSlices(snapshot: ServiceSnapshot): WantedSlice[] {
  const { service } = snapshot;
  const wanted: WantedSlice[] = [];
  const pods = snapshot.pods.filter((pod) => !isPodOver(pod)).toSorted(byName);
  for (const addressType of familiesOf(service)) {
    const groups = new Map<
      string,
      { ports: EndpointPort[]; endpoints: Record<string, unknown>[] }
    >();
    for (const pod of pods) {
      const ip = addressesOf(pod).find((one) => familyOf(one) === addressType);
      if (ip === undefined) continue;
      const ports = portsFor(service, pod);
      const key = JSON.stringify(ports);
      const group = groups.get(key) ?? { ports, endpoints: [] };
      groups.set(key, group);
      group.endpoints.push(endpointFor(snapshot, pod, ip));
    }
    // That nobody stands behind a service is said, too.
    if (groups.size === 0) wanted.push({ addressType, ports: [], endpoints: [] });
    for (const { ports, endpoints } of groups.values()) {
      for (let start = 0; start < endpoints.length; start += SLICE_MAX) {
        wanted.push({ addressType, ports, endpoints: endpoints.slice(start, start + SLICE_MAX) });
      }
    }
  }
  return wanted;
}

function sliceLabels(service: KubeObject): Record<string, string> {
  const labels: Record<string, string> = { ...service.metadata.labels };
  labels[SERVICE_NAME] = service.metadata.name ?? '';
  labels[MANAGED_BY] = MANAGER;
  if (service['spec'].clusterIP === 'None') labels[HEADLESS] = '';
  return labels;
}

function sliceEffects(snapshot: ServiceSnapshot, time: string): Effect[] {
  const { service } = snapshot;
  return settleSlices({
    owner: service,
    own: snapshot.slices.filter(
      (slice) => slice.metadata.labels?.[MANAGED_BY] === MANAGER && isOurs(slice, service),
    ),
    wanted: wantedSlices(snapshot),
    labels: sliceLabels(service),
    annotations: { [TRIGGER]: time },
  });
}

/** A slice of a service of this name that was there before is not. */
function isOurs(slice: KubeObject, service: KubeObject): boolean {
  const owners = slice.metadata.ownerReferences ?? [];
  return owners.length === 0 || isControlledBy(slice, service);
}

interface Subset {
  readonly addresses: Record<string, unknown>[];
  readonly notReadyAddresses: Record<string, unknown>[];
  readonly ports: readonly Record<string, unknown>[];
}

export function subsetsOf(
  service: KubeObject,
  pods: readonly KubeObject[],
): Record<string, unknown>[] {
  const [wanted = 'IPv4'] = familiesOf(service);
  const publishes = service['spec'].publishNotReadyAddresses === true;
  const groups = new Map<string, Subset>();
  let count = 0;
  for (const pod of pods.toSorted(byName)) {
    const ip = addressesOf(pod).find((one) => familyOf(one) === wanted);
    if (ip === undefined || isPodOver(pod) || (isGoing(pod) && !publishes)) continue;
    count += 1;
    if (count > ENDPOINTS_MAX) break;
    const ports = portsFor(service, pod).map(({ name, ...rest }) =>
      name === '' ? rest : { name, ...rest },
    );
    const key = JSON.stringify(ports);
    const subset = groups.get(key) ?? { addresses: [], notReadyAddresses: [], ports };
    groups.set(key, subset);
    const nodeName = pod['spec']?.nodeName as string | undefined;
    const address = {
      ip,
      ...hostnameOf(service, pod),
      ...(nodeName === undefined ? {} : { nodeName }),
      targetRef: targetRef(pod),
    };
    (publishes || isPodReady(pod) ? subset.addresses : subset.notReadyAddresses).push(address);
  }
  return [...groups.values()].map(({ addresses, notReadyAddresses, ports }) => ({
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  }));
}

function endpointsEffects(snapshot: ServiceSnapshot, time: string): Effect[] {
  const { service, endpoints, pods } = snapshot;
  const { name, namespace } = service.metadata;
  const subsets = subsetsOf(service, pods);
  const labels: Record<string, string> = {
    ...service.metadata.labels,
    'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
    ...(service['spec'].clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
  };
  const over = pods.length > ENDPOINTS_MAX ? { [CAPACITY]: 'truncated' } : {};
  const annotations = { [TRIGGER]: time, ...over };
  if (endpoints === undefined) {
    const object = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        ...(name === undefined ? {} : { name }),
        ...(namespace === undefined ? {} : { namespace }),
        labels,
        annotations,
      },
      subsets,
    };
    return [{ kind: 'create', resource: endpointsResource, object, mayExist: true }];
  }
  const isRight =
    same(endpoints['subsets'] ?? [], subsets) && same(endpoints.metadata.labels ?? {}, labels);
  if (isRight) return [];
  const metadata = {
    ...endpoints.metadata,
    labels,
    annotations: { ...endpoints.metadata.annotations, ...annotations },
  };
  return [
    { kind: 'update', resource: endpointsResource, object: { ...endpoints, metadata, subsets } },
  ];
}

export function reconcileService(
  snapshot: ServiceSnapshot,
  now: number,
  isCurrent = true,
): Decision {
  const { service } = snapshot;
  const { selector, type } = service['spec'] ?? {};
  const hasSelector = selector !== undefined && Object.keys(selector).length > 0;
  if (!hasSelector || type === 'ExternalName' || isGoing(service)) return { effects: [] };
  const time = timestamp(now);
  return {
    effects: [
      ...(isCurrent ? sliceEffects(snapshot, time) : []),
      ...endpointsEffects(snapshot, time),
    ],
  };
}
