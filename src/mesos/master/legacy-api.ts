// The older endpoints: /state, /slaves, /metrics/snapshot and so on, as public clients and
// dashboards read them. JSON (or JSON-P); what they show is built in legacy-json.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { fromJson } from '#wire/mesos/codec.ts';
import type { QuotaRequest } from '#wire/mesos/v1.ts';
import {
  agentJson,
  frameworkJson,
  rolesJson,
  stateJson,
  summaryJson,
  tasksJson,
} from './legacy-json.ts';
import { Ledger } from './ledger.ts';
import { metricsOf } from './metrics.ts';
import { readBody, refuse, refuseMethod, sendJson } from './negotiate.ts';
import { OperatorActions } from './operator-actions.ts';
import { operationEndpoints, operationOfForm } from './operator-operations.ts';
import type { MasterShell } from './shell.ts';

const TASKS_LIMIT_DEFAULT = 100;

/** Endpoints of Mesos that change something this master cannot change yet. */
const notServed: ReadonlySet<string> = new Set([
  '/maintenance/schedule',
  '/machine/down',
  '/machine/up',
]);

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

function quotaRequestOf(body: string): QuotaRequest | string {
  const because = (error: unknown): string => (error instanceof Error ? error.message : '');
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    return `Failed to parse set quota request JSON '${body}': ${because(error)}`;
  }
  try {
    return fromJson('QuotaRequest', json);
  } catch (error) {
    return `Failed to validate set quota request JSON '${body}': ${because(error)}`;
  }
}

/** What is no number counts as not given, as in Mesos. */
function wholeNumber(text: string | null, otherwise: number): number {
  const value = Number(text ?? otherwise);
  return Number.isInteger(value) && value >= 0 ? value : otherwise;
}

export class LegacyApi {
  readonly #shell: MasterShell;
  readonly #flags: Readonly<Record<string, string>>;
  readonly #actions: OperatorActions;

  constructor(shell: MasterShell, flags: Readonly<Record<string, string>>) {
    this.#shell = shell;
    this.#flags = flags;
    this.#actions = new OperatorActions(shell);
  }

  /** False when there is no such endpoint. */
  async handle(path: string, query: URLSearchParams, exchange: Exchange): Promise<boolean> {
    if (path === '/quota' || path.startsWith('/quota/')) {
      if (await this.#quota(path, exchange)) return true;
    }
    if (path === '/teardown' || path === '/weights' || operationEndpoints.has(path)) {
      await this.#change(path, query, exchange);
      return true;
    }
    const { request, response } = exchange;
    const isQuestion = request.method === 'GET' || request.method === 'HEAD';
    if (!isQuestion && notServed.has(path)) {
      request.resume();
      refuse(response, 501, `This master does not serve ${request.method} ${path}`);
      return true;
    }
    if (path === '/health' || path === '/redirect') {
      request.resume();
      const { options } = this.#shell;
      if (path === '/health') response.writeHead(200, { 'Content-Length': 0 }).end();
      else {
        const location = `//${options.hostname}:${options.port}`;
        response.writeHead(307, { Location: location, 'Content-Length': 0 }).end();
      }
      return true;
    }
    if (path === '/tasks') {
      this.#tasks(query, exchange);
      return true;
    }
    const value = this.#view(path, query);
    if (value === undefined) return false;
    request.resume();
    sendJson(exchange, query, value);
    return true;
  }

  #view(path: string, query: URLSearchParams): unknown {
    const { core, now } = this.#shell;
    const { state } = core;
    switch (path) {
      case '/state':
        return { ...stateJson(state), flags: this.#flags };
      case '/state-summary':
        return summaryJson(state);
      case '/slaves': {
        const ledger = new Ledger(state);
        const id = query.get('slave_id');
        const agents = [...state.agents.values()].filter((one) => id === null || one.id === id);
        const recovered_slaves = [...state.recovered.values()];
        return { slaves: agents.map((one) => agentJson(ledger, one)), recovered_slaves };
      }
      case '/frameworks': {
        const ledger = new Ledger(state);
        const id = query.get('framework_id');
        const chosen = (all: typeof state.frameworks) =>
          [...all.values()]
            .filter((one) => id === null || one.id === id)
            .map((one) => frameworkJson(state, ledger, one));
        return {
          frameworks: chosen(state.frameworks),
          completed_frameworks: chosen(state.completedFrameworks),
          unregistered_frameworks: [],
        };
      }
      case '/roles':
        return { roles: rolesJson(state) };
      case '/flags':
        return { flags: this.#flags };
      case '/version':
        return { version: state.options.version, build_date: '', build_time: 0, build_user: '' };
      case '/metrics/snapshot':
        return metricsOf(state, now);
      case '/quota':
        return core.quotas.status();
      case '/maintenance/schedule':
      case '/maintenance/status':
        // Nothing of the kind is set, because nothing can be set yet.
        return {};
      default:
        return undefined;
    }
  }

  #tasks(query: URLSearchParams, exchange: Exchange): void {
    exchange.request.resume();
    const limit = wholeNumber(query.get('limit'), TASKS_LIMIT_DEFAULT);
    const offset = wholeNumber(query.get('offset'), 0);
    const frameworkId = query.get('framework_id') ?? undefined;
    const taskId = query.get('task_id') ?? undefined;
    const order = query.get('order') === 'asc' ? 'asc' : 'desc';
    const { state } = this.#shell.core;
    sendJson(exchange, query, tasksJson(state, { limit, offset, order, frameworkId, taskId }));
  }

  /** True when it was a change: POST of a QuotaRequest, or DELETE of a role's quota. */
  async #quota(path: string, exchange: Exchange): Promise<boolean> {
    const { request, response } = exchange;
    const { method = '' } = request;
    if (method === 'GET' || method === 'HEAD') return false;
    const body = (await readBody(request)).toString();
    if (method === 'DELETE') {
      const where = `Failed to remove quota for path '/master${path}'`;
      const role = path.slice('/quota/'.length);
      const outcome =
        role === ''
          ? {
              status: 400,
              message: `Failed to parse remove quota request for path '/master${path}': expected 3 tokens, found 2 tokens`,
            }
          : await this.#actions.removeQuota(role, where);
      refuse(response, outcome.status, outcome.message);
    } else if (method === 'POST') {
      const asked = quotaRequestOf(body);
      const outcome =
        typeof asked === 'string'
          ? { status: 400, message: asked }
          : await this.#actions.setQuota(asked);
      refuse(response, outcome.status, outcome.message);
    } else refuseMethod(request, response, ['GET', 'POST', 'DELETE']);
    return true;
  }

  async #change(path: string, query: URLSearchParams, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const { method = '' } = request;
    const methods = path === '/weights' ? ['GET', 'PUT'] : ['POST'];
    if (!methods.includes(method)) {
      request.resume();
      refuseMethod(request, response, methods);
      return;
    }
    const body = await readBody(request);
    if (operationEndpoints.has(path)) {
      const asked = operationOfForm(path, body.toString());
      const outcome =
        typeof asked === 'string' ? { status: 400, message: asked } : this.#actions.operate(asked);
      refuse(response, outcome.status, outcome.message);
      return;
    }
    if (path === '/teardown') {
      const id = new URLSearchParams(body.toString()).get('frameworkId');
      const outcome =
        id === null
          ? { status: 400, message: "Missing 'frameworkId' query parameter in the request body" }
          : this.#actions.teardown(id);
      refuse(response, outcome.status, outcome.message);
      return;
    }
    if (method === 'GET') {
      sendJson(exchange, query, this.#shell.core.state.allocator.weights());
      return;
    }
    let infos: unknown;
    try {
      infos = JSON.parse(body.toString());
    } catch {
      infos = undefined;
    }
    if (!Array.isArray(infos)) {
      refuse(response, 400, 'Failed to parse update weights request JSON');
      return;
    }
    const outcome = await this.#actions.updateWeights(infos);
    refuse(response, outcome.status, outcome.message);
  }
}
