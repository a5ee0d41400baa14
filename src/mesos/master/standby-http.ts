// What a master answers while another one leads, or nobody does (inventory sections 1 and 6): its own health and flags,
// and what every libprocess program has (version, metrics, log, files); for all else where the leader is. libprocess
// messages are for leaders only.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Env } from '#env/env.ts';
import { LogToggle } from '#mesos/libprocess/log-toggle.ts';
import { systemMetrics } from '#mesos/libprocess/system-metrics.ts';
import type { Approvers, Authorizer } from '#mesos/security/authorizer.ts';
import type { Authentication } from '#mesos/security/authentication.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import { disabledText, type DisabledEndpoints } from '#mesos/security/firewall.ts';
import { MasterCore } from './core.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { AttachedFiles } from './files.ts';
import { metricsOf } from './metrics.ts';
import { refuse, sendJson } from '#mesos/libprocess/negotiate.ts';
import type { ProcessApi } from '#mesos/libprocess/process-api.ts';
import { processEndpoints } from './process-endpoints.ts';
import { realmOf } from './realms.ts';
import { absolutePath, ownPaths, routeOf } from './routes.ts';
import { readTarget, type Target } from '#mesos/libprocess/target.ts';
import { FORBIDDEN } from '#mesos/libprocess/refusal.ts';
import type { MasterOptions } from './types.ts';
import { WebUi } from './web-ui.ts';

export interface StandbyView {
  readonly options: MasterOptions;
  readonly flags: Readonly<Record<string, string>>;
  /** Name -> file behind it, as /files shows it. */
  readonly files: ReadonlyMap<string, string>;
  /** Operators asked for another verbosity of the log; 0 is that of the start. */
  readonly onVerbosity: (level: number) => void;
  /** Undefined: nobody leads, as far as is known. */
  readonly leader: () => MasterInfo | undefined;
  /** It is this master's turn, and it is reading the registry. */
  readonly isRecovering: () => boolean;
  /** Strangers are not even told who leads. */
  readonly authentication: Authentication;
  readonly authorizer: Authorizer;
  /** --firewall_rules */
  readonly disabled: DisabledEndpoints;
  /** --webui_dir: the UI asks the leader by itself. */
  readonly webUiFolder: string;
}

/** What only the shell of a leader counts. */
const resting: Readonly<Record<string, number>> = {
  'master/operator_event_stream_subscribers': 0,
  'master/event_queue_dispatches': 0,
  'master/event_queue_http_requests': 0,
  'master/event_queue_messages': 0,
  'allocator/event_queue_dispatches': 0,
  'allocator/mesos/event_queue_dispatches': 0,
  'allocator/mesos/allocation_runs': 0,
  'allocator/mesos/allocation_run_ms': 0,
  'allocator/mesos/allocation_run_latency_ms': 0,
  'registrar/queued_operations': 0,
  'registrar/registry_size_bytes': 0,
  'registrar/state_fetch_ms': 0,
  'registrar/state_store_ms': 0,
};

export class StandbyHttp {
  readonly #view: StandbyView;
  readonly #webUi: WebUi;
  readonly #logging: LogToggle;
  readonly #process: ProcessApi<Approvers>;

  constructor(view: StandbyView, env: Env) {
    this.#view = view;
    this.#webUi = new WebUi(view.webUiFolder);
    this.#logging = new LogToggle(env, view.onVerbosity);
    // It knows nobody: every name of a metric is there, as in Mesos.
    const nothing = { agents: [], unreachable: [], weights: [] };
    const core = new MasterCore(view.options, nothing, env.clock.now());
    this.#process = processEndpoints({
      version: view.options.version,
      files: new AttachedFiles(view.files),
      logging: this.#logging,
      metrics: () =>
        metricsOf(core, env.clock.now(), { ...resting, ...systemMetrics(), 'master/elected': 0 }),
      authorizer: view.authorizer,
    });
  }

  /** Another one answers from now on; what was asked of the log is over. */
  close(): void {
    this.#logging.toggle(0, 0);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    request.resume();
    if (request.headers['libprocess-from'] !== undefined || isLibprocess(request)) {
      response.writeHead(202, { 'Content-Length': 0 }).end();
      return;
    }
    this.#route(request, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : undefined);
    });
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = readTarget(request.url ?? '/');
    if ('status' in target) {
      refuse(response, target.status, target.message);
      return;
    }
    const { pathname } = target;
    const path = routeOf(pathname);
    const paths = [absolutePath(pathname), absolutePath(path ?? pathname)];
    const disabled = disabledText(this.#view.disabled, ...paths);
    if (disabled !== undefined) refuse(response, 403, disabled);
    else if (path !== undefined) {
      const who = await this.#view.authentication.identify(realmOf(path), request.headers);
      if ('refusal' in who) {
        refuse(response, who.refusal.status, who.refusal.message, who.refusal.headers);
      } else await this.#answer(path, target, { request, response, principal: who.principal });
    } else if (!(await this.#webUi.handle(pathname, response))) {
      refuse(response, 404, '404 Not Found.');
    }
  }

  /** What it answers itself is as guarded as the leader's. */
  async #answer(path: string, { query, whole }: Target, exchange: Exchange): Promise<void> {
    const { response, principal } = exchange;
    const { flags, authorizer } = this.#view;
    if (path === '/health') response.writeHead(200, { 'Content-Length': 0 }).end();
    else if (path === '/flags') {
      if (authorizer.of(principal).may('VIEW_FLAGS')) sendJson(exchange, query, { flags });
      else refuse(response, FORBIDDEN.status, FORBIDDEN.message);
    } else if (ownPaths.has(path) || !(await this.#process.handle(path, query, exchange))) {
      this.#redirect(response, path === '/redirect' ? '' : whole);
    }
  }

  /** `whole`: what was asked for, with its query. */
  #redirect(response: ServerResponse, whole: string): void {
    if (this.#view.isRecovering()) {
      refuse(response, 503, 'Master has not finished recovery');
      return;
    }
    const leader = this.#view.leader();
    if (leader === undefined) {
      refuse(response, 503, 'No leader elected');
      return;
    }
    const base = `//${leader.hostname ?? leader.address?.ip ?? ''}:${leader.port}`;
    response.writeHead(307, { Location: base + whole, 'Content-Length': 0 }).end();
  }
}

function isLibprocess({ headers }: IncomingMessage): boolean {
  return headers['user-agent']?.startsWith('libprocess/') === true;
}
