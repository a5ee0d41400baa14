// Passes a request on to an extension server, on behalf of the user it came from; watches are streamed,
// upgraded connections passed byte by byte (handler_proxy.go of kube-aggregator v0.37).
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Exchange } from '#kube/apiserver/bodies.ts';
import { dialText } from '#kube/apiserver/dial-errors.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import { isStaleConnection, remoteHeaders, type Backend } from './backend.ts';
import type { Address } from '#kube/apiserver/service-endpoints.ts';

/** Of one connection only, or said anew by this server. */
const dropped = new Set([
  'authorization',
  'connection',
  'content-length',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whose name a request bears is decided here, whatever it says itself. */
const isIdentity = (name: string): boolean =>
  name.startsWith('x-remote-') || name.startsWith('impersonate-');

/** Nothing but discovery has a deadline. */
const DISCOVERY_MS = 5_000;

export interface Passed {
  readonly backend: Backend;
  readonly user: UserInfo;
}

function passedHeaders(
  request: IncomingMessage,
  user: UserInfo,
): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || name.startsWith(':') || dropped.has(name) || isIdentity(name))
      continue;
    headers[name] = value;
  }
  const length = request.headers['content-length'];
  if (length !== undefined) headers['content-length'] = length;
  const { remoteAddress } = request.socket;
  const before = headers['x-forwarded-for'];
  if (remoteAddress !== undefined) {
    headers['x-forwarded-for'] =
      before === undefined ? remoteAddress : `${String(before)}, ${remoteAddress}`;
  }
  const host = request.headers[':authority'] ?? request.headers.host;
  headers['x-forwarded-host'] = String(host ?? '');
  headers['x-forwarded-proto'] = 'https';
  headers['x-forwarded-uri'] = (request.url ?? '/').split('?')[0] ?? '/';
  return { ...headers, ...remoteHeaders(user) };
}

function answeredHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    const isOfConnection = dropped.has(name) && name !== 'content-length';
    if (value !== undefined && !isOfConnection) found[name] = value;
  }
  return found;
}

/** As Go's http.Error writes it. */
export function plainError(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(status, {
    ...headers,
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(`${text}\n`);
}

const isDiscovery = (path: string): boolean => path.split('/').filter(Boolean).length === 3;

const unreachable = (address: Address, error: Error): string =>
  `error trying to reach service: ${dialText(address, error)}`;

/** Resolves when the answer has gone, or the client. */
export async function passRequest(
  { request, response, headers }: Exchange,
  { backend, user }: Passed,
): Promise<void> {
  let address: Address;
  try {
    address = await backend.resolve();
  } catch {
    return plainError(response, 503, 'service unavailable');
  }
  await new Promise<void>((done) => {
    response.on('close', done);
    sendOn(request, response, { backend, user, address, headers });
  });
}

function sendOn(
  request: IncomingMessage,
  response: ServerResponse,
  passed: Passed & { readonly address: Address; readonly headers: Exchange['headers'] },
): void {
  const { backend, user, address } = passed;
  const path = request.url ?? '/';
  const isShort = isDiscovery(path.split('?')[0] ?? '');
  const hasBody = request.method !== 'GET' && request.method !== 'HEAD';
  const outgoing = httpsRequest({
    ...backend.options(address),
    path,
    method: request.method,
    headers: passedHeaders(request, user),
    ...(isShort ? { signal: AbortSignal.timeout(DISCOVERY_MS) } : {}),
  });
  outgoing.on('response', (answer) => {
    const headers = { ...answeredHeaders(answer.headers), ...passed.headers };
    response.writeHead(answer.statusCode ?? 502, headers);
    response.flushHeaders();
    answer.pipe(response);
    answer.on('error', () => response.destroy());
  });
  outgoing.on('error', (error) => {
    if (!hasBody && !response.headersSent && isStaleConnection(outgoing, error)) {
      return sendOn(request, response, passed);
    }
    plainError(response, 503, unreachable(address, error));
  });
  response.on('close', () => outgoing.destroy());
  request.on('error', () => outgoing.destroy());
  if (hasBody) request.pipe(outgoing);
  else outgoing.end();
}

/** An answer where an upgrade was asked for. */
export function refuse(socket: Duplex, status: number, text: string): void {
  socket.end(
    `HTTP/1.1 ${status} ${status === 503 ? 'Service Unavailable' : 'Error'}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text) + 1}\r\nConnection: close\r\n\r\n${text}\n`,
  );
}

function headText(status: string, rawHeaders: readonly string[]): string {
  const lines = [`HTTP/1.1 ${status}`];
  for (let i = 0; i < rawHeaders.length; i += 2)
    lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function join(one: Duplex, other: Duplex): void {
  one.pipe(other);
  other.pipe(one);
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  }
}

/** SPDY or websocket: after the 101 only bytes are passed. */
export async function passUpgrade(
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
  { backend, user }: Passed,
): Promise<void> {
  let address: Address;
  try {
    address = await backend.resolve();
  } catch {
    return refuse(socket, 503, 'service unavailable');
  }
  const outgoing = httpsRequest({
    ...backend.options(address, true),
    path: request.url ?? '/',
    method: request.method,
    headers: {
      ...passedHeaders(request, user),
      Connection: 'Upgrade',
      Upgrade: String(request.headers.upgrade ?? ''),
    },
  });
  outgoing.on('error', (error) => refuse(socket, 503, unreachable(address, error)));
  outgoing.on('response', (answer) => {
    const raw = answer.rawHeaders.filter(
      (_, i, all) =>
        !['transfer-encoding', 'connection'].includes(String(all[i - (i % 2)]).toLowerCase()),
    );
    socket.write(
      headText(`${answer.statusCode} ${answer.statusMessage}`, [...raw, 'Connection', 'close']),
    );
    answer.pipe(socket);
  });
  outgoing.on('upgrade', (answer, backendSocket, first) => {
    socket.write(headText('101 Switching Protocols', answer.rawHeaders));
    if (first.length > 0) socket.write(first);
    if (head.length > 0) backendSocket.write(head);
    join(backendSocket, socket);
  });
  socket.on('close', () => outgoing.destroy());
  outgoing.end();
}
