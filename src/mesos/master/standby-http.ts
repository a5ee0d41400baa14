// What a master answers while another one leads, or nobody does (inventory sections 1 and 6): its own health,
// version, flags and metrics; for all else where the leader is. libprocess messages are for leaders only.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { authorizablePaths } from '#mesos/security/acls.ts';
import type { Approvers, Authorizer } from '#mesos/security/authorizer.ts';
import type { Authentication } from '#mesos/security/authentication.ts';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import { refuse, sendBytes } from './negotiate.ts';
import { buildInfo } from './version.ts';
import { disabledText, type DisabledEndpoints } from '#mesos/security/firewall.ts';
import { realmOf } from './realms.ts';
import { absolutePath, routeOf } from './routes.ts';
import { readTarget } from './target.ts';
import { FORBIDDEN } from './types.ts';
import { WebUi } from './web-ui.ts';

export interface StandbyView {
  readonly version: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly startedAt: number;
  readonly now: () => number;
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

export class StandbyHttp {
  readonly #view: StandbyView;
  readonly #webUi: WebUi;

  constructor(view: StandbyView) {
    this.#view = view;
    this.#webUi = new WebUi(view.webUiFolder);
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
    const { pathname, whole } = target;
    const path = routeOf(pathname);
    const paths = [absolutePath(pathname), absolutePath(path ?? pathname)];
    const disabled = disabledText(this.#view.disabled, ...paths);
    if (disabled !== undefined) refuse(response, 403, disabled);
    else if (path !== undefined) await this.#answer({ path, whole }, request, response);
    else if (!(await this.#webUi.handle(pathname, response))) {
      refuse(response, 404, '404 Not Found.');
    }
  }

  async #answer(
    { path, whole }: { readonly path: string; readonly whole: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const who = await this.#view.authentication.identify(realmOf(path), request.headers);
    if ('refusal' in who) {
      refuse(response, who.refusal.status, who.refusal.message, who.refusal.headers);
      return;
    }
    if (!mayRead(path, this.#view.authorizer.of(who.principal))) {
      refuse(response, FORBIDDEN.status, FORBIDDEN.message);
    } else if (path === '/health') response.writeHead(200, { 'Content-Length': 0 }).end();
    else {
      const value = this.#own(path);
      if (value === undefined) this.#redirect(response, path === '/redirect' ? '' : whole);
      else {
        const bytes = Buffer.from(JSON.stringify(value));
        sendBytes({ request, response }, bytes, 'application/json');
      }
    }
  }

  #own(path: string): unknown {
    const { version, flags, startedAt, now } = this.#view;
    switch (path) {
      case '/version':
        return { version, ...buildInfo };
      case '/flags':
        return { flags };
      case '/metrics/snapshot':
        return { 'master/elected': 0, 'master/uptime_secs': (now() - startedAt) / 1_000 };
      default:
        return undefined;
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

/** What it answers itself is as guarded as the leader's. */
function mayRead(path: string, approvers: Approvers): boolean {
  if (path === '/flags') return approvers.may('VIEW_FLAGS');
  return !authorizablePaths.has(path) || approvers.may('GET_ENDPOINT_WITH_PATH', path);
}

function isLibprocess({ headers }: IncomingMessage): boolean {
  return headers['user-agent']?.startsWith('libprocess/') === true;
}
