// Speaks HTTP for the agent: reads bodies, checks methods and media types in the order of Mesos,
// answers JSON or protobuf. What is asked is in executor-api.ts, operator-api.ts and legacy.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { faultCode } from '#base/fault.ts';
import { decode, encode, type MessageName, parseJson, stringify } from '#wire/mesos/codec.ts';

export type Media = 'application/json' | 'application/x-protobuf';
export const JSON_MEDIA = 'application/json';
export const PROTOBUF_MEDIA = 'application/x-protobuf';
export const RECORDIO_MEDIA = 'application/recordio';

const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** An answer that ends the request: status and plain text, as Mesos gives it. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((done, fail) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BODY_BYTES_MAX) fail(new HttpProblem(413, 'The body is too large'));
      else chunks.push(chunk);
    });
    request.once('end', () => done(Buffer.concat(chunks)));
    request.once('error', fail);
  });
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  const type = text === '' ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  response.writeHead(status, { ...type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

export function sendProblem(response: ServerResponse, problem: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (!(problem instanceof HttpProblem)) {
    sendText(response, 500, problem instanceof Error ? problem.message : String(problem));
    return;
  }
  for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
  sendText(response, problem.status, problem.message);
}

/** 405, then 400 and 415 for the media type, then 400 for what cannot be parsed. */
export async function readCall<T>(
  request: IncomingMessage,
  message: MessageName,
  shown: string,
): Promise<{ call: T; media: Media }> {
  if (request.method !== 'POST') {
    const text = `Expecting one of { 'POST' }, but received '${request.method ?? ''}'`;
    throw new HttpProblem(405, text, { Allow: 'POST' });
  }
  const media = request.headers['content-type'];
  if (media === undefined) {
    throw new HttpProblem(400, "Expecting 'Content-Type' to be present");
  }
  const body = await readBody(request);
  if (media !== JSON_MEDIA && media !== PROTOBUF_MEDIA) {
    throw new HttpProblem(415, `Expecting 'Content-Type' of ${JSON_MEDIA} or ${PROTOBUF_MEDIA}`);
  }
  try {
    const call =
      media === JSON_MEDIA ? parseJson(message, body.toString('utf8')) : decode(message, body);
    return { call: call as T, media };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (faultCode(error) === undefined) throw error;
    const kind = media === JSON_MEDIA ? 'JSON' : 'body';
    throw new HttpProblem(400, `Failed to parse ${kind} into ${shown}: ${why}`);
  }
}

/** JSON when nothing is asked or both would do; 406 when neither would. */
export function acceptedMedia(request: IncomingMessage): Media {
  const accept = request.headers.accept;
  if (accept === undefined) return JSON_MEDIA;
  const names = accept.split(',').map((part) => part.split(';')[0]?.trim() ?? '');
  const takes = (media: string): boolean =>
    names.some((name) => name === '*/*' || name === 'application/*' || name === media);
  if (takes(JSON_MEDIA)) return JSON_MEDIA;
  if (takes(PROTOBUF_MEDIA)) return PROTOBUF_MEDIA;
  throw new HttpProblem(406, `Expecting 'Accept' to allow ${JSON_MEDIA} or ${PROTOBUF_MEDIA}`);
}

export function encodeAs(media: Media, message: MessageName, value: unknown): Uint8Array {
  return media === JSON_MEDIA
    ? Buffer.from(stringify(message, value as never))
    : encode(message, value as never);
}

/** Legacy endpoints: JSON, or JavaScript with `?jsonp=`. */
export function sendJson(response: ServerResponse, query: URLSearchParams, value: unknown): void {
  const jsonp = query.get('jsonp');
  const json = JSON.stringify(value);
  const body = jsonp === null ? json : `${jsonp}(${json})`;
  const type = jsonp === null ? JSON_MEDIA : 'text/javascript';
  response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
