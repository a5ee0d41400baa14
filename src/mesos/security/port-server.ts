// The one port of a master or agent: HTTP, with TLS where it is asked for, and both at once while a cluster
// is being upgraded: the first byte of a connection tells which it is.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import {
  createServer as createNetServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Fault } from '#base/fault.ts';
import type { Log } from '#env/env.ts';
import { isOf, nameOf } from './tls-client.ts';
import { contextOf, type TlsSettings } from './tls-settings.ts';

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** A TLS record of a handshake begins with it; no HTTP request does. */
const HANDSHAKE = 22;
/** For a connection to say something at all. */
const FIRST_BYTE_MS_MAX = 15_000;

export class PortServer {
  readonly #log: Log;
  readonly #listener: Server;
  readonly #http: ReturnType<typeof createHttpServer>[] = [];
  /** Connections whose first byte is awaited. */
  readonly #silent = new Set<Socket>();
  /** Whether a client is who its certificate says. */
  readonly #known = new WeakMap<Socket, Promise<boolean>>();
  #handler: RequestHandler | undefined;

  constructor(options: ServerOptions, tls: TlsSettings | undefined, log: Log) {
    this.#log = log;
    const plain =
      tls === undefined || tls.supportsDowngrade
        ? createHttpServer(options, (request, response) => this.#onRequest(request, response))
        : undefined;
    const secure = tls === undefined ? undefined : this.#secure(options, tls);
    for (const one of [plain, secure]) if (one !== undefined) this.#http.push(one);
    if (plain !== undefined && secure !== undefined) {
      this.#listener = createNetServer((socket) => this.#sort(socket, plain, secure));
    } else this.#listener = (secure ?? plain) as Server;
  }

  onRequest(handler: RequestHandler): void {
    this.#handler = handler;
  }

  /** The port; Fault `cannot-listen`. */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    await new Promise<void>((done, fail) => {
      this.#listener.once('error', (cause: NodeJS.ErrnoException) => {
        const message = `Cannot listen on ${host}:${port}: ${cause.code ?? cause.message}`;
        fail(new Fault({ code: 'cannot-listen', host, port }, message, { cause }));
      });
      this.#listener.listen(port, host, done);
    });
    return (this.#listener.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.#listener.close(() => done()));
    for (const one of this.#http) one.closeAllConnections();
    for (const socket of this.#silent) socket.destroy();
    await closed;
  }

  #secure(options: ServerOptions, tls: TlsSettings): ReturnType<typeof createHttpServer> {
    const { requiresClient } = tls;
    const server = process.getBuiltinModule('node:https').createServer(
      {
        ...options,
        ...contextOf(tls),
        requestCert: requiresClient,
        rejectUnauthorized: requiresClient,
      },
      (request, response) => this.#onRequest(request, response),
    );
    tls.onChange?.(() => server.setSecureContext(contextOf(tls)));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      this.#log.debug('A TLS handshake failed', {
        peer: socket.remoteAddress,
        error: error.message,
      });
    });
    if (requiresClient && tls.hostnames === 'legacy') {
      server.on('secureConnection', (socket) => this.#known.set(socket, this.#verify(socket, tls)));
    }
    return server;
  }

  /** The certificate must be for the name that the client's address has. */
  async #verify(socket: TLSSocket, { verifiesAddress }: TlsSettings): Promise<boolean> {
    const { remoteAddress: address = '', remotePort = 0 } = socket;
    const name = await nameOf(address, remotePort);
    const names = [...(name === undefined ? [] : [name]), ...(verifiesAddress ? [address] : [])];
    const isKnown = isOf(socket.getPeerCertificate(), names);
    if (!isKnown) this.#log.warn("A client's certificate is not for its name", { address, name });
    return isKnown;
  }

  #sort(socket: Socket, plain: Server, secure: Server): void {
    this.#silent.add(socket);
    socket.setTimeout(FIRST_BYTE_MS_MAX, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#silent.delete(socket));
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      this.#silent.delete(socket);
      socket.unshift(first);
      (first[0] === HANDSHAKE ? secure : plain).emit('connection', socket);
      // Whoever reads it now has said so by then.
      process.nextTick(() => socket.resume());
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const known = this.#known.get(request.socket);
    if (known === undefined) {
      this.#handler?.(request, response);
      return;
    }
    known
      .then((isKnown) => {
        if (isKnown) this.#handler?.(request, response);
        else request.socket.destroy();
      })
      .catch(() => request.socket.destroy());
  }
}
