// How components reach the API server of their own process: the same requests and answers, handed to its
// handler without a connection, so that nothing is encrypted, framed and parsed for oneself.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { TLSSocket } from 'node:tls';
import { Fault } from '#base/fault.ts';
import { introduce } from '#kube/apiserver/authentication.ts';
import type { Handler } from '#kube/apiserver/handler.ts';
import type { UserInfo } from '#kube/apiserver/user.ts';
import { Patience, retryAfter } from '#kube/client/patience.ts';
import type { ApiRequest, ApiResponse, Transport } from '#kube/client/transport.ts';

/** What the handler uses of a ServerResponse. */
class Answer extends Writable {
  statusCode = 200;
  contentType = '';
  retryAfter: unknown;
  headersSent = false;
  readonly #decoder = new StringDecoder('utf8');
  readonly #onText: (text: string) => void;

  constructor(onText: (text: string) => void) {
    super();
    this.#onText = onText;
    // Whoever cuts it says so by destroying it.
    this.on('error', () => {});
  }

  writeHead(status: number, headers: Readonly<Record<string, unknown>> = {}): this {
    this.statusCode = status;
    this.contentType = String(headers['Content-Type'] ?? '');
    this.retryAfter = headers['Retry-After'];
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    this.headersSent = true;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#onText(this.#decoder.write(chunk));
    done();
  }
}

export interface LocalTransportOptions {
  readonly user: UserInfo;
  readonly userAgent: string;
  /**
   * Waited for before each request: a turn of the event loop, so that a component with much to do
   * does not keep connections from being read (loop-share.ts).
   */
  readonly turn?: (() => Promise<void>) | undefined;
}

export class LocalTransport implements Transport {
  readonly #handler: Pick<Handler, 'handle'>;
  readonly #options: LocalTransportOptions;
  /** Stands for the connection there would be. */
  readonly #socket = { remoteAddress: '127.0.0.1' } as unknown as TLSSocket;
  readonly #open = new Set<Answer>();
  readonly #patience = new Patience();
  /** Requests are refused while this is set: the server is away. */
  isAway = false;

  constructor(handler: Pick<Handler, 'handle'>, options: LocalTransportOptions) {
    this.#handler = handler;
    this.#options = options;
    introduce(this.#socket, options.user);
  }

  async send(request: ApiRequest, signal?: AbortSignal): Promise<ApiResponse> {
    return await this.#patience.send(() => this.#send(request, signal), signal);
  }

  async #send(request: ApiRequest, signal: AbortSignal | undefined): Promise<ApiResponse> {
    const pieces: string[] = [];
    const answer = new Answer((piece) => void pieces.push(piece));
    await this.#run(request, answer, signal);
    const isWhole = answer.headersSent && answer.writableFinished;
    if (!isWhole || signal?.aborted === true) throw unreachable('there was no whole answer');
    const { statusCode: status, contentType } = answer;
    return { status, contentType, text: pieces.join(''), ...retryAfter(answer.retryAfter) };
  }

  async stream(
    request: ApiRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse | undefined> {
    if (signal.aborted) return undefined;
    const failure: string[] = [];
    const answer = new Answer((piece) => {
      if (answer.statusCode !== 200) failure.push(piece);
      else if (!signal.aborted) onText(piece);
    });
    await this.#run(request, answer, signal);
    const { statusCode: status, contentType } = answer;
    if (status !== 200) return { status, contentType, text: failure.join('') };
    return undefined;
  }

  /** All watches end, as when the server goes. */
  dropStreams(): void {
    for (const answer of this.#open) answer.destroy();
  }

  async close(): Promise<void> {
    this.isAway = true;
    this.#patience.end();
    this.dropStreams();
  }

  async #run(request: ApiRequest, answer: Answer, signal: AbortSignal | undefined): Promise<void> {
    await this.#options.turn?.();
    if (this.isAway) throw unreachable('it is away');
    const stop = (): void => void answer.destroy();
    const closed = new Promise((done) => answer.once('close', done));
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop, { once: true });
    this.#open.add(answer);
    await this.#handler.handle(this.#incoming(request), answer as unknown as ServerResponse);
    await closed;
    this.#open.delete(answer);
    signal?.removeEventListener('abort', stop);
  }

  #incoming(request: ApiRequest): IncomingMessage {
    const { method, path, body, contentType = 'application/json', accept, headers } = request;
    const more = body === undefined ? {} : { 'content-type': contentType };
    const sent: Readonly<Record<string, string>> = {
      accept: accept ?? 'application/json',
      'user-agent': this.#options.userAgent,
      ...more,
      ...headers,
    };
    const bytes = body === undefined ? [] : [Buffer.from(body)];
    return Object.assign(Readable.from(bytes), {
      method,
      url: path,
      headers: sent,
      rawHeaders: Object.entries(sent).flat(),
      socket: this.#socket,
    }) as unknown as IncomingMessage;
  }
}

function unreachable(why: string): Fault {
  return new Fault({ code: 'api-unreachable' }, `Cannot reach the API server: ${why}`);
}
