// What a pod as a whole requests and is limited to (`spec.resources`): filled in from its containers, and
// held against them, as kube-apiserver v1.37 does.
import { isObject, list, record, type Json } from './field-rules.ts';
import { forbidden, invalidValue, unsupported } from './names.ts';
import { podResources } from './pod-resources.ts';
import { compareQuantities } from './quantity.ts';
import type { StatusCause } from './status.ts';
import { validateResources } from './validation-containers.ts';

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
const isSupported = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || isHugePages(name);

/** The sum of the containers. */
function aggregate(spec: Json, which: 'requests' | 'limits'): Record<string, string> {
  const { containers, initContainers } = spec;
  return podResources({ containers, initContainers }, which);
}

export function hasPodLevelResources(spec: Json): boolean {
  const { requests, limits } = record(spec['resources']);
  return Object.keys(record(requests)).length + Object.keys(record(limits)).length > 0;
}

/** Once all containers are known: after those that may change the pod. */
export function defaultPodLevelResources(spec: Json): void {
  if (!hasPodLevelResources(spec)) return;
  const resources = spec['resources'] as Json;
  const requests: Json = { ...record(resources['requests']) };
  const limits: Json = { ...record(resources['limits']) };
  const sums = aggregate(spec, 'limits');
  for (const [name, sum] of Object.entries(sums)) {
    if (isHugePages(name) && requests[name] === undefined) limits[name] ??= sum;
  }
  for (const [name, sum] of Object.entries(aggregate(spec, 'requests'))) {
    if (name === 'cpu' || name === 'memory') requests[name] ??= sum;
  }
  for (const [name, limit] of Object.entries(limits)) {
    if (isSupported(name)) requests[name] ??= limit;
  }
  const containers = [...list(spec['containers']), ...list(spec['initContainers'])];
  for (const [name, request] of Object.entries(requests)) {
    const [sum, isLimited] = [sums[name], limits[name] !== undefined];
    const isEach = containers.every(
      (one) => record(record(one['resources'])['limits'])[name] !== undefined,
    );
    if (!isSupported(name) || isLimited || !isEach || sum === undefined) continue;
    limits[name] = compareQuantities(request, sum) > 0 ? request : sum;
  }
  if (Object.keys(requests).length > 0) resources['requests'] = requests;
  if (Object.keys(limits).length > 0) resources['limits'] = limits;
}

function consistency(spec: Json, at: string): StatusCause[] {
  const { requests, limits } = record(spec['resources']);
  const [least, most] = [record(requests), record(limits)];
  const causes: StatusCause[] = [];
  for (const [name, sum] of Object.entries(aggregate(spec, 'requests'))) {
    const own = least[name];
    if (own === undefined || compareQuantities(sum, own) <= 0) continue;
    const why = `must be greater than or equal to aggregate container requests of ${sum}`;
    causes.push(invalidValue(`${at}.requests[${name}]`, String(own), why));
  }
  for (const [name, sum] of Object.entries(aggregate(spec, 'limits'))) {
    const own = most[name];
    if (!isHugePages(name) || own === undefined || compareQuantities(sum, own) <= 0) continue;
    const why = `must be greater than or equal to aggregate container limits of ${sum}`;
    causes.push(invalidValue(`${at}.limits[${name}]`, String(own), why));
  }
  list(spec['containers']).forEach((container, index) => {
    for (const [name, limit] of Object.entries(record(record(container['resources'])['limits']))) {
      const own = most[name];
      if (own === undefined || compareQuantities(limit, own) <= 0) continue;
      const why = `must be less than or equal to pod limits of ${String(own)}`;
      const field = `${at}.containers[${index}][${name}].limits`;
      causes.push(invalidValue(field, String(limit), why));
    }
  });
  return causes;
}

/** As upstream lists them. */
const names = ['cpu', 'memory'];

function resourceName(field: string, name: string): StatusCause[] {
  return isSupported(name) ? [] : [unsupported(field, name, names)];
}

/** `at` is that of the spec. */
export function validatePodLevelResources(spec: Json, at: string): StatusCause[] {
  const { resources } = spec;
  if (!isObject(resources)) return [];
  const field = `${at}.resources`;
  if (record(spec['os'])['name'] === 'windows') {
    return [forbidden(field, 'may not be set for a windows pod')];
  }
  const isClaiming = resources['claims'] !== undefined;
  const why = 'claims may not be set for Resources at pod-level';
  return [
    ...(isClaiming ? [forbidden(`${field}.claims`, why)] : []),
    ...validateResources(resources, field, resourceName),
    ...consistency(spec, field),
  ];
}
