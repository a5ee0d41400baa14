// Groups and versions that other servers serve, as they come into the documents of this one.
import type { Priority } from './priorities.ts';

export type Json = Record<string, unknown>;

export interface RemoteVersion {
  readonly group: string;
  readonly version: string;
  readonly priority: Priority;
  /** As in apidiscovery.k8s.io/v2; undefined while they are not known. */
  readonly resources: readonly Json[] | undefined;
  readonly isCurrent: boolean;
}

interface OlderResource {
  readonly name: string;
  readonly singularName?: string;
  readonly namespaced?: boolean;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs?: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

function kindOf(one: OlderResource, own: { group: string; version: string }): Json {
  return {
    group: one.group ?? own.group,
    version: one.version ?? own.version,
    kind: one.kind,
  };
}

/** The resources of an APIResourceList in the form of aggregated discovery. */
export function resourcesOfList(
  list: Json,
  own: { readonly group: string; readonly version: string },
): readonly Json[] {
  const all = (list['resources'] ?? []) as readonly OlderResource[];
  const found = new Map<string, Json>();
  for (const one of all) {
    if (one.name.includes('/')) continue;
    found.set(one.name, {
      resource: one.name,
      responseKind: kindOf(one, own),
      scope: one.namespaced === true ? 'Namespaced' : 'Cluster',
      singularResource: one.singularName ?? '',
      verbs: one.verbs ?? [],
      ...(one.shortNames === undefined ? {} : { shortNames: one.shortNames }),
      ...(one.categories === undefined ? {} : { categories: one.categories }),
    });
  }
  for (const one of all) {
    const [parent = '', subresource] = one.name.split('/');
    const resource = found.get(parent);
    if (subresource === undefined || resource === undefined) continue;
    const subresources = (resource['subresources'] ?? []) as Json[];
    subresources.push({ subresource, responseKind: kindOf(one, own), verbs: one.verbs ?? [] });
    resource['subresources'] = subresources;
  }
  return [...found.values()].toSorted((a, b) =>
    String(a['resource']) < String(b['resource']) ? -1 : 1,
  );
}

const DEFINITIONS = '#/definitions/';
const PARAMETERS = '#/parameters/';

/** `place`: which references; the names of others stay. */
function mapReferences(value: unknown, place: string, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => mapReferences(one, place, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isReference = key === '$ref' && typeof inner === 'string' && inner.startsWith(place);
      if (!isReference) return [key, mapReferences(inner, place, rename)];
      return [key, place + rename(inner.slice(place.length))];
    }),
  );
}

/** Names that a value refers to, and those that what is named refers to. */
function referred(
  value: unknown,
  place: string,
  all: Json,
  found = new Set<string>(),
): Set<string> {
  mapReferences(value, place, (name) => {
    if (!found.has(name)) {
      found.add(name);
      referred(all[name], place, all, found);
    }
    return name;
  });
  return found;
}

/** The texts of a document: of each path its item, of each name its definition or what is shared. */
interface Texts {
  readonly paths: Map<string, string>;
  readonly definitions: Map<string, string>;
  readonly parameters: Map<string, string>;
}

/** Under which name each of `names` is put into `target`: one that means something else there is another. */
function newNames(
  names: ReadonlySet<string>,
  all: Json,
  target: ReadonlyMap<string, string>,
): (name: string) => string {
  const found = new Map<string, string>();
  for (const name of names) {
    const text = JSON.stringify(all[name]);
    const isTaken = (as: string): boolean => (target.get(as) ?? text) !== text;
    let as = name;
    for (let i = 2; isTaken(as); i++) as = `${name}_v${i}`;
    found.set(name, as);
  }
  return (name) => found.get(name) ?? name;
}

/**
 * Puts the paths of one group and version, and the definitions and shared parameters that those need, into an
 * OpenAPI v2 document. What has another meaning here gets another name.
 */
export function mergeOpenApiV2(
  target: Texts,
  remote: Json,
  { group, version }: RemoteVersion,
): void {
  const prefix = `/apis/${group}/${version}/`;
  const own = Object.entries((remote['paths'] ?? {}) as Json).filter(([path]) =>
    path.startsWith(prefix),
  );
  const shared = (remote['parameters'] ?? {}) as Json;
  const types = (remote['definitions'] ?? {}) as Json;
  const parameters = referred(own, PARAMETERS, shared);
  const needed = referred(own, DEFINITIONS, types);
  for (const name of parameters) referred(shared[name], DEFINITIONS, types, needed);
  const typeName = newNames(needed, types, target.definitions);
  const parameterName = newNames(parameters, shared, target.parameters);
  const put = (to: Map<string, string>, name: string, value: unknown): void => {
    if (to.has(name) || value === undefined) return;
    const named = mapReferences(value, DEFINITIONS, typeName);
    to.set(name, JSON.stringify(mapReferences(named, PARAMETERS, parameterName)));
  };
  for (const name of needed) put(target.definitions, typeName(name), types[name]);
  for (const name of parameters) put(target.parameters, parameterName(name), shared[name]);
  for (const [path, item] of own) put(target.paths, path, item);
}
