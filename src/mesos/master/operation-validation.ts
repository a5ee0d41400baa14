// Whether an operation on an offer (or of an operator) may be applied to an agent, in Mesos 1.11's
// words: they come back in OPERATION_ERROR updates and HTTP 400 answers.
import {
  isDynamicallyReserved,
  isPersistentVolume,
  isRefined,
  reservationRole,
  toPostRefinement,
  withoutVolume,
} from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText, resourceText } from '#mesos/resources/text.ts';
import {
  validatePersistentVolumes,
  validateResource,
  validateResources,
  validateResourceShapes,
  validateSingleAllocationRole,
  validateSingleProvider,
  validateUniquePersistenceIds,
} from '#mesos/resources/validation.ts';
import type { FrameworkInfo, Offer_Operation, Resource } from '#wire/mesos/v1.ts';
import { hasCapability, rolesOf } from './roles.ts';

export interface OperationContext {
  /** Undefined: an operator asks, of whom only the principal is known. */
  readonly framework: FrameworkInfo | undefined;
  readonly principal: string | undefined;
  readonly hasCapability: (type: AgentCapability) => boolean;
  readonly checkpointed: Resources;
  /** What tasks and executors of each framework use on the agent. */
  readonly used: () => readonly Resources[];
}

export type AgentCapability =
  | 'MULTI_ROLE'
  | 'HIERARCHICAL_ROLE'
  | 'RESERVATION_REFINEMENT'
  | 'RESOURCE_PROVIDER'
  | 'RESIZE_VOLUME'
  | 'AGENT_OPERATION_FEEDBACK';

const bodies: Readonly<Record<string, keyof Offer_Operation>> = {
  LAUNCH: 'launch',
  LAUNCH_GROUP: 'launch_group',
  RESERVE: 'reserve',
  UNRESERVE: 'unreserve',
  CREATE: 'create',
  DESTROY: 'destroy',
  GROW_VOLUME: 'grow_volume',
  SHRINK_VOLUME: 'shrink_volume',
  CREATE_DISK: 'create_disk',
  DESTROY_DISK: 'destroy_disk',
};

/** All resources that an operation names, in the order in which they are checked. */
function resourceLists(operation: Offer_Operation): (readonly Resource[])[] {
  const { launch, launch_group, reserve, unreserve, create, destroy } = operation;
  const { grow_volume, shrink_volume, create_disk, destroy_disk } = operation;
  const found: (readonly Resource[])[] = [];
  const put = (list: readonly Resource[] | undefined): void => {
    if (list !== undefined) found.push(list);
  };
  put(reserve?.resources);
  put(reserve?.source);
  put(unreserve?.resources);
  put(create?.volumes);
  put(destroy?.volumes);
  put(launch_group?.executor.resources);
  for (const task of launch?.task_infos ?? launch_group?.task_group.tasks ?? []) {
    put(task.resources);
    put(task.executor?.resources);
  }
  const single = [grow_volume?.volume, grow_volume?.addition, shrink_volume?.volume];
  for (const one of [...single, create_disk?.source, destroy_disk?.source]) {
    if (one !== undefined) found.push([one]);
  }
  return found;
}

/** Undefined operations and malformed resources; the first check, before anything is applied. */
export function validateShape(operation: Offer_Operation): string | undefined {
  const { type = 'UNKNOWN' } = operation;
  const body = bodies[type];
  if (body === undefined) return 'Unknown offer operation';
  if (operation[body] === undefined) {
    const article = type === 'UNRESERVE' ? 'An' : 'A';
    const isGrow = type === 'GROW_VOLUME';
    const end = isGrow || type === 'SHRINK_VOLUME' ? '' : '.';
    return `${article} ${type} ${isGrow ? '' : 'offer '}operation must have the Offer.Operation.${body} field set${end}`;
  }
  const isSingle = type.endsWith('_VOLUME') || type.endsWith('_DISK');
  for (const list of resourceLists(operation)) {
    const wrong = isSingle ? validateResource(list[0] as Resource) : validateResourceShapes(list);
    if (wrong !== undefined) return wrong;
  }
  return validateAmounts([
    ...(operation.reserve?.resources ?? []),
    ...(operation.unreserve?.resources ?? []),
    ...(operation.create?.volumes ?? []),
  ]);
}

/** An amount of nothing would be an operation that changes nothing; it ends a Mesos master. */
function validateAmounts(resources: readonly Resource[]): string | undefined {
  const nothing = resources.find(
    ({ scalar }) => scalar !== undefined && Math.round(scalar.value * 1_000) === 0,
  );
  return nothing === undefined
    ? undefined
    : `Resource '${resourceText(nothing)}' is invalid: Invalid scalar resource: value <= 0`;
}

function all(resources: readonly Resource[] | undefined): Resource[] {
  return (resources ?? []).map(toPostRefinement);
}

/** Whether the agent understands what the resource is reserved for. */
function validateForAgent(
  resource: Resource,
  context: OperationContext,
  words: { readonly what: string; readonly done: string },
): string | undefined {
  const role = reservationRole(resource);
  const { what, done } = words;
  if (role.includes('/') && !context.hasCapability('HIERARCHICAL_ROLE')) {
    return `${what} ${resourceText(resource)} with reservation for hierarchical role '${role}' cannot be ${done} on an agent without HIERARCHICAL_ROLE capability`;
  }
  if (isRefined(resource) && !context.hasCapability('RESERVATION_REFINEMENT')) {
    return `${what} ${resourceText(resource)} with reservation refinement cannot be ${done} on an agent without RESERVATION_REFINEMENT capability`;
  }
  return undefined;
}

function sameReservations(resources: readonly Resource[]): string | undefined {
  const [first] = resources;
  if (first === undefined) return 'Resource cannot be empty';
  const key = JSON.stringify(first.reservations ?? []);
  if (resources.every(({ reservations = [] }) => JSON.stringify(reservations) === key)) {
    return undefined;
  }
  return `Mixed reservations are not supported${JSON.stringify(resources)}`;
}

function validateSource(source: readonly Resource[], target: readonly Resource[]) {
  if (source.length === 0) return undefined;
  const wrongSource = sameReservations(source);
  if (wrongSource !== undefined) return `Invalid source: ${wrongSource}`;
  const wrongTarget = sameReservations(target);
  if (wrongTarget !== undefined) return `Invalid resources: ${wrongTarget}`;
  const from = Resources.of(source).toUnreserved();
  const to = Resources.of(target).toUnreserved();
  if (from.equals(to)) return undefined;
  return `Source and target resources should refer to identical resource quantities: ${resourcesText(from)} vs. ${resourcesText(to)}`;
}

function validateReservePrincipal(resource: Resource, principal: string | undefined) {
  if (principal === undefined) return undefined;
  const own = resource.reservations?.at(-1)?.principal;
  if (own === undefined) {
    return `A reserve operation was attempted by principal '${principal}', but there is a reserved resource in the request with no principal set`;
  }
  if (own === principal) return undefined;
  return `A reserve operation was attempted by authenticated principal '${principal}', which does not match a reserved resource in the request with principal '${own}'`;
}

function validateReserveRole(resource: Resource, framework: FrameworkInfo | undefined) {
  const attempt = 'A reserve operation was attempted';
  const allocated = resource.allocation_info?.role;
  if (framework === undefined) {
    return resource.allocation_info === undefined
      ? undefined
      : `${attempt} with an allocated resource, but the operator API only allows reservations to be made to unallocated resources`;
  }
  if (allocated === undefined) {
    return `${attempt} on unallocated resource ${resourceText(resource)}, but frameworks can only perform reservations on allocated resources`;
  }
  const role = reservationRole(resource);
  if (allocated !== role) {
    return `${attempt} for a resource with role '${role}', but the resource was allocated to role '${allocated}'`;
  }
  const roles = rolesOf(framework);
  if (roles.includes(allocated)) return undefined;
  return `${attempt} for a resource allocated to role '${allocated}', but the framework only has roles '{ ${roles.join(', ')} }'`;
}

function validateReserve(operation: Offer_Operation, context: OperationContext) {
  const resources = all(operation.reserve?.resources);
  const source = all(operation.reserve?.source);
  const wrong = validateResources(resources);
  if (wrong !== undefined) return `Invalid resources: ${wrong}`;
  const wrongSource = validateResources(source);
  if (wrongSource !== undefined) return `Invalid source: ${wrongSource}`;
  const unlike = validateSource(source, resources);
  if (unlike !== undefined) return unlike;
  const providers = validateSingleProvider(resources);
  if (providers !== undefined) return `Invalid resources: ${providers}`;
  for (const resource of resources) {
    if (!isDynamicallyReserved(resource))
      return `Resource ${resourceText(resource)} is not dynamically reserved`;
    const refused =
      validateForAgent(resource, context, { what: 'Resource', done: 'reserved' }) ??
      validateReservePrincipal(resource, context.principal) ??
      validateReserveRole(resource, context.framework);
    if (refused !== undefined) return refused;
  }
  if (context.framework === undefined) return undefined;
  const roles = validateSingleAllocationRole(Resources.of(resources));
  return roles === undefined ? undefined : `Invalid reservation resources: ${roles}`;
}

function validateUnreserve(operation: Offer_Operation): string | undefined {
  const resources = all(operation.unreserve?.resources);
  const wrong = validateResources(resources) ?? validateSingleProvider(resources);
  if (wrong !== undefined) return `Invalid resources: ${wrong}`;
  for (const resource of resources) {
    if (!isDynamicallyReserved(resource))
      return `Resource ${resourceText(resource)} is not dynamically reserved`;
    if (isPersistentVolume(resource)) {
      return `A dynamically reserved persistent volume ${resourceText(resource)} cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource`;
    }
  }
  return undefined;
}

function validateVolumePrincipal(volume: Resource, principal: string | undefined) {
  if (principal === undefined) return undefined;
  const own = volume.disk?.persistence?.principal;
  if (own === undefined) {
    return `Create volume operation attempted by principal '${principal}', but there is a volume in the operation with no principal set in 'disk.persistence'`;
  }
  if (own === principal) return undefined;
  return `Create volume operation attempted by authenticated principal '${principal}', which does not match a volume in the operation with principal '${own}' set in 'disk.persistence'`;
}

function validateVolumes(volumes: readonly Resource[]): string | undefined {
  const wrong = validateResources(volumes) ?? validateSingleProvider(volumes);
  if (wrong !== undefined) return `Invalid resources: ${wrong}`;
  const unlike = validatePersistentVolumes(volumes);
  return unlike === undefined ? undefined : `Not a persistent volume: ${unlike}`;
}

function validateCreate(operation: Offer_Operation, context: OperationContext) {
  const volumes = all(operation.create?.volumes);
  const wrong =
    validateVolumes(volumes) ??
    validateUniquePersistenceIds(
      context.checkpointed.add(Resources.of(volumes).allocatedTo(undefined)),
    );
  if (wrong !== undefined) return wrong;
  const { framework } = context;
  for (const volume of volumes) {
    if (
      volume.shared !== undefined &&
      framework !== undefined &&
      !hasCapability(framework, 'SHARED_RESOURCES')
    ) {
      return `Create volume operation for '${resourceText(volume)}' has been attempted by framework '${framework.id?.value ?? ''}' with no SHARED_RESOURCES capability`;
    }
    const refused =
      validateForAgent(volume, context, { what: 'Volume', done: 'created' }) ??
      validateVolumePrincipal(volume, context.principal);
    if (refused !== undefined) return refused;
  }
  if (framework === undefined) return undefined;
  const roles = validateSingleAllocationRole(Resources.of(volumes));
  return roles === undefined ? undefined : `Invalid volume resources: ${roles}`;
}

function validateDestroy(operation: Offer_Operation, context: OperationContext) {
  const volumes = Resources.of(operation.destroy?.volumes).allocatedTo(undefined);
  const wrong = validateVolumes(volumes.toWire());
  if (wrong !== undefined) return wrong;
  for (const volume of volumes.toWire()) {
    if (volume.provider_id === undefined && !context.checkpointed.contains(Resources.of([volume])))
      return 'Persistent volumes not found';
  }
  for (const used of context.used()) {
    const plain = used.allocatedTo(undefined);
    if (volumes.toWire().some((volume) => plain.contains(Resources.of([volume]))))
      return 'Persistent volumes in use';
  }
  return undefined;
}

function validateGrow(operation: Offer_Operation, context: OperationContext) {
  const grow = operation.grow_volume;
  if (grow === undefined) return undefined;
  const [volume = grow.volume, addition = grow.addition] = all([grow.volume, grow.addition]);
  if (Math.round((addition.scalar?.value ?? 0) * 1_000) <= 0)
    return "The size of 'GrowVolume.addition' field must be greater than zero";
  if (volume.provider_id !== undefined)
    return 'Growing a volume from a resource provider is not supported';
  const wrong = validatePersistentVolumes([volume]);
  if (wrong !== undefined)
    return `Invalid persistent volume in the 'GrowVolume.volume' field: ${wrong}`;
  if (volume.shared !== undefined) return 'Growing a shared persistent volume is not supported';
  const together = Resources.of([withoutVolume(volume), addition]);
  if (together.toWire().length !== 1)
    return "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields";
  if (context.hasCapability('RESIZE_VOLUME')) return undefined;
  return `Volume ${resourceText(volume)} cannot be grown on an agent without RESIZE_VOLUME capability`;
}

function validateShrink(operation: Offer_Operation, context: OperationContext) {
  const shrink = operation.shrink_volume;
  if (shrink === undefined) return undefined;
  const volume = toPostRefinement(shrink.volume);
  const by = Math.round(shrink.subtract.value * 1_000);
  if (by <= 0) return "Value of 'ShrinkVolume.subtract' must be greater than zero";
  if (Math.round((volume.scalar?.value ?? 0) * 1_000) <= by)
    return "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'";
  if (volume.provider_id !== undefined)
    return 'Shrinking a volume from a resource provider is not supported';
  if (volume.disk?.source?.type === 'MOUNT')
    return 'Shrinking a volume on a MOUNT disk is not supported';
  const wrong = validatePersistentVolumes([volume]);
  if (wrong !== undefined)
    return `Invalid persistent volume in the 'ShrinkVolume.volume' field: ${wrong}`;
  if (volume.shared !== undefined) return 'Shrinking a shared persistent volume is not supported';
  if (context.hasCapability('RESIZE_VOLUME')) return undefined;
  return `Volume ${resourceText(volume)} cannot be shrunk on an agent without RESIZE_VOLUME capability`;
}

function validateCreateDisk(operation: Offer_Operation): string | undefined {
  const create = operation.create_disk;
  if (create === undefined) return undefined;
  const { source, target_type, target_profile } = create;
  const wrong = validateResources(all([source]));
  if (wrong !== undefined) return `Invalid resource: ${wrong}`;
  if (source.provider_id === undefined) return "'source' is not managed by a resource provider";
  if (source.disk?.source?.type !== 'RAW') return "'source' is not a RAW disk resource";
  if (target_type !== 'MOUNT' && target_type !== 'BLOCK')
    return "'target_type' is neither MOUNT or BLOCK";
  const hasProfile = source.disk.source.profile !== undefined;
  if (hasProfile !== (target_profile !== undefined)) return undefined;
  return hasProfile
    ? "'target_profile' must not be set when 'source' has a profile"
    : "'target_profile' must be set when 'source' has no profile";
}

function validateDestroyDisk(operation: Offer_Operation): string | undefined {
  const source = operation.destroy_disk?.source;
  if (source === undefined) return undefined;
  const wrong = validateResources(all([source]));
  if (wrong !== undefined) return `Invalid resource: ${wrong}`;
  if (source.provider_id === undefined) return "'source' is not managed by a resource provider";
  const type = source.disk?.source?.type ?? '';
  if (!['MOUNT', 'BLOCK', 'RAW'].includes(type))
    return "'source' is neither a MOUNT, BLOCK or RAW disk resource";
  if (source.disk?.source?.id === undefined) return "'source' is not backed by a CSI volume";
  if (!isPersistentVolume(source)) return undefined;
  return `A disk resource containing a persistent volume ${resourceText(source)} cannot be destroyed directly. Please destroy the persistent volume first then destroy the disk resource`;
}

/** The second check, against the agent that it is for. The shape must be valid. */
export function validateOperation(
  operation: Offer_Operation,
  context: OperationContext,
): string | undefined {
  switch (operation.type) {
    case 'RESERVE':
      return validateReserve(operation, context);
    case 'UNRESERVE':
      return validateUnreserve(operation);
    case 'CREATE':
      return validateCreate(operation, context);
    case 'DESTROY':
      return validateDestroy(operation, context);
    case 'GROW_VOLUME':
      return validateGrow(operation, context);
    case 'SHRINK_VOLUME':
      return validateShrink(operation, context);
    case 'CREATE_DISK':
      return validateCreateDisk(operation);
    case 'DESTROY_DISK':
      return validateDestroyDisk(operation);
    default:
      return undefined;
  }
}
