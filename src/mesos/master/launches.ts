// Launching tasks and groups from what an ACCEPT offers them, killing them, answering what became of
// them (inventory 2.5 to 2.9).
import { Resources } from '#mesos/resources/resources.ts';
import type {
  ExecutorInfo,
  Offer_Operation,
  Resource,
  SchedulerCall,
  SchedulerCall_Reconcile_Task,
  Task,
  TaskInfo,
  TaskState,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';
import { refusedLaunch } from '#mesos/security/action-objects.ts';
import { shownContainer, shownHealthCheck } from '#mesos/security/redaction.ts';
import { setToFill } from './nothing.ts';
import { NO_PID } from './roles.ts';
import type { MasterState } from './state.ts';
import { masterStatus } from './statuses.ts';
import { launchNeeds, validateGroup, validateTask, type LaunchContext } from './task-validation.ts';
import type { AgentRecord, FrameworkRecord } from './types.ts';

export class LaunchDesk {
  readonly #state: MasterState;
  constructor(state: MasterState) {
    this.#state = state;
  }

  tell(
    framework: FrameworkRecord,
    task: TaskInfo,
    own: { state: TaskState; reason: TaskStatus_Reason; message: string; now: number },
  ): void {
    const status = masterStatus({
      ...own,
      taskId: task.task_id.value,
      agentId: task.agent_id.value,
    });
    this.#state.countEnd(status);
    this.#state.tellStatus(framework, status);
  }

  #context(on: Target, pool: Resources): LaunchContext {
    const { framework, agent } = on;
    return {
      agentId: agent.id,
      frameworkId: framework.id,
      offered: pool,
      runningExecutor: (id) => agent.executors.get(framework.id)?.get(id)?.info,
      isTaskKnown: (id) => framework.tasks.has(id) || framework.unreachableTasks.has(id),
    };
  }

  launch(on: Target, operation: Offer_Operation, pool: Pool): void {
    const { framework, agent, now } = on;
    for (const info of operation.launch?.task_infos ?? []) {
      const task = this.#shared(withRole(info, on));
      const unallowed = refusedLaunch(framework.approvers, framework.info, task);
      if (unallowed !== undefined) {
        const reason = 'REASON_TASK_UNAUTHORIZED';
        const message = `Principal '${framework.info.principal ?? ''}' no authorized to ${unallowed}`;
        this.tell(framework, task, { state: 'TASK_ERROR', reason, message, now });
        continue;
      }
      // Tasks may share the copies of a volume that the offer had, used or not.
      const context = this.#context(on, pool.left.nonShared().add(pool.shared));
      const wrong = validateTask(task, context);
      if (wrong !== undefined) {
        const reason = 'REASON_TASK_INVALID';
        this.tell(framework, task, { state: 'TASK_ERROR', reason, message: wrong, now });
        continue;
      }
      this.#consume(on, launchNeeds(task, context), pool);
      this.#state.frameworkMetrics.countOf(framework.id, 'operations', 'launch');
      const launchesExecutor = this.#addExecutor(on, task.executor);
      this.#addTask(on, task, task.executor);
      const body = {
        framework: framework.info,
        task,
        pid: framework.pid ?? NO_PID,
        resource_version_uuids: versionsOf(agent),
        launch_executor: task.executor === undefined ? true : launchesExecutor,
      };
      this.#state.emit({ kind: 'send', to: agent.pid, message: { name: 'RunTaskMessage', body } });
    }
  }

  /** What it asks for is what others ask for. */
  #shared(task: TaskInfo): TaskInfo {
    return { ...task, resources: this.#state.parts.needs(task.resources ?? []) };
  }

  /** More users of a shared volume than the offer had copies are allocated as well. */
  #consume({ framework, agent }: Target, needs: Resources, pool: Pool): void {
    const more = needs.shared().subtract(pool.left.shared());
    if (!more.isEmpty) this.#state.allocator.trackAllocated(framework.id, agent.id, more);
    pool.left = pool.left.subtract(needs);
  }

  launchGroup(on: Target, operation: Offer_Operation, pool: Pool): void {
    const group = operation.launch_group;
    if (group === undefined) return;
    const { framework, agent, now } = on;
    const executor = withRoleOnly(group.executor, on.role);
    const tasks = (group.task_group.tasks ?? []).map((task) => {
      return this.#shared(withRole(task, on));
    });
    const unallowed = refusedGroup(framework, tasks);
    const wrong = unallowed ?? validateGroup(executor, tasks, this.#context(on, pool.left));
    if (wrong !== undefined) {
      for (const task of tasks) {
        const reason =
          unallowed === undefined ? 'REASON_TASK_GROUP_INVALID' : 'REASON_TASK_GROUP_UNAUTHORIZED';
        this.tell(framework, task, { state: 'TASK_ERROR', reason, message: wrong, now });
      }
      return;
    }
    this.#state.frameworkMetrics.countOf(framework.id, 'operations', 'launch_group');
    const isRunning = agent.executors.get(framework.id)?.has(executor.executor_id.value) === true;
    if (!isRunning) pool.left = pool.left.subtract(Resources.of(executor.resources));
    const launchesExecutor = this.#addExecutor(on, executor);
    for (const task of tasks) {
      pool.left = pool.left.subtract(Resources.of(task.resources));
      this.#addTask(on, task, executor);
    }
    const body = {
      framework: framework.info,
      executor,
      task_group: { tasks: tasks.map((task) => ({ ...task, executor })) },
      resource_version_uuids: versionsOf(agent),
      launch_executor: launchesExecutor,
    };
    this.#state.emit({
      kind: 'send',
      to: agent.pid,
      message: { name: 'RunTaskGroupMessage', body },
    });
  }

  /** True when the agent has to start it. */
  #addExecutor(on: Target, executor: ExecutorInfo | undefined): boolean {
    if (executor === undefined) return false;
    const { framework, agent } = on;
    const info = { ...executor, framework_id: { value: framework.id } };
    return this.#state.holdings.addExecutor(agent, framework.id, info);
  }

  #addTask(on: Target, info: TaskInfo, executor: ExecutorInfo | undefined): void {
    const { framework, agent } = on;
    const task: Task = {
      name: info.name,
      task_id: info.task_id,
      framework_id: framework.info.id ?? { value: framework.id },
      agent_id: agent.info.id ?? { value: agent.id },
      state: 'TASK_STAGING',
      resources: info.resources,
      ...(executor === undefined ? {} : { executor_id: executor.executor_id }),
      ...(info.labels === undefined ? {} : { labels: info.labels }),
      ...(info.discovery === undefined ? {} : { discovery: info.discovery }),
      ...(info.container === undefined ? {} : { container: shownContainer(info.container) }),
      ...(info.health_check === undefined
        ? {}
        : { health_check: shownHealthCheck(info.health_check) }),
      ...(info.kill_policy === undefined ? {} : { kill_policy: info.kill_policy }),
      ...(info.limits === undefined ? {} : { limits: info.limits }),
    };
    // Who it runs as when it is not the framework's user.
    const user = info.command?.user ?? executor?.command?.user;
    if (user !== undefined) task.user = user;
    const resources = Resources.of(info.resources);
    this.#state.holdings.addTask(framework, { task, resources, isReleased: false });
    this.#state.emit({
      kind: 'operator-event',
      event: { type: 'TASK_ADDED', task_added: { task } },
    });
  }

  kill(framework: FrameworkRecord, call: SchedulerCall, now: number): void {
    const kill = call.kill;
    if (kill === undefined) return;
    const record = framework.tasks.get(kill.task_id.value);
    if (record === undefined) {
      const task = {
        task_id: kill.task_id,
        ...(kill.agent_id === undefined ? {} : { agent_id: kill.agent_id }),
      };
      this.#state.count('messages_reconcile_tasks');
      this.reconcile(framework, [task], now);
      return;
    }
    const agentId = record.task.agent_id.value;
    if (kill.agent_id !== undefined && kill.agent_id.value !== agentId) return;
    const agent = this.#state.agents.get(agentId);
    if (agent === undefined) return;
    if (!agent.isConnected) {
      const waiting = `${framework.id}\n${kill.task_id.value}`;
      agent.pendingKills = setToFill(agent.pendingKills).add(waiting);
      return;
    }
    const body = {
      framework_id: { value: framework.id },
      task_id: kill.task_id,
      ...(kill.kill_policy === undefined ? {} : { kill_policy: kill.kill_policy }),
    };
    this.#state.emit({ kind: 'send', to: agent.pid, message: { name: 'KillTaskMessage', body } });
  }

  message(framework: FrameworkRecord, call: SchedulerCall): void {
    const { message } = call;
    const agent = this.#state.agents.get(message?.agent_id.value ?? '');
    const isValid = message !== undefined && agent !== undefined && agent.isConnected;
    this.#state.count(`${isValid ? 'valid' : 'invalid'}_framework_to_executor_messages`);
    if (!isValid) return;
    const body = {
      agent_id: message.agent_id,
      framework_id: { value: framework.id },
      executor_id: message.executor_id,
      data: message.data,
    };
    this.#state.emit({
      kind: 'send',
      to: agent.pid,
      message: { name: 'FrameworkToExecutorMessage', body },
    });
  }

  shutdownExecutor(framework: FrameworkRecord, call: SchedulerCall): void {
    const { shutdown } = call;
    const agent = this.#state.agents.get(shutdown?.agent_id.value ?? '');
    if (shutdown === undefined || agent === undefined || !agent.isConnected) return;
    const body = { executor_id: shutdown.executor_id, framework_id: { value: framework.id } };
    this.#state.emit({
      kind: 'send',
      to: agent.pid,
      message: { name: 'ShutdownExecutorMessage', body },
    });
  }

  /** An empty list asks about everything that the master holds for the framework. */
  reconcile(
    framework: FrameworkRecord,
    tasks: readonly SchedulerCall_Reconcile_Task[],
    now: number,
  ): void {
    if (tasks.length === 0) {
      for (const { task } of framework.tasks.values()) this.#tellKnown(framework, task, now);
      return;
    }
    for (const { task_id, agent_id } of tasks) {
      const record = framework.tasks.get(task_id.value);
      if (record !== undefined) this.#tellKnown(framework, record.task, now);
      else this.#tellUnknown(framework, { taskId: task_id.value, agentId: agent_id?.value, now });
    }
  }

  #tellKnown(framework: FrameworkRecord, task: Task, now: number): void {
    const state = task.status_update_state ?? task.state;
    const last = task.statuses?.at(-1);
    const status = masterStatus({
      taskId: task.task_id.value,
      agentId: task.agent_id.value,
      state,
      reason: 'REASON_RECONCILIATION',
      message: 'Reconciliation: Latest task state',
      now,
      executorId: task.executor_id?.value,
    });
    const container = last?.container_status;
    this.#state.tellStatus(framework, {
      ...status,
      ...(container === undefined ? {} : { container_status: container }),
    });
  }

  #tellUnknown(
    framework: FrameworkRecord,
    asked: { taskId: string; agentId: string | undefined; now: number },
  ): void {
    const { taskId, agentId, now } = asked;
    const { recovered, agents, unreachable, gone } = this.#state;
    // Agents that are still to come back may run it: no answer is better than a wrong one.
    const isOpen = agentId === undefined ? recovered.size > 0 : recovered.has(agentId);
    if (isOpen) return;
    let state: TaskState = 'TASK_UNKNOWN';
    let message = 'Reconciliation: Task is unknown';
    if (agentId !== undefined && agents.has(agentId)) {
      state = 'TASK_GONE';
      message = 'Reconciliation: Task is unknown to the agent';
    } else if (agentId !== undefined && unreachable.has(agentId)) {
      state = 'TASK_UNREACHABLE';
      message = 'Reconciliation: Task is unreachable';
    } else if (agentId !== undefined && gone.has(agentId)) {
      state = 'TASK_GONE_BY_OPERATOR';
      message = 'Reconciliation: Task is gone';
    }
    const reason = 'REASON_RECONCILIATION';
    const at = unreachable.get(agentId ?? '');
    this.#state.tellStatus(framework, {
      ...masterStatus({ taskId, agentId, state, reason, message, now }),
      ...(at === undefined ? {} : { unreachable_time: { nanoseconds: at * 1e6 } }),
    });
  }
}

export interface Target {
  readonly framework: FrameworkRecord;
  readonly agent: AgentRecord;
  readonly role: string;
  readonly now: number;
}

/** What the operations of one ACCEPT may still use. */
export interface Pool {
  left: Resources;
  /** Shared volumes, whether or not a task of this call uses them already. */
  shared: Resources;
  /** What became of resized volumes: not for later operations of the same call (Mesos 1.11). */
  resized: Resources;
}

function versionsOf({ resourceVersion, providers }: AgentRecord) {
  const ofProviders = [...providers].map(([id, { version }]) => ({
    resource_provider_id: { value: id },
    uuid: { value: version },
  }));
  if (resourceVersion === undefined) return ofProviders;
  return [{ uuid: { value: resourceVersion } }, ...ofProviders];
}

/** All of a group or none; told is the last that may not, as in Mesos. */
function refusedGroup(framework: FrameworkRecord, tasks: readonly TaskInfo[]): string | undefined {
  let refused: string | undefined;
  for (const task of tasks) {
    const why = refusedLaunch(framework.approvers, framework.info, task);
    if (why === undefined) continue;
    refused = `Task '${task.task_id.value}' is not authorized to${why}`;
  }
  return refused;
}

/** Frameworks without MULTI_ROLE leave out to which role they allocate; executors name theirs. */
function withRole(task: TaskInfo, on: Target): TaskInfo {
  const resources = injected(task.resources, on.role);
  const executor = task.executor === undefined ? undefined : withRoleExecutor(task.executor, on);
  return { ...task, resources, ...(executor === undefined ? {} : { executor }) };
}

/** Amounts as they were given, also wrong ones: they are validated next. */
function injected(resources: readonly Resource[] | undefined, role: string): Resource[] {
  return (resources ?? []).map((one) =>
    one.allocation_info === undefined ? { ...one, allocation_info: { role } } : one,
  );
}

function withRoleOnly(executor: ExecutorInfo, role: string): ExecutorInfo {
  return { ...executor, resources: injected(executor.resources, role) };
}

function withRoleExecutor(executor: ExecutorInfo, { role, framework }: Target): ExecutorInfo {
  const framework_id = executor.framework_id ?? { value: framework.id };
  return { ...withRoleOnly(executor, role), framework_id };
}
