// The master: frameworks, agents, offers, tasks. Decides on every call and message and returns
// effects; shell.ts performs them. Parts with rules of their own are in the files that it imports.
import type { MasterInfo, Offer_Operation, QuotaConfig, SchedulerCall } from '#wire/mesos/v1.ts';
import { AcceptDesk } from './accepts.ts';
import { AgentDesk } from './agents.ts';
import { refuseMs, wishesOf } from './call-parts.ts';
import { RegistryCollector } from './collection.ts';
import { FrameworkDesk, type DriverOrigin } from './frameworks.ts';
import { LaunchDesk } from './launches.ts';
import { Ledger } from './ledger.ts';
import { LifecycleDesk } from './lifecycle.ts';
import { MaintenanceDesk } from './maintenance.ts';
import { OfferTimeouts } from './offer-timeouts.ts';
import { OfferDesk } from './offers.ts';
import { OperationDesk } from './operations.ts';
import type { Approvers } from '#mesos/security/authorizer.ts';
import { QuotaDesk } from './quotas.ts';
import { RelayDesk } from './relay.ts';
import { rolesOf } from './roles.ts';
import { MasterState } from './state.ts';
import { FORBIDDEN, type Refusal } from '#mesos/libprocess/refusal.ts';
import type {
  ConnectionId,
  FrameworkRecord,
  FromAgent,
  MasterEffect,
  MasterOptions,
  OperatorIdentity,
  RecoveredRegistry,
} from './types.ts';

/** Looking for ended filters more often than this is not worth it. */
const FILTER_WAKE_MS_MIN = 20;

/** An agent's entry in a registry, and an id with its time. */
const AGENT_BYTES = 350;
const ID_BYTES = 60;

/** Calls as the master's counters of messages name them. */
const messageNames: Readonly<Record<string, string>> = {
  DECLINE: 'decline_offers',
  REVIVE: 'revive_offers',
  SUPPRESS: 'suppress_offers',
  KILL: 'kill_task',
  ACKNOWLEDGE: 'status_update_acknowledgement',
  ACKNOWLEDGE_OPERATION_STATUS: 'operation_status_update_acknowledgement',
  RECONCILE: 'reconcile_tasks',
  RECONCILE_OPERATIONS: 'reconcile_operations',
  MESSAGE: 'framework_to_executor',
  REQUEST: 'resource_request',
};

export class MasterCore {
  readonly state: MasterState;
  readonly #agents: AgentDesk;
  readonly #frameworks: FrameworkDesk;
  readonly #launches: LaunchDesk;
  readonly lifecycle: LifecycleDesk;
  readonly #relay: RelayDesk;
  readonly #operations: OperationDesk;
  readonly quotas: QuotaDesk;
  readonly #accepts: AcceptDesk;
  readonly maintenance: MaintenanceDesk;
  readonly #offers: OfferDesk;
  readonly #collector: RegistryCollector;
  readonly #timeouts: OfferTimeouts;

  constructor(options: MasterOptions, recovered: RecoveredRegistry, now: number) {
    this.state = new MasterState(options, recovered.agents, now);
    for (const { agentId, at } of recovered.unreachable) this.state.unreachable.set(agentId, at);
    for (const { role, weight } of recovered.weights) this.state.allocator.setWeight(role, weight);
    for (const { agentId, at } of recovered.gone ?? []) this.state.gone.set(agentId, at);
    for (const { agentId, standing } of recovered.standings ?? []) {
      this.state.standings.set(agentId, standing);
    }
    this.#collector = new RegistryCollector(this.state, now);
    this.quotas = new QuotaDesk(this.state, recovered.quotas ?? []);
    this.#operations = new OperationDesk(this.state);
    this.#agents = new AgentDesk(this.state, this.#operations, (info, at) =>
      this.#frameworks.ofAgent(info, at),
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
    this.#frameworks = new FrameworkDesk(this.state, this.maintenance);
    this.#launches = new LaunchDesk(this.state);
    this.#relay = new RelayDesk(this.state);
    this.#accepts = new AcceptDesk(this.state, this.#launches, this.#operations);
    this.#offers = new OfferDesk(this.state, (agent) => this.maintenance.unavailabilityOf(agent));
    this.#timeouts = new OfferTimeouts(this.state, this.maintenance);
  }

  masterInfo(): MasterInfo {
    return this.#frameworks.masterInfo();
  }

  /** About what Mesos' registry would take: it is one message of all entries. */
  registryBytes(): number {
    const { agents, recovered, unreachable, gone } = this.state;
    return (agents.size + recovered.size) * AGENT_BYTES + (unreachable.size + gone.size) * ID_BYTES;
  }

  // ---- scheduler API ----

  /** Refusals are ERROR events. `driver`: over libprocess (v0), not HTTP. */
  subscribe(
    connection: ConnectionId,
    call: SchedulerCall,
    now: number,
    driver?: DriverOrigin,
  ): MasterEffect[] {
    this.#frameworks.subscribe(connection, call, now, driver);
    return this.state.take();
  }

  /** The stream of a framework, or the link to its driver, ended. */
  disconnected(connection: ConnectionId, now: number): MasterEffect[] {
    this.#frameworks.disconnected(connection, now);
    return this.state.take();
  }

  /** A driver wants nothing more for now; it stays connected. */
  deactivate(connection: ConnectionId): MasterEffect[] {
    const framework = this.#frameworks.ofConnection(connection);
    if (framework !== undefined) this.#frameworks.deactivate(framework);
    return this.state.take();
  }

  /** Calls other than SUBSCRIBE, of a framework whose stream the shell has checked. */
  call(frameworkId: string, call: SchedulerCall, now: number): Refusal | MasterEffect[] {
    const framework = this.state.frameworks.get(frameworkId);
    if (framework === undefined) return { status: 400, message: 'Framework cannot be found' };
    this.#count(frameworkId, call);
    switch (call.type) {
      case 'TEARDOWN':
        this.#frameworks.remove(framework, now);
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
        return this.#frameworks.update(framework, call) ?? this.state.take();
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

  #count(frameworkId: string, call: SchedulerCall): void {
    const { type = 'UNKNOWN' } = call;
    this.state.frameworkMetrics.countOf(frameworkId, 'calls', type);
    const name = messageNames[type];
    if (name !== undefined) this.state.count(`messages_${name}`);
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
      this.#frameworks.remove(framework, now);
    }
    this.#agents.onTick(now);
    this.maintenance.onTick(now);
    this.#collector.onTick(now);
    this.#timeouts.onTick(now);
    this.#expireFilters(now);
    return this.#settled(now, { isPatient: true });
  }

  /** When `onTick` is wanted next; after each tick one timer for the earliest is enough. */
  nextDeadline(): number {
    let at = Math.min(
      this.#agents.nextDeadline(),
      this.maintenance.nextDeadline(),
      this.#collector.nextDeadline(),
      this.#timeouts.nextDeadline(),
    );
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
    if (!this.#offers.isMidway) {
      this.state.ran();
      return this.state.take({ isPatient: true });
    }
    this.state.emit({ kind: 'allocate-soon', isPatient: false });
    return this.state.take();
  }

  /** Filters that end close together are dealt with at once. */
  #expireFilters(now: number): void {
    const expiry = this.state.allocator.expireFilters(now);
    if (expiry === undefined) return;
    this.state.emit({ kind: 'wake-at', at: Math.max(expiry, now + FILTER_WAKE_MS_MIN) });
  }

  /** Operator TEARDOWN. */
  teardown(frameworkId: string, approvers: Approvers, now: number): Refusal | MasterEffect[] {
    const framework = this.state.frameworks.get(frameworkId);
    if (framework === undefined) {
      return { status: 400, message: 'No framework found with specified ID' };
    }
    if (!approvers.may('TEARDOWN_FRAMEWORK', framework.info.principal)) return FORBIDDEN;
    this.#frameworks.remove(framework, now);
    return this.state.take();
  }

  /**
   * An operator's RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME or SHRINK_VOLUME of what nobody
   * holds; a refusal has the status that the real master answers, success is 202.
   */
  operate(
    agentId: string,
    operation: Offer_Operation,
    by: OperatorIdentity,
    now: number,
  ): Refusal | MasterEffect[] {
    return this.#operations.operate(agentId, operation, by, now) ?? this.state.take();
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

  /** --whitelist: only agents of these hosts are offered; undefined: all. */
  setWhitelist(hosts: ReadonlySet<string> | undefined): MasterEffect[] {
    this.state.allocator.setWhitelist(hosts);
    return this.state.take();
  }

  /** All offers are made anew, if there is a framework in one of the roles. */
  setWeights(
    weights: readonly { readonly role: string; readonly weight: number }[],
  ): MasterEffect[] {
    for (const { role, weight } of weights) this.state.allocator.setWeight(role, weight);
    const inUse = new Set(new Ledger(this.state).trackedRoles().flatMap(({ roles }) => [...roles]));
    if (!weights.some(({ role }) => inUse.has(role))) return this.state.take();
    for (const offer of this.state.offers.values())
      this.#frameworks.returnOffer(offer, { rescind: true });
    return this.state.take();
  }

  // ---- frameworks ----

  /** A role that the framework did not subscribe to makes the whole call void, silently. */
  #subscribedRoles(framework: FrameworkRecord, roles: readonly string[]): boolean {
    const mine = rolesOf(framework.info);
    return roles.every((role) => mine.includes(role));
  }

  #decline(framework: FrameworkRecord, call: SchedulerCall, now: number): void {
    const { offers, holdings, allocator, frameworkMetrics } = this.state;
    const refusal = { refuseMs: refuseMs(call.decline?.filters), now };
    let declined = 0;
    for (const { value } of call.decline?.offer_ids ?? []) {
      const offer = offers.get(value);
      if (offer === undefined || offer.framework !== framework) continue;
      holdings.removeOffer(offer);
      allocator.recover(framework.id, offer.agentId, offer.resources, refusal);
      declined += 1;
    }
    if (declined > 0) frameworkMetrics.count(framework.id, 'offers/declined', declined);
  }
}
