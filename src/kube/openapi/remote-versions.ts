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

const REFERENCE = '#/definitions/';

function mapReferences(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => mapReferences(one, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isReference =
        key === '$ref' && typeof inner === 'string' && inner.startsWith(REFERENCE);
      if (!isReference) return [key, mapReferences(inner, rename)];
      return [key, REFERENCE + rename(inner.slice(REFERENCE.length))];
    }),
  );
}

function referred(value: unknown, definitions: Json, found: Set<string>): void {
  mapReferences(value, (name) => {
    if (!found.has(name)) {
      found.add(name);
      referred(definitions[name], definitions, found);
    }
    return name;
  });
}

/** The texts of a document: of each path its item, of each name its definition. */
interface Texts {
  readonly paths: Map<string, string>;
  readonly definitions: Map<string, string>;
}

/**
 * Puts the paths of one group and version, and the definitions that those need, into an OpenAPI v2
 * document. A definition that has another meaning here gets another name.
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
  const theirs = (remote['definitions'] ?? {}) as Json;
  const needed = new Set<string>();
  referred(own, theirs, needed);
  const names = new Map<string, string>();
  for (const name of needed) {
    const text = JSON.stringify(theirs[name]);
    const isTaken = (as: string): boolean => (target.definitions.get(as) ?? text) !== text;
    let as = name;
    for (let i = 2; isTaken(as); i++) as = `${name}_v${i}`;
    names.set(name, as);
  }
  const rename = (name: string): string => names.get(name) ?? name;
  const put = (to: Map<string, string>, name: string, value: unknown): void => {
    if (!to.has(name)) to.set(name, JSON.stringify(mapReferences(value, rename)));
  };
  for (const [name, as] of names) put(target.definitions, as, theirs[name]);
  for (const [path, item] of own) put(target.paths, path, item);
}
