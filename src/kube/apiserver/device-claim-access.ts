// Who may say which devices a claim has, and what drivers tell of them; who gets devices that others use
// (pkg/registry/resource of kubernetes v1.37, with the gates that are on there by default).
import { same } from '#base/same.ts';
import { list, record, type Json } from '#kube/meta/field-rules.ts';
import { forbidden as forbiddenField, nameProblem } from '#kube/meta/names.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { forbidden } from './access.ts';
import type { Authorizer } from './authz/authorizer.ts';
import type { ObjectLookup } from './object-lookup.ts';
import type { AccessRequest } from './rbac.ts';
import type { WriteContext } from './resources.ts';
import type { UserInfo } from './user.ts';

const ADMIN_LABEL = 'resource.kubernetes.io/admin-access';
const NODE_NAME = 'authentication.kubernetes.io/node-name';
const SERVICE_ACCOUNT = /^system:serviceaccount:[^:]+:[^:]+$/;

export interface DeviceAccessServices {
  readonly authorizer: Authorizer;
  readonly lookup: ObjectLookup;
}

/** What is told of one device by its driver. */
interface DeviceStatus {
  readonly driver?: string;
  readonly pool?: string;
  readonly device?: string;
  readonly shareID?: string;
}

/** Where the first of the requests, or of the results, asks for a device that others use. */
function adminIndex(all: readonly Json[]): number {
  return all.findIndex(
    (one) => (record(one['exactly'])['adminAccess'] ?? one['adminAccess']) === true,
  );
}

async function adminFault(
  { lookup }: DeviceAccessServices,
  namespace: string | undefined,
  at: string,
): Promise<StatusCause[]> {
  const found = await lookup.get('', 'namespaces', undefined, namespace ?? '');
  if (found?.metadata.labels?.[ADMIN_LABEL] === 'true') return [];
  const why = `admin access to devices requires the \`${ADMIN_LABEL}: true\` label on the containing namespace`;
  return [forbiddenField(at, why)];
}

/** Lists that are empty are none. */
function sameItems(a: unknown, b: unknown): boolean {
  return same(list(a), list(b));
}

function keyOf({ driver, pool, device, shareID = '' }: DeviceStatus): string {
  return JSON.stringify([driver, pool, device, shareID]);
}

/** Drivers whose devices are told of otherwise than before, in their order. */
function changedDrivers(next: readonly DeviceStatus[], old: readonly DeviceStatus[]): string[] {
  const before = new Map(old.map((one) => [keyOf(one), one]));
  const changed = new Set<string>();
  for (const one of next) {
    const key = keyOf(one);
    if (!same(one, before.get(key))) changed.add(one.driver ?? '');
    before.delete(key);
  }
  for (const one of before.values()) changed.add(one.driver ?? '');
  return [...changed].toSorted();
}

/** The one node that an allocation is for, if it is for one by name. */
function nodeOf(allocation: Json): string | undefined {
  const terms = list(record(allocation['nodeSelector'])['nodeSelectorTerms']).map(record);
  const fields = list(terms[0]?.['matchFields']).map(record);
  const [field] = fields;
  if (terms.length !== 1 || fields.length !== 1 || field === undefined) return undefined;
  if (list(terms[0]?.['matchExpressions']).length > 0) return undefined;
  const values = list(field['values']);
  const isNamed = field['key'] === 'metadata.name' && field['operator'] === 'In';
  return isNamed && values.length === 1 ? String(values[0]) : undefined;
}

/** An account of a pod on the node that the devices are on. */
function isOnNode({ name, extra }: UserInfo, node: string | undefined): boolean {
  const own = extra[NODE_NAME] ?? [];
  if (node === undefined || own.length !== 1 || own[0] !== node) return false;
  return SERVICE_ACCOUNT.test(name) && nameProblem('subdomain', node) === undefined;
}

/** Why it may not; absent: it may by one of the verbs. The first refusal is told. */
async function refusal(
  { authorizer }: DeviceAccessServices,
  access: AccessRequest,
  verbs: readonly string[],
): Promise<string | undefined> {
  let first: string | undefined;
  for (const verb of verbs) {
    const asked = { ...access, verb };
    const { kind, reason, error } = await authorizer.authorize(asked);
    if (kind === 'allow') return undefined;
    const told = [error ?? '', reason].filter((one) => one !== '').join(': ');
    first ??= forbidden(asked, told).message;
  }
  return first;
}

async function bindingFaults(
  services: DeviceAccessServices,
  access: AccessRequest,
  next: Json,
  old: Json,
): Promise<StatusCause[]> {
  const isSame =
    same(next['allocation'], old['allocation']) &&
    sameItems(next['reservedFor'], old['reservedFor']);
  if (isSame) return [];
  // Of all claims there are: who schedules does so everywhere.
  const asked = { ...access, subresource: 'binding', namespace: undefined, name: undefined };
  const why = await refusal(services, asked, [access.verb]);
  if (why === undefined) return [];
  const needed = `resource="resourceclaims/binding", verb="${access.verb}" permission`;
  const what = `changing status.allocation or status.reservedFor requires ${needed}: ${why}`;
  return [forbiddenField('status.allocation', what)];
}

async function driverFaults(
  services: DeviceAccessServices,
  access: AccessRequest,
  next: Json,
  old: Json,
): Promise<StatusCause[]> {
  const [now, before] = [next, old].map((one) => list(one['devices']) as DeviceStatus[]);
  const causes: StatusCause[] = [];
  const isNear = isOnNode(access.user, nodeOf(record(next['allocation'])));
  const places = [...(isNear ? ['associated-node'] : []), 'arbitrary-node'];
  const verbs = places.map((place) => `${place}:${access.verb}`);
  for (const driver of changedDrivers(now ?? [], before ?? [])) {
    const asked = { ...access, subresource: 'driver', name: driver };
    const why = await refusal(services, asked, verbs);
    if (why === undefined) continue;
    const needed = `resource="resourceclaims/driver", verb="[${verbs.join(' ')}]" permission`;
    const what = `changing status.devices requires ${needed}: ${why}`;
    causes.push(forbiddenField('status.devices', what));
  }
  return causes;
}

async function statusFaults(
  services: DeviceAccessServices,
  { user, verb = 'update', namespace, info }: WriteContext,
  object: KubeObject,
  old: KubeObject | undefined,
): Promise<StatusCause[]> {
  const [next, before] = [record(object['status']), record(old?.['status'])];
  const [results, given] = [next, before].map((one) =>
    list(record(record(one['allocation'])['devices'])['results']).map(record),
  );
  const index = adminIndex(results ?? []);
  const at = `status.allocation.devices.results[${index}].adminAccess`;
  const isGranted = adminIndex(given ?? []) >= 0;
  const causes = index < 0 || isGranted ? [] : await adminFault(services, namespace, at);
  const { group, version, resource } = info;
  const place = { isResource: true, group, version, resource, namespace, path: '' };
  const access = { ...place, user, verb, subresource: undefined, name: undefined };
  causes.push(...(await bindingFaults(services, access, next, before)));
  if (next['allocation'] === undefined) return causes;
  return [...causes, ...(await driverFaults(services, access, next, before))];
}

/** Of a claim, its status, or a template of claims. */
export async function deviceAccessFaults(
  services: DeviceAccessServices,
  context: WriteContext,
  object: KubeObject,
  old: KubeObject | undefined,
): Promise<readonly StatusCause[]> {
  const { info, subresource, namespace } = context;
  const isClaim = info.resource === 'resourceclaims';
  if (!isClaim && info.resource !== 'resourceclaimtemplates') return [];
  if (subresource === 'status') return await statusFaults(services, context, object, old);
  // What is asked for is not changed later.
  if (old !== undefined) return [];
  const spec = record(object['spec']);
  const { devices } = isClaim ? spec : record(spec['spec']);
  const index = adminIndex(list(record(devices)['requests']).map(record));
  if (index < 0) return [];
  return await adminFault(services, namespace, `spec.devices.requests[${index}].adminAccess`);
}
