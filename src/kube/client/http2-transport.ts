// One TLS connection to the API server with all requests and watches on it at once. A connection that
// the server winds down or that goes silent is replaced; requests never wait for a place in a pool.
import { readFileSync } from 'node:fs';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { StringDecoder } from 'node:string_decoder';
import { Fault } from '#base/fault.ts';
import type { ApiAccess } from './kubeconfig.ts';
import { Patience, retryAfter } from './patience.ts';
import type { ApiRequest, ApiResponse, Transport } from './transport.ts';

/** After this long without a byte the peer is asked for a sign of life; after twice it is dead. */
const SILENCE_MS = 20_000;
const CONNECT_MS_MAX = 10_000;
const ANSWER_MS_MAX = 60_000;
const BODY_BYTES_MAX = 1024 * 1024 * 1024;

function unreachable(server: string, cause: unknown): Fault {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Fault(
    { code: 'api-unreachable', server },
    `Cannot reach the API server at ${server}: ${why}`,
    { cause },
  );
}

/** The server has certainly not acted on the request. */
function isUnsent(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  return (
    code === 'ERR_HTTP2_INVALID_SESSION' ||
    code === 'ERR_HTTP2_GOAWAY_SESSION' ||
    (code === 'ERR_HTTP2_STREAM_ERROR' && /REFUSED_STREAM/.test(String(error)))
  );
}

export class Http2Transport implements Transport {
  readonly #access: ApiAccess;
  readonly #base: string;
  readonly #userAgent: string;
  #session: ClientHttp2Session | undefined;
  readonly #sessions = new Set<ClientHttp2Session>();
  readonly #patience = new Patience();
  #isClosed = false;

  constructor(access: ApiAccess, userAgent: string) {
    this.#access = access;
    this.#userAgent = userAgent;
    this.#base = new URL(access.server).pathname.replace(/\/$/, '');
  }

  async send(request: ApiRequest, signal?: AbortSignal): Promise<ApiResponse> {
    try {
      return await this.#patience.send(() => this.#send(request, signal), signal);
    } catch (error) {
      if (this.#isClosed || signal?.aborted === true || !isUnsent(error)) {
        throw unreachable(this.#access.server, error);
      }
    }
    try {
      return await this.#patience.send(() => this.#send(request, signal), signal);
    } catch (error) {
      throw unreachable(this.#access.server, error);
    }
  }

  async stream(
    request: ApiRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse | undefined> {
    try {
      return await this.#stream(request, onText, signal);
    } catch (error) {
      throw unreachable(this.#access.server, error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#patience.end();
    const open = [...this.#sessions];
    await Promise.all(
      open.map(
        (session) =>
          new Promise<void>((done) => {
            if (session.destroyed) return done();
            session.once('close', () => done());
            session.destroy();
          }),
      ),
    );
  }

  #connection(): ClientHttp2Session {
    if (this.#isClosed) throw new Error('the client is closed');
    const current = this.#session;
    if (current !== undefined && !current.closed && !current.destroyed) return current;
    const { server, caPem, certPem, keyPem, serverName, isInsecure } = this.#access;
    const session = connect(server, {
      ...(caPem === undefined ? {} : { ca: caPem }),
      ...(certPem === undefined ? {} : { cert: certPem }),
      ...(keyPem === undefined ? {} : { key: keyPem }),
      ...(serverName === undefined ? {} : { servername: serverName }),
      rejectUnauthorized: isInsecure !== true,
      // Long lists arrive in one round trip.
      settings: { initialWindowSize: 8 * 1024 * 1024, enablePush: false },
    });
    this.#session = session;
    this.#sessions.add(session);
    // Many watches on one session each listen for its end.
    session.setMaxListeners(0);
    watchSilence(session);
    const retire = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on('connect', () => session.setLocalWindowSize(32 * 1024 * 1024));
    session.on('goaway', retire);
    session.on('error', retire);
    session.on('close', () => {
      retire();
      this.#sessions.delete(session);
    });
    return session;
  }

  #open(request: ApiRequest): ClientHttp2Stream {
    const { token, tokenFile } = this.#access;
    const bearer = tokenFile === undefined ? token : readFileSync(tokenFile, 'utf8').trim();
    const { body } = request;
    const headers: Record<string, string> = {
      ...request.headers,
      [constants.HTTP2_HEADER_METHOD]: request.method,
      [constants.HTTP2_HEADER_PATH]: `${this.#base}${request.path}`,
      accept: request.accept ?? 'application/json',
      'user-agent': this.#userAgent,
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined
        ? {}
        : {
            'content-type': request.contentType ?? 'application/json',
            'content-length': String(Buffer.byteLength(body)),
          }),
    };
    const stream = this.#connection().request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    return stream;
  }

  #send(request: ApiRequest, signal: AbortSignal | undefined): Promise<ApiResponse> {
    return new Promise((done, fail) => {
      signal?.throwIfAborted();
      const stream = this.#open(request);
      const cancel = (): void => void stream.destroy(new Error('the request was cancelled'));
      signal?.addEventListener('abort', cancel, { once: true });
      stream.setTimeout(ANSWER_MS_MAX, () => stream.destroy(new Error('no answer in time')));
      stream.on('error', fail);
      stream.on('close', () => {
        signal?.removeEventListener('abort', cancel);
        fail(new Error('the connection ended before the answer'));
      });
      stream.on('response', (headers) => readWhole(stream, headers).then(done, fail));
    });
  }

  #stream(
    request: ApiRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<ApiResponse | undefined> {
    return new Promise((done, fail) => {
      if (signal.aborted) return done(undefined);
      const stream = this.#open(request);
      const cancel = (): void => stream.close(constants.NGHTTP2_CANCEL);
      signal.addEventListener('abort', cancel, { once: true });
      const decoder = new StringDecoder('utf8');
      let hasEnded = false;
      stream.on('error', fail);
      stream.on('end', () => (hasEnded = true));
      stream.on('close', () => {
        signal.removeEventListener('abort', cancel);
        if (hasEnded || signal.aborted) done(undefined);
        else fail(new Error('the connection ended'));
      });
      stream.on('response', (headers) => {
        const status = Number(headers[':status']);
        if (status !== 200) {
          readWhole(stream, headers).then(done, fail);
          return;
        }
        stream.on('data', (chunk: Buffer) => {
          if (!signal.aborted) onText(decoder.write(chunk));
        });
      });
    });
  }
}

function readWhole(
  stream: ClientHttp2Stream,
  headers: Readonly<Record<string, unknown>>,
): Promise<ApiResponse> {
  return new Promise((done, fail) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > BODY_BYTES_MAX) stream.destroy(new Error('the answer is too long'));
    });
    stream.on('error', fail);
    stream.on('end', () =>
      done({
        status: Number(headers[':status']),
        contentType: String(headers['content-type'] ?? ''),
        ...retryAfter(headers['retry-after']),
        text: Buffer.concat(chunks).toString('utf8'),
      }),
    );
  });
}

/** A peer that is gone without a word is noticed by its silence. */
function watchSilence(session: ClientHttp2Session): void {
  let isAsked = false;
  let isConnected = false;
  session.on('connect', () => {
    isConnected = true;
    session.setTimeout(SILENCE_MS);
  });
  session.setTimeout(CONNECT_MS_MAX);
  session.on('timeout', () => {
    if (!isConnected || isAsked) {
      session.destroy(new Error('the peer is silent'));
      return;
    }
    isAsked = true;
    session.ping(() => {
      isAsked = false;
    });
  });
}
