// How OpenAPI documents are sent: as JSON or as gnostic's protobuf, with what lets clients keep them (handler and
// handler3 of k8s.io/kube-openapi).
import type { Exchange } from './bodies.ts';
import { sendBytes } from './bodies.ts';
import { negotiateDocument } from './negotiation.ts';
import type { OpenApiDocument } from './openapi-documents.ts';

type OpenApiVersion = 'v2' | 'v3';

const protobufOf = (version: OpenApiVersion): string =>
  `application/com.github.proto-openapi.spec.${version}.v1.0+protobuf`;
/** By which older clients ask: it is no media type. */
const oldProtobufOf = (version: OpenApiVersion): string =>
  `application/com.github.proto-openapi.spec.${version}@v1.0+protobuf`;

const YEAR_MS = 365 * 86_400_000;

const httpDate = (ms: number): string => new Date(ms).toUTCString();

interface Sent {
  readonly version: OpenApiVersion;
  /** Of the address: which document the client wants to have for ever. */
  readonly hash?: string | undefined;
  /** Of the document with its right hash. */
  readonly address?: string | undefined;
  readonly nowMs: number;
}

function end(
  { response, headers, audit }: Exchange,
  status: number,
  own: Readonly<Record<string, string>>,
): void {
  audit?.answered(status, () => undefined);
  response.writeHead(status, { 'Cache-Control': 'no-cache, private', ...headers, ...own });
  response.end();
}

/** Whether the client has it already (RFC 9110, 13.1). */
function isKept({ request }: Exchange, tag: string, modifiedMs: number): boolean {
  const { 'if-none-match': tags, 'if-modified-since': since } = request.headers;
  if (tags !== undefined) {
    return tags.split(',').some((one) => ['*', tag, `W/${tag}`].includes(one.trim()));
  }
  return since !== undefined && Math.floor(modifiedMs / 1_000) * 1_000 <= Date.parse(since);
}

export async function sendOpenApi(
  exchange: Exchange,
  document: OpenApiDocument,
  { version, hash = '', address = '', nowMs }: Sent,
): Promise<void> {
  const types = ['application/json', oldProtobufOf(version), protobufOf(version)];
  const form = negotiateDocument(exchange.request, { types, allows: () => true });
  const vary = { Vary: version === 'v2' ? 'Accept-Encoding, Accept' : 'Accept' };
  if (form === undefined) return end(exchange, 406, vary);
  const tag = `"${document.hash}"`;
  const isJson = form.type === 'application/json';
  const contentType = isJson ? form.type : protobufOf(version);
  const headers: Record<string, string> = { ...vary, Etag: tag };
  if (hash !== '') {
    if (hash !== document.hash) {
      return end(exchange, 301, { ...headers, 'Content-Type': contentType, Location: address });
    }
    headers['Cache-Control'] = 'public, immutable';
    headers['Expires'] = httpDate(nowMs + YEAR_MS);
  }
  if (isKept(exchange, tag, document.modifiedMs)) return end(exchange, 304, headers);
  headers['Last-Modified'] = httpDate(document.modifiedMs);
  const bytes = isJson ? document.bytes : await document.protobuf();
  const packed = isJson ? document.packed : undefined;
  sendBytes(exchange, bytes, { contentType, headers, packed, isPlain: version === 'v3' });
}
