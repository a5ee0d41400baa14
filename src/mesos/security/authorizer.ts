// Who may do what upon what: the local authorizer of Mesos 1.11. A caller gets one `Approvers` and asks
// it by the messages that it has at hand; without access control lists nothing is looked up.
import type {
  ACLs,
  CommandInfo,
  ContainerID,
  ExecutorInfo,
  FrameworkInfo,
  Resource,
  Task,
  TaskInfo,
} from '#wire/mesos/v1.ts';
import {
  decide,
  decideRole,
  isRoleAction,
  nestedLists,
  rulesOf,
  rulesOfUsers,
  type Action,
  type Asked,
  type Rule,
} from './acls.ts';
import type { Principal } from './principal.ts';

/** Decisions that one caller's approvers remember; users and roles are few. */
const REMEMBERED_MAX = 4_096;
/** Callers whose approvers are kept. */
const CALLERS_MAX = 256;

type Nested = keyof typeof nestedLists;
type Plain = Exclude<Action, Nested>;

/** What a container of an agent belongs to, as far as it is known. */
export interface ContainerObject {
  readonly executor?: ExecutorInfo | undefined;
  readonly framework?: FrameworkInfo | undefined;
  readonly containerId?: ContainerID | undefined;
  /** What is to be launched in it. */
  readonly command?: CommandInfo | undefined;
}

/** Answers for one caller. */
export interface Approvers {
  /** Everything is allowed: nobody needs to ask. */
  readonly isAll: boolean;
  /** No answer hides anything from the caller: views need no filter. */
  readonly seesAll: boolean;
  /** `object`: a role, a user, a principal or a path, by the action; undefined for ANY. */
  may(action: Plain, object?: string): boolean;
  /** For actions upon containers. */
  mayWith(action: Action, container: ContainerObject): boolean;
}

export const everything: Approvers = {
  isAll: true,
  seesAll: true,
  may: () => true,
  mayWith: () => true,
};

/** What views show by; a caller whom no list of these can refuse sees all. */
const viewActions: readonly Plain[] = [
  'VIEW_FRAMEWORK',
  'VIEW_TASK',
  'VIEW_EXECUTOR',
  'VIEW_ROLE',
  'VIEW_FLAGS',
  'GET_QUOTA',
  'GET_MAINTENANCE_SCHEDULE',
  'GET_MAINTENANCE_STATUS',
];

/** What executors and resource providers may do, whom a token names only by claims. */
const executorActions: ReadonlySet<Action> = new Set([
  'LAUNCH_NESTED_CONTAINER',
  'WAIT_NESTED_CONTAINER',
  'KILL_NESTED_CONTAINER',
  'LAUNCH_NESTED_CONTAINER_SESSION',
  'REMOVE_NESTED_CONTAINER',
  'ATTACH_CONTAINER_OUTPUT',
]);
const providerActions: ReadonlySet<Action> = new Set([
  'LAUNCH_STANDALONE_CONTAINER',
  'WAIT_STANDALONE_CONTAINER',
  'KILL_STANDALONE_CONTAINER',
  'REMOVE_STANDALONE_CONTAINER',
  'VIEW_STANDALONE_CONTAINER',
]);

export class Authorizer {
  readonly #acls: ACLs | undefined;
  readonly #rules = new Map<Plain, readonly Rule[]>();
  readonly #callers = new Map<Asked, Approvers>();

  /** Undefined: everybody may do everything. */
  constructor(acls: ACLs | undefined) {
    this.#acls = acls;
  }

  get isOpen(): boolean {
    return this.#acls === undefined;
  }

  /** Undefined: somebody who has not said who they are. */
  of(subject: Principal | undefined): Approvers {
    if (this.#acls === undefined) return everything;
    if (subject !== undefined && subject.value === undefined) {
      return new ClaimApprovers(subject.claims ?? {});
    }
    return this.ofName(subject?.value);
  }

  /** A framework's or an agent's, by the name that it goes by. */
  ofName(subject: Asked): Approvers {
    const acls = this.#acls;
    if (acls === undefined) return everything;
    let found = this.#callers.get(subject);
    if (found === undefined) {
      if (this.#callers.size >= CALLERS_MAX) this.#callers.clear();
      found = new ListApprovers(acls, (action) => this.#rulesOf(acls, action), subject);
      this.#callers.set(subject, found);
    }
    return found;
  }

  #rulesOf(acls: ACLs, action: Plain): readonly Rule[] {
    let rules = this.#rules.get(action);
    if (rules === undefined) this.#rules.set(action, (rules = rulesOf(acls, action)));
    return rules;
  }
}

class ListApprovers implements Approvers {
  readonly isAll = false;
  readonly seesAll: boolean;
  readonly #acls: ACLs;
  readonly #rulesOf: (action: Plain) => readonly Rule[];
  readonly #subject: Asked;
  readonly #isPermissive: boolean;
  readonly #known = new Map<string, boolean>();

  constructor(acls: ACLs, rules: (action: Plain) => readonly Rule[], subject: Asked) {
    this.#acls = acls;
    this.#rulesOf = rules;
    this.#subject = subject;
    this.#isPermissive = acls.permissive ?? true;
    this.seesAll = this.#isPermissive && viewActions.every((one) => rules(one).length === 0);
  }

  may(action: Plain, object?: string): boolean {
    const key = object === undefined ? action : `${action} ${object}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      const by = isRoleAction(action) ? decideRole : decide;
      known = by(this.#rulesOf(action), this.#subject, object, this.#isPermissive);
      if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
      this.#known.set(key, known);
    }
    return known;
  }

  mayWith(action: Action, container: ContainerObject): boolean {
    if (!(action in nestedLists)) return this.may(action as Plain, objectOf(action, container));
    const lists = nestedLists[action as Nested];
    const { command, executor, framework } = container;
    const by = (list: (typeof lists)[keyof typeof lists], user: Asked): boolean =>
      decide(rulesOfUsers(this.#acls, list), this.#subject, user, this.#isPermissive);
    const parent = executor?.command?.user ?? framework?.user;
    return by(lists.parent, parent) && (command === undefined || by(lists.user, command.user));
  }
}

/** Standalone containers have no names for access control lists; others go by their user. */
function objectOf(action: Action, container: ContainerObject): Asked {
  if (providerActions.has(action)) return undefined;
  const { executor, framework, containerId } = container;
  const user = executor?.command?.user ?? framework?.user;
  if (user !== undefined || action === 'VIEW_CONTAINER' || action === 'ACCESS_SANDBOX') return user;
  return containerId?.value;
}

/** An executor may do things in its own container, a resource provider with those it has named. */
class ClaimApprovers implements Approvers {
  readonly isAll = false;
  readonly seesAll = false;
  readonly #claims: Readonly<Record<string, string>>;

  constructor(claims: Readonly<Record<string, string>>) {
    this.#claims = claims;
  }

  // Nothing else may be done by claims alone.
  may: () => boolean = () => false;

  mayWith(action: Action, { containerId }: ContainerObject): boolean {
    if (containerId === undefined) return false;
    const { cid, cid_prefix: prefix } = this.#claims;
    if (executorActions.has(action)) return cid !== undefined && rootOf(containerId) === cid;
    if (!providerActions.has(action)) return false;
    return prefix !== undefined && containerId.value.startsWith(prefix);
  }
}

function rootOf({ value, parent }: ContainerID): string {
  return parent === undefined ? value : rootOf(parent);
}

// ---- objects, by the messages that hold them ----

export function mayViewFramework(approvers: Approvers, framework: FrameworkInfo): boolean {
  return approvers.isAll || approvers.may('VIEW_FRAMEWORK', framework.user);
}

export function mayViewTask(approvers: Approvers, task: Task, framework: FrameworkInfo): boolean {
  return approvers.isAll || approvers.may('VIEW_TASK', task.user ?? framework.user);
}

export function mayViewExecutor(
  approvers: Approvers,
  executor: ExecutorInfo,
  framework: FrameworkInfo,
): boolean {
  return (
    approvers.isAll || approvers.may('VIEW_EXECUTOR', executor.command?.user ?? framework.user)
  );
}

/** Reservations are a path: all of it must be visible, and the role that it is allocated to. */
export function mayViewResource(approvers: Approvers, resource: Resource): boolean {
  if (approvers.isAll) return true;
  const { role = '*', reservations = [], allocation_info } = resource;
  if (role !== '*' && !approvers.may('VIEW_ROLE', role)) return false;
  if (!reservations.every((one) => approvers.may('VIEW_ROLE', one.role ?? ''))) return false;
  return allocation_info === undefined || approvers.may('VIEW_ROLE', allocation_info.role ?? '');
}

/** The user that a task runs as. */
export function userOf(task: TaskInfo, framework: FrameworkInfo): string {
  return task.command?.user ?? task.executor?.command?.user ?? framework.user;
}
