// Accepting offers: validating and launching tasks and groups, killing them, answering what became
// of them (inventory 2.5 to 2.9).
import { Resources } from '#mesos/resources/resources.ts';
import type {
  ExecutorInfo,
  Offer,
  Offer_Operation,
  SchedulerCall,
  SchedulerCall_Accept,
  SchedulerCall_Reconcile_Task,
  Task,
  TaskInfo,
  TaskState,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';
import type { MasterState } from './state.ts';
import { hasCapability } from './roles.ts';
import { masterStatus } from './statuses.ts';
import { launchNeeds, validateTask, type LaunchContext } from './task-validation.ts';
import type { AgentRecord, ExecutorRecord, FrameworkRecord, OfferRecord } from './types.ts';

export class LaunchDesk {
  readonly #state: MasterState;
  constructor(state: MasterState) {
    this.#state = state;
  }

  offerToWire(framework: FrameworkRecord, offer: OfferRecord): Offer {
    const agent = this.#state.agents.get(offer.agentId);
    const isMultiRole = hasCapability(framework.info, 'MULTI_ROLE');
    const resources = isMultiRole ? offer.resources : offer.resources.allocatedTo(undefined);
    const isRefined = hasCapability(framework.info, 'RESERVATION_REFINEMENT');
    const address = agent?.pid.slice(agent.pid.indexOf('@') + 1) ?? '';
    const ip = address.slice(0, address.lastIndexOf(':'));
    const port = Number(address.slice(address.lastIndexOf(':') + 1));
    const hostname = agent?.info.hostname ?? '';
    const executors = [...(agent?.executors.get(framework.id)?.keys() ?? [])];
    const path = `/${agent?.pid.slice(0, agent.pid.indexOf('@')) ?? ''}`;
    return {
      id: { value: offer.id },
      framework_id: { value: framework.id },
      agent_id: { value: offer.agentId },
      hostname,
      url: { scheme: 'http', address: { hostname, ip, port }, path },
      ...(agent?.info.domain === undefined ? {} : { domain: agent.info.domain }),
      resources: isRefined ? resources.toWire() : resources.toPreRefinement(),
      ...(agent?.info.attributes === undefined ? {} : { attributes: agent.info.attributes }),
      ...(executors.length === 0 ? {} : { executor_ids: executors.map((value) => ({ value })) }),
      ...(isMultiRole ? { allocation_info: { role: offer.role } } : {}),
    };
  }

  accept(
    framework: FrameworkRecord,
    accept: SchedulerCall_Accept,
    refuseMs: number,
    now: number,
  ): void {
    const offers = (accept.offer_ids ?? []).map(({ value }) => this.#state.offers.get(value));
    const valid = offers.filter((one) => one !== undefined && one.frameworkId === framework.id);
    const known = valid.filter((one) => one !== undefined);
    const first = known[0];
    const isOneKind = known.every(
      (one) => one.agentId === first?.agentId && one.role === first?.role,
    );
    const unique = new Set(known.map(({ id }) => id)).size === known.length;
    for (const offer of known) this.#state.dropOffer(offer, { rescind: false });
    const pool = known.map(({ resources }) => resources).reduce((a, b) => a.add(b), Resources.none);
    const operations = accept.operations ?? [];
    const agent = first === undefined ? undefined : this.#state.agents.get(first.agentId);
    const isUsable = first !== undefined && known.length === offers.length && isOneKind && unique;
    if (!isUsable || agent === undefined || !agent.isConnected) {
      for (const { agentId, resources } of known) {
        this.#state.allocator.recover(framework.id, agentId, resources);
      }
      const reason: TaskStatus_Reason = !isUsable
        ? 'REASON_INVALID_OFFERS'
        : agent === undefined
          ? 'REASON_AGENT_REMOVED'
          : 'REASON_AGENT_DISCONNECTED';
      this.#dropAll(framework, operations, reason, now);
      return;
    }
    let left = pool;
    for (const operation of operations) {
      left = this.#perform({ framework, agent, role: first.role, now }, operation, left);
    }
    this.#state.allocator.recover(framework.id, agent.id, left, { refuseMs, now });
  }

  #dropAll(
    framework: FrameworkRecord,
    operations: readonly Offer_Operation[],
    reason: TaskStatus_Reason,
    now: number,
  ): void {
    for (const operation of operations) {
      const tasks = operation.launch?.task_infos ?? operation.launch_group?.task_group.tasks ?? [];
      for (const task of tasks) {
        const message = `Task launched with ${reason === 'REASON_INVALID_OFFERS' ? 'invalid offers' : 'an agent that is not there'}`;
        this.#tell(framework, task, { state: 'TASK_DROPPED', reason, message, now });
      }
    }
  }

  #tell(
    framework: FrameworkRecord,
    task: TaskInfo,
    own: { state: TaskState; reason: TaskStatus_Reason; message: string; now: number },
  ): void {
    const status = masterStatus({
      ...own,
      taskId: task.task_id.value,
      agentId: task.agent_id.value,
    });
    this.#state.count(`tasks_${own.state.slice('TASK_'.length).toLowerCase()}`);
    this.#state.tellStatus(framework, status);
  }

  /** What is left of the pool after one operation. */
  #perform(on: Target, operation: Offer_Operation, pool: Resources): Resources {
    switch (operation.type) {
      case 'LAUNCH':
        return this.#launch(on, operation.launch?.task_infos ?? [], pool);
      case 'LAUNCH_GROUP':
        return this.#launchGroup(on, operation, pool);
      default: {
        if (operation.id === undefined) return pool;
        const status = {
          operation_id: operation.id,
          state: 'OPERATION_ERROR' as const,
          message: `Operation ${operation.type ?? 'UNKNOWN'} is not supported`,
        };
        this.#state.tell(on.framework, {
          type: 'UPDATE_OPERATION_STATUS',
          update_operation_status: { status },
        });
        return pool;
      }
    }
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

  #launch(on: Target, infos: readonly TaskInfo[], pool: Resources): Resources {
    const { framework, agent, role, now } = on;
    let left = pool;
    for (const info of infos) {
      const task = withRole(info, role);
      const context = this.#context(on, left);
      const wrong = validateTask(task, context);
      if (wrong !== undefined) {
        this.#tell(framework, task, {
          state: 'TASK_ERROR',
          reason: 'REASON_TASK_INVALID',
          message: wrong,
          now,
        });
        continue;
      }
      left = left.subtract(launchNeeds(task, context));
      const launchesExecutor = this.#addExecutor(on, task.executor);
      this.#addTask(on, task, task.executor);
      const body = {
        framework: framework.info,
        task,
        pid: '',
        resource_version_uuids: [],
        launch_executor: task.executor === undefined ? true : launchesExecutor,
      };
      this.#state.emit({ kind: 'send', to: agent.pid, message: { name: 'RunTaskMessage', body } });
    }
    return left;
  }

  #launchGroup(on: Target, operation: Offer_Operation, pool: Resources): Resources {
    const group = operation.launch_group;
    if (group === undefined) return pool;
    const { framework, agent, role, now } = on;
    const executor = withRoleExecutor(group.executor, role);
    const tasks = (group.task_group.tasks ?? []).map((task) => withRole(task, role));
    const wrong = this.#validateGroup(on, executor, tasks, pool);
    if (wrong !== undefined) {
      for (const task of tasks) {
        const reason = 'REASON_TASK_GROUP_INVALID';
        this.#tell(framework, task, { state: 'TASK_ERROR', reason, message: wrong, now });
      }
      return pool;
    }
    const isRunning = agent.executors.get(framework.id)?.has(executor.executor_id.value) === true;
    let left = isRunning ? pool : pool.subtract(Resources.of(executor.resources));
    const launchesExecutor = this.#addExecutor(on, executor);
    for (const task of tasks) {
      left = left.subtract(Resources.of(task.resources));
      this.#addTask(on, task, executor);
    }
    const body = {
      framework: framework.info,
      executor: { ...executor, framework_id: { value: framework.id } },
      task_group: { tasks },
      resource_version_uuids: [],
      launch_executor: launchesExecutor,
    };
    this.#state.emit({
      kind: 'send',
      to: agent.pid,
      message: { name: 'RunTaskGroupMessage', body },
    });
    return left;
  }

  #validateGroup(
    on: Target,
    executor: ExecutorInfo,
    tasks: readonly TaskInfo[],
    pool: Resources,
  ): string | undefined {
    if (tasks.length === 0) return 'Task group cannot be empty';
    if (executor.type === undefined || executor.type === 'UNKNOWN')
      return "'ExecutorInfo.type' must be set";
    if (executor.type === 'DEFAULT' && executor.command !== undefined) {
      return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor";
    }
    let needs = Resources.of(executor.resources);
    for (const task of tasks) {
      if (task.executor !== undefined) return "'TaskInfo.executor' must not be set";
      // Inside a group a task needs no command of its own to name its executor.
      const own = { ...task, command: task.command ?? {} };
      const wrong = validateTask(own, this.#context(on, pool));
      if (wrong !== undefined) return `Task '${task.task_id.value}' is invalid: ${wrong}`;
      needs = needs.add(Resources.of(task.resources));
    }
    return pool.contains(needs)
      ? undefined
      : 'Total resources required by task group and its executor is more than available';
  }

  /** True when the agent has to start it. */
  #addExecutor(on: Target, executor: ExecutorInfo | undefined): boolean {
    if (executor === undefined) return false;
    const { framework, agent } = on;
    const executors = agent.executors.get(framework.id) ?? new Map<string, ExecutorRecord>();
    agent.executors.set(framework.id, executors);
    const id = executor.executor_id.value;
    if (executors.has(id)) return false;
    const info = { ...executor, framework_id: { value: framework.id } };
    executors.set(id, {
      info,
      frameworkId: framework.id,
      resources: Resources.of(executor.resources),
    });
    return true;
  }

  #addTask(on: Target, info: TaskInfo, executor: ExecutorInfo | undefined): void {
    const { framework, agent } = on;
    const task: Task = {
      name: info.name,
      task_id: info.task_id,
      framework_id: { value: framework.id },
      agent_id: { value: agent.id },
      state: 'TASK_STAGING',
      resources: info.resources,
      ...(executor === undefined ? {} : { executor_id: executor.executor_id }),
      ...(info.labels === undefined ? {} : { labels: info.labels }),
      ...(info.discovery === undefined ? {} : { discovery: info.discovery }),
      ...(info.container === undefined ? {} : { container: info.container }),
      ...(info.health_check === undefined ? {} : { health_check: info.health_check }),
      ...(info.kill_policy === undefined ? {} : { kill_policy: info.kill_policy }),
      ...(info.limits === undefined ? {} : { limits: info.limits }),
    };
    const resources = Resources.of(info.resources);
    framework.tasks.set(info.task_id.value, { task, resources, isReleased: false });
    this.#state.count('tasks_launched');
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
      this.reconcile(framework, [task], now);
      return;
    }
    const agentId = record.task.agent_id.value;
    if (kill.agent_id !== undefined && kill.agent_id.value !== agentId) return;
    const agent = this.#state.agents.get(agentId);
    if (agent === undefined) return;
    if (!agent.isConnected) {
      agent.pendingKills.add(`${framework.id}\n${kill.task_id.value}`);
      return;
    }
    const body = {
      framework_id: { value: framework.id },
      task_id: kill.task_id,
      ...(kill.kill_policy === undefined ? {} : { kill_policy: kill.kill_policy }),
    };
    this.#state.emit({ kind: 'send', to: agent.pid, message: { name: 'KillTaskMessage', body } });
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
    const { recovered, agents, unreachable } = this.#state;
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
    }
    const reason = 'REASON_RECONCILIATION';
    this.#state.tellStatus(
      framework,
      masterStatus({ taskId, agentId, state, reason, message, now }),
    );
  }
}

interface Target {
  readonly framework: FrameworkRecord;
  readonly agent: AgentRecord;
  readonly role: string;
  readonly now: number;
}

/** Frameworks without MULTI_ROLE leave out to which role they allocate. */
function withRole(task: TaskInfo, role: string): TaskInfo {
  const resources = Resources.of(task.resources).allocatedTo(role).toWire();
  const executor = task.executor === undefined ? undefined : withRoleExecutor(task.executor, role);
  return { ...task, resources, ...(executor === undefined ? {} : { executor }) };
}

function withRoleExecutor(executor: ExecutorInfo, role: string): ExecutorInfo {
  return { ...executor, resources: Resources.of(executor.resources).allocatedTo(role).toWire() };
}
