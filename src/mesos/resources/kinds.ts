// What kind of thing a resource is, apart from its amount: two resources of one kind add up. For the
// bag of resources and for everybody who asks what may be done with a resource.
import type { Labels, Resource, Resource_DiskInfo } from '#wire/mesos/v1.ts';

/** Role of the innermost reservation, `*` when unreserved. */
export function reservationRole(resource: Resource): string {
  const last = resource.reservations?.at(-1);
  if (last !== undefined) return last.role ?? '*';
  return resource.role ?? '*';
}

export function isReserved(kind: Resource): boolean {
  return reservationRole(kind) !== '*';
}

export function isDynamicallyReserved(kind: Resource): boolean {
  return kind.reservations?.at(-1)?.type === 'DYNAMIC';
}

/** Reserved more than once: only frameworks with RESERVATION_REFINEMENT are offered it. */
export function isRefined(kind: Resource): boolean {
  return (kind.reservations?.length ?? 0) > 1;
}

export function isPersistentVolume(kind: Resource): boolean {
  return kind.disk?.persistence !== undefined;
}

/** The agent keeps these on disk: they are not in what it is configured with (Mesos 1.11). */
export function needsCheckpoint(kind: Resource): boolean {
  if (kind.provider_id !== undefined) return false;
  return isDynamicallyReserved(kind) || isPersistentVolume(kind);
}

/** A whole that is used as a whole: amounts of two such things never add up to one. */
export function isIndivisible(kind: Resource): boolean {
  const { disk } = kind;
  if (disk === undefined) return false;
  if (disk.persistence !== undefined) return true;
  const source = disk.source;
  if (source === undefined) return false;
  if (source.type === 'RAW') return source.id !== undefined;
  return source.type === 'MOUNT' || source.type === 'BLOCK';
}

/** A role may use what is unreserved and what is reserved for it or for an ancestor of it. */
export function mayUse(role: string, reservedFor: string): boolean {
  return reservedFor === '*' || role === reservedFor || role.startsWith(`${reservedFor}/`);
}

/** The role itself or one below it. */
export function isWithin(role: string, ancestor: string): boolean {
  return role === ancestor || role.startsWith(`${ancestor}/`);
}

/** The order of labels means nothing. */
function labelsKey(labels: Labels | undefined): string {
  if (labels === undefined) return '-';
  const pairs = (labels.labels ?? []).map(({ key, value }) => JSON.stringify([key, value ?? null]));
  return `{${pairs.toSorted().join()}}`;
}

function diskKey(disk: Resource_DiskInfo): string {
  const { source, persistence } = disk;
  const from =
    source === undefined
      ? ''
      : JSON.stringify([
          source.type,
          source.path === undefined ? 0 : (source.path.root ?? null),
          source.mount === undefined ? 0 : (source.mount.root ?? null),
          source.vendor ?? null,
          source.id ?? null,
          source.profile ?? null,
        ]) + labelsKey(source.metadata);
  // Where a volume is mounted and who made it do not tell it from itself.
  return `d${from};${persistence === undefined ? '' : JSON.stringify(persistence.id)}`;
}

/** Equal for resources that add up. Of a kind in post-refinement form. */
export function keyOf(kind: Resource): string {
  const { name, type, allocation_info: allocation } = kind;
  let special = '';
  for (const { type: how, role, principal, labels } of kind.reservations ?? []) {
    const who = principal === undefined ? '' : JSON.stringify(principal);
    special += `(${how},${role},${who},${labels === undefined ? '' : labelsKey(labels)})`;
  }
  if (kind.disk !== undefined) special += diskKey(kind.disk);
  if (kind.revocable !== undefined) special += 'R';
  if (kind.shared !== undefined) special += 'S';
  if (kind.provider_id !== undefined) special += `p${JSON.stringify(kind.provider_id.value)}`;
  return `${name}|${type}|${allocation?.role ?? ''}|${special}`;
}

/** Post-refinement form: a stack of reservations, never `role` or `reservation`. */
export function toPostRefinement(resource: Resource): Resource {
  const { role, reservation, ...rest } = resource;
  if (rest.reservations !== undefined && rest.reservations.length > 0) return rest;
  delete rest.reservations;
  if (role === undefined || role === '*') return rest;
  const type = reservation === undefined ? 'STATIC' : 'DYNAMIC';
  return { ...rest, reservations: [{ ...reservation, type, role }] };
}

/** `role` (and `reservation`) instead of a stack of one; a longer stack has no such form. */
export function toPreRefinement(resource: Resource): Resource {
  const { reservations, ...rest } = resource;
  if ((reservations?.length ?? 0) > 1) return resource;
  const only = reservations?.[0];
  if (only === undefined) return { ...rest, role: '*' };
  const { type, role = '*', ...reservation } = only;
  return type === 'STATIC' ? { ...rest, role } : { ...rest, role, reservation };
}

/** For endpoints: both forms, as long as there is at most one reservation. */
export function toEndpointForm(resource: Resource): Resource {
  const count = resource.reservations?.length ?? 0;
  if (count === 0) return { ...resource, role: '*' };
  if (count > 1) return resource;
  const { type, role = '*', ...reservation } = resource.reservations?.[0] ?? {};
  return { ...resource, role, ...(type === 'DYNAMIC' ? { reservation } : {}) };
}

/** Without what makes it a volume: the disk space that it is made of. */
export function withoutVolume(volume: Resource): Resource {
  const { shared: _shared, disk, ...rest } = volume;
  if (disk?.source === undefined) return rest;
  return { ...rest, disk: { source: disk.source } };
}

/** One reservation less. */
export function popReservation(resource: Resource): Resource {
  const { reservations = [], ...rest } = resource;
  const left = reservations.slice(0, -1);
  return left.length === 0 ? rest : { ...rest, reservations: left };
}
