// The server side of exec and attach: the channels of a remote command over SPDY or a websocket, in
// all protocol versions that clients speak, as plain streams.
import { PassThrough, Writable } from 'node:stream';
import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import { SpdyConnection } from './spdy-connection.ts';
import type { SpdyStream } from './spdy-connection.ts';
import { acceptSpdy, acceptWebSocket, isSpdyUpgrade, isWebSocketUpgrade } from './upgrade.ts';
import { refuseUpgrade } from './upgrade.ts';
import type { UpgradeRequest } from './upgrade.ts';

export interface RemoteCommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** What the handler of a command works with. */
export interface RemoteCommand {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  onResize(listener: (size: TerminalSize) => void): void;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

/** How it ended; what it throws becomes a failure status. */
export type RemoteHandler = (command: RemoteCommand) => Promise<RemoteEnd>;

export interface RemoteEnd {
  readonly exitCode: number;
}

const spdyProtocols = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;

const webSocketProtocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
] as const;

const openWaitMs = 30_000;

/** The part of a `Status` that ends a command. */
export interface EndStatus {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly causes: readonly { readonly reason: string; readonly message: string }[];
  };
}

export function exitStatus(exitCode: number): EndStatus {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  const text = `command terminated with exit code ${exitCode}`;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${text}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

function failureStatus(error: unknown): Record<string, unknown> {
  const message = error instanceof Error ? error.message : String(error);
  return { metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 };
}

/** Serves one upgraded request; resolves when all is over. */
export async function serveRemoteCommand(
  upgrade: UpgradeRequest,
  options: RemoteCommandOptions,
  handler: RemoteHandler,
): Promise<void> {
  if (isSpdyUpgrade(upgrade)) return serveSpdy(upgrade, options, handler);
  if (isWebSocketUpgrade(upgrade)) return serveWebSocket(upgrade, options, handler);
  refuseUpgrade(upgrade, 400, 'Bad Request', 'unable to upgrade: missing upgrade header');
}

type SpdyStreams = Map<string, SpdyStream>;

async function serveSpdy(
  upgrade: UpgradeRequest,
  options: RemoteCommandOptions,
  handler: RemoteHandler,
): Promise<void> {
  const accepted = acceptSpdy(upgrade, spdyProtocols);
  if (accepted === undefined) return;
  const { under, protocol } = accepted;
  const gone = new AbortController();
  const wanted = ['error'];
  for (const name of ['stdin', 'stdout', 'stderr'] as const) if (options[name]) wanted.push(name);
  const hasResize = protocol.startsWith('v4') || protocol.startsWith('v3');
  if (options.tty && hasResize) wanted.push('resize');
  const { connection, streams } = await collectStreams(under, wanted, gone);
  const error = streams.get('error');
  if (error === undefined || streams.size < wanted.length) {
    connection.close();
    return;
  }
  const resize = streams.get('resize');
  const command: RemoteCommand = {
    stdin: streams.get('stdin'),
    stdout: streams.get('stdout'),
    stderr: streams.get('stderr'),
    onResize: (listener) => resize?.on('data', sizeParser(listener)),
    signal: gone.signal,
  };
  const status = await runHandler(handler, command);
  const text = protocol.startsWith('v4') ? JSON.stringify(status) : plainError(status);
  for (const stream of [command.stdout, command.stderr]) await ended(stream);
  if (text !== '') error.write(text);
  await ended(error);
  connection.close();
}

/** Before version 4 the error channel carries text, and nothing after success. */
function plainError(status: Record<string, unknown>): string {
  return status['status'] === 'Success' ? '' : String(status['message']);
}

function collectStreams(
  under: UpgradeRequest['socket'],
  wanted: readonly string[],
  gone: AbortController,
): Promise<{ readonly connection: SpdyConnection; readonly streams: SpdyStreams }> {
  const streams: SpdyStreams = new Map();
  return new Promise((done) => {
    const finish = (): void => {
      clearTimeout(timer);
      done({ connection, streams });
    };
    const timer = setTimeout(finish, openWaitMs);
    const connection = new SpdyConnection(under, {
      role: 'server',
      onStream: (stream) => {
        // A stream's failure is the connection's end, which is handled there.
        stream.on('error', () => {});
        streams.set(stream.headers['streamtype'] ?? '', stream);
        if (wanted.every((name) => streams.has(name))) finish();
      },
      onClose: () => {
        gone.abort();
        finish();
      },
    });
  });
}

async function runHandler(
  handler: RemoteHandler,
  command: RemoteCommand,
): Promise<Record<string, unknown>> {
  try {
    const { exitCode } = await handler(command);
    return { ...exitStatus(exitCode) };
  } catch (error) {
    return failureStatus(error);
  }
}

function ended(stream: Writable | undefined): Promise<void> {
  if (stream === undefined || stream.destroyed || stream.writableFinished) return Promise.resolve();
  return new Promise((done) => {
    stream.once('close', done);
    stream.once('error', () => done());
    stream.end(() => done());
  });
}

/** `{"Width":80,"Height":24}` objects in a row. */
function sizeParser(listener: (size: TerminalSize) => void): (chunk: Uint8Array) => void {
  let text = '';
  return (chunk) => {
    text += Buffer.from(chunk).toString('utf8');
    for (;;) {
      const end = text.indexOf('}');
      if (end < 0) break;
      const match = /\{.*\}/s.exec(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (match === null) continue;
      try {
        const size = JSON.parse(match[0]) as { Width?: unknown; Height?: unknown };
        listener({ columns: Number(size.Width), rows: Number(size.Height) });
      } catch {
        // Not a size: nothing to do with it.
      }
    }
    if (text.length > 4096) text = '';
  };
}

const channelOf = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
const closeChannel = 255;

async function serveWebSocket(
  upgrade: UpgradeRequest,
  options: RemoteCommandOptions,
  handler: RemoteHandler,
): Promise<void> {
  const accepted = await acceptWebSocket(upgrade, webSocketProtocols);
  if (accepted === undefined) return;
  const { webSocket, protocol } = accepted;
  const channels = new ChannelSocket(webSocket, protocol);
  const isNew = protocol.startsWith('v4') || protocol.startsWith('v5');
  const command: RemoteCommand = {
    stdin: options.stdin ? channels.stdin : undefined,
    stdout: options.stdout ? channels.writable(channelOf.stdout) : undefined,
    stderr: options.stderr ? channels.writable(channelOf.stderr) : undefined,
    onResize: (listener) => channels.resize.on('data', sizeParser(listener)),
    signal: channels.signal,
  };
  // Tells clients that wait for it that the connection is there.
  if (options.stdout) channels.send(channelOf.stdout, new Uint8Array(0));
  else if (options.stderr) channels.send(channelOf.stderr, new Uint8Array(0));
  const status = await runHandler(handler, command);
  for (const stream of [command.stdout, command.stderr]) await ended(stream);
  const text = isNew ? JSON.stringify(status) : plainError(status);
  if (text !== '') channels.send(channelOf.error, Buffer.from(text));
  channels.close();
}

/** The channels of `channel.k8s.io`: each message begins with the number of its channel. */
class ChannelSocket {
  readonly stdin: PassThrough = new PassThrough();
  readonly resize: PassThrough = new PassThrough();
  readonly signal: AbortSignal;
  readonly #webSocket: WebSocket;
  readonly #isBase64: boolean;

  constructor(webSocket: WebSocket, protocol: string) {
    this.#webSocket = webSocket;
    this.#isBase64 = protocol.includes('base64');
    const gone = new AbortController();
    this.signal = gone.signal;
    webSocket.on('message', (data: Buffer) => this.#onMessage(data));
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('close', () => {
      this.stdin.end();
      this.resize.end();
      gone.abort();
    });
  }

  #onMessage(data: Buffer): void {
    const first = data[0];
    if (first === undefined) return;
    const channel = this.#isBase64 ? first - 48 : first;
    const rest = data.subarray(1);
    const bytes = this.#isBase64 ? Buffer.from(rest.toString('latin1'), 'base64') : rest;
    if (channel === closeChannel) {
      if (bytes[0] === channelOf.stdin) this.stdin.end();
      return;
    }
    if (channel === channelOf.resize) this.resize.write(bytes);
    if (channel !== channelOf.stdin || this.stdin.writableEnded) return;
    if (this.stdin.write(bytes)) return;
    this.#webSocket.pause();
    this.stdin.once('drain', () => this.#webSocket.resume());
  }

  send(channel: number, bytes: Uint8Array, done?: (error?: Error | null) => void): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) {
      done?.(null);
      return;
    }
    const finish = (): void => done?.(null);
    if (this.#isBase64) {
      const text = `${channel}${Buffer.from(bytes).toString('base64')}`;
      this.#webSocket.send(text, finish);
      return;
    }
    this.#webSocket.send(Buffer.concat([Buffer.from([channel]), bytes]), finish);
  }

  writable(channel: number): Writable {
    return new Writable({
      write: (chunk: Uint8Array, _encoding, done) => this.send(channel, chunk, done),
    });
  }

  close(): void {
    this.#webSocket.close(1000);
  }
}
