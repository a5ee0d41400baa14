// Decides over frameworks, executors and tasks of one agent: what is launched, killed and reported.
// Part of the agent core; core.ts hands it every input that is not about the master itself.
import type { Instant } from '#env/env.ts';
import type {
  ExecutorInfo,
  FrameworkInfo,
  KillPolicy,
  Resource,
  TaskInfo,
} from '#wire/mesos/v1.ts';
import {
  commandExecutorOf,
  type Executor,
  type Framework,
  type Queued,
  emptyExecutor,
  lateDoom,
  mayConnect,
  providedOf,
  resourcesOf,
  typeOf,
  lossState,
  taskOf,
  userOf,
} from './agent-state.ts';
import { boundsOf } from './executor-bounds.ts';
import type {
  AgentChance,
  AgentEffect,
  AgentOptions,
  ConnectionId,
  ContainerEnd,
  ExecutorKey,
  ExecutorSubscribed,
  RecoveredExecutor,
  RecoveredFramework,
  RunTask,
  RunTaskGroup,
} from './types.ts';

import { launchRefusal } from './launch-refusal.ts';
import type { Published } from './providers.ts';
import { Reconnects } from './reconnects.ts';
import { TaskUpdates } from './task-updates.ts';

export class Workloads extends TaskUpdates {
  readonly #byConnection = new Map<ConnectionId, Executor>();
  /** Executors that must subscribe or be gone by some time. */
  readonly #awaited = new Set<Executor>();
  readonly #reconnects: Reconnects;
  /** Executors that the QoS controller has ended. */
  preempted = 0;
  /** Whether what of it is reserved, or a volume, is so on this agent; set by the core. */
  hasResources: (resources: readonly Resource[]) => boolean = () => true;

  /** Has providers make usable what they have of `mine`, beside what others use; set by the core. */
  publish: (
    mine: readonly Resource[],
    others: readonly Resource[],
    now: Instant,
    done: Published,
  ) => void = (_mine, _others, now, done) => done(undefined, now);

  /** Why tasks may not be launched as whom they want to; set from outside. */
  barred: (framework: FrameworkInfo, tasks: readonly TaskInfo[]) => string | undefined = () =>
    undefined;

  constructor(options: AgentOptions, chance: AgentChance, out: AgentEffect[]) {
    super(options, chance, out);
    this.#reconnects = new Reconnects(options.executorReconnectMs, out);
  }

  // ---- launching

  runTask(message: RunTask, now: Instant): void {
    const { framework, task } = message;
    const info = task.executor ?? commandExecutorOf(task, framework.id?.value ?? '');
    const type = task.executor === undefined ? 'command' : typeOf(info);
    const mayLaunch = message.launch_executor !== false;
    this.#run(
      framework,
      message.pid,
      info,
      type,
      { tasks: [task], isGroup: false },
      mayLaunch,
      now,
    );
  }

  runTaskGroup(message: RunTaskGroup, now: Instant): void {
    const { framework, executor } = message;
    const queued = { tasks: message.task_group.tasks ?? [], isGroup: true };
    const mayLaunch = message.launch_executor !== false;
    this.#run(framework, undefined, executor, typeOf(executor), queued, mayLaunch, now);
  }

  #run(
    info: FrameworkInfo,
    pid: string | undefined,
    executorInfo: ExecutorInfo,
    type: Executor['type'],
    queued: { tasks: readonly TaskInfo[]; isGroup: boolean },
    mayLaunch: boolean,
    now: Instant,
  ): void {
    // What was meant for an agent that this one is not (any more) is for nobody.
    const mine = queued.tasks.filter((task) => task.agent_id.value === this.agentId);
    if (mine.length === 0) return;
    const framework = this.ensureFramework(info, pid ?? '');
    if (framework.isTerminating) return;
    const fresh = mine.filter((task) => !this.knows(framework, task.task_id.value));
    if (fresh.length === 0) return;
    const executorId = executorInfo.executor_id.value;
    const existing = framework.executors.get(executorId);
    if (existing === undefined && !mayLaunch) {
      this.drop(framework, executorId, fresh, 'Executor is not there any more', now);
      this.frameworkDone(framework);
      return;
    }
    const wanted = { framework: info, executor: executorInfo, tasks: fresh };
    const refused = launchRefusal(this, wanted, queued.isGroup);
    if (refused !== undefined) {
      const [reason, message] = refused;
      this.drop(framework, executorId, fresh, message, now, reason);
      if (mayLaunch && (existing === undefined || reason === 'REASON_RESOURCES_UNKNOWN')) {
        this.exited({ frameworkId: framework.id, executorId }, type, -1);
      }
      this.frameworkDone(framework);
      return;
    }
    if (existing?.state === 'terminating' || existing?.state === 'terminated') {
      const message = `Executor is ${existing.state}`;
      this.drop(framework, executorId, fresh, message, now);
      // The master was told of its end and counts on a new one with this launch: it gets none.
      if (mayLaunch && existing.state === 'terminated')
        this.exited(existing.key, existing.type, -1);
      return;
    }
    const isPublished = providedOf(fresh.flatMap((task) => task.resources ?? [])).length === 0;
    const waiting = { tasks: fresh, isGroup: queued.isGroup, isPublished };
    if (existing === undefined) {
      const executor = this.#addExecutor(framework, executorInfo, type, fresh, now);
      executor.queued.push(waiting);
      this.#launch(framework, executor, waiting, now);
      return;
    }
    existing.queued.push(waiting);
    if (existing.state === 'running') this.#deliver(existing, now);
    this.resourcesChanged(existing);
    if (!isPublished && !existing.isHeld) this.#publishQueued(existing, waiting, now);
  }

  #publish(executor: Executor, now: Instant, done: Published): void {
    const others = this.executors().filter((one) => one !== executor && one.state !== 'terminated');
    this.publish(
      providedOf(resourcesOf(executor)),
      providedOf(others.flatMap(resourcesOf)),
      now,
      done,
    );
  }

  /** Tasks of an executor that is there already. */
  #publishQueued(executor: Executor, waiting: Queued, now: Instant): void {
    this.#publish(executor, now, (problem, later) => {
      if (executor.state === 'terminated' || !executor.queued.includes(waiting)) return;
      if (problem !== undefined) {
        const message = `Failed to update resources for container: ${problem}`;
        const reason = 'REASON_CONTAINER_UPDATE_FAILED';
        this.limit(executor.containerId, { reason, message }, later);
        return;
      }
      waiting.isPublished = true;
      if (executor.state === 'running') this.#deliver(executor, later);
    });
  }

  #addExecutor(
    framework: Framework,
    info: ExecutorInfo,
    type: Executor['type'],
    tasks: readonly TaskInfo[],
    now: Instant,
  ): Executor {
    const key = { frameworkId: framework.id, executorId: info.executor_id.value };
    const user = userOf(framework.info, info, tasks[0]);
    const executor: Executor = {
      ...emptyExecutor(key, info, this.chance.uuid(), type, user),
      deadline: now + this.options.executorRegistrationTimeoutMs,
    };
    framework.executors.set(key.executorId, executor);
    this.byContainer.set(executor.containerId, executor);
    this.#awaited.add(executor);
    const { containerId } = executor;
    if (framework.info.checkpoint === true) {
      const record = { kind: 'executor', key, containerId, info } as const;
      this.out.push({ kind: 'checkpoint', record });
    }
    return executor;
  }

  /** registering: its container is launched once what it uses is usable. */
  #launch(framework: Framework, executor: Executor, first: Queued, now: Instant): void {
    const { key, containerId, info, user, type } = executor;
    const launch = {
      key,
      containerId,
      executor: info,
      framework: framework.info,
      agentId: this.agentId,
      user,
      type,
      resources: [info, ...first.tasks].flatMap((one) => one.resources ?? []),
      limits: boundsOf(info.resources ?? [], first.tasks),
    };
    executor.isHeld = true;
    this.#publish(executor, now, (problem, later) => {
      if (executor.state === 'terminated') return;
      executor.isHeld = false;
      if (problem !== undefined) {
        const reason = 'REASON_CONTAINER_LAUNCH_FAILED';
        this.containerEnded(containerId, { reason, message: problem }, later);
        return;
      }
      first.isPublished = true;
      executor.deadline = later + this.options.executorRegistrationTimeoutMs;
      this.out.push({ kind: 'launch-container', launch });
      for (const one of executor.queued) {
        if (!one.isPublished) this.#publishQueued(executor, one, later);
      }
    });
  }

  /** Gives a subscribed executor what waits for it. */
  #deliver(executor: Executor, now: Instant): void {
    const { connection } = executor;
    if (connection === undefined) return;
    const queued = executor.queued.filter(({ isPublished }) => isPublished);
    executor.queued = executor.queued.filter(({ isPublished }) => !isPublished);
    const framework = this.frameworks.get(executor.key.frameworkId);
    const executorId = executor.type === 'command' ? undefined : executor.key.executorId;
    for (const { tasks, isGroup } of queued) {
      if (isGroup && executor.driver !== undefined && framework !== undefined) {
        const message = 'The executor speaks version 0 of the protocol, which has no task groups';
        const reason = 'REASON_TASK_GROUP_INVALID';
        this.drop(framework, executor.key.executorId, tasks, message, now, reason);
        continue;
      }
      for (const info of tasks) {
        const task = taskOf(info, executor.key.frameworkId, executorId);
        executor.launched.set(info.task_id.value, task);
        executor.launchedInfos.set(info.task_id.value, info);
        if (framework?.info.checkpoint === true) {
          const { key, containerId } = executor;
          const record = { kind: 'task', key, containerId, task } as const;
          this.out.push({ kind: 'checkpoint', record });
        }
      }
      this.send(
        executor,
        isGroup
          ? { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks: [...tasks] } } }
          : { type: 'LAUNCH', launch: { task: tasks[0] as TaskInfo } },
      );
    }
  }

  // ---- the executor's side

  subscribed(input: ExecutorSubscribed, now: Instant): void {
    const { key, connection, driver } = input;
    const executor = this.executor(key);
    const framework = this.frameworks.get(key.frameworkId);
    if (executor === undefined || framework === undefined || !mayConnect(executor, driver)) {
      this.out.push({ kind: 'close-executor', connection });
      return;
    }
    const old = executor.connection;
    if (old !== undefined && old !== connection) {
      this.#byConnection.delete(old);
      this.out.push({ kind: 'close-executor', connection: old });
    }
    executor.connection = connection;
    this.#byConnection.set(connection, executor);
    if (executor.state === 'terminating') {
      this.send(executor, { type: 'SHUTDOWN' });
      return;
    }
    executor.state = 'running';
    this.#awaited.delete(executor);
    this.#reconnects.done(executor);
    executor.deadline = Infinity;
    this.#keepDriver(executor, framework, driver?.upid);
    this.greet(executor, framework);
    for (const status of input.unacknowledgedUpdates) this.executorUpdate(key, status, now);
    this.#resend(executor, input.unacknowledgedTasks, now);
    executor.everSubscribed = true;
    this.#deliver(executor, now);
    for (const [taskId, policy] of executor.kills) {
      this.sendKill(executor, taskId, policy as KillPolicy | undefined);
    }
  }

  /** A later life of this agent asks it to come back: a driver does not by itself. */
  #keepDriver(executor: Executor, framework: Framework, upid: string | undefined): void {
    if (executor.driver === upid) return;
    executor.driver = upid;
    if (upid === undefined || framework.info.checkpoint !== true) return;
    const { key, containerId } = executor;
    const record = { kind: 'executor-driver', key, containerId, upid } as const;
    this.out.push({ kind: 'checkpoint', record });
  }

  /**
   * A task that we have given to an earlier connection, and that the executor neither names nor has
   * ever reported, got lost on the way: it is sent again, or, when its TaskInfo is no longer known
   * (the agent was restarted), told as dropped.
   */
  #resend(executor: Executor, unacknowledged: readonly TaskInfo[], now: Instant): void {
    const named = new Set(unacknowledged.map((task) => task.task_id.value));
    for (const [taskId, task] of executor.launched) {
      if (named.has(taskId) || task.state !== 'TASK_STAGING') continue;
      const stream = this.streams.of(executor.key.frameworkId, taskId);
      if (stream !== undefined && stream.received.size > 0) continue;
      const info = executor.launchedInfos.get(taskId);
      executor.launched.delete(taskId);
      if (info !== undefined) {
        const isGroup = executor.type === 'default';
        executor.queued.push({ tasks: [info], isGroup, isPublished: true });
        continue;
      }
      executor.launched.set(taskId, task);
      const framework = this.frameworks.get(executor.key.frameworkId);
      this.report(
        {
          frameworkId: executor.key.frameworkId,
          executorId: executor.key.executorId,
          taskId,
          state: lossState(framework?.info, 'TASK_DROPPED'),
          reason: 'REASON_AGENT_RESTARTED',
          message: 'Task dropped due to agent restart',
        },
        now,
      );
    }
  }

  disconnected(connection: ConnectionId): void {
    const executor = this.#byConnection.get(connection);
    if (executor === undefined) return;
    this.#byConnection.delete(connection);
    // The container lives: an executor that lost its connection comes back by itself.
    if (executor.connection === connection) executor.connection = undefined;
  }

  // ---- killing

  killTask(
    frameworkId: string,
    taskId: string,
    policy: KillPolicy | undefined,
    now: Instant,
  ): void {
    const framework = this.frameworks.get(frameworkId);
    if (framework === undefined) return;
    for (const executor of framework.executors.values()) {
      const waiting = executor.queued.find((one) =>
        one.tasks.some((task) => task.task_id.value === taskId),
      );
      if (waiting !== undefined) {
        this.#killQueued(framework, executor, waiting, now);
        return;
      }
      if (!executor.launched.has(taskId)) continue;
      executor.kills.set(taskId, policy);
      if (executor.state === 'running') this.sendKill(executor, taskId, policy);
      return;
    }
    if (this.hasTask(frameworkId, taskId)) return;
    this.report(
      {
        frameworkId,
        taskId,
        state: lossState(framework.info, 'TASK_DROPPED'),
        reason: 'REASON_EXECUTOR_TERMINATED',
        message: 'Unable to find executor',
      },
      now,
    );
  }

  #killQueued(
    framework: Framework,
    executor: Executor,
    waiting: Executor['queued'][number],
    now: Instant,
  ): void {
    executor.queued = executor.queued.filter((one) => one !== waiting);
    for (const task of waiting.tasks) {
      this.report(
        {
          frameworkId: framework.id,
          executorId: executor.key.executorId,
          taskId: task.task_id.value,
          state: 'TASK_KILLED',
          reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
          message: 'A task was killed before it was delivered to the executor',
        },
        now,
      );
    }
    // Nobody else waits for an executor that has not even started.
    if (!executor.everSubscribed && executor.queued.length === 0 && executor.launched.size === 0) {
      this.#shutdownExecutor(executor, now);
    }
  }

  shutdownExecutor(key: ExecutorKey, now: Instant): void {
    const executor = this.executor(key);
    if (executor !== undefined) this.#shutdownExecutor(executor, now);
  }

  /** registering | running -> terminating */
  #shutdownExecutor(executor: Executor, now: Instant): void {
    if (executor.state === 'terminating' || executor.state === 'terminated') return;
    executor.state = 'terminating';
    // Nobody is there to be asked. One that was there may be on its way back, with tasks to end in order.
    if (executor.connection === undefined && !executor.everSubscribed) {
      this.#destroy(executor, now);
      return;
    }
    if (executor.connection !== undefined) this.send(executor, { type: 'SHUTDOWN' });
    const own = executor.info.shutdown_grace_period?.nanoseconds;
    const graceMs = own === undefined ? this.options.executorShutdownGraceMs : own / 1e6;
    executor.deadline = now + graceMs;
    this.#awaited.add(executor);
  }

  #destroy(executor: Executor, now: Instant): void {
    this.#awaited.delete(executor);
    this.#reconnects.done(executor);
    executor.deadline = Infinity;
    if (executor.isHeld) {
      const message = 'Container destroyed before its resources were published';
      this.containerEnded(executor.containerId, { message }, now);
      return;
    }
    this.out.push({ kind: 'destroy-container', containerId: executor.containerId });
  }

  /** any -> terminating: it gives way to those with a right to what it uses. */
  preempt(key: ExecutorKey, containerId: string, now: Instant): void {
    if (this.executor(key)?.containerId !== containerId) return;
    const message = 'Container preempted by QoS correction';
    const isNew = this.limit(containerId, { reason: 'REASON_CONTAINER_PREEMPTED', message }, now);
    if (isNew) this.preempted += 1;
  }

  /** any -> terminating: its end is the agent's doing, whatever its executor may say of it. */
  limit(
    containerId: string,
    { reason, message, limitation }: NonNullable<Executor['doom']>,
    now: Instant,
  ): boolean {
    const executor = this.byContainer.get(containerId);
    if (executor === undefined || executor.doom !== undefined) return false;
    if (executor.state === 'terminated') return false;
    executor.state = 'terminating';
    executor.doom = { reason, message, ...(limitation === undefined ? {} : { limitation }) };
    this.#destroy(executor, now);
    return true;
  }

  shutdownFramework(frameworkId: string, now: Instant): void {
    const framework = this.frameworks.get(frameworkId);
    if (framework === undefined || framework.isTerminating) return;
    framework.isTerminating = true;
    this.streams.forgetFramework(frameworkId);
    for (const executor of framework.executors.values()) {
      executor.queued = [];
      executor.terminated.clear();
      this.#shutdownExecutor(executor, now);
      this.executorDone(framework, executor);
    }
    this.frameworkDone(framework);
  }

  // ---- containers

  /** any -> terminated: what had not ended by itself ends with its executor. */
  containerEnded(containerId: string, end: ContainerEnd, now: Instant): void {
    const executor = this.byContainer.get(containerId);
    const framework = this.frameworks.get(executor?.key.frameworkId ?? '');
    if (executor === undefined || framework === undefined) return;
    const wasTerminating = executor.state === 'terminating';
    this.#reconnects.done(executor);
    this.tallies.executorsTerminated += 1;
    if (end.reason === 'REASON_CONTAINER_LAUNCH_FAILED') this.tallies.launchErrors += 1;
    executor.state = 'terminated';
    this.#awaited.delete(executor);
    executor.deadline = Infinity;
    this.byContainer.delete(containerId);
    if (executor.connection !== undefined) {
      this.out.push({ kind: 'close-executor', connection: executor.connection });
      this.#byConnection.delete(executor.connection);
      executor.connection = undefined;
    }
    if (framework.isTerminating) {
      executor.launched.clear();
      executor.terminated.clear();
    } else this.endTasks(framework, executor, end, now);
    if (!framework.isTerminating)
      this.exited(executor.key, executor.type, end.waitStatus ?? (wasTerminating ? 9 : -1));
    this.executorDone(framework, executor);
  }

  // ---- time

  /** Without a master, updates wait; only executors have deadlines. */
  nextDeadline(): Instant {
    let at = Infinity;
    for (const executor of this.#awaited) at = Math.min(at, executor.deadline);
    return Math.min(at, this.#reconnects.nextAt());
  }

  nextAt(): Instant {
    return Math.min(this.streams.nextAt(), this.nextDeadline());
  }

  onTick(now: Instant): void {
    for (const executor of this.#awaited) {
      if (executor.deadline > now) continue;
      if (executor.state === 'registering') {
        executor.state = 'terminating';
        executor.doom = lateDoom(executor, this.options);
      }
      this.#destroy(executor, now);
    }
    this.#reconnects.onTick(now);
  }

  // ---- recovery

  recover(frameworks: readonly RecoveredFramework[], now: Instant): void {
    for (const recovered of frameworks) {
      const framework = this.knowFramework(recovered.info, recovered.pid);
      framework.isKept = true;
      for (const executor of recovered.executors) this.#recoverExecutor(framework, executor, now);
    }
  }

  #recoverExecutor(framework: Framework, recovered: RecoveredExecutor, now: Instant): void {
    const { info, containerId } = recovered;
    const key = { frameworkId: framework.id, executorId: info.executor_id.value };
    const isCommand = recovered.tasks.some((one) => one.task.executor_id === undefined);
    const type = isCommand ? 'command' : typeOf(info);
    const user = recovered.tasks[0]?.task.user ?? userOf(framework.info, info, undefined);
    const executor: Executor = {
      ...emptyExecutor(key, info, containerId, type, user),
      everSubscribed: true,
      deadline: now + this.options.executorReregistrationTimeoutMs,
    };
    executor.driver = recovered.driver;
    framework.executors.set(key.executorId, executor);
    this.byContainer.set(containerId, executor);
    this.#awaited.add(executor);
    this.#reconnects.begin(executor, now);
    for (const { task, updates, acknowledged } of recovered.tasks) {
      const taskId = task.task_id.value;
      executor.launched.set(taskId, task);
      for (const update of updates) {
        this.streams.add(update, now);
        this.apply(executor, taskId, update.status);
      }
      for (const uuid of acknowledged) {
        const done = this.streams.acknowledge(framework.id, taskId, uuid, now);
        if (done?.isLast !== true) continue;
        const ended = executor.terminated.get(taskId);
        executor.terminated.delete(taskId);
        if (ended !== undefined) executor.completed.push(ended);
      }
    }
  }
}
