// The older endpoints that change something: weights, quota, maintenance, machines, teardown,
// reservations and volumes. Bodies are forms or JSON; refusals are in the words of Mesos 1.11.
import { faultCode } from '#base/fault.ts';
import { fromJson, toJson } from '#wire/mesos/codec.ts';
import type { MachineID, MaintenanceSchedule, WeightInfo } from '#wire/mesos/v1.ts';
import type { Exchange } from './exchange.ts';
import { readForm, readJson, readList, why } from './form-json.ts';
import { quotaJson } from './legacy-views.ts';
import { readBody, refuse, refuseMethod, sendJson } from './negotiate.ts';
import type { ActionOutcome, OperatorActions } from './operator-actions.ts';
import { operationEndpoints, operationOfForm } from './operator-operations.ts';
import type { MasterShell } from './shell.ts';

const methodsOf: Readonly<Record<string, readonly string[]>> = {
  '/weights': ['GET', 'PUT'],
  '/quota': ['GET', 'POST', 'DELETE'],
  '/maintenance/schedule': ['GET', 'POST'],
  '/maintenance/status': ['GET'],
  '/machine/down': ['POST'],
  '/machine/up': ['POST'],
  '/teardown': ['POST'],
  '/reserve': ['POST'],
  '/unreserve': ['POST'],
  '/create-volumes': ['POST'],
  '/destroy-volumes': ['POST'],
};

export const changingPaths: ReadonlySet<string> = new Set(Object.keys(methodsOf));

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
    const methods = methodsOf[path] ?? [];
    const { method = '' } = request;
    if (!methods.includes(method)) {
      request.resume();
      refuseMethod(request, response, methods);
      return;
    }
    const body = (await readBody(request)).toString();
    if (method === 'GET') {
      sendJson(exchange, query, this.#view(path));
      return;
    }
    const outcome = await this.#change(path, method, whole, body);
    if (outcome.message !== '') refuse(response, outcome.status, outcome.message);
    else response.writeHead(outcome.status, { 'Content-Length': 0 }).end();
  }

  #view(path: string): unknown {
    const { core } = this.#shell;
    switch (path) {
      case '/weights':
        return core.state.allocator.weights();
      case '/quota':
        return quotaJson(core.quotas);
      case '/maintenance/schedule':
        return toJson('MaintenanceSchedule', core.maintenance.schedule);
      default:
        return toJson('MaintenanceClusterStatus', core.maintenance.status());
    }
  }

  async #change(path: string, method: string, whole: string, body: string): Promise<ActionOutcome> {
    if (operationEndpoints.has(path)) {
      const asked = operationOfForm(path, body);
      return typeof asked === 'string' ? bad(asked) : this.#actions.operate(asked);
    }
    switch (path) {
      case '/weights':
        return await this.#weights(body);
      case '/quota':
        return method === 'POST' ? await this.#setQuota(body) : await this.#removeQuota(whole);
      case '/maintenance/schedule':
        return await this.#schedule(body);
      case '/machine/down':
      case '/machine/up':
        return await this.#machines(path, body);
      default:
        return this.#teardown(body);
    }
  }

  #teardown(body: string): ActionOutcome {
    const form = readForm(body);
    if ('wrong' in form) return bad(form.wrong);
    const id = form.value.get('frameworkId');
    if (id === null) return bad("Missing 'frameworkId' query parameter in the request body");
    return this.#actions.teardown(id);
  }

  async #weights(body: string): Promise<ActionOutcome> {
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
    return await this.#actions.updateWeights(list.value);
  }

  async #setQuota(body: string): Promise<ActionOutcome> {
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
      return await this.#actions.setQuota({ role: '', ...fromJson('QuotaRequest', json.value) });
    } catch (error) {
      if (faultCode(error) === undefined) throw error;
      return bad(`Failed to convert set quota request JSON '${body}' to protobuf: ${why(error)}`);
    }
  }

  /** The role is the rest of the path. */
  async #removeQuota(whole: string): Promise<ActionOutcome> {
    const shown = whole.startsWith('/master/') ? whole : `/master${whole}`;
    const tokens = shown.split('/').filter(Boolean);
    if (tokens.length < 3) {
      const count = `expected 3 tokens, found ${tokens.length} tokens`;
      return bad(`Failed to parse remove quota request for path '${shown}': ${count}`);
    }
    const role = decodeURIComponent(tokens.slice(2).join('/'));
    return await this.#actions.removeQuota(role, `Failed to remove quota for path '${shown}'`);
  }

  async #schedule(body: string): Promise<ActionOutcome> {
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
    return await this.#actions.decide((core) => core.maintenance.update(schedule));
  }

  async #machines(path: string, body: string): Promise<ActionOutcome> {
    const list = readList<MachineID>(body, (one) => fromJson('MachineID', one));
    if ('wrong' in list) return bad(list.wrong);
    return await this.#actions.decide((core) =>
      path === '/machine/down'
        ? core.maintenance.start(list.value)
        : core.maintenance.stop(list.value),
    );
  }
}
