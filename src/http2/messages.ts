// A request and its answer on one stream, with as much of node:http's interface as a handler for both versions uses.
import { validateHeaderValue, type IncomingHttpHeaders } from 'node:http';
import { Readable, Writable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { encodeHeaders } from './hpack-encoder.ts';
import { connectionHeaders, type RequestHead } from './request-headers.ts';
import type { GroupedStream } from './stream-group.ts';

/** The stream of a connection that a request came on. */
export interface StreamPort {
  readonly socket: TLSSocket;
  /** The handler takes more of the body. */
  wantsBody(): void;
  sendHead(block: Buffer): void;
  /** `done` is called when all of it has gone to the connection, or never will. */
  sendData(bytes: Buffer, done: () => void): void;
  /** For a group of answers that are sent the same bytes. */
  readonly grouped: GroupedStream;
  /** As sendData, for bytes whose sender does not wait; `sharedBytes` says how many have not gone. */
  sendShared(bytes: Buffer): void;
  readonly sharedBytes: number;
  /** What waits on the connection is written now, instead of at the end of the turn. */
  flush(): void;
  /** No data follows. */
  sendEnd(done: () => void): void;
  /** The answer was broken off; nothing happens when it was whole. */
  breakOff(): void;
}

export class Http2Request extends Readable {
  readonly httpVersion = '2.0';
  readonly httpVersionMajor = 2;
  readonly httpVersionMinor = 0;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly socket: TLSSocket;
  readonly #port: StreamPort;

  constructor(head: RequestHead, port: StreamPort) {
    super();
    this.method = head.method;
    this.url = head.url;
    this.headers = head.headers;
    this.rawHeaders = head.rawHeaders;
    this.#port = port;
    this.socket = port.socket;
  }

  override _read(): void {
    this.#port.wantsBody();
  }
}

type Values = string | number | readonly string[] | undefined;

/** The date of now, made once a second. */
let date = '';
let dateSecond = 0;

function dateNow(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = new Date(second * 1_000).toUTCString();
  }
  return date;
}

export class Http2Response extends Writable {
  statusCode = 200;
  headersSent = false;
  readonly #port: StreamPort;
  readonly #isHead: boolean;
  #headers: Map<string, Values> | undefined;
  #isEnding = false;
  /** Bytes that the port has got and not sent yet. */
  #handed = 0;

  constructor(port: StreamPort, isHead: boolean) {
    super();
    this.#port = port;
    this.#isHead = isHead;
  }

  get socket(): TLSSocket {
    return this.#port.socket;
  }

  setHeader(name: string, value: Values): this {
    this.#headers ??= new Map();
    this.#headers.set(name.toLowerCase(), value);
    return this;
  }

  getHeader(name: string): Values {
    return this.#headers?.get(name.toLowerCase());
  }

  writeHead(status: number, headers: Readonly<Record<string, Values>> = {}): this {
    if (this.headersSent) throw new Error('The head of an answer is sent once');
    this.statusCode = status;
    for (const name in headers) this.setHeader(name, headers[name]);
    this.flushHeaders();
    return this;
  }

  flushHeaders(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    this.#port.sendHead(encodeHeaders(this.statusCode, this.#headerList()));
  }

  /**
   * For one of many answers that are sent the same bytes, once the head has been sent: what its group does not send
   * goes through writeShared(). It is to leave the group before it ends.
   */
  get grouped(): GroupedStream | undefined {
    return this.headersSent && !this.#isHead ? this.#port.grouped : undefined;
  }

  /**
   * write() without what a stream does for each write. There is no 'drain' for it: `waitingLength` counts the bytes
   * until they have gone to the connection.
   */
  writeShared(bytes: Buffer): void {
    const isPlain = this.headersSent && this.writableLength === 0 && !this.#isHead;
    if (!isPlain || this.#isEnding || this.destroyed) this.write(bytes);
    else this.#port.sendShared(bytes);
  }

  /** Written, and not yet gone to the connection. */
  get waitingLength(): number {
    return this.writableLength + this.#port.sharedBytes;
  }

  flushConnection(): void {
    this.#port.flush();
  }

  /** Whether the port has all of the answer that is to come. */
  get isWhole(): boolean {
    return this.#isEnding && this.writableLength === this.#handed;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  override end(...args: readonly unknown[]): this {
    this.#isEnding = true;
    this.flushHeaders();
    return super.end(...(args as []));
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#hand([chunk], done);
  }

  /** What was written while the port had something else to send. */
  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#hand(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  #hand(chunks: readonly Buffer[], done: () => void): void {
    this.flushHeaders();
    if (this.#isHead) return done();
    this.#handed = this.writableLength;
    for (const [index, chunk] of chunks.entries())
      this.#port.sendData(chunk, index === chunks.length - 1 ? done : () => {});
  }

  override _final(done: () => void): void {
    this.#port.sendEnd(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#port.breakOff();
    done(error);
  }

  #headerList(): string[] {
    const list: string[] = [];
    for (const [name, values] of this.#headers ?? []) {
      if (values === undefined || connectionHeaders.has(name)) continue;
      for (const value of Array.isArray(values) ? values : [values]) {
        const text = String(value);
        validateHeaderValue(name, text);
        list.push(name, text);
      }
    }
    if (this.#headers?.has('date') !== true) list.push('date', dateNow());
    return list;
  }
}
