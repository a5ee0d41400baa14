// What of a service stays when an update does not name it, and what goes with the type that it was for
// (kube-apiserver v1.37, registry/core/service: patchAllocatedValues, dropTypeDependentFields).
import { same } from '#base/same.ts';
import { familyOf } from '#kube/meta/ip-ranges.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { dropNodePorts, keepNodePorts, needsHealthCheck } from './node-ports.ts';

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

const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? (value as string[]) : [];

const sameAddresses = (spec: Json, before: Json): boolean =>
  same(textsOf(spec['clusterIPs']), textsOf(before['clusterIPs']));

/** As a service is read that was written before there were addresses of two families (kubernetes before v1.20). */
export function inFull(spec: Json): Json {
  const { clusterIP } = spec;
  if (!clusterIP || isExternal(spec) || textsOf(spec['clusterIPs']).length > 0) return spec;
  const family = familyOf(String(clusterIP));
  const families =
    clusterIP === 'None' ? {} : { ipFamilies: [family], ipFamilyPolicy: 'SingleStack' };
  return { ...families, ...spec, clusterIPs: [clusterIP] };
}

/** What the server has given out need not be said again: addresses, node ports, the port of health checks. */
export function keepAllocated(spec: Json, before: Json): void {
  if (!isExternal(spec) && !isExternal(before)) {
    if (!spec['clusterIP'] && before['clusterIP']) spec['clusterIP'] = before['clusterIP'];
    const had = textsOf(before['clusterIPs']);
    if (textsOf(spec['clusterIPs']).length === 0 && had.length > 0) spec['clusterIPs'] = [...had];
  }
  if (needsHealthCheck(before) && needsHealthCheck(spec)) {
    spec['healthCheckNodePort'] ||= before['healthCheckNodePort'];
  }
  keepNodePorts(spec, before);
}

/** Who says one address means the first of all; `before` is the spec of a service that is there. */
export function settleAddresses(spec: Json, before: Json | undefined): void {
  const given = (spec['clusterIP'] ?? '') as string;
  const all = textsOf(spec['clusterIPs']);
  if (before === undefined) {
    if (given !== '' && all.length === 0) spec['clusterIPs'] = [given];
    return;
  }
  const had = (before['clusterIP'] ?? '') as string;
  if (given === had) {
    const known = textsOf(before['clusterIPs']);
    if (all.length === 0 && known.length > 0) spec['clusterIPs'] = [...known];
  } else if (sameAddresses(spec, before)) {
    if (given === '') delete spec['clusterIPs'];
    else spec['clusterIPs'] = [given];
  }
}

/** A name outside has no traffic inside. Who says a policy all the same may, if it is one: older clients do. */
export function dropInnerPolicy(spec: Json): void {
  const policy = spec['internalTrafficPolicy'];
  if (isExternal(spec) && (policy === 'Cluster' || policy === 'Local')) {
    delete spec['internalTrafficPolicy'];
  }
}

/** Takes away what the new type of a service has no use for, if the client has not changed it. */
export function dropForeign(next: KubeObject, before: Json): void {
  const spec = next['spec'] as Json;
  if (isExternal(spec) && !isExternal(before)) {
    const isSame = (spec['clusterIP'] ?? '') === (before['clusterIP'] ?? '');
    if (isSame && sameAddresses(spec, before)) {
      delete spec['clusterIP'];
      delete spec['clusterIPs'];
    }
    for (const field of ['ipFamilies', 'ipFamilyPolicy']) {
      if (same(spec[field], before[field])) delete spec[field];
    }
    delete spec['internalTrafficPolicy'];
  }
  dropInnerPolicy(spec);
  dropNodePorts(spec, before);
  const gone = dependent.filter(
    ([field, has]) => has(before) && !has(spec) && same(spec[field], before[field]),
  );
  for (const [field] of gone) delete spec[field];
  // Whoever has made the balancer is still at it, but clients need not know.
  if (!isBalanced(spec) && next['status'] !== undefined) {
    next['status'] = { ...(next['status'] as Json), loadBalancer: {} };
  }
}
