// Decides over the status of tasks: what an executor or the agent itself says of a task becomes an
// update, is applied to what the agent knows, checkpointed and sent until it is acknowledged.
import type { Instant } from '#env/env.ts';
import type {
  DrainConfig,
  ExecutorEvent,
  ExecutorInfo,
  FrameworkInfo,
  KillPolicy,
  Resource,
  StatusUpdate,
  Task,
  TaskInfo,
  TaskState,
  TaskStatus,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';
import { isUuid } from '#mesos/executor/uuid.ts';
import {
  type Executor,
  type Framework,
  hasWork,
  isPartitionAware,
  knownTasks,
  lossState,
  executorBounds,
  resourcesOf,
} from './agent-state.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import { StatusStreams } from './status-streams.ts';
import { Tallies } from './tallies.ts';
import type {
  AgentChance,
  AgentEffect,
  AgentInput,
  AgentOptions,
  ContainerEnd,
  ExecutorKey,
} from './types.ts';

type ContainerStarted = Extract<AgentInput, { readonly kind: 'container-started' }>;

interface NewStatus {
  readonly frameworkId: string;
  readonly executorId?: string | undefined;
  readonly taskId: string;
  readonly state: TaskState;
  readonly reason: TaskStatus_Reason;
  readonly message: string;
  readonly limitation?: readonly Resource[] | undefined;
}

/** Ends that are no fault of the task. */
const reasonsOfGone: ReadonlySet<TaskStatus_Reason> = new Set([
  'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
  'REASON_CONTAINER_PREEMPTED',
]);

export class TaskUpdates {
  readonly frameworks = new Map<string, Framework>();
  readonly completedFrameworks: Framework[] = [];
  readonly streams: StatusStreams;
  readonly tallies = new Tallies();
  agentId = '';
  /** While everything that runs is to end. */
  draining: DrainConfig | undefined;
  protected readonly options: AgentOptions;
  protected readonly chance: AgentChance;
  protected readonly out: AgentEffect[];
  protected readonly byContainer = new Map<string, Executor>();

  constructor(options: AgentOptions, chance: AgentChance, out: AgentEffect[]) {
    this.options = options;
    this.chance = chance;
    this.out = out;
    this.streams = new StatusStreams({
      retryMs: options.updateRetryMs,
      retryMsMax: options.updateRetryMsMax,
    });
  }

  executor(key: ExecutorKey): Executor | undefined {
    return this.frameworks.get(key.frameworkId)?.executors.get(key.executorId);
  }

  executorOfContainer(containerId: string): Executor | undefined {
    return this.byContainer.get(containerId);
  }

  executors(): Executor[] {
    return [...this.frameworks.values()].flatMap((one) => [...one.executors.values()]);
  }

  protected knows(framework: Framework, taskId: string): boolean {
    for (const executor of framework.executors.values()) {
      if (executor.launched.has(taskId) || executor.terminated.has(taskId)) return true;
      if (executor.queued.some((one) => one.tasks.some((t) => t.task_id.value === taskId))) {
        return true;
      }
    }
    return false;
  }

  /** The framework, and if it wants checkpoints, kept on disk from now on. */
  protected ensureFramework(info: FrameworkInfo, pid: string): Framework {
    const framework = this.knowFramework(info, pid);
    if (info.checkpoint === true && !framework.isKept) {
      framework.isKept = true;
      this.out.push({ kind: 'checkpoint', record: { kind: 'framework', info, pid } });
    }
    return framework;
  }

  /** The framework without a word on disk: to tell of it, or as it was found there. */
  protected knowFramework(info: FrameworkInfo, pid: string): Framework {
    const id = info.id?.value ?? '';
    let framework = this.frameworks.get(id);
    if (framework === undefined) {
      // A framework that comes back brings its history along.
      const at = this.completedFrameworks.findIndex((one) => one.id === id);
      const [earlier] = at < 0 ? [] : this.completedFrameworks.splice(at, 1);
      framework = {
        info,
        id,
        pid,
        isTerminating: false,
        isKept: false,
        executors: new Map(),
        completedExecutors: earlier?.completedExecutors ?? [],
      };
      this.frameworks.set(id, framework);
    }
    return framework;
  }

  protected send(executor: Executor, event: ExecutorEvent): void {
    const { connection } = executor;
    if (connection === undefined) return;
    this.out.push({ kind: 'executor-event', connection, event });
  }

  protected greet(executor: Executor, framework: Framework): void {
    this.send(executor, {
      type: 'SUBSCRIBED',
      subscribed: {
        executor_info: executor.info,
        framework_info: framework.info,
        agent_info: { ...this.options.info, id: { value: this.agentId } },
        container_id: { value: executor.containerId },
      },
    });
  }

  protected sendKill(executor: Executor, taskId: string, policy: KillPolicy | undefined): void {
    this.send(executor, {
      type: 'KILL',
      kill: {
        task_id: { value: taskId },
        ...(policy === undefined ? {} : { kill_policy: policy }),
      },
    });
  }

  updateFramework(frameworkId: string, pid: string | undefined, info: FrameworkInfo | undefined) {
    const framework = this.frameworks.get(frameworkId);
    if (framework === undefined) return;
    framework.pid = pid ?? framework.pid;
    framework.info = info ?? framework.info;
    if (framework.info.checkpoint === true) {
      framework.isKept = true;
      const record = { kind: 'framework', info: framework.info, pid: framework.pid } as const;
      this.out.push({ kind: 'checkpoint', record });
    }
  }

  toExecutor(key: ExecutorKey, data: Uint8Array): void {
    const executor = this.executor(key);
    if (executor?.state === 'running') {
      this.tallies.validMessages += 1;
      this.send(executor, { type: 'MESSAGE', message: { data } });
    } else this.tallies.invalidMessages += 1;
  }

  /** Tells the master that an executor's resources are free; it knows nothing of command executors. */
  protected exited(
    { frameworkId, executorId }: ExecutorKey,
    type: Executor['type'],
    status: number,
  ): void {
    if (type === 'command') return;
    const body = {
      agent_id: { value: this.agentId },
      framework_id: { value: frameworkId },
      executor_id: { value: executorId },
      status,
    };
    this.out.push({ kind: 'send-master', name: 'ExitedExecutorMessage', body });
  }

  protected resourcesChanged(executor: Executor): void {
    const { containerId } = executor;
    const resources = resourcesOf(executor);
    const limits = executorBounds(executor);
    this.out.push({ kind: 'update-container', containerId, resources, limits });
  }

  /** Why an update is refused, in Mesos' words, or undefined. */
  updateError(key: ExecutorKey, status: TaskStatus): string | undefined {
    if (status.uuid === undefined) return "Expecting 'uuid' to be present";
    if (!isUuid(status.uuid)) return 'Not a valid UUID';
    if (status.executor_id !== undefined && status.executor_id.value !== key.executorId) {
      return (
        'ExecutorID in Call: ' +
        `${key.executorId} does not match ExecutorID in TaskStatus: ` +
        status.executor_id.value
      );
    }
    if (status.source !== 'SOURCE_EXECUTOR') {
      return (
        'Received Call from executor ' +
        `${key.executorId} of framework ${key.frameworkId}` +
        " with invalid source, expecting 'SOURCE_EXECUTOR'"
      );
    }
    if (status.state === 'TASK_STAGING') {
      return (
        `Received TASK_STAGING from executor ${key.executorId} of framework ` +
        `${key.frameworkId} which is not allowed`
      );
    }
    return undefined;
  }

  executorUpdate(key: ExecutorKey, status: TaskStatus, now: Instant): void {
    const executor = this.executor(key);
    const framework = this.frameworks.get(key.frameworkId);
    if (executor === undefined || framework === undefined) {
      this.tallies.invalidUpdates += 1;
      return;
    }
    const uuid = status.uuid ?? this.chance.uuidBytes();
    // Sent again because our acknowledgement got lost, the scheduler has had it long ago; or of a
    // framework that is gone.
    const isTold = executor.completed.some((task) => task.task_id.value === status.task_id.value);
    // What a built-in executor says of an end that is the agent's doing.
    const { doom } = executor;
    const isDoomed =
      doom?.reason === 'REASON_CONTAINER_PREEMPTED' || doom?.limitation !== undefined;
    if (isTold || isDoomed || framework.isTerminating) {
      if (framework.isTerminating) this.tallies.invalidUpdates += 1;
      else this.tallies.validUpdates += 1;
      this.send(executor, {
        type: 'ACKNOWLEDGED',
        acknowledged: { task_id: status.task_id, uuid },
      });
      return;
    }
    const isNew = this.record(framework, executor, { ...status, uuid }, now);
    if (!isNew || executor.connection !== undefined) {
      this.send(executor, {
        type: 'ACKNOWLEDGED',
        acknowledged: { task_id: status.task_id, uuid },
      });
    }
  }

  protected record(
    framework: Framework,
    executor: Executor | undefined,
    reported: TaskStatus,
    now: Instant,
  ): boolean {
    const given = drainedStatus(this.draining, framework.info, reported);
    const taskId = given.task_id.value;
    const status: TaskStatus = {
      ...given,
      agent_id: { value: this.agentId },
      ...(executor === undefined
        ? {}
        : {
            executor_id: { value: executor.key.executorId },
            container_status: this.containerStatus(executor, given),
          }),
      timestamp: given.timestamp ?? now / 1000,
    };
    const update: StatusUpdate = {
      framework_id: { value: framework.id },
      ...(executor === undefined ? {} : { executor_id: { value: executor.key.executorId } }),
      agent_id: { value: this.agentId },
      status,
      timestamp: status.timestamp ?? now / 1000,
      uuid: given.uuid ?? new Uint8Array(),
      latest_state: status.state,
    };
    this.tallies.validUpdates += 1;
    if (!this.streams.add(update, now)) return false;
    if (isTerminal(status.state)) this.tallies.ended(status.state);
    if (executor !== undefined) {
      const wasLaunched = this.apply(executor, taskId, status);
      if (framework.info.checkpoint === true && wasLaunched) {
        const { key, containerId } = executor;
        const record = { kind: 'update', key, containerId, taskId, update, uuid: status.uuid };
        this.out.push({ kind: 'checkpoint', record: record as never });
      }
    }
    return true;
  }

  protected containerStatus(executor: Executor, given: TaskStatus): TaskStatus['container_status'] {
    const [, ip = '127.0.0.1'] = /@(.+):\d+$/.exec(this.options.upid) ?? [];
    return {
      container_id: { value: executor.containerId },
      network_infos:
        executor.networks === undefined
          ? [{ ip_addresses: [{ protocol: 'IPv4', ip_address: ip }] }]
          : [...executor.networks],
      ...(executor.pid === undefined ? {} : { executor_pid: executor.pid }),
      ...(executor.netClass === undefined
        ? {}
        : { cgroup_info: { net_cls: { classid: executor.netClass } } }),
      ...given.container_status,
    };
  }

  containerStarted({ containerId, pid, networks, netClass }: ContainerStarted): void {
    const executor = this.byContainer.get(containerId);
    if (executor === undefined) return;
    executor.pid = pid;
    executor.networks = networks;
    executor.netClass = netClass;
  }

  /** launched -> launched | terminated. Answers whether the task is one that has a checkpoint. */
  protected apply(executor: Executor, taskId: string, status: TaskStatus): boolean {
    const task = executor.launched.get(taskId);
    if (task === undefined) return executor.terminated.has(taskId);
    const { data: _data, ...kept } = status;
    const statuses = [...(task.statuses ?? [])];
    // A repeated state replaces the one before it (inventory 2.9).
    if (statuses.at(-1)?.state === status.state) statuses.pop();
    const next: Task = {
      ...task,
      state: status.state,
      statuses: [...statuses, kept],
      status_update_state: status.state,
      ...(status.uuid === undefined ? {} : { status_update_uuid: status.uuid }),
    };
    if (!isTerminal(status.state)) {
      executor.launched.set(taskId, next);
      return true;
    }
    executor.launched.delete(taskId);
    executor.launchedInfos.delete(taskId);
    executor.kills.delete(taskId);
    executor.terminated.set(taskId, next);
    if (executor.state !== 'terminated') this.resourcesChanged(executor);
    return true;
  }

  /** Tasks that were never launched. */
  protected drop(
    framework: Framework,
    executorId: string,
    tasks: readonly TaskInfo[],
    message: string,
    now: Instant,
    reason: TaskStatus_Reason = 'REASON_EXECUTOR_TERMINATED',
  ): void {
    for (const task of tasks) {
      this.report(
        {
          frameworkId: framework.id,
          executorId,
          taskId: task.task_id.value,
          state: reason.endsWith('UNAUTHORIZED')
            ? 'TASK_ERROR'
            : lossState(framework.info, 'TASK_DROPPED'),
          reason,
          message,
        },
        now,
      );
    }
  }

  /** What had not ended by itself ends with its executor. */
  protected endTasks(
    framework: Framework,
    executor: Executor,
    end: ContainerEnd,
    now: Instant,
  ): void {
    const waiting = executor.queued.splice(0).flatMap((one) => one.tasks);
    const ids = [...executor.launched.keys(), ...waiting.map((task) => task.task_id.value)];
    const reason = executor.doom?.reason ?? end.reason ?? 'REASON_EXECUTOR_TERMINATED';
    const gone = reasonsOfGone.has(reason);
    for (const taskId of ids) {
      this.report(
        {
          frameworkId: framework.id,
          executorId: executor.key.executorId,
          taskId,
          state: gone ? lossState(framework.info, 'TASK_GONE') : 'TASK_FAILED',
          reason,
          message: executor.doom?.message ?? end.message,
          limitation: executor.doom?.limitation ?? end.limitation,
        },
        now,
      );
    }
  }

  protected report(status: NewStatus, now: Instant): void {
    const { frameworkId, executorId, taskId, state, reason, message, limitation } = status;
    const framework = this.frameworks.get(frameworkId);
    if (framework === undefined) return;
    const executor = executorId === undefined ? undefined : framework.executors.get(executorId);
    this.record(
      framework,
      executor,
      {
        task_id: { value: taskId },
        state,
        reason,
        message,
        ...(limitation === undefined ? {} : { limitation: { resources: [...limitation] } }),
        source: 'SOURCE_AGENT',
        uuid: this.chance.uuidBytes(),
        timestamp: now / 1000,
      },
      now,
    );
  }

  /** A task that the master believes to be here and that is not. */
  reportUnknown(
    info: FrameworkInfo | undefined,
    frameworkId: string,
    taskId: string,
    now: Instant,
  ) {
    const framework = this.frameworks.get(frameworkId);
    const target = framework ?? (info === undefined ? undefined : this.knowFramework(info, ''));
    if (target === undefined) return;
    // Asked twice before it was acknowledged: it is one end. Two would pass for that of a next attempt.
    if (this.streams.of(frameworkId, taskId) !== undefined) return;
    this.report(
      {
        frameworkId,
        taskId,
        state: lossState(info ?? target.info, 'TASK_DROPPED'),
        reason: 'REASON_RECONCILIATION',
        message: 'Reconciliation: task unknown to the agent',
      },
      now,
    );
  }

  hasTask(frameworkId: string, taskId: string): boolean {
    const framework = this.frameworks.get(frameworkId);
    if (framework === undefined) return false;
    if (this.streams.of(frameworkId, taskId) !== undefined) return true;
    return this.knows(framework, taskId);
  }

  acknowledged(frameworkId: string, taskId: string, uuid: Uint8Array, now: Instant): void {
    const done = this.streams.acknowledge(frameworkId, taskId, uuid, now);
    const framework = this.frameworks.get(frameworkId);
    if (done === undefined || framework === undefined) return;
    for (const executor of framework.executors.values()) {
      const isEnded = executor.terminated.has(taskId);
      if (!isEnded && !executor.launched.has(taskId)) continue;
      const { key, containerId } = executor;
      if (framework.info.checkpoint === true) {
        const record = { kind: 'acknowledgement', key, containerId, taskId, uuid } as const;
        this.out.push({ kind: 'checkpoint', record });
      }
      if (isEnded && done.isLast) {
        const task = executor.terminated.get(taskId);
        executor.terminated.delete(taskId);
        if (task !== undefined) executor.completed.push(task);
        if (executor.completed.length > this.options.completedTasksMax) executor.completed.shift();
        this.executorDone(framework, executor);
      }
      return;
    }
    this.frameworkDone(framework);
  }

  /** Everything the master must hear of. */
  inventory(): { tasks: Task[]; executors: ExecutorInfo[]; frameworks: FrameworkInfo[] } {
    const executors = this.executors();
    return {
      tasks: executors.flatMap(knownTasks),
      executors: executors
        .filter((one) => one.type !== 'command' && one.state !== 'terminated')
        .map((one) => ({ ...one.info, framework_id: { value: one.key.frameworkId } })),
      frameworks: [...this.frameworks.values()].map((one) => one.info),
    };
  }

  /** A terminated executor is forgotten when every task's last update is acknowledged. */
  protected executorDone(framework: Framework, executor: Executor): void {
    if (executor.state !== 'terminated' || hasWork(executor)) return;
    framework.executors.delete(executor.key.executorId);
    framework.completedExecutors.push(executor);
    if (framework.completedExecutors.length > this.options.completedExecutorsMax) {
      framework.completedExecutors.shift();
    }
    const { key, containerId } = executor;
    if (framework.info.checkpoint === true) {
      const record = { kind: 'executor-done', key, containerId } as const;
      this.out.push({ kind: 'checkpoint', record });
    }
    this.out.push({ kind: 'forget-container', containerId });
    this.frameworkDone(framework);
  }

  protected frameworkDone(framework: Framework): void {
    if (framework.executors.size > 0) return;
    if (!framework.isTerminating && this.streams.hasPending(framework.id)) return;
    if (!this.frameworks.delete(framework.id)) return;
    this.completedFrameworks.push(framework);
    if (this.completedFrameworks.length > this.options.completedFrameworksMax) {
      this.completedFrameworks.shift();
    }
    if (framework.info.checkpoint === true) {
      const record = { kind: 'framework-done', frameworkId: framework.id } as const;
      this.out.push({ kind: 'checkpoint', record });
    }
  }
}

/** What was killed while the agent is drained says so, whatever its executor knows of it. */
function drainedStatus(
  draining: DrainConfig | undefined,
  framework: FrameworkInfo,
  status: TaskStatus,
): TaskStatus {
  const isKill = status.state === 'TASK_KILLING' || status.state === 'TASK_KILLED';
  if (draining === undefined || !isKill) return status;
  const isGone =
    draining.mark_gone === true && status.state === 'TASK_KILLED' && isPartitionAware(framework);
  return {
    ...status,
    reason: 'REASON_AGENT_DRAINING',
    ...(isGone ? { state: 'TASK_GONE_BY_OPERATOR' as const } : {}),
  };
}
