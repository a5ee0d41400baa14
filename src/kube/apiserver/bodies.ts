// Request bodies and answers: JSON, YAML or protobuf both ways; long answers are packed.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { gzip, gzipSync } from 'node:zlib';
import { parse, stringify } from 'yaml';
import type { Timers } from '#env/env.ts';
import { apiVersionOf } from '#kube/meta/object.ts';
import { parseExact } from '#kube/meta/exact-numbers.ts';
import { duplicateKeys } from '#kube/meta/pruning.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { ApiError, badRequest, type Status } from '#kube/meta/status.ts';
import { hasOddNumbers, parseJson } from '#kube/meta/written-numbers.ts';
import { decodeAnswer, decodeEnvelope, encodeEnvelope } from '#kube/types/protobuf.ts';
import type { AuditRecord } from './audit/record.ts';
import { DEPTH_MAX, isTooDeep, YAML_DEPTH_MAX } from './body-depth.ts';
import {
  MalformedBody,
  malformedJson,
  malformedProtobuf,
  malformedYaml,
} from './malformed-body.ts';
import { mediaTypes, negotiate, type Accepted } from './negotiation.ts';
import { writeAll } from './slow-client.ts';
import { parseYamlBody } from './yaml-body.ts';

const BODY_BYTES_MAX = 3 * 1024 * 1024;
const GZIP_BYTES_MIN = 128 * 1024;

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** On the monotonic clock; absent for what has no end of its own. */
  readonly receivedMs?: number;
  /** What was negotiated before the request was carried out. */
  accepted?: Accepted;
  /** For Warning headers, beside those of the answer itself. */
  warnings?: readonly string[];
  /** Of every answer to the request, whatever it is. */
  headers?: Readonly<Record<string, string>>;
  /** What is written down of the request. */
  audit?: AuditRecord | undefined;
  /** Called when a watch has sent its first state: it takes no part in what is under way any more. */
  onStarted?: () => void;
  /** Length of the answer, before it is packed. */
  answeredBytes?: number;
}

export interface Body {
  readonly value: unknown;
  readonly contentType: string;
  readonly duplicates: readonly string[];
}

/** Whole; longer ones are answered 413 and thrown away as they come: cutting them would lose the answer. */
function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((done, fail) => {
    const chunks: Buffer[] = [];
    let size = 0;
    // Listeners, not an iterator, which costs as much as the rest of a small write's decoding.
    request.on('data', (chunk: Buffer) => {
      const wasTooLong = size > BODY_BYTES_MAX;
      size += chunk.length;
      if (size <= BODY_BYTES_MAX) return void chunks.push(chunk);
      if (wasTooLong) return;
      chunks.length = 0;
      const message = `Request entity too large: limit is ${BODY_BYTES_MAX}`;
      fail(new ApiError(413, 'RequestEntityTooLarge', message));
    });
    const cut = (): void => fail(new Error('the request was cut off'));
    request.once('end', () => {
      // Every request is closed at its end; an error that nobody gets is dear for where it came from.
      request.off('close', cut);
      done(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    request.once('error', fail);
    if (request.destroyed && !request.readableEnded) cut();
    request.once('close', cut);
  });
}

/** In lower case and without parameters. */
function contentTypeOf({ headers }: IncomingMessage): string {
  const [type = ''] = String(headers['content-type'] || 'application/json').split(';');
  return type.trim().toLowerCase();
}

interface BodyOptions {
  readonly isPatch?: boolean;
  /** What is sent where it does not say so itself. */
  readonly type?: ResourceInfo | undefined;
  /** Of a kind that has no types for numbers. */
  readonly isCustom?: boolean;
}

export async function readBody(
  request: IncomingMessage,
  { isPatch = false, type, isCustom = false }: BodyOptions = {},
): Promise<Body | undefined> {
  const bytes = await readBytes(request);
  const contentType = contentTypeOf(request);
  if (bytes.length === 0 && contentType === mediaTypes.protobuf && request.method === 'PUT')
    throw new MalformedBody('protobuf', bytes, 'empty data');
  if (bytes.length === 0) return undefined;
  if (contentType === 'application/vnd.kubernetes.protobuf' && !isPatch) {
    try {
      const usual = type && { apiVersion: apiVersionOf(type), kind: type.kind };
      return { value: decodeEnvelope(bytes, usual), contentType, duplicates: [] };
    } catch (error) {
      throw malformedProtobuf(bytes, error as Error);
    }
  }
  const text = bytes.toString();
  const readable = isPatch ? PATCHES : OBJECTS;
  if (!readable.test(contentType)) throw unknownFormat(contentType);
  const isYaml = /yaml/.test(contentType);
  if (isTooDeep(text, isYaml)) {
    const most = isYaml ? YAML_DEPTH_MAX : DEPTH_MAX;
    throw badRequest(`error parsing the body of the request: exceeded max depth of ${most}`);
  }
  const fromYaml = (): Body => {
    const { value, problem } = parseYamlBody(text, isPatch || isCustom);
    return { value, contentType, duplicates: problem === undefined ? [] : [problem] };
  };
  try {
    if (isYaml && (!text.trimStart().startsWith('{') || hasOddNumbers(text))) return fromYaml();
    const isLone = LONE_SURROGATE.test(text);
    const isWritten = WRITTEN_PATCHES.test(contentType) && !isCustom && !isLone;
    let read: unknown;
    try {
      read = parseJson(text, isPatch && isWritten);
    } catch (error) {
      // YAML has forms that begin like JSON, with a comma behind the last field for one.
      if (isYaml && error instanceof SyntaxError) return fromYaml();
      throw error;
    }
    const value = isLone ? wellFormed(read) : read;
    const duplicates = duplicateKeys(text, value);
    if (!isYaml || duplicates.length === 0) return { value, contentType, duplicates };
    return { ...fromYaml(), value };
  } catch (error) {
    if (error instanceof MalformedBody) throw error;
    throw isYaml ? malformedYaml(text, error as Error) : malformedJson(text);
  }
}

/** Halves of characters, as only an escape can say them. */
const LONE_SURROGATE = /\\u[dD][89a-fA-F]/;

/** As Go reads them: as a sign that there was something. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key.toWellFormed(), wellFormed(one)]),
  );
}

/** Patches of JSON as such: what they make is read as a whole. */
const WRITTEN_PATCHES = /^application\/(?:json|merge)-patch\+json$/;
const OBJECTS = /^application\/(?:json|yaml)$/;
const PATCHES = /^application\/(?:[\w.-]+\+)?(?:json|yaml)$/;

/** A body of a form that nobody reads; what it was to be is for the caller to say. */
export class UnknownFormat extends ApiError {}

function unknownFormat(contentType: string): UnknownFormat {
  const why = `the body of the request was in an unknown format: ${contentType}`;
  return new UnknownFormat(415, 'UnsupportedMediaType', why);
}

export interface SendOptions {
  readonly status?: number | undefined;
  readonly contentType?: string | undefined;
  readonly warnings?: readonly string[] | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The same bytes with gzip, where somebody has packed them before. */
  readonly packed?: Buffer | undefined;
  /** Never with gzip: upstream sends it as it is. */
  readonly isPlain?: boolean | undefined;
  /** Over several lines; absent: as the address says. */
  readonly isPretty?: boolean | undefined;
}

function headersOf(exchange: Exchange, options: SendOptions): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    'Content-Type': options.contentType ?? mediaTypes.json,
    'Cache-Control': 'no-cache, private',
    ...exchange.headers,
    ...options.headers,
  };
  const warnings = [...(exchange.warnings ?? []), ...(options.warnings ?? [])];
  if (warnings.length > 0) {
    headers['Warning'] = warnings.map((one) => `299 - ${JSON.stringify(one)}`);
  }
  return headers;
}

export function sendBytes(exchange: Exchange, bytes: Buffer, options: SendOptions = {}): void {
  const { request, response } = exchange;
  if (response.headersSent || response.destroyed) return;
  const headers = headersOf(exchange, options);
  const status = options.status ?? 200;
  exchange.answeredBytes = bytes.length;
  exchange.audit?.answered(status, () => objectOf(bytes, String(headers['Content-Type'])));
  if (options.isPlain === true || bytes.length <= GZIP_BYTES_MIN || !wantsGzip(request)) {
    headers['Content-Length'] = String(bytes.length);
    response.writeHead(status, headers);
    response.end(bytes);
    return;
  }
  const send = (packed: Buffer): void => {
    headers['Content-Encoding'] = 'gzip';
    headers['Vary'] ??= 'Accept-Encoding';
    headers['Content-Length'] = String(packed.length);
    response.writeHead(status, headers);
    response.end(packed);
  };
  if (options.packed !== undefined) return send(options.packed);
  gzip(bytes, { level: 1 }, (error, packed) => {
    if (error === null && !response.destroyed) send(packed);
  });
}

/** For answers that many get: packed better, and once. */
export function packedIfLong(bytes: Buffer): Buffer | undefined {
  return bytes.length > GZIP_BYTES_MIN ? gzipSync(bytes, { level: 6 }) : undefined;
}

/** An answer that is never in memory as a whole. */
export interface Pieces {
  readonly contentType: string;
  plain(): Iterable<Buffer>;
  /** Of plain(): it has been written, and nobody reads it any more. */
  written(piece: Buffer): void;
  /** The same as one gzip member. */
  packed(): AsyncIterable<Buffer>;
}

/** Resolves when all of it has been handed to the connection, or the client has gone. */
export async function sendPieces(
  exchange: Exchange,
  pieces: Pieces,
  timers: Timers,
): Promise<void> {
  const { request, response } = exchange;
  if (response.headersSent || response.destroyed) return;
  const { contentType } = pieces;
  const headers = headersOf(exchange, { contentType });
  exchange.audit?.answered(200, () => objectOf(Buffer.concat([...pieces.plain()]), contentType));
  const isPacked = wantsGzip(request);
  if (isPacked) {
    headers['Content-Encoding'] = 'gzip';
    headers['Vary'] = 'Accept-Encoding';
  }
  response.writeHead(200, headers);
  if (isPacked) await writeAll(response, pieces.packed(), { timers });
  else await writeAll(response, pieces.plain(), { timers, written: (one) => pieces.written(one) });
}

/** The object of an answer; undefined for what is none. */
function objectOf(bytes: Buffer, contentType: string): unknown {
  if (contentType.startsWith('application/json')) return parseExact(bytes.toString());
  if (contentType.startsWith(mediaTypes.yaml)) return parse(bytes.toString());
  return contentType.startsWith(mediaTypes.protobuf) ? decodeAnswer(bytes) : undefined;
}

function wantsGzip(request: IncomingMessage): boolean {
  return /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
}

export function sendText(exchange: Exchange, text: string, options: SendOptions = {}): void {
  sendBytes(exchange, Buffer.from(text), options);
}

export function sendJson(exchange: Exchange, value: unknown, options: SendOptions = {}): void {
  const isPretty = options.isPretty ?? /[?&]pretty=(true|1)/.test(exchange.request.url ?? '');
  sendText(exchange, JSON.stringify(value, null, isPretty ? 2 : undefined), options);
}

/** As sigs.k8s.io/yaml writes it. */
const yamlForm = { version: '1.1', sortMapEntries: true, indentSeq: false } as const;

/** The bytes of an API object in the negotiated form; kinds without a message stay JSON. */
export function encodedAs(
  accepted: Pick<Accepted, 'media' | 'isPretty'>,
  value: object,
): { bytes: Buffer; contentType: string } {
  if (accepted.media === 'protobuf') {
    const bytes = encodeEnvelope(value as Record<string, unknown>);
    if (bytes !== undefined) return { bytes, contentType: mediaTypes.protobuf };
  }
  if (accepted.media === 'yaml') {
    const plain: unknown = parseExact(JSON.stringify(value));
    const form = { ...yamlForm, aliasDuplicateObjects: false };
    const text = stringify(plain, form);
    return { bytes: Buffer.from(text), contentType: mediaTypes.yaml };
  }
  // Pretty answers end without a line break, others with one, as from upstream's serializer.
  const text = accepted.isPretty ? JSON.stringify(value, null, 2) : `${JSON.stringify(value)}\n`;
  return { bytes: Buffer.from(text), contentType: mediaTypes.json };
}

const json: Accepted = { media: 'json', as: undefined, version: 'v1', isPretty: false };

/** An API object, in the form that was negotiated for the request. */
export function sendValue(exchange: Exchange, value: object, options: SendOptions = {}): void {
  const { bytes, contentType } = encodedAs(exchange.accepted ?? json, value);
  sendBytes(exchange, bytes, { contentType, ...options });
}

const statusForms = {
  media: ['json', 'yaml', 'protobuf'],
  hasTransforms: false,
  isWatch: false,
  isListed: false,
} as const;

/** The answer to a request for an upgrade that is not made. */
/** On a connection that was to be upgraded. */
export function endWithStatus(
  socket: Duplex,
  status: Status,
  more: Readonly<Record<string, string>>,
): void {
  const body = JSON.stringify(status);
  const { code, reason = 'Error' } = status;
  const headers = {
    ...more,
    'Cache-Control': 'no-cache, private',
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${code} ${reason}\r\n${lines.join('')}\r\n${body}`);
}

export function sendStatus(exchange: Exchange, status: Status): void {
  const retry = status.details?.retryAfterSeconds;
  const headers = retry === undefined ? {} : { 'Retry-After': String(retry) };
  // Errors are not hidden behind a negotiation that fails.
  const accepted = negotiate(exchange.request, statusForms) ?? { ...json, isPretty: true };
  const { bytes, contentType } = encodedAs(accepted, status);
  sendBytes(exchange, bytes, { status: status.code, contentType, headers });
}
