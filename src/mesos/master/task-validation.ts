// Validates tasks against an offer before they are launched (inventory 2.7). Pure; the messages are
// what frameworks get with TASK_ERROR.
import { Resources } from '#mesos/resources/resources.ts';
import type { ExecutorInfo, TaskInfo } from '#wire/mesos/v1.ts';
import { validateId } from './ids.ts';

export interface LaunchContext {
  readonly agentId: string;
  readonly frameworkId: string;
  readonly offered: Resources;
  /** The executor of this id that runs on the agent now. */
  readonly runningExecutor: (executorId: string) => ExecutorInfo | undefined;
  readonly isTaskKnown: (taskId: string) => boolean;
}

/** ExecutorInfo as it is compared: the framework id may be left out by frameworks. */
export function canonicalExecutor(info: ExecutorInfo, frameworkId: string): string {
  const resources = Resources.of(info.resources).allocatedTo(undefined).toWire();
  const whole = { ...info, framework_id: { value: frameworkId }, resources };
  return JSON.stringify(whole, Object.keys(flatKeys(whole)).toSorted());
}

function flatKeys(value: unknown, keys: Record<string, true> = {}): Record<string, true> {
  if (typeof value !== 'object' || value === null) return keys;
  for (const [key, one] of Object.entries(value)) {
    keys[key] = true;
    flatKeys(one, keys);
  }
  return keys;
}

function validateResources(task: TaskInfo): string | undefined {
  const { resources = [] } = task;
  if (resources.length === 0) return 'Task uses no resources';
  for (const { name, type, scalar, ranges, set } of resources) {
    if (name === '') return 'Task uses invalid resources: Empty resource name';
    const isValid =
      type === 'SCALAR'
        ? scalar !== undefined && scalar.value >= 0
        : type === 'RANGES'
          ? ranges !== undefined
          : type === 'SET' && set !== undefined;
    if (!isValid) return `Task uses invalid resources: Invalid ${name} resource`;
  }
  if (Resources.of(resources).isEmpty) return 'Task uses no resources';
  return undefined;
}

function validateExecutor(task: TaskInfo, context: LaunchContext): string | undefined {
  const { executor, command } = task;
  if ((executor === undefined) === (command === undefined)) {
    return 'Task should have at least one (but not both) of CommandInfo or ExecutorInfo present';
  }
  if (executor === undefined) return undefined;
  const id = validateId(executor.executor_id.value);
  if (id !== undefined) return `Executor has an invalid ExecutorID: ${id}`;
  if (executor.type === 'DEFAULT') return "'ExecutorInfo.type' must be 'CUSTOM'";
  if (executor.command === undefined)
    return "'ExecutorInfo.command' must be set for 'CUSTOM' executor";
  const running = context.runningExecutor(executor.executor_id.value);
  if (running === undefined) return undefined;
  const { frameworkId } = context;
  if (canonicalExecutor(running, frameworkId) === canonicalExecutor(executor, frameworkId)) {
    return undefined;
  }
  return 'ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID';
}

function validateCommand(task: TaskInfo): string | undefined {
  const variables = task.command?.environment?.variables ?? [];
  for (const { name, type, value, secret } of variables) {
    if (type === 'SECRET') {
      if (secret === undefined)
        return `Environment variable '${name}' of type 'SECRET' must have a secret set`;
    } else if (value === undefined) {
      return `Environment variable '${name}' of type 'VALUE' must have a value set`;
    }
  }
  return undefined;
}

function validateDurations(task: TaskInfo): string | undefined {
  const grace = task.kill_policy?.grace_period?.nanoseconds ?? 0;
  if (grace < 0) return "Task's 'kill_policy.grace_period' must be non-negative";
  const completion = task.max_completion_time?.nanoseconds ?? 0;
  return completion < 0 ? "Task's 'max_completion_time' must be non-negative" : undefined;
}

/** What the task and, when it has to be started, its executor need. */
export function launchNeeds(task: TaskInfo, context: LaunchContext): Resources {
  const needs = Resources.of(task.resources);
  const { executor } = task;
  if (executor === undefined) return needs;
  const isRunning = context.runningExecutor(executor.executor_id.value) !== undefined;
  return isRunning ? needs : needs.add(Resources.of(executor.resources));
}

export function validateTask(task: TaskInfo, context: LaunchContext): string | undefined {
  const id = validateId(task.task_id.value);
  if (id !== undefined) return `Task has an invalid TaskID: ${id}`;
  if (context.isTaskKnown(task.task_id.value)) {
    return `Task has duplicate ID: ${task.task_id.value}`;
  }
  if (task.agent_id.value !== context.agentId) {
    return `Task uses invalid agent ${task.agent_id.value} while agent ${context.agentId} is expected`;
  }
  const own =
    validateExecutor(task, context) ??
    validateResources(task) ??
    validateCommand(task) ??
    validateDurations(task);
  if (own !== undefined) return own;
  const needs = launchNeeds(task, context);
  if (!context.offered.contains(needs)) {
    return `Total resources required by task and its executor is more than available`;
  }
  return undefined;
}
