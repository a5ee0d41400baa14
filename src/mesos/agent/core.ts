// The agent's decisions: registration with the master, and, through Workloads, what runs here.
// Pure: told the time and what happened, it answers with effects; shell.ts performs them in order.
import { unreachable } from '#base/assert.ts';
import type { Instant } from '#env/env.ts';
import type { AgentInfo, Messages, Resource } from '#wire/mesos/v1.ts';
import { AgentResources } from './agent-resources.ts';
import { Drain } from './drain.ts';
import { Providers } from './providers.ts';
import type {
  AboutResources,
  AgentChance,
  AgentEffect,
  AgentInput,
  AgentOptions,
  FromMaster,
  Reconciliation,
} from './types.ts';
import { Workloads } from './workloads.ts';

/** Without a ping for so long, the master is taken for lost; replaced by what the master tells. */
const PING_TIMEOUT_MS = 75_000;

export type MasterState =
  | { readonly kind: 'recovering' }
  | { readonly kind: 'disconnected' }
  | {
      readonly kind: 'registering';
      readonly address: string;
      readonly attempts: number;
      readonly tryAt: Instant;
    }
  | { readonly kind: 'registered'; readonly address: string; readonly pingedBefore: Instant };

export class AgentCore {
  readonly options: AgentOptions;
  readonly workloads: Workloads;
  readonly resources: AgentResources;
  readonly providers: Providers;
  readonly drain: Drain;
  readonly #chance: AgentChance;
  readonly #out: AgentEffect[] = [];
  #master: MasterState = { kind: 'recovering' };
  #agentId: string | undefined;
  #pingTimeoutMs = PING_TIMEOUT_MS;
  #resourceVersion: Uint8Array;
  #isLeaving = false;
  #masterConnection = 0;
  #registeredAt: Instant | undefined;
  /** Undefined while no estimator has spoken: then the master hears nothing of it. */
  #oversubscribed: readonly Resource[] | undefined;

  constructor(options: AgentOptions, chance: AgentChance) {
    this.options = options;
    this.#chance = chance;
    this.#resourceVersion = chance.uuidBytes();
    this.workloads = new Workloads(options, chance, this.#out);
    this.resources = new AgentResources(options, chance, this.#out);
    this.drain = new Drain(this.workloads, this.resources, this.#out);
    this.providers = new Providers(chance, this.#out, {
      isRegistered: () => this.#master.kind === 'registered',
      report: () => this.#tellResources({ update_oversubscribed_resources: false }),
    });
    this.workloads.hasResources = (wanted) =>
      this.resources.unknownOf(wanted) === undefined &&
      this.providers.unknownOf(wanted) === undefined;
    this.workloads.publish = (mine, others, now, done) => {
      this.providers.publish(mine, others, now, done);
    };
  }

  get master(): MasterState {
    return this.#master;
  }

  get agentId(): string | undefined {
    return this.#agentId;
  }

  get registeredAt(): Instant | undefined {
    return this.#registeredAt;
  }

  /** Revocable resources that the master knows of, or will. */
  get oversubscribed(): readonly Resource[] {
    return this.#oversubscribed ?? [];
  }

  /** The agent as it tells the master; with its id once it has one. */
  get info(): AgentInfo {
    const id = this.#agentId;
    return id === undefined ? this.options.info : { ...this.options.info, id: { value: id } };
  }

  handle(input: AgentInput, now: Instant): readonly AgentEffect[] {
    this.#dispatch(input, now);
    if (this.#master.kind === 'registered') this.#sendUpdates(now);
    this.drain.settle(now);
    if (this.#isLeaving) this.#leaveWhenEmpty();
    return this.#out.splice(0);
  }

  /** When `tick` is wanted next; infinite when nothing is waited for. */
  nextDeadline(): Instant {
    const master = this.#master;
    const own =
      master.kind === 'registering'
        ? master.tryAt
        : master.kind === 'registered'
          ? master.pingedBefore
          : Infinity;
    if (master.kind === 'registered') {
      return Math.min(own, this.workloads.nextAt(), this.resources.nextAt());
    }
    return Math.min(own, this.workloads.nextDeadline());
  }

  #dispatch(input: AgentInput, now: Instant): void {
    const work = this.workloads;
    switch (input.kind) {
      case 'recovered':
        this.#adoptId(input.state.info?.id?.value);
        if (input.state.resources !== undefined) {
          this.resources.recover(input.state.resources, input.state.info !== undefined);
        }
        this.providers.recover(input.state.providers ?? []);
        work.recover(input.state.frameworks, now);
        if (input.state.drain !== undefined) this.drain.recover(input.state.drain, now);
        this.#master = { kind: 'disconnected' };
        return;
      case 'master-found':
        this.#register(input.address, now);
        return;
      case 'master-lost':
        if (this.#master.kind !== 'recovering') this.#master = { kind: 'disconnected' };
        return;
      case 'master-message':
        this.#onMaster(input.message, input.connection, now);
        return;
      case 'executor-subscribed':
        work.subscribed(input, now);
        return;
      case 'provider-subscribed':
        this.providers.subscribe(input.connection, input.info, now);
        return;
      case 'provider-call':
        this.providers.call(input.id, input.call, now);
        return;
      case 'provider-disconnected':
        this.providers.disconnected(input.connection, now);
        return;
      case 'provider-gone':
        this.providers.markGone(input.id, now);
        return;
      case 'executor-disconnected':
        work.disconnected(input.connection);
        return;
      case 'executor-update':
        work.executorUpdate(input.key, input.status, now);
        return;
      case 'executor-message':
        this.#forwardData(input.key, input.data);
        return;
      case 'container-started':
        work.containerStarted(input);
        return;
      case 'container-ended':
        work.containerEnded(input.containerId, input.end, now);
        return;
      case 'oversubscribed':
        this.#estimated(input.resources);
        return;
      case 'container-limited':
        work.limit(input.containerId, input, now);
        return;
      case 'qos-correction':
        work.preempt(input.key, input.containerId, now);
        return;
      case 'tick':
        this.#onTick(now);
        return;
      case 'leave':
        this.#isLeaving = true;
        for (const id of work.frameworks.keys()) work.shutdownFramework(id, now);
        return;
      default:
        unreachable(input);
    }
  }

  #adoptId(id: string | undefined): void {
    this.#agentId = id;
    this.workloads.agentId = id ?? '';
    this.resources.agentId = id ?? '';
    this.providers.agentId = id ?? '';
  }

  // ---- registration

  /** any -> registering */
  #register(address: string, now: Instant): void {
    if (this.#isLeaving) return;
    this.#master = { kind: 'registering', address, attempts: 0, tryAt: now };
    this.#tryToRegister(now);
  }

  #tryToRegister(now: Instant): void {
    const master = this.#master;
    if (master.kind !== 'registering' || master.tryAt > now) return;
    const { registrationBackoffMs, registrationBackoffMsMax } = this.options;
    const ceiling = registrationBackoffMs * 2 ** Math.min(master.attempts, 20);
    const waitMs = Math.min(ceiling, registrationBackoffMsMax) * (0.5 + this.#chance.next() / 2);
    this.#master = { ...master, attempts: master.attempts + 1, tryAt: now + waitMs };
    const shared = {
      version: this.options.version,
      agent_capabilities: [...this.options.capabilities],
      checkpointed_resources: this.resources.toRegistration(),
    };
    if (this.#agentId === undefined) {
      // A master of Mesos answers nobody who has kept something and does not say that it keeps things.
      const body = {
        slave: { ...this.info, checkpoint: true },
        ...shared,
        resource_version_uuid: { value: this.#resourceVersion },
      };
      this.#out.push({ kind: 'send-master', name: 'RegisterSlaveMessage', body });
      return;
    }
    // Operations of a master that has not read this report would be undone by it when it does.
    this.#resourceVersion = this.#chance.uuidBytes();
    const { tasks, executors, frameworks } = this.workloads.inventory();
    const body = {
      slave: { ...this.info, checkpoint: true },
      tasks,
      executor_infos: executors,
      frameworks,
      ...shared,
      resource_version_uuid: { value: this.#resourceVersion },
    };
    this.#out.push({ kind: 'send-master', name: 'ReregisterSlaveMessage', body });
  }

  /**
   * What the master sent on an earlier connection than that of its last word on our registration is of
   * a master that is gone, or of one that has given it up: it asked us about what we did not have.
   */
  #onMaster(message: FromMaster, connection: number, now: Instant): void {
    if (connection < this.#masterConnection) return;
    switch (message.name) {
      case 'SlaveRegisteredMessage':
        this.#masterConnection = connection;
        this.#registered(message.body.agent_id.value, message.body.connection, now);
        return;
      case 'SlaveReregisteredMessage':
        this.#masterConnection = connection;
        this.#registered(message.body.agent_id.value, message.body.connection, now);
        for (const one of message.body.reconciliations ?? []) this.#reconcile(one, now);
        return;
      case 'PingSlaveMessage':
        this.#ping(message.from, message.body.connected, now);
        return;
      case 'ShutdownMessage':
        this.#shutdown(message.body.message ?? 'the master asked for it', now);
        return;
      default:
        if (this.#master.kind === 'registered') this.#onWork(message, now);
    }
  }

  #onWork(
    message: Exclude<
      FromMaster,
      {
        name:
          | 'SlaveRegisteredMessage'
          | 'SlaveReregisteredMessage'
          | 'PingSlaveMessage'
          | 'ShutdownMessage';
      }
    >,
    now: Instant,
  ): void {
    const work = this.workloads;
    switch (message.name) {
      case 'RunTaskMessage':
        work.runTask(message.body, now);
        return;
      case 'RunTaskGroupMessage':
        work.runTaskGroup(message.body, now);
        return;
      case 'KillTaskMessage': {
        const { framework_id, task_id, kill_policy } = message.body;
        work.killTask(framework_id.value, task_id.value, kill_policy, now);
        return;
      }
      case 'StatusUpdateAcknowledgementMessage': {
        const { framework_id, task_id, uuid } = message.body;
        work.acknowledged(framework_id.value, task_id.value, uuid, now);
        return;
      }
      case 'FrameworkToExecutorMessage': {
        const { framework_id, executor_id, data } = message.body;
        work.toExecutor({ frameworkId: framework_id.value, executorId: executor_id.value }, data);
        return;
      }
      case 'DrainSlaveMessage':
        this.drain.begin(message.body.config, now);
        return;
      case 'ShutdownFrameworkMessage':
        work.shutdownFramework(message.body.framework_id.value, now);
        return;
      case 'ShutdownExecutorMessage': {
        const { framework_id, executor_id } = message.body;
        if (framework_id === undefined || executor_id === undefined) return;
        const key = { frameworkId: framework_id.value, executorId: executor_id.value };
        work.shutdownExecutor(key, now);
        return;
      }
      case 'UpdateFrameworkMessage': {
        const { framework_id, pid, framework_info } = message.body;
        work.updateFramework(framework_id.value, pid, framework_info);
        // It subscribed again just now: what it missed need not wait for its retry.
        work.streams.resend(now, framework_id.value);
        return;
      }
      case 'ApplyOperationMessage':
      case 'AcknowledgeOperationStatusMessage':
      case 'ReconcileOperationsMessage':
      case 'CheckpointResourcesMessage':
        this.#onResources(message, now);
        return;
      default:
        unreachable(message);
    }
  }

  /** A master that is wrong about what is here is told anew: by registering again. */
  #onResources(message: AboutResources, now: Instant): void {
    let goesWithUs = true;
    switch (message.name) {
      case 'ApplyOperationMessage':
        if (!this.providers.apply(message.body)) {
          goesWithUs = this.resources.apply(message.body, this.#resourceVersion, now);
        }
        break;
      case 'AcknowledgeOperationStatusMessage':
        if (!this.providers.acknowledged(message.body)) this.resources.acknowledged(message.body);
        break;
      case 'ReconcileOperationsMessage':
        this.resources.reconcile(message.body);
        this.providers.reconcile(message.body);
        break;
      case 'CheckpointResourcesMessage':
        goesWithUs = this.resources.replace(message.body.resources);
        break;
      default:
        unreachable(message);
    }
    const master = this.#master;
    if (goesWithUs || master.kind !== 'registered') return;
    this.#log('The master asked for what this agent does not have', { message: message.name });
    this.#register(master.address, now);
  }

  /** registering | registered -> registered */
  #registered(
    agentId: string,
    connection: { readonly total_ping_timeout_seconds?: number | undefined } | undefined,
    now: Instant,
  ): void {
    const master = this.#master;
    if (master.kind !== 'registering' && master.kind !== 'registered') return;
    if (this.#agentId !== undefined && this.#agentId !== agentId) {
      // A late answer of the master before gave us ours: this one has to hear of it.
      this.#log('The master answered with another agent id', { agentId });
      this.#register(master.address, now);
      return;
    }
    const seconds = connection?.total_ping_timeout_seconds;
    if (seconds !== undefined && seconds > 0) this.#pingTimeoutMs = seconds * 1000;
    const wasRegistered = master.kind === 'registered';
    const isNew = this.#agentId === undefined;
    this.#adoptId(agentId);
    const pingedBefore = now + this.#pingTimeoutMs;
    this.#master = { kind: 'registered', address: master.address, pingedBefore };
    if (isNew) {
      const record = { kind: 'agent', info: this.info } as const;
      this.#out.push({ kind: 'checkpoint', record });
    }
    if (wasRegistered) return;
    this.#registeredAt = now;
    this.#log(isNew ? 'Registered' : 'Registered again', { agentId, master: master.address });
    this.#tellResources({
      update_oversubscribed_resources: this.#oversubscribed !== undefined,
      oversubscribed_resources: [...(this.#oversubscribed ?? [])],
    });
    this.workloads.streams.resend(now);
    this.resources.resend(now);
  }

  #tellResources(
    oversubscribed: Pick<
      Messages['UpdateSlaveMessage'],
      'update_oversubscribed_resources' | 'oversubscribed_resources'
    >,
  ): void {
    const body: Messages['UpdateSlaveMessage'] = {
      agent_id: { value: this.#agentId ?? '' },
      ...oversubscribed,
      operations: { operations: this.resources.operations },
      resource_version_uuid: { value: this.#resourceVersion },
      resource_providers: this.providers.reported(),
    };
    this.#out.push({ kind: 'send-master', name: 'UpdateSlaveMessage', body });
  }

  #estimated(resources: readonly Resource[]): void {
    const before = JSON.stringify(this.#oversubscribed ?? []);
    this.#oversubscribed = resources;
    if (JSON.stringify(resources) === before || this.#master.kind !== 'registered') return;
    const body = {
      agent_id: { value: this.#agentId ?? '' },
      update_oversubscribed_resources: true,
      oversubscribed_resources: [...resources],
    };
    this.#out.push({ kind: 'send-master', name: 'UpdateSlaveMessage', body });
  }

  #ping(from: string, connected: boolean, now: Instant): void {
    const master = this.#master;
    if (master.kind !== 'registered') {
      this.#pong(from);
      return;
    }
    this.#master = { ...master, pingedBefore: now + this.#pingTimeoutMs };
    this.#pong(from);
    // The master gave us up: it wants to hear everything again.
    if (!connected) this.#register(master.address, now);
  }

  #pong(to: string): void {
    this.#out.push({ kind: 'send-master', to, name: 'PongSlaveMessage', body: {} });
  }

  #reconcile(reconciliation: Reconciliation, now: Instant): void {
    const { framework_id, framework, statuses } = reconciliation;
    for (const status of statuses ?? []) {
      const taskId = status.task_id.value;
      if (this.workloads.hasTask(framework_id.value, taskId)) continue;
      this.workloads.reportUnknown(framework, framework_id.value, taskId, now);
    }
  }

  #shutdown(message: string, now: Instant): void {
    this.#log('The master told this agent to shut down', { message });
    for (const id of this.workloads.frameworks.keys()) this.workloads.shutdownFramework(id, now);
    for (const executor of this.workloads.executors()) {
      this.#out.push({ kind: 'destroy-container', containerId: executor.containerId });
    }
    this.resources.forgetOperations();
    this.#out.push({ kind: 'checkpoint', record: { kind: 'agent-gone' } });
    this.#out.push({ kind: 'exit', how: 'restart', message });
    this.#master = { kind: 'disconnected' };
  }

  // ---- updates and time

  #sendUpdates(now: Instant): void {
    this.resources.sendDue(now);
    for (const { update, latest } of this.workloads.streams.takeDue(now)) {
      const body = { update: { ...update, latest_state: latest }, pid: this.options.upid };
      this.#out.push({ kind: 'send-master', name: 'StatusUpdateMessage', body });
    }
  }

  #forwardData(key: { frameworkId: string; executorId: string }, data: Uint8Array): void {
    const { tallies } = this.workloads;
    if (this.#master.kind !== 'registered') {
      tallies.invalidMessages += 1;
      return;
    }
    tallies.validMessages += 1;
    const body = {
      agent_id: { value: this.#agentId ?? '' },
      framework_id: { value: key.frameworkId },
      executor_id: { value: key.executorId },
      data,
    };
    this.#out.push({ kind: 'send-master', name: 'ExecutorToFrameworkMessage', body });
  }

  #onTick(now: Instant): void {
    this.workloads.onTick(now);
    const master = this.#master;
    if (master.kind === 'registering') this.#tryToRegister(now);
    if (master.kind === 'registered' && master.pingedBefore <= now) {
      this.#log('No ping from the master for too long', { master: master.address });
      this.#register(master.address, now);
    }
  }

  #leaveWhenEmpty(): void {
    if (this.workloads.executors().length > 0) return;
    if (this.#agentId !== undefined && this.#master.kind === 'registered') {
      const body = { agent_id: { value: this.#agentId } };
      this.#out.push({ kind: 'send-master', name: 'UnregisterSlaveMessage', body });
    }
    this.#isLeaving = false;
    this.#master = { kind: 'disconnected' };
    this.resources.forgetOperations();
    this.#out.push({ kind: 'checkpoint', record: { kind: 'agent-gone' } });
    this.#out.push({ kind: 'exit', how: 'leave', message: 'All tasks ended' });
  }

  #log(message: string, fields: Record<string, unknown>): void {
    this.#out.push({ kind: 'log', message, fields });
  }
}
