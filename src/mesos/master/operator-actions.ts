// The v1 operator calls that change something. Answers with status and text; undefined for calls
// that only read.
import { validateRole } from '#mesos/resources/role-names.ts';
import type {
  DrainConfig,
  MasterCall,
  MasterCall_DrainAgent,
  QuotaConfig,
  QuotaRequest,
  WeightInfo,
} from '#wire/mesos/v1.ts';
import type { MasterCore } from './core.ts';
import type { LogToggle } from './log-level.ts';
import { operationOf, type AskedOperation } from './operator-operations.ts';
import type { MasterShell } from './shell.ts';
import type { Refusal } from './types.ts';

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

  async perform(call: MasterCall): Promise<ActionOutcome | undefined> {
    const { now } = this.#shell;
    switch (call.type) {
      case 'TEARDOWN':
        return this.teardown(call.teardown?.framework_id.value ?? '');
      case 'UPDATE_WEIGHTS':
        return await this.updateWeights(call.update_weights?.weight_infos ?? []);
      case 'SET_LOGGING_LEVEL':
        return this.#setLoggingLevel(call);
      case 'UPDATE_MAINTENANCE_SCHEDULE': {
        const schedule = call.update_maintenance_schedule?.schedule ?? {};
        return await this.decide((core) => core.maintenance.update(schedule));
      }
      case 'START_MAINTENANCE': {
        const machines = call.start_maintenance?.machines ?? [];
        return await this.decide((core) => core.maintenance.start(machines));
      }
      case 'STOP_MAINTENANCE': {
        const machines = call.stop_maintenance?.machines ?? [];
        return await this.decide((core) => core.maintenance.stop(machines));
      }
      case 'DRAIN_AGENT': {
        const drain = call.drain_agent ?? { agent_id: { value: '' } };
        const config = drainConfig(drain);
        return await this.decide((core) => core.lifecycle.drain(drain.agent_id.value, config));
      }
      case 'DEACTIVATE_AGENT': {
        const id = call.deactivate_agent?.agent_id.value ?? '';
        return await this.decide((core) => core.lifecycle.deactivate(id));
      }
      case 'REACTIVATE_AGENT': {
        const id = call.reactivate_agent?.agent_id.value ?? '';
        return await this.decide((core) => core.lifecycle.reactivate(id));
      }
      case 'MARK_AGENT_GONE': {
        const id = call.mark_agent_gone?.agent_id.value ?? '';
        return await this.decide((core) => core.lifecycle.markGone(id, now));
      }
      case 'UPDATE_QUOTA': {
        const { quota_configs = [], force = false } = call.update_quota ?? {};
        return await this.#updateQuota(quota_configs, force);
      }
      case 'SET_QUOTA':
        return await this.setQuota(call.set_quota?.quota_request ?? {});
      case 'REMOVE_QUOTA':
        return await this.removeQuota(call.remove_quota?.role ?? '');
      default: {
        const asked = operationOf(call);
        return asked === undefined ? undefined : this.operate(asked);
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
  operate({ agentId, operation }: AskedOperation): ActionOutcome {
    const outcome = this.#shell.core.operate(agentId, operation, undefined, this.#shell.now);
    if ('status' in outcome) return outcome;
    this.#shell.perform(outcome);
    return { status: 202, message: '' };
  }

  teardown(frameworkId: string): ActionOutcome {
    const effects = this.#shell.core.teardown(frameworkId, this.#shell.now);
    if (effects === undefined) {
      return { status: 400, message: 'No framework found with specified ID' };
    }
    this.#shell.perform(effects);
    return done;
  }

  async updateWeights(infos: readonly WeightInfo[]): Promise<ActionOutcome> {
    const what = 'Failed to validate update weights request JSON';
    for (const { role = '', weight } of infos) {
      const wrong = validateRole(role.trim());
      if (wrong !== undefined) {
        return { status: 400, message: `${what}: Invalid role '${role.trim()}': ${wrong}` };
      }
      if (!(weight > 0)) {
        const message = `${what} for role '${role}': Invalid weight '${weight}': Weights must be positive`;
        return { status: 400, message };
      }
    }
    for (const { role = '', weight } of infos) await this.#shell.setWeight(role.trim(), weight);
    return done;
  }

  async #updateQuota(configs: readonly QuotaConfig[], isForced: boolean): Promise<ActionOutcome> {
    const refusal = this.#shell.core.quotas.refusedUpdate(configs, isForced);
    if (refusal !== undefined) return refusal;
    await this.#shell.setQuotas(configs);
    return done;
  }

  /** SET_QUOTA and POST /quota */
  async setQuota(request: QuotaRequest): Promise<ActionOutcome> {
    const checked = this.#shell.core.quotas.refusedRequest(request);
    if ('status' in checked) return checked;
    await this.#shell.setQuotas([checked]);
    return done;
  }

  /** REMOVE_QUOTA and DELETE /quota */
  async removeQuota(role: string, where?: string): Promise<ActionOutcome> {
    const refusal = this.#shell.core.quotas.refusedRemoval(role, where);
    if (refusal !== undefined) return refusal;
    await this.#shell.removeQuota(role);
    return done;
  }

  #setLoggingLevel(call: MasterCall): ActionOutcome {
    const { level = 0, duration } = call.set_logging_level ?? {};
    this.#logging.toggle(level, (duration?.nanoseconds ?? 0) / 1e6);
    return done;
  }
}
