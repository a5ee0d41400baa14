// What the header list of a request says, or why it is none (RFC 9113, sections 8.2 and 8.3).
import type { IncomingHttpHeaders } from 'node:http';
import type { HeaderList } from './hpack-decoder.ts';

export interface RequestHead {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** As node:http gives them: repeated ones joined, `host` for the authority. */
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly contentLength: number | undefined;
}

const pseudoNames: ReadonlySet<string> = new Set([':method', ':path', ':scheme', ':authority']);

/** They are about one connection of HTTP/1. */
export const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Of these only the first counts, as with node:http. */
const singleValued: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
]);

const isName = (name: string): boolean => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name);
// oxlint-disable-next-line no-control-regex -- exactly those must not be there
const isValue = (value: string): boolean => !/[\0\r\n]/.test(value);

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** As HTTP/1 and Go read it: client-go sends `Bearer ` where it has no token, which RFC 9113 forbids. */
function trimmed(value: string): string {
  const has = isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(value.length - 1));
  return has ? value.replaceAll(/^[\t ]+|[\t ]+$/g, '') : value;
}

function add(headers: Record<string, string | string[]>, name: string, value: string): void {
  const known = headers[name];
  if (known === undefined) headers[name] = name === 'set-cookie' ? [value] : value;
  else if (Array.isArray(known)) known.push(value);
  else if (name === 'cookie') headers[name] = `${known}; ${value}`;
  else if (!singleValued.has(name)) headers[name] = `${known}, ${value}`;
}

function pseudoHeaders(list: HeaderList): Map<string, string> | undefined {
  const found = new Map<string, string>();
  let isOver = false;
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] ?? '';
    if (!name.startsWith(':')) {
      isOver = true;
      continue;
    }
    if (isOver || !pseudoNames.has(name) || found.has(name)) return undefined;
    found.set(name, list[index + 1] ?? '');
  }
  const isWhole = found.has(':method') && found.has(':scheme') && (found.get(':path') ?? '') !== '';
  // CONNECT has no path; no resource of ours is reached by it.
  return isWhole ? found : undefined;
}

/** undefined: malformed (PROTOCOL_ERROR of the stream). */
export function requestHead(list: HeaderList): RequestHead | undefined {
  const pseudo = pseudoHeaders(list);
  if (pseudo === undefined) return undefined;
  const headers = Object.create(null) as Record<string, string | string[]>;
  const rawHeaders: string[] = [];
  const authority = pseudo.get(':authority');
  if (authority !== undefined) {
    headers['host'] = authority;
    rawHeaders.push('host', authority);
  }
  for (let index = pseudo.size * 2; index < list.length; index += 2) {
    const name = list[index] ?? '';
    const value = trimmed(list[index + 1] ?? '');
    if (!isName(name) || !isValue(value) || connectionHeaders.has(name)) return undefined;
    if (name === 'te' && value !== 'trailers') return undefined;
    add(headers, name, value);
    rawHeaders.push(name, value);
  }
  const length = headers['content-length'];
  if (length !== undefined && !/^\d{1,15}$/.test(String(length))) return undefined;
  return {
    method: pseudo.get(':method') ?? '',
    url: pseudo.get(':path') ?? '',
    headers,
    rawHeaders,
    contentLength: length === undefined ? undefined : Number(length),
  };
}

/** Trailers are not used; malformed ones end the stream. */
export function areTrailers(list: HeaderList): boolean {
  return list.every((one, index) => (index % 2 === 0 ? isName(one) : isValue(one)));
}
