// Content negotiation and bodies of the v1 APIs of master and agent: which status and text a bad request
// gets, in the order in which Mesos 1.11 checks (inventory 1.1).
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { Fault, faultCode } from '#base/fault.ts';
import { decode, encode, parseJson, stringify, type MessageName } from '#wire/mesos/codec.ts';
import type { Messages } from '#wire/mesos/v1.ts';
import type { Refusal } from './refusal.ts';

export type ContentType = 'application/json' | 'application/x-protobuf';

export const BODY_BYTES_MAX = 64 * 1024 * 1024;
export const TOO_LARGE = `Cannot read the request: more than ${BODY_BYTES_MAX} bytes`;
export const GZIP_BYTES_MIN = 1_024;

export const NOT_ACCEPTABLE =
  "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";

/** Cuts an answer off that has begun already: it cannot be taken back. */
export function refuse(response: ServerResponse, status: number, text: string, headers = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const bytes = Buffer.from(text);
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': bytes.length,
    ...headers,
  });
  response.end(bytes);
}

const unpack = promisify(gunzip);

/** Fault `too-large`; `undecodable` where it says that it is packed and is not. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const body = await readBytes(request);
  if (request.headers['content-encoding'] !== 'gzip') return body;
  try {
    return await unpack(body, { maxOutputLength: BODY_BYTES_MAX });
  } catch (cause) {
    if (cause instanceof RangeError) throw new Fault({ code: 'too-large' }, TOO_LARGE);
    throw new Fault({ code: 'undecodable' }, 'failed to decode body', { cause });
  }
}

/** What a request gets whose body cannot be read; what is no such fault is thrown on. */
export function bodyRefusal(error: unknown): Refusal {
  switch (faultCode(error)) {
    case 'too-large':
      return { status: 413, message: (error as Fault).message };
    case 'undecodable':
      return { status: 500, message: (error as Fault).message };
    default:
      throw error;
  }
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) {
      throw new Fault({ code: 'too-large' }, TOO_LARGE);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Whether an Accept header lets an answer be of a type; without one, all are. */
export function accepts(header: string | undefined, type: string): boolean {
  if (header === undefined) return true;
  return isAccepted(header, [type, `${type.split('/')[0]}/*`, '*/*']);
}

/** Of an Accept header; undefined when neither form is acceptable. */
export function acceptedType(accept: string | undefined): ContentType | undefined {
  const types = ['application/json', 'application/x-protobuf'] as const;
  return types.find((type) => accepts(accept, type));
}

/**
 * As libprocess reads Accept and Accept-Encoding: the first of the candidates, which are in lower case, that the header
 * names decides, whatever it says of the others. Not when it is refused by `q=0`, or its `q` is no number.
 */
function isAccepted(header: string, candidates: readonly string[]): boolean {
  const ranges = header.replaceAll(/[ \t\n]/g, '').split(',');
  for (const candidate of candidates) {
    for (const range of ranges) {
      const [name = '', ...parameters] = range.split(';').filter(Boolean);
      if (name.toLowerCase() !== candidate) continue;
      const qualities = parameters.filter((one) => /^q=[^=]/.test(one));
      return qualities.length !== 1 || Number(qualities[0]?.slice(2)) > 0;
    }
  }
  return false;
}

export function refuseMethod(
  request: IncomingMessage,
  response: ServerResponse,
  allowed: readonly string[],
): void {
  const list = allowed.map((one) => `'${one}'`).join(', ');
  const text = `405 Method Not Allowed. Expecting one of { ${list} }, but received '${request.method}'.`;
  refuse(response, 405, text, { Allow: allowed.join(', ') });
}

/** What is wrong with a body in JSON, and whether it is no JSON at all. */
export function jsonFault({ detail }: Fault): { readonly why: string; readonly isText: boolean } {
  const { why = '' } = detail as { why?: string };
  return { why, isText: why.startsWith('syntax error') || why.startsWith('Parsed JSON') };
}

function unparsable(type: ContentType, fault: Fault): string {
  if (type !== 'application/json') return 'Failed to parse body into Call protobuf';
  const { why, isText } = jsonFault(fault);
  return isText
    ? `Failed to parse body into JSON: ${why}`
    : `Failed to convert JSON into Call protobuf: ${why}`;
}

/** In which form the body of a call is, by its Content-Type. */
export function bodyType(header: string | undefined): ContentType | Refusal {
  if (header === undefined) {
    return { status: 400, message: "Expecting 'Content-Type' to be present" };
  }
  if (header === 'application/json' || header === 'application/x-protobuf') return header;
  const message = "Expecting 'Content-Type' of application/json or application/x-protobuf";
  return { status: 415, message };
}

/** The call that a body holds. */
export function parseCall<N extends MessageName>(
  name: N,
  type: ContentType,
  body: Buffer,
): Messages[N] | Refusal {
  try {
    return type === 'application/json' ? parseJson(name, body.toString()) : decode(name, body);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { status: 400, message: unparsable(type, error) };
  }
}

export function isRefusal(value: object): value is Refusal {
  return 'status' in value;
}

/** The body of a call and its form, or undefined after the refusal has been sent. */
export async function readCall(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<{ readonly type: ContentType; readonly body: Buffer } | undefined> {
  if (request.method !== 'POST') {
    request.resume();
    refuseMethod(request, response, ['POST']);
    return undefined;
  }
  const type = bodyType(request.headers['content-type']);
  if (typeof type === 'object') {
    refuse(response, type.status, type.message);
    return undefined;
  }
  try {
    return { type, body: await readBody(request) };
  } catch (error) {
    const { status, message } = bodyRefusal(error);
    refuse(response, status, message);
    return undefined;
  }
}

export function sendMessage<N extends MessageName>(
  exchange: { request: IncomingMessage; response: ServerResponse },
  name: N,
  value: Messages[N],
  type: ContentType,
): void {
  const bytes =
    type === 'application/json' ? Buffer.from(stringify(name, value)) : encode(name, value);
  sendBytes(exchange, bytes, type);
}

export function takesGzip(header: string): boolean {
  return isAccepted(header, ['gzip', '*']);
}

/** JSON, or JSON-P where `jsonp` names a function. */
export function sendJson(
  exchange: { request: IncomingMessage; response: ServerResponse },
  query: URLSearchParams,
  value: unknown,
): void {
  sendJsonText(exchange, query, JSON.stringify(value));
}

/** The same, of what is JSON already. */
export function sendJsonText(
  exchange: { request: IncomingMessage; response: ServerResponse },
  query: URLSearchParams,
  json: string,
): void {
  sendBytes(exchange, withFunction(query, json), jsonType(query));
}

export function jsonBytes(query: URLSearchParams, value: unknown): Buffer {
  return withFunction(query, JSON.stringify(value));
}

function withFunction(query: URLSearchParams, json: string): Buffer {
  const jsonp = query.get('jsonp');
  return Buffer.from(jsonp === null ? json : `${jsonp}(${json})`);
}

export function jsonType(query: URLSearchParams): string {
  return query.has('jsonp') ? 'text/javascript' : 'application/json';
}

/** With gzip where it is asked for and worth it. */
export function sendBytes(
  exchange: { request: IncomingMessage; response: ServerResponse },
  bytes: Uint8Array,
  contentType: string,
): void {
  const { request, response } = exchange;
  const wantsGzip = takesGzip(String(request.headers['accept-encoding'] ?? ''));
  if (!wantsGzip || bytes.length < GZIP_BYTES_MIN) {
    response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': bytes.length });
    response.end(bytes);
    return;
  }
  gzip(bytes, { level: 1 }, (error, packed) => {
    if (response.destroyed) return;
    if (error !== null) {
      response.destroy(error);
      return;
    }
    const headers = {
      'Content-Type': contentType,
      'Content-Encoding': 'gzip',
      'Content-Length': packed.length,
    };
    response.writeHead(200, headers).end(packed);
  });
}
