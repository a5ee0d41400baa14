// Which requests a resource takes at all.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { methodNotAllowed, notFound, unsupported } from '#kube/meta/status.ts';
import { unknownResource } from './faults.ts';
import type { RequestInfo } from './request-info.ts';

export const reviewResources = new Set([
  'selfsubjectaccessreviews',
  'subjectaccessreviews',
  'localsubjectaccessreviews',
  'selfsubjectrulesreviews',
  'selfsubjectreviews',
  'tokenreviews',
]);

/** Throws ApiError 404 or 405 for what no handler of the resource takes. */
export function checkRoute(info: RequestInfo, resource: ResourceInfo): void {
  const { subresource, namespace, verb, name } = info;
  const isOwnNamespace = info.group === '' && info.resource === 'namespaces';
  const isInNamespace = namespace !== undefined && !isOwnNamespace;
  if (isInNamespace && !resource.namespaced) throw unknownResource();
  if (name !== undefined && resource.namespaced && !isInNamespace) throw unknownResource();
  const isCustom = resource.customResourceDefinition !== undefined;
  const isReading = verb === 'list' || verb === 'watch';
  // Of custom resources upstream has no handler there at all.
  if (isCustom && resource.namespaced && !isInNamespace && !isReading) throw unknownResource();
  if (subresource === undefined) {
    const isOfOne = verb === 'update' || verb === 'patch';
    const isPlaced = verb === 'create' ? name === undefined : !isOfOne || name !== undefined;
    // What is only ever created is nowhere to be found.
    const isOnlyMade = resource.verbs.every((one) => one === 'create');
    if (isOnlyMade && (name !== undefined || !isPlacedForAll(info, resource))) {
      throw unknownResource();
    }
    // A watch is asked for as a list is: whoever lists says that there is none.
    const taken = verb === 'watch' ? 'list' : verb;
    if (!isPlaced || !resource.verbs.includes(taken)) throw methodNotAllowed();
    // Across namespaces there is only reading.
    if (resource.namespaced && !isInNamespace && !isReading && !isReview(info)) {
      throw methodNotAllowed();
    }
    return;
  }
  const verbs = resource.subresources.find(({ name: one }) => one === subresource)?.verbs ?? [];
  // The handler of custom resources takes a path as far as it knows it.
  if (isCustom) {
    const of = { group: resource.group, resource: resource.resource };
    if (verbs.length === 0) throw notFound(of, name ?? '');
    if (!verbs.includes(verb)) throw unsupported(of, verb);
    return;
  }
  if (verbs.length === 0) throw unknownResource();
  if (info.rest !== '' && subresource !== 'proxy') throw unknownResource();
  // What is behind a proxy is asked for what it can do, too.
  const isAnyTaken = subresource === 'proxy' && verb === 'options';
  if (!isAnyTaken && !verbs.includes(verb)) throw methodNotAllowed();
}

/** Reviews and what is of the cluster have a path of their own; bindings have one in each namespace. */
const isPlacedForAll = (info: RequestInfo, resource: ResourceInfo): boolean =>
  !resource.namespaced || info.namespace !== undefined || isReview(info);

const isReview = (info: RequestInfo): boolean => reviewResources.has(info.resource);
