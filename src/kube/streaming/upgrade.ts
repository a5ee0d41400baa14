// Upgrades of an HTTP/1.1 request to SPDY/3.1 or to a websocket, with the choice of a subprotocol.
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

const protocolHeader = 'x-stream-protocol-version';
const messageBytesMax = 32 * 1024 * 1024;

/** What a header lists, over all its occurrences. */
function listed(value: string | readonly string[] | undefined): string[] {
  const texts = typeof value === 'string' ? [value] : (value ?? []);
  return texts.flatMap((text) => text.split(',').map((part) => part.trim()));
}

export function isSpdyUpgrade({ request }: UpgradeRequest): boolean {
  return listed(request.headers.upgrade).some((name) => name.toLowerCase() === 'spdy/3.1');
}

export function isWebSocketUpgrade({ request }: UpgradeRequest): boolean {
  return listed(request.headers.upgrade).some((name) => name.toLowerCase() === 'websocket');
}

export function refuseUpgrade(
  { socket }: UpgradeRequest,
  code: number,
  phrase: string,
  message: string,
): void {
  const body = `${message}\n`;
  socket.end(
    `HTTP/1.1 ${code} ${phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Answers 101; undefined (and 403) when the client offers none of the protocols. */
export function acceptSpdy(
  upgrade: UpgradeRequest,
  protocols: readonly string[],
): { readonly under: Duplex; readonly protocol: string } | undefined {
  const { request, socket, head } = upgrade;
  const offered = listed(request.headers[protocolHeader]);
  // Clients from before the negotiation offer nothing.
  const protocol = offered.length === 0 ? '' : protocols.find((name) => offered.includes(name));
  if (protocol === undefined) {
    const message = `unable to upgrade: unable to negotiate protocol: client supports ${JSON.stringify(offered)}, server accepts ${JSON.stringify(protocols)}`;
    refuseUpgrade(upgrade, 403, 'Forbidden', message);
    return undefined;
  }
  const chosen = protocol === '' ? '' : `X-Stream-Protocol-Version: ${protocol}\r\n`;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${chosen}\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return { under: socket, protocol };
}

/** Answers 101; undefined (and 400) when the client offers none of the protocols. */
export function acceptWebSocket(
  upgrade: UpgradeRequest,
  protocols: readonly string[],
): Promise<{ readonly webSocket: WebSocket; readonly protocol: string } | undefined> {
  const offered = listed(upgrade.request.headers['sec-websocket-protocol']);
  const protocol = offered.length === 0 ? '' : offered.find((name) => protocols.includes(name));
  if (protocol === undefined) {
    const message = `unable to upgrade websocket connection: websocket server finished before becoming ready: no supported subprotocol in ${JSON.stringify(offered)}`;
    refuseUpgrade(upgrade, 400, 'Bad Request', message);
    return Promise.resolve(undefined);
  }
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: messageBytesMax,
    perMessageDeflate: false,
  });
  // `SPDY/3.1+portforward.k8s.io` is no token by the letter of the websocket standard, and `ws`
  // would refuse it: the choice is made here and written into the answer by hand.
  delete upgrade.request.headers['sec-websocket-protocol'];
  if (protocol !== '') {
    server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  }
  return new Promise((done) => {
    const { request, socket, head } = upgrade;
    // `ws` closes the socket itself when the handshake is wrong.
    socket.once('close', () => done(undefined));
    server.handleUpgrade(request, socket, head, (webSocket) => done({ webSocket, protocol }));
  });
}

/** A websocket as a byte stream: binary messages in a row. */
export function webSocketDuplex(webSocket: WebSocket): Duplex {
  const duplex: Duplex = new Duplex({
    read: () => webSocket.resume(),
    write: (chunk: Uint8Array, _encoding, done) => webSocket.send(chunk, (error) => done(error)),
    final: (done) => {
      webSocket.close(1000);
      done();
    },
    destroy: (error, done) => {
      webSocket.terminate();
      done(error);
    },
  });
  webSocket.on('message', (data: Buffer) => {
    if (!duplex.push(data)) webSocket.pause();
  });
  webSocket.on('close', () => duplex.push(null));
  webSocket.on('error', (error) => duplex.destroy(error));
  return duplex;
}
