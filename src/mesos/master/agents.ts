// The agents' side of the master core: registration, liveness, status updates, executors that
// ended.
import { Resources } from '#mesos/resources/resources.ts';
import type {
  AgentInfo,
  FrameworkInfo,
  Messages,
  Task,
  TaskState,
  TaskStatus_Reason,
} from '#wire/mesos/v1.ts';
import { AgentUpdateDesk } from './agent-updates.ts';
import { agentAdded, factsOf, isSameVersion, totalOf } from './agent-wire.ts';
import { registrationProblem } from './agent-validation.ts';
import { tasksByFramework } from './holdings.ts';
import { shownTask } from '#mesos/security/redaction.ts';
import type { OperationDesk } from './operations.ts';
import { emptyMap, emptySet } from './nothing.ts';
import { PingQueue } from './pings.ts';
import { ReportDesk } from './reports.ts';
import { RecoveryDesk } from './recovery.ts';
import { pingBudget, ReturnDesk } from './returns.ts';
import { hasCapability } from './roles.ts';
import type { MasterState } from './state.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import { masterStatus, stateFor } from './statuses.ts';
import { toldAgent } from './told-offers.ts';
import type {
  AgentRecord,
  AgentWatcher,
  ExecutorRecord,
  FrameworkRecord,
  FromAgent,
} from './types.ts';

type Register = Messages['RegisterSlaveMessage'];
type Reregister = Messages['ReregisterSlaveMessage'];

/** Addresses of agents that are remembered; few have more than one in their life. */
const CONNECTIONS_MAX = 200_000;

export class AgentDesk {
  readonly #state: MasterState;
  readonly #operations: OperationDesk;
  readonly #frameworkOf: (info: FrameworkInfo, now: number) => FrameworkRecord | undefined;
  readonly #updates: AgentUpdateDesk;
  readonly #reports: ReportDesk;
  readonly #returns: ReturnDesk;
  readonly #pings: PingQueue;
  readonly #recovery: RecoveryDesk;
  /** Agents whose registration is on its way into the registry. */
  readonly #registering = new Set<string>();
  /** By pid: the connection on which the agent registered last. */
  readonly #connections = new Map<string, number>();
  /** By agent id: those that come back, with what they said last. */
  readonly #returning = new Map<string, { pid: string; message: Reregister }>();
  /** Agents that do not answer, in the order in which they may be marked unreachable. */
  readonly #overdue = new Map<string, number>();
  #removableAt = -Infinity;
  /** Those that the registry is being told of as unreachable. */
  readonly #marking = new Set<string>();
  /** Set by the core: the desks know each other. */
  watcher: AgentWatcher = { isDown: () => false, onReturn: () => {}, onLeave: () => {} };

  constructor(
    state: MasterState,
    operations: OperationDesk,
    frameworkOf: (info: FrameworkInfo, now: number) => FrameworkRecord | undefined,
  ) {
    this.#state = state;
    this.#operations = operations;
    this.#frameworkOf = frameworkOf;
    this.#updates = new AgentUpdateDesk(state, operations);
    this.#reports = new ReportDesk(state);
    this.#returns = new ReturnDesk(state);
    this.#pings = new PingQueue(state);
    this.#recovery = new RecoveryDesk(state, (id) => this.#returning.has(id));
  }

  onMessage(from: string, message: FromAgent, now: number, connection = 0): void {
    const isNewConnection = this.#connections.get(from) !== connection;
    if (this.#isLate(from, message, connection)) return;
    switch (message.name) {
      case 'RegisterSlaveMessage':
        this.#onRegister(from, message.body, now);
        break;
      case 'ReregisterSlaveMessage':
        this.#onReregister(from, message.body, now, isNewConnection);
        break;
      case 'UnregisterSlaveMessage':
        this.#onUnregister(message.body.agent_id.value, now);
        break;
      case 'PongSlaveMessage':
        this.#onPong(from);
        break;
      case 'StatusUpdateMessage':
        this.#reports.onStatusUpdate(from, message.body);
        break;
      case 'ExitedExecutorMessage':
        this.#forgetReturning(message.body);
        this.#reports.onExecutorExited(message.body);
        break;
      case 'ExecutorToFrameworkMessage':
        this.#reports.onExecutorMessage(message.body);
        break;
      case 'UpdateSlaveMessage':
        this.#updates.onUpdate(message.body);
        break;
      case 'UpdateOperationStatusMessage':
        this.#operations.onUpdate(message.body, now);
        break;
    }
  }

  onExited(pid: string, now: number): void {
    const agent = this.#byPid(pid);
    if (agent === undefined || !agent.isConnected) return;
    agent.isConnected = false;
    this.#state.watcher.onAgent(agent, 'changed');
    this.#state.allocator.setAgentActive(agent.id, false);
    this.rescindOffers(agent);
    // It has as long to come back as pings would have given it.
    this.#pings.schedule(agent, now);
  }

  onTick(now: number): void {
    const { agentPingTimeoutsMax } = this.#state.options;
    for (const agent of this.#pings.due(now)) {
      this.#pings.schedule(agent, now);
      if (agent.pingsMissed >= agentPingTimeoutsMax) {
        this.#scheduleUnreachable(agent, now);
        continue;
      }
      agent.pingsMissed += 1;
      const body = { connected: agent.isConnected };
      this.#state.emit({
        kind: 'send',
        to: agent.pid,
        message: { name: 'PingSlaveMessage', body },
      });
    }
    this.#removeOverdue(now);
    this.#recovery.onTick(now);
  }

  nextDeadline(): number {
    const at = Math.min(this.#recovery.nextDeadline(), this.#pings.nextAt());
    return this.#overdue.size > 0 ? Math.min(at, this.#removableAt) : at;
  }

  /**
   * What an agent sent on an earlier connection than that of its last registration is of a life that
   * is over, or in what it has told since: applied after it, old news would pass for new.
   */
  #isLate(pid: string, { name }: FromAgent, connection: number): boolean {
    const last = this.#connections.get(pid);
    if (last !== undefined && connection < last) {
      this.#state.count('dropped_messages');
      return true;
    }
    if (name !== 'RegisterSlaveMessage' && name !== 'ReregisterSlaveMessage') return false;
    if (last === connection) return false;
    this.#connections.delete(pid);
    this.#connections.set(pid, connection);
    const [oldest] = this.#connections.keys();
    if (this.#connections.size > CONNECTIONS_MAX && oldest !== undefined) {
      this.#connections.delete(oldest);
    }
    return false;
  }

  #byPid(pid: string): AgentRecord | undefined {
    return this.#state.agentsByPid.get(pid);
  }

  /**
   * Agents of machines that are down or that are gone have no business here; one whose domain does not
   * fit is not answered, so that it may go on with its tasks until it is configured otherwise.
   */
  #refuses(pid: string, message: Register | Reregister): boolean {
    const info = message.slave;
    if (registrationProblem(message) !== undefined || this.#state.isOutOfDomain(info)) return true;
    const isGone = this.#state.gone.has(info.id?.value ?? '');
    if (!isGone && !this.watcher.isDown(info.hostname, pid)) return false;
    const body = { message: isGone ? 'Agent has been marked gone' : 'Machine is `DOWN`' };
    this.#state.emit({ kind: 'send', to: pid, message: { name: 'ShutdownMessage', body } });
    return true;
  }

  #onRegister(pid: string, message: Register, now: number): void {
    this.#state.count('messages_register_slave');
    if (!this.#state.mayJoin(pid, message.slave)) return;
    if (this.#refuses(pid, message)) return;
    const existing = this.#byPid(pid);
    if (existing !== undefined && existing.isConnected) {
      this.#sendRegistered(existing);
      return;
    }
    // The same address under a new life: what was there before is over.
    if (existing !== undefined) {
      this.#state.count('slave_removals/reason_registered');
      this.remove(existing, 'a new agent registered at the same address', now);
    }
    if (this.#registering.has(pid)) return;
    this.#registering.add(pid);
    const { masterId } = this.#state.options;
    const id = { value: `${masterId}-S${this.#state.nextAgent++}` };
    const info = { ...this.#state.parts.info(message.slave), id };
    this.#state.persist({ kind: 'admit-agent', info }, (later) => {
      this.#registering.delete(pid);
      this.#state.count('slave_registrations');
      const agent = this.#admit(info, pid, message, later);
      this.#state.emit(agentAdded(this.#state, agent));
      this.#sendRegistered(agent);
    });
  }

  #onReregister(pid: string, message: Reregister, now: number, isNewConnection: boolean): void {
    this.#state.count('messages_reregister_slave');
    if (!this.#state.mayJoin(pid, message.slave)) return;
    if (this.#refuses(pid, message)) return;
    const id = message.slave.id?.value ?? '';
    // It asks again; then it comes back as one that was unreachable.
    if (this.#marking.has(id)) return;
    const agent = this.#state.agents.get(id);
    if (agent !== undefined) {
      this.#replace(pid, id, now);
      if (agent.pid !== pid) {
        this.#state.agentsByPid.delete(agent.pid);
        this.#state.emit({ kind: 'unlink', to: agent.pid });
      }
      agent.pid = pid;
      this.#state.agentsByPid.set(pid, agent);
      agent.info = this.#state.parts.info(message.slave);
      this.#welcomeBack(agent, message, now, isNewConnection);
      return;
    }
    const isPending = this.#returning.has(id);
    this.#returning.set(id, { pid, message });
    if (isPending) return;
    this.#state.persist({ kind: 'mark-reachable', info: message.slave }, (later) => {
      const returning = this.#returning.get(id);
      this.#returning.delete(id);
      if (returning !== undefined) this.#readmit(returning.pid, returning.message, later);
    });
  }

  #admit(info: AgentInfo, pid: string, message: Register | Reregister, now: number): AgentRecord {
    const id = info.id?.value ?? '';
    const { parts } = this.#state;
    const agent: AgentRecord = {
      info,
      id,
      pid,
      version: message.version ?? '',
      capabilities: parts.one(message.agent_capabilities ?? []),
      total: totalOf(parts, info, message),
      registeredAt: now,
      reregisteredAt: undefined,
      isReportDue: true,
      isConnected: true,
      pingsMissed: 0,
      nextPingAt: Infinity,
      drainStartedAt: undefined,
      executors: emptyMap(),
      tasks: emptySet(),
      offers: [],
      told: undefined,
      used: undefined,
      offered: undefined,
      pendingKills: emptySet(),
      operations: emptyMap(),
      checkpointed: Resources.none,
      resourceVersion: message.resource_version_uuid?.value,
      providers: new Map(),
    };
    toldAgent(agent);
    this.#state.agents.set(id, agent);
    this.#state.holdings.setTotal(agent, agent.total);
    this.#state.agentsByPid.set(pid, agent);
    this.#state.noLongerRecovered(id);
    this.#state.unreachable.delete(id);
    this.#state.watcher.onAgent(agent, 'came');
    this.#state.allocator.addAgent(id, agent.total, factsOf(agent));
    this.#state.emit({ kind: 'link', to: pid });
    this.#pings.schedule(agent, now);
    return agent;
  }

  #sendRegistered(agent: AgentRecord): void {
    const body = { agent_id: { value: agent.id }, connection: pingBudget(this.#state.options) };
    this.#state.emit({
      kind: 'send',
      to: agent.pid,
      message: { name: 'SlaveRegisteredMessage', body },
    });
  }

  /** Whoever was known at the address of agent `id` was an earlier life of it, or never came to be. */
  #replace(pid: string, id: string, now: number): void {
    const existing = this.#byPid(pid);
    if (existing === undefined || existing.id === id) return;
    this.#state.count('slave_removals/reason_registered');
    this.remove(existing, 'another agent registered again at the same address', now);
  }

  /** An agent that this master has not seen yet: after a failover, or after being unreachable. */
  #readmit(pid: string, message: Reregister, now: number): void {
    this.#replace(pid, message.slave.id?.value ?? '', now);
    const wasUnreachable = this.#state.unreachable.has(message.slave.id?.value ?? '');
    const agent = this.#admit(this.#state.parts.info(message.slave), pid, message, now);
    agent.reregisteredAt = now;
    this.#state.watcher.onAgent(agent, 'changed');
    this.#forgetUnreachable(agent.id);
    for (const info of message.frameworks ?? []) this.#frameworkOf(info, now);
    this.#addExecutors(agent, message);
    for (const task of message.tasks ?? []) {
      const framework = this.#addTask(agent, task);
      if (wasUnreachable && framework !== undefined) this.#tellReturned(framework, task, now);
    }
    this.#returns.finish(agent, message, now);
    this.#state.count('slave_reregistrations');
    this.#state.emit(agentAdded(this.#state, agent));
    this.watcher.onReturn(agent);
  }

  /** The agent itself says what became of them; what it does not name is gone. */
  #forgetUnreachable(agentId: string): void {
    for (const framework of this.#state.frameworks.values()) {
      for (const [id, task] of framework.unreachableTasks) {
        if (task.agent_id.value !== agentId) continue;
        this.#state.holdings.removeUnreachable(framework, id);
      }
    }
  }

  #tellReturned(framework: FrameworkRecord, task: Task, now: number): void {
    const status = masterStatus({
      taskId: task.task_id.value,
      agentId: task.agent_id.value,
      state: task.state,
      reason: 'REASON_AGENT_REREGISTERED',
      message: 'Unreachable agent re-reregistered',
      now,
      executorId: task.executor_id?.value,
    });
    this.#state.tellStatus(framework, status);
  }

  #addExecutors(agent: AgentRecord, message: Reregister): void {
    for (const info of message.executor_infos ?? []) {
      const frameworkId = info.framework_id?.value ?? '';
      if (this.#state.frameworks.has(frameworkId)) this.#addExecutor(agent, frameworkId, info);
    }
  }

  #addExecutor(agent: AgentRecord, frameworkId: string, info: ExecutorRecord['info']): void {
    if (!this.#state.holdings.addExecutor(agent, frameworkId, info)) return;
    const resources = Resources.of(info.resources);
    this.#state.allocator.trackAllocated(frameworkId, agent.id, resources);
  }

  #addTask(agent: AgentRecord, task: Task): FrameworkRecord | undefined {
    const framework = this.#state.frameworks.get(task.framework_id.value);
    if (framework === undefined || framework.tasks.has(task.task_id.value)) return undefined;
    if (task.resources !== undefined) task.resources = this.#state.parts.needs(task.resources);
    const resources = Resources.of(task.resources);
    const isReleased = isTerminal(task.state);
    this.#state.holdings.removeUnreachable(framework, task.task_id.value);
    this.#state.holdings.addTask(framework, { task: shownTask(task), resources, isReleased });
    if (!isReleased) this.#state.allocator.trackAllocated(framework.id, agent.id, resources);
    return framework;
  }

  /** An agent that this master still knows: its link broke, or it restarted. */
  #welcomeBack(agent: AgentRecord, message: Reregister, now: number, isNew: boolean): void {
    const isSame = isSameVersion(agent.resourceVersion, message.resource_version_uuid?.value);
    const isRepetition = isSame && !isNew && agent.isConnected;
    const { parts } = this.#state;
    agent.isConnected = true;
    agent.isReportDue ||= !isRepetition;
    agent.pingsMissed = 0;
    agent.reregisteredAt = now;
    agent.version = message.version ?? agent.version;
    agent.capabilities = parts.one(message.agent_capabilities ?? agent.capabilities);
    this.#state.emit({ kind: 'link', to: agent.pid });
    agent.resourceVersion = message.resource_version_uuid?.value ?? agent.resourceVersion;
    // What is not of its configuration it tells of soon after.
    const others = agent.total.filter(
      ({ revocable, provider_id }) => revocable !== undefined || provider_id !== undefined,
    );
    const total = parts.bag(totalOf(parts, agent.info, message).add(others));
    // A report that was on its way before knows nothing of operations sent since; they do arrive.
    if (!isRepetition && !total.equals(agent.total)) {
      // Operations were lost on their way: what was offered since may not be there.
      this.rescindOffers(agent);
      this.#setTotal(agent, total);
    }
    this.#returns.dropMissingExecutors(agent, message);
    this.#addExecutors(agent, message);
    this.#state.allocator.setAgentFacts(agent.id, factsOf(agent));
    this.#state.allocator.setAgentActive(agent.id, this.#state.isActive(agent));
    this.#returns.finish(agent, message, now);
    this.#state.watcher.onAgent(agent, 'changed');
    this.watcher.onReturn(agent);
  }

  #setTotal(agent: AgentRecord, total: Resources): void {
    this.#state.holdings.setTotal(agent, total);
    this.#state.allocator.updateAgent(agent.id, total);
  }

  #onPong(from: string): void {
    const agent = this.#byPid(from);
    if (agent === undefined) return;
    agent.pingsMissed = 0;
    if (this.#overdue.delete(agent.id)) this.#state.count('slave_unreachable_canceled');
  }

  #onUnregister(agentId: string, now: number): void {
    const agent = this.#state.agents.get(agentId);
    if (agent === undefined) return;
    this.#state.count('messages_unregister_slave');
    this.#state.count('slave_removals/reason_unregistered');
    this.remove(agent, 'the agent unregistered', now);
  }

  /** What an agent that comes back has told of itself is true no more. */
  #forgetReturning(body: Messages['ExitedExecutorMessage']): void {
    const agentId = body.agent_id.value;
    const returning = this.#returning.get(agentId);
    if (returning === undefined) return;
    const { message } = returning;
    const executor_infos = (message.executor_infos ?? []).filter(
      (one) =>
        one.framework_id?.value !== body.framework_id.value ||
        one.executor_id.value !== body.executor_id.value,
    );
    this.#returning.set(agentId, { ...returning, message: { ...message, executor_infos } });
  }

  rescindOffers(agent: AgentRecord): void {
    for (const offer of agent.offers.slice()) {
      this.#state.dropOffer(offer, { rescind: true });
      this.#state.allocator.recover(offer.frameworkId, agent.id, offer.resources);
    }
  }

  #scheduleUnreachable(agent: AgentRecord, now: number): void {
    if (this.#overdue.has(agent.id) || this.#marking.has(agent.id)) return;
    this.#state.count('slave_unreachable_scheduled');
    this.#overdue.set(agent.id, now);
    this.#removeOverdue(now);
  }

  /** As fast as is allowed; an answer before its turn comes saves an agent. */
  #removeOverdue(now: number): void {
    const rate = this.#state.options.agentRemovalRate;
    for (const id of this.#overdue.keys()) {
      if (rate !== undefined && this.#removableAt > now) {
        this.#state.emit({ kind: 'wake-at', at: this.#removableAt });
        return;
      }
      if (rate !== undefined) {
        this.#removableAt = Math.max(this.#removableAt, now) + rate.perMs / rate.count;
      }
      this.#overdue.delete(id);
      const agent = this.#state.agents.get(id);
      if (agent === undefined) continue;
      this.#marking.add(id);
      // Nobody is told before it is durable: the next master must not know otherwise.
      this.#state.persist({ kind: 'mark-unreachable', agentId: id, at: now }, () => {
        this.#marking.delete(id);
        if (this.#state.agents.get(id) === agent) this.#loseSight(agent, now);
      });
    }
  }

  #lose(
    framework: FrameworkRecord,
    task: Task,
    why: { reason: TaskStatus_Reason; message: string; now: number; state?: TaskState },
  ): void {
    const { state = 'TASK_LOST', reason, message, now } = why;
    const status = masterStatus({
      taskId: task.task_id.value,
      agentId: task.agent_id.value,
      state,
      reason,
      message,
      now,
      executorId: task.executor_id?.value,
    });
    this.#state.updateTaskState(framework, task, status);
    this.#state.complete(framework, task);
    this.#state.tellStatus(framework, status);
  }

  /** An agent that an operator marked gone, wherever it was. */
  leave(agentId: string, now: number): void {
    const agent = this.#state.agents.get(agentId);
    this.#state.noLongerRecovered(agentId);
    this.#state.unreachable.delete(agentId);
    if (agent === undefined) {
      this.#forgetUnreachable(agentId);
      return;
    }
    const message = 'Agent has been marked gone';
    this.#state.emit({
      kind: 'send',
      to: agent.pid,
      message: { name: 'ShutdownMessage', body: { message } },
    });
    this.#takeAway(agent, now, (framework, task) => {
      const isAware = hasCapability(framework.info, 'PARTITION_AWARE');
      this.#lose(framework, task, {
        state: isAware ? 'TASK_GONE_BY_OPERATOR' : 'TASK_LOST',
        reason: isAware ? 'REASON_AGENT_REMOVED_BY_OPERATOR' : 'REASON_AGENT_REMOVED',
        message,
        now,
      });
    });
    this.#operations.tellAll(agent, 'OPERATION_GONE_BY_OPERATOR', message);
  }

  /** registered -> unreachable: tasks may still run, so they are kept aside. */
  #loseSight(agent: AgentRecord, now: number): void {
    this.#state.count('slave_unreachable_completed');
    this.#state.count('slave_removals/reason_unhealthy');
    this.#state.count('slave_removals');
    this.#takeAway(agent, now, (framework, task) => {
      const status = {
        ...masterStatus({
          taskId: task.task_id.value,
          agentId: agent.id,
          state: stateFor(framework.info, 'TASK_UNREACHABLE'),
          reason: 'REASON_AGENT_REMOVED',
          message: 'health check timed out',
          now,
        }),
        unreachable_time: { nanoseconds: now * 1e6 },
      };
      this.#state.release(framework, task.task_id.value);
      this.#state.holdings.removeTask(framework, task.task_id.value);
      this.#state.updateTaskState(framework, task, status);
      this.#state.holdings.addUnreachable(framework, task);
      this.#state.tellStatus(framework, status);
    });
    this.#operations.tellAll(agent, 'OPERATION_UNREACHABLE', 'Agent was marked unreachable');
    this.#state.unreachable.set(agent.id, now);
  }

  /** registered -> removed: its tasks are lost. */
  remove(agent: AgentRecord, why: string, now: number): void {
    this.#state.count('slave_removals');
    const message = `Agent ${agent.info.hostname} removed: ${why}`;
    this.#takeAway(agent, now, (framework, task) => {
      this.#lose(framework, task, { reason: 'REASON_AGENT_REMOVED', message, now });
    });
    this.#operations.forgetAll(agent);
    this.#state.persist({ kind: 'remove-agent', agentId: agent.id });
    const removed = { agent_id: { value: agent.id } };
    this.#state.emit({
      kind: 'operator-event',
      event: { type: 'AGENT_REMOVED', agent_removed: removed },
    });
  }

  #takeAway(
    agent: AgentRecord,
    _now: number,
    each: (framework: FrameworkRecord, task: Task) => void,
  ): void {
    this.watcher.onLeave(agent);
    this.#overdue.delete(agent.id);
    this.rescindOffers(agent);
    const tasks = tasksByFramework(agent);
    for (const framework of this.#state.frameworks.values()) {
      for (const { task } of tasks.get(framework.id) ?? []) {
        if (isTerminal(task.state)) this.#state.complete(framework, task);
        else each(framework, task);
      }
      for (const id of agent.executors.get(framework.id)?.keys() ?? []) {
        const executor = this.#state.holdings.removeExecutor(agent, framework.id, id);
        if (executor === undefined) continue;
        this.#state.allocator.recover(framework.id, agent.id, executor.resources);
      }
      this.#state.tell(framework, { type: 'FAILURE', failure: { agent_id: { value: agent.id } } });
    }
    for (const record of agent.operations.values()) this.#state.pending.drop(agent, record);
    this.#state.allocator.removeAgent(agent.id);
    this.#state.agents.delete(agent.id);
    this.#state.watcher.onAgent(agent, 'left');
    if (this.#state.agentsByPid.get(agent.pid) === agent) this.#state.agentsByPid.delete(agent.pid);
    this.#state.emit({ kind: 'unlink', to: agent.pid });
  }
}
