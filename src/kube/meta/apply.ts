// Who owns which field: server-side apply merges what a manager applies into the live object and finds
// conflicts, every other write gives its manager what it changed (managedFields of Kubernetes v1.37).
import { cloneJson } from '#base/clone.ts';
import {
  describePath,
  difference,
  fieldSet,
  intersection,
  isEmpty,
  members,
  union,
  without,
  type FieldSet,
} from './field-sets.ts';
import { apiVersionOf, type KubeObject, type ManagedFieldsEntry } from './object.ts';
import { resetFields } from './reset-fields.ts';
import type { ResourceInfo } from './resource-info.ts';
import { ApiError } from './status.ts';
import {
  compare,
  equal,
  fieldsOf,
  hasUnkeyed,
  merge,
  withNamedFields,
  withoutFields,
  type Changes,
} from './structured.ts';

/** Fields that nobody owns, because only the server sets them. */
const unowned = fieldSet(
  'apiVersion',
  'kind',
  'metadata.name',
  'metadata.namespace',
  'metadata.creationTimestamp',
  'metadata.selfLink',
  'metadata.uid',
  'metadata.clusterName',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.resourceVersion',
  // Behind what lies in it, so that it is a member itself.
  'metadata',
);

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const UPDATERS_MAX = 10;

export interface ManagerContext {
  readonly info: ResourceInfo;
  readonly manager: string;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  readonly subresource?: string | undefined;
}

interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string | undefined;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

function ownerOf(entry: ManagedFieldsEntry): Owner {
  return {
    manager: entry.manager ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: entry.apiVersion ?? '',
    subresource: entry.subresource === '' ? undefined : entry.subresource,
    time: entry.time,
    fields: (entry.fieldsV1 ?? {}) as FieldSet,
  };
}

function entryOf(owner: Owner): ManagedFieldsEntry {
  const { manager, operation, apiVersion, subresource, time, fields } = owner;
  return {
    manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(subresource === undefined ? {} : { subresource }),
  };
}

/** Whether they are the same in managedFields; those who apply are so in every version. */
function isSameOwner(a: Owner, b: Owner): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

function newOwner(context: ManagerContext, operation: 'Apply' | 'Update', fields: FieldSet): Owner {
  return {
    manager: context.manager,
    operation,
    apiVersion: apiVersionOf(context.info),
    subresource: context.subresource,
    time: context.now,
    fields,
  };
}

/** Appliers first, then by time, then by name. */
function encoded(owners: readonly Owner[]): ManagedFieldsEntry[] {
  const place = ({ operation, time = '', manager, apiVersion, subresource = '' }: Owner) => [
    operation,
    time,
    manager,
    apiVersion,
    subresource,
  ];
  const sorted = owners.toSorted((a, b) => {
    const [x, y] = [place(a), place(b)];
    const at = x.findIndex((one, i) => one !== y[i]);
    return at < 0 ? 0 : (x[at] ?? '') < (y[at] ?? '') ? -1 : 1;
  });
  return sorted.map(entryOf);
}

/** The oldest of too many updaters become one. */
function capped(owners: readonly Owner[]): readonly Owner[] {
  const updaters = owners.filter(({ operation }) => operation === 'Update');
  if (updaters.length <= UPDATERS_MAX) return owners;
  const oldest = updaters.toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1));
  const firsts = new Map<string, Owner>();
  let left = [...owners];
  let count = updaters.length;
  for (const owner of oldest) {
    if (count <= UPDATERS_MAX) break;
    const { apiVersion, time } = owner;
    const first = firsts.get(apiVersion);
    const bucket = { manager: 'ancient-changes', operation: 'Update' as const, apiVersion };
    if (first !== undefined) {
      const fields = union(first.fields, owner.fields);
      const joined: Owner = { ...bucket, subresource: undefined, time, fields };
      left = left.filter((one) => one !== first && one !== owner);
      left.push(joined);
      firsts.set(apiVersion, joined);
      count -= 1;
    } else firsts.set(apiVersion, owner);
  }
  return left;
}

interface Taken {
  readonly owners: readonly Owner[];
  readonly conflicts: readonly { readonly owner: Owner; readonly fields: FieldSet }[];
  /** What changed, without the fields that the endpoint resets. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
  readonly all: Changes;
}

/** What the change from `live` to `next` takes from everybody but `self`. */
function take(
  context: ManagerContext,
  change: { readonly live: unknown; readonly next: unknown },
  owners: readonly Owner[],
  self: Owner | undefined,
): Taken {
  const { info, subresource } = context;
  const reset = resetFields(info, subresource);
  const all = compare(info.schema, change.live, change.next);
  const changed = without(union(all.modified, all.added), reset);
  const removed = without(all.removed, reset);
  const conflicts: { owner: Owner; fields: FieldSet }[] = [];
  const kept: Owner[] = [];
  for (const owner of owners) {
    if (owner === self) {
      if (!isEmpty(owner.fields)) kept.push(owner);
      continue;
    }
    const fields = intersection(owner.fields, changed);
    if (!isEmpty(fields)) conflicts.push({ owner, fields });
    const left = difference(difference(owner.fields, fields), removed);
    if (!isEmpty(left)) kept.push({ ...owner, fields: left });
  }
  return { owners: kept, conflicts, changed, removed, all };
}

/** A list that says: forget who owns what. */
function isReset(sent: readonly ManagedFieldsEntry[] | undefined): boolean {
  if (sent === undefined) return false;
  return sent.length === 0 || (sent.length === 1 && Object.keys(sent[0] ?? {}).length === 0);
}

function isDecodable(entries: readonly ManagedFieldsEntry[]): boolean {
  return entries.every(
    ({ operation, apiVersion, fieldsType }) =>
      (operation === 'Apply' || operation === 'Update') &&
      apiVersion !== undefined &&
      apiVersion !== '' &&
      fieldsType === 'FieldsV1',
  );
}

/** The owners that a write starts from: those that the client sends back, else those that are there. */
function startingOwners(
  live: KubeObject | undefined,
  next: KubeObject,
  subresource: string | undefined,
): readonly Owner[] {
  const known = (live?.metadata.managedFields ?? []).map(ownerOf);
  const sent = next.metadata.managedFields;
  if (subresource !== undefined) return known;
  if (isReset(sent)) return [];
  if (sent === undefined || sent.length === 0 || !isDecodable(sent)) return known;
  return sent.map(ownerOf);
}

/**
 * managedFields after a create (no `live`), update or patch by `manager`: it owns what it changed.
 * `next` is what the client wants, before admission and before the server sets fields of its own.
 */
export function trackUpdate(
  request: ManagerContext & { readonly live: KubeObject | undefined; readonly next: KubeObject },
): ManagedFieldsEntry[] | undefined {
  const { live, next, subresource } = request;
  const before = startingOwners(live, next, subresource);
  if (before.length === 0 && live !== undefined) return undefined;
  const taken = take(request, { live: live ?? {}, next }, before, undefined);
  if (hasUnkeyed(taken.all)) return encodedOrNone(before);
  const mine = difference(taken.changed, unowned);
  return encodedOrNone(capped(withUpdate(request, taken.owners, mine)));
}

function withUpdate(
  context: ManagerContext,
  owners: readonly Owner[],
  fields: FieldSet,
): readonly Owner[] {
  if (isEmpty(fields)) return owners;
  const mine = newOwner(context, 'Update', fields);
  const previous = owners.find((one) => isSameOwner(one, mine));
  if (previous === undefined) return [...owners, mine];
  const others = owners.filter((one) => one !== previous);
  return [...others, { ...mine, fields: union(previous.fields, fields) }];
}

function encodedOrNone(owners: readonly Owner[]): ManagedFieldsEntry[] | undefined {
  return owners.length === 0 ? undefined : encoded(owners);
}

// ---- apply ----

export interface ApplyRequest extends ManagerContext {
  readonly live: KubeObject | undefined;
  /** As the client sent it, of the right kind. */
  readonly applied: KubeObject;
  readonly force: boolean;
}

/** The merged object, managedFields included. Throws ApiError 409 for conflicts unless forced. */
export function serverSideApply(request: ApplyRequest): KubeObject {
  const { live, applied, manager } = request;
  const result = applyOnce(request);
  const annotations = live?.metadata.annotations ?? {};
  if (manager === 'kubectl' && annotations[LAST_APPLIED] !== undefined) {
    const { [LAST_APPLIED]: _old, ...others } = applied.metadata.annotations ?? {};
    const metadata = { ...applied.metadata, annotations: others };
    const text = `${JSON.stringify({ ...applied, metadata })}\n`;
    result.metadata.annotations = { ...result.metadata.annotations, [LAST_APPLIED]: text };
  }
  return result;
}

function applyOnce(request: ApplyRequest): KubeObject {
  const { info, live, applied, subresource } = request;
  const { schema } = info;
  const owners = ownersBeforeApply(request);
  const wanted = without(fieldsOf(schema, applied), resetFields(info, subresource));
  const mine = newOwner(request, 'Apply', wanted);
  const previous = owners.find((one) => isSameOwner(one, mine));
  const self: Owner = { ...mine, time: previous?.time };
  const all = [...owners.filter((one) => one !== previous), self];
  const plain = withoutManaged(live);
  const merged = merge(schema, plain, applied);
  const next = previous === undefined ? merged : prune(schema, merged, all, previous.fields);
  const taken = take(request, { live: plain, next }, all, self);
  const conflicts = request.force ? [] : refusedConflicts(request, taken.conflicts);
  if (conflicts.length > 0) throw conflictError(conflicts);
  const isChanged = !equal(plain, next);
  const kept = taken.owners.map((one) => (one === self ? stripped(self, isChanged, request) : one));
  const result = cloneJson(next) as KubeObject;
  result.metadata ??= {};
  result.metadata.managedFields = encoded(kept.filter(({ fields }) => !isEmpty(fields)));
  return result;
}

function stripped(self: Owner, isChanged: boolean, { now }: ApplyRequest): Owner {
  const fields = difference(self.fields, unowned);
  return { ...self, fields, time: isChanged ? now : self.time };
}

function withoutManaged(live: KubeObject | undefined): unknown {
  if (live === undefined) return {};
  const { managedFields: _managed, ...metadata } = live.metadata;
  return { ...live, metadata };
}

/** An object that nobody was said to own was made by somebody: the first apply finds that out. */
function ownersBeforeApply(request: ApplyRequest): readonly Owner[] {
  const { live } = request;
  const known = (live?.metadata.managedFields ?? []).map(ownerOf);
  if (live === undefined || known.length > 0) return known;
  const context = { ...request, manager: 'before-first-apply' };
  const { changed } = take(context, { live: {}, next: withoutManaged(live) }, [], undefined);
  const fields = difference(changed, unowned);
  return isEmpty(fields) ? [] : [newOwner(context, 'Update', fields)];
}

/** Without what the manager applied before, applies no more, and nobody else owns. */
function prune(
  schema: ResourceInfo['schema'],
  merged: unknown,
  owners: readonly Owner[],
  last: FieldSet,
): unknown {
  const named = (set: FieldSet): FieldSet => withNamedFields(schema, set);
  const fieldsIn = (value: unknown): FieldSet => named(fieldsOf(schema, value ?? {}));
  const before = named(last);
  const all = fieldsIn(merged);
  const owned = named(owners.map(({ fields }) => fields).reduce(union, {}));
  const first = withoutFields(schema, merged, before);
  // What somebody owns comes back, and so does what the manager never owned.
  const kept = union(fieldsIn(first), owned);
  const second = withoutFields(schema, merged, difference(all, kept));
  const gone = intersection(difference(all, fieldsIn(second)), before);
  return withoutFields(schema, merged, gone) ?? {};
}

type Conflicts = Taken['conflicts'];

/** What kubectl applied client-side before, and is still so, is no conflict for its server-side apply. */
function refusedConflicts(request: ApplyRequest, conflicts: Conflicts): Conflicts {
  const { info, live, manager } = request;
  const text = live?.metadata.annotations?.[LAST_APPLIED];
  if (manager !== 'kubectl' || text === undefined || conflicts.length === 0) return conflicts;
  const last = parsed(text);
  if (last === undefined || last['apiVersion'] !== apiVersionOf(info)) return conflicts;
  const { added, modified, removed } = compare(info.schema, last, live);
  const differing = union(union(added, modified), removed);
  const allowed = difference(fieldsOf(info.schema, last), differing);
  return conflicts
    .map(({ owner, fields }) => ({ owner, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function describeOwner({ manager, subresource, operation, apiVersion }: Owner): string {
  const sub = subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  const using = operation === 'Update' ? ` using ${apiVersion}` : '';
  return `${JSON.stringify(manager)}${sub}${using}`;
}

function conflictError(conflicts: Conflicts): ApiError {
  const found = conflicts.flatMap(({ owner, fields }) =>
    [...members(fields)].map((path) => ({ who: describeOwner(owner), path: describePath(path) })),
  );
  const causes = found.map(({ who, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${who}`,
    field: path,
  }));
  const [first] = found;
  const groups = [...Map.groupBy(found, ({ who }) => who)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const lines = groups.flatMap(([who, ones]) => [
    `conflicts with ${who}:`,
    ...ones.map(({ path }) => `- ${path}`),
  ]);
  const text =
    found.length === 1 && first !== undefined
      ? `1 conflict: conflict with ${first.who}: ${first.path}`
      : `${found.length} conflicts: ${lines.join('\n')}`;
  return new ApiError(409, 'Conflict', `Apply failed with ${text}`, { causes });
}
