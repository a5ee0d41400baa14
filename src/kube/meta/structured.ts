// Values with their schemas, as server-side apply sees them (structured-merge-diff v6, Kubernetes
// v1.37): what differs between two values, which fields a value sets, merging, and taking fields away.
import { GoValue } from './go-value.ts';
import { describePath, isEmpty, isMember, nodeOf, type FieldSet } from './field-sets.ts';
import { isNumber } from './exact-numbers.ts';
import { goNumber } from './read-numbers.ts';
import type { Schema } from './schema.ts';

type Json = Record<string, unknown>;

const anything: Schema = { type: 'any' };
/** Below `x-kubernetes-preserve-unknown-fields` the value itself says what it is. */
const deduced: Schema = { type: 'any', preserveUnknownFields: true };

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof GoValue);

type Shape = 'leaf' | 'map' | 'list';

function shapeOf(schema: Schema, value: unknown): Shape {
  switch (schema.type) {
    case 'array':
      return schema.listType === 'map' || schema.listType === 'set' ? 'list' : 'leaf';
    case 'object':
    case 'map':
      return schema.mapType === 'atomic' ? 'leaf' : 'map';
    case 'any':
      return schema.preserveUnknownFields === true && isObject(value) ? 'map' : 'leaf';
    default:
      return 'leaf';
  }
}

/** Whether the schema itself names the field: those of maps, and unknown ones, are not named. */
function isNamed(schema: Schema, key: string): boolean {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, key);
}

export function fieldSchema(schema: Schema, key: string): Schema {
  if (schema.type === 'map') return schema.values ?? anything;
  if (isNamed(schema, key)) return schema.properties?.[key] ?? anything;
  return schema.preserveUnknownFields === true ? deduced : anything;
}

function childSchema(schema: Schema, edge: string): Schema {
  return edge.startsWith('f:') ? fieldSchema(schema, edge.slice(2)) : (schema.items ?? anything);
}

/** The edge of an element without any of its keys. */
const NO_KEYS = 'k:{}';

/** Key of an element of a list of type map or set, with the defaults of its keys filled in. */
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
  // Its name is empty by default, which the table does not tell.
  if (list.items?.name === 'io.k8s.api.core.v1.LocalObjectReference') return '';
  return list.items?.properties?.[key]?.default ?? (key === 'protocol' ? 'TCP' : undefined);
}

export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, index) => equal(one, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  for (const key of Object.keys(a)) if (!equal(a[key], b[key])) return false;
  for (const key of Object.keys(b)) if (b[key] !== undefined && a[key] === undefined) return false;
  return true;
}

// ---- comparison ----

export interface Changes {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Kind = keyof Changes;
/** A node in each set that has one; undefined when nothing differs. */
type Difference = { [kind in Kind]?: FieldSet } | undefined;

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0);

/** What became of `before`: the fields that are new, that have another value, and that are gone. */
export function compare(schema: Schema, before: unknown, after: unknown): Changes {
  const found = differ(schema, before, after) ?? {};
  const { added = {}, modified = {}, removed = {} } = found;
  return { added, modified, removed };
}

function differ(schema: Schema, before: unknown, after: unknown): Difference {
  if (before === after) return undefined;
  const shape = shapeOf(schema, after ?? before);
  if (shape === 'leaf' || (isNothing(before) && isNothing(after))) {
    if (before === undefined) return { added: {} };
    if (after === undefined) return { removed: {} };
    return equal(before, after) ? undefined : { modified: {} };
  }
  const out: { [kind in Kind]?: FieldSet } = {};
  const put = (edge: string, inner: Difference): void => {
    if (inner === undefined) return;
    const { added, modified, removed } = inner;
    if (added !== undefined) (out.added ??= {})[edge] = added;
    if (modified !== undefined) (out.modified ??= {})[edge] = modified;
    if (removed !== undefined) (out.removed ??= {})[edge] = removed;
  };
  if (shape === 'list') differLists(schema, before, after, put);
  else differMaps(schema, before, after, put);
  if (before === undefined) out.added = nodeOf(true, out.added ?? {}) ?? {};
  else if (after === undefined) out.removed = nodeOf(true, out.removed ?? {}) ?? {};
  return out;
}

type Put = (edge: string, inner: Difference) => void;

function differMaps(schema: Schema, before: unknown, after: unknown, put: Put): void {
  const [x, y] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
  const visit = (key: string): void => {
    const child = fieldSchema(schema, key);
    // Structs that are not pointers are there even when nobody wrote them.
    const zero = isNamed(schema, key) ? child.zero : undefined;
    const of = (map: Json, isThere: boolean): unknown => {
      // Of what held something nothing may be left: it is there nevertheless.
      const isHolder = map[key] === null && shapeOf(child, null) !== 'leaf';
      if (isHolder || (map[key] === null && child.nullable === true)) return null;
      return map[key] ?? (isThere ? zero : undefined);
    };
    put(`f:${key}`, differ(child, of(x, isObject(before)), of(y, isObject(after))));
  };
  for (const key of Object.keys(x)) visit(key);
  for (const key of Object.keys(y)) if (x[key] === undefined) visit(key);
}

function differLists(schema: Schema, before: unknown, after: unknown, put: Put): void {
  const [x, y] = [elementsOf(schema, before), elementsOf(schema, after)];
  for (const edge of new Set([...x.keys(), ...y.keys()])) {
    const [ones, others] = [x.get(edge) ?? [], y.get(edge) ?? []];
    const element = schema.items ?? anything;
    if (ones.length < 2 && others.length < 2) put(edge, differ(element, ones[0], others[0]));
    else if (ones.length > 1 && others.length > 1) {
      if (!equal(ones, others)) put(edge, { modified: {} });
    } else put(edge, ones.length > 1 ? { removed: {} } : { added: {} });
  }
}

function elementsOf(schema: Schema, value: unknown): Map<string, unknown[]> {
  return Map.groupBy(Array.isArray(value) ? (value as unknown[]) : [], (one) =>
    elementEdge(schema, one),
  );
}

/** Whether a list has an element that its key does not tell from others: such a value has no fields. */
export function hasUnkeyed({ added, modified, removed }: Changes): boolean {
  const isIn = (set: FieldSet): boolean =>
    Object.entries(set).some(([edge, node]) => edge === NO_KEYS || isIn(node));
  return [added, modified, removed].some(isIn);
}

// ---- the fields of a value ----

/** The fields that a value sets: its leaves, and the elements of its lists. */
export function fieldsOf(schema: Schema, value: unknown): FieldSet {
  return setNode(schema, value) ?? {};
}

function setNode(schema: Schema, value: unknown): FieldSet | undefined {
  const shape = shapeOf(schema, value);
  if (shape === 'leaf') return {};
  const edges: FieldSet = {};
  if (shape === 'list') {
    for (const [edge, elements] of elementsOf(schema, value)) {
      const inner = elements.length > 1 ? {} : setNode(schema.items ?? anything, elements[0]);
      edges[edge] = nodeOf(true, inner ?? {}) ?? {};
    }
  } else if (isObject(value)) {
    for (const [key, one] of Object.entries(value)) {
      const inner = setNode(fieldSchema(schema, key), one);
      const isBare = one === null || (isObject(one) && Object.keys(one).length === 0);
      const isIn = isBare || !isNamed(schema, key);
      const edgesBelow = inner ?? {};
      const node = nodeOf(isIn || (inner !== undefined && isMember(inner)), edgesBelow);
      if (node !== undefined) edges[`f:${key}`] = node;
    }
  }
  return isEmpty(edges) ? undefined : edges;
}

/** The set, and the named fields above its members: `a` of `a.b.c`, unless `a` is a map. */
export function withNamedFields(schema: Schema, set: FieldSet): FieldSet {
  const out: FieldSet = {};
  for (const [edge, node] of Object.entries(set)) {
    if (edge === '.') continue;
    const inner = withNamedFields(childSchema(schema, edge), node);
    const isIn = isMember(node) || (edge.startsWith('f:') && isNamed(schema, edge.slice(2)));
    out[edge] = nodeOf(isIn, inner) ?? {};
  }
  return out;
}

// ---- merging ----

/** `applied` over `live` by the schema: lists by their keys, atomic values whole. */
export function merge(schema: Schema, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  const shape = shapeOf(schema, applied);
  if (shape === 'map' && isObject(live) && isObject(applied)) {
    const out: Json = { ...live };
    for (const [key, value] of Object.entries(applied)) {
      out[key] = merge(fieldSchema(schema, key), live[key], value);
    }
    return out;
  }
  if (shape === 'list' && Array.isArray(live) && Array.isArray(applied)) {
    return mergeLists(schema, live, applied);
  }
  return applied;
}

/** Elements of both come in the order of `applied`; those of `live` alone keep their places between. */
function mergeLists(schema: Schema, live: unknown[], applied: unknown[]): unknown[] {
  const element = schema.items ?? anything;
  const edgeOf = (one: unknown): string => elementEdge(schema, one);
  const [liveEdges, edges] = [live.map(edgeOf), applied.map(edgeOf)];
  const liveBy = new Map(live.map((one, i) => [liveEdges[i], one]));
  const wanted = new Set(edges);
  const shared = edges.filter((edge) => liveBy.has(edge));
  const done = new Set<string>();
  const out: unknown[] = [];
  let [i, j, next] = [0, 0, 0];
  while (i < live.length || j < applied.length) {
    const [mine, theirs] = [liveEdges[i], edges[j]];
    if (mine !== undefined && mine === theirs) {
      done.add(mine);
      out.push(merge(element, liveBy.get(mine), applied[j]));
      i += 1;
      j += 1;
      next += 1;
      continue;
    }
    const isOther = mine !== undefined && wanted.has(mine) && shared[next] !== undefined;
    if (theirs !== undefined && isOther && shared[next] !== mine) {
      i += 1;
      continue;
    }
    if (mine !== undefined && !wanted.has(mine)) {
      out.push(live[i]);
      i += 1;
      continue;
    }
    if (mine !== undefined && done.has(mine)) i += 1;
    if (theirs !== undefined) {
      done.add(theirs);
      out.push(merge(element, liveBy.get(theirs), applied[j]));
      j += 1;
      if (shared[next] === theirs) next += 1;
    }
  }
  return out;
}

/** The value without the members of the set; undefined when nothing is left, and null for that in a map. */
export function withoutFields(schema: Schema, value: unknown, gone: FieldSet): unknown {
  const shape = shapeOf(schema, value);
  if (isEmpty(gone)) return value;
  if (shape === 'list' && Array.isArray(value)) {
    const kept: unknown[] = [];
    for (const one of value as unknown[]) {
      const node = gone[elementEdge(schema, one)];
      if (node === undefined) kept.push(one);
      else if (!isMember(node)) kept.push(withoutFields(schema.items ?? anything, one, node));
    }
    return kept.length === 0 ? undefined : kept;
  }
  if (shape !== 'map' || !isObject(value)) return value;
  const out: Json = {};
  for (const [key, one] of Object.entries(value)) {
    const node = gone[`f:${key}`];
    if (node !== undefined && isMember(node)) continue;
    out[key] =
      node === undefined ? one : (withoutFields(fieldSchema(schema, key), one, node) ?? null);
  }
  return Object.keys(out).length === 0 ? undefined : out;
}

/** What a value has that its schema has not, or not in this shape: one text for each. */
export function shapeErrors(schema: Schema, value: unknown, path = ''): string[] {
  if (value === null || value === undefined) return [];
  if (schema.type === 'array') return listErrors(schema, value, path);
  if (schema.type !== 'object' && schema.type !== 'map') return scalarErrors(schema, value, path);
  if (!isObject(value)) return [`${path}: expected map, got &{${printed(value)}}`];
  const isOpen = schema.type === 'map' || schema.preserveUnknownFields === true;
  const errors: string[] = [];
  for (const [key, one] of Object.entries(value)) {
    const at = `${path}.${key}`;
    const isKnown = isOpen || isNamed(schema, key) || schema.properties === undefined;
    // Upstream looks no further in a map that has such a field.
    if (!isKnown) return [...errors, `${at}: field not declared in schema`];
    errors.push(...shapeErrors(fieldSchema(schema, key), one, at));
  }
  return errors;
}

function listErrors(schema: Schema, value: unknown, path: string): string[] {
  if (!Array.isArray(value)) return [`${path}: expected list, got &{${printed(value)}}`];
  const seen = new Set<string>();
  return (value as unknown[]).flatMap((one, i) => {
    const edge = elementEdge(schema, one);
    if (shapeOf(schema, value) === 'list') {
      if (one instanceof GoValue) {
        return [`${path}: element ${i}: associative list with keys may not have non-map elements`];
      }
      if (edge === NO_KEYS) {
        const keys = (schema.listMapKeys ?? []).map((key) => `"${key}"`).join(' ');
        const why = `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`;
        return [`${path}: element ${i}: ${why}`];
      }
      if (seen.has(edge)) {
        return [`${path}: duplicate entries for key ${describePath([edge])}`];
      }
      seen.add(edge);
      return shapeErrors(schema.items ?? anything, one, `${path}${describePath([edge])}`);
    }
    return shapeErrors(schema.items ?? anything, one, `${path}[${i}]`);
  });
}

const goTypes: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  number: 'int64',
  bigint: 'int64',
};

const printed = (value: unknown): string => (isNumber(value) ? goNumber(value) : String(value));

function scalarErrors(schema: Schema, value: unknown, path: string): string[] {
  const isNumeric = schema.type === 'integer' || schema.type === 'number';
  if (isNumeric && !isNumber(value)) {
    const type = Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
    const found = value instanceof GoValue ? value.type : (goTypes[typeof value] ?? type);
    return [`${path}: expected numeric (int or float), got ${found}`];
  }
  if (schema.type === 'string' && typeof value !== 'string') {
    const shown = value instanceof GoValue ? value.shown : printed(value);
    return [`${path}: expected string, got &value.valueUnstructured{Value:${shown}}`];
  }
  if (schema.type === 'boolean' && typeof value !== 'boolean') {
    return [`${path}: expected boolean, got &{${printed(value)}}`];
  }
  return [];
}
