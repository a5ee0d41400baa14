// One TLS port for both versions of HTTP: what a client chooses by ALPN decides (RFC 7301); who chooses nothing
// speaks the first.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { DEFAULT_CIPHERS, type TLSSocket, type TlsOptions } from 'node:tls';
import type { OpenConnections } from './open-connections.ts';
import { ServerSession } from './session.ts';

export interface HttpServerOptions {
  readonly tls: TlsOptions;
  /** Requests of one connection that are under way at once. */
  readonly streamsMax: number;
  /** Never rejects. Requests of HTTP/2 are given with the same interface, as far as messages.ts has it. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** For who wants to end the server when all has been answered. */
  readonly open?: OpenConnections | undefined;
}

/** As servers in Go have it: for the same strength in practice, a third less work than with keys of 256 bits. */
const PREFERRED = 'TLS_AES_128_GCM_SHA256';
export const ciphers = [
  PREFERRED,
  ...DEFAULT_CIPHERS.split(':').filter((name) => name !== PREFERRED),
].join(':');

type Connect = (this: Server, socket: TLSSocket) => void;

/** Upgrades (`upgrade`) are of HTTP/1.1 only. Not listening yet. */
export function createHttpServer({ tls, streamsMax, handle, open }: HttpServerOptions): Server {
  const server = createServer({ ciphers, ...tls, ALPNProtocols: ['h2', 'http/1.1'] });
  server.on('request', (request, response) => {
    open?.follow(response);
    void handle(request, response);
  });
  const [http1] = server.listeners('secureConnection') as Connect[];
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol !== 'h2') return http1?.call(server, socket);
    const take = (request: unknown, response: unknown): Promise<void> =>
      handle(request as IncomingMessage, response as ServerResponse);
    const onClosed = (): void => open?.closed(session);
    const session = new ServerSession(socket, { streamsMax, handle: take, onClosed });
    open?.add(session);
  });
  return server;
}
