// The agents' side of the master core: registration, liveness, status updates, executors that
// ended.
import { Resources } from '#mesos/resources/resources.ts';
import type { AgentInfo, FrameworkInfo, Messages, Task } from '#wire/mesos/v1.ts';
import { agentToWire, totalOf } from './agent-wire.ts';
import type { OperationDesk } from './operations.ts';
import type { MasterState } from './state.ts';
import { isTerminal, masterStatus } from './statuses.ts';
import type {
  AgentRecord,
  ExecutorRecord,
  FrameworkRecord,
  FromAgent,
  RegistryChange,
} from './types.ts';

type Register = Messages['RegisterSlaveMessage'];
type Reregister = Messages['ReregisterSlaveMessage'];

type Pending =
  | {
      readonly kind: 'register';
      readonly pid: string;
      readonly info: AgentInfo;
      readonly message: Register;
    }
  | { readonly kind: 'reregister'; readonly agentId: string }
  | { readonly kind: 'nothing' };

export class AgentDesk {
  readonly #state: MasterState;
  readonly #operations: OperationDesk;
  readonly #frameworkOf: (info: FrameworkInfo, now: number) => FrameworkRecord | undefined;
  readonly #pending = new Map<number, Pending>();
  /** Agents whose registration is on its way into the registry. */
  readonly #registering = new Set<string>();
  /** By agent id: those that come back, with what they said last. */
  readonly #returning = new Map<string, { pid: string; message: Reregister }>();
  #nextToken = 1;

  constructor(
    state: MasterState,
    operations: OperationDesk,
    frameworkOf: (info: FrameworkInfo, now: number) => FrameworkRecord | undefined,
  ) {
    this.#state = state;
    this.#operations = operations;
    this.#frameworkOf = frameworkOf;
  }

  onMessage(from: string, message: FromAgent, now: number): void {
    switch (message.name) {
      case 'RegisterSlaveMessage':
        this.#onRegister(from, message.body, now);
        break;
      case 'ReregisterSlaveMessage':
        this.#onReregister(from, message.body, now);
        break;
      case 'UnregisterSlaveMessage':
        this.#onUnregister(message.body.agent_id.value, now);
        break;
      case 'PongSlaveMessage':
        this.#onPong(from);
        break;
      case 'StatusUpdateMessage':
        this.#onStatusUpdate(from, message.body);
        break;
      case 'ExitedExecutorMessage':
        this.#onExecutorExited(message.body);
        break;
      case 'ExecutorToFrameworkMessage':
        this.#onExecutorMessage(message.body);
        break;
      case 'UpdateSlaveMessage':
        this.#onUpdateSlave(message.body);
        break;
      case 'UpdateOperationStatusMessage':
        this.#operations.onUpdate(message.body);
        break;
    }
  }

  onExited(pid: string, now: number): void {
    const agent = this.#byPid(pid);
    if (agent === undefined || !agent.isConnected) return;
    agent.isConnected = false;
    this.#state.allocator.setAgentActive(agent.id, false);
    this.#rescindOffers(agent);
    // It has as long to come back as pings would have given it.
    agent.nextPingAt = now + this.#state.options.agentPingTimeoutMs;
    this.#state.emit({ kind: 'wake-at', at: agent.nextPingAt });
  }

  onTick(now: number): void {
    const { agentPingTimeoutMs, agentPingTimeoutsMax, agentReregisterTimeoutMs } =
      this.#state.options;
    for (const agent of this.#state.agents.values()) {
      if (agent.nextPingAt > now) continue;
      agent.nextPingAt = now + agentPingTimeoutMs;
      if (agent.pingsMissed >= agentPingTimeoutsMax) {
        this.#markUnreachable(agent, now);
        continue;
      }
      agent.pingsMissed += 1;
      const body = { connected: agent.isConnected };
      this.#state.emit({
        kind: 'send',
        to: agent.pid,
        message: { name: 'PingSlaveMessage', body },
      });
      this.#state.emit({ kind: 'wake-at', at: agent.nextPingAt });
    }
    if (this.#state.recovered.size > 0 && now - this.#state.startedAt >= agentReregisterTimeoutMs) {
      for (const id of this.#state.recovered.keys()) {
        this.#state.unreachable.set(id, now);
        this.#persist({ kind: 'mark-unreachable', agentId: id, at: now }, { kind: 'nothing' });
      }
      this.#state.recovered.clear();
    }
  }

  nextDeadline(): number {
    const { agents, recovered, startedAt, options } = this.#state;
    let at = recovered.size > 0 ? startedAt + options.agentReregisterTimeoutMs : Infinity;
    for (const { nextPingAt } of agents.values()) at = Math.min(at, nextPingAt);
    return at;
  }

  confirm(token: number, now: number): void {
    const pending = this.#pending.get(token);
    this.#pending.delete(token);
    if (pending?.kind === 'register') {
      this.#registering.delete(pending.pid);
      const agent = this.#admit(pending.info, pending.pid, pending.message, now);
      this.#sendRegistered(agent);
    } else if (pending?.kind === 'reregister') {
      const returning = this.#returning.get(pending.agentId);
      this.#returning.delete(pending.agentId);
      if (returning !== undefined) this.#readmit(returning.pid, returning.message, now);
    }
  }

  #byPid(pid: string): AgentRecord | undefined {
    return this.#state.agentsByPid.get(pid);
  }

  #persist(change: RegistryChange, pending: Pending): void {
    const token = this.#nextToken++;
    this.#pending.set(token, pending);
    this.#state.emit({ kind: 'persist', change, token });
  }

  #onRegister(pid: string, message: Register, now: number): void {
    const existing = this.#byPid(pid);
    if (existing !== undefined && existing.isConnected) {
      this.#sendRegistered(existing);
      return;
    }
    // The same address under a new life: what was there before is over.
    if (existing !== undefined) this.#remove(existing, 'the agent registered anew', now);
    if (this.#registering.has(pid)) return;
    this.#registering.add(pid);
    const { masterId } = this.#state.options;
    const id = { value: `${masterId}-S${this.#state.nextAgent++}` };
    const info = { ...message.slave, id };
    this.#persist({ kind: 'admit-agent', info }, { kind: 'register', pid, info, message });
  }

  #onReregister(pid: string, message: Reregister, now: number): void {
    const id = message.slave.id?.value ?? '';
    const agent = this.#state.agents.get(id);
    if (agent !== undefined) {
      if (agent.pid !== pid) {
        this.#state.agentsByPid.delete(agent.pid);
        this.#state.emit({ kind: 'unlink', to: agent.pid });
      }
      agent.pid = pid;
      this.#state.agentsByPid.set(pid, agent);
      agent.info = message.slave;
      this.#welcomeBack(agent, message, now);
      return;
    }
    const isPending = this.#returning.has(id);
    this.#returning.set(id, { pid, message });
    if (isPending) return;
    this.#persist(
      { kind: 'mark-reachable', info: message.slave },
      { kind: 'reregister', agentId: id },
    );
  }

  #admit(info: AgentInfo, pid: string, message: Register | Reregister, now: number): AgentRecord {
    const id = info.id?.value ?? '';
    const agent: AgentRecord = {
      info,
      id,
      pid,
      version: message.version ?? '',
      capabilities: message.agent_capabilities ?? [],
      total: totalOf(info, message),
      registeredAt: now,
      reregisteredAt: undefined,
      isConnected: true,
      pingsMissed: 0,
      nextPingAt: now + this.#state.options.agentPingTimeoutMs,
      executors: new Map(),
      offers: new Set(),
      pendingKills: new Set(),
      operations: new Map(),
      checkpointed: Resources.none,
      resourceVersion: message.resource_version_uuid?.value,
    };
    this.#operations.setTotal(agent, agent.total);
    this.#state.agents.set(id, agent);
    this.#state.agentsByPid.set(pid, agent);
    this.#state.recovered.delete(id);
    this.#state.unreachable.delete(id);
    this.#state.allocator.addAgent(id, agent.total);
    this.#state.emit({ kind: 'link', to: pid });
    this.#state.emit({ kind: 'wake-at', at: agent.nextPingAt });
    this.#state.emit({
      kind: 'operator-event',
      event: { type: 'AGENT_ADDED', agent_added: { agent: agentToWire(agent) } },
    });
    return agent;
  }

  #connection() {
    const { agentPingTimeoutMs, agentPingTimeoutsMax } = this.#state.options;
    return { total_ping_timeout_seconds: (agentPingTimeoutMs * agentPingTimeoutsMax) / 1_000 };
  }

  #sendRegistered(agent: AgentRecord): void {
    const body = { agent_id: { value: agent.id }, connection: this.#connection() };
    this.#state.emit({
      kind: 'send',
      to: agent.pid,
      message: { name: 'SlaveRegisteredMessage', body },
    });
  }

  /** An agent that this master has not seen yet: after a failover, or after being unreachable. */
  #readmit(pid: string, message: Reregister, now: number): void {
    const wasUnreachable = this.#state.unreachable.has(message.slave.id?.value ?? '');
    const agent = this.#admit(message.slave, pid, message, now);
    agent.reregisteredAt = now;
    this.#forgetUnreachable(agent);
    for (const info of message.frameworks ?? []) this.#frameworkOf(info, now);
    for (const info of message.executor_infos ?? []) {
      const frameworkId = info.framework_id?.value ?? '';
      if (this.#state.frameworks.has(frameworkId)) this.#addExecutor(agent, frameworkId, info);
    }
    for (const task of message.tasks ?? []) {
      const framework = this.#addTask(agent, task);
      if (wasUnreachable && framework !== undefined) this.#tellReturned(framework, task, now);
    }
    this.#finishReregistration(agent, message);
  }

  /** The agent itself says what became of them; what it does not name is gone. */
  #forgetUnreachable(agent: AgentRecord): void {
    for (const { unreachableTasks } of this.#state.frameworks.values()) {
      for (const [id, task] of unreachableTasks) {
        if (task.agent_id.value === agent.id) unreachableTasks.delete(id);
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

  #addExecutor(agent: AgentRecord, frameworkId: string, info: ExecutorRecord['info']): void {
    const executors = agent.executors.get(frameworkId) ?? new Map<string, ExecutorRecord>();
    agent.executors.set(frameworkId, executors);
    if (executors.has(info.executor_id.value)) return;
    const resources = Resources.of(info.resources);
    executors.set(info.executor_id.value, { info, frameworkId, resources });
    this.#state.allocator.trackAllocated(frameworkId, agent.id, resources);
  }

  #addTask(agent: AgentRecord, task: Task): FrameworkRecord | undefined {
    const framework = this.#state.frameworks.get(task.framework_id.value);
    if (framework === undefined || framework.tasks.has(task.task_id.value)) return undefined;
    const resources = Resources.of(task.resources);
    const isReleased = isTerminal(task.state);
    framework.unreachableTasks.delete(task.task_id.value);
    framework.tasks.set(task.task_id.value, { task, resources, isReleased });
    if (!isReleased) this.#state.allocator.trackAllocated(framework.id, agent.id, resources);
    return framework;
  }

  /** An agent that this master still knows: its link broke, or it restarted. */
  #welcomeBack(agent: AgentRecord, message: Reregister, now: number): void {
    agent.isConnected = true;
    agent.pingsMissed = 0;
    agent.reregisteredAt = now;
    agent.version = message.version ?? agent.version;
    agent.capabilities = message.agent_capabilities ?? agent.capabilities;
    this.#state.emit({ kind: 'link', to: agent.pid });
    agent.resourceVersion = message.resource_version_uuid?.value ?? agent.resourceVersion;
    const revocable = agent.total.filter((kind) => kind.revocable !== undefined);
    const total = totalOf(message.slave, message).add(revocable);
    if (!total.equals(agent.total)) this.#setTotal(agent, total);
    this.#dropMissingExecutors(agent, message);
    this.#state.allocator.setAgentActive(agent.id, true);
    this.#finishReregistration(agent, message);
  }

  #dropMissingExecutors(agent: AgentRecord, message: Reregister): void {
    const alive = new Set(
      (message.executor_infos ?? []).map(
        (one) => `${one.framework_id?.value}/${one.executor_id.value}`,
      ),
    );
    for (const [frameworkId, executors] of agent.executors) {
      for (const [id, { resources }] of executors) {
        if (alive.has(`${frameworkId}/${id}`)) continue;
        executors.delete(id);
        this.#state.allocator.recover(frameworkId, agent.id, resources);
      }
    }
  }

  /** Tasks that only the master knows are asked of the agent, which answers DROPPED or LOST. */
  #finishReregistration(agent: AgentRecord, message: Reregister): void {
    const known = new Set(
      (message.tasks ?? []).map((task) => `${task.framework_id.value}/${task.task_id.value}`),
    );
    const reconciliations: Messages['ReconcileTasksMessage'][] = [];
    for (const framework of this.#state.frameworks.values()) {
      const missing = [...framework.tasks.values()]
        .map(({ task }) => task)
        .filter((task) => task.agent_id.value === agent.id)
        .filter((task) => !known.has(`${framework.id}/${task.task_id.value}`));
      // Its end has been told, and nobody is left to be acknowledged.
      for (const task of missing) if (isTerminal(task.state)) this.#state.complete(framework, task);
      const statuses = missing
        .filter((task) => !isTerminal(task.state))
        .map((task) => ({
          task_id: task.task_id,
          state: task.state,
          agent_id: { value: agent.id },
        }));
      if (statuses.length === 0) continue;
      const framework_id = { value: framework.id };
      reconciliations.push({ framework_id, framework: framework.info, statuses });
    }
    const body = { agent_id: { value: agent.id }, reconciliations, connection: this.#connection() };
    const { pid } = agent;
    this.#state.emit({
      kind: 'send',
      to: pid,
      message: { name: 'SlaveReregisteredMessage', body },
    });
    for (const info of message.frameworks ?? [])
      this.#confirmFramework(agent, info.id?.value ?? '');
    for (const kill of agent.pendingKills) {
      const [frameworkId = '', taskId = ''] = kill.split('\n');
      const kills = { framework_id: { value: frameworkId }, task_id: { value: taskId } };
      this.#state.emit({
        kind: 'send',
        to: pid,
        message: { name: 'KillTaskMessage', body: kills },
      });
    }
    agent.pendingKills.clear();
  }

  #confirmFramework(agent: AgentRecord, frameworkId: string): void {
    const framework_id = { value: frameworkId };
    const framework = this.#state.frameworks.get(frameworkId);
    if (framework === undefined) {
      const message = { name: 'ShutdownFrameworkMessage' as const, body: { framework_id } };
      this.#state.emit({ kind: 'send', to: agent.pid, message });
    } else if (!framework.isRecovered) {
      const body = { framework_id, pid: '', framework_info: framework.info };
      this.#state.emit({
        kind: 'send',
        to: agent.pid,
        message: { name: 'UpdateFrameworkMessage', body },
      });
    }
  }

  /** Oversubscribed resources and its operations; resource providers are not offered yet. */
  #onUpdateSlave(body: Messages['UpdateSlaveMessage']): void {
    const agent = this.#state.agents.get(body.agent_id.value);
    if (agent === undefined) return;
    this.#operations.onUpdateSlave(agent, body);
    if (body.update_oversubscribed_resources === false) return;
    const revocable = Resources.of(body.oversubscribed_resources);
    const total = agent.total.filter((kind) => kind.revocable === undefined).add(revocable);
    if (total.equals(agent.total)) return;
    for (const id of agent.offers) {
      const offer = this.#state.offers.get(id);
      if (offer?.resources.some((kind) => kind.revocable !== undefined) !== true) continue;
      this.#state.dropOffer(offer, { rescind: true });
      this.#state.allocator.recover(offer.frameworkId, agent.id, offer.resources);
    }
    this.#setTotal(agent, total);
  }

  #setTotal(agent: AgentRecord, total: Resources): void {
    this.#operations.setTotal(agent, total);
    this.#state.allocator.updateAgent(agent.id, total);
  }

  #onPong(from: string): void {
    const agent = this.#byPid(from);
    if (agent !== undefined) agent.pingsMissed = 0;
  }

  #onUnregister(agentId: string, now: number): void {
    const agent = this.#state.agents.get(agentId);
    if (agent === undefined) return;
    this.#remove(agent, 'the agent unregistered', now);
  }

  #onStatusUpdate(from: string, { update }: Messages['StatusUpdateMessage']): void {
    const { state } = this.#forward(from, update);
    if (state === 'dropped') this.#state.count('invalid_status_updates');
    else this.#state.count('valid_status_updates');
  }

  #forward(from: string, update: Messages['StatusUpdate']): { state: 'forwarded' | 'dropped' } {
    const agent = this.#byPid(from);
    const framework = this.#state.frameworks.get(update.framework_id.value);
    if (agent === undefined || framework === undefined) return { state: 'dropped' };
    const status = {
      ...update.status,
      timestamp: update.status.timestamp ?? update.timestamp,
      agent_id: update.agent_id ?? update.status.agent_id ?? { value: agent.id },
      ...(update.executor_id === undefined ? {} : { executor_id: update.executor_id }),
      ...(update.uuid === undefined || update.uuid.length === 0 ? {} : { uuid: update.uuid }),
    };
    const record = framework.tasks.get(status.task_id.value);
    if (record !== undefined) {
      const { task } = record;
      task.status_update_state = status.state;
      if (status.uuid !== undefined) task.status_update_uuid = status.uuid;
      const latest = update.latest_state ?? status.state;
      // Reconciling agents may repeat old news; a terminal state is never left.
      if (!isTerminal(task.state))
        this.#state.updateTaskState(framework, task, { ...status, state: latest });
      if (isTerminal(latest)) this.#state.release(framework, status.task_id.value);
      // Without a uuid nobody acknowledges: the end is the end.
      if (isTerminal(latest) && status.uuid === undefined) this.#state.complete(framework, task);
    }
    if (framework.connection === undefined) return { state: 'dropped' };
    this.#state.tellStatus(framework, status);
    return { state: 'forwarded' };
  }

  #onExecutorExited(body: Messages['ExitedExecutorMessage']): void {
    const agent = this.#state.agents.get(body.agent_id.value);
    const frameworkId = body.framework_id.value;
    this.#forgetReturning(body);
    const executors = agent?.executors.get(frameworkId);
    const record = executors?.get(body.executor_id.value);
    if (agent === undefined || record === undefined) return;
    executors?.delete(body.executor_id.value);
    this.#state.allocator.recover(frameworkId, agent.id, record.resources);
    const framework = this.#state.frameworks.get(frameworkId);
    if (framework === undefined) return;
    const { agent_id, executor_id, status } = body;
    this.#state.tell(framework, { type: 'FAILURE', failure: { agent_id, executor_id, status } });
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

  #onExecutorMessage(body: Messages['ExecutorToFrameworkMessage']): void {
    const framework = this.#state.frameworks.get(body.framework_id.value);
    if (framework === undefined) return;
    const { agent_id, executor_id, data } = body;
    this.#state.tell(framework, { type: 'MESSAGE', message: { agent_id, executor_id, data } });
  }

  #rescindOffers(agent: AgentRecord): void {
    for (const id of agent.offers) {
      const offer = this.#state.offers.get(id);
      if (offer === undefined) continue;
      this.#state.dropOffer(offer, { rescind: true });
      this.#state.allocator.recover(offer.frameworkId, agent.id, offer.resources);
    }
  }

  /** registered -> unreachable: tasks may still run, so they are kept aside. */
  #markUnreachable(agent: AgentRecord, now: number): void {
    this.#takeAway(agent, now, (framework, task) => {
      const status = masterStatus({
        taskId: task.task_id.value,
        agentId: agent.id,
        state: 'TASK_UNREACHABLE',
        reason: 'REASON_AGENT_REMOVED',
        message: `Agent ${agent.info.hostname} is unreachable`,
        now,
        executorId: task.executor_id?.value,
      });
      this.#state.release(framework, task.task_id.value);
      framework.tasks.delete(task.task_id.value);
      this.#state.updateTaskState(framework, task, status);
      framework.unreachableTasks.set(task.task_id.value, task);
      const unreachable_time = { nanoseconds: now * 1e6 };
      this.#state.tellStatus(framework, { ...status, unreachable_time });
    });
    this.#operations.tellAll(agent, 'OPERATION_UNREACHABLE', 'Agent was marked unreachable');
    this.#state.unreachable.set(agent.id, now);
    this.#persist({ kind: 'mark-unreachable', agentId: agent.id, at: now }, { kind: 'nothing' });
  }

  /** registered -> gone: its tasks are lost. */
  #remove(agent: AgentRecord, why: string, now: number): void {
    this.#takeAway(agent, now, (framework, task) => {
      const status = masterStatus({
        taskId: task.task_id.value,
        agentId: agent.id,
        state: 'TASK_LOST',
        reason: 'REASON_AGENT_REMOVED',
        message: `Agent ${agent.info.hostname} removed: ${why}`,
        now,
        executorId: task.executor_id?.value,
      });
      this.#state.updateTaskState(framework, task, status);
      this.#state.complete(framework, task);
      this.#state.tellStatus(framework, status);
    });
    this.#persist({ kind: 'remove-agent', agentId: agent.id }, { kind: 'nothing' });
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
    this.#rescindOffers(agent);
    for (const framework of this.#state.frameworks.values()) {
      for (const { task } of framework.tasks.values()) {
        if (task.agent_id.value !== agent.id) continue;
        if (isTerminal(task.state)) this.#state.complete(framework, task);
        else each(framework, task);
      }
      for (const { resources } of agent.executors.get(framework.id)?.values() ?? []) {
        this.#state.allocator.recover(framework.id, agent.id, resources);
      }
      this.#state.tell(framework, { type: 'FAILURE', failure: { agent_id: { value: agent.id } } });
    }
    this.#state.allocator.removeAgent(agent.id);
    this.#state.agents.delete(agent.id);
    if (this.#state.agentsByPid.get(agent.pid) === agent) this.#state.agentsByPid.delete(agent.pid);
    this.#state.emit({ kind: 'unlink', to: agent.pid });
  }
}
