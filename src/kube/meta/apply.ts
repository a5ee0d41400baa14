// Who owns which field: server-side apply merges what a manager applies into the live object and finds
// conflicts, every other write gives its manager what it changed (managedFields of Kubernetes v1.37).
import { cloneJson } from '#base/clone.ts';
import {
  describePath,
  difference,
  type FieldSet,
  fieldSet,
  inOrder,
  intersection,
  isEmpty,
  isFieldSet,
  members,
  ordered,
  union,
  without,
} from './field-sets.ts';
import { checkForm, FormError, VersionForms, type Conversions } from './version-forms.ts';
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
  /** Of objects that somebody else converts: what is not among them is thrown as Unconverted. */
  readonly conversions?: Conversions | undefined;
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

/** Of those that are the same one the last counts; what a client wrote is put into order. */
function sentOwners(entries: readonly ManagedFieldsEntry[]): Owner[] {
  const found: Owner[] = [];
  for (const entry of entries) {
    const owner = { ...ownerOf(entry), fields: ordered(ownerOf(entry).fields) };
    const at = found.findIndex((one) => isSameOwner(one, owner));
    if (at < 0) found.push(owner);
    else found[at] = { ...owner, time: owner.time ?? found[at]?.time };
  }
  return found;
}

function entryOf(owner: Owner): ManagedFieldsEntry {
  const { manager, operation, apiVersion, subresource, time, fields } = owner;
  return {
    manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: inOrder(fields),
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

type Placed = {
  readonly [key in keyof Omit<Owner, 'fields'>]?: Owner[key] | undefined;
};

/** Appliers first, then by time, then by name. */
export function ownersInOrder<T extends Placed>(owners: readonly T[]): T[] {
  const place = ({ operation, time, manager, apiVersion, subresource }: Placed) => [
    operation,
    time,
    manager,
    apiVersion,
    subresource,
  ];
  return owners.toSorted((a, b) => {
    const [x, y] = [place(a), place(b)];
    const at = x.findIndex((one, i) => (one ?? '') !== (y[i] ?? ''));
    return at < 0 ? 0 : (x[at] ?? '') < (y[at] ?? '') ? -1 : 1;
  });
}

const encoded = (owners: readonly Owner[]): ManagedFieldsEntry[] =>
  ownersInOrder(owners).map(entryOf);

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

/** The owners but for those of versions that are gone. Throws FormError where the object is none of theirs. */
function ownersToday(
  owners: readonly Owner[],
  live: unknown,
  forms: VersionForms,
): readonly Owner[] {
  if (owners.every(({ apiVersion }) => forms.isOwn(apiVersion))) return owners;
  return owners.filter(({ apiVersion }) => {
    const form = forms.of(apiVersion);
    form?.convert(live);
    return form !== undefined;
  });
}

/** What the change from `live` to `next` takes from everybody but `self`. Throws FormError. */
function take(
  context: ManagerContext,
  change: { readonly live: unknown; readonly next: unknown },
  owners: readonly Owner[],
  self: Owner | undefined,
  forms: VersionForms,
): Taken {
  const { info, subresource } = context;
  const reset = resetFields(info, subresource);
  const all = compare(info.schema, change.live, change.next);
  const changed = without(union(all.modified, all.added), reset);
  const removed = without(all.removed, reset);
  const own = { changed, removed };
  const others = new Map<string, typeof own>();
  const changesFor = (apiVersion: string): typeof own => {
    const form = forms.isOwn(apiVersion) ? undefined : forms.of(apiVersion);
    if (form === undefined) return own;
    let found = others.get(apiVersion);
    if (found === undefined) {
      const { live, next } = change;
      const there = compare(form.schema, form.convert(live), form.convert(next));
      found = {
        changed: without(union(there.modified, there.added), reset),
        removed: without(there.removed, reset),
      };
      others.set(apiVersion, found);
    }
    return found;
  };
  const conflicts: { owner: Owner; fields: FieldSet }[] = [];
  const kept: Owner[] = [];
  for (const owner of owners) {
    if (owner === self) {
      if (!isEmpty(owner.fields)) kept.push(owner);
      continue;
    }
    const theirs = changesFor(owner.apiVersion);
    const fields = intersection(owner.fields, theirs.changed);
    if (!isEmpty(fields)) conflicts.push({ owner, fields });
    const left = difference(difference(owner.fields, fields), theirs.removed);
    if (!isEmpty(left)) kept.push({ ...owner, fields: left });
  }
  return { owners: kept, conflicts, changed, removed, all };
}

/** A list that says: forget who owns what. */
function isReset(sent: readonly ManagedFieldsEntry[] | undefined): boolean {
  if (sent === undefined) return false;
  return sent.length === 0 || (sent.length === 1 && Object.keys(sent[0] ?? {}).length === 0);
}

/** What is wrong with owners that admission has left, as upstream reads them; undefined when nothing is. */
export function ownersFault(entries: readonly ManagedFieldsEntry[]): string | undefined {
  for (const [i, entry] of entries.entries()) {
    const { operation, apiVersion, fieldsType = '', fieldsV1 } = entry;
    if (operation !== 'Apply' && operation !== 'Update')
      return 'operation must be `Apply` or `Update`';
    if (apiVersion === undefined || apiVersion === '') return 'apiVersion must not be empty';
    if (fieldsType === '') return `missing fieldsType in managed fields entry ${i}`;
    if (fieldsType !== 'FieldsV1')
      return `invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${i}`;
    if (!isFieldSet(fieldsV1 ?? {})) return `error decoding versioned set of entry ${i}`;
  }
  return undefined;
}

function isDecodable(entries: readonly ManagedFieldsEntry[]): boolean {
  return entries.every(
    ({ operation, apiVersion, fieldsType, fieldsV1 }) =>
      (operation === 'Apply' || operation === 'Update') &&
      apiVersion !== undefined &&
      apiVersion !== '' &&
      fieldsType === 'FieldsV1' &&
      isFieldSet(fieldsV1 ?? {}),
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
  return sentOwners(sent);
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
  try {
    return trackedOwners(request, before);
  } catch (error) {
    // An object that is none in the version of one of its owners leaves all of them as they are.
    if (error instanceof FormError) return live?.metadata.managedFields;
    throw error;
  }
}

function trackedOwners(
  request: Parameters<typeof trackUpdate>[0],
  before: readonly Owner[],
): ManagedFieldsEntry[] | undefined {
  const { info } = request;
  const live = withoutManaged(request.live);
  const next = withoutManaged(request.next);
  if (request.live !== undefined) {
    checkForm(info, next);
    checkForm(info, live);
  }
  const forms = new VersionForms(info, request.conversions);
  const today = ownersToday(before, live, forms);
  const taken = take(request, { live, next }, today, undefined, forms);
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
  const result = described('', () => applyOnce(request));
  const annotations = live?.metadata.annotations ?? {};
  if (manager === 'kubectl' && annotations[LAST_APPLIED] !== undefined) {
    const { [LAST_APPLIED]: _old, ...others } = applied.metadata.annotations ?? {};
    const metadata = { ...applied.metadata, annotations: others };
    const text = `${JSON.stringify({ ...applied, metadata })}\n`;
    result.metadata.annotations = { ...result.metadata.annotations, [LAST_APPLIED]: text };
  }
  return result;
}

/** What fails for an object's form is the server's error, told after these words. */
function described<T>(head: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FormError) throw new ApiError(500, '', head + error.message);
    throw error;
  }
}

function checkLive({ info, live }: ApplyRequest): void {
  if (live === undefined) return;
  const { namespace = '<unknown>', name = '' } = live.metadata;
  const what = `${namespace}/${name}; ${apiVersionOf(info)}, Kind=${info.kind}`;
  described(`failed to create typed live object (${what}): `, () => checkForm(info, live));
}

function applyOnce(request: ApplyRequest): KubeObject {
  const { info, live, applied, subresource } = request;
  const { schema } = info;
  checkLive(request);
  const forms = new VersionForms(info, request.conversions);
  const known = ownersBeforeApply(request, forms);
  const owners = ownersToday(known, withoutManaged(live), forms);
  const wanted = without(fieldsOf(schema, applied), resetFields(info, subresource));
  const mine = newOwner(request, 'Apply', wanted);
  const previous = owners.find((one) => isSameOwner(one, mine));
  const self: Owner = { ...mine, time: previous?.time };
  const all = [...owners.filter((one) => one !== previous), self];
  const plain = withoutManaged(live);
  const merged = merge(schema, plain, applied);
  const next = previous === undefined ? merged : prune(forms, merged, all, previous);
  const taken = described('failed to update: ', () =>
    take(request, { live: plain, next }, all, self, forms),
  );
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
function ownersBeforeApply(request: ApplyRequest, forms: VersionForms): readonly Owner[] {
  const { live } = request;
  const known = (live?.metadata.managedFields ?? []).map(ownerOf);
  if (live === undefined || known.length > 0) return known;
  const context = { ...request, manager: 'before-first-apply' };
  const change = { live: {}, next: withoutManaged(live) };
  const { changed } = take(context, change, [], undefined, forms);
  const fields = difference(changed, unowned);
  return isEmpty(fields) ? [] : [newOwner(context, 'Update', fields)];
}

/** Without what the manager applied before, applies no more, and nobody else owns. */
function prune(
  forms: VersionForms,
  whole: unknown,
  owners: readonly Owner[],
  { fields: last, apiVersion }: Owner,
): unknown {
  const form = forms.of(apiVersion);
  if (form === undefined) return whole;
  const head = 'failed to prune fields: failed to convert merged object to last applied version: ';
  const merged = described(head, () => form.convert(whole));
  const before = withNamedFields(form.schema, last);
  let first = withoutFields(form.schema, merged, before);
  let second = merged;
  // What somebody owns comes back, and so does what the manager never owned.
  for (const [version, fields] of ownedByVersion(owners, apiVersion)) {
    const there = forms.of(version);
    if (there === undefined) continue;
    const { schema } = there;
    [second, first] = described(`failed to prune fields: failed add back owned items: `, () => [
      there.convert(second),
      there.convert(first),
    ]);
    const all = namedFieldsOf(schema, second);
    const kept = union(namedFieldsOf(schema, first), withNamedFields(schema, fields));
    first = withoutFields(schema, second, difference(all, kept));
  }
  const left = namedFieldsOf(form.schema, form.convert(first));
  const gone = intersection(difference(namedFieldsOf(form.schema, merged), left), before);
  const pruned = withoutFields(form.schema, merged, gone) ?? {};
  return forms.of(owners.at(-1)?.apiVersion ?? apiVersion)?.convert(pruned);
}

const namedFieldsOf = (schema: ResourceInfo['schema'], value: unknown): FieldSet =>
  withNamedFields(schema, fieldsOf(schema, value ?? {}));

/** Those of the version that is pruned come first. */
function ownedByVersion(owners: readonly Owner[], first: string): ReadonlyMap<string, FieldSet> {
  const found = new Map<string, FieldSet>();
  const isOf = ({ apiVersion }: Owner): boolean => apiVersion === first;
  for (const one of [...owners.filter(isOf), ...owners.filter((other) => !isOf(other))])
    found.set(one.apiVersion, union(found.get(one.apiVersion) ?? {}, one.fields));
  if (found.size === 0) found.set(first, {});
  return found;
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
