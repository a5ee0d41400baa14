// The kubelet's HTTPS API on a node: logs, exec, attach, port-forward, pods, stats. Only clients
// with a certificate of the instance that names the API server or its administrators may use it.
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Env } from '#env/env.ts';
import { servePortForward } from '#kube/streaming/port-forward.ts';
import { serveRemoteCommand } from '#kube/streaming/remote-command.ts';
import type { RemoteCommand } from '#kube/streaming/remote-command.ts';
import { refuseUpgrade } from '#kube/streaming/upgrade.ts';
import { logAttempt, logRequestOf } from './log-query.ts';
import { renderMetrics, statsSummary } from './node-stats.ts';
import { podIdentity } from './pod-spec.ts';
import type { PodWorker } from './pod-worker.ts';
import type { ExecSession } from './runtime.ts';

export interface KubeletServerOptions {
  readonly host: string;
  readonly port: number;
  readonly nodeName: string;
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
  /** Common names that may use it, beside members of system:masters. */
  readonly allowedNames: readonly string[];
}

export interface PodDirectory {
  worker(namespace: string, name: string): PodWorker | undefined;
  workers(): readonly PodWorker[];
}

class HttpFailure extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

interface Route {
  readonly verb: string;
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

function routeOf(request: IncomingMessage): Route {
  const url = new URL(request.url ?? '/', 'https://node');
  const [verb = '', ...parts] = url.pathname.split('/').filter((part) => part !== '');
  return { verb, parts: parts.map(decodeURIComponent), query: url.searchParams };
}

const isOn = (query: URLSearchParams, ...names: readonly string[]): boolean =>
  names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''));

export class KubeletServer {
  readonly #options: KubeletServerOptions;
  readonly #pods: PodDirectory;
  readonly #env: Env;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  constructor(options: KubeletServerOptions, pods: PodDirectory, env: Env) {
    this.#options = options;
    this.#pods = pods;
    this.#env = env;
    const { cert, key, clientCa: ca } = options;
    this.#server = createServer(
      { cert, key, ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => void this.#onRequest(request, response),
    );
    this.#server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      void this.#onUpgrade({ request, socket, head });
    });
    this.#server.on('connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** Resolves with the port. */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    return new Promise((done, fail) => {
      this.#server.once('error', fail);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', fail);
        done((this.#server.address() as AddressInfo).port);
      });
    });
  }

  async close(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Undefined when allowed. */
  #refusal(request: IncomingMessage): HttpFailure | undefined {
    const socket = request.socket as TLSSocket;
    if (!socket.authorized) return new HttpFailure(401, 'Unauthorized');
    const { CN, O } = socket.getPeerCertificate().subject as { CN?: string; O?: string | string[] };
    const groups = [O ?? []].flat();
    if (groups.includes('system:masters')) return undefined;
    if (CN !== undefined && this.#options.allowedNames.includes(CN)) return undefined;
    const verb = request.method === 'GET' ? 'get' : 'create';
    return new HttpFailure(
      403,
      `Forbidden (user=${CN}, verb=${verb}, resource=nodes, subresource(s)=[proxy])`,
    );
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const refusal = this.#refusal(request);
      if (refusal !== undefined) throw refusal;
      await this.#serve(request, response, routeOf(request));
    } catch (error) {
      const code = error instanceof HttpFailure ? error.code : 500;
      const message = error instanceof Error ? error.message : String(error);
      if (response.headersSent) {
        response.destroy();
        return;
      }
      response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end(message);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> {
    switch (route.verb) {
      case 'healthz':
      case 'livez':
      case 'readyz':
        response.end('ok');
        return;
      case 'pods':
      case 'runningpods':
        this.#json(response, this.#podList(route.verb === 'runningpods'));
        return;
      case 'containerLogs':
        return this.#logs(request, response, route);
      case 'stats':
        this.#json(response, await statsSummary(this.#options.nodeName, this.#pods.workers()));
        return;
      case 'metrics':
        response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
        response.end(await renderMetrics(this.#options.nodeName, this.#pods.workers()));
        return;
      case 'run':
        if (request.method === 'POST') return this.#run(response, route);
        throw new HttpFailure(405, 'Method Not Allowed');
      case 'exec':
      case 'attach':
      case 'portForward':
        throw new HttpFailure(400, 'Upgrade request required');
      default:
        throw new HttpFailure(404, '404 page not found');
    }
  }

  #json(response: ServerResponse, value: unknown): void {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(value));
  }

  #podList(runningOnly: boolean): unknown {
    const workers = this.#pods.workers().filter((worker) => !runningOnly || !worker.isFinished);
    const items = workers.map((worker) => ({ ...worker.pod, status: worker.status() }));
    return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
  }

  #worker({ parts }: Route): PodWorker {
    const [namespace = '', name = ''] = parts;
    const worker = this.#pods.worker(namespace, name);
    if (worker === undefined) throw new HttpFailure(404, `pod ${JSON.stringify(name)} not found`);
    return worker;
  }

  async #logs(request: IncomingMessage, response: ServerResponse, route: Route): Promise<void> {
    const worker = this.#worker(route);
    const [, podName = '', name = ''] = route.parts;
    const now = this.#env.clock.now();
    const container = worker.state.containers.find((each) => each.name === name);
    if (container === undefined) {
      throw new HttpFailure(404, `container ${JSON.stringify(name)} not found in pod "${podName}"`);
    }
    const asked = logRequestOf(route.query, now);
    const chosen = logAttempt(worker.status(), container, isOn(route.query, 'previous'), podName);
    if (asked.kind === 'invalid') throw new HttpFailure(400, asked.message);
    if (chosen.kind === 'invalid') throw new HttpFailure(400, chosen.message);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' });
    response.flushHeaders();
    const place = worker.place(name, chosen.attempt);
    const log = worker.runtime.logs(place, asked.request, gone.signal);
    try {
      await pipeline(Readable.from(log, { objectMode: false }), response, { signal: gone.signal });
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    }
  }

  #session(worker: PodWorker, route: Route): ReturnType<PodWorker['place']> {
    // With five parts the third is the pod's uid.
    const name = route.parts.at(-1) ?? '';
    const state = worker.state.containers.find((each) => each.name === name);
    if (state?.phase.kind !== 'running') {
      throw new HttpFailure(500, `container not found (${JSON.stringify(name)})`);
    }
    return worker.place(name, state.attempt);
  }

  async #run(response: ServerResponse, route: Route): Promise<void> {
    const worker = this.#worker(route);
    const place = this.#session(worker, route);
    const command = (route.query.get('cmd') ?? '').split(' ');
    const session = await worker.runtime.exec(place, { command, tty: false, stdin: false });
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    session.stdout.on('data', (chunk: Buffer) => response.write(chunk));
    session.stderr?.on('data', (chunk: Buffer) => response.write(chunk));
    await session.exitCode;
    setImmediate(() => response.end());
  }

  async #onUpgrade(upgrade: {
    readonly request: IncomingMessage;
    readonly socket: Duplex;
    readonly head: Buffer;
  }): Promise<void> {
    const { request } = upgrade;
    try {
      const refusal = this.#refusal(request);
      if (refusal !== undefined) throw refusal;
      const route = routeOf(request);
      if (route.verb === 'portForward') return await this.#portForward(upgrade, route);
      if (route.verb !== 'exec' && route.verb !== 'attach') {
        throw new HttpFailure(404, '404 page not found');
      }
      await this.#command(upgrade, route);
    } catch (error) {
      const code = error instanceof HttpFailure ? error.code : 500;
      const message = error instanceof Error ? error.message : String(error);
      refuseUpgrade(upgrade, code, 'Error', message);
    }
  }

  async #portForward(upgrade: Parameters<typeof servePortForward>[0], route: Route): Promise<void> {
    const worker = this.#worker(route);
    const { runtime, pod, folder } = worker;
    const ports = route.query.getAll('port').flatMap((text) => text.split(',').map(Number));
    await servePortForward(upgrade, (port) => runtime.dial({ pod, folder }, port), ports);
  }

  async #command(upgrade: Parameters<typeof serveRemoteCommand>[0], route: Route): Promise<void> {
    const worker = this.#worker(route);
    const place = this.#session(worker, route);
    const { query, verb } = route;
    const container = place.container;
    const tty = verb === 'attach' ? container.tty === true : isOn(query, 'tty');
    const options = {
      stdin: isOn(query, 'input', 'stdin'),
      stdout: isOn(query, 'output', 'stdout'),
      stderr: isOn(query, 'error', 'stderr') && !tty,
      tty: isOn(query, 'tty'),
    };
    const command = query.getAll('command');
    if (verb === 'exec' && command.length === 0) {
      throw new HttpFailure(400, 'you must specify at least 1 command');
    }
    if (!options.stdin && !options.stdout && !options.stderr) {
      throw new HttpFailure(400, 'you must specify at least 1 of stdin, stdout, stderr');
    }
    await serveRemoteCommand(upgrade, options, async (remote) => {
      const session =
        verb === 'attach'
          ? await worker.runtime.attach(place)
          : await worker.runtime.exec(place, { command, tty: options.tty, stdin: options.stdin });
      return { exitCode: await joinSession(session, remote, verb === 'attach') };
    });
    this.#env.log.debug('A remote command ended', { pod: podIdentity(worker.pod).name, verb });
  }
}

/** Joins a client's streams with a command's; resolves with its exit code when all is written. */
async function joinSession(
  session: ExecSession,
  remote: RemoteCommand,
  isAttach: boolean,
): Promise<number> {
  const gone = (): void => session.kill();
  remote.signal.addEventListener('abort', gone);
  remote.onResize((size) => session.resize(size));
  if (session.stdin !== undefined) remote.stdin?.pipe(session.stdin);
  else remote.stdin?.resume();
  const copy = (
    from: NodeJS.ReadableStream | undefined,
    to: NodeJS.WritableStream | undefined,
  ): Promise<void> => {
    if (from === undefined) return Promise.resolve();
    if (to === undefined) from.resume();
    else from.pipe(to, { end: false });
    return new Promise((done) => {
      from.once('end', done);
      from.once('close', done);
      to?.once('close', done);
    });
  };
  const outputs = Promise.all([
    copy(session.stdout, remote.stdout),
    copy(session.stderr, remote.stderr),
  ]);
  try {
    const exitCode = await session.exitCode;
    await outputs;
    return isAttach ? 0 : exitCode;
  } finally {
    remote.signal.removeEventListener('abort', gone);
  }
}
