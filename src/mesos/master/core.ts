// The master: frameworks, agents, offers, tasks. Decides on every call and message and returns
// effects; shell.ts performs them. Parts with rules of their own are in the files that it imports.
import { assert } from '#base/assert.ts';
import type {
  FrameworkInfo,
  MasterInfo,
  Offer_Operation,
  QuotaConfig,
  SchedulerCall,
} from '#wire/mesos/v1.ts';
import { AcceptDesk } from './accepts.ts';
import { AgentDesk } from './agents.ts';
import { masterInfoOf } from './master-info.ts';
import { changedForGood, refuseMs, wishesOf } from './call-parts.ts';
import {
  settingsOf,
  validateOfferConstraints,
  validateOfferFilters,
} from './framework-settings.ts';
import { LaunchDesk } from './launches.ts';
import { LifecycleDesk } from './lifecycle.ts';
import { MaintenanceDesk } from './maintenance.ts';
import { OfferDesk } from './offers.ts';
import { OperationDesk } from './operations.ts';
import { QuotaDesk } from './quotas.ts';
import { RelayDesk } from './relay.ts';
import { rolesOf, validateFrameworkInfo } from './roles.ts';
import { MasterState } from './state.ts';
import { isTerminal, masterStatus } from './statuses.ts';
import type {
  AgentRecord,
  ConnectionId,
  FrameworkRecord,
  FromAgent,
  MasterEffect,
  MasterOptions,
  OfferRecord,
  RecoveredRegistry,
  Refusal,
} from './types.ts';

/** Looking for ended filters more often than this is not worth it. */
const FILTER_WAKE_MS_MIN = 20;

export class MasterCore {
  readonly state: MasterState;
  readonly #agents: AgentDesk;
  readonly #launches: LaunchDesk;
  readonly lifecycle: LifecycleDesk;
  readonly #relay: RelayDesk;
  readonly #operations: OperationDesk;
  readonly quotas: QuotaDesk;
  readonly #accepts: AcceptDesk;
  readonly maintenance: MaintenanceDesk;
  readonly #offers: OfferDesk;

  constructor(options: MasterOptions, recovered: RecoveredRegistry, now: number) {
    this.state = new MasterState(options, now);
    for (const info of recovered.agents) this.state.recovered.set(info.id?.value ?? '', info);
    for (const { agentId, at } of recovered.unreachable) this.state.unreachable.set(agentId, at);
    for (const { role, weight } of recovered.weights) this.state.allocator.setWeight(role, weight);
    for (const { agentId, at } of recovered.gone ?? []) this.state.gone.set(agentId, at);
    for (const { agentId, standing } of recovered.standings ?? []) {
      this.state.standings.set(agentId, standing);
    }
    this.quotas = new QuotaDesk(this.state, recovered.quotas ?? []);
    this.#operations = new OperationDesk(this.state);
    this.#agents = new AgentDesk(this.state, this.#operations, (info, at) =>
      this.#frameworkOfAgent(info, at),
    );
    this.maintenance = new MaintenanceDesk(this.state, this.#agents);
    this.lifecycle = new LifecycleDesk(this.state, this.#agents, this.maintenance);
    this.#agents.watcher = {
      isDown: (hostname, pid) => this.maintenance.isDown(hostname, pid),
      onReturn: (agent) => this.lifecycle.onReturn(agent),
      onLeave: (agent) => this.maintenance.withdraw(agent.id),
    };
    if (recovered.maintenance !== undefined) {
      this.maintenance.recover(recovered.maintenance);
    }
    this.#launches = new LaunchDesk(this.state);
    this.#relay = new RelayDesk(this.state);
    this.#accepts = new AcceptDesk(this.state, this.#launches, this.#operations);
    this.#offers = new OfferDesk(this.state, (agent) => this.maintenance.unavailabilityOf(agent));
  }

  masterInfo(): MasterInfo {
    return masterInfoOf(this.state.options);
  }

  // ---- scheduler API ----

  /** A refusal here is an HTTP error; refusals that Mesos tells by an ERROR event are events. */
  subscribe(connection: ConnectionId, call: SchedulerCall, now: number): Refusal | MasterEffect[] {
    const { subscribe } = call;
    assert(subscribe !== undefined, 'SUBSCRIBE has been validated');
    const info = subscribe.framework_info;
    const id = info.id?.value ?? '';
    const suppressed = subscribe.suppressed_roles ?? [];
    const constraints = subscribe.offer_constraints;
    const wrong =
      validateFrameworkInfo(info, suppressed) ??
      validateOfferFilters(info) ??
      validateOfferConstraints(info, constraints) ??
      this.#refusedId(id, info);
    if (wrong !== undefined) {
      this.state.emit({
        kind: 'event',
        connection,
        event: { type: 'ERROR', error: { message: wrong } },
      });
      this.state.emit({ kind: 'close', connection });
      return this.state.take();
    }
    const known = id === '' ? undefined : this.state.frameworks.get(id);
    const framework = known ?? this.#addFramework(info, id, now);
    if (known !== undefined) this.#failOver(known, info, now);
    this.state.byConnection.set(connection, framework.id);
    framework.connection = connection;
    framework.suppressedRoles = new Set(suppressed);
    framework.offerConstraints = constraints;
    this.#settle(framework, known === undefined);
    this.state.tell(framework, {
      type: 'SUBSCRIBED',
      subscribed: {
        framework_id: { value: framework.id },
        heartbeat_interval_seconds: this.state.options.heartbeatMs / 1_000,
        master_info: this.masterInfo(),
      },
    });
    this.state.tell(framework, { type: 'HEARTBEAT' });
    const type = known === undefined ? 'FRAMEWORK_ADDED' : 'FRAMEWORK_UPDATED';
    this.#tellOperators(type, framework);
    return this.state.take();
  }

  /** The stream of a framework ended. */
  disconnected(connection: ConnectionId, now: number): MasterEffect[] {
    const framework = this.#ofConnection(connection);
    this.state.byConnection.delete(connection);
    if (framework === undefined || framework.connection !== connection) return this.state.take();
    framework.connection = undefined;
    this.#deactivate(framework);
    const timeoutMs = (framework.info.failover_timeout ?? 0) * 1_000;
    framework.failoverDeadline = now + timeoutMs;
    this.state.emit({ kind: 'wake-at', at: framework.failoverDeadline });
    return this.state.take();
  }

  /** Calls other than SUBSCRIBE, of a framework whose stream the shell has checked. */
  call(frameworkId: string, call: SchedulerCall, now: number): Refusal | MasterEffect[] {
    const framework = this.state.frameworks.get(frameworkId);
    if (framework === undefined) return { status: 400, message: 'Framework cannot be found' };
    this.state.count(`messages_${(call.type ?? 'unknown').toLowerCase()}`);
    switch (call.type) {
      case 'TEARDOWN':
        this.removeFramework(framework, now);
        break;
      case 'ACCEPT':
        this.#accepts.accept(
          framework,
          call.accept ?? { offer_ids: [] },
          refuseMs(call.accept?.filters),
          now,
        );
        break;
      case 'DECLINE':
        this.#decline(framework, call, now);
        break;
      case 'REVIVE':
        if (this.#subscribedRoles(framework, call.revive?.roles ?? [])) {
          this.state.allocator.revive(frameworkId, call.revive?.roles ?? []);
          this.maintenance.forgetQuiet(frameworkId);
        }
        break;
      case 'SUPPRESS':
        if (this.#subscribedRoles(framework, call.suppress?.roles ?? [])) {
          this.state.allocator.suppress(frameworkId, call.suppress?.roles ?? []);
        }
        break;
      case 'KILL':
        this.#launches.kill(framework, call, now);
        break;
      case 'SHUTDOWN':
        this.#launches.shutdownExecutor(framework, call);
        break;
      case 'ACKNOWLEDGE':
        this.#relay.acknowledge(framework, call);
        break;
      case 'RECONCILE':
        this.#launches.reconcile(framework, call.reconcile?.tasks ?? [], now);
        break;
      case 'MESSAGE':
        this.#launches.message(framework, call);
        break;
      case 'ACCEPT_INVERSE_OFFERS': {
        const { inverse_offer_ids = [], filters } = call.accept_inverse_offers ?? {};
        const how = { status: 'ACCEPT' as const, refuseMs: refuseMs(filters), now };
        this.maintenance.answer(framework, inverse_offer_ids, how);
        break;
      }
      case 'DECLINE_INVERSE_OFFERS': {
        const { inverse_offer_ids = [], filters } = call.decline_inverse_offers ?? {};
        const how = { status: 'DECLINE' as const, refuseMs: refuseMs(filters), now };
        this.maintenance.answer(framework, inverse_offer_ids, how);
        break;
      }
      case 'UPDATE_FRAMEWORK':
        return this.#updateFramework(framework, call, now);
      case 'ACKNOWLEDGE_OPERATION_STATUS':
        this.#operations.acknowledge(framework, call);
        break;
      case 'RECONCILE_OPERATIONS':
        this.#operations.reconcile(framework, call.reconcile_operations?.operations ?? []);
        break;
      case 'REQUEST':
        this.state.allocator.setWishes(frameworkId, wishesOf(call));
        break;
      default:
        break;
    }
    // What it gave back, it has just seen; nobody is known to wait for it.
    return this.#settled(now, { isPatient: call.type === 'DECLINE' || call.type === 'ACCEPT' });
  }

  // ---- agents ----

  /** `connection` says on which of the agent's connections it came; later ones are larger. */
  onAgentMessage(
    from: string,
    message: FromAgent,
    now: number,
    connection?: number,
  ): MasterEffect[] {
    this.#agents.onMessage(from, message, now, connection);
    return this.#settled(now);
  }

  /** The connection to an agent broke. */
  onAgentExited(pid: string, now: number): MasterEffect[] {
    this.#agents.onExited(pid, now);
    return this.#settled(now);
  }

  /** A registry change became durable. */
  confirm(token: number, now: number): MasterEffect[] {
    this.state.confirm(token, now);
    return this.#settled(now);
  }

  /** What has become empty while it is drained is drained. */
  #settled(now: number, how = { isPatient: false }): MasterEffect[] {
    if (this.state.eased.size > 0) this.lifecycle.settle(now);
    return this.state.take(how);
  }

  /** An operator's decision: refused, or in effect when what it persists is durable. */
  decide(decision: () => Refusal | undefined): Refusal | MasterEffect[] {
    return decision() ?? this.state.take();
  }

  // ---- time and allocation ----

  onTick(now: number): MasterEffect[] {
    for (const framework of this.state.frameworks.values()) {
      if (framework.failoverDeadline === undefined || framework.failoverDeadline > now) continue;
      this.removeFramework(framework, now);
    }
    this.#agents.onTick(now);
    this.maintenance.onTick(now);
    this.#expireFilters(now);
    return this.#settled(now, { isPatient: true });
  }

  /** When `onTick` is wanted next; after each tick one timer for the earliest is enough. */
  nextDeadline(): number {
    let at = Math.min(this.#agents.nextDeadline(), this.maintenance.nextDeadline());
    for (const { failoverDeadline } of this.state.frameworks.values()) {
      if (failoverDeadline !== undefined) at = Math.min(at, failoverDeadline);
    }
    return at;
  }

  /** A run of allocation is not over yet: `allocate` is to go on with it. */
  get isAllocating(): boolean {
    return this.#offers.isMidway;
  }

  allocate(now: number): MasterEffect[] {
    this.#offers.allocate(now);
    if (this.state.isAskDue) this.maintenance.ask(now);
    this.#expireFilters(now);
    if (!this.#offers.isMidway) return this.state.take({ isPatient: true });
    this.state.emit({ kind: 'allocate-soon', isPatient: false });
    return this.state.take();
  }

  /** Filters that end close together are dealt with at once. */
  #expireFilters(now: number): void {
    const expiry = this.state.allocator.expireFilters(now);
    if (expiry === undefined) return;
    this.state.emit({ kind: 'wake-at', at: Math.max(expiry, now + FILTER_WAKE_MS_MIN) });
  }

  /** Operator TEARDOWN; undefined when there is no such framework. */
  teardown(frameworkId: string, now: number): MasterEffect[] | undefined {
    const framework = this.state.frameworks.get(frameworkId);
    if (framework === undefined) return undefined;
    this.removeFramework(framework, now);
    return this.state.take();
  }

  /**
   * An operator's RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME or SHRINK_VOLUME of what nobody
   * holds; a refusal has the status that the real master answers, success is 202.
   */
  operate(
    agentId: string,
    operation: Offer_Operation,
    principal: string | undefined,
    now: number,
  ): Refusal | MasterEffect[] {
    return this.#operations.operate(agentId, operation, principal, now) ?? this.state.take();
  }

  /** Of configurations that `quotas.refusedUpdate` lets pass and that are durable now. */
  setQuotas(configs: readonly QuotaConfig[]): MasterEffect[] {
    this.quotas.set(configs);
    return this.state.take();
  }

  removeQuota(role: string): MasterEffect[] {
    this.quotas.remove(role);
    return this.state.take();
  }

  setWeight(role: string, weight: number): MasterEffect[] {
    this.state.allocator.setWeight(role, weight);
    for (const offer of this.state.offers.values()) this.#returnOffer(offer, { rescind: true });
    return this.state.take();
  }

  // ---- frameworks ----

  #refusedId(id: string, info: FrameworkInfo): string | undefined {
    if (id !== '' && this.state.completedFrameworks.has(id)) return 'Framework has been removed';
    const known = this.state.frameworks.get(id)?.info;
    if (known !== undefined && known.principal !== info.principal) {
      return `Changing framework's principal is not allowed`;
    }
    return undefined;
  }

  #addFramework(info: FrameworkInfo, id: string, now: number): FrameworkRecord {
    const { masterId } = this.state.options;
    const own =
      id === '' ? `${masterId}-${String(this.state.nextFramework++).padStart(4, '0')}` : id;
    const framework: FrameworkRecord = {
      info: { ...info, id: { value: own } },
      id: own,
      connection: undefined,
      isActive: true,
      isRecovered: false,
      registeredAt: now,
      reregisteredAt: now,
      unregisteredAt: undefined,
      failoverDeadline: undefined,
      suppressedRoles: new Set(),
      offerConstraints: undefined,
      tasks: new Map(),
      unreachableTasks: new Map(),
      completedTasks: [],
      offers: new Set(),
      operations: new Map(),
    };
    this.state.frameworks.set(own, framework);
    return framework;
  }

  /** A framework that agents brought along, before it subscribed itself. */
  #frameworkOfAgent(info: FrameworkInfo, now: number): FrameworkRecord | undefined {
    const id = info.id?.value ?? '';
    const known = this.state.frameworks.get(id);
    if (known !== undefined || this.state.completedFrameworks.has(id)) return known;
    const framework = this.#addFramework(info, id, now);
    framework.isRecovered = true;
    framework.isActive = false;
    const timeoutMs = Math.max(
      (info.failover_timeout ?? 0) * 1_000,
      this.state.options.agentReregisterTimeoutMs,
    );
    framework.failoverDeadline = now + timeoutMs;
    this.state.emit({ kind: 'wake-at', at: framework.failoverDeadline });
    this.state.allocator.addFramework(id, settingsOf(framework));
    this.state.allocator.setFrameworkActive(id, false);
    return framework;
  }

  #failOver(framework: FrameworkRecord, info: FrameworkInfo, now: number): void {
    if (framework.connection !== undefined) {
      this.state.tell(framework, { type: 'ERROR', error: { message: 'Framework failed over' } });
      this.state.emit({ kind: 'close', connection: framework.connection });
      this.state.byConnection.delete(framework.connection);
    }
    for (const id of framework.offers) {
      const offer = this.state.offers.get(id);
      if (offer !== undefined) this.#returnOffer(offer, { rescind: false });
    }
    const { user, checkpoint } = framework.info;
    framework.info = {
      ...info,
      id: { value: framework.id },
      user,
      ...(checkpoint === undefined ? {} : { checkpoint }),
    };
    this.maintenance.drop(framework.id);
    this.maintenance.forgetQuiet(framework.id);
    framework.failoverDeadline = undefined;
    framework.reregisteredAt = now;
    framework.isRecovered = false;
    this.#broadcastFramework(framework);
  }

  /** Agents that run something of the framework; the others have no use for news of it. */
  #agentsOf(framework: FrameworkRecord): AgentRecord[] {
    const ids = new Set<string>();
    for (const { task } of framework.tasks.values()) ids.add(task.agent_id.value);
    return [...this.state.agents.values()].filter(
      (agent) => ids.has(agent.id) || agent.executors.has(framework.id),
    );
  }

  #broadcastFramework(framework: FrameworkRecord): void {
    for (const agent of this.#agentsOf(framework)) {
      if (!agent.isConnected) continue;
      const body = {
        framework_id: { value: framework.id },
        pid: '',
        framework_info: framework.info,
      };
      this.state.emit({
        kind: 'send',
        to: agent.pid,
        message: { name: 'UpdateFrameworkMessage', body },
      });
    }
  }

  #settle(framework: FrameworkRecord, isNew: boolean): void {
    const settings = settingsOf(framework);
    if (isNew) this.state.allocator.addFramework(framework.id, settings);
    else this.state.allocator.updateFramework(framework.id, settings);
    framework.isActive = true;
    this.state.allocator.setFrameworkActive(framework.id, true);
  }

  #deactivate(framework: FrameworkRecord): void {
    framework.isActive = false;
    this.state.allocator.setFrameworkActive(framework.id, false);
    this.maintenance.drop(framework.id);
    for (const id of framework.offers) {
      const offer = this.state.offers.get(id);
      if (offer !== undefined) this.#returnOffer(offer, { rescind: true });
    }
  }

  #returnOffer(offer: OfferRecord, how: { rescind: boolean }): void {
    this.state.dropOffer(offer, how);
    this.state.allocator.recover(offer.frameworkId, offer.agentId, offer.resources);
  }

  removeFramework(framework: FrameworkRecord, now: number): void {
    const { state } = this;
    this.#deactivate(framework);
    for (const agent of this.#agentsOf(framework)) {
      const body = { framework_id: { value: framework.id } };
      if (agent.isConnected) {
        state.emit({
          kind: 'send',
          to: agent.pid,
          message: { name: 'ShutdownFrameworkMessage', body },
        });
      }
      const executors = agent.executors.get(framework.id) ?? new Map();
      for (const { resources } of executors.values()) {
        state.allocator.recover(framework.id, agent.id, resources);
      }
      agent.executors.delete(framework.id);
    }
    for (const { task } of framework.tasks.values()) {
      if (!isTerminal(task.state)) {
        const status = masterStatus({
          taskId: task.task_id.value,
          agentId: task.agent_id.value,
          state: 'TASK_KILLED',
          reason: 'REASON_FRAMEWORK_REMOVED',
          message: `Framework ${framework.id} removed`,
          now,
        });
        state.updateTaskState(framework, task, status);
      }
      state.complete(framework, task);
    }
    if (framework.connection !== undefined) {
      state.emit({ kind: 'close', connection: framework.connection });
      state.byConnection.delete(framework.connection);
      framework.connection = undefined;
    }
    state.allocator.removeFramework(framework.id);
    state.frameworks.delete(framework.id);
    framework.unregisteredAt = now;
    state.completedFrameworks.set(framework.id, framework);
    const oldest = [...state.completedFrameworks.keys()][0];
    if (
      state.completedFrameworks.size > state.options.completedFrameworksMax &&
      oldest !== undefined
    ) {
      state.completedFrameworks.delete(oldest);
    }
    this.#tellOperators('FRAMEWORK_REMOVED', framework);
  }

  #tellOperators(
    type: 'FRAMEWORK_ADDED' | 'FRAMEWORK_UPDATED' | 'FRAMEWORK_REMOVED',
    framework: FrameworkRecord,
  ): void {
    const { info: framework_info, isActive: active, isRecovered: recovered } = framework;
    const connected = framework.connection !== undefined;
    const body = { framework: { framework_info, active, connected, recovered } };
    const event =
      type === 'FRAMEWORK_ADDED'
        ? { type, framework_added: body }
        : type === 'FRAMEWORK_UPDATED'
          ? { type, framework_updated: body }
          : { type, framework_removed: { framework_info } };
    this.state.emit({ kind: 'operator-event', event });
  }

  #ofConnection(connection: ConnectionId): FrameworkRecord | undefined {
    return this.state.frameworks.get(this.state.byConnection.get(connection) ?? '');
  }

  /** A role that the framework did not subscribe to makes the whole call void, silently. */
  #subscribedRoles(framework: FrameworkRecord, roles: readonly string[]): boolean {
    const mine = rolesOf(framework.info);
    return roles.every((role) => mine.includes(role));
  }

  #decline(framework: FrameworkRecord, call: SchedulerCall, now: number): void {
    for (const { value } of call.decline?.offer_ids ?? []) {
      const offer = this.state.offers.get(value);
      if (offer === undefined || offer.frameworkId !== framework.id) continue;
      this.state.dropOffer(offer, { rescind: false });
      const refusal = { refuseMs: refuseMs(call.decline?.filters), now };
      this.state.allocator.recover(framework.id, offer.agentId, offer.resources, refusal);
    }
  }

  #updateFramework(
    framework: FrameworkRecord,
    call: SchedulerCall,
    now: number,
  ): Refusal | MasterEffect[] {
    const info = call.update_framework?.framework_info;
    if (info === undefined)
      return { status: 400, message: "Expecting 'update_framework' to be present" };
    const suppressed = call.update_framework?.suppressed_roles ?? [];
    const constraints = call.update_framework?.offer_constraints;
    const wrong = validateFrameworkInfo(info, []) ?? validateOfferFilters(info);
    if (wrong !== undefined) {
      return { status: 400, message: `Supplied FrameworkInfo is not valid: ${wrong}` };
    }
    const fixed = changedForGood(framework.info, info);
    if (fixed !== undefined) {
      return { status: 400, message: `FrameworkInfo update is not valid: ${fixed}` };
    }
    const unfit =
      validateFrameworkInfo(info, suppressed) ?? validateOfferConstraints(info, constraints);
    if (unfit !== undefined) {
      return { status: 400, message: `'UpdateFramework' call is not valid: ${unfit}` };
    }
    const gone = rolesOf(framework.info).filter((role) => !rolesOf(info).includes(role));
    for (const id of framework.offers) {
      const offer = this.state.offers.get(id);
      if (offer !== undefined && gone.includes(offer.role))
        this.#returnOffer(offer, { rescind: true });
    }
    framework.info = { ...info, id: { value: framework.id } };
    framework.suppressedRoles = new Set(suppressed);
    framework.offerConstraints = constraints;
    framework.reregisteredAt = now;
    this.state.allocator.updateFramework(framework.id, settingsOf(framework));
    this.#broadcastFramework(framework);
    this.#tellOperators('FRAMEWORK_UPDATED', framework);
    return this.state.take();
  }
}
