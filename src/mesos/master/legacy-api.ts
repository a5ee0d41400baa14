// The older endpoints that read: /state, /slaves, /tasks, /roles and so on, as public clients and
// dashboards read them. JSON (or JSON-P); what they show is built in legacy-views.ts.
import { parseNumber } from './durations.ts';
import type { Exchange } from './exchange.ts';
import { withDefaults } from './flags.ts';
import { Ledger } from './ledger.ts';
import {
  agentsJson,
  frameworksJson,
  rolesJson,
  stateJson,
  summaryJson,
  tasksJson,
} from './legacy-views.ts';
import { jsonBytes, jsonType, refuse, sendBytes } from './negotiate.ts';
import { SharedViews } from './shared-views.ts';
import type { MasterShell } from './shell.ts';

const TASKS_LIMIT_DEFAULT = 100;

/** Who waits for a view, and the content type of it. */
interface Asker {
  readonly exchange: Exchange;
  readonly type: string;
}

/** What is no whole number counts as not given, as in Mesos. */
function wholeNumber(text: string | null, otherwise: number): number {
  const parsed = parseNumber(text ?? '');
  return parsed.ok && Number.isInteger(parsed.value) && parsed.value >= 0
    ? parsed.value
    : otherwise;
}

export const readingPaths: ReadonlySet<string> = new Set([
  '/state',
  '/state-summary',
  '/slaves',
  '/frameworks',
  '/tasks',
  '/roles',
  '/flags',
]);

export class LegacyApi {
  readonly #shell: MasterShell;
  readonly #flags: Readonly<Record<string, string>>;
  readonly #views: SharedViews<Asker>;

  constructor(shell: MasterShell, flags: Readonly<Record<string, string>>) {
    this.#shell = shell;
    this.#flags = withDefaults(flags);
    this.#views = new SharedViews<Asker>(
      shell.env,
      ({ exchange, type }, bytes) => sendBytes(exchange, bytes, type),
      ({ exchange }, error) => {
        shell.env.log.error('A view cannot be built', { url: exchange.request.url, error });
        refuse(exchange.response, 500, error instanceof Error ? error.message : String(error));
      },
    );
  }

  get flags(): Readonly<Record<string, string>> {
    return this.#flags;
  }

  /** `path` is one of `readingPaths`. */
  handle(path: string, query: URLSearchParams, exchange: Exchange): void {
    exchange.request.resume();
    const asker = { exchange, type: jsonType(query) };
    const build = (): Buffer => jsonBytes(query, this.#view(path, query));
    if (this.#views.ask(`${path}?${query}`, asker, build)) {
      this.#shell.core.state.count('http_cache_hits');
    }
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
        return this.#tasks(query);
      case '/roles':
        return { roles: rolesJson(state, core.quotas, new Ledger(state)) };
      default:
        return { flags: this.#flags };
    }
  }

  #tasks(query: URLSearchParams): unknown {
    return tasksJson(this.#shell.core.state, {
      limit: wholeNumber(query.get('limit'), TASKS_LIMIT_DEFAULT),
      offset: wholeNumber(query.get('offset'), 0),
      frameworkId: query.get('framework_id') ?? undefined,
      taskId: query.get('task_id') ?? undefined,
      order: query.get('order') === 'asc' ? 'asc' : 'desc',
    });
  }
}
