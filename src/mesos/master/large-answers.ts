// The reading endpoints whose answers grow with the cluster: out of kept texts for callers who may see
// everything, built whole and cut down for all others; shared by those who ask at the same time.
import type { Timer } from '#env/env.ts';
import type { MasterCall } from '#wire/mesos/v1.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { KeptAnswers } from './kept-answers.ts';
import { KeptLegacy } from './kept-legacy.ts';
import { KeptViews } from './kept-views.ts';
import type { TasksQuery } from './legacy-views.ts';
import { jsonType, refuse, type ContentType } from '#mesos/libprocess/negotiate.ts';
import { sendRope } from './rope-answer.ts';
import { Rope } from './rope.ts';
import { SharedViews, type View } from './shared-views.ts';
import type { MasterShell } from './shell.ts';

/** Nobody having read for so long, nothing is kept. */
const REST_MS = 10 * 60_000;
/** Fewer tasks are chosen and written faster than all texts are gone through. */
const PAGE_TASKS = 1_000;

/** Who waits for a view, and the content type of it. */
interface Asker {
  readonly exchange: Exchange;
  readonly type: string;
}

export class LargeAnswers {
  readonly #shell: MasterShell;
  readonly #shared: SharedViews<Asker>;
  readonly #kept: KeptViews;
  readonly #legacy: KeptLegacy;
  readonly #answers: KeptAnswers;
  #rest: Timer | undefined;
  #readAt = 0;

  constructor(shell: MasterShell, flags: Readonly<Record<string, string>>) {
    this.#shell = shell;
    this.#kept = new KeptViews(shell.core);
    this.#legacy = new KeptLegacy(this.#kept, flags);
    this.#answers = new KeptAnswers(this.#kept);
    this.#shared = new SharedViews<Asker>(
      shell.env,
      ({ exchange, type }, rope) => sendRope(exchange, rope, type),
      ({ exchange }, error) => {
        shell.env.log.error('A view cannot be built', { url: exchange.request.url, error });
        refuse(exchange.response, 500, error instanceof Error ? error.message : String(error));
      },
    );
  }

  /** A kept view of an older endpoint, as it is asked for; undefined: there is none. */
  legacy(path: string, query: URLSearchParams, tasks: () => TasksQuery): View | undefined {
    switch (path) {
      case '/state':
        return this.#legacy.state();
      case '/state-summary':
        return this.#legacy.summary();
      case '/slaves':
        return query.has('slave_id') ? undefined : this.#legacy.slaves();
      case '/frameworks':
        return query.has('framework_id') ? undefined : this.#legacy.frameworks();
      case '/tasks': {
        const asked = tasks();
        const isChosen = asked.frameworkId !== undefined || asked.taskId !== undefined;
        return isChosen || asked.limit < PAGE_TASKS ? undefined : this.#legacy.tasks(asked);
      }
      default:
        return undefined;
    }
  }

  /** JSON, or JSON-P where `jsonp` names a function; `viewer`: who may not share it with others. */
  sendJson(
    path: string,
    query: URLSearchParams,
    exchange: Exchange,
    { view, viewer }: { readonly view: View; readonly viewer: string },
  ): void {
    const jsonp = query.get('jsonp');
    const named: View = {
      refresh: (isOver) => view.refresh(isOver),
      compose: () => {
        const rope = view.compose();
        return jsonp === null ? rope : new Rope().text(`${jsonp}(`).rope(rope).text(')');
      },
    };
    this.#ask(`${viewer}${path}?${query}`, { exchange, type: jsonType(query) }, named);
  }

  /** False for calls whose answers are small. */
  answer(call: MasterCall, exchange: Exchange, type: ContentType): boolean {
    const view = this.#answers.view(call, type);
    if (view === undefined) return false;
    this.#ask(`${type} ${call.type}`, { exchange, type }, view);
    return true;
  }

  close(): void {
    this.#rest?.cancel();
    this.#forget();
  }

  #forget(): void {
    this.#kept.rest();
    this.#legacy.rest();
  }

  #ask(key: string, asker: Asker, view: View): void {
    const { core, env } = this.#shell;
    this.#readAt = env.clock.monotonicMs();
    this.#restLater(REST_MS);
    const packed: View = { ...view, compose: () => view.compose().packed() };
    if (this.#shared.ask(key, asker, packed)) core.state.count('http_cache_hits');
  }

  #restLater(ms: number): void {
    if (this.#rest !== undefined) return;
    const { env } = this.#shell;
    this.#rest = env.timers.after(ms, () => {
      this.#rest = undefined;
      const left = this.#readAt + REST_MS - env.clock.monotonicMs();
      if (left > 0) this.#restLater(left);
      else this.#forget();
    });
  }
}
