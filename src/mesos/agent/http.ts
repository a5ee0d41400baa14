// Speaks HTTP for the agent: problems as answers, bodies of calls, and in which forms the v1 operator API is
// spoken, in the order in which Mesos 1.11 checks. What is asked is in executor-api.ts, operator-api.ts, legacy.ts.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '#base/fault.ts';
import type { Exchange } from '#mesos/libprocess/exchange.ts';
import {
  accepts,
  isRefusal,
  jsonFault,
  parseCall,
  readCall,
  refuse,
  type ContentType,
} from '#mesos/libprocess/negotiate.ts';
import { decode, encode, parseJson, stringify, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages } from '#wire/mesos/v1.ts';

export const JSON_MEDIA = 'application/json';
export const PROTOBUF_MEDIA = 'application/x-protobuf';
export const RECORDIO_MEDIA = 'application/recordio';

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

export function sendText(response: ServerResponse, status: number, text: string): void {
  const type = text === '' ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  response.writeHead(status, { ...type, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

export function sendProblem(response: ServerResponse, problem: unknown): void {
  if (problem instanceof HttpProblem) {
    refuse(response, problem.status, problem.message, problem.headers);
  } else refuse(response, 500, problem instanceof Error ? problem.message : String(problem));
}

export function notImplemented(): HttpProblem {
  return new HttpProblem(501, '501 Not Implemented.');
}

/** A call of an executor or a resource provider; undefined after the refusal has been sent. */
export async function readPlainCall<N extends MessageName>(
  { request, response }: Exchange,
  name: N,
): Promise<Messages[N] | undefined> {
  const read = await readCall(request, response);
  if (read === undefined) return undefined;
  const call = parseCall(name, read.type, read.body);
  if (isRefusal(call)) throw new HttpProblem(call.status, call.message);
  return call;
}

/** In which forms an operator's call comes, and its answer is wanted. */
export interface CallMedia {
  readonly content: ContentType | typeof RECORDIO_MEDIA;
  readonly accept: ContentType | typeof RECORDIO_MEDIA;
  /** Of each record. */
  readonly messageContent: ContentType | undefined;
  readonly messageAccept: ContentType | undefined;
}

/** Of an answer, or of each of its records. */
export function formOf({ accept, messageAccept }: CallMedia): ContentType {
  return accept === RECORDIO_MEDIA ? (messageAccept ?? 'application/json') : accept;
}

/** HttpProblem 400, 415 and 406 */
export function mediaOf({ headers }: IncomingMessage): CallMedia {
  return { ...contentOf(headers), ...acceptOf(headers) };
}

function contentOf(
  headers: IncomingMessage['headers'],
): Pick<CallMedia, 'content' | 'messageContent'> {
  const content = headers['content-type'];
  const message = headers['message-content-type'];
  if (content === undefined) throw new HttpProblem(400, "Expecting 'Content-Type' to be present");
  if (content === RECORDIO_MEDIA) {
    if (message === undefined) {
      const text = "Expecting 'Message-Content-Type' to be set for streaming requests";
      throw new HttpProblem(400, text);
    }
    if (message === JSON_MEDIA || message === PROTOBUF_MEDIA) {
      return { content, messageContent: message };
    }
    const text = `Expecting 'Message-Content-Type' of ${JSON_MEDIA} or ${PROTOBUF_MEDIA}`;
    throw new HttpProblem(415, text);
  }
  if (content !== JSON_MEDIA && content !== PROTOBUF_MEDIA) {
    const text = `Expecting 'Content-Type' of ${JSON_MEDIA} or ${PROTOBUF_MEDIA} or ${RECORDIO_MEDIA}`;
    throw new HttpProblem(415, text);
  }
  if (message !== undefined) {
    const text = "Expecting 'Message-Content-Type' to be not set for non-streaming requests";
    throw new HttpProblem(415, text);
  }
  return { content, messageContent: undefined };
}

function acceptOf(
  headers: IncomingMessage['headers'],
): Pick<CallMedia, 'accept' | 'messageAccept'> {
  const wanted = headers['message-accept'];
  const message = Array.isArray(wanted) ? wanted.join(', ') : wanted;
  const accept = [JSON_MEDIA, PROTOBUF_MEDIA, RECORDIO_MEDIA] as const;
  const found = accept.find((type) => accepts(headers.accept, type));
  if (found === undefined) {
    throw new HttpProblem(406, `Expecting 'Accept' to allow ${accept.join(' or ')}`);
  }
  if (found === RECORDIO_MEDIA) {
    const forms = [JSON_MEDIA, PROTOBUF_MEDIA] as const;
    const form = forms.find((type) => accepts(message, type));
    if (form !== undefined) return { accept: found, messageAccept: form };
    throw new HttpProblem(406, `Expecting 'Message-Accept' to allow ${forms.join(' or ')}`);
  }
  if (message !== undefined) {
    const text = "Expecting 'Message-Accept' to be not set for non-streaming responses";
    throw new HttpProblem(406, text);
  }
  return { accept: found, messageAccept: undefined };
}

/** What an operator says, whole or in one record. HttpProblem 400 */
export function parseAs<N extends MessageName>(
  media: ContentType,
  name: N,
  body: Uint8Array,
): Messages[N] {
  try {
    return media === JSON_MEDIA
      ? parseJson(name, Buffer.from(body).toString('utf8'))
      : decode(name, body);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (media === PROTOBUF_MEDIA) {
      throw new HttpProblem(400, 'Failed to parse body into a protobuf object');
    }
    const { why, isText } = jsonFault(error);
    throw new HttpProblem(400, isText ? `Failed to parse body into JSON: ${why}` : why);
  }
}

export function encodeAs(media: ContentType, message: MessageName, value: unknown): Uint8Array {
  return media === JSON_MEDIA
    ? Buffer.from(stringify(message, value as never))
    : encode(message, value as never);
}
