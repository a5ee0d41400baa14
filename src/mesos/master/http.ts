// The master's HTTP server: libprocess messages, the v1 scheduler and operator APIs and the older
// endpoints on one port. Which request is which is decided here; shell.ts and the views answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MasterCall } from '#wire/mesos/v1.ts';
import { validateMasterCall, validateSchedulerCall } from './call-validation.ts';
import { allocatorAnswer } from './allocator-api.ts';
import { LegacyApi } from './legacy-api.ts';
import { acceptedType, readCall, refuse, sendJson, sendMessage } from './negotiate.ts';
import { answer } from './operator-answers.ts';
import { OperatorActions } from './operator-actions.ts';
import type { MasterShell } from './shell.ts';

const NOT_ACCEPTABLE = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";

export class MasterHttp {
  readonly #shell: MasterShell;
  readonly #legacy: LegacyApi;
  readonly #actions: OperatorActions;
  readonly #flags: Readonly<Record<string, string>>;

  constructor(shell: MasterShell, flags: Readonly<Record<string, string>> = {}) {
    this.#shell = shell;
    this.#flags = flags;
    this.#legacy = new LegacyApi(shell, flags);
    this.#actions = new OperatorActions(shell);
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    this.#route(request, response).catch((error: unknown) => {
      this.#shell.env.log.error('A request failed', { url: request.url, error });
      if (response.headersSent) response.destroy();
      else refuse(response, 500, error instanceof Error ? error.message : String(error));
    });
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let url: URL;
    try {
      if (this.#shell.libprocess.handle(request, response)) return;
      url = new URL(request.url ?? '/', 'http://master');
      decodeURIComponent(url.pathname);
    } catch {
      refuse(response, 400, 'Failed to decode the request path');
      return;
    }
    const path = routeOf(url.pathname);
    if (path === '/api/v1/scheduler') await this.#scheduler(request, response);
    else if (path === '/api/v1') await this.#operator(request, response);
    else if (this.#allocator(path, url.searchParams, { request, response })) return;
    else if (!(await this.#legacy.handle(path, url.searchParams, { request, response }))) {
      request.resume();
      refuse(response, 404, '404 Not Found.');
    }
  }

  #allocator(
    path: string,
    query: URLSearchParams,
    exchange: { request: IncomingMessage; response: ServerResponse },
  ): boolean {
    const { core, now } = this.#shell;
    const found = allocatorAnswer(path, query, core.state, now);
    if (found === undefined) return false;
    exchange.request.resume();
    if (found.status === 200) sendJson(exchange, query, found.value);
    else refuse(exchange.response, found.status, found.message);
    return true;
  }

  async #scheduler(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await readCall('SchedulerCall', request, response);
    if (call === undefined) return;
    const wrong = validateSchedulerCall(call);
    if (wrong !== undefined) {
      refuse(response, 400, `Failed to validate scheduler::Call: ${wrong}`);
      return;
    }
    const header = request.headers['mesos-stream-id'];
    const streamId = Array.isArray(header) ? header[0] : header;
    if (call.type === 'SUBSCRIBE') {
      const type = acceptedType(request);
      if (type === undefined) refuse(response, 406, NOT_ACCEPTABLE);
      else if (streamId !== undefined) {
        refuse(response, 400, "Subscribe calls should not include the 'Mesos-Stream-Id' header");
      } else this.#shell.subscribe(call, response, type);
      return;
    }
    const refusal = this.#shell.call(call, streamId);
    if (refusal !== undefined) {
      refuse(response, refusal.status, refusal.message);
      return;
    }
    const status = call.type === 'UPDATE_FRAMEWORK' ? 200 : 202;
    response.writeHead(status, { 'Content-Length': 0 }).end();
  }

  async #operator(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = await readCall('MasterCall', request, response);
    if (call === undefined) return;
    const wrong = validateMasterCall(call);
    if (wrong !== undefined) {
      refuse(response, 400, `Failed to validate master::Call: ${wrong}`);
      return;
    }
    const type = acceptedType(request);
    if (type === undefined) {
      refuse(response, 406, NOT_ACCEPTABLE);
      return;
    }
    if (call.type === 'SUBSCRIBE') {
      this.#shell.subscribeOperator(response, type);
      return;
    }
    const done = await this.#actions.perform(call);
    if (done !== undefined) {
      refuseOrAccept(response, done);
      return;
    }
    this.#answer(call, { request, response }, type);
  }

  #answer(
    call: MasterCall,
    exchange: { request: IncomingMessage; response: ServerResponse },
    type: Parameters<typeof sendMessage>[3],
  ): void {
    const { core, now } = this.#shell;
    if (call.type === 'GET_FLAGS') {
      const flags = Object.entries(this.#flags).map(([name, value]) => ({ name, value }));
      sendMessage(exchange, 'MasterResponse', { type: 'GET_FLAGS', get_flags: { flags } }, type);
      return;
    }
    if (call.type === 'GET_QUOTA') {
      const get_quota = { status: core.quotas.status() };
      sendMessage(exchange, 'MasterResponse', { type: 'GET_QUOTA', get_quota }, type);
      return;
    }
    const reply = answer(core.state, call, core.masterInfo(), now);
    if (reply === undefined) {
      refuse(exchange.response, 501, `This master does not serve ${call.type ?? 'UNKNOWN'}`);
    } else sendMessage(exchange, 'MasterResponse', reply, type);
  }
}

function refuseOrAccept(
  response: ServerResponse,
  done: { readonly status: number; readonly message: string },
): void {
  if (done.message === '') response.writeHead(done.status, { 'Content-Length': 0 }).end();
  else refuse(response, done.status, done.message);
}

/** `/master/state/` and `/state` are one. */
function routeOf(pathname: string): string {
  const path = decodeURIComponent(pathname).replace(/\/+$/, '');
  return path === '/master' || path.startsWith('/master/') ? path.slice('/master'.length) : path;
}
