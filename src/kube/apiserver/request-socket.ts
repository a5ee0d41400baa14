// The connection that a request has come by, of either version of HTTP: who the client is stands in its certificate.
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

/** HTTP/2 requests have their socket on the session. */
export function socketOf(request: IncomingMessage): TLSSocket {
  const stream = (request as unknown as { stream?: { session?: { socket?: TLSSocket } } }).stream;
  return stream?.session?.socket ?? (request.socket as TLSSocket);
}
