// What of a service stays when an update does not name it, and what goes with the type that it was for
// (kube-apiserver v1.37, registry/core/service: patchAllocatedValues, dropTypeDependentFields).
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { keepNodePorts, needsHealthCheck } from './node-ports.ts';

type Json = Record<string, unknown>;

const isExternal = ({ type }: Json): boolean => type === 'ExternalName';
const isBalanced = ({ type }: Json): boolean => type === 'LoadBalancer';
const isReachable = (spec: Json): boolean =>
  isBalanced(spec) ||
  spec['type'] === 'NodePort' ||
  (spec['type'] === 'ClusterIP' && ((spec['externalIPs'] ?? []) as unknown[]).length > 0);

/** What only services of some kinds have goes with the kind, unless the client has changed it. */
const dependent: readonly (readonly [string, (spec: Json) => boolean])[] = [
  ['healthCheckNodePort', needsHealthCheck],
  ['allocateLoadBalancerNodePorts', isBalanced],
  ['loadBalancerClass', isBalanced],
  ['externalTrafficPolicy', isReachable],
];

const addressed = ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'];

export function keepService(next: KubeObject, old: KubeObject): void {
  const [spec, before] = [next['spec'] as Json, old['spec'] as Json];
  if (isExternal(spec)) {
    if (!isExternal(before)) {
      for (const field of [...addressed, 'internalTrafficPolicy']) delete spec[field];
    }
  } else {
    // Who names another address means the first of them.
    const [other, all] = [spec['clusterIP'], spec['clusterIPs'] as unknown[] | undefined];
    if (other && other !== before['clusterIP'] && same(all, before['clusterIPs'])) {
      spec['clusterIPs'] = [other, ...(all ?? []).slice(1)];
    }
    for (const field of addressed) {
      if (spec[field] === undefined && before[field] !== undefined) spec[field] = before[field];
    }
    if (needsHealthCheck(before) && needsHealthCheck(spec)) {
      spec['healthCheckNodePort'] ||= before['healthCheckNodePort'];
    }
    keepNodePorts(spec, before);
  }
  const gone = dependent.filter(
    ([field, has]) => has(before) && !has(spec) && same(spec[field], before[field]),
  );
  for (const [field] of gone) delete spec[field];
}
