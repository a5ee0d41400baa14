// The endpoints that every libprocess program has beside its own (inventory 1.2): metrics, log
// level, files, version, machine, help. Answers and refusals are those of Mesos 1.11.
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import type { ServerResponse } from 'node:http';
import { authorizablePaths } from '#mesos/security/acls.ts';
import type { FileInfo } from '#wire/mesos/v1.ts';
import { parseDuration, parseNumber } from './durations.ts';
import type { Exchange } from './exchange.ts';
import { answerToggle, type LogToggle } from './log-toggle.ts';
import type { MetricList } from './metric-list.ts';
import { refuse, sendBytes, sendJson, sendJsonText } from './negotiate.ts';
import { FORBIDDEN, type Refusal } from './refusal.ts';

export type Outcome<T> = { readonly problem: Refusal } | { readonly value: T };

/** Files that are shown over HTTP under names of their own; `A`: what a caller may see. */
export interface SharedFiles<A> {
  /** Name -> path of the file or folder behind it. */
  debug(): Record<string, string>;
  list(name: string, access: A): Promise<Outcome<FileInfo[]>>;
  /** Without an offset (undefined): only the size. */
  read(
    name: string,
    offset: number | undefined,
    length: number | undefined,
    access: A,
  ): Promise<Outcome<{ readonly size: number; readonly data: Buffer }>>;
  /** Undefined when it has been answered. */
  download(name: string, response: ServerResponse, access: A): Promise<Refusal | undefined>;
}

export interface ProcessFacts<A> {
  /** The libprocess process whose endpoints are the program's own, `master` or `slave(1)`. */
  readonly id: string;
  /** All of them. */
  readonly processes: readonly string[];
  /** Paths of its own endpoints, for /help. */
  readonly endpoints: readonly string[];
  /** As /version shows it. */
  readonly version: object;
  readonly files: SharedFiles<A>;
  readonly logging: LogToggle;
  metrics(): MetricList;
  accessOf(exchange: Exchange): A;
  /** Of an endpoint that `get_endpoints` of the access control lists may name. */
  mayAsk(access: A, path: string): boolean;
}

const noProfiler =
  'Perftools is disabled. To enable perftools, configure libprocess with --enable-perftools.\n';

function statsJson(): Record<string, number> {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    avg_load_1min: one,
    avg_load_5min: five,
    avg_load_15min: fifteen,
    cpus_total: cpus().length,
    mem_total_bytes: totalmem(),
    mem_free_bytes: freemem(),
  };
}

/** Of an mtime; the older endpoints have whole seconds. */
const NANOS = 1e9;

/** `-rw-r--r--` */
function modeText(mode: number): string {
  const kind = (mode & 0o170000) === 0o040000 ? 'd' : '-';
  const bits = [...'rwxrwxrwx'].map((letter, at) => ((mode >> (8 - at)) & 1 ? letter : '-'));
  return kind + bits.join('');
}

function bad(response: ServerResponse, text: string): void {
  refuse(response, 400, text);
}

function empty(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Length': 0 }).end();
}

export class ProcessApi<A> {
  readonly #facts: ProcessFacts<A>;

  constructor(facts: ProcessFacts<A>) {
    this.#facts = facts;
  }

  /** False when there is no such endpoint. `path` is one of `processPaths`. */
  async handle(path: string, query: URLSearchParams, exchange: Exchange): Promise<boolean> {
    const { response } = exchange;
    const access = this.#facts.accessOf(exchange);
    if (authorizablePaths.has(path) && !this.#facts.mayAsk(access, path)) {
      refuse(response, FORBIDDEN.status, FORBIDDEN.message);
      return true;
    }
    switch (path) {
      case '/version':
        sendJson(exchange, query, this.#facts.version);
        return true;
      case '/metrics/snapshot':
        this.#metrics(query, exchange);
        return true;
      case '/system/stats.json':
        sendJson(exchange, query, statsJson());
        return true;
      case '/logging/toggle':
        this.#logging(query, response);
        return true;
      case '/files/debug':
        sendJson(exchange, query, this.#facts.files.debug());
        return true;
      case '/files/browse':
      case '/files/read':
      case '/files/download':
        await this.#file(path, query, exchange);
        return true;
      case '/profiler/start':
      case '/profiler/stop':
        bad(response, noProfiler);
        return true;
      case '/__processes__':
        sendJson(
          exchange,
          query,
          this.#facts.processes.map((id) => ({ id, events: [] })),
        );
        return true;
      default:
        return path === '/help' || path.startsWith('/help/') ? this.#help(path, exchange) : false;
    }
  }

  #metrics(query: URLSearchParams, exchange: Exchange): void {
    const timeout = query.get('timeout');
    const parsed = timeout === null ? undefined : parseDuration(timeout);
    if (parsed !== undefined && !parsed.ok) {
      bad(exchange.response, `Invalid timeout '${timeout}': ${withStop(parsed.why)}\n`);
      return;
    }
    sendJsonText(exchange, query, this.#facts.metrics().toJson());
  }

  #logging(query: URLSearchParams, response: ServerResponse): void {
    const { status, text } = answerToggle(query, this.#facts.logging);
    if (status === 400) bad(response, text);
    else if (text === '') empty(response, 200);
    else refuse(response, 200, text);
  }

  async #file(path: string, query: URLSearchParams, exchange: Exchange): Promise<void> {
    const { response } = exchange;
    const { files } = this.#facts;
    const access = this.#facts.accessOf(exchange);
    const name = query.get('path') ?? '';
    if (name === '') {
      bad(response, "Expecting 'path=value' in query.\n");
      return;
    }
    if (path === '/files/download') {
      const problem = await files.download(name, response, access);
      if (problem !== undefined) {
        refuse(response, problem.status, problem.message || '404 Not Found.');
      }
      return;
    }
    if (path === '/files/browse') {
      const found = await files.list(name, access);
      if ('problem' in found) answerProblem(response, found.problem);
      else {
        const list = found.value.map(({ mode, mtime, ...one }) => ({
          ...one,
          mode: modeText(mode ?? 0),
          mtime: Math.floor((mtime?.nanoseconds ?? 0) / NANOS),
        }));
        sendJson(exchange, query, list);
      }
      return;
    }
    await this.#read(name, query, exchange);
  }

  async #read(name: string, query: URLSearchParams, exchange: Exchange): Promise<void> {
    const { response } = exchange;
    const numbers: Record<'offset' | 'length', number | undefined> = {
      offset: undefined,
      length: undefined,
    };
    for (const what of ['offset', 'length'] as const) {
      const text = query.get(what);
      if (text === null) continue;
      const parsed = parseNumber(text);
      if (!parsed.ok) {
        bad(response, `Failed to parse ${what}: ${parsed.why}.\n`);
        return;
      }
      if (parsed.value < -1) {
        bad(response, `Negative ${what} provided: ${parsed.value}.\n`);
        return;
      }
      // Both take -1 for "not given".
      if (parsed.value >= 0) numbers[what] = parsed.value;
    }
    const access = this.#facts.accessOf(exchange);
    const found = await this.#facts.files.read(name, numbers.offset, numbers.length, access);
    if ('problem' in found) {
      answerProblem(response, found.problem);
      return;
    }
    const { size, data } = found.value;
    sendJson(exchange, query, { data: data.toString(), offset: numbers.offset ?? size });
  }

  /** Lists of what there is, as HTML for browsers that say so and for anybody at the top. */
  #help(path: string, exchange: Exchange): boolean {
    const { request } = exchange;
    const [, , process] = path.split('/');
    const { processes, id, endpoints } = this.#facts;
    if (process !== undefined && !processes.includes(process)) return false;
    const links =
      process === undefined
        ? processes.map((one) => `/${one}`)
        : process === id
          ? endpoints.map((one) => `/${id}${one}`)
          : [];
    const wantsMarkdown = String(request.headers.accept ?? '').includes('text/markdown');
    if (process !== undefined || wantsMarkdown) {
      const list = links.map((one) => `> [${one}][${one.slice(1)}]`).join('\n');
      const title = process === undefined ? '## HELP' : `## \`/${process}\` ##`;
      sendBytes(exchange, Buffer.from(`${title}\n${list}\n`), 'text/x-markdown');
      return true;
    }
    const list = links.map((one) => `<li><a href="/help${one}">${one}</a></li>`).join('\n');
    const html = `<!DOCTYPE html><title>Help</title><h1>Endpoints</h1><ul>\n${list}\n</ul>\n`;
    sendBytes(exchange, Buffer.from(html), 'text/html');
    return true;
  }
}

function withStop(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}

function answerProblem(
  response: ServerResponse,
  problem: { readonly status: number; readonly message: string },
): void {
  refuse(response, problem.status, problem.message);
}
