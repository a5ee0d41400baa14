// LimitRanger: containers get the requests and limits that their namespace gives by default, and what is
// below the minimum, above the maximum or out of proportion is refused.
import { compareQuantities, formatQuantity, parseQuantity } from '#kube/meta/quantity.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { podResources } from '#kube/meta/pod-resources.ts';
import {
  forbiddenBy,
  isOf,
  isPodCreation,
  type AdmissionPlugin,
  type AdmissionRequest,
  type AdmissionServices,
  type Json,
} from './request.ts';

type Amounts = Readonly<Record<string, string>>;

interface Limit {
  readonly type: string;
  readonly min?: Amounts;
  readonly max?: Amounts;
  readonly default?: Amounts;
  readonly defaultRequest?: Amounts;
  readonly maxLimitRequestRatio?: Amounts;
}

const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);

function limitsOf(range: KubeObject): readonly Limit[] {
  return (range['spec']?.limits ?? []) as Limit[];
}

function amountsOf(container: Json, which: 'requests' | 'limits'): Record<string, string> {
  const resources = (container['resources'] ?? {}) as Json;
  return (resources[which] ?? {}) as Record<string, string>;
}

/** The names of what was set. */
function fill(container: Json, which: 'requests' | 'limits', defaults: Amounts): string[] {
  const amounts = amountsOf(container, which);
  const set = Object.keys(defaults).filter((name) => amounts[name] === undefined);
  if (set.length === 0) return [];
  const all = { ...amounts, ...Object.fromEntries(set.map((name) => [name, defaults[name]])) };
  container['resources'] = { ...(container['resources'] as Json | undefined), [which]: all };
  return set.toSorted();
}

function setDefaults(pod: KubeObject, range: KubeObject): void {
  const own = limitsOf(range).filter(({ type }) => type === 'Container');
  const requests = Object.assign({}, ...own.map((one) => one.defaultRequest ?? {})) as Amounts;
  const limits = Object.assign({}, ...own.map((one) => one.default ?? {})) as Amounts;
  const notes: string[] = [];
  const spec = pod['spec'] as Json;
  for (const [key, what] of [
    ['containers', 'container'],
    ['initContainers', 'init container'],
  ] as const) {
    for (const container of list(spec[key])) {
      const name = String(container['name']);
      const setLimits = fill(container, 'limits', limits);
      const setRequests = fill(container, 'requests', requests);
      if (setRequests.length > 0)
        notes.push(`${setRequests.join(', ')} request for ${what} ${name}`);
      if (setLimits.length > 0) notes.push(`${setLimits.join(', ')} limit for ${what} ${name}`);
    }
  }
  if (notes.length === 0) return;
  const text = `LimitRanger plugin set: ${notes.join('; ')}`;
  pod.metadata.annotations = { ...pod.metadata.annotations, 'kubernetes.io/limit-ranger': text };
}

interface Measured {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

const shown = (amount: string): string => {
  const parsed = parseQuantity(amount);
  return parsed === undefined ? amount : formatQuantity(parsed);
};

function below(
  type: string,
  name: string,
  least: string,
  { requests, limits }: Measured,
): string | undefined {
  const head = `minimum ${name} usage per ${type} is ${shown(least)}`;
  const [request, limit] = [requests[name], limits[name]];
  if (request === undefined) return `${head}.  No request is specified`;
  if (compareQuantities(request, least) < 0) return `${head}, but request is ${shown(request)}`;
  if (limit !== undefined && compareQuantities(limit, least) < 0)
    return `${head}, but limit is ${shown(limit)}`;
  return undefined;
}

function above(
  type: string,
  name: string,
  most: string,
  { requests, limits }: Measured,
): string | undefined {
  const head = `maximum ${name} usage per ${type} is ${shown(most)}`;
  const [request, limit] = [requests[name], limits[name]];
  if (type === 'PersistentVolumeClaim') {
    if (request === undefined) return `${head}.  No request is specified`;
    return compareQuantities(request, most) > 0
      ? `${head}, but request is ${shown(request)}`
      : undefined;
  }
  if (limit === undefined) return `${head}.  No limit is specified`;
  if (compareQuantities(limit, most) > 0) return `${head}, but limit is ${shown(limit)}`;
  if (request !== undefined && compareQuantities(request, most) > 0)
    return `${head}, but request is ${shown(request)}`;
  return undefined;
}

function numberOf(amount: string | undefined): number {
  return Number(parseQuantity(amount ?? '0')?.nano ?? 0n);
}

function ratio(
  type: string,
  name: string,
  most: string,
  { requests, limits }: Measured,
): string | undefined {
  const head = `${name} max limit to request ratio per ${type} is ${shown(most)}`;
  const [request, limit] = [numberOf(requests[name]), numberOf(limits[name])];
  if (request === 0) return `${head}, but no request is specified or request is 0`;
  if (limit === 0) return `${head}, but no limit is specified or limit is 0`;
  const is = limit / request;
  const allowed = numberOf(most) / 1e9;
  return is > allowed ? `${head}, but provided ratio is ${is.toFixed(6)}` : undefined;
}

function violations(limit: Limit, measured: Measured): string[] {
  const { type, min = {}, max = {}, maxLimitRequestRatio = {} } = limit;
  const found = [
    ...Object.entries(min).map(([name, amount]) => below(type, name, amount, measured)),
    ...Object.entries(max).map(([name, amount]) => above(type, name, amount, measured)),
  ];
  if (type !== 'PersistentVolumeClaim') {
    const ratios = Object.entries(maxLimitRequestRatio);
    found.push(...ratios.map(([name, amount]) => ratio(type, name, amount, measured)));
  }
  return found.filter((one) => one !== undefined);
}

function check(object: KubeObject, range: KubeObject, isPod: boolean): string[] {
  const spec = object['spec'] as Json;
  return limitsOf(range).flatMap((limit) => {
    if (limit.type === 'PersistentVolumeClaim' && !isPod) {
      return violations(limit, { requests: amountsOf(spec, 'requests'), limits: {} });
    }
    if (limit.type === 'Container' && isPod) {
      const containers = [...list(spec['containers']), ...list(spec['initContainers'])];
      return containers.flatMap((one) =>
        violations(limit, {
          requests: amountsOf(one, 'requests'),
          limits: amountsOf(one, 'limits'),
        }),
      );
    }
    if (limit.type !== 'Pod' || !isPod) return [];
    return violations(limit, {
      requests: podResources(spec, 'requests'),
      limits: podResources(spec, 'limits'),
    });
  });
}

function isMeant(request: AdmissionRequest): boolean {
  if (request.subresource !== undefined || request.object === undefined) return false;
  const isClaim = isOf(request, '', 'persistentvolumeclaims') && request.operation !== 'DELETE';
  return isPodCreation(request) || isClaim;
}

async function rangesFor(
  request: AdmissionRequest,
  { lookup }: AdmissionServices,
): Promise<readonly KubeObject[]> {
  return await lookup.list('', 'limitranges', request.namespace);
}

export const limitRanger: AdmissionPlugin = {
  name: 'LimitRanger',
  async mutate(request, services) {
    if (!isPodCreation(request) || request.object === undefined) return;
    for (const range of await rangesFor(request, services)) setDefaults(request.object, range);
  },
  async validate(request, services) {
    const { object } = request;
    if (!isMeant(request) || object === undefined) return;
    for (const range of await rangesFor(request, services)) {
      const found = check(object, range, isOf(request, '', 'pods'));
      if (found.length === 0) continue;
      const unique = [...new Set(found)];
      const text = unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
      throw forbiddenBy(request, text);
    }
  },
};
