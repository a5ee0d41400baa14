// Quotas: what an object uses of each resource, which quotas are about it, and arithmetic on lists of
// amounts, as pkg/quota/v1 of Kubernetes v1.37 has it.
import type { KubeObject } from './object.ts';
import { podResources } from './pod-resources.ts';
import { compareQuantities, formatQuantity, parseQuantity } from './quantity.ts';
import { attributesClassesOf, storageClaimUsage } from './quota-claims.ts';
import {
  deviceClaimUsage,
  deviceNames,
  isImplicitName,
  podOfClaim,
  type DeviceFacts,
} from './quota-devices.ts';
import { same } from '#base/same.ts';

type Json = Record<string, unknown>;
export type Amounts = Readonly<Record<string, string>>;

export interface Kind {
  readonly group: string;
  readonly resource: string;
  /** Of claims of devices. */
  readonly devices?: DeviceFacts | undefined;
}

const noDevices: DeviceFacts = { classes: [], pods: [], claims: [] };

export const isDeviceClaim = ({ group, resource }: Kind): boolean =>
  group === 'resource.k8s.io' && resource === 'resourceclaims';

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function combined(a: Amounts, b: Amounts, sign: 1n | -1n): Record<string, string> {
  const out: Record<string, string> = { ...a };
  for (const [name, amount] of Object.entries(b)) {
    const own = parseQuantity(amount);
    if (own === undefined) continue;
    const before = parseQuantity(out[name] ?? '0');
    const isNew = out[name] === undefined || (before?.nano ?? 0n) === 0n;
    const form = isNew ? own.form : (before?.form ?? own.form);
    out[name] = formatQuantity({ nano: (before?.nano ?? 0n) + sign * own.nano, form });
  }
  return out;
}

export const plus = (a: Amounts, b: Amounts): Record<string, string> => combined(a, b, 1n);

/** Never below zero. */
export function minus(a: Amounts, b: Amounts): Record<string, string> {
  const out = combined(a, b, -1n);
  return Object.fromEntries(
    Object.entries(out).map(([name, amount]) => [
      name,
      compareQuantities(amount, '0') < 0 ? '0' : amount,
    ]),
  );
}

export function masked(amounts: Amounts, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => names.includes(name)));
}

/** The names of which `a` has more than `b` allows. */
export function exceeding(a: Amounts, b: Amounts): string[] {
  return Object.entries(a)
    .filter(([name, amount]) => b[name] !== undefined && compareQuantities(amount, b[name]) > 0)
    .map(([name]) => name);
}

// ---- usage ----

const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');

function podUsage(pod: KubeObject): Record<string, string> {
  const used: Record<string, string> = { 'count/pods': '1' };
  const phase = pod['status']?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return used;
  used['pods'] = '1';
  const spec = (pod['spec'] ?? {}) as Json;
  const [requests, limits] = [podResources(spec, 'requests'), podResources(spec, 'limits')];
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    const [request, limit] = [requests[name], limits[name]];
    if (request !== undefined) {
      used[name] = request;
      used[`requests.${name}`] = request;
    }
    if (limit !== undefined) used[`limits.${name}`] = limit;
  }
  for (const [name, amount] of Object.entries(requests)) {
    if (name.startsWith('hugepages-')) used[name] = amount;
    const isExtended = !isNative(name) || isImplicitName(name);
    if (name.startsWith('hugepages-') || isExtended) used[`requests.${name}`] = amount;
  }
  return used;
}

function serviceUsage(service: KubeObject): Record<string, string> {
  const spec = (service['spec'] ?? {}) as Json;
  const ports = list(spec['ports']);
  const used: Record<string, string> = { services: '1', 'count/services': '1' };
  const isBalanced = spec['type'] === 'LoadBalancer';
  if (isBalanced) used['services.loadbalancers'] = '1';
  if (spec['type'] === 'NodePort' || isBalanced) {
    const isAllocated = !isBalanced || spec['allocateLoadBalancerNodePorts'] !== false;
    const count = isAllocated
      ? ports.length
      : ports.filter((one) => one['nodePort'] !== undefined).length;
    used['services.nodeports'] = String(count);
  }
  return used;
}

/** Kinds that had a count of their own before `count/…` did. */
const counted = new Set(['configmaps', 'secrets', 'replicationcontrollers', 'resourcequotas']);

/** What one object uses; every kind can be counted. */
export function usageOf(kind: Kind, object: KubeObject): Record<string, string> {
  const { group, resource, devices = noDevices } = kind;
  if (isDeviceClaim(kind)) {
    const pod = podOfClaim(object, devices);
    return deviceClaimUsage(object, devices.classes, pod === undefined ? {} : podUsage(pod));
  }
  if (group === '') {
    if (resource === 'pods') return podUsage(object);
    if (resource === 'services') return serviceUsage(object);
    if (resource === 'persistentvolumeclaims') return storageClaimUsage(object);
    if (counted.has(resource)) return { [resource]: '1', [`count/${resource}`]: '1' };
  }
  return { [`count/${resource}${group === '' ? '' : `.${group}`}`]: '1' };
}

const podNames = new Set([
  'pods',
  'count/pods',
  ...['cpu', 'memory', 'ephemeral-storage'].flatMap((name) => [
    name,
    `requests.${name}`,
    `limits.${name}`,
  ]),
]);

/** Those of the names that objects of the kind use. */
export function matchingNames(kind: Kind, names: readonly string[]): string[] {
  const { group, resource, devices = noDevices } = kind;
  if (isDeviceClaim(kind)) return deviceNames(names, devices.classes);
  return names.filter((name) => {
    const isCount = name === `count/${resource}${group === '' ? '' : `.${group}`}`;
    if (isCount) return true;
    if (group !== '') return false;
    if (resource === 'pods') {
      const isHuge = name.startsWith('hugepages-') || name.startsWith('requests.hugepages-');
      const isExtended = name.startsWith('requests.') && name.includes('/');
      return podNames.has(name) || isHuge || isExtended;
    }
    if (resource === 'services') return /^services(\.(loadbalancers|nodeports))?$/.test(name);
    if (resource === 'persistentvolumeclaims') {
      const isClass =
        /\.storageclass\.storage\.k8s\.io\/(persistentvolumeclaims|requests\.storage)$/.test(name);
      return name === resource || name === 'requests.storage' || isClass;
    }
    return counted.has(resource) && name === resource;
  });
}

// ---- scopes ----

export interface ScopeRequirement {
  readonly scopeName: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

export function requirementsOf(quota: KubeObject): ScopeRequirement[] {
  const { scopes = [], scopeSelector } = (quota['spec'] ?? {}) as {
    scopes?: string[];
    scopeSelector?: { matchExpressions?: ScopeRequirement[] };
  };
  const plain = scopes.map((scopeName) => ({ scopeName, operator: 'Exists' }));
  return [...plain, ...(scopeSelector?.matchExpressions ?? [])];
}

function isBestEffort(pod: KubeObject): boolean {
  const spec = (pod['spec'] ?? {}) as Json;
  return [...list(spec['containers']), ...list(spec['initContainers'])].every((container) => {
    const { requests = {}, limits = {} } = (container['resources'] ?? {}) as {
      requests?: Amounts;
      limits?: Amounts;
    };
    const amounts = [requests['cpu'], requests['memory'], limits['cpu'], limits['memory']];
    return amounts.every((one) => one === undefined || compareQuantities(one, '0') === 0);
  });
}

function crossesNamespaces(pod: KubeObject): boolean {
  const affinity = (pod['spec']?.affinity ?? {}) as Json;
  const terms = ['podAffinity', 'podAntiAffinity'].flatMap((key) => {
    const one = (affinity[key] ?? {}) as Json;
    const preferred = list(one['preferredDuringSchedulingIgnoredDuringExecution']);
    return [
      ...list(one['requiredDuringSchedulingIgnoredDuringExecution']),
      ...preferred.map((each) => each['podAffinityTerm'] as Json),
    ];
  });
  return terms.some(
    (term) => list(term['namespaces']).length > 0 || term['namespaceSelector'] !== undefined,
  );
}

function podMeets(
  pod: KubeObject,
  { scopeName, operator, values = [] }: ScopeRequirement,
): boolean {
  const spec = (pod['spec'] ?? {}) as Json;
  const isTerminating = Number(spec['activeDeadlineSeconds'] ?? -1) >= 0;
  switch (scopeName) {
    case 'Terminating':
      return isTerminating;
    case 'NotTerminating':
      return !isTerminating;
    case 'BestEffort':
      return isBestEffort(pod);
    case 'NotBestEffort':
      return !isBestEffort(pod);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(pod);
    case 'PriorityClass': {
      const name = String(spec['priorityClassName'] ?? '');
      if (operator === 'Exists') return name !== '';
      if (operator === 'DoesNotExist') return name === '';
      return operator === 'In' ? values.includes(name) : !values.includes(name);
    }
    default:
      return false;
  }
}

function claimMeets(
  claim: KubeObject,
  { scopeName, operator, values = [] }: ScopeRequirement,
): boolean {
  if (scopeName !== 'VolumeAttributesClass') return false;
  const classes = [...attributesClassesOf(claim)];
  if (operator === 'Exists') return classes.length > 0;
  if (operator === 'DoesNotExist') return classes.length === 0;
  if (operator === 'In') return classes.some((name) => values.includes(name));
  // One of them is enough, and none is not one of the values.
  return classes.length === 0 || classes.some((name) => !values.includes(name));
}

type Meets = (object: KubeObject, requirement: ScopeRequirement) => boolean;

/** undefined: objects of the kind are in no scope. */
function meetsOf({ group, resource }: Kind): Meets | undefined {
  if (group !== '') return undefined;
  if (resource === 'pods') return podMeets;
  return resource === 'persistentvolumeclaims' ? claimMeets : undefined;
}

/** Those that the object meets; only pods and claims of storage have scopes. */
export function matchedScopes(
  kind: Kind,
  object: KubeObject,
  requirements: readonly ScopeRequirement[],
): ScopeRequirement[] {
  const meets = meetsOf(kind);
  return meets === undefined ? [] : requirements.filter((one) => meets(object, one));
}

/** Whether the quota limits something that the object uses, and its scopes are the object's. */
export function quotaMatches(
  quota: KubeObject,
  kind: Kind,
  object: KubeObject,
  hard: Amounts,
): boolean {
  if (matchingNames(kind, Object.keys(hard)).length === 0) return false;
  const requirements = requirementsOf(quota);
  if (requirements.length === 0) return true;
  const meets = meetsOf(kind);
  return meets !== undefined && requirements.every((one) => meets(object, one));
}

/** Whether a pod's update can change what it is charged to. */
export function changesScopes(pod: KubeObject, old: KubeObject): boolean {
  const deadline = (one: KubeObject): unknown =>
    Number(one['spec']?.activeDeadlineSeconds ?? -1) >= 0;
  return !same(deadline(pod), deadline(old));
}

const demanded = [
  'cpu',
  'limits.cpu',
  'limits.memory',
  'memory',
  'requests.cpu',
  'requests.memory',
];

/** A quota of processors or memory wants every container to say what it needs. */
export function missingRequests(pod: KubeObject, names: readonly string[]): string | undefined {
  const spec = (pod['spec'] ?? {}) as Json;
  if (spec['resources'] !== undefined && Object.keys(spec['resources'] as Json).length > 0)
    return undefined;
  const missing = new Map<string, string[]>();
  for (const container of [...list(spec['containers']), ...list(spec['initContainers'])]) {
    const { requests = {}, limits = {} } = (container['resources'] ?? {}) as {
      requests?: Amounts;
      limits?: Amounts;
    };
    for (const name of demanded) {
      if (!names.includes(name)) continue;
      const plain = name.replace(/^(requests|limits)\./, '');
      const has = name.startsWith('limits.') ? limits[plain] : requests[plain];
      if (has === undefined)
        missing.set(name, [...(missing.get(name) ?? []), String(container['name'])]);
    }
  }
  if (missing.size === 0) return undefined;
  const texts = [...missing].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `must specify ${texts.map(([name, who]) => `${name} for: ${who.toSorted().join(',')}`).join('; ')}`;
}
