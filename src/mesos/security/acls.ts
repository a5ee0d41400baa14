// Access control lists as the local authorizer of Mesos 1.11 reads them (--acls): what a text means,
// which list rules which action, and what the first matching entry says. Pure; authorizer.ts asks.
import { Fault } from '#base/fault.ts';
import { valueOrFile } from '#mesos/flags/flag-table.ts';
import { parseJson } from '#wire/mesos/codec.ts';
import type { ACL_Entity, ACLs } from '#wire/mesos/v1.ts';

/** What somebody may be allowed to do; the names of Mesos' authorization::Action. */
export type Action = keyof typeof listOf | keyof typeof nestedLists;

export type ListName = Exclude<keyof ACLs, 'permissive'>;

/** Who, by an entry, and upon what. */
export interface Rule {
  readonly subjects: Entity;
  readonly objects: Entity;
}

/** SOME: those of `values`. ANY: everybody, and who has no name. NONE: nobody of them. */
export interface Entity {
  readonly type: 'SOME' | 'ANY' | 'NONE';
  readonly values: readonly string[];
}

/** A request's side: one value, or undefined for ANY (no principal; an object that has no name). */
export type Asked = string | undefined;

/** The list of each action, and the field in its entries that names objects. */
const listOf = {
  REGISTER_FRAMEWORK: ['register_frameworks', 'roles'],
  RUN_TASK: ['run_tasks', 'users'],
  TEARDOWN_FRAMEWORK: ['teardown_frameworks', 'framework_principals'],
  RESERVE_RESOURCES: ['reserve_resources', 'roles'],
  UNRESERVE_RESOURCES: ['unreserve_resources', 'reserver_principals'],
  CREATE_VOLUME: ['create_volumes', 'roles'],
  DESTROY_VOLUME: ['destroy_volumes', 'creator_principals'],
  RESIZE_VOLUME: ['resize_volumes', 'roles'],
  CREATE_BLOCK_DISK: ['create_block_disks', 'roles'],
  DESTROY_BLOCK_DISK: ['destroy_block_disks', 'roles'],
  CREATE_MOUNT_DISK: ['create_mount_disks', 'roles'],
  DESTROY_MOUNT_DISK: ['destroy_mount_disks', 'roles'],
  DESTROY_RAW_DISK: ['destroy_raw_disks', 'roles'],
  GET_ENDPOINT_WITH_PATH: ['get_endpoints', 'paths'],
  VIEW_ROLE: ['view_roles', 'roles'],
  UPDATE_WEIGHT: ['update_weights', 'roles'],
  GET_QUOTA: ['get_quotas', 'roles'],
  UPDATE_QUOTA: ['update_quotas', 'roles'],
  VIEW_FRAMEWORK: ['view_frameworks', 'users'],
  VIEW_TASK: ['view_tasks', 'users'],
  VIEW_EXECUTOR: ['view_executors', 'users'],
  ACCESS_SANDBOX: ['access_sandboxes', 'users'],
  ACCESS_MESOS_LOG: ['access_mesos_logs', 'logs'],
  VIEW_FLAGS: ['view_flags', 'flags'],
  SET_LOG_LEVEL: ['set_log_level', 'level'],
  REGISTER_AGENT: ['register_agents', 'agents'],
  UPDATE_MAINTENANCE_SCHEDULE: ['update_maintenance_schedules', 'machines'],
  GET_MAINTENANCE_SCHEDULE: ['get_maintenance_schedules', 'machines'],
  START_MAINTENANCE: ['start_maintenances', 'machines'],
  STOP_MAINTENANCE: ['stop_maintenances', 'machines'],
  GET_MAINTENANCE_STATUS: ['get_maintenance_statuses', 'machines'],
  DRAIN_AGENT: ['drain_agents', 'agents'],
  DEACTIVATE_AGENT: ['deactivate_agents', 'agents'],
  REACTIVATE_AGENT: ['reactivate_agents', 'agents'],
  MARK_AGENT_GONE: ['mark_agents_gone', 'agents'],
  KILL_NESTED_CONTAINER: ['kill_nested_containers', 'users'],
  WAIT_NESTED_CONTAINER: ['wait_nested_containers', 'users'],
  REMOVE_NESTED_CONTAINER: ['remove_nested_containers', 'users'],
  ATTACH_CONTAINER_INPUT: ['attach_containers_input', 'users'],
  ATTACH_CONTAINER_OUTPUT: ['attach_containers_output', 'users'],
  VIEW_CONTAINER: ['view_containers', 'users'],
  LAUNCH_STANDALONE_CONTAINER: ['launch_standalone_containers', 'users'],
  KILL_STANDALONE_CONTAINER: ['kill_standalone_containers', 'users'],
  WAIT_STANDALONE_CONTAINER: ['wait_standalone_containers', 'users'],
  REMOVE_STANDALONE_CONTAINER: ['remove_standalone_containers', 'users'],
  VIEW_STANDALONE_CONTAINER: ['view_standalone_containers', 'users'],
  MODIFY_RESOURCE_PROVIDER_CONFIG: ['modify_resource_provider_configs', 'resource_providers'],
  MARK_RESOURCE_PROVIDER_GONE: ['mark_resource_providers_gone', 'resource_providers'],
  VIEW_RESOURCE_PROVIDER: ['view_resource_providers', 'resource_providers'],
  PRUNE_IMAGES: ['prune_images', 'images'],
} as const satisfies Record<string, readonly [ListName, string]>;

/** Two lists rule a launch inside a container: as which user it runs, and under whose container. */
export const nestedLists = {
  LAUNCH_NESTED_CONTAINER: {
    user: 'launch_nested_containers_as_user',
    parent: 'launch_nested_containers_under_parent_with_user',
  },
  LAUNCH_NESTED_CONTAINER_SESSION: {
    user: 'launch_nested_container_sessions_as_user',
    parent: 'launch_nested_container_sessions_under_parent_with_user',
  },
} as const;

/** Actions upon roles: `a/%` stands for every role below `a`. */
const roleActions: ReadonlySet<Action> = new Set(
  (Object.keys(listOf) as (keyof typeof listOf)[]).filter((one) => listOf[one][1] === 'roles'),
);

/** Their objects have no names: ANY or NONE. With what Mesos calls an entry of each. */
const namelessLists: readonly (readonly [ListName, string, string])[] = [
  ['access_mesos_logs', 'logs', 'AccessMesosLog'],
  ['view_flags', 'flags', 'ViewFlags'],
  ['set_log_level', 'level', 'SetLogLevel'],
  ['register_agents', 'agents', 'RegisterAgent'],
  ['update_maintenance_schedules', 'machines', 'UpdateMaintenanceSchedule'],
  ['get_maintenance_schedules', 'machines', 'GetMaintenanceSchedule'],
  ['start_maintenances', 'machines', 'StartMaintenance'],
  ['stop_maintenances', 'machines', 'StopMaintenance'],
  ['get_maintenance_statuses', 'machines', 'GetMaintenanceStatus'],
  ['drain_agents', 'agents', 'DrainAgent'],
  ['deactivate_agents', 'agents', 'DeactivateAgent'],
  ['reactivate_agents', 'agents', 'ReactivateAgent'],
  ['launch_standalone_containers', 'users', 'LaunchStandaloneContainer'],
  ['kill_standalone_containers', 'users', 'KillStandaloneContainer'],
  ['wait_standalone_containers', 'users', 'WaitStandaloneContainer'],
  ['remove_standalone_containers', 'users', 'RemoveStandaloneContainer'],
  ['view_standalone_containers', 'users', 'ViewStandaloneContainer'],
  ['mark_resource_providers_gone', 'resource_providers', 'MarkResourceProvidersGone'],
  ['view_resource_providers', 'resource_providers', 'ViewResourceProvider'],
  ['modify_resource_provider_configs', 'resource_providers', 'ModifyResourceProviderConfig'],
  ['prune_images', 'images', 'PruneImages'],
];

/** The only paths that `get_endpoints` may name. */
export const authorizablePaths: ReadonlySet<string> = new Set([
  '/containers',
  '/containerizer/debug',
  '/files/debug',
  '/logging/toggle',
  '/metrics/snapshot',
  '/monitor/statistics',
]);

const RECURSIVE = '/%';

function refused(why: string): Fault {
  return new Fault({ code: 'bad-acls' }, `Cannot read the access control lists: ${why}`);
}

/** Of the text of --acls. Fault `bad-acls` with what Mesos says of it; unknown names are passed over. */
export function parseAcls(text: string): ACLs {
  let acls: ACLs;
  try {
    acls = parseJson('ACLs', text);
  } catch (error) {
    const detail = error instanceof Fault ? error.detail : {};
    throw refused('why' in detail ? String(detail.why) : String(error));
  }
  for (const [list, field, name] of namelessLists) {
    if (entriesOf(acls, list, field).some(({ objects }) => objects.type === 'SOME')) {
      throw refused(`ACL.${name} type must be either NONE or ANY`);
    }
  }
  for (const { objects } of entriesOf(acls, 'get_endpoints', 'paths')) {
    const wrong = objects.values.find((path) => !authorizablePaths.has(path));
    if (objects.type === 'SOME' && wrong !== undefined) {
      throw refused(`Path: '${wrong}' is not an authorizable path`);
    }
  }
  return acls;
}

/** --acls: JSON as it stands, or the file that holds it. Undefined: everybody may do everything. */
export function acls(text: string): ACLs | undefined {
  return text === '' ? undefined : parseAcls(valueOrFile(text));
}

function entityOf(entity: ACL_Entity | undefined): Entity {
  return { type: entity?.type ?? 'SOME', values: entity?.values ?? [] };
}

function entriesOf(acls: ACLs, list: ListName, field: string): Rule[] {
  const entries = (acls[list] ?? []) as unknown as readonly Record<string, ACL_Entity>[];
  return entries.map((entry) => ({
    subjects: entityOf(entry['principals']),
    objects: entityOf(entry[field]),
  }));
}

/** The rules of a list whose objects are users, as those of nested containers are. */
export function rulesOfUsers(acls: ACLs, list: ListName): readonly Rule[] {
  return entriesOf(acls, list, 'users');
}

export function rulesOf(acls: ACLs, action: keyof typeof listOf): readonly Rule[] {
  const [list, field] = listOf[action];
  const rules = entriesOf(acls, list, field);
  return roleActions.has(action) ? rules.flatMap(splitRoles) : rules;
}

/** An entry of several roles is one of those that are whole, and one for each that ends in `/%`. */
function splitRoles({ subjects, objects }: Rule): Rule[] {
  if (objects.type !== 'SOME') return [{ subjects, objects }];
  const plain = objects.values.filter((role) => !role.endsWith(RECURSIVE));
  const split = objects.values
    .filter((role) => role.endsWith(RECURSIVE))
    .map((role): Rule => ({ subjects, objects: { type: 'SOME', values: [role] } }));
  if (plain.length > 0) split.push({ subjects, objects: { type: 'SOME', values: plain } });
  return split;
}

export function isRoleAction(action: Action): boolean {
  return roleActions.has(action);
}

/** What the first matching rule says; `permissive` when none matches. */
export function decide(
  rules: readonly Rule[],
  subject: Asked,
  object: Asked,
  permissive: boolean,
): boolean {
  const rule = rules.find(
    ({ subjects, objects }) => isMatch(subject, subjects) && isMatch(object, objects),
  );
  if (rule === undefined) return permissive;
  return isAllowed(subject, rule.subjects) && isAllowed(object, rule.objects);
}

/** As `decide`, for rules upon roles. */
export function decideRole(
  rules: readonly Rule[],
  subject: Asked,
  role: Asked,
  permissive: boolean,
): boolean {
  for (const { subjects, objects } of rules) {
    if (!isMatch(subject, subjects)) continue;
    const above = recursiveOf(objects);
    if (above !== undefined) {
      if (role?.startsWith(above) === true) return isAllowed(subject, subjects);
    } else if (isMatch(role, objects)) {
      return isAllowed(subject, subjects) && isAllowed(role, objects);
    }
  }
  return permissive;
}

/** What a role must begin with to be below it. */
function recursiveOf({ values }: Entity): string | undefined {
  const [only] = values;
  return values.length === 1 && only?.endsWith(RECURSIVE) ? only.slice(0, -1) : undefined;
}

/** Whether an entry speaks of it: NONE does so of everything, SOME only of what it names. */
function isMatch(asked: Asked, { type, values }: Entity): boolean {
  if (type !== 'SOME') return true;
  return asked !== undefined && values.includes(asked);
}

function isAllowed(asked: Asked, { type, values }: Entity): boolean {
  if (type !== 'SOME') return type === 'ANY';
  return asked !== undefined && values.includes(asked);
}
