// The master's HTTP server: libprocess messages, the v1 scheduler and operator APIs and the older
// endpoints on one port. Which request is which is decided here; shell.ts and the views answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Approvers } from '#mesos/security/authorizer.ts';
import type { MasterCall, MasterResponse } from '#wire/mesos/v1.ts';
import { OPEN, type Authentication } from '#mesos/security/authentication.ts';
import { allocatorAnswer } from './allocator-api.ts';
import { CallConnections } from './call-connections.ts';
import { validateMasterCall } from './call-validation.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import { AttachedFiles } from './files.ts';
import { LegacyApi } from './legacy-api.ts';
import { LegacyChanges } from './legacy-changes.ts';
import type { MetricList } from '#mesos/libprocess/metric-list.ts';
import { systemMetrics } from '#mesos/libprocess/system-metrics.ts';
import { LogToggle } from '#mesos/libprocess/log-toggle.ts';
import { metricsOf } from './metrics.ts';
import {
  acceptedType,
  isRefusal,
  NOT_ACCEPTABLE,
  parseCall,
  readCall,
  refuse,
  sendJson,
  sendMessage,
} from '#mesos/libprocess/negotiate.ts';
import { answer } from './operator-answers.ts';
import { disabledText, type DisabledEndpoints } from '#mesos/security/firewall.ts';
import { NAMELESS, needsName, realmOf } from './realms.ts';
import { absolutePath, changingPaths, readingPaths, routeOf } from './routes.ts';
import { OperatorActions } from './operator-actions.ts';
import type { ProcessApi } from '#mesos/libprocess/process-api.ts';
import { processEndpoints } from './process-endpoints.ts';
import { registryJson } from './registry-json.ts';
import { SchedulerApi } from './scheduler-api.ts';
import type { MasterShell } from './shell.ts';
import { readTarget } from '#mesos/libprocess/target.ts';
import { FORBIDDEN, type Refusal } from '#mesos/libprocess/refusal.ts';
import { Visible } from './visible.ts';
import { WebUi } from './web-ui.ts';

export interface MasterHttpOptions {
  /** Name -> file behind it, as /files shows it. */
  readonly files?: ReadonlyMap<string, string>;
  /** Who may ask at all; everybody, when left out. */
  readonly authentication?: Authentication;
  /** --firewall_rules */
  readonly disabled?: DisabledEndpoints;
  /** --webui_dir */
  readonly webUiFolder?: string | undefined;
  /** Operators asked for another verbosity of the log; 0 is that of the start. */
  readonly onVerbosity?: (level: number) => void;
}

export class MasterHttp {
  readonly #shell: MasterShell;
  readonly #authentication: Authentication;
  readonly #calls: SchedulerApi;
  /** Undefined: scheduler calls are switched off. */
  readonly #callConnections: CallConnections | undefined;
  readonly #legacy: LegacyApi;
  readonly #changes: LegacyChanges;
  readonly #actions: OperatorActions;
  readonly #process: ProcessApi<Approvers>;
  readonly #files: AttachedFiles;
  readonly #logging: LogToggle;
  readonly #disabled: DisabledEndpoints;
  /** Open exchanges; those of streams are answered, but go on. */
  readonly #unanswered = new Set<ServerResponse>();
  readonly #webUi: WebUi | undefined;

  constructor(
    shell: MasterShell,
    flags: Readonly<Record<string, string>> = {},
    options: MasterHttpOptions = {},
  ) {
    this.#shell = shell;
    this.#authentication = options.authentication ?? OPEN;
    this.#disabled = options.disabled ?? new Set();
    this.#webUi = options.webUiFolder === undefined ? undefined : new WebUi(options.webUiFolder);
    this.#files = new AttachedFiles(options.files ?? new Map());
    this.#logging = new LogToggle(shell.env, options.onVerbosity ?? (() => {}));
    this.#calls = new SchedulerApi(shell);
    const isDisabled = disabledText(this.#disabled, '/master/api/v1/scheduler', '') !== undefined;
    this.#callConnections = isDisabled
      ? undefined
      : new CallConnections(shell, this.#calls, this.#authentication);
    this.#legacy = new LegacyApi(shell, flags);
    this.#actions = new OperatorActions(shell, this.#logging);
    this.#changes = new LegacyChanges(shell, this.#actions);
    shell.closing.addEventListener('abort', () => {
      this.#logging.close();
      this.#legacy.close();
    });
    this.#process = processEndpoints({
      version: shell.options.version,
      files: this.#files,
      logging: this.#logging,
      metrics: () => this.#metrics(),
      authorizer: shell.core.state.authorizer,
    });
  }

  /** A connection that begins with a libprocess message, or a call of a scheduler, is read without HTTP. */
  accept(socket: Socket, first: Buffer, giveBack: (rest: Buffer) => void): boolean {
    if (this.#shell.libprocess.accept(socket, first, giveBack)) return true;
    return this.#callConnections?.accept(socket, first, giveBack) === true;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    this.#shell.portions.hurry();
    this.#unanswered.add(response);
    response.once('close', () => this.#unanswered.delete(response));
    this.#route(request, response).catch((error: unknown) => {
      // Who goes away before the end of the own request gets no answer and is no failure.
      if (!request.complete && request.destroyed) return;
      this.#shell.env.log.error('A request failed', { url: request.url, error });
      if (response.headersSent) response.destroy();
      else refuse(response, 500, error instanceof Error ? error.message : String(error));
    });
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#shell.libprocess.handle(request, response)) return;
    const target = readTarget(request.url ?? '/');
    if ('status' in target) {
      request.resume();
      refuse(response, target.status, target.message);
      return;
    }
    const { pathname, query } = target;
    const path = routeOf(pathname);
    const disabled = disabledText(
      this.#disabled,
      absolutePath(pathname),
      // What Mesos lets through: a path that only leads to the endpoint.
      absolutePath(path ?? pathname),
    );
    if (disabled !== undefined) {
      request.resume();
      refuse(response, 403, disabled);
      return;
    }
    if (path === undefined) {
      if ((await this.#webUi?.handle(pathname, response)) === true) request.resume();
      else notFound({ request, response });
      return;
    }
    const who = await this.#authentication.identify(realmOf(path), request.headers);
    if ('refusal' in who) {
      request.resume();
      refuse(response, who.refusal.status, who.refusal.message, who.refusal.headers);
      return;
    }
    const { principal } = who;
    if (principal !== undefined && principal.value === undefined && needsName(path)) {
      request.resume();
      refuse(response, 403, NAMELESS);
      return;
    }
    const exchange = { request, response, principal };
    if (path === '/api/v1/scheduler') await this.#scheduler(exchange);
    else if (path === '/api/v1') await this.#operator(exchange);
    else if (changingPaths.has(path)) await this.#changes.handle(path, pathname, query, exchange);
    else if (readingPaths.has(path)) this.#legacy.handle(path, query, exchange);
    else await this.#other(path, query, exchange);
  }

  async #other(path: string, query: URLSearchParams, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    request.resume();
    if (path === '/health') response.writeHead(200, { 'Content-Length': 0 }).end();
    else if (path === '/redirect') {
      const { hostname, port } = this.#shell.options;
      response.writeHead(307, { Location: `//${hostname}:${port}`, 'Content-Length': 0 }).end();
    } else if (path === '/registrar(1)/registry') {
      sendJson(exchange, query, registryJson(this.#shell.core));
    } else if (path.startsWith('/allocator/')) this.#allocator(path, query, exchange);
    else if (!(await this.#process.handle(path, query, exchange))) notFound(exchange);
  }

  #allocator(path: string, query: URLSearchParams, exchange: Exchange): void {
    const { core, now } = this.#shell;
    const approvers = core.state.authorizer.of(exchange.principal);
    const found = allocatorAnswer(path, query, core.state, { approvers, now });
    if (found === undefined) notFound(exchange);
    else if (found.status === 200) sendJson(exchange, query, found.value);
    else refuse(exchange.response, found.status, found.message);
  }

  async #scheduler({ request, response, principal }: Exchange): Promise<void> {
    const read = await readCall(request, response);
    if (read === undefined) return;
    const { accept, 'mesos-stream-id': header } = request.headers;
    const streamId = Array.isArray(header) ? header[0] : header;
    const outcome = this.#calls.answer({ ...read, accept, streamId, principal });
    if ('call' in outcome) {
      this.#shell.subscribe(outcome.call, response, outcome.type, principal);
    } else if (outcome.message === '') {
      response.writeHead(outcome.status, { 'Content-Length': 0 }).end();
    } else refuse(response, outcome.status, outcome.message);
  }

  async #operator(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const read = await readCall(request, response);
    if (read === undefined) return;
    const call = parseCall('MasterCall', read.type, read.body);
    if (isRefusal(call)) {
      refuse(response, call.status, call.message);
      return;
    }
    const wrong = validateMasterCall(call);
    if (wrong !== undefined) {
      refuse(response, 400, `Failed to validate master::Call: ${wrong}`);
      return;
    }
    const type = acceptedType(request.headers.accept);
    if (type === undefined) {
      refuse(response, 406, NOT_ACCEPTABLE);
      return;
    }
    const by = this.#shell.core.state.operatorOf(exchange.principal);
    if (call.type === 'SUBSCRIBE') {
      this.#shell.subscribeOperator(response, type, by.approvers);
      return;
    }
    const done = await this.#actions.perform(call, by);
    if (done !== undefined) {
      if (done.message !== '') refuse(response, done.status, done.message);
      else response.writeHead(done.status, { 'Content-Length': 0 }).end();
      return;
    }
    if (by.approvers.seesAll && this.#legacy.answer(call, exchange, type)) return;
    const whole =
      answer(this.#shell.core, call) ?? (await this.#answer(call, response, by.approvers));
    const reply = whole && new Visible(this.#shell.core.state, by.approvers).response(whole);
    if (reply !== undefined) sendMessage(exchange, 'MasterResponse', reply, type);
    else if (!response.headersSent) refuse(response, 501, '501 Not Implemented.');
  }

  /** What is not the core's to say; undefined also after a refusal. */
  async #answer(
    call: MasterCall,
    response: ServerResponse,
    approvers: Approvers,
  ): Promise<MasterResponse | undefined> {
    switch (call.type) {
      case 'GET_FLAGS': {
        if (!approvers.may('VIEW_FLAGS')) return this.#refused(response, FORBIDDEN);
        const all = Object.entries(this.#legacy.flags);
        const flags = all.map(([name, value]) => ({ name, value }));
        return { type: 'GET_FLAGS', get_flags: { flags } };
      }
      case 'GET_LOGGING_LEVEL':
        return { type: 'GET_LOGGING_LEVEL', get_logging_level: { level: this.#logging.level } };
      case 'GET_METRICS': {
        return { type: 'GET_METRICS', get_metrics: { metrics: this.#metrics().toArray() } };
      }
      case 'LIST_FILES': {
        const found = await this.#files.list(call.list_files?.path ?? '', approvers);
        if ('value' in found) {
          return { type: 'LIST_FILES', list_files: { file_infos: found.value } };
        }
        return this.#refused(response, found.problem);
      }
      case 'READ_FILE': {
        const { path = '', offset = 0, length } = call.read_file ?? {};
        const found = await this.#files.read(path, offset, length, approvers);
        if ('value' in found) return { type: 'READ_FILE', read_file: found.value };
        return this.#refused(response, found.problem);
      }
      default:
        return undefined;
    }
  }

  #refused(response: ServerResponse, { status, message }: Refusal): undefined {
    refuse(response, status, message);
  }

  /** Requests that are read, or wait for their answer, but for the one that asks. */
  #waiting(): number {
    let count = 0;
    for (const { headersSent } of this.#unanswered) if (!headersSent) count += 1;
    return Math.max(0, count - 1);
  }

  #metrics(): MetricList {
    return metricsOf(this.#shell.core, this.#shell.now, {
      ...this.#shell.metrics(),
      'master/event_queue_http_requests': this.#waiting(),
      ...systemMetrics(),
    });
  }
}

function notFound({ request, response }: Omit<Exchange, 'principal'>): void {
  request.resume();
  refuse(response, 404, '404 Not Found.');
}
