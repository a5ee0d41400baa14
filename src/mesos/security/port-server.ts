// The one port of a master or agent: HTTP, with TLS where it is asked for, and both at once while a cluster
// is being upgraded: the first byte of a connection tells which it is.
import type {
  IncomingMessage,
  Server as HttpServer,
  ServerOptions,
  ServerResponse,
} from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Fault } from '#base/fault.ts';
import type { Log } from '#env/env.ts';
import { isOf, nameOf } from './tls-client.ts';
import { contextOf, type TlsSettings } from './tls-settings.ts';

/**
 * What reads a connection without TLS itself, when its first bytes tell so (true), until `giveBack` gets what
 * is HTTP again.
 */
export type ConnectionHandler = (
  socket: Socket,
  first: Buffer,
  giveBack: (rest: Buffer) => void,
) => boolean;
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** A TLS record of a handshake begins with it; no HTTP request does. */
const HANDSHAKE = 22;
/** For a connection to say something at all. */
const FIRST_BYTE_MS_MAX = 60_000;
/** As in libprocess. */
const HEAD_BYTES_MAX = 80 * 1_024;

export class PortServer {
  readonly #log: Log;
  readonly #options: ServerOptions;
  readonly #listener: Server;
  readonly #http: HttpServer[] = [];
  #plain: HttpServer | undefined;
  /** Connections that no HTTP server has: whose first byte is awaited, or that another one reads. */
  readonly #own = new Set<Socket>();
  /** Whether a client is who its certificate says. */
  readonly #known = new WeakMap<Socket, Promise<boolean>>();
  #handler: RequestHandler | undefined;
  #reader: ConnectionHandler | undefined;

  constructor(given: ServerOptions, tls: TlsSettings | undefined, log: Log) {
    this.#log = log;
    this.#options = { maxHeaderSize: HEAD_BYTES_MAX, ...given };
    const secure = tls === undefined ? undefined : this.#added(this.#secure(this.#options, tls));
    if (secure !== undefined && tls?.supportsDowngrade !== true) {
      this.#listener = secure;
      return;
    }
    // As an HTTP server listens.
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true });
    this.#sortAll(secure);
  }

  #added(server: HttpServer): HttpServer {
    this.#http.push(server);
    // What is expected but `100-continue` is nothing that anybody knows: libprocess does not look either.
    server.on('checkExpectation', (request, response) => this.#onRequest(request, response));
    return server;
  }

  /**
   * Reads what is HTTP without TLS; made for the first connection that is. It is 3 MB, and an agent and its master
   * do without.
   */
  #plainHttp(): HttpServer {
    if (this.#plain !== undefined) return this.#plain;
    const { createServer: create } = process.getBuiltinModule('node:http');
    const server = create(this.#options, (request, response) => this.#onRequest(request, response));
    this.#plain = this.#added(server);
    // It listens to nothing itself; it begins to look after the times of its connections when it does.
    server.emit('listening');
    return server;
  }

  /** Of connections that begin from now on. */
  onConnection(reader: ConnectionHandler): void {
    this.#reader = reader;
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
    for (const one of this.#http) {
      one.closeAllConnections();
      if (one !== this.#listener) one.close();
    }
    for (const socket of this.#own) socket.destroy();
    await closed;
  }

  #secure(options: ServerOptions, tls: TlsSettings): HttpServer {
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

  /** What connections say first decides who has them. */
  #sortAll(secure: Server | undefined): void {
    const toPlain = (socket: Socket): void => void this.#plainHttp().emit('connection', socket);
    const toSecure = (socket: Socket): void => void secure?.emit('connection', socket);
    this.#listener.on('connection', (socket: Socket) => {
      this.#own.add(socket);
      socket.setTimeout(FIRST_BYTE_MS_MAX, () => socket.destroy());
      socket.on('error', () => socket.destroy());
      socket.on('end', endToo);
      socket.once('close', () => this.#own.delete(socket));
      socket.once('data', (first: Buffer) => {
        socket.setTimeout(0);
        socket.removeAllListeners('timeout');
        const isSecure = first[0] === HANDSHAKE && secure !== undefined;
        const give = (rest: Buffer): void =>
          this.#give(socket, rest, isSecure ? toSecure : toPlain);
        if (isSecure || this.#reader?.(socket, first, give) !== true) give(first);
      });
    });
  }

  /** What has come of it already is read as if it came now. */
  #give(socket: Socket, bytes: Buffer, to: (socket: Socket) => void): void {
    socket.pause();
    socket.removeAllListeners('timeout');
    socket.off('end', endToo);
    this.#own.delete(socket);
    socket.unshift(bytes);
    to(socket);
    // Whoever reads it now has said so by then.
    process.nextTick(() => socket.resume());
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

/** Servers let connections be half open; only HTTP has a use for that. */
function endToo(this: Socket): void {
  this.end();
}
