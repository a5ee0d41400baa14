// What the master knows: frameworks, agents, offers and tasks, with the effects of one input
// gathered until they are taken. Shared by the desks that decide (core, agents, launches) and by
// the views.
import { AllocatorCore } from '#mesos/allocator/allocator-core.ts';
import { regionOf } from '#mesos/resources/domain.ts';
import { agentActions, refusedOf } from '#mesos/security/action-objects.ts';
import { Authorizer } from '#mesos/security/authorizer.ts';
import type { Principal } from '#mesos/security/principal.ts';
import type { AgentStanding } from '#mesos/registry/registry.ts';
import type { AgentInfo, SchedulerEvent, Task, TaskStatus } from '#wire/mesos/v1.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import { FrameworkMetrics } from './framework-metrics.ts';
import { Holdings, isOf } from './holdings.ts';
import { OfferBook, type OfferRecord } from './offer-book.ts';
import { PendingOperations } from './pending-operations.ts';
import { SharedParts } from './shared-parts.ts';
import { nobody, type StateWatcher } from './state-watcher.ts';
import { recordStatus, stateFor } from './statuses.ts';
import type {
  AgentRecord,
  ExecutorRecord,
  ConnectionId,
  FrameworkRecord,
  MasterEffect,
  MasterOptions,
  OperationRecord,
  OperatorIdentity,
  RegistryChange,
} from './types.ts';

/**
 * This part of the agents being back, what the others hold may be left out of limits for a while
 * (AGENT_RECOVERY_FACTOR of Mesos, which until then offers nothing to anybody).
 */
const RETURNED_ENOUGH = 0.8;

/** The state that the desks (agents, launches) and the views (endpoints) share with the core. */
export class MasterState {
  readonly options: MasterOptions;
  readonly allocator: AllocatorCore;
  readonly authorizer: Authorizer;
  /** As whom agents and drivers have authenticated, by pid. */
  readonly principals = new Map<string, string>();
  readonly frameworks = new Map<string, FrameworkRecord>();
  /** By framework and id: operations of frameworks that are not known (yet). */
  readonly orphanedOperations = new Map<string, Map<string, OperationRecord>>();
  readonly completedFrameworks = new Map<string, FrameworkRecord>();
  readonly agents = new Map<string, AgentRecord>();
  readonly agentsByPid = new Map<string, AgentRecord>();
  /** Admitted before, not back yet. */
  readonly recovered: ReadonlyMap<string, AgentInfo>;
  readonly #recovered: Map<string, AgentInfo>;
  /** So many may be missing still when roles with limits are offered something again. */
  readonly #missingMax: number;
  readonly unreachable = new Map<string, number>();
  /** Marked gone by an operator; never to come back. */
  readonly gone = new Map<string, number>();
  /** Agents that operators deactivated or drain; those that are not here are as any other. */
  readonly standings = new Map<string, AgentStanding>();
  /** Agents that may have become empty while they are drained. */
  readonly eased = new Set<string>();
  /** Somebody may have to be sent an inverse offer. */
  isAskDue = false;
  readonly offers: OfferBook;
  readonly holdings: Holdings;
  readonly pending: PendingOperations;
  readonly parts = new SharedParts();
  /** Told of every change that endpoints show. */
  watcher: StateWatcher = nobody;
  readonly byConnection = new Map<ConnectionId, string>();
  readonly startedAt: number;
  readonly counters = new Map<string, number>();
  readonly frameworkMetrics = new FrameworkMetrics();
  /** Messages of drivers by their principal; calls over HTTP are not counted, as in Mesos. */
  readonly principalMessages = new Map<string, { received: number; processed: number }>();
  nextFramework = 0;
  nextAgent = 0;
  nextOffer = 0;
  #nextToken = 1;
  readonly #afterwards = new Map<number, (now: number) => void>();
  #effects: MasterEffect[] = [];
  /** Of the allocator, when the last run was asked for; undefined: there was one since. */
  #toldNews: number | undefined;

  constructor(options: MasterOptions, recovered: readonly AgentInfo[], now: number) {
    this.options = options;
    this.offers = new OfferBook(options.masterId);
    this.holdings = new Holdings(this);
    this.#recovered = new Map(recovered.map((info) => [info.id?.value ?? '', info]));
    this.recovered = this.#recovered;
    this.#missingMax = recovered.length - Math.ceil(recovered.length * RETURNED_ENOUGH);
    const region = regionOf(options.domain);
    this.allocator = new AllocatorCore({ ...options.allocator, region });
    this.pending = new PendingOperations(this);
    this.authorizer = options.authorizer ?? new Authorizer(undefined);
    this.startedAt = now;
    this.allocator.awaitReturns(this.recovered.size > this.#missingMax);
  }

  /** What an operator may do, who asks under this name. */
  operatorOf(principal: Principal | undefined): OperatorIdentity {
    return { principal: principal?.value, approvers: this.authorizer.of(principal) };
  }

  /** Around each portion of an allocation; who measures how long it takes sets it. */
  timed: <T>(decide: () => T) => T = (decide) => decide();

  /** Told of the ids of offers and inverse offers as they are sent. */
  onOffered: (ids: readonly string[], now: number) => void = () => {};

  /** --roles leaves it out. */
  isUnlistedRole(role: string): boolean {
    return role !== '*' && this.options.roleWhitelist?.has(role) === false;
  }

  /**
   * Without a domain of its own a master cannot tell whether an agent is in another region; and it may
   * want every agent to have one (--require_agent_domain).
   */
  isOutOfDomain({ domain }: AgentInfo): boolean {
    if (domain !== undefined) return this.options.domain === undefined;
    return this.options.requiresAgentDomain === true;
  }

  /** Whether an agent may, with what its configuration reserves; Mesos does not answer others either. */
  mayJoin(pid: string, { resources = [] }: AgentInfo): boolean {
    if (this.authorizer.isOpen) return true;
    const approvers = this.authorizer.ofName(this.principals.get(pid));
    return refusedOf(approvers, agentActions(resources)) === undefined;
  }

  /** It is back, or no longer waited for. */
  noLongerRecovered(agentId: string): void {
    const info = this.#recovered.get(agentId);
    this.#recovered.delete(agentId);
    if (info !== undefined) this.watcher.onRecovered(info);
    if (this.recovered.size <= this.#missingMax) this.allocator.awaitReturns(false);
  }

  messagesOf(principal: string): { received: number; processed: number } {
    let counts = this.principalMessages.get(principal);
    if (counts === undefined) {
      this.principalMessages.set(principal, (counts = { received: 0, processed: 0 }));
    }
    return counts;
  }

  count(name: string, by = 1): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }

  emit(effect: MasterEffect): void {
    this.#effects.push(effect);
  }

  /** Makes a change durable, and goes on only then. */
  persist(change: RegistryChange, then: (now: number) => void = () => {}): void {
    const token = this.#nextToken++;
    this.#afterwards.set(token, then);
    this.emit({ kind: 'persist', change, token });
  }

  confirm(token: number, now: number): void {
    const then = this.#afterwards.get(token);
    this.#afterwards.delete(token);
    then?.(now);
  }

  /** Whether the agent may be offered. */
  isActive(agent: AgentRecord): boolean {
    return agent.isConnected && !this.isDeactivated(agent.id);
  }

  isDeactivated(agentId: string): boolean {
    return this.standings.get(agentId)?.deactivated === true;
  }

  /** Something of the agent's has come to its end. */
  ease(agentId: string): void {
    if (this.standings.has(agentId)) this.eased.add(agentId);
  }

  /** A run is over: what came too late for it is for another one. */
  ran(): void {
    this.#toldNews = undefined;
  }

  /** `isPatient`: what there may be to allocate is better gathered for a while. */
  take({ isPatient } = { isPatient: false }): MasterEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    // Who has been told waits no shorter because something else happens meanwhile.
    const { isDirty, news } = this.allocator;
    const isNews = isDirty && news !== this.#toldNews;
    if (this.isAskDue) effects.push({ kind: 'allocate-soon', isPatient: false });
    else if (isNews) effects.push({ kind: 'allocate-soon', isPatient });
    if (isNews) this.#toldNews = news;
    return effects;
  }

  tell(framework: FrameworkRecord, event: SchedulerEvent): void {
    if (framework.connection === undefined) return;
    this.frameworkMetrics.countOf(framework.id, 'events', event.type ?? 'unknown');
    this.emit({ kind: 'event', connection: framework.connection, event });
  }

  /** Sends a status to a framework in the states that it understands. */
  tellStatus(framework: FrameworkRecord, status: TaskStatus): void {
    const state = stateFor(framework.info, status.state);
    this.tell(framework, { type: 'UPDATE', update: { status: { ...status, state } } });
  }

  /** The resources of an offer go back; the framework is told only when `rescind` is set. */
  dropOffer(offer: OfferRecord, how: { rescind: boolean }): void {
    this.holdings.removeOffer(offer);
    const framework = this.frameworks.get(offer.frameworkId);
    if (how.rescind && offer.isSent && framework !== undefined) {
      this.frameworkMetrics.count(framework.id, 'offers/rescinded');
      this.tell(framework, { type: 'RESCIND', rescind: { offer_id: { value: offer.id } } });
    }
  }

  /** Gives back what a task held; once for each task. */
  release(framework: FrameworkRecord, taskId: string): void {
    const record = framework.tasks.get(taskId);
    if (record === undefined || !this.holdings.release(framework, record)) return;
    const { task } = record;
    this.allocator.recover(framework.id, task.agent_id.value, record.resources);
    const agent = this.agents.get(task.agent_id.value);
    const executor = agent?.executors.get(framework.id)?.get(task.executor_id?.value ?? '');
    const former = executor?.formerTasks;
    if (agent === undefined || executor === undefined || former === undefined) return;
    const isNeeded = [...agent.tasks].some(
      (one) =>
        !one.isReleased &&
        isOf(one.task, executor) &&
        !former.has(`${framework.id}/${one.task.task_id.value}`),
    );
    if (!isNeeded) this.loseExecutor(agent, executor);
  }

  /** It is not there (any more). */
  loseExecutor(agent: AgentRecord, { frameworkId, info, resources }: ExecutorRecord): void {
    this.holdings.removeExecutor(agent, frameworkId, info.executor_id.value);
    this.allocator.recover(frameworkId, agent.id, resources);
  }

  /** task -> completed */
  complete(framework: FrameworkRecord, task: Task): void {
    this.release(framework, task.task_id.value);
    this.holdings.removeTask(framework, task.task_id.value);
    this.ease(task.agent_id.value);
    this.holdings.addCompleted(framework, task, this.options.completedTasksMax);
  }

  /** The end of a task, with who said it and why. */
  countEnd(status: TaskStatus): void {
    this.count(`tasks_${status.state.slice('TASK_'.length).toLowerCase()}`);
    this.countReason(status);
  }

  countReason({ state, source = 'SOURCE_MASTER', reason }: TaskStatus): void {
    if (reason === undefined) return;
    const name = state.slice('TASK_'.length).toLowerCase();
    // Counters keep the old name of agents.
    const why = reason.replace('_AGENT', '_SLAVE').toLowerCase();
    const who = source.replace('_AGENT', '_SLAVE').toLowerCase();
    this.count(`task_${name}/${who}/${why}`);
  }

  updateTaskState(framework: FrameworkRecord, task: Task, status: TaskStatus): void {
    const before = task.state;
    const isNews = before !== status.state;
    task.state = status.state;
    recordStatus(task, status);
    this.holdings.changeTask(framework, task, before);
    if (isNews && status.state === 'TASK_UNREACHABLE') this.countReason(status);
    if (isTerminal(status.state) && isNews) {
      this.countEnd(status);
      const name = status.state.toLowerCase();
      this.frameworkMetrics.count(framework.id, `tasks/terminal/${name}`);
    }
    if (!isNews) return;
    const { data: _data, ...kept } = status;
    this.emit({
      kind: 'operator-event',
      event: {
        type: 'TASK_UPDATED',
        task_updated: { framework_id: { value: framework.id }, status: kept, state: status.state },
      },
      task,
    });
  }
}
