// The class of service of a pod, by what it requests and is limited to (kube-apiserver v1.37).
import { list, record, type Json } from './field-rules.ts';
import { hasPodLevelResources } from './pod-level-resources.ts';
import { compareQuantities } from './quantity.ts';

export type QosClass = 'BestEffort' | 'Guaranteed' | 'Burstable';

function classOf(resources: unknown): QosClass {
  const { requests, limits } = record(resources);
  const each = ['cpu', 'memory'].map((name): QosClass => {
    const [request, limit] = [record(requests)[name] ?? '0', record(limits)[name] ?? '0'];
    if (compareQuantities(request, limit) !== 0) return 'Burstable';
    return compareQuantities(request, '0') === 0 ? 'BestEffort' : 'Guaranteed';
  });
  return common(each);
}

function common(classes: readonly QosClass[]): QosClass {
  const [first = 'BestEffort'] = classes;
  return classes.every((one) => one === first) ? first : 'Burstable';
}

export function qosClass(spec: Json | undefined): QosClass {
  if (spec === undefined) return 'BestEffort';
  if (hasPodLevelResources(spec)) return classOf(spec['resources']);
  const containers = [...list(spec['initContainers']), ...list(spec['containers'])];
  return common(containers.map(({ resources }) => classOf(resources)));
}
