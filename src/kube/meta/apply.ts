// Server-side apply: merges what a manager applies into the live object, finds conflicts, and keeps
// managedFields (structured-merge-diff's semantics, Kubernetes v1.37).
import {
  fieldsOf,
  describePath,
  elementEdge,
  isAtomic,
  pathsOf,
  removeAt,
  setOf,
  valueAt,
  type FieldSet,
} from './field-sets.ts';
import { apiVersionOf, type KubeObject, type ManagedFieldsEntry } from './object.ts';
import type { ResourceInfo } from './resource-info.ts';
import type { Schema } from './schema.ts';
import { ApiError } from './status.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields of metadata that nobody owns, because the server sets them. */
const unowned = [
  'f:apiVersion',
  'f:kind',
  'f:metadata\u0000f:name',
  'f:metadata\u0000f:namespace',
  'f:metadata\u0000f:generateName',
  'f:metadata\u0000f:uid',
  'f:metadata\u0000f:resourceVersion',
  'f:metadata\u0000f:generation',
  'f:metadata\u0000f:creationTimestamp',
  'f:metadata\u0000f:deletionTimestamp',
  'f:metadata\u0000f:deletionGracePeriodSeconds',
  'f:metadata\u0000f:selfLink',
];

function isOwnable(key: string): boolean {
  if (key === 'f:metadata' || key.startsWith('f:metadata\u0000f:managedFields')) return false;
  return !unowned.includes(key);
}

function ownablePaths(schema: Schema, object: unknown): Map<string, readonly string[]> {
  return new Map([...pathsOf(fieldsOf(schema, object))].filter(([key]) => isOwnable(key)));
}

export interface ManagerContext {
  readonly info: ResourceInfo;
  readonly manager: string;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  readonly subresource?: string | undefined;
}

interface ApplyRequest extends ManagerContext {
  readonly live: KubeObject | undefined;
  readonly applied: KubeObject;
  readonly force: boolean;
}

function sameManager(
  entry: ManagedFieldsEntry,
  context: ManagerContext,
  operation: string,
): boolean {
  return (
    entry.manager === context.manager &&
    entry.operation === operation &&
    (entry.subresource ?? '') === (context.subresource ?? '') &&
    entry.apiVersion === apiVersionOf(context.info)
  );
}

function entryOf(
  context: ManagerContext,
  operation: 'Apply' | 'Update',
  fields: FieldSet,
): ManagedFieldsEntry {
  return {
    manager: context.manager,
    operation,
    apiVersion: apiVersionOf(context.info),
    time: context.now,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(context.subresource === undefined ? {} : { subresource: context.subresource }),
  };
}

function pathsOfEntry(entry: ManagedFieldsEntry): Map<string, readonly string[]> {
  return pathsOf((entry.fieldsV1 ?? {}) as FieldSet);
}

function equal(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((one, index) => equal(one, b[index]));
  }
  if (isObject(a) && isObject(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].every((key) => equal(a[key], b[key]));
  }
  return a === b;
}

function conflictsOf(
  request: ApplyRequest,
  mine: Map<string, readonly string[]>,
): { manager: string; path: string; entry: ManagedFieldsEntry }[] {
  const { live, applied, info } = request;
  const found: { manager: string; path: string; entry: ManagedFieldsEntry }[] = [];
  for (const entry of live?.metadata.managedFields ?? []) {
    if (entry.manager === request.manager && entry.operation === 'Apply') continue;
    for (const [key, path] of pathsOfEntry(entry)) {
      if (!mine.has(key)) continue;
      const before = valueAt(info.schema, live, path);
      const after = valueAt(info.schema, applied, path);
      // Containers are shared; what counts is a value that would change under its owner.
      const isContainer =
        (isObject(after) || Array.isArray(after)) && !isAtomic(schemaAt(info.schema, path));
      if (!isContainer && !equal(before, after))
        found.push({ manager: entry.manager ?? '', path: describePath(path), entry });
    }
  }
  return found;
}

function schemaAt(schema: Schema, path: readonly string[]): Schema {
  let at = schema;
  for (const edge of path) {
    if (edge.startsWith('f:')) {
      at =
        at.type === 'map'
          ? (at.values ?? { type: 'any' })
          : (at.properties?.[edge.slice(2)] ?? { type: 'any' });
    } else at = at.items ?? { type: 'any' };
  }
  return at;
}

function conflictError(
  conflicts: { manager: string; path: string; entry: ManagedFieldsEntry }[],
): ApiError {
  const count = conflicts.length;
  const describe = ({ manager, entry }: { manager: string; entry: ManagedFieldsEntry }): string => {
    const sub = entry.subresource === undefined ? '' : ` with subresource "${entry.subresource}"`;
    const time =
      entry.operation === 'Update' && entry.time !== undefined
        ? ` using ${entry.apiVersion} at ${entry.time}`
        : ` using ${entry.apiVersion}`;
    return `conflict with "${manager}"${sub}${entry.operation === 'Update' ? time : ` using ${entry.apiVersion}`}`;
  };
  const causes = conflicts.map((one) => ({
    reason: 'FieldManagerConflict',
    message: describe(one),
    field: one.path,
  }));
  const first = conflicts[0];
  const text =
    count === 1 && first !== undefined
      ? `${describe(first)}: ${first.path}`
      : [...Map.groupBy(conflicts, describe)]
          .map(
            ([who, ones]) =>
              `conflicts with ${who.slice('conflict with '.length)}:\n${ones.map(({ path }) => `- ${path}`).join('\n')}`,
          )
          .join('\n');
  const word = count === 1 ? 'conflict' : 'conflicts';
  return new ApiError(409, 'Conflict', `Apply failed with ${count} ${word}: ${text}`, { causes });
}

/** Merges `applied` over `live` by the schema: lists by their keys, atomic values whole. */
function merge(schema: Schema, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined || isAtomic(schema)) return structuredClone(applied);
  if (Array.isArray(live) && Array.isArray(applied)) {
    const out = structuredClone(live) as unknown[];
    for (const element of applied) {
      const edge = elementEdge(schema, element);
      const at = out.findIndex((one) => elementEdge(schema, one) === edge);
      if (at < 0) out.push(structuredClone(element));
      else if (schema.listType === 'map')
        out[at] = merge(schema.items ?? { type: 'any' }, out[at], element);
    }
    return out;
  }
  if (isObject(live) && isObject(applied)) {
    const out: Json = { ...live };
    for (const [key, value] of Object.entries(applied)) {
      const child = schema.type === 'map' ? schema.values : schema.properties?.[key];
      out[key] = merge(child ?? { type: 'any' }, live[key], value);
    }
    return out;
  }
  return structuredClone(applied);
}

/** The new object, managedFields included. Throws ApiError 409 for conflicts unless forced. */
export function serverSideApply(request: ApplyRequest): KubeObject {
  const { info, live, applied, force } = request;
  const { managedFields: _none, ...metadata } = applied.metadata;
  const clean: KubeObject = { ...applied, metadata };
  const mine = ownablePaths(info.schema, clean);
  const conflicts = conflictsOf({ ...request, applied: clean }, mine);
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);
  const before = live?.metadata.managedFields ?? [];
  const previous = before.find((entry) => sameManager(entry, request, 'Apply'));
  const result = structuredClone(merge(info.schema, live, clean)) as KubeObject;
  const lost = new Set(conflicts.map(({ path }) => path));
  let others = before.filter((entry) => entry !== previous);
  if (lost.size > 0) {
    others = others
      .map((entry) => withoutPaths(entry, (path) => lost.has(describePath(path))))
      .filter((entry) => Object.keys(entry.fieldsV1 ?? {}).length > 0);
  }
  if (previous !== undefined) dropAbandoned(info.schema, result, { previous, mine, others });
  const entry = entryOf(request, 'Apply', setOf(mine.values()));
  const isSame = previous !== undefined && equal(previous.fieldsV1, entry.fieldsV1);
  const kept =
    isSame && equalBut(result, live)
      ? { ...entry, ...(previous.time === undefined ? {} : { time: previous.time }) }
      : entry;
  result.metadata.managedFields = sorted([...others, kept]);
  return result;
}

function equalBut(a: KubeObject, b: KubeObject | undefined): boolean {
  if (b === undefined) return false;
  const plain = (object: KubeObject) => ({
    ...object,
    metadata: { ...object.metadata, managedFields: undefined },
  });
  return equal(plain(a), plain(b));
}

function withoutPaths(
  entry: ManagedFieldsEntry,
  gone: (path: readonly string[]) => boolean,
): ManagedFieldsEntry {
  const kept = [...pathsOfEntry(entry).values()].filter((path) => !gone(path));
  return { ...entry, fieldsV1: setOf(kept) };
}

/** What the manager applied before, applies no more, and nobody else owns, goes away. */
function dropAbandoned(
  schema: Schema,
  result: KubeObject,
  owners: {
    previous: ManagedFieldsEntry;
    mine: Map<string, readonly string[]>;
    others: readonly ManagedFieldsEntry[];
  },
): void {
  const owned = new Set(owners.others.flatMap((entry) => [...pathsOfEntry(entry).keys()]));
  const gone = [...pathsOfEntry(owners.previous)]
    .filter(([key]) => !owners.mine.has(key) && !owned.has(key))
    .sort(([, a], [, b]) => b.length - a.length);
  for (const [key, path] of gone) {
    const isStillUsed = [...owned, ...owners.mine.keys()].some((one) =>
      one.startsWith(`${key}\u0000`),
    );
    if (!isStillUsed) removeAt(schema, result, path);
  }
}

function sorted(entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const rank = (entry: ManagedFieldsEntry): string =>
    `${entry.operation === 'Apply' ? 0 : 1}|${entry.operation === 'Apply' ? '' : (entry.time ?? '')}|${entry.manager}|${entry.subresource ?? ''}`;
  return [...entries].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** managedFields after a create, update or patch by `manager`: it owns what it changed. */
export function trackUpdate(
  request: ManagerContext & { readonly live: KubeObject | undefined; readonly next: KubeObject },
): ManagedFieldsEntry[] {
  const { info, live, next } = request;
  const before = next.metadata.managedFields ?? live?.metadata.managedFields ?? [];
  const nextPaths = ownablePaths(info.schema, next);
  const livePaths =
    live === undefined ? new Map<string, readonly string[]>() : ownablePaths(info.schema, live);
  const changed = new Map<string, readonly string[]>();
  for (const [key, path] of nextPaths) {
    const isNew = !livePaths.has(key);
    const at = schemaAt(info.schema, path);
    if (
      isNew ||
      (isAtomic(at) && !equal(valueAt(info.schema, live, path), valueAt(info.schema, next, path)))
    ) {
      changed.set(key, path);
    }
  }
  const removed = new Set([...livePaths.keys()].filter((key) => !nextPaths.has(key)));
  const mineBefore = before.find((entry) => sameManager(entry, request, 'Update'));
  const others = before
    .filter((entry) => entry !== mineBefore)
    // Whoever changes a value takes it; what is gone belongs to nobody.
    .map((entry) =>
      withoutPaths(
        entry,
        (path) => changed.has(path.join('\u0000')) || removed.has(path.join('\u0000')),
      ),
    )
    .filter((entry) => Object.keys(entry.fieldsV1 ?? {}).length > 0);
  const mine = new Map(changed);
  if (mineBefore !== undefined) {
    for (const [key, path] of pathsOfEntry(mineBefore)) if (!removed.has(key)) mine.set(key, path);
  }
  if (mine.size === 0) return sorted(others);
  const entry = entryOf(request, 'Update', setOf(mine.values()));
  const isUnchanged = changed.size === 0 && removed.size === 0 && mineBefore?.time !== undefined;
  return sorted([
    ...others,
    isUnchanged ? { ...entry, time: mineBefore?.time ?? request.now } : entry,
  ]);
}
