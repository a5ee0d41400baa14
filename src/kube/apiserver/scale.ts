// The scale subresource: the number of replicas of an object, seen as a Scale of autoscaling/v1. It is
// read, updated, patched and applied like any object; what is owned of it is owned of its object.
import { cloneJson } from '#base/clone.ts';
import { ownersInOrder, serverSideApply, trackUpdate } from '#kube/meta/apply.ts';
import { difference, fieldSet, isEmpty, union, type FieldSet } from '#kube/meta/field-sets.ts';
import { invalidValue } from '#kube/meta/names.ts';
import { apiVersionOf, type KubeObject, type ManagedFieldsEntry } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { formatLabelSelector, labelSelectorFromObject } from '#kube/meta/selectors.ts';
import { ApiError, badRequest, conflict, invalid } from '#kube/meta/status.ts';
import { kindAlone } from './kind-alone.ts';
import { admissionRequestOf } from './admission/write-request.ts';
import { checkApplied, checkNamespace, checkSent, checkUid, converted } from './write-checks.ts';
import type { Resources, WriteContext } from './resources.ts';
import type { PatchRequest } from './patch-request.ts';

type Json = Record<string, unknown>;

const replicas = fieldSet('spec.replicas');

/** Scale as a resource of its own, for decoding, patches and tables. */
export const scaleInfo: ResourceInfo = kindAlone('autoscaling', 'v1', 'Scale', [
  'get',
  'patch',
  'update',
]);

/** Its tables are of another make where it is of a custom object. */
export const scaleInfoOf = ({ customResourceDefinition }: ResourceInfo): ResourceInfo =>
  customResourceDefinition === undefined ? scaleInfo : customScaleInfo;

const customScaleInfo: ResourceInfo = { ...scaleInfo, resource: 'customscales' };

interface ScalePaths {
  readonly spec: string;
  readonly status: string;
  readonly selector?: string | undefined;
}

function scalePaths(info: ResourceInfo): ScalePaths {
  const sub = info.subresources.find((one) => one.name === 'scale');
  return sub?.scalePaths ?? { spec: '.spec.replicas', status: '.status.replicas' };
}

function namesIn(path: string): string[] {
  return path.split('.').filter((part) => part !== '');
}

export function valueAt(object: unknown, path: string): unknown {
  return namesIn(path).reduce((value, key) => (value as Json | undefined)?.[key], object);
}

function setAt(object: KubeObject, path: string, value: unknown): void {
  const parts = namesIn(path);
  const last = parts.pop() ?? '';
  let at: Json = object;
  for (const part of parts) at = (at[part] ??= {}) as Json;
  at[last] = value;
}

function selectorOf(paths: ScalePaths, object: KubeObject): unknown {
  if (paths.selector !== undefined) return valueAt(object, paths.selector);
  const own = object['spec']?.selector as Json | undefined;
  if (own === undefined) return undefined;
  const isStructured = own['matchLabels'] !== undefined || own['matchExpressions'] !== undefined;
  const labels = isStructured ? own : { matchLabels: own as Record<string, string> };
  const parsed = labelSelectorFromObject(labels);
  return parsed === undefined ? undefined : formatLabelSelector(parsed);
}

export function scaleOf(info: ResourceInfo, object: KubeObject): KubeObject {
  const paths = scalePaths(info);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = selectorOf(paths, object);
  const metadata = { name, namespace, uid, resourceVersion, creationTimestamp };
  const count = Number(valueAt(object, paths.spec) ?? 0);
  return {
    kind: 'Scale',
    apiVersion: apiVersionOf(scaleInfo),
    metadata: JSON.parse(JSON.stringify(metadata)),
    spec: count === 0 ? {} : { replicas: count },
    status: {
      replicas: Number(valueAt(object, paths.status) ?? 0),
      ...(selector === undefined || selector === '' ? {} : { selector }),
    },
  };
}

function identityOf({ manager, operation, apiVersion, subresource }: ManagedFieldsEntry): string {
  const version = operation === 'Apply' ? '' : apiVersion;
  return JSON.stringify([manager, operation, version, subresource ?? '']);
}

/** The owners of the number of replicas, as owners of the Scale's. */
function ownersOfScale(info: ResourceInfo, object: KubeObject): ManagedFieldsEntry[] {
  const path = fieldSet(namesIn(scalePaths(info).spec).join('.'));
  return (object.metadata.managedFields ?? [])
    .filter(({ fieldsV1 }) => hasAll((fieldsV1 ?? {}) as FieldSet, path))
    .map((entry) => ({ ...entry, apiVersion: apiVersionOf(scaleInfo), fieldsV1: replicas }));
}

function hasAll(set: FieldSet, path: FieldSet): boolean {
  return isEmpty(difference(path, set));
}

/** Owners of the object after those of its Scale have become `scale`. */
function ownersOfObject(
  info: ResourceInfo,
  before: readonly ManagedFieldsEntry[],
  scale: readonly ManagedFieldsEntry[],
): ManagedFieldsEntry[] {
  const path = fieldSet(namesIn(scalePaths(info).spec).join('.'));
  const owning = scale.filter(({ fieldsV1 }) => hasAll((fieldsV1 ?? {}) as FieldSet, replicas));
  const left = new Map(owning.map((entry) => [scaleIdentity(entry), entry]));
  const kept = before.flatMap((entry) => {
    const fields = (entry.fieldsV1 ?? {}) as FieldSet;
    if (!hasAll(fields, path)) return [entry];
    if (left.delete(scaleIdentity(entry))) return [entry];
    const rest = difference(fields, path);
    return isEmpty(rest) ? [] : [{ ...entry, fieldsV1: rest }];
  });
  const apiVersion = apiVersionOf(info);
  for (const entry of left.values()) {
    // Upstream does not note when.
    const { time: _time, ...timeless } = entry;
    const own: ManagedFieldsEntry = { ...timeless, apiVersion, fieldsV1: path };
    const known = kept.findIndex((one) => identityOf(one) === identityOf(own));
    const fields = union((kept[known]?.fieldsV1 ?? {}) as FieldSet, path);
    if (known < 0) kept.push(own);
    else kept[known] = { ...own, fieldsV1: fields };
  }
  return ownersInOrder(kept);
}

/** The same owner has another version at the Scale. */
function scaleIdentity(entry: ManagedFieldsEntry): string {
  return identityOf({ ...entry, apiVersion: '' });
}

export type ScaleChange =
  | {
      readonly kind: 'update';
      readonly body: unknown;
      /** Is told what was sent, once it is known to be a Scale. */
      readonly onSent: (scale: KubeObject) => void;
    }
  | { readonly kind: 'patch'; readonly request: PatchRequest };

/** Throws ApiError; answers with the Scale as it is afterwards. */
export async function changeScale(
  resources: Resources,
  context: WriteContext,
  name: string,
  change: ScaleChange,
  now: () => string,
): Promise<KubeObject> {
  const { info, fieldManager: manager } = context;
  const own = { ...context, info: scaleInfo, subresource: undefined };
  // Whatever it is of, it has to be a Scale.
  const isCustom = info.customResourceDefinition !== undefined;
  const sent =
    change.kind === 'update' ? decoded(resources, own, change.body, isCustom) : undefined;
  if (change.kind === 'update' && sent !== undefined) change.onSent(sent);
  const options = { skipTracking: true };
  // What is admitted is the Scale, not the object that it is of.
  const written = { ...context, isAdmitted: true };
  const updated = await resources.modify(
    written,
    name,
    async (live) => {
      const before = scaleOf(info, live);
      const managedFields = ownersOfScale(info, live);
      if (managedFields.length > 0) before.metadata.managedFields = managedFields;
      const tracking = { info: scaleInfo, manager, now: now(), subresource: 'scale' };
      const wanted =
        change.kind === 'patch'
          ? patched(resources, own, before, change.request, tracking)
          : tracked(cloneJson(sent as KubeObject), before, tracking);
      if (change.kind === 'update') {
        checkSent(wanted, name);
        checkNamespace(context, wanted);
        checkUid(context, name, wanted, live);
      }
      checkScaleUid(info, name, wanted, live);
      wanted.metadata.name ??= name;
      const request = admissionRequestOf(context, 'UPDATE', wanted, before, name);
      await resources.mutate(context, request);
      const next = request.object;
      checkScale(info, next, name);
      const old = scaleOf(info, live);
      setAt(live, scalePaths(info).spec, next['spec']?.replicas ?? 0);
      const { resourceVersion } = next.metadata;
      if (resourceVersion === undefined || resourceVersion === '') {
        delete live.metadata.resourceVersion;
      } else live.metadata.resourceVersion = resourceVersion;
      const owners = next.metadata.managedFields ?? [];
      const all = ownersOfObject(info, live.metadata.managedFields ?? [], owners);
      if (all.length > 0) live.metadata.managedFields = all;
      else delete live.metadata.managedFields;
      await resources.judge(context, { ...request, object: scaleOf(info, live), old });
      return live;
    },
    options,
  );
  return scaleOf(info, updated);
}

/** A patch may name the object that it means; custom ones are not asked. */
function checkScaleUid(
  info: ResourceInfo,
  name: string,
  { metadata }: KubeObject,
  live: KubeObject,
): void {
  const { uid } = metadata;
  if (info.customResourceDefinition !== undefined || !uid || uid === live.metadata.uid) return;
  const of = { group: info.group, resource: `${info.resource}/scale` };
  const uids = `UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
  throw conflict(of, name, `Precondition failed: ${uids}`);
}

type Tracking = Omit<Parameters<typeof trackUpdate>[0], 'live' | 'next'>;

function patched(
  resources: Resources,
  context: WriteContext,
  before: KubeObject,
  request: PatchRequest,
  tracking: Tracking,
): KubeObject {
  if (request.type !== 'apply')
    return tracked(resources.patched(context, before, request), before, tracking);
  const { patch, force } = request;
  const applied = checkApplied(scaleInfo, patch);
  const merged = serverSideApply({ ...tracking, live: before, applied, force });
  const { managedFields } = merged.metadata;
  const decode = (): KubeObject => resources.decode({ ...context, numbers: 'values' }, merged);
  const { name = '', namespace } = before.metadata;
  const next = converted(scaleInfo, name, decode, namespace);
  if (managedFields !== undefined) next.metadata.managedFields = managedFields;
  delete next.metadata.resourceVersion;
  return next;
}

function tracked(next: KubeObject, before: KubeObject, tracking: Tracking): KubeObject {
  const managedFields = trackUpdate({ ...tracking, live: before, next });
  if (managedFields === undefined) delete next.metadata.managedFields;
  else next.metadata.managedFields = managedFields;
  return next;
}

/** Upstream cannot say what is wrong with the scale of a custom object. */
function decoded(
  resources: Resources,
  context: WriteContext,
  body: unknown,
  isCustom: boolean,
): KubeObject {
  try {
    return resources.decode(context, body);
  } catch (error) {
    if (!isCustom || !(error instanceof ApiError) || !/cannot be handled/.test(error.message))
      throw error;
    const scheme = 'pkg/runtime/scheme.go:111';
    throw badRequest(`no kind is registered for the type v1.Scale in scheme "${scheme}"`);
  }
}

function checkScale(info: ResourceInfo, scale: KubeObject, name: string): void {
  const given = scale.metadata.name ?? '';
  if (given !== '' && given !== name) {
    throw badRequest(
      `the name of the object (${given}) does not match the name on the URL (${name})`,
    );
  }
  const count: unknown = scale['spec']?.replicas ?? 0;
  // Those of custom objects are checked where they lie in the object.
  if (info.customResourceDefinition !== undefined) return;
  if (typeof count === 'number' && count >= 0) return;
  const why = 'must be greater than or equal to 0';
  throw invalid(scaleInfo, name, [invalidValue('spec.replicas', count, why)]);
}
