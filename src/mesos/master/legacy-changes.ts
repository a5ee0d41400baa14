// The older endpoints that change something: weights, quota, maintenance, machines, teardown,
// reservations and volumes. Bodies are forms or JSON; refusals are in the words of Mesos 1.11.
import { faultCode } from '#base/fault.ts';
import type { Approvers } from '#mesos/security/authorizer.ts';
import { fromJson, toJson } from '#wire/mesos/codec.ts';
import type { MachineID, MaintenanceSchedule, QuotaStatus, WeightInfo } from '#wire/mesos/v1.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { readForm, readJson, readList, why } from './form-json.ts';
import {
  bodyRefusal,
  readBody,
  refuse,
  refuseMethod,
  sendJson,
} from '#mesos/libprocess/negotiate.ts';
import type { ActionOutcome, OperatorActions } from './operator-actions.ts';
import { operationEndpoints, operationOfForm } from './operator-operations.ts';
import { methodsOf } from './routes.ts';
import type { MasterShell } from './shell.ts';
import type { OperatorIdentity } from './types.ts';
import { Visible } from './visible.ts';

/** `whole`: the path that was asked for, with what stands behind the endpoint's own. */
interface Asked {
  readonly path: string;
  readonly method: string;
  readonly whole: string;
  readonly body: string;
}

function bad(message: string): ActionOutcome {
  return { status: 400, message };
}

export class LegacyChanges {
  readonly #shell: MasterShell;
  readonly #actions: OperatorActions;

  constructor(shell: MasterShell, actions: OperatorActions) {
    this.#shell = shell;
    this.#actions = actions;
  }

  /** `path` is one of `changingPaths`, `whole` what was asked for, with what stands behind it. */
  async handle(
    path: string,
    whole: string,
    query: URLSearchParams,
    exchange: Exchange,
  ): Promise<void> {
    const { request, response } = exchange;
    const by = this.#shell.core.state.operatorOf(exchange.principal);
    const methods = methodsOf[path] ?? [];
    const { method = '' } = request;
    if (!methods.includes(method)) {
      request.resume();
      refuseMethod(request, response, methods);
      return;
    }
    const body = await readBody(request).then(String, bodyRefusal);
    if (typeof body === 'object') {
      refuse(response, body.status, body.message);
      return;
    }
    if (method === 'GET') {
      sendJson(exchange, query, this.#view(path, by.approvers));
      return;
    }
    const outcome = await this.#change({ path, method, whole, body }, by);
    if (outcome.message !== '') refuse(response, outcome.status, outcome.message);
    else response.writeHead(outcome.status, { 'Content-Length': 0 }).end();
  }

  #view(path: string, approvers: Approvers): unknown {
    const { core } = this.#shell;
    switch (path) {
      case '/weights': {
        const all = core.state.allocator.weights();
        return all.filter(({ role }) => approvers.may('VIEW_ROLE', role));
      }
      case '/quota':
        return toJson('QuotaStatus', this.#quotas(approvers));
      case '/maintenance/schedule': {
        const isSeen = approvers.may('GET_MAINTENANCE_SCHEDULE');
        return toJson('MaintenanceSchedule', isSeen ? core.maintenance.schedule : {});
      }
      default: {
        const isSeen = approvers.may('GET_MAINTENANCE_STATUS');
        return toJson('MaintenanceClusterStatus', isSeen ? core.maintenance.status() : {});
      }
    }
  }

  #quotas(approvers: Approvers): QuotaStatus {
    const { quotas, state } = this.#shell.core;
    return new Visible(state, approvers).quota(quotas.status());
  }

  async #change(asked: Asked, by: OperatorIdentity): Promise<ActionOutcome> {
    const { path, method, whole, body } = asked;
    if (operationEndpoints.has(path)) {
      const form = operationOfForm(path, body);
      return typeof form === 'string' ? bad(form) : this.#actions.operate(form, by);
    }
    switch (path) {
      case '/weights':
        return await this.#weights(body, by);
      case '/quota':
        return method === 'POST'
          ? await this.#setQuota(body, by)
          : await this.#removeQuota(whole, by);
      case '/maintenance/schedule':
        return await this.#schedule(body, by);
      case '/machine/down':
      case '/machine/up':
        return await this.#machines(path, body, by);
      default:
        return this.#teardown(body, by);
    }
  }

  #teardown(body: string, by: OperatorIdentity): ActionOutcome {
    const form = readForm(body);
    if ('wrong' in form) return bad(form.wrong);
    const id = form.value.get('frameworkId');
    if (id === null) return bad("Missing 'frameworkId' query parameter in the request body");
    return this.#actions.teardown(id, by);
  }

  async #weights(body: string, by: OperatorIdentity): Promise<ActionOutcome> {
    const json = readJson(body);
    if ('wrong' in json) {
      return bad(`Failed to parse update weights request JSON '${body}': ${json.wrong}`);
    }
    if (!Array.isArray(json.value)) {
      const message = `Failed to parse update weights request JSON '${body}': Unexpected JSON type parsed`;
      return bad(message);
    }
    const list = readList<WeightInfo>(body, (one) => fromJson('WeightInfo', one));
    if ('wrong' in list) {
      const what = 'Failed to convert weights JSON array to protobuf';
      return bad(`${what} '${body}': ${list.wrong}`);
    }
    return await this.#actions.updateWeights(list.value, by);
  }

  async #setQuota(body: string, by: OperatorIdentity): Promise<ActionOutcome> {
    const json = readJson(body);
    const isObject =
      'value' in json &&
      typeof json.value === 'object' &&
      json.value !== null &&
      !Array.isArray(json.value);
    if (!isObject) {
      const wrong = 'wrong' in json ? json.wrong : 'Unexpected JSON type parsed';
      return bad(`Failed to parse set quota request JSON '${body}': ${wrong}`);
    }
    try {
      return await this.#actions.setQuota(
        { role: '', ...fromJson('QuotaRequest', json.value) },
        by,
      );
    } catch (error) {
      if (faultCode(error) === undefined) throw error;
      return bad(`Failed to convert set quota request JSON '${body}' to protobuf: ${why(error)}`);
    }
  }

  /** The role is the rest of the path. */
  async #removeQuota(whole: string, by: OperatorIdentity): Promise<ActionOutcome> {
    const shown = whole.startsWith('/master/') ? whole : `/master${whole}`;
    const tokens = shown.split('/').filter(Boolean);
    if (tokens.length < 3) {
      const count = `expected 3 tokens, found ${tokens.length} tokens`;
      return bad(`Failed to parse remove quota request for path '${shown}': ${count}`);
    }
    const role = decodeURIComponent(tokens.slice(2).join('/'));
    if (this.#shell.core.state.isUnlistedRole(role)) {
      return bad(
        `Failed to validate remove quota request for path '${shown}': Unknown role '${role}'`,
      );
    }
    return await this.#actions.removeQuota(role, by, `Failed to remove quota for path '${shown}'`);
  }

  async #schedule(body: string, by: OperatorIdentity): Promise<ActionOutcome> {
    const json = readJson(body);
    if ('wrong' in json) return bad(json.wrong);
    const isObject =
      typeof json.value === 'object' && json.value !== null && !Array.isArray(json.value);
    if (!isObject) return bad('Unexpected JSON type parsed');
    let schedule: MaintenanceSchedule;
    try {
      schedule = fromJson('MaintenanceSchedule', json.value);
    } catch (error) {
      if (faultCode(error) === undefined) throw error;
      return bad(why(error));
    }
    return await this.#actions.updateSchedule(schedule, by);
  }

  async #machines(path: string, body: string, by: OperatorIdentity): Promise<ActionOutcome> {
    const list = readList<MachineID>(body, (one) => fromJson('MachineID', one));
    if ('wrong' in list) return bad(list.wrong);
    return await (path === '/machine/down'
      ? this.#actions.startMaintenance(list.value, by)
      : this.#actions.stopMaintenance(list.value, by));
  }
}
