// Validates tasks against an offer before they are launched (inventory 2.7). Pure; the messages are
// what frameworks get with TASK_ERROR.
import { same } from '#base/same.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import {
  validateNoRevocableMix,
  validateResources,
  validateResourceShapes,
  validateSingleAllocationRole,
  validateUniquePersistenceIds,
} from '#mesos/resources/validation.ts';
import type { ContainerInfo, ExecutorInfo, Resource, TaskInfo } from '#wire/mesos/v1.ts';
import { validateId } from '#mesos/validation/ids.ts';
import {
  validateCheck,
  validateCommand,
  validateContainer,
  validateHealthCheck,
  withPrefix,
} from '#mesos/validation/infos.ts';

export interface LaunchContext {
  readonly agentId: string;
  readonly frameworkId: string;
  readonly offered: Resources;
  /** The executor of this id that runs on the agent now. */
  readonly runningExecutor: (executorId: string) => ExecutorInfo | undefined;
  readonly isTaskKnown: (taskId: string) => boolean;
}

/** Frameworks may leave out their id, and to which role the resources are allocated. */
export function isSameExecutor(a: ExecutorInfo, b: ExecutorInfo, frameworkId: string): boolean {
  const plain = ({ resources: _resources, ...rest }: ExecutorInfo) => {
    return { ...rest, framework_id: { value: frameworkId } };
  };
  const held = ({ resources }: ExecutorInfo) => Resources.of(resources).allocatedTo(undefined);
  return same(plain(a), plain(b)) && held(a).equals(held(b));
}

/** Lists of resources in which nothing is wrong: most tasks of a framework share theirs. */
const soundLists = new WeakSet<readonly Resource[]>();

/** Resources of a task or of an executor (`whose`). */
function validateOwnResources(
  resources: readonly Resource[],
  whose: 'Task' | 'Executor',
): string | undefined {
  if (soundLists.has(resources)) return undefined;
  const wrong = wrongResources(resources, whose);
  if (wrong === undefined) soundLists.add(resources);
  return wrong;
}

function wrongResources(
  resources: readonly Resource[],
  whose: 'Task' | 'Executor',
): string | undefined {
  const shape = validateResourceShapes(resources);
  if (shape !== undefined) return shape;
  const wrong = withPrefix(`${whose} uses invalid resources: `, validateResources(resources));
  if (wrong !== undefined) return wrong;
  const bag = Resources.of(resources);
  return (
    withPrefix(`${whose} uses duplicate persistence ID: `, validateUniquePersistenceIds(bag)) ??
    withPrefix(`Invalid ${whose.toLowerCase()} resources: `, validateSingleAllocationRole(bag)) ??
    withPrefix(
      `${whose} mixes revocable and non-revocable resources: `,
      validateNoRevocableMix(bag),
    )
  );
}

const mixed = (executor: ExecutorInfo): string | undefined =>
  executor.resources === undefined || executor.resources.length === 0
    ? undefined
    : validateOwnResources(executor.resources, 'Executor');

/** What holds of every executor. */
export function validateExecutorInfo(
  executor: ExecutorInfo,
  context: LaunchContext,
): string | undefined {
  const { executor_id, framework_id, command, container, shutdown_grace_period } = executor;
  const id = validateId(executor_id.value);
  if (id !== undefined) return id;
  const { frameworkId } = context;
  if (framework_id === undefined) return "'ExecutorInfo.framework_id' must be set";
  if (framework_id.value !== frameworkId) {
    return `ExecutorInfo has an invalid FrameworkID (Actual: ${framework_id.value} vs Expected: ${frameworkId})`;
  }
  if ((shutdown_grace_period?.nanoseconds ?? 0) < 0) {
    return "ExecutorInfo's 'shutdown_grace_period' must be non-negative";
  }
  const wrong =
    mixed(executor) ??
    withPrefix("Executor's `CommandInfo` is invalid: ", validateCommand(command)) ??
    withPrefix("Executor's `ContainerInfo` is invalid: ", validateContainer(container));
  if (wrong !== undefined) return wrong;
  const running = context.runningExecutor(executor_id.value);
  if (running === undefined) return undefined;
  if (isSameExecutor(running, executor, frameworkId)) return undefined;
  return 'ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID';
}

function validateExecutor(task: TaskInfo, context: LaunchContext): string | undefined {
  const { executor, command } = task;
  if ((executor === undefined) === (command === undefined)) {
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present';
  }
  if (executor === undefined) return undefined;
  if (executor.type !== undefined && executor.type !== 'CUSTOM') {
    return "'ExecutorInfo.type' must be 'CUSTOM'";
  }
  if (executor.command === undefined) {
    return "'ExecutorInfo.command' must be set for 'CUSTOM' executor";
  }
  return validateExecutorInfo(executor, context);
}

function validateDurations(task: TaskInfo): string | undefined {
  const grace = task.kill_policy?.grace_period?.nanoseconds ?? 0;
  if (grace < 0) return "Task's 'kill_policy.grace_period' must be non-negative";
  const completion = task.max_completion_time?.nanoseconds ?? 0;
  return completion < 0 ? "Task's `max_completion_time` must be non-negative" : undefined;
}

function validateLimits(task: TaskInfo): string | undefined {
  const { limits = {} } = task;
  const names = Object.keys(limits);
  if (names.some((name) => name !== 'cpus' && name !== 'mem')) {
    return "Only cpus and mem may be included in a task's resource limits";
  }
  const requested = Resources.of(task.resources).scalarQuantities();
  for (const [name, short, long] of [
    ['cpus', 'cpu', 'CPU'],
    ['mem', 'memory', 'memory'],
  ] as const) {
    const limit = limits[name]?.value;
    if (limit === undefined) continue;
    const request = requested.get(name);
    if (request === undefined) {
      return `When a ${long} limit is specified, a ${long} request must also be specified`;
    }
    if (Math.round(limit * 1_000) < request) {
      return `The ${short} limit must be greater than or equal to the ${short} request`;
    }
  }
  return undefined;
}

function sharesCgroups({ container }: { container?: ContainerInfo | undefined }) {
  return container?.linux_info?.share_cgroups;
}

/** What holds of a task by itself, alone or in a group. */
function validateAlone(task: TaskInfo, context: LaunchContext): string | undefined {
  const id = validateId(task.task_id.value);
  if (id !== undefined) return id;
  if (context.isTaskKnown(task.task_id.value)) {
    return `Task has duplicate ID: ${task.task_id.value}`;
  }
  if (task.agent_id.value !== context.agentId) {
    return `Task uses invalid agent ${task.agent_id.value} while agent ${context.agentId} is expected`;
  }
  const { resources = [] } = task;
  return (
    validateDurations(task) ??
    withPrefix('Task uses invalid check: ', validateCheck(task.check)) ??
    withPrefix('Task uses invalid health check: ', validateHealthCheck(task.health_check)) ??
    (resources.length === 0 ? 'Task uses no resources' : undefined) ??
    validateOwnResources(resources, 'Task') ??
    withPrefix("Task's `CommandInfo` is invalid: ", validateCommand(task.command)) ??
    withPrefix("Task's `ContainerInfo` is invalid: ", validateContainer(task.container)) ??
    validateLimits(task)
  );
}

/** What the task and, when it has to be started, its executor need. */
export function launchNeeds(task: TaskInfo, context: LaunchContext): Resources {
  const needs = Resources.of(task.resources);
  const { executor } = task;
  if (executor === undefined) return needs;
  const isRunning = context.runningExecutor(executor.executor_id.value) !== undefined;
  return isRunning ? needs : needs.add(Resources.of(executor.resources));
}

function tooMuch(needs: Resources, offered: Resources, who: string): string {
  const [wanted, there] = [resourcesText(needs), resourcesText(offered)];
  return `Total resources ${wanted} required by ${who} more than available ${there}`;
}

/** One task of a LAUNCH. */
export function validateTask(task: TaskInfo, context: LaunchContext): string | undefined {
  const own = validateAlone(task, context) ?? validateExecutor(task, context);
  if (own !== undefined) return own;
  if (sharesCgroups(task) === false) {
    return "Only tasks in a task group may have 'share_cgroups' set to 'false'";
  }
  const needs = launchNeeds(task, context);
  if (context.offered.contains(needs)) return undefined;
  return tooMuch(needs, context.offered, 'task and its executor is');
}

/** The executor of a group by what it is. */
function validateGroupExecutor(executor: ExecutorInfo, context: LaunchContext): string | undefined {
  const { type, command, container } = executor;
  if (type === 'DEFAULT') {
    if (command !== undefined) {
      return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor";
    }
    if (container !== undefined && container.type !== 'MESOS') {
      return "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor";
    }
    if (container?.mesos?.image !== undefined) {
      return "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor";
    }
  } else if (type === 'CUSTOM' && command === undefined) {
    return "'ExecutorInfo.command' must be set for 'CUSTOM' executor";
  }
  const wrong = validateExecutorInfo(executor, context);
  if (wrong !== undefined) return wrong;
  if (type === undefined) return "'ExecutorInfo.type' must be set";
  if (type === 'UNKNOWN') return 'Unknown executor type';
  if (sharesCgroups(executor) === true) {
    return "The 'share_cgroups' field cannot be set to 'true' on executor containers";
  }
  return validateGroupExecutorSize(executor);
}

function validateGroupExecutorSize({ executor_id, resources }: ExecutorInfo): string | undefined {
  const milli = Resources.of(resources).scalarQuantities();
  const who = `Executor '${executor_id.value}'`;
  for (const { name, shown, unit, least } of [
    { name: 'cpus', shown: 'CPUs', unit: '', least: 10 },
    { name: 'mem', shown: 'memory', unit: 'MB', least: 32_000 },
  ]) {
    const amount = milli.get(name) ?? 0;
    if (amount >= least) continue;
    const has = amount === 0 ? 'None' : `${amount / 1_000}${unit}`;
    return `${who} uses less ${shown} (${has}) than the minimum required (${least / 1_000}${unit})`;
  }
  // Any amount of it will do.
  return milli.has('disk') ? undefined : `${who} uses no disk`;
}

function validateGroupTask(
  task: TaskInfo,
  executor: ExecutorInfo,
  context: LaunchContext,
): string | undefined {
  const wrong = validateAlone(task, context);
  if (wrong !== undefined) return wrong;
  const { container, health_check, check, limits = {} } = task;
  if (container?.type === 'DOCKER') return 'Docker ContainerInfo is not supported on the task';
  const own = (container?.network_infos ?? []).length > 0;
  const types = [health_check?.type, check?.type];
  if (own && types.some((type) => type === 'HTTP' || type === 'TCP')) {
    return `HTTP and TCP health checks are not supported for nested containers not joining parent's network`;
  }
  if (Object.keys(limits).length > 0 && sharesCgroups(task) !== false) {
    return "Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'.";
  }
  if (task.executor === undefined) return undefined;
  const { frameworkId } = context;
  return isSameExecutor(task.executor, executor, frameworkId)
    ? undefined
    : 'The `ExecutorInfo` of the task is not equal to that of the task group';
}

/** All tasks of a LAUNCH_GROUP together; one that is wrong is the end of all. */
export function validateGroup(
  executor: ExecutorInfo,
  tasks: readonly TaskInfo[],
  context: LaunchContext,
): string | undefined {
  if (tasks.length === 0) return 'Task group cannot be empty';
  for (const task of tasks) {
    const wrong = validateGroupTask(task, executor, context);
    if (wrong !== undefined) return `Task '${task.task_id.value}' is invalid: ${wrong}`;
  }
  const ids = tasks.map(({ task_id }) => task_id.value);
  const wrong = validateGroupExecutor(executor, context);
  if (wrong !== undefined) return wrong;
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) return `Task '${twice}' is invalid: Task has duplicate ID: ${twice}`;
  if (new Set(tasks.map((task) => sharesCgroups(task) ?? true)).size > 1) {
    return "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor";
  }
  const isRunning = context.runningExecutor(executor.executor_id.value) !== undefined;
  let needs = isRunning ? Resources.none : Resources.of(executor.resources);
  for (const task of tasks) needs = needs.add(Resources.of(task.resources));
  if (context.offered.contains(needs)) return undefined;
  return tooMuch(needs, context.offered, 'task group and its executor are');
}
