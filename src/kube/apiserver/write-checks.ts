// What a write has to be before anything is done with it: whole, of the right kind, not said to be there
// already; and which kinds a PUT creates.
import type { Env } from '#env/env.ts';
import { generateName, invalidValue, nameProblem } from '#kube/meta/names.ts';
import {
  apiVersionOf,
  parseApiVersion,
  type KubeObject,
  type ObjectMeta,
} from '#kube/meta/object.ts';
import { ownersFault } from '#kube/meta/apply.ts';
import type { AdmissionRequest } from './admission/request.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { ApiError, badRequest, conflict, invalid, type StatusCause } from '#kube/meta/status.ts';
import { isObject, shapeErrors } from '#kube/meta/structured.ts';
import { objectKey } from './object-store.ts';
import type { WriteContext } from './resources.ts';

/** Of events it is the core kind that is judged, in either group. */
export function kindOf(info: ResourceInfo): { group: string; kind: string } {
  return info.group === 'events.k8s.io' ? { group: '', kind: info.kind } : info;
}

export function isCreatedOnUpdate(info: ResourceInfo): boolean {
  const key = `${info.group}/${info.resource}`;
  return [
    'coordination.k8s.io/leases',
    'rbac.authorization.k8s.io/roles',
    'rbac.authorization.k8s.io/rolebindings',
    'rbac.authorization.k8s.io/clusterroles',
    'rbac.authorization.k8s.io/clusterrolebindings',
    '/endpoints',
    '/events',
    '/limitranges',
    '/services',
    'events.k8s.io/events',
    'node.k8s.io/runtimeclasses',
  ].includes(key);
}

/** What is wrong with fields, then whatever else is; rights to devices are judged before their fields. */
export function inOrder(
  { group }: ResourceInfo,
  own: readonly StatusCause[],
  extra: readonly StatusCause[],
): StatusCause[] {
  const isFirst = ({ reason }: StatusCause): boolean =>
    group === 'resource.k8s.io' && reason === 'FieldValueForbidden';
  return [...extra.filter(isFirst), ...own, ...extra.filter((one) => !isFirst(one))];
}

/** What a client applies must say what it is, and have the shape of it. */
export function checkApplied(info: ResourceInfo, patch: unknown): KubeObject {
  if (!isObject(patch)) throw badRequest('error decoding patch: expected a JSON object');
  const { apiVersion = '', kind = '', metadata } = patch as unknown as Partial<KubeObject>;
  const { group, version } = parseApiVersion(String(apiVersion));
  const type = `${group}/${version}, Kind=${kind}`;
  if (apiVersion !== apiVersionOf(info) || kind !== info.kind) {
    throw badRequest(`invalid object type: ${type}`);
  }
  if (metadata?.managedFields !== undefined) {
    throw badRequest('metadata.managedFields must be nil');
  }
  const errors = shapeErrors(info.schema, patch);
  if (errors.length > 0) {
    const text = errors.length === 1 ? errors[0] : `errors:\n  ${errors.join('\n  ')}`;
    const place = `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}; ${type}`;
    throw new ApiError(500, '', `failed to create typed patch object (${place}): ${text ?? ''}`);
  }
  return patch as unknown as KubeObject;
}

/** Owners that a webhook has left in no form are those of before. */
export function keepOwners(
  { object, warnings }: Pick<AdmissionRequest, 'object' | 'warnings'>,
  before: ObjectMeta['managedFields'],
): void {
  const now = object?.metadata?.managedFields;
  const why = now === undefined || now === before ? undefined : ownersFault(now);
  if (object === undefined || why === undefined) return;
  if (before === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = before;
  const head = '.metadata.managedFields was in an invalid state after admission';
  const cause = 'this could be caused by an outdated mutating admission controller';
  warnings.push(`${head}; ${cause}; please fix your requests: ${why}`);
}

export function wipeSystemFields({ metadata }: KubeObject): void {
  for (const field of [
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'selfLink',
  ] as const) {
    delete metadata[field];
  }
}

/** Who names a uid means an object that is there. It is as it was sent, without metadata perhaps. */
export function checkNotKnown(
  info: ResourceInfo,
  name: string,
  { metadata }: Partial<KubeObject>,
): void {
  if (!metadata?.uid) return;
  const why = `the provided object specified uid ${metadata.uid}, and no existing object was found`;
  throw conflict(info, name, `uid mismatch: ${why}`);
}

/** What upstream's storage says of an object that claims to be there already. */
export function checkUnversioned({ metadata }: KubeObject): void {
  // What is no number is no version, and nobody looks at it.
  if (!/^0*[1-9]\d*$/.test(metadata.resourceVersion ?? '')) return;
  throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created');
}

/** An object is where it was sent to; it is told so when it does not say itself. Throws ApiError 400. */
export function checkNamespace(
  { info, namespace }: Pick<WriteContext, 'info' | 'namespace'>,
  { metadata }: KubeObject,
): void {
  if (!info.namespaced) return;
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  }
  metadata.namespace = namespace ?? '';
}

/** An object is what it was sent to. Throws ApiError 400. */
export function checkName({ metadata }: KubeObject, name: string): void {
  if (metadata.name === undefined || metadata.name === name) return;
  const own = metadata.name;
  throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
}

/** What is sent whole must say what it is of. Throws ApiError 400. */
export function checkSent({ metadata }: KubeObject, name: string): void {
  if (!metadata.name) {
    const why = 'name must be provided';
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: ${why}`);
  }
}

/** Of what is to be deleted although nobody can read it. */
export function readableAfterAll(info: ResourceInfo, key: string, name: string): ApiError {
  const why = 'unsafe deletion is not allowed because the object is decodable from storage';
  return conflict(info, name, storageError(key, why));
}

/** As upstream's storage says what it will not do. */
export const storageError = (key: string, why: string): string =>
  `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;

/** What upstream's storage says of a name that no key can have. Throws ApiError 400. */
export function checkLookup(name: string): void {
  if (name === '') throw badRequest('Name parameter required.');
  const wrong = nameProblem('path-segment', name);
  if (wrong === undefined) return;
  throw badRequest(`Name parameter invalid: ${JSON.stringify(name)}: ${wrong}`);
}

/** Whoever says none or 0 means whatever is there. */
export const isNoVersion = (version = ''): boolean => /^0*$/.test(version);

/** Throws ApiError: 500 for what is no version, 422 where 0 is not taken for one. */
export function checkVersion(info: ResourceInfo, name: string, version = ''): void {
  if (!/^\d*$/.test(version)) {
    const text = JSON.stringify(version);
    throw new ApiError(500, '', `strconv.ParseUint: parsing ${text}: invalid syntax`);
  }
  if (version !== '' && isNoVersion(version)) checkIsVersioned(info, name, '');
}

/** Bytes of what is no text yet are told to come from JSON. */
export const unconverted = (why: string): string =>
  why.startsWith('illegal base64') ? `error decoding from json: ${why}` : why;

/** What is applied is merged as it is, and then found to be none of the kind: the server's own failure, upstream. */
export function converted(
  info: ResourceInfo,
  name: string,
  decode: () => KubeObject,
  namespace = '',
): KubeObject {
  try {
    return decode();
  } catch (error) {
    const message = error instanceof ApiError ? error.message : '';
    const why = / cannot be handled as a \w+: (?!strict)([^]*)$/.exec(message)?.[1];
    if (why === undefined) throw error;
    const kind = `${info.group}/${info.version}, Kind=${info.kind}`;
    const whole = `failed to convert new object (${namespace}/${name}; ${kind}) to proper version`;
    const text = `${whole}: unable to convert unstructured object to ${kind}: ${unconverted(why)}`;
    throw new ApiError(500, '', text);
  }
}

/** Throws ApiError 409 when the client means another object than the one that is there. */
export function checkUid(
  { info, namespace, isDryRun }: Pick<WriteContext, 'info' | 'namespace' | 'isDryRun'>,
  name: string,
  next: KubeObject,
  live: KubeObject,
): void {
  const { uid } = next.metadata;
  if (uid === undefined || uid === '' || uid === live.metadata.uid) return;
  const uids = `UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
  const whole = objectKey(info, namespace, name);
  const key = isDryRun ? whole.replace(/^\/registry/, '') : whole;
  throw conflict(info, name, storageError(key, `Precondition failed: ${uids}`));
}

/** Addresses are not drawn by name. */
export function drawnName(info: ResourceInfo, base: string, random: Env['random']): string {
  return info.resource === 'ipaddresses' ? base : generateName(base, () => random.next());
}

/** Kinds of which an update has to say which version it is of. */
const withVersion = new Set([
  'admissionregistration.k8s.io/mutatingadmissionpolicies',
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  'admissionregistration.k8s.io/validatingadmissionpolicies',
  'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  'admissionregistration.k8s.io/validatingwebhookconfigurations',
  'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices',
  'certificates.k8s.io/clustertrustbundles',
  'certificates.k8s.io/podcertificaterequests',
  'coordination.k8s.io/leases',
  'node.k8s.io/runtimeclasses',
  'policy/poddisruptionbudgets',
  'resource.k8s.io/devicetaintrules',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/csistoragecapacities',
  'storage.k8s.io/volumeattachments',
  'storagemigration.k8s.io/storageversionmigrations',
]);

/** Throws ApiError 422. */
export function checkIsVersioned(info: ResourceInfo, name: string, resourceVersion: string): void {
  if (resourceVersion !== '') return;
  const isOne = withVersion.has(`${info.group}/${info.resource}`);
  if (!isOne && info.customResourceDefinition === undefined) return;
  const cause = invalidValue('metadata.resourceVersion', 0, 'must be specified for an update');
  throw invalid({ group: info.group, kind: info.resource }, name, [cause]);
}
