// The v1 operator calls that change something: weights, quota, teardown of a framework, reservations
// and volumes. Answers with status and text; undefined for calls that only read or are not served.
import type { MasterCall, QuotaRequest, WeightInfo } from '#wire/mesos/v1.ts';
import { validateRole } from '#mesos/resources/role-names.ts';
import { operationOf, type AskedOperation } from './operator-operations.ts';
import type { MasterShell } from './shell.ts';

export interface ActionOutcome {
  readonly status: number;
  /** Empty when it was done. */
  readonly message: string;
}

const done: ActionOutcome = { status: 200, message: '' };

export class OperatorActions {
  readonly #shell: MasterShell;

  constructor(shell: MasterShell) {
    this.#shell = shell;
  }

  async perform(call: MasterCall): Promise<ActionOutcome | undefined> {
    switch (call.type) {
      case 'TEARDOWN':
        return this.teardown(call.teardown?.framework_id.value ?? '');
      case 'UPDATE_WEIGHTS':
        return await this.updateWeights(call.update_weights?.weight_infos ?? []);
      case 'UPDATE_QUOTA': {
        const { quota_configs = [], force = false } = call.update_quota ?? {};
        const refused = this.#shell.core.quotas.refusedUpdate(quota_configs, force);
        if (refused !== undefined) return refused;
        await this.#shell.setQuotas(quota_configs);
        return done;
      }
      case 'SET_QUOTA':
        return await this.setQuota(call.set_quota?.quota_request ?? {});
      case 'REMOVE_QUOTA':
        return await this.removeQuota(call.remove_quota?.role ?? '', 'Failed to remove quota');
      case 'SET_LOGGING_LEVEL':
        return {
          status: 501,
          message: 'The logging level is set by STRATA_LOG_LEVEL at the start',
        };
      default: {
        const asked = operationOf(call);
        return asked === undefined ? undefined : this.operate(asked);
      }
    }
  }

  /** 202: the agent is told; what became of it is seen in GET_OPERATIONS and the agent's total. */
  operate({ agentId, operation }: AskedOperation): ActionOutcome {
    const outcome = this.#shell.core.operate(agentId, operation, undefined, this.#shell.now);
    if ('status' in outcome) return outcome;
    this.#shell.perform(outcome);
    return { status: 202, message: '' };
  }

  /** Guarantees that are limits as well; older than UPDATE_QUOTA, as is its removal. */
  async setQuota(request: QuotaRequest): Promise<ActionOutcome> {
    const outcome = this.#shell.core.quotas.refusedRequest(request);
    if ('status' in outcome) return outcome;
    await this.#shell.setQuotas([outcome]);
    return done;
  }

  /** `what` opens the message of a refusal. */
  async removeQuota(role: string, what: string): Promise<ActionOutcome> {
    const refused = this.#shell.core.quotas.refusedRemoval(role, what);
    if (refused !== undefined) return refused;
    await this.#shell.removeQuota(role);
    return done;
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
    for (const { role, weight } of infos) {
      const wrong = validateRole(role ?? '');
      if (wrong !== undefined) {
        return { status: 400, message: `${what}: Invalid role '${role}': ${wrong}` };
      }
      if (!(weight > 0)) {
        const message = `${what} for role '${role}': Invalid weight '${weight}': Weights must be positive`;
        return { status: 400, message };
      }
    }
    for (const { role, weight } of infos) {
      await this.#shell.setWeight(role ?? '*', weight);
    }
    return done;
  }
}
