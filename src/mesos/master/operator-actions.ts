// The v1 operator calls that change something. Answers with status and text; undefined for calls
// that only read.
import { validateRole } from '#mesos/resources/role-names.ts';
import type {
  DrainConfig,
  MasterCall,
  MachineID,
  MaintenanceSchedule,
  MasterCall_DrainAgent,
  QuotaConfig,
  QuotaRequest,
  WeightInfo,
} from '#wire/mesos/v1.ts';
import type { MasterCore } from './core.ts';
import type { LogToggle } from '#mesos/libprocess/log-toggle.ts';
import { operationOf, type AskedOperation } from './operator-operations.ts';
import type { MasterShell } from './shell.ts';
import { FORBIDDEN, type Refusal } from '#mesos/libprocess/refusal.ts';
import type { OperatorIdentity } from './types.ts';

export interface ActionOutcome {
  readonly status: number;
  /** Empty when it was done. */
  readonly message: string;
}

const done: ActionOutcome = { status: 200, message: '' };
const NANOS = 1e9;

/** v1 has the seconds and nanoseconds of a Duration, the agents' message only nanoseconds. */
function drainConfig({ max_grace_period, mark_gone }: MasterCall_DrainAgent): DrainConfig {
  const { seconds = 0, nanos = 0 } = max_grace_period ?? {};
  return {
    ...(max_grace_period === undefined
      ? {}
      : { max_grace_period: { nanoseconds: seconds * NANOS + nanos } }),
    mark_gone: mark_gone ?? false,
  };
}

export class OperatorActions {
  readonly #shell: MasterShell;
  readonly #logging: LogToggle;

  constructor(shell: MasterShell, logging: LogToggle) {
    this.#shell = shell;
    this.#logging = logging;
  }

  async perform(call: MasterCall, by: OperatorIdentity): Promise<ActionOutcome | undefined> {
    const { now } = this.#shell;
    const { approvers } = by;
    switch (call.type) {
      case 'TEARDOWN':
        return this.teardown(call.teardown?.framework_id.value ?? '', by);
      case 'UPDATE_WEIGHTS':
        return await this.updateWeights(call.update_weights?.weight_infos ?? [], by);
      case 'SET_LOGGING_LEVEL':
        return approvers.may('SET_LOG_LEVEL') ? this.#setLoggingLevel(call) : FORBIDDEN;
      case 'UPDATE_MAINTENANCE_SCHEDULE': {
        const schedule = call.update_maintenance_schedule?.schedule ?? {};
        return await this.updateSchedule(schedule, by);
      }
      case 'START_MAINTENANCE': {
        const machines = call.start_maintenance?.machines ?? [];
        return await this.startMaintenance(machines, by);
      }
      case 'STOP_MAINTENANCE': {
        const machines = call.stop_maintenance?.machines ?? [];
        return await this.stopMaintenance(machines, by);
      }
      case 'DRAIN_AGENT': {
        const drain = call.drain_agent ?? { agent_id: { value: '' } };
        const config = drainConfig(drain);
        const mayMark = config.mark_gone !== true || approvers.may('MARK_AGENT_GONE');
        if (!approvers.may('DRAIN_AGENT') || !mayMark) return FORBIDDEN;
        return await this.decide((core) => core.lifecycle.drain(drain.agent_id.value, config));
      }
      case 'DEACTIVATE_AGENT': {
        if (!approvers.may('DEACTIVATE_AGENT')) return FORBIDDEN;
        const id = call.deactivate_agent?.agent_id.value ?? '';
        return await this.decide((core) => core.lifecycle.deactivate(id));
      }
      case 'REACTIVATE_AGENT': {
        if (!approvers.may('REACTIVATE_AGENT')) return FORBIDDEN;
        const id = call.reactivate_agent?.agent_id.value ?? '';
        return await this.decide((core) => core.lifecycle.reactivate(id));
      }
      case 'MARK_AGENT_GONE': {
        if (!approvers.may('MARK_AGENT_GONE')) return FORBIDDEN;
        const id = call.mark_agent_gone?.agent_id.value ?? '';
        return await this.decide((core) => core.lifecycle.markGone(id, now));
      }
      case 'UPDATE_QUOTA': {
        const { quota_configs = [], force = false } = call.update_quota ?? {};
        return await this.#updateQuota(quota_configs, force, by);
      }
      case 'SET_QUOTA':
        return await this.setQuota(call.set_quota?.quota_request ?? {}, by);
      case 'REMOVE_QUOTA':
        return await this.removeQuota(call.remove_quota?.role ?? '', by);
      default: {
        const asked = operationOf(call);
        return asked === undefined ? undefined : this.operate(asked, by);
      }
    }
  }

  /** Done when what it persists is durable and in effect. */
  async decide(decision: (core: MasterCore) => Refusal | undefined): Promise<ActionOutcome> {
    const { core } = this.#shell;
    const outcome = core.decide(() => decision(core));
    if ('status' in outcome) return outcome;
    await this.#shell.performDurably(outcome);
    return done;
  }

  /** 202: the agent is told; what became of it is seen in GET_OPERATIONS and the agent's total. */
  operate({ agentId, operation }: AskedOperation, by: OperatorIdentity): ActionOutcome {
    const outcome = this.#shell.core.operate(agentId, operation, by, this.#shell.now);
    if ('status' in outcome) return outcome;
    this.#shell.perform(outcome);
    return { status: 202, message: '' };
  }

  async updateSchedule(
    schedule: MaintenanceSchedule,
    by: OperatorIdentity,
  ): Promise<ActionOutcome> {
    const isAllowed = by.approvers.may('UPDATE_MAINTENANCE_SCHEDULE');
    return await this.decide((core) => core.maintenance.update(schedule, isAllowed));
  }

  async startMaintenance(
    machines: readonly MachineID[],
    by: OperatorIdentity,
  ): Promise<ActionOutcome> {
    const isAllowed = by.approvers.may('START_MAINTENANCE');
    return await this.decide((core) => core.maintenance.start(machines, isAllowed));
  }

  async stopMaintenance(
    machines: readonly MachineID[],
    by: OperatorIdentity,
  ): Promise<ActionOutcome> {
    const isAllowed = by.approvers.may('STOP_MAINTENANCE');
    return await this.decide((core) => core.maintenance.stop(machines, isAllowed));
  }

  teardown(frameworkId: string, by: OperatorIdentity): ActionOutcome {
    const outcome = this.#shell.core.teardown(frameworkId, by.approvers, this.#shell.now);
    if ('status' in outcome) return outcome;
    this.#shell.perform(outcome);
    return done;
  }

  async updateWeights(infos: readonly WeightInfo[], by: OperatorIdentity): Promise<ActionOutcome> {
    const what = 'Failed to validate update weights request JSON';
    for (const { role = '', weight } of infos) {
      const wrong = validateRole(role.trim());
      if (wrong !== undefined) {
        return { status: 400, message: `${what}: Invalid role '${role.trim()}': ${wrong}` };
      }
      if (this.#shell.core.state.isUnlistedRole(role.trim())) {
        return { status: 400, message: `${what}: Unknown role '${role.trim()}'` };
      }
      if (!(weight > 0)) {
        const message = `${what} for role '${role}': Invalid weight '${weight}': Weights must be positive`;
        return { status: 400, message };
      }
    }
    const roles: (string | undefined)[] = infos.map(({ role = '' }) => role.trim());
    const asked = roles.length === 0 ? [undefined] : roles;
    if (!asked.every((role) => by.approvers.may('UPDATE_WEIGHT', role))) return FORBIDDEN;
    const weights = infos.map(({ role = '', weight }) => ({ role: role.trim(), weight }));
    await this.#shell.setWeights(weights);
    return done;
  }

  async #updateQuota(
    configs: readonly QuotaConfig[],
    isForced: boolean,
    by: OperatorIdentity,
  ): Promise<ActionOutcome> {
    const refusal = this.#shell.core.quotas.refusedUpdate(configs, isForced);
    if (refusal !== undefined) return refusal;
    if (!configs.every(({ role }) => by.approvers.may('UPDATE_QUOTA', role))) return FORBIDDEN;
    await this.#shell.setQuotas(configs);
    return done;
  }

  /** SET_QUOTA and POST /quota */
  async setQuota(request: QuotaRequest, by: OperatorIdentity): Promise<ActionOutcome> {
    const mayUpdate = (role: string): boolean => by.approvers.may('UPDATE_QUOTA', role);
    const checked = this.#shell.core.quotas.refusedRequest(request, mayUpdate);
    if ('status' in checked) return checked;
    await this.#shell.setQuotas([checked]);
    return done;
  }

  /** REMOVE_QUOTA and DELETE /quota */
  async removeQuota(role: string, by: OperatorIdentity, where?: string): Promise<ActionOutcome> {
    const refusal = this.#shell.core.quotas.refusedRemoval(role, where);
    if (refusal !== undefined) return refusal;
    if (!by.approvers.may('UPDATE_QUOTA', role)) return FORBIDDEN;
    await this.#shell.removeQuota(role);
    return done;
  }

  #setLoggingLevel(call: MasterCall): ActionOutcome {
    const { level = 0, duration } = call.set_logging_level ?? {};
    this.#logging.toggle(level, (duration?.nanoseconds ?? 0) / 1e6);
    return done;
  }
}
