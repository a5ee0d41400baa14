// Which resources are well formed, in Mesos 1.11's words: they reach callers in task and operation
// statuses and in HTTP answers.
import type { Resource, Resource_ReservationInfo } from '#wire/mesos/v1.ts';
import {
  isDynamicallyReserved,
  isIndivisible,
  isPersistentVolume,
  isReserved,
  reservationRole,
} from './kinds.ts';
import { validateRole } from './role-names.ts';
import { Resources } from './resources.ts';
import { diskSourceText, labelsText, resourceText } from './text.ts';

function validateScalar({ scalar, ranges, set }: Resource): string | undefined {
  if (scalar === undefined || ranges !== undefined || set !== undefined) {
    return 'Invalid scalar resource';
  }
  const isNothing = Math.round(scalar.value * 1_000) <= 0;
  return scalar.value !== 0 && isNothing ? 'Invalid scalar resource: value <= 0' : undefined;
}

function validateRanges({ scalar, ranges, set }: Resource): string | undefined {
  if (scalar !== undefined || ranges === undefined || set !== undefined) {
    return 'Invalid ranges resource';
  }
  const all = ranges.range ?? [];
  if (all.some(({ begin, end }) => begin > end)) return 'Invalid ranges resource: begin > end';
  const sorted = all.toSorted((a, b) => a.begin - b.begin);
  const isOverlapping = sorted.some((one, i) => i > 0 && (sorted[i - 1]?.end ?? -1) >= one.begin);
  return isOverlapping ? 'Invalid ranges resource: overlapping ranges' : undefined;
}

function validateSet({ scalar, ranges, set }: Resource): string | undefined {
  if (scalar !== undefined || ranges !== undefined || set === undefined) {
    return 'Invalid set resource';
  }
  const items = set.item ?? [];
  const isTwice = new Set(items).size < items.length;
  return isTwice ? 'Invalid set resource: duplicated elements' : undefined;
}

function validateAmount(resource: Resource): string | undefined {
  if (resource.type === 'SCALAR') return validateScalar(resource);
  if (resource.type === 'RANGES') return validateRanges(resource);
  return resource.type === 'SET' ? validateSet(resource) : 'Unsupported resource type';
}

function validateDisk({ name, disk }: Resource): string | undefined {
  if (disk === undefined) return undefined;
  if (name !== 'disk') return `DiskInfo should not be set for ${name} resource`;
  const { source } = disk;
  if (source === undefined || source.type === 'PATH' || source.type === 'MOUNT') return undefined;
  if (source.type !== 'BLOCK' && source.type !== 'RAW') {
    return `Unsupported 'DiskInfo.Source.Type' in '${diskSourceText(source)}'`;
  }
  if (source.mount !== undefined) return `Mount should not be set for ${source.type} disk source`;
  if (source.path !== undefined) return `Path should not be set for ${source.type} disk source`;
  return undefined;
}

function validatePreRefinement({ role = '*', reservation }: Resource): string | undefined {
  const wrong = validateRole(role);
  if (wrong !== undefined || reservation === undefined) return wrong;
  for (const field of ['type', 'role'] as const) {
    if (reservation[field] !== undefined) {
      return `'Resource.ReservationInfo.${field}' must not be set for the 'Resource.reservation' field`;
    }
  }
  return role === '*' ? 'Invalid reservation: role "*" cannot be dynamically reserved' : undefined;
}

function validateStack(stack: readonly Resource_ReservationInfo[]): string | undefined {
  for (const { type, role } of stack) {
    if (type === undefined)
      return "Invalid reservation: 'Resource.ReservationInfo.type' field must be set.";
    if (role === undefined)
      return "Invalid reservation: 'Resource.ReservationInfo.role' field must be set.";
    const wrong = validateRole(role);
    if (wrong !== undefined) return wrong;
    if (role === '*') return 'Invalid reservation: role "*" cannot be reserved';
  }
  let above = stack[0]?.role ?? '';
  for (const { type, role = '' } of stack.slice(1)) {
    if (type === 'STATIC')
      return 'Invalid refined reservation: A refined reservation cannot be STATIC';
    if (!role.startsWith(`${above}/`)) {
      return `Invalid refined reservation: role '${role}' is not a refinement of '${above}'`;
    }
    above = role;
  }
  return undefined;
}

/** Both forms at once are fine as long as they say the same. */
function validateBothForms(resource: Resource): string | undefined {
  const { role, reservation, reservations = [] } = resource;
  const format = 'Invalid resource format:';
  if (reservations.length > 1) {
    const more = "if there is more than one reservation in 'Resource.reservations'";
    if (role !== undefined) return `${format} 'Resource.role' must not be set ${more}`;
    return reservation === undefined
      ? undefined
      : `${format} 'Resource.reservation' must not be set ${more}`;
  }
  const [only = {}] = reservations;
  if (role !== undefined && role !== only.role) {
    return `${format} 'Resource.role' field with '${role}' does not match the role '${only.role}' in 'Resource.reservations'`;
  }
  const single = `if the single reservation in 'Resource.reservations' is ${only.type}`;
  if (only.type === 'STATIC') {
    return reservation === undefined
      ? undefined
      : `${format} 'Resource.reservation' must not be set ${single}`;
  }
  if (only.type !== 'DYNAMIC') return "Unsupported 'Resource.ReservationInfo.Type'";
  if ((role === undefined) !== (reservation === undefined)) {
    return `${format} 'Resource.role' and 'Resource.reservation' must either be both set or both not set ${single}`;
  }
  if (reservation === undefined) return undefined;
  const [here = '', there = ''] = [reservation.principal, only.principal];
  if (here !== there) {
    return `${format} 'Resource.reservation.principal' field with '${here}' does not match the principal '${there}' in 'Resource.reservations'`;
  }
  const [mine, other] = [labelsText(reservation.labels ?? {}), labelsText(only.labels ?? {})];
  return mine === other
    ? undefined
    : `${format} 'Resource.reservation.labels' field with '${mine}' does not match the labels '${other}' in 'Resource.reservations'`;
}

function validateReservations(resource: Resource): string | undefined {
  const stack = resource.reservations ?? [];
  if (stack.length === 0) return validatePreRefinement(resource);
  return validateStack(stack) ?? validateBothForms(resource);
}

/** What is wrong with the shape of one resource. */
export function validateResource(resource: Resource): string | undefined {
  if (resource.name === '') return 'Empty resource name';
  const wrong =
    validateAmount(resource) ?? validateDisk(resource) ?? validateReservations(resource);
  if (wrong !== undefined || resource.shared === undefined) return wrong;
  if (resource.name !== 'disk') return `Resource ${resource.name} cannot be shared`;
  return isPersistentVolume(resource) ? undefined : 'Only persistent volumes can be shared';
}

/** What is wrong with the shape of the first bad one, naming it. */
export function validateResourceShapes(resources: readonly Resource[]): string | undefined {
  for (const resource of resources) {
    const wrong = validateResource(resource);
    if (wrong !== undefined) return `Resource '${resourceText(resource)}' is invalid: ${wrong}`;
  }
  return undefined;
}

const ID_LENGTH_MAX = 255;

function validatePersistenceId(id: string): string | undefined {
  if (id === '') return 'ID must not be empty';
  if (id.length > ID_LENGTH_MAX) return `ID must not be greater than ${ID_LENGTH_MAX} characters`;
  if (id === '.' || id === '..') return `'${id}' is disallowed`;
  // oxlint-disable-next-line no-control-regex
  return /[/\\\u0000-\u001f\u007f]/.test(id) ? `'${id}' contains invalid characters` : undefined;
}

function validateDiskInfo(resource: Resource): string | undefined {
  const { disk } = resource;
  if (disk === undefined) return undefined;
  if (disk.persistence === undefined) {
    if (disk.volume !== undefined) return 'Non-persistent volume not supported';
    return disk.source === undefined ? 'DiskInfo is set but empty' : undefined;
  }
  if (resource.revocable !== undefined)
    return 'Persistent volumes cannot be created from revocable resources';
  if (!isReserved(resource))
    return 'Persistent volumes cannot be created from unreserved resources';
  if (disk.volume === undefined) return "Expecting 'volume' to be set for persistent volume";
  if (disk.volume.host_path !== undefined)
    return "Expecting 'host_path' to be unset for persistent volume";
  const wrong = validatePersistenceId(disk.persistence.id);
  return wrong === undefined ? undefined : `Invalid persistence ID for persistent volume: ${wrong}`;
}

function firstWrong(
  resources: readonly Resource[],
  check: (resource: Resource) => string | undefined,
): string | undefined {
  for (const resource of resources) {
    const wrong = check(resource);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** Shape and meaning together: what tasks, executors and operations are held to. */
export function validateResources(resources: readonly Resource[]): string | undefined {
  const shape = validateResourceShapes(resources);
  if (shape !== undefined) return `Invalid resources: ${shape}`;
  const gpus = Math.trunc(Resources.of(resources).scalar('gpus') * 1_000);
  if (gpus % 1_000 !== 0)
    return "Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer";
  const disk = firstWrong(resources, validateDiskInfo);
  if (disk !== undefined) return `Invalid DiskInfo: ${disk}`;
  const reservation = firstWrong(resources, (one) =>
    isDynamicallyReserved(one) && one.revocable !== undefined
      ? `Dynamically reserved resource ${resourceText(one)} cannot be created from revocable resources`
      : undefined,
  );
  return reservation === undefined ? undefined : `Invalid ReservationInfo: ${reservation}`;
}

/** One provider, or none at all. */
export function validateSingleProvider(resources: readonly Resource[]): string | undefined {
  const ids = new Set(resources.map(({ provider_id }) => provider_id?.value));
  if (ids.size === 1) return undefined;
  if (ids.has(undefined)) return 'Some resources have a resource provider and some do not';
  return `The resources have multiple resource providers: ${[...ids].join(', ')}`;
}

export function validatePersistentVolumes(volumes: readonly Resource[]): string | undefined {
  return firstWrong(volumes, (volume) => {
    const { disk } = volume;
    if (disk === undefined) return `Resource ${resourceText(volume)} does not have DiskInfo`;
    if (disk.persistence === undefined) return "'persistence' is not set in DiskInfo";
    if (disk.volume === undefined) return "Expecting 'volume' to be set for persistent volume";
    return disk.volume.mode === 'RO' ? 'Read-only persistent volume not supported' : undefined;
  });
}

/** Unique for each role on an agent. */
export function validateUniquePersistenceIds(resources: Resources): string | undefined {
  const seen = new Set<string>();
  for (const volume of resources.toWire()) {
    if (!isIndivisible(volume) || volume.disk?.persistence === undefined) continue;
    const { id } = volume.disk.persistence;
    const key = `${reservationRole(volume)}\n${id}`;
    if (seen.has(key)) return `Persistence ID '${id}' is not unique`;
    seen.add(key);
  }
  return undefined;
}

export function validateSingleAllocationRole(resources: Resources): string | undefined {
  let role: string | undefined;
  for (const { allocation_info } of resources.kinds()) {
    const mine = allocation_info?.role;
    if (mine === undefined) return 'The resources are not allocated to a role';
    role ??= mine;
    if (mine !== role) {
      return `The resources have multiple allocation roles ('${mine}' and '${role}') but only one allocation role is allowed`;
    }
  }
  return undefined;
}

export function validateNoRevocableMix(resources: Resources): string | undefined {
  const isRevocable = new Map<string, boolean>();
  for (const { name, revocable } of resources.kinds()) {
    const mine = revocable !== undefined;
    const before = isRevocable.get(name);
    if (before !== undefined && before !== mine)
      return `Cannot use both revocable and non-revocable '${name}' at the same time`;
    isRevocable.set(name, mine);
  }
  return undefined;
}
