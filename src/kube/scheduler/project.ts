// Projects API objects to the slim types of the scheduler, as they enter its cache.
import type { KubeObject } from '#kube/meta/object.ts';
import { extendedRequests, podRequests } from './requests.ts';
import type {
  HostPort,
  NodeSelectorTerm,
  PreferredTerm,
  Requirement,
  SchedulingPod,
  Taint,
  Toleration,
} from './types.ts';

type Json = Readonly<Record<string, unknown>>;

const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function requirement(value: Json): Requirement {
  const values = Array.isArray(value['values']) ? value['values'].map(String) : [];
  return { key: text(value['key']), operator: text(value['operator']), values };
}

function term(value: Json): NodeSelectorTerm {
  return {
    matchExpressions: list(value['matchExpressions']).map(requirement),
    matchFields: list(value['matchFields']).map(requirement),
  };
}

function preferred(value: Json): PreferredTerm {
  const preference = (value['preference'] ?? {}) as Json;
  return { weight: Number(value['weight'] ?? 0), term: term(preference) };
}

function toleration(value: Json): Toleration {
  return {
    key: text(value['key']),
    operator: text(value['operator']) || 'Equal',
    value: text(value['value']),
    effect: text(value['effect']),
  };
}

export function taintOf(value: Json): Taint {
  return {
    key: text(value['key']),
    value: text(value['value']),
    effect: text(value['effect']),
  };
}

function hostPortsOf(spec: Json): HostPort[] {
  const containers = [...list(spec['containers']), ...list(spec['initContainers'])];
  const found: HostPort[] = [];
  for (const container of containers) {
    for (const port of list(container['ports'])) {
      const number = spec['hostNetwork'] === true ? port['containerPort'] : port['hostPort'];
      if (typeof number !== 'number' || number === 0) continue;
      const protocol = text(port['protocol']) || 'TCP';
      found.push({ protocol, hostIp: text(port['hostIP']), port: number });
    }
  }
  return found;
}

export function projectPod(pod: KubeObject): SchedulingPod {
  const spec = (pod['spec'] ?? {}) as Json;
  const affinity = ((spec['affinity'] ?? {}) as Json)['nodeAffinity'] as Json | undefined;
  const required = affinity?.['requiredDuringSchedulingIgnoredDuringExecution'] as Json | undefined;
  const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
  return {
    uid: pod.metadata.uid ?? '',
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    priority: typeof spec['priority'] === 'number' ? spec['priority'] : 0,
    createdAt: Date.parse(pod.metadata.creationTimestamp ?? '') || 0,
    requests: podRequests(pod),
    extended: extendedRequests(pod),
    hostPorts: hostPortsOf(spec),
    nodeName: text(spec['nodeName']) || undefined,
    nodeSelector: (spec['nodeSelector'] ?? {}) as Record<string, string>,
    requiredTerms:
      required === undefined ? undefined : list(required['nodeSelectorTerms']).map(term),
    preferredTerms: list(affinity?.['preferredDuringSchedulingIgnoredDuringExecution']).map(
      preferred,
    ),
    tolerations: list(spec['tolerations']).map(toleration),
    spreadKey: owner?.uid ?? '',
  };
}
