// The server side of port-forward: pairs of streams over SPDY (on a socket or tunnelled through a
// websocket), or the older channels of a websocket, each joined to a connection into the pod.
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { SpdyConnection } from './spdy-connection.ts';
import type { SpdyStream } from './spdy-connection.ts';
import { acceptSpdy, acceptWebSocket, isSpdyUpgrade, isWebSocketUpgrade } from './upgrade.ts';
import { refuseUpgrade, webSocketDuplex } from './upgrade.ts';
import type { UpgradeRequest } from './upgrade.ts';

export type Dial = (port: number) => Promise<Duplex>;

const spdyProtocol = 'portforward.k8s.io';
const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';
const channelProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'] as const;

/** Resolves when the client has gone. `ports` is for the websocket channels only. */
export async function servePortForward(
  upgrade: UpgradeRequest,
  dial: Dial,
  ports: readonly number[],
): Promise<void> {
  if (isSpdyUpgrade(upgrade)) {
    const accepted = acceptSpdy(upgrade, [spdyProtocol]);
    if (accepted !== undefined) await forwardSpdy(accepted.under, dial);
    return;
  }
  if (!isWebSocketUpgrade(upgrade)) {
    refuseUpgrade(upgrade, 400, 'Bad Request', 'unable to upgrade: missing upgrade header');
    return;
  }
  const accepted = await acceptWebSocket(upgrade, [tunnelProtocol, ...channelProtocols]);
  if (accepted === undefined) return;
  const { webSocket, protocol } = accepted;
  if (protocol === tunnelProtocol) await forwardSpdy(webSocketDuplex(webSocket), dial);
  else await forwardChannels(webSocket, { dial, ports, isBase64: protocol.includes('base64') });
}

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
}

function forwardSpdy(under: Duplex, dial: Dial): Promise<void> {
  const pairs = new Map<string, Pair>();
  return new Promise((done) => {
    const connection = new SpdyConnection(under, {
      role: 'server',
      onClose: () => {
        pairs.clear();
        done();
      },
      onStream: (stream) => {
        stream.on('error', () => {});
        const { requestid = '', port = '', streamtype } = stream.headers;
        const key = requestid === '' ? port : requestid;
        const pair = pairs.get(key) ?? {};
        pairs.set(key, pair);
        if (streamtype === 'error') pair.error = stream;
        else pair.data = stream;
        if (pair.error === undefined || pair.data === undefined) return;
        pairs.delete(key);
        void join(pair.data, pair.error, { dial, port: Number(port) });
      },
    });
    under.once('close', () => connection.close());
  });
}

async function join(
  data: SpdyStream,
  error: SpdyStream,
  { dial, port }: { readonly dial: Dial; readonly port: number },
): Promise<void> {
  let target: Duplex;
  try {
    target = await dial(port);
  } catch (failure) {
    const why = failure instanceof Error ? failure.message : String(failure);
    error.end(`error forwarding port ${port} to pod: ${why}`);
    data.end();
    return;
  }
  const over = (): void => {
    error.end();
    target.destroy();
  };
  target.on('error', () => {
    data.destroy();
    over();
  });
  data.on('close', over);
  target.on('close', () => {
    if (!data.writableEnded) data.end();
    error.end();
  });
  data.pipe(target);
  target.pipe(data);
}

interface ChannelContext {
  readonly dial: Dial;
  readonly ports: readonly number[];
  readonly isBase64: boolean;
}

/** Two channels per port: 2n carries data, 2n+1 errors; both begin with the port in two bytes. */
async function forwardChannels(webSocket: WebSocket, context: ChannelContext): Promise<void> {
  const { dial, ports, isBase64 } = context;
  const send = (channel: number, bytes: Uint8Array): void => {
    if (webSocket.readyState !== webSocket.OPEN) return;
    if (isBase64) webSocket.send(`${channel}${Buffer.from(bytes).toString('base64')}`);
    else webSocket.send(Buffer.concat([Buffer.from([channel]), bytes]));
  };
  const targets = ports.map(async (port, index) => {
    const prefix = Buffer.alloc(2);
    prefix.writeUInt16LE(port);
    send(2 * index, prefix);
    send(2 * index + 1, prefix);
    try {
      const target = await dial(port);
      target.on('data', (chunk: Buffer) => send(2 * index, chunk));
      target.on('error', (error) => send(2 * index + 1, Buffer.from(error.message)));
      target.on('close', () => webSocket.close(1000));
      return target;
    } catch (failure) {
      const why = failure instanceof Error ? failure.message : String(failure);
      send(2 * index + 1, Buffer.from(`error forwarding port ${port} to pod: ${why}`));
      return undefined;
    }
  });
  webSocket.on('message', (data: Buffer) => {
    const channel = isBase64 ? (data[0] ?? 0) - 48 : (data[0] ?? 0);
    const rest = data.subarray(1);
    const bytes = isBase64 ? Buffer.from(rest.toString('latin1'), 'base64') : rest;
    if (channel % 2 !== 0 || bytes.length === 0) return;
    void targets[channel / 2]?.then((target) => target?.write(bytes));
  });
  await new Promise<void>((done) => {
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('close', () => done());
  });
  for (const target of targets) void target.then((duplex) => duplex?.destroy());
}
