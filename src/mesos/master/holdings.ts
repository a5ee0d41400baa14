// Who holds what: tasks, executors, operations and offers are entered and struck out here, so that sums and the
// tasks of an agent are at hand, and whoever keeps texts of them learns which are true no longer.
import { needsCheckpoint } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { ExecutorInfo, Task, TaskState } from '#wire/mesos/v1.ts';
import { mapToFill, setToFill } from './nothing.ts';
import type { StateWatcher } from './state-watcher.ts';
import type { OfferBook, OfferRecord } from './offer-book.ts';
import type { AgentRecord, ExecutorRecord, FrameworkRecord, TaskRecord } from './types.ts';

/** The records that an entry is found by. */
export interface Registered {
  readonly agents: ReadonlyMap<string, AgentRecord>;
  readonly frameworks: ReadonlyMap<string, FrameworkRecord>;
  readonly offers: OfferBook;
  readonly watcher: StateWatcher;
  readonly options: { readonly unreachableTasksMax?: number | undefined };
}

/** Tasks of one framework that are remembered as unreachable (Mesos 1.11). */
const UNREACHABLE_MAX = 1_000;

export class Holdings {
  readonly #state: Registered;

  constructor(state: Registered) {
    this.#state = state;
  }

  // ---- tasks ----

  addTask(framework: FrameworkRecord, record: TaskRecord): void {
    const { task, resources, isReleased } = record;
    const agent = this.#state.agents.get(task.agent_id.value);
    framework.tasks.set(task.task_id.value, record);
    count(framework, task.state, 1);
    if (agent !== undefined) agent.tasks = setToFill(agent.tasks).add(record);
    if (!isReleased) this.#use(framework, agent, resources);
    this.#state.watcher.onTask(framework, task, 'tasks', 'came');
  }

  removeTask(framework: FrameworkRecord, taskId: string): void {
    const record = framework.tasks.get(taskId);
    if (record === undefined) return;
    const { task } = record;
    this.release(framework, record);
    framework.tasks.delete(taskId);
    count(framework, task.state, -1);
    this.#state.agents.get(task.agent_id.value)?.tasks.delete(record);
    this.#state.watcher.onTask(framework, task, 'tasks', 'left');
  }

  /** What it held is free; false when it was before. */
  release(framework: FrameworkRecord, record: TaskRecord): boolean {
    if (record.isReleased) return false;
    record.isReleased = true;
    const agent = this.#state.agents.get(record.task.agent_id.value);
    this.#free(framework, agent, record.resources);
    return true;
  }

  /** What is said of a task has changed; `before`: its state until now. */
  changeTask(framework: FrameworkRecord, task: Task, before: TaskState = task.state): void {
    const id = task.task_id.value;
    const isLive = framework.tasks.get(id)?.task === task;
    if (isLive) {
      count(framework, before, -1);
      count(framework, task.state, 1);
    }
    const list = isLive ? 'tasks' : 'unreachable';
    this.#state.watcher.onTask(framework, task, list, 'changed');
  }

  addUnreachable(framework: FrameworkRecord, task: Task): void {
    framework.unreachableTasks.set(task.task_id.value, task);
    this.#state.watcher.onTask(framework, task, 'unreachable', 'came');
    const most = this.#state.options.unreachableTasksMax ?? UNREACHABLE_MAX;
    const [oldest] = framework.unreachableTasks.keys();
    if (framework.unreachableTasks.size <= most || oldest === undefined) return;
    this.removeUnreachable(framework, oldest);
  }

  removeUnreachable(framework: FrameworkRecord, taskId: string): void {
    const task = framework.unreachableTasks.get(taskId);
    if (task === undefined) return;
    framework.unreachableTasks.delete(taskId);
    this.#state.watcher.onTask(framework, task, 'unreachable', 'left');
  }

  /** The last `most` of a framework are remembered. */
  addCompleted(framework: FrameworkRecord, task: Task, most: number): void {
    const { completedTasks } = framework;
    completedTasks.push(task);
    this.#state.watcher.onTask(framework, task, 'completed', 'came');
    const oldest = completedTasks.length > most ? completedTasks.shift() : undefined;
    if (oldest !== undefined) this.#state.watcher.onTask(framework, oldest, 'completed', 'left');
  }

  // ---- executors ----

  /** False when it is there already. */
  addExecutor(agent: AgentRecord, frameworkId: string, info: ExecutorInfo): boolean {
    const byId = agent.executors.get(frameworkId) ?? new Map<string, ExecutorRecord>();
    agent.executors = mapToFill(agent.executors).set(frameworkId, byId);
    const id = info.executor_id.value;
    if (byId.has(id)) return false;
    const resources = Resources.of(info.resources);
    const agentId = agent.id;
    const record: ExecutorRecord = {
      info,
      frameworkId,
      agentId,
      resources,
      formerTasks: undefined,
    };
    byId.set(id, record);
    const framework = this.#state.frameworks.get(frameworkId);
    framework?.executors.add(record);
    this.#use(framework, agent, resources);
    this.#state.watcher.onExecutor(framework, agent, record, 'came');
    return true;
  }

  /** Undefined when there is none. */
  removeExecutor(
    agent: AgentRecord,
    frameworkId: string,
    executorId: string,
  ): ExecutorRecord | undefined {
    const byId = agent.executors.get(frameworkId);
    const record = byId?.get(executorId);
    if (byId === undefined || record === undefined) return undefined;
    byId.delete(executorId);
    const framework = this.#state.frameworks.get(frameworkId);
    framework?.executors.delete(record);
    this.#free(framework, agent, record.resources);
    this.#state.watcher.onExecutor(framework, agent, record, 'left');
    return record;
  }

  // ---- offers ----

  addOffer(offer: OfferRecord): void {
    const { offers, watcher } = this.#state;
    const { agent, framework, resources } = offer;
    offers.add(offer);
    framework.offers.add(offer);
    if (agent !== undefined) {
      agent.offers.push(offer);
      agent.offered = undefined;
    }
    framework.offered.add(resources);
    watcher.onOffer(framework, agent, offer, 'came');
  }

  removeOffer(offer: OfferRecord): void {
    const { offers, watcher } = this.#state;
    const { agent, framework, resources } = offer;
    if (!offers.remove(offer)) return;
    framework.offers.remove(offer);
    if (agent !== undefined) {
      if (agent.offers.at(-1) === offer) agent.offers.pop();
      else agent.offers.splice(agent.offers.indexOf(offer), 1);
      agent.offered = undefined;
    }
    framework.offered.remove(resources);
    watcher.onOffer(framework, agent, offer, 'left');
  }

  // ---- operations whose outcome is not foreseen ----

  addPending(framework: FrameworkRecord, agent: AgentRecord, taken: Resources): void {
    this.#use(framework, agent, taken);
    this.#state.watcher.onUse(framework, agent);
  }

  removePending(
    framework: FrameworkRecord | undefined,
    agent: AgentRecord,
    taken: Resources,
  ): void {
    this.#free(framework, agent, taken);
  }

  // ---- sums ----

  /** What an agent has; the allocator is told by whoever changes it. */
  setTotal(agent: AgentRecord, total: Resources): void {
    agent.total = total;
    this.#state.watcher.onAgent(agent, 'changed');
    agent.checkpointed = total.filter(needsCheckpoint);
  }

  /** Held by tasks, executors and operations under way. */
  usedOn(agent: AgentRecord): Resources {
    agent.used ??= Resources.join(usesOf(agent));
    return agent.used;
  }

  offeredOn(agent: AgentRecord): Resources {
    agent.offered ??= Resources.join(agent.offers.map(({ resources }) => resources));
    return agent.offered;
  }

  #use(
    framework: FrameworkRecord | undefined,
    agent: AgentRecord | undefined,
    resources: Resources,
  ): void {
    framework?.used.add(resources);
    if (agent !== undefined) agent.used = undefined;
  }

  #free(
    framework: FrameworkRecord | undefined,
    agent: AgentRecord | undefined,
    resources: Resources,
  ): void {
    framework?.used.remove(resources);
    if (agent !== undefined) agent.used = undefined;
    if (agent !== undefined && framework !== undefined) {
      this.#state.watcher.onUse(framework, agent);
    }
  }
}

function count({ states }: FrameworkRecord, state: TaskState, by: 1 | -1): void {
  states.set(state, (states.get(state) ?? 0) + by);
}

function usesOf({ tasks, executors, operations }: AgentRecord): Resources[] {
  const parts: Resources[] = [];
  for (const { held, isOrphan } of operations.values()) {
    if (held !== undefined && !isOrphan) parts.push(held);
  }
  for (const { resources, isReleased } of tasks) if (!isReleased) parts.push(resources);
  for (const byId of executors.values()) {
    for (const { resources } of byId.values()) parts.push(resources);
  }
  return parts;
}

/** It runs, or is to run, under the executor. */
export function isOf(task: Task, { frameworkId, info }: ExecutorRecord): boolean {
  const isSame = task.executor_id?.value === info.executor_id.value;
  return isSame && task.framework_id.value === frameworkId;
}

/** The tasks of one agent, by framework. */
export function tasksByFramework(agent: AgentRecord): Map<string, TaskRecord[]> {
  return Map.groupBy(agent.tasks, ({ task }) => task.framework_id.value);
}

/** What tasks, executors and operations of each framework hold on one agent, allocated to their roles. */
export function allocatedOn(agent: AgentRecord | undefined): Resources[] {
  if (agent === undefined) return [];
  const byFramework = new Map<string, Resources[]>();
  const put = (frameworkId: string, resources: Resources): void => {
    const mine = byFramework.get(frameworkId);
    if (mine === undefined) byFramework.set(frameworkId, [resources]);
    else mine.push(resources);
  };
  for (const { task, resources, isReleased } of agent.tasks) {
    if (!isReleased) put(task.framework_id.value, resources);
  }
  for (const [frameworkId, byId] of agent.executors) {
    for (const { resources } of byId.values()) put(frameworkId, resources);
  }
  for (const { held, isOrphan, frameworkId = '' } of agent.operations.values()) {
    if (held !== undefined && !isOrphan) put(frameworkId, held);
  }
  return [...byFramework.values()].map((parts) => Resources.join(parts));
}
