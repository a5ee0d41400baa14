// HTTP for the v1 APIs: a call is one POST; a subscription is a POST whose answer is a RecordIO stream.
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Fault } from '#base/fault.ts';
import { RecordDecoder } from '#codec/recordio.ts';

export type ContentType = 'application/json' | 'application/x-protobuf';

export interface PostOptions {
  readonly url: string;
  readonly body: Uint8Array | string;
  readonly contentType: ContentType;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly agent?: Agent | undefined;
  readonly signal?: AbortSignal | undefined;
}

const ERROR_BYTES_MAX = 64 * 1024;

function send(options: PostOptions): Promise<IncomingMessage> {
  return new Promise((done, fail) => {
    const body = typeof options.body === 'string' ? Buffer.from(options.body) : options.body;
    const request = httpRequest(
      options.url,
      {
        method: 'POST',
        agent: options.agent,
        signal: options.signal,
        headers: {
          'Content-Type': options.contentType,
          Accept: options.contentType,
          'Content-Length': body.length,
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

/** One connection, so that calls arrive in the order in which they were made. */
export function orderedAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}
