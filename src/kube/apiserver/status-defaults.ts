// What the status of an object says even where nobody said it: times that are not known are null, as Go
// writes them, and a certificate request's conditions are dated.
import { cloneJson } from '#base/clone.ts';
import { matchPodAddresses } from './computed-fields.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';

type Json = Record<string, unknown>;

/** Kind -> the times of its conditions. */
const conditionTimes: Readonly<Record<string, readonly string[]>> = {
  '/pods': ['lastProbeTime', 'lastTransitionTime'],
  '/namespaces': ['lastTransitionTime'],
  '/nodes': ['lastHeartbeatTime', 'lastTransitionTime'],
  '/persistentvolumeclaims': ['lastProbeTime', 'lastTransitionTime'],
  '/replicationcontrollers': ['lastTransitionTime'],
  'apps/daemonsets': ['lastTransitionTime'],
  'apps/deployments': ['lastUpdateTime', 'lastTransitionTime'],
  'apps/replicasets': ['lastTransitionTime'],
  'apps/statefulsets': ['lastTransitionTime'],
  'autoscaling/horizontalpodautoscalers': ['lastTransitionTime'],
  'batch/jobs': ['lastProbeTime', 'lastTransitionTime'],
  'flowcontrol.apiserver.k8s.io/flowschemas': ['lastTransitionTime'],
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': ['lastTransitionTime'],
};

/** Without labels of its own it has those of its pods. */
function fillLabels(object: KubeObject): void {
  const { labels } = (object['spec']?.template?.metadata ?? {}) as { labels?: object };
  if (labels === undefined || Object.keys(object.metadata.labels ?? {}).length > 0) return;
  Object.assign(object.metadata, { labels: cloneJson(labels) });
}

export function defaultStatus(
  info: ResourceInfo,
  object: KubeObject,
  now: string,
  live?: KubeObject,
): void {
  const key = `${info.group}/${info.resource}`;
  if (key === '/persistentvolumes') ((object['status'] ??= {}) as Json)['phase'] ||= 'Pending';
  if (key === '/namespaces') ((object['status'] ??= {}) as Json)['phase'] ||= 'Active';
  if (key === 'batch/jobs' || key === '/replicationcontrollers') fillLabels(object);
  const status = object['status'] as Json | undefined | null;
  if (status === undefined || status === null) return;
  if (key === '/nodes') fillNodeStatus(status);
  if (key === '/pods') matchPodAddresses(status);
  if (key === '/services') fillAddressModes(object['spec'], status);
  if (key === 'resource.k8s.io/resourceclaims') fillOperators(status);
  if (key === 'apiextensions.k8s.io/customresourcedefinitions')
    fillStored(object['spec'], status, live);
  const { conditions } = status;
  if (!Array.isArray(conditions)) return;
  const isRequest = key === 'certificates.k8s.io/certificatesigningrequests';
  for (const condition of conditions as Json[]) {
    for (const time of conditionTimes[key] ?? []) condition[time] ??= null;
    if (!isRequest) continue;
    condition['lastUpdateTime'] ??= now;
    condition['lastTransitionTime'] ??= lastTransition(condition, live) ?? now;
  }
}

/** Of the condition that was there, when it is what it was. */
function lastTransition({ type, status }: Json, live: KubeObject | undefined): unknown {
  const { conditions } = (live?.['status'] ?? {}) as Json;
  const all = Array.isArray(conditions) ? (conditions as Json[]) : [];
  const old = all.find((one) => one['type'] === type && one['status'] === status);
  return old?.['lastTransitionTime'];
}

/** A definition has something stored. */
function fillStored(spec: Json | undefined, status: Json, live: KubeObject | undefined): void {
  const { storedVersions } = status;
  if (Array.isArray(storedVersions) && storedVersions.length > 0) return;
  const { versions } = (spec ?? live?.['spec'] ?? {}) as {
    versions?: { name: string; storage?: boolean }[];
  };
  const stored = (versions ?? []).filter(({ storage }) => storage === true);
  status['storedVersions'] = stored.slice(0, 1).map(({ name }) => name);
}

function fillOperators({ allocation }: Json): void {
  const { results } = (((allocation ?? {}) as Json)['devices'] ?? {}) as Json;
  for (const { tolerations } of Array.isArray(results) ? (results as Json[]) : []) {
    for (const one of Array.isArray(tolerations) ? (tolerations as Json[]) : []) {
      one['operator'] ||= 'Equal';
    }
  }
}

/** Only services of that type have addresses of load balancers. */
function fillAddressModes(spec: unknown, { loadBalancer }: Json): void {
  if ((spec as Json | undefined)?.['type'] !== 'LoadBalancer') return;
  const { ingress } = (loadBalancer ?? {}) as Json;
  for (const address of Array.isArray(ingress) ? (ingress as Json[]) : []) {
    if (address['ip']) address['ipMode'] ??= 'VIP';
  }
}

const nodeInfo = [
  'architecture',
  'bootID',
  'containerRuntimeVersion',
  'kernelVersion',
  'kubeProxyVersion',
  'kubeletVersion',
  'machineID',
  'operatingSystem',
  'osImage',
  'systemUUID',
];

/** Also where a node says nothing, as Go writes what is never absent. */
export function fillNodeStatus(status: Json): void {
  if (status['capacity'] !== undefined) {
    if (Object.keys(status['allocatable'] ?? {}).length === 0)
      status['allocatable'] = cloneJson(status['capacity']);
  }
  const endpoints = (status['daemonEndpoints'] ??= {}) as Json;
  const kubelet = (endpoints['kubeletEndpoint'] ??= {}) as Json;
  kubelet['Port'] ??= 0;
  const info = (status['nodeInfo'] ??= {}) as Json;
  for (const field of nodeInfo) info[field] ??= '';
}
