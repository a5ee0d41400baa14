// What a master answers while another one leads, or nobody does (inventory sections 1 and 6): its own health,
// version, flags and metrics; for all else where the leader is. libprocess messages are for leaders only.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MasterInfo } from '#wire/mesos/v1.ts';
import { refuse, sendBytes } from './negotiate.ts';

export interface StandbyView {
  readonly version: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly startedAt: number;
  readonly now: () => number;
  /** Undefined: nobody leads, as far as is known. */
  readonly leader: () => MasterInfo | undefined;
  /** It is this master's turn, and it is reading the registry. */
  readonly isRecovering: () => boolean;
}

export class StandbyHttp {
  readonly #view: StandbyView;
  constructor(view: StandbyView) {
    this.#view = view;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    request.resume();
    let path: string;
    try {
      path = decodeURIComponent(new URL(request.url ?? '/', 'http://master').pathname);
    } catch {
      refuse(response, 400, 'Failed to decode the request path');
      return;
    }
    const own = path.replace(/\/+$/, '').replace(/^\/master(?=\/|$)/, '');
    if (request.headers['libprocess-from'] !== undefined || isLibprocess(request)) {
      response.writeHead(202, { 'Content-Length': 0 }).end();
    } else if (own === '/health') response.writeHead(200, { 'Content-Length': 0 }).end();
    else {
      const value = this.#own(own);
      if (value === undefined) this.#redirect(request, response, own);
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
        return { version, build_date: '', build_time: 0, build_user: '' };
      case '/flags':
        return { flags };
      case '/metrics/snapshot':
        return { 'master/elected': 0, 'master/uptime_secs': (now() - startedAt) / 1_000 };
      default:
        return undefined;
    }
  }

  #redirect(request: IncomingMessage, response: ServerResponse, path: string): void {
    if (path.startsWith('/redirect/')) {
      refuse(response, 404, '404 Not Found.');
      return;
    }
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
    const Location = path === '/redirect' ? base : base + (request.url ?? '/');
    response.writeHead(307, { Location, 'Content-Length': 0 }).end();
  }
}

function isLibprocess({ headers }: IncomingMessage): boolean {
  return headers['user-agent']?.startsWith('libprocess/') === true;
}
