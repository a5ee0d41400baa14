// The answer to a watch or a log that a client asks for over a websocket, as kube-apiserver v1.37 gives it: it is
// written as any other answer is, and what would be its body goes out as messages. An error is a plain HTTP answer
// in place of the handshake.
import { STATUS_CODES, type ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { RequestInfo } from './request-info.ts';
import {
  acceptWebSocket,
  isWebSocketUpgrade,
  type UpgradeRequest,
} from '#kube/streaming/upgrade.ts';

type Values = string | number | readonly string[] | undefined;

const BASE64 = 'base64.binary.k8s.io';
const logProtocols = ['binary.k8s.io', BASE64];
const NORMAL_CLOSURE = 1000;

/** Undefined while a message has not come whole. */
interface Message {
  readonly data: Buffer;
  readonly isText: boolean;
  readonly rest: Buffer;
}

/** The answer to write to when this is a read by websocket; undefined for other upgrades. */
export function answerByMessages(
  info: RequestInfo,
  upgrade: UpgradeRequest,
): ServerResponse | undefined {
  const isLog = info.resource === 'pods' && info.subresource === 'log' && info.verb === 'get';
  const isWatch = info.isResource && info.verb === 'watch';
  if (!(isLog || isWatch) || !isWebSocketUpgrade(upgrade)) return undefined;
  return new WebSocketResponse(upgrade, isLog ? 'log' : 'watch') as unknown as ServerResponse;
}

class WebSocketResponse extends Writable {
  statusCode = 200;
  statusMessage = '';
  headersSent = false;
  readonly #upgrade: UpgradeRequest;
  readonly #kind: 'watch' | 'log';
  readonly #headers = new Map<string, Values>();
  #opened: Promise<WebSocket | undefined> | undefined;
  #webSocket: WebSocket | undefined;
  #protocol = '';
  #rest: Buffer = Buffer.alloc(0);

  constructor(upgrade: UpgradeRequest, kind: 'watch' | 'log') {
    super();
    this.#upgrade = upgrade;
    this.#kind = kind;
    upgrade.socket.on('close', () => this.destroy());
    upgrade.socket.on('error', () => this.destroy());
  }

  get socket(): UpgradeRequest['socket'] {
    return this.#upgrade.socket;
  }

  setHeader(name: string, value: Values): this {
    this.#headers.set(name.toLowerCase(), value);
    return this;
  }

  getHeader(name: string): Values {
    return this.#headers.get(name.toLowerCase());
  }

  writeHead(status: number, headers: Readonly<Record<string, Values>> = {}): this {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    this.flushHeaders();
    return this;
  }

  flushHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    if (this.statusCode === 200) this.#opened = this.#open();
    else this.#upgrade.socket.write(this.#plainHead());
  }

  async #open(): Promise<WebSocket | undefined> {
    // A watch takes whatever subprotocol is asked for, as it is of no use to it.
    const asked = String(this.#upgrade.request.headers['sec-websocket-protocol'] ?? '');
    const any = asked.split(',').map((name) => name.trim());
    const protocols = this.#kind === 'log' ? logProtocols : any;
    const accepted = await acceptWebSocket(this.#upgrade, protocols);
    if (accepted === undefined) {
      this.destroy();
      return undefined;
    }
    const { webSocket, protocol } = accepted;
    this.#webSocket = webSocket;
    this.#protocol = protocol;
    webSocket.on('close', () => this.destroy());
    webSocket.on('error', () => this.destroy());
    // What a client says here means nothing.
    webSocket.on('message', () => {});
    // A log begins with an empty message: the client knows that it is there.
    if (this.#kind === 'log') webSocket.send(Buffer.alloc(0));
    return webSocket;
  }

  #plainHead(): string {
    const lines = [...this.#headers]
      .filter(([name, value]) => value !== undefined && name !== 'connection')
      .map(([name, value]) => `${name}: ${String(value)}`);
    const phrase = STATUS_CODES[this.statusCode] ?? 'Error';
    return `${[`HTTP/1.1 ${this.statusCode} ${phrase}`, ...lines, 'connection: close'].join('\r\n')}\r\n\r\n`;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.flushHeaders();
    if (this.#opened === undefined) {
      this.#upgrade.socket.write(chunk, done);
      return;
    }
    if (this.#webSocket !== undefined) return this.#send(this.#webSocket, chunk, done);
    void this.#opened.then((webSocket) => {
      if (webSocket === undefined) done();
      else this.#send(webSocket, chunk, done);
    });
  }

  #send(webSocket: WebSocket, chunk: Buffer, done: (error?: Error | null) => void): void {
    let left = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    for (let next = this.#next(left); next !== undefined; next = this.#next(left)) {
      messages.push(next);
      left = next.rest;
    }
    this.#rest = left;
    const last = messages.pop();
    if (last === undefined) return done();
    for (const { data, isText } of messages) webSocket.send(data, { binary: !isText });
    webSocket.send(last.data, { binary: !last.isText }, (error) => done(error));
  }

  #next(bytes: Buffer): Message | undefined {
    if (bytes.length === 0) return undefined;
    if (this.#kind === 'log') {
      const isText = this.#protocol === BASE64;
      const data = isText ? Buffer.from(bytes.toString('base64')) : bytes;
      return { data, isText, rest: Buffer.alloc(0) };
    }
    // Events of JSON are lines, those of protobuf have their length before them.
    if (!String(this.getHeader('content-type')).includes('protobuf')) {
      const end = bytes.indexOf('\n') + 1;
      if (end === 0) return undefined;
      return { data: bytes.subarray(0, end), isText: true, rest: bytes.subarray(end) };
    }
    const end = bytes.length < 4 ? Infinity : 4 + bytes.readUInt32BE(0);
    if (bytes.length < end) return undefined;
    return { data: bytes.subarray(4, end), isText: false, rest: bytes.subarray(end) };
  }

  override _final(done: () => void): void {
    this.flushHeaders();
    if (this.#opened === undefined) {
      this.#upgrade.socket.end(done);
      return;
    }
    // Over when the client has said so, too; it is cut off when it does not.
    void this.#opened.then((webSocket) => {
      if (webSocket === undefined) return done();
      webSocket.once('close', () => done());
      webSocket.close(NORMAL_CLOSURE);
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#webSocket === undefined) this.#upgrade.socket.destroy();
    else this.#webSocket.terminate();
    done(error);
  }
}
