// HTTP for the v1 APIs: a call is one POST; a subscription is a POST whose answer is a RecordIO stream.
import {
  Agent,
  request as httpRequest,
  type ClientRequest,
  type ClientRequestArgs,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { Fault } from '#base/fault.ts';
import { RecordDecoder } from '#codec/recordio.ts';
import { connectTo } from '#mesos/security/tls-client.ts';
import { SYSTEM_TLS, type TlsSettings } from '#mesos/security/tls-settings.ts';

export type ContentType = 'application/json' | 'application/x-protobuf';

export interface PostOptions {
  readonly method?: 'GET' | 'POST' | undefined;
  readonly url: string;
  readonly body: Uint8Array | string;
  readonly contentType: ContentType;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly agent?: Agent | undefined;
  /** A socket in the file system, instead of host and port. */
  readonly socketPath?: string | undefined;
  /** With what `https:` is spoken. */
  readonly tls?: TlsSettings | undefined;
  readonly signal?: AbortSignal | undefined;
}

const ERROR_BYTES_MAX = 64 * 1024;

/** Host and port; `https:` is left to the connection. */
function targetOf(url: string): Pick<RequestOptions, 'host' | 'port' | 'path'> {
  const { hostname, port, pathname, search, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const fallback = protocol === 'https:' ? 443 : 80;
  return { host, port: port === '' ? fallback : Number(port), path: pathname + search };
}

/** What a connection is to be, beside host and port. */
interface Secured {
  /** Undefined: without TLS. */
  readonly tls?: TlsSettings | undefined;
}

/** Whoever says `https:` without more believes whom the system believes. */
function securedBy({ url, tls }: PostOptions): Secured {
  return url.startsWith('https:') ? { tls: tls ?? SYSTEM_TLS } : {};
}

function connection({ host, port, socketPath, tls }: ClientRequestArgs & Secured): Duplex {
  if (typeof socketPath === 'string') return connect(socketPath);
  return connectTo({ host: host ?? 'localhost', port: Number(port) }, tls);
}

function send(options: PostOptions): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const body = typeof options.body === 'string' ? Buffer.from(options.body) : options.body;
    const secured = securedBy(options);
    const own = secured.tls === undefined ? {} : { createConnection: connection };
    const request = httpRequest(
      {
        ...targetOf(options.url),
        ...secured,
        ...own,
        ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
        method: options.method ?? 'POST',
        agent: options.agent,
        signal: options.signal,
        headers: {
          ...(options.method === 'GET' ? {} : { 'Content-Type': options.contentType }),
          Accept: options.contentType,
          ...(options.method === 'GET' ? {} : { 'Content-Length': body.length }),
          ...options.headers,
        },
      },
      done,
    );
    request.on('error', (error) =>
      fail(
        new Fault({ code: 'unreachable', url: options.url }, `Cannot reach ${options.url}`, {
          cause: error,
        }),
      ),
    );
    request.end(body);
  });
}

export async function readBody(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) {
      response.destroy();
      throw new Fault({ code: 'too-large' }, `Cannot read the answer: more than ${bytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function refusal(url: string, response: IncomingMessage): Promise<Fault> {
  const status = response.statusCode ?? 0;
  const location = response.headers.location;
  const text = (await readBody(response, ERROR_BYTES_MAX)).toString();
  const detail = {
    code: 'http-status',
    status,
    url,
    text: text === '' ? `status ${status}` : text,
    ...(location === undefined ? {} : { location }),
  };
  return new Fault(detail, `${url} answered ${status}: ${text.trim()}`);
}

/** The body of a 2xx answer; Fault `http-status` (with `status`, `location`) or `unreachable`. */
export async function post(options: PostOptions, bytesMax = 1024 * 1024 * 1024): Promise<Buffer> {
  const response = await send(options);
  const status = response.statusCode ?? 0;
  if (status < 200 || status >= 300) throw await refusal(options.url, response);
  return await readBody(response, bytesMax);
}

export interface RecordStream {
  readonly headers: IncomingMessage['headers'];
  close(): void;
}

/**
 * Opens a stream; records arrive in order, then `onEnd` is called once. Faults as `post`.
 */
export async function openRecordStream(
  options: PostOptions,
  handlers: { onRecord: (record: Uint8Array) => void; onEnd: (error?: unknown) => void },
): Promise<RecordStream> {
  // A subscription holds its connection: it does not share one with calls.
  const response = await send({ ...options, agent: undefined });
  if (response.statusCode !== 200) throw await refusal(options.url, response);
  const decoder = new RecordDecoder();
  let isOver = false;
  const end = (error?: unknown): void => {
    if (isOver) return;
    isOver = true;
    response.destroy();
    handlers.onEnd(error);
  };
  response.on('data', (chunk: Buffer) => {
    try {
      for (const record of decoder.push(chunk)) if (!isOver) handlers.onRecord(record);
    } catch (error) {
      end(error);
    }
  });
  response.on('end', () => end());
  response.on('error', (error) => end(error));
  response.on('close', () => end());
  return {
    headers: response.headers,
    close: () => {
      isOver = true;
      response.destroy();
    },
  };
}

class OrderedAgent extends Agent {
  override createConnection(options: ClientRequestArgs & Secured): Duplex {
    return connection(options);
  }

  /** Those that wait for their turn would go out on a connection made anew, which nobody would end. */
  override destroy(): void {
    const queues = this.requests as Record<string, (ClientRequest | undefined)[] | undefined>;
    const waiting = Object.values(queues).flatMap((queue) => queue ?? []);
    for (const name of Object.keys(queues)) delete queues[name];
    super.destroy();
    for (const request of waiting) {
      request?.destroy();
      request?.emit('error', new Error('The client is closed'));
    }
  }
}

/** One connection, so that calls arrive in the order in which they were made. */
export function orderedAgent(): Agent {
  return new OrderedAgent({ keepAlive: true, maxSockets: 1 });
}

/** The JSON of a GET; Faults as `post`. */
export async function getJson(
  options: Omit<PostOptions, 'body' | 'contentType'>,
): Promise<unknown> {
  const body = await post({ ...options, method: 'GET', body: '', contentType: 'application/json' });
  return JSON.parse(body.toString()) as unknown;
}
