// What an operation on resources, a launch or a registration asks for: actions with their objects,
// all of which must be allowed, and how Mesos 1.11 words each in its refusals.
import { isPersistentVolume, reservationRole } from '#mesos/resources/kinds.ts';
import { stringify } from '#wire/mesos/codec.ts';
import type {
  FrameworkInfo,
  Offer_Operation,
  Offer_Operation_Reserve,
  Resource,
  Resource_ReservationInfo,
  TaskInfo,
} from '#wire/mesos/v1.ts';
import type { Approvers } from './authorizer.ts';
import { userOf } from './authorizer.ts';

type PlainAction = Parameters<Approvers['may']>[0];

export interface ActionObject {
  readonly action: PlainAction;
  /** Undefined: ANY. */
  readonly object?: string | undefined;
  readonly resource?: Resource | undefined;
}

/** The first that is not allowed. */
export function refusedOf(
  approvers: Approvers,
  all: readonly ActionObject[],
): ActionObject | undefined {
  if (approvers.isAll) return undefined;
  return all.find(({ action, object }) => !approvers.may(action, object));
}

export function textOf({ action, object, resource }: ActionObject): string {
  if (resource === undefined) return `perform action ${action} on ANY object`;
  const value = JSON.stringify(object);
  const whole = `{"value":${value},"resource":${stringify('Resource', resource)}}`;
  return `perform action ${action} on object ${withFractions(whole)}`;
}

/** Amounts as Mesos writes them in texts: with 17 digits, and never without a fraction. */
function withFractions(json: string): string {
  return json.replaceAll(/"scalar":\{"value":([^}]+)\}/g, (_, text: string) => {
    const digits = Number(text).toPrecision(17);
    const short = digits.includes('e') ? digits : digits.replace(/(\.\d+?)0+$/, '$1');
    return `"scalar":{"value":${short}}`;
  });
}

// ---- frameworks and tasks ----

/** Undefined when it may register in all of its roles. */
export function refusedRegistration(
  approvers: Approvers,
  framework: FrameworkInfo,
  roles: readonly string[],
): string | undefined {
  if (approvers.isAll || roles.every((role) => approvers.may('REGISTER_FRAMEWORK', role))) {
    return undefined;
  }
  const list = roles.length === 0 ? '{}' : `{ ${roles.toSorted().join(', ')} }`;
  return `Not authorized to register framework ${framework.id?.value ?? ''} with roles ${list}`;
}

/** The words of a refusal; undefined when the task may be launched. */
export function refusedLaunch(
  approvers: Approvers,
  framework: FrameworkInfo,
  task: TaskInfo,
): string | undefined {
  if (approvers.isAll) return undefined;
  const user = userOf(task, framework);
  if (approvers.may('RUN_TASK', user)) return undefined;
  return `launch task ${task.task_id.value} of framework ${framework.id?.value ?? ''} under user '${user}'`;
}

// ---- operations ----

/** Of resources in post-refinement form. Empty: nothing is asked for that could be refused. */
export function actionsOf(operation: Offer_Operation): ActionObject[] {
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation;
  const { create_disk, destroy_disk } = operation;
  switch (operation.type) {
    case 'RESERVE':
      return reserve === undefined ? [] : reserveActions(reserve);
    case 'UNRESERVE':
      return unreserveActions(unreserve?.resources ?? []);
    case 'CREATE':
      return orAny('CREATE_VOLUME', rolesOf('CREATE_VOLUME', create?.volumes ?? []));
    case 'DESTROY': {
      const volumes = (destroy?.volumes ?? []).filter(isPersistentVolume);
      const each = volumes.map((resource): ActionObject => {
        const object = resource.disk?.persistence?.principal ?? '';
        return { action: 'DESTROY_VOLUME', object, resource };
      });
      return orAny('DESTROY_VOLUME', each);
    }
    case 'GROW_VOLUME':
      return grow_volume === undefined ? [] : [byRole('RESIZE_VOLUME', grow_volume.volume)];
    case 'SHRINK_VOLUME':
      return shrink_volume === undefined ? [] : [byRole('RESIZE_VOLUME', shrink_volume.volume)];
    case 'CREATE_DISK': {
      if (create_disk === undefined) return [];
      const isBlock = create_disk.target_type === 'BLOCK';
      return [byRole(isBlock ? 'CREATE_BLOCK_DISK' : 'CREATE_MOUNT_DISK', create_disk.source)];
    }
    case 'DESTROY_DISK':
      return destroy_disk === undefined ? [] : [destroyDisk(destroy_disk.source)];
    default:
      return [];
  }
}

/** An agent may bring reservations of its own configuration along. */
export function agentActions(resources: readonly Resource[]): ActionObject[] {
  const isReserved = resources.some((one) => reservationRole(one) !== '*');
  const reserved = isReserved ? rolesOf('RESERVE_RESOURCES', resources) : [];
  return [...reserved, { action: 'REGISTER_AGENT' }];
}

function byRole(action: PlainAction, resource: Resource): ActionObject {
  return { action, object: reservationRole(resource), resource };
}

/** One for each role. */
function rolesOf(action: PlainAction, resources: readonly Resource[]): ActionObject[] {
  const seen = new Map<string, ActionObject>();
  for (const resource of resources) {
    const role = reservationRole(resource);
    if (!seen.has(role)) seen.set(role, byRole(action, resource));
  }
  return [...seen.values()];
}

function orAny(action: PlainAction, all: ActionObject[]): ActionObject[] {
  return all.length > 0 ? all : [{ action }];
}

function destroyDisk(source: Resource): ActionObject {
  switch (source.disk?.source?.type) {
    case 'BLOCK':
      return byRole('DESTROY_BLOCK_DISK', source);
    case 'RAW':
      return byRole('DESTROY_RAW_DISK', source);
    default:
      return byRole('DESTROY_MOUNT_DISK', source);
  }
}

/** What nobody has signed may be given back by who may do so with ANY. */
function unreserveActions(resources: readonly Resource[]): ActionObject[] {
  const signed: ActionObject[] = [];
  for (const resource of resources) {
    const last = resource.reservations?.at(-1) ?? resource.reservation;
    const object = last?.principal;
    if (object !== undefined) signed.push({ action: 'UNRESERVE_RESOURCES', object, resource });
  }
  if (signed.length < resources.length) signed.push({ action: 'UNRESERVE_RESOURCES' });
  return signed;
}

/** With a source: down to what both have in common, and up again, step by step. */
function reserveActions({ source = [], resources = [] }: Offer_Operation_Reserve): ActionObject[] {
  const [from, to] = [source[0]?.reservations ?? [], resources[0]?.reservations ?? []];
  if (source.length === 0) return rolesOf('RESERVE_RESOURCES', resources);
  let common = 0;
  while (common < Math.min(from.length, to.length) && isSame(from[common], to[common])) common += 1;
  const all: ActionObject[] = [];
  for (let depth = from.length; depth > common; depth--) {
    all.push(...unreserveActions(source.map((one) => withReservations(one, from.slice(0, depth)))));
  }
  for (let depth = common + 1; depth <= to.length; depth++) {
    const pushed = source.map((one) => withReservations(one, to.slice(0, depth)));
    all.push(...rolesOf('RESERVE_RESOURCES', pushed));
  }
  return all;
}

function withReservations(resource: Resource, reservations: Resource_ReservationInfo[]): Resource {
  return { ...resource, reservations };
}

function isSame(a: Resource_ReservationInfo | undefined, b: typeof a): boolean {
  if (a === undefined || b === undefined) return a === b;
  const key = ({ type, role, principal, labels }: Resource_ReservationInfo): string =>
    JSON.stringify([type, role, principal ?? null, labels?.labels ?? []]);
  return key(a) === key(b);
}
