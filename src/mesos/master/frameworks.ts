// Frameworks: subscription by HTTP or by a driver, failover, disconnection, changes and removal
// (inventory 2.2, 2.9). core.ts hands the calls on; what a framework runs is with launches.ts.
import { assert } from '#base/assert.ts';
import { Tally } from '#mesos/resources/tally.ts';
import type { FrameworkInfo, MasterInfo, SchedulerCall } from '#wire/mesos/v1.ts';
import { changedForGood, isEquivalent } from './call-parts.ts';
import {
  settingsOf,
  keptConstraints,
  validateOfferConstraints,
  validateOfferFilters,
} from './framework-settings.ts';
import type { MaintenanceDesk } from './maintenance.ts';
import { masterInfoOf } from './master-info.ts';
import { rolesOf, validateFrameworkInfo, NO_PID } from './roles.ts';
import type { MasterState } from './state.ts';
import type { Approvers } from '#mesos/security/authorizer.ts';
import { refusedRegistration } from '#mesos/security/action-objects.ts';
import { isTerminal } from '#wire/mesos/task-states.ts';
import { masterStatus } from './statuses.ts';
import { OfferChain, type OfferRecord } from './offer-book.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import type { AgentRecord, ConnectionId, FrameworkRecord } from './types.ts';

/** A driver's side of a subscription (v0). */
export interface DriverOrigin {
  /** `scheduler-…@ip:port`, one connection each. */
  readonly pid: string;
  /** Takes the framework over from another pid. */
  readonly force: boolean;
}

export class FrameworkDesk {
  readonly #state: MasterState;
  readonly #maintenance: MaintenanceDesk;

  constructor(state: MasterState, maintenance: MaintenanceDesk) {
    this.#state = state;
    this.#maintenance = maintenance;
  }

  masterInfo(): MasterInfo {
    return masterInfoOf(this.#state.options);
  }

  /** What is wrong is told by an ERROR event. `driver`: it speaks v0, and what it says decides. */
  subscribe(
    connection: ConnectionId,
    call: SchedulerCall,
    now: number,
    driver: DriverOrigin | undefined,
  ): void {
    const { subscribe } = call;
    assert(subscribe !== undefined, 'SUBSCRIBE has been validated');
    const info = this.#named(subscribe.framework_info, driver);
    const id = info.id?.value ?? '';
    this.#state.count(id === '' ? 'messages_register_framework' : 'messages_reregister_framework');
    const suppressed = subscribe.suppressed_roles ?? [];
    const constraints = subscribe.offer_constraints;
    // Only a driver's connection can have a framework already.
    const own = this.ofConnection(connection);
    const known = id === '' ? undefined : this.#state.frameworks.get(id);
    const wrong =
      validateFrameworkInfo(info, suppressed) ??
      this.#refusedRoles(info) ??
      this.#refusedUser(info) ??
      this.#refusedDriver(info, driver) ??
      validateOfferFilters(info) ??
      validateOfferConstraints(constraints) ??
      refusedRegistration(this.#approversOf(info), info, rolesOf(info)) ??
      this.#refusedId(id, info);
    if (wrong !== undefined) {
      this.#refuse(connection, wrong);
      return;
    }
    if (own !== undefined && id === '') {
      this.#tellSubscribed(own);
      return;
    }
    // The error would go to the framework that is connected there.
    if (own !== undefined && own.id !== id) return;
    if (driver !== undefined && known !== undefined && isTakenOver(known, driver)) {
      this.#refuse(connection, 'Framework failed over');
      return;
    }
    const framework = known ?? this.#addFramework(info, id, now);
    if (known !== undefined) {
      // The same driver may have answered offers while it was not connected.
      const isSame = driver !== undefined && !driver.force && !known.isRecovered;
      this.#failOver(known, info, { connection, rescind: isSame, now });
    }
    if (driver === undefined) {
      this.#state.frameworkMetrics.countOf(framework.id, 'calls', 'subscribe');
    }
    this.#state.byConnection.set(connection, framework.id);
    framework.connection = connection;
    framework.pid = driver?.pid;
    framework.suppressedRoles = new Set(suppressed);
    framework.offerConstraints = keptConstraints(constraints);
    this.#settle(framework, known === undefined);
    this.#tellSubscribed(framework);
    this.#state.tell(framework, { type: 'HEARTBEAT' });
    if (known !== undefined) this.#broadcast(framework);
    const type = known === undefined ? 'FRAMEWORK_ADDED' : 'FRAMEWORK_UPDATED';
    this.#tellOperators(type, framework);
  }

  #approversOf({ principal }: FrameworkInfo): Approvers {
    return this.#state.authorizer.ofName(principal);
  }

  /** A driver that does not name its principal goes by the one that it has authenticated as. */
  #named(info: FrameworkInfo, driver: DriverOrigin | undefined): FrameworkInfo {
    const principal = driver && this.#state.principals.get(driver.pid);
    if (principal === undefined || info.principal !== undefined) return info;
    return { ...info, principal };
  }

  #refusedDriver(info: FrameworkInfo, driver: DriverOrigin | undefined): string | undefined {
    if (driver === undefined) return undefined;
    const known = this.#state.principals.get(driver.pid);
    if (known === undefined) {
      const { authenticatesFrameworks = false } = this.#state.options;
      return authenticatesFrameworks
        ? `Framework at ${driver.pid} is not authenticated`
        : undefined;
    }
    if (info.principal === known) return undefined;
    return `Framework principal '${info.principal}' does not match authenticated principal '${known}'`;
  }

  #refuse(connection: ConnectionId, message: string): void {
    const event = { type: 'ERROR' as const, error: { message } };
    this.#state.emit({ kind: 'event', connection, event });
    // A driver that is connected is told, and ends by itself.
    if (!this.#state.byConnection.has(connection)) this.#state.emit({ kind: 'close', connection });
  }

  #tellSubscribed(framework: FrameworkRecord): void {
    this.#state.tell(framework, {
      type: 'SUBSCRIBED',
      subscribed: {
        framework_id: { value: framework.id },
        heartbeat_interval_seconds: this.#state.options.heartbeatMs / 1_000,
        master_info: this.masterInfo(),
      },
    });
  }

  /** The stream of a framework, or the link to its driver, ended. */
  disconnected(connection: ConnectionId, now: number): void {
    const framework = this.ofConnection(connection);
    this.#state.byConnection.delete(connection);
    if (framework === undefined || framework.connection !== connection) return;
    framework.connection = undefined;
    this.deactivate(framework);
    const timeoutMs = (framework.info.failover_timeout ?? 0) * 1_000;
    // A negative one never comes, as in Mesos.
    if (timeoutMs < 0) return;
    framework.failoverDeadline = now + timeoutMs;
    this.#state.emit({ kind: 'wake-at', at: framework.failoverDeadline });
  }

  #refusedRoles(info: FrameworkInfo): string | undefined {
    const wrong = rolesOf(info).filter((role) => this.#state.isUnlistedRole(role));
    if (wrong.length === 0) return undefined;
    return `Roles { ${wrong.toSorted().join(', ')} } are not present in the master's --roles`;
  }

  #refusedUser({ user }: FrameworkInfo): string | undefined {
    if (user !== 'root' || this.#state.options.refusesRoot !== true) return undefined;
    return "User 'root' is not allowed to run frameworks without --root_submissions set";
  }

  #refusedId(id: string, info: FrameworkInfo): string | undefined {
    if (id !== '' && this.#state.completedFrameworks.has(id)) return 'Framework has been removed';
    const known = this.#state.frameworks.get(id)?.info;
    if (known !== undefined && known.principal !== info.principal) {
      return `Changing framework's principal is not allowed.`;
    }
    return undefined;
  }

  #addFramework(info: FrameworkInfo, id: string, now: number): FrameworkRecord {
    const { masterId } = this.#state.options;
    const own =
      id === '' ? `${masterId}-${String(this.#state.nextFramework++).padStart(4, '0')}` : id;
    const framework: FrameworkRecord = {
      info: { ...info, id: { value: own } },
      approvers: this.#approversOf(info),
      id: own,
      connection: undefined,
      pid: undefined,
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
      states: new Map(),
      executors: new Set(),
      offers: new OfferChain(),
      used: new Tally(),
      offered: new Tally(),
      operations: this.#state.orphanedOperations.get(own) ?? new Map(),
    };
    this.#state.orphanedOperations.delete(own);
    this.#state.frameworks.set(own, framework);
    return framework;
  }

  /** A framework that agents brought along, before it subscribed itself. */
  ofAgent(info: FrameworkInfo, now: number): FrameworkRecord | undefined {
    const id = info.id?.value ?? '';
    const known = this.#state.frameworks.get(id);
    if (known !== undefined || this.#state.completedFrameworks.has(id)) return known;
    const framework = this.#addFramework(info, id, now);
    framework.isRecovered = true;
    framework.isActive = false;
    const timeoutMs = Math.max(
      (info.failover_timeout ?? 0) * 1_000,
      this.#state.options.agentReregisterTimeoutMs,
    );
    framework.failoverDeadline = now + timeoutMs;
    this.#state.emit({ kind: 'wake-at', at: framework.failoverDeadline });
    this.#state.allocator.addFramework(id, settingsOf(framework));
    this.#state.pending.adopt(framework);
    this.#state.allocator.setFrameworkActive(id, false);
    this.#state.watcher.onFramework(framework);
    return framework;
  }

  /** `connection`: its next one, which may be its last one too. */
  #failOver(
    framework: FrameworkRecord,
    info: FrameworkInfo,
    how: { readonly connection: ConnectionId; readonly rescind: boolean; readonly now: number },
  ): void {
    const { connection, rescind, now } = how;
    if (framework.connection !== undefined && framework.connection !== connection) {
      this.#state.tell(framework, { type: 'ERROR', error: { message: 'Framework failed over' } });
      this.#state.emit({ kind: 'close', connection: framework.connection });
      this.#state.byConnection.delete(framework.connection);
      // What it wished for ends with its connection, also with one that another has taken over.
      this.#state.allocator.setWishes(framework.id, []);
    }
    for (const offer of framework.offers.all()) this.returnOffer(offer, { rescind });
    // Neither may change; Mesos goes on as if they had been given as before.
    const { user, checkpoint } = framework.info;
    framework.info = { ...info, id: { value: framework.id }, user, checkpoint };
    this.#maintenance.drop(framework.id);
    this.#maintenance.forgetQuiet(framework.id);
    framework.failoverDeadline = undefined;
    framework.reregisteredAt = now;
    framework.isRecovered = false;
  }

  /** Agents that run something of the framework; the others have no use for news of it. */
  #agentsOf(framework: FrameworkRecord): AgentRecord[] {
    const ids = new Set<string>();
    for (const { task } of framework.tasks.values()) ids.add(task.agent_id.value);
    for (const { agentId } of framework.executors) ids.add(agentId);
    return [...ids].flatMap((id) => this.#state.agents.get(id) ?? []);
  }

  #broadcast(framework: FrameworkRecord): void {
    for (const agent of this.#agentsOf(framework)) {
      if (!agent.isConnected) continue;
      const body = {
        framework_id: { value: framework.id },
        pid: framework.pid ?? NO_PID,
        framework_info: framework.info,
      };
      this.#state.emit({
        kind: 'send',
        to: agent.pid,
        message: { name: 'UpdateFrameworkMessage', body },
      });
    }
  }

  #settle(framework: FrameworkRecord, isNew: boolean): void {
    const settings = settingsOf(framework);
    if (isNew) {
      this.#state.allocator.addFramework(framework.id, settings);
      this.#state.pending.adopt(framework);
    } else this.#state.allocator.updateFramework(framework.id, settings);
    framework.isActive = true;
    this.#state.watcher.onFramework(framework);
    this.#state.allocator.setFrameworkActive(framework.id, true);
  }

  deactivate(framework: FrameworkRecord, { rescind } = { rescind: true }): void {
    framework.isActive = false;
    this.#state.watcher.onFramework(framework);
    this.#state.allocator.setFrameworkActive(framework.id, false);
    this.#maintenance.drop(framework.id);
    for (const offer of framework.offers.all()) this.returnOffer(offer, { rescind });
  }

  returnOffer(offer: OfferRecord, how: { rescind: boolean }): void {
    this.#state.dropOffer(offer, how);
    this.#state.allocator.recover(offer.frameworkId, offer.agentId, offer.resources);
  }

  remove(framework: FrameworkRecord, now: number): void {
    const state = this.#state;
    this.deactivate(framework, { rescind: false });
    for (const agent of this.#agentsOf(framework)) {
      const body = { framework_id: { value: framework.id } };
      if (agent.isConnected) {
        state.emit({
          kind: 'send',
          to: agent.pid,
          message: { name: 'ShutdownFrameworkMessage', body },
        });
      }
      for (const [id, { resources }] of agent.executors.get(framework.id) ?? []) {
        state.holdings.removeExecutor(agent, framework.id, id);
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
    state.pending.orphan(framework);
    state.allocator.removeFramework(framework.id);
    state.frameworks.delete(framework.id);
    this.#forgetMessagesOf(framework.info.principal);
    framework.unregisteredAt = now;
    state.watcher.onFramework(framework);
    state.completedFrameworks.set(framework.id, framework);
    const oldest = [...state.completedFrameworks.keys()][0];
    if (
      state.completedFrameworks.size > state.options.completedFrameworksMax &&
      oldest !== undefined
    ) {
      const forgotten = state.completedFrameworks.get(oldest);
      state.completedFrameworks.delete(oldest);
      if (forgotten !== undefined) state.watcher.onForgotten(forgotten);
      state.frameworkMetrics.forget(oldest);
    }
    this.#tellOperators('FRAMEWORK_REMOVED', framework);
  }

  /** Messages are counted as long as anybody has the principal. */
  #forgetMessagesOf(principal: string | undefined): void {
    const { principalMessages, frameworks } = this.#state;
    if (principal === undefined || !principalMessages.has(principal)) return;
    for (const { info } of frameworks.values()) if (info.principal === principal) return;
    principalMessages.delete(principal);
  }

  #tellOperators(
    type: 'FRAMEWORK_ADDED' | 'FRAMEWORK_UPDATED' | 'FRAMEWORK_REMOVED',
    framework: FrameworkRecord,
  ): void {
    const { info: framework_info, isActive: active, isRecovered: recovered } = framework;
    const connected = framework.connection !== undefined;
    const time = (ms: number) => ({ nanoseconds: ms * 1e6 });
    const times = {
      registered_time: time(framework.registeredAt),
      reregistered_time: time(framework.reregisteredAt),
      unregistered_time: time(framework.unregisteredAt ?? 0),
    };
    const body = { framework: { framework_info, active, connected, recovered, ...times } };
    const event =
      type === 'FRAMEWORK_ADDED'
        ? { type, framework_added: body }
        : type === 'FRAMEWORK_UPDATED'
          ? { type, framework_updated: body }
          : { type, framework_removed: { framework_info } };
    this.#state.emit({ kind: 'operator-event', event });
  }

  ofConnection(connection: ConnectionId): FrameworkRecord | undefined {
    return this.#state.frameworks.get(this.#state.byConnection.get(connection) ?? '');
  }

  /** UPDATE_FRAMEWORK */
  update(framework: FrameworkRecord, call: SchedulerCall): Refusal | undefined {
    const info = call.update_framework?.framework_info;
    if (info === undefined)
      return { status: 400, message: "Expecting 'update_framework' to be present" };
    const suppressed = call.update_framework?.suppressed_roles ?? [];
    const constraints = call.update_framework?.offer_constraints;
    const wrong =
      validateFrameworkInfo(info, suppressed) ??
      this.#refusedRoles(info) ??
      this.#refusedUser(info) ??
      validateOfferFilters(info);
    if (wrong !== undefined) {
      return { status: 400, message: `Supplied FrameworkInfo is not valid: ${wrong}` };
    }
    const fixed = changedForGood(framework.info, info);
    if (fixed !== undefined) {
      return { status: 400, message: `FrameworkInfo update is not valid: ${fixed}` };
    }
    const unfit = validateOfferConstraints(constraints);
    if (unfit !== undefined) {
      const message = `'UpdateFramework.offer_constraints' are not valid: ${unfit}`;
      return { status: 400, message };
    }
    const unallowed = refusedRegistration(framework.approvers, info, rolesOf(info));
    if (unallowed !== undefined) return { status: 403, message: unallowed };
    const gone = rolesOf(framework.info).filter((role) => !rolesOf(info).includes(role));
    for (const offer of framework.offers.all()) {
      if (gone.includes(offer.role)) this.returnOffer(offer, { rescind: true });
    }
    const isNews = !isEquivalent(framework.info, info);
    framework.info = { ...info, id: { value: framework.id } };
    framework.suppressedRoles = new Set(suppressed);
    framework.offerConstraints = keptConstraints(constraints);
    this.#state.watcher.onFramework(framework);
    this.#state.allocator.updateFramework(framework.id, settingsOf(framework));
    if (!isNews) return undefined;
    this.#broadcast(framework);
    this.#tellOperators('FRAMEWORK_UPDATED', framework);
    return undefined;
  }
}

/** It belongs to another process than the one that asks for it without force. */
function isTakenOver(framework: FrameworkRecord, { pid, force }: DriverOrigin): boolean {
  return !framework.isRecovered && framework.pid !== pid && !force;
}
