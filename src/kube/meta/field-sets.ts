// Sets of fields, as managedFields record them (FieldsV1): a tree whose edges are `f:<field>`,
// `k:<key of a list element>`, `v:<value of a set>`, and `.` for the element itself.
import type { Schema } from './schema.ts';

export interface FieldSet {
  [edge: string]: FieldSet;
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function childSchema(schema: Schema, edge: string): Schema {
  if (edge.startsWith('f:')) {
    if (schema.type === 'map') return schema.values ?? { type: 'any' };
    return schema.properties?.[edge.slice(2)] ?? { type: 'any' };
  }
  return schema.items ?? { type: 'any' };
}

/** Key of an element of a list of type map, with the defaults of its keys filled in. */
export function elementEdge(list: Schema, element: unknown): string {
  if (list.listType === 'set' || !isObject(element)) return `v:${JSON.stringify(element)}`;
  const keys: Json = {};
  for (const key of [...(list.listMapKeys ?? [])].sort()) {
    const value = element[key] ?? defaultOfKey(list, key);
    if (value !== undefined) keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

function defaultOfKey(list: Schema, key: string): unknown {
  return list.items?.properties?.[key]?.default ?? (key === 'protocol' ? 'TCP' : undefined);
}

export function isAtomic(schema: Schema): boolean {
  if (schema.type === 'array') return schema.listType !== 'map' && schema.listType !== 'set';
  if (schema.type === 'map' || schema.type === 'object') return schema.mapType === 'atomic';
  return true;
}

/** The fields that a value sets. */
export function fieldsOf(schema: Schema, value: unknown): FieldSet {
  if (value === undefined || isAtomic(schema)) return {};
  const set: FieldSet = {};
  if (Array.isArray(value)) {
    for (const element of value) {
      const edge = elementEdge(schema, element);
      set[edge] =
        schema.listType === 'map'
          ? { '.': {}, ...fieldsOf(schema.items ?? { type: 'any' }, element) }
          : {};
    }
    return set;
  }
  if (!isObject(value)) return {};
  for (const [key, one] of Object.entries(value)) {
    const edge = `f:${key}`;
    const child = childSchema(schema, edge);
    const inner = fieldsOf(child, one);
    const isEmptyContainer = Object.keys(inner).length === 0;
    // A map or list with entries of its own is owned itself, too.
    const ownsItself =
      (child.type === 'map' || child.type === 'array') && !isAtomic(child) && !isEmptyContainer;
    set[edge] = ownsItself ? { '.': {}, ...inner } : inner;
  }
  return set;
}

/** Every path as edges, leaves and owned containers alike. */
export function* leaves(set: FieldSet, path: readonly string[] = []): Generator<readonly string[]> {
  const entries = Object.entries(set);
  if (entries.length === 0) yield path;
  for (const [edge, inner] of entries) {
    if (edge === '.') yield path;
    else yield* leaves(inner, [...path, edge]);
  }
}

const KEY_SEPARATOR = '\u0000';

export function pathsOf(set: FieldSet): Map<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const path of leaves(set)) if (path.length > 0) found.set(path.join(KEY_SEPARATOR), path);
  return found;
}

export function setOf(paths: Iterable<readonly string[]>): FieldSet {
  const root: FieldSet = {};
  const all = [...paths].sort((a, b) => a.length - b.length);
  for (const path of all) {
    let node = root;
    for (const edge of path) node = node[edge] ??= {};
  }
  markOwned(root, new Set(all.map((path) => path.join(KEY_SEPARATOR))), []);
  return root;
}

/** Containers that are owned themselves, beside their entries, get the `.` edge. */
function markOwned(node: FieldSet, owned: ReadonlySet<string>, path: readonly string[]): void {
  const edges = Object.keys(node);
  for (const edge of edges) markOwned(node[edge] ?? {}, owned, [...path, edge]);
  if (edges.length > 0 && path.length > 0 && owned.has(path.join(KEY_SEPARATOR))) node['.'] = {};
}

/** `.spec.containers[name="c"].image`, as conflicts name fields. */
export function describePath(path: readonly string[]): string {
  return path
    .map((edge) => {
      const rest = edge.slice(2);
      if (edge.startsWith('f:')) return `.${rest}`;
      if (edge.startsWith('v:')) return `[=${rest}]`;
      const keys = Object.entries(JSON.parse(rest) as Json);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}

/** The value at a path; undefined when it is not there. */
export function valueAt(schema: Schema, value: unknown, path: readonly string[]): unknown {
  let current = value;
  let at = schema;
  for (const edge of path) {
    if (edge.startsWith('f:')) {
      current = isObject(current) ? current[edge.slice(2)] : undefined;
    } else {
      const list: Schema = at;
      current = Array.isArray(current)
        ? current.find((one) => elementEdge(list, one) === edge)
        : undefined;
    }
    if (current === undefined) return undefined;
    at = childSchema(at, edge);
  }
  return current;
}

/** Takes away what is at a path; an element of a list goes whole. The value is changed in place. */
export function removeAt(schema: Schema, value: unknown, path: readonly string[]): void {
  const parentPath = path.slice(0, -1);
  const edge = path.at(-1) ?? '';
  const parent = valueAt(schema, value, parentPath);
  const parentSchema = parentPath.reduce(childSchema, schema);
  if (edge.startsWith('f:') && isObject(parent)) delete parent[edge.slice(2)];
  else if (Array.isArray(parent)) {
    const index = parent.findIndex((one) => elementEdge(parentSchema, one) === edge);
    if (index >= 0) parent.splice(index, 1);
  }
}
