// The older endpoints that read: /state, /slaves, /tasks, /roles and so on, as public clients and
// dashboards read them. JSON (or JSON-P); what they show is built in legacy-views.ts.
import type { Approvers } from '#mesos/security/authorizer.ts';
import type { MasterCall } from '#wire/mesos/v1.ts';
import { parseNumber } from '#mesos/libprocess/durations.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { withDefaults } from './flags.ts';
import { Ledger } from './ledger.ts';
import {
  agentsJson,
  frameworksJson,
  rolesJson,
  stateJson,
  summaryJson,
  tasksJson,
  type TasksQuery,
} from './legacy-views.ts';
import { LargeAnswers } from './large-answers.ts';
import { refuse, refuseMethod, type ContentType } from '#mesos/libprocess/negotiate.ts';
import type { Json } from './resource-json.ts';
import { Rope } from './rope.ts';
import type { View } from './shared-views.ts';
import type { MasterShell } from './shell.ts';
import { FORBIDDEN } from '#mesos/libprocess/refusal.ts';
import { VisibleLegacy } from './visible-legacy.ts';

const TASKS_LIMIT_DEFAULT = 100;

/** What is no whole number counts as not given, as in Mesos. */
function wholeNumber(text: string | null, otherwise: number): number {
  const parsed = parseNumber(text ?? '');
  return parsed.ok && Number.isInteger(parsed.value) && parsed.value >= 0
    ? parsed.value
    : otherwise;
}

export class LegacyApi {
  readonly #shell: MasterShell;
  readonly #flags: Readonly<Record<string, string>>;
  readonly #large: LargeAnswers;

  constructor(shell: MasterShell, flags: Readonly<Record<string, string>>) {
    this.#shell = shell;
    this.#flags = withDefaults(flags);
    this.#large = new LargeAnswers(shell, this.#flags);
  }

  get flags(): Readonly<Record<string, string>> {
    return this.#flags;
  }

  /** `path` is one of `readingPaths`. */
  handle(path: string, query: URLSearchParams, exchange: Exchange): void {
    const { request, response, principal } = exchange;
    request.resume();
    const { authorizer } = this.#shell.core.state;
    const approvers = authorizer.of(principal);
    if (path === '/flags' && !authorizer.isOpen && request.method !== 'GET') {
      refuseMethod(request, response, ['GET']);
      return;
    }
    if (path === '/flags' && !approvers.may('VIEW_FLAGS')) {
      refuse(response, FORBIDDEN.status, FORBIDDEN.message);
      return;
    }
    // Who sees all may share an answer; what others see depends on who they are.
    const viewer = approvers.seesAll ? '' : JSON.stringify(principal ?? null);
    const kept = approvers.seesAll
      ? this.#large.legacy(path, query, () => tasksQuery(query))
      : undefined;
    const view = kept ?? whole(() => this.#visible(path, query, approvers));
    this.#large.sendJson(path, query, exchange, { view, viewer });
  }

  /** A call of the v1 API whose answer is large; false: it is not. */
  answer(call: MasterCall, exchange: Exchange, type: ContentType): boolean {
    return this.#large.answer(call, exchange, type);
  }

  /** Ends what it has started. */
  close(): void {
    this.#large.close();
  }

  /** Cut down to what the caller may see. */
  #visible(path: string, query: URLSearchParams, approvers: Approvers): unknown {
    if (approvers.seesAll) return this.#view(path, query);
    const { state } = this.#shell.core;
    const visible = new VisibleLegacy(state, approvers);
    if (path !== '/tasks') return visible.view(path, this.#view(path, query) as Json);
    // Hidden tasks do not count for the page.
    const { limit, offset, ...chosen } = tasksQuery(query);
    const { tasks } = tasksJson(state, { ...chosen, limit: Infinity, offset: 0 });
    const seen = (tasks as Json[]).filter((task) => visible.task(task));
    return { tasks: seen.slice(offset, offset + limit) };
  }

  #view(path: string, query: URLSearchParams): unknown {
    const { core } = this.#shell;
    const { state } = core;
    switch (path) {
      case '/state':
        return stateJson(state, this.#flags);
      case '/state-summary':
        return summaryJson(state, this.#flags['cluster']);
      case '/slaves':
        return agentsJson(state, query.get('slave_id'));
      case '/frameworks':
        return frameworksJson(state, query.get('framework_id'));
      case '/tasks':
        return tasksJson(state, tasksQuery(query));
      case '/roles':
        return { roles: rolesJson(state, core.quotas, new Ledger(state)) };
      default:
        return { flags: this.#flags };
    }
  }
}

/** One that is built at once, afresh. */
function whole(build: () => unknown): View {
  return { refresh: () => true, compose: () => new Rope().text(JSON.stringify(build())) };
}

function tasksQuery(query: URLSearchParams): TasksQuery {
  return {
    limit: wholeNumber(query.get('limit'), TASKS_LIMIT_DEFAULT),
    offset: wholeNumber(query.get('offset'), 0),
    frameworkId: query.get('framework_id') ?? undefined,
    taskId: query.get('task_id') ?? undefined,
    order: query.get('order') === 'asc' ? 'asc' : 'desc',
  };
}
