// What an agent knows of frameworks, executors and tasks, and the pure functions over it.
import { shownContainer, shownHealthCheck } from '#mesos/security/redaction.ts';
import type { Instant } from '#env/env.ts';
import type {
  ExecutorInfo,
  FrameworkInfo,
  NetworkInfo,
  Resource,
  Task,
  TaskInfo,
  TaskState,
} from '#wire/mesos/v1.ts';
import { boundsOf, type Limits } from './executor-bounds.ts';
import type { ConnectionId, ExecutorDriver, ExecutorKey } from './types.ts';

export type ExecutorState = 'registering' | 'running' | 'terminating' | 'terminated';

/** A task that its executor has not been told of yet; those of a group go together. */
export interface Queued {
  readonly tasks: readonly TaskInfo[];
  readonly isGroup: boolean;
  /** What providers have of it is usable; until then it waits. */
  isPublished: boolean;
}

export interface Executor {
  readonly key: ExecutorKey;
  readonly info: ExecutorInfo;
  readonly containerId: string;
  readonly type: 'command' | 'default' | 'custom';
  readonly user: string;
  state: ExecutorState;
  connection: ConnectionId | undefined;
  /** `executor(1)@IP:PORT` of one that speaks libprocess (v0). */
  driver: string | undefined;
  pid: number | undefined;
  /** Those that its container has joined; undefined: it is in the host's. */
  networks?: readonly NetworkInfo[] | undefined;
  /** Of its packets. */
  netClass?: number | undefined;
  queued: Queued[];
  /** Told to the executor, not ended. */
  readonly launched: Map<string, Task>;
  /** Ended, last update not acknowledged yet. */
  readonly terminated: Map<string, Task>;
  readonly completed: Task[];
  /** Kept to send again to an executor that subscribes without knowing of it. */
  readonly launchedInfos: Map<string, TaskInfo>;
  readonly kills: Map<string, unknown>;
  /** When it must have subscribed (again), or be gone. */
  deadline: Instant;
  /** Why the agent itself ends it; goes into the tasks' last update. */
  doom:
    | {
        readonly reason: Task_Reason;
        readonly message: string;
        readonly limitation?: readonly Resource[] | undefined;
      }
    | undefined;
  everSubscribed: boolean;
  /** Its container is not launched before what providers have of it is usable. */
  isHeld: boolean;
}
type Task_Reason = NonNullable<NonNullable<Task['statuses']>[number]['reason']>;

export interface Framework {
  info: FrameworkInfo;
  readonly id: string;
  pid: string;
  isTerminating: boolean;
  /** It is on disk, and what it runs may be kept there too. */
  isKept: boolean;
  readonly executors: Map<string, Executor>;
  readonly completedExecutors: Executor[];
}

export function isPartitionAware(info: FrameworkInfo | undefined): boolean {
  return (info?.capabilities ?? []).some((one) => one.type === 'PARTITION_AWARE');
}

/** Old frameworks know one word for every way of losing a task. */
export function lossState(info: FrameworkInfo | undefined, state: TaskState): TaskState {
  return isPartitionAware(info) ? state : 'TASK_LOST';
}

export function taskOf(info: TaskInfo, frameworkId: string, executorId: string | undefined): Task {
  // Of the framework's own user nothing is said.
  const user = info.command?.user ?? info.executor?.command?.user;
  const { name, task_id, agent_id, resources, labels, discovery, container } = info;
  const { health_check, kill_policy, limits } = info;
  return {
    name,
    task_id,
    framework_id: { value: frameworkId },
    ...(executorId === undefined ? {} : { executor_id: { value: executorId } }),
    agent_id,
    state: 'TASK_STAGING',
    ...(resources === undefined ? {} : { resources }),
    ...(labels === undefined ? {} : { labels }),
    ...(discovery === undefined ? {} : { discovery }),
    ...(container === undefined ? {} : { container: shownContainer(container) }),
    ...(health_check === undefined ? {} : { health_check: shownHealthCheck(health_check) }),
    ...(kill_policy === undefined ? {} : { kill_policy }),
    ...(limits === undefined ? {} : { limits }),
    ...(user === undefined ? {} : { user }),
  };
}

const COMMAND_EXECUTOR_CPUS = 0.1;
const COMMAND_EXECUTOR_MEM_MB = 32;

/** The executor that Mesos makes up for a task with a command: its id is the task's. */
export function commandExecutorOf(task: TaskInfo, frameworkId: string): ExecutorInfo {
  const { command } = task;
  const role = task.resources?.[0]?.allocation_info;
  const scalar = (name: string, value: number): Resource => ({
    name,
    type: 'SCALAR',
    scalar: { value },
    ...(role === undefined ? {} : { allocation_info: role }),
  });
  const value = command?.value ?? '';
  const short = value.length > 15 ? `${value.slice(0, 12)}...` : value;
  const shown =
    command?.shell === false
      ? `Command: ${[value, ...(command.arguments ?? [])].join(' ')}`
      : `Command: sh -c '${short}'`;
  return {
    executor_id: { value: task.task_id.value },
    framework_id: { value: frameworkId },
    name: `Command Executor (Task: ${task.task_id.value}) (${shown})`,
    source: task.task_id.value,
    command: { value: 'strata', shell: true },
    resources: [scalar('cpus', COMMAND_EXECUTOR_CPUS), scalar('mem', COMMAND_EXECUTOR_MEM_MB)],
  };
}

export function userOf(
  framework: FrameworkInfo,
  executor: ExecutorInfo,
  task: TaskInfo | undefined,
): string {
  return task?.command?.user ?? executor.command?.user ?? framework.user;
}

/** Everything the executor and its tasks hold, queued ones too. */
export function resourcesOf(executor: Executor): Resource[] {
  return [
    ...(executor.info.resources ?? []),
    ...executor.queued.flatMap((one) => one.tasks.flatMap((task) => task.resources ?? [])),
    ...[...executor.launched.values()].flatMap((task) => task.resources ?? []),
  ];
}

/** More than that, where tasks have limits. */
export function executorBounds(executor: Executor): Limits {
  const queued = executor.queued.flatMap((one) => one.tasks);
  return boundsOf(executor.info.resources ?? [], [...queued, ...executor.launched.values()]);
}

/** What providers have of it. */
export function providedOf(resources: readonly Resource[]): Resource[] {
  return resources.filter(({ provider_id }) => provider_id !== undefined);
}

/** Tasks that the master must hear of when the agent registers again. */
export function knownTasks(executor: Executor): Task[] {
  const frameworkId = executor.key.frameworkId;
  const id = executor.type === 'command' ? undefined : executor.key.executorId;
  return [
    ...executor.queued.flatMap((one) => one.tasks.map((task) => taskOf(task, frameworkId, id))),
    ...executor.launched.values(),
    ...executor.terminated.values(),
  ];
}

export function hasWork(executor: Executor): boolean {
  return executor.queued.length > 0 || executor.launched.size > 0 || executor.terminated.size > 0;
}

/** A driver registers once; afterwards the same one comes back, and no other takes its place. */
export function mayConnect(executor: Executor, driver: ExecutorDriver | undefined): boolean {
  const { state, type } = executor;
  if (state === 'terminated') return false;
  if (driver === undefined || state !== 'running') return driver === undefined || type === 'custom';
  return driver.isBack && driver.upid === executor.driver;
}

/** Why one that did not subscribe (again) in time is ended. */
export function lateDoom(
  { everSubscribed }: Executor,
  options: {
    readonly executorRegistrationTimeoutMs: number;
    readonly executorReregistrationTimeoutMs: number;
  },
): NonNullable<Executor['doom']> {
  return everSubscribed
    ? {
        reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
        message:
          'Executor did not reregister within ' +
          `${options.executorReregistrationTimeoutMs / 1000}secs`,
      }
    : {
        reason: 'REASON_EXECUTOR_REGISTRATION_TIMEOUT',
        message: `Executor did not register within ${options.executorRegistrationTimeoutMs / 1000}secs`,
      };
}

export function typeOf(info: ExecutorInfo): 'default' | 'custom' {
  return info.type === 'DEFAULT' ? 'default' : 'custom';
}

export function emptyExecutor(
  key: ExecutorKey,
  info: ExecutorInfo,
  containerId: string,
  type: Executor['type'],
  user: string,
): Executor {
  return {
    key,
    info,
    containerId,
    type,
    user,
    state: 'registering',
    connection: undefined,
    driver: undefined,
    pid: undefined,
    queued: [],
    launched: new Map(),
    terminated: new Map(),
    completed: [],
    launchedInfos: new Map(),
    kills: new Map(),
    deadline: Infinity,
    doom: undefined,
    everSubscribed: false,
    isHeld: false,
  };
}
