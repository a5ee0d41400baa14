// Reads URLs as Go's net/url does (ParseRequestURI), with its words for what is none.
import { AddressFault, parseAddress } from './netip.ts';

/** Why a text is no URL, in Go's words. */
class UrlFault extends Error {}

const quoted = (text: string): string => JSON.stringify(text);

type Mode = 'host' | 'zone' | 'path' | 'user';

/** What may stand in a host as it is. */
const HOST = /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/;

const isHex = (text: string): boolean => /^%[0-9a-fA-F]{2}$/.test(text);

/** Throws UrlFault for what is escaped wrongly, or should have been. */
function checkEscapes(text: string, mode: Mode): void {
  for (let i = 0; i < text.length; i += 1) {
    const letter = text[i] as string;
    if (letter === '%') {
      const escape = text.slice(i, i + 3);
      const isPlain = mode === 'host' && Number.parseInt(escape[1] ?? '', 16) < 8;
      if (!isHex(escape) || (isPlain && escape !== '%25'))
        throw new UrlFault(`invalid URL escape ${quoted(escape)}`);
      if (mode === 'zone' && escape !== '%25') {
        const code = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
        if (code !== ' ' && code < '\u0080' && !HOST.test(code))
          throw new UrlFault(`invalid URL escape ${quoted(escape)}`);
      }
      i += 2;
    } else if ((mode === 'host' || mode === 'zone') && letter < '\u0080' && !HOST.test(letter)) {
      throw new UrlFault(`invalid character ${quoted(letter)} in host name`);
    }
  }
}

function unescaped(text: string, mode: Mode): string {
  checkEscapes(text, mode);
  if (!text.includes('%')) return text;
  const bytes: Buffer[] = [];
  for (const [one] of text.matchAll(/%..|[^%]+/gs))
    bytes.push(one.startsWith('%') ? Buffer.from(one.slice(1), 'hex') : Buffer.from(one));
  return Buffer.concat(bytes).toString();
}

function checkPort(port: string): void {
  if (!/^(?::\d*)?$/.test(port)) throw new UrlFault(`invalid port ${quoted(port)} after host`);
}

function bracketed(host: string): string {
  const close = host.lastIndexOf(']');
  if (close < 0) throw new UrlFault("missing ']' in host");
  const port = host.slice(close + 1);
  checkPort(port);
  const name = host.slice(1, close);
  const zone = name.indexOf('%25');
  const plain =
    zone < 0
      ? unescaped(name, 'host')
      : unescaped(name.slice(0, zone), 'host') + unescaped(name.slice(zone), 'zone');
  try {
    if (parseAddress(plain).family === 4) throw new UrlFault('invalid IP-literal');
  } catch (error) {
    if (error instanceof AddressFault) throw new UrlFault(`invalid host: ${error.message}`);
    throw error;
  }
  return `[${plain}]${port}`;
}

function parseHost(scheme: string, host: string): string {
  const open = host.lastIndexOf('[');
  if (open > 0) throw new UrlFault('invalid IP-literal');
  if (open === 0) return bracketed(host);
  const first = host.indexOf(':');
  if (first >= 0) {
    const isStrict = scheme === 'http' || scheme === 'https';
    checkPort(host.slice(isStrict ? first : host.lastIndexOf(':')));
  }
  return unescaped(host, 'host');
}

const USERINFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;

function parseAuthority(scheme: string, authority: string): string {
  const at = authority.lastIndexOf('@');
  const host = parseHost(scheme, authority.slice(at + 1));
  if (at < 0) return host;
  const user = authority.slice(0, at);
  if (!USERINFO.test(user)) throw new UrlFault('net/url: invalid userinfo');
  checkEscapes(user, 'user');
  return host;
}

function splitScheme(text: string): readonly [scheme: string, rest: string] {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*)?:/.exec(text);
  if (match === null) return ['', text];
  if (match[1] === undefined) throw new UrlFault('missing protocol scheme');
  return [match[1].toLowerCase(), text.slice(match[0].length)];
}

export interface ParsedUrl {
  readonly scheme: string;
  readonly host: string;
  /** Escaped as it was. */
  readonly path: string;
  readonly query: string;
}

/** `isRequest`: it must be absolute, and has no fragment. */
function parse(text: string, isRequest: boolean): ParsedUrl {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(text))
    throw new UrlFault('net/url: invalid control character in URL');
  if (text === '') throw new UrlFault('empty url');
  if (text === '*') return { scheme: '', host: '', path: '*', query: '' };
  const [scheme, whole] = splitScheme(text);
  const mark = whole.indexOf('?');
  const [before, query] = mark < 0 ? [whole, ''] : [whole.slice(0, mark), whole.slice(mark + 1)];
  if (!before.startsWith('/')) {
    if (scheme !== '') return { scheme, host: '', path: '', query };
    if (isRequest) throw new UrlFault('invalid URI for request');
    if (before.split('/', 1)[0]?.includes(':') === true)
      throw new UrlFault('first path segment in URL cannot contain colon');
  }
  let [host, path] = ['', before];
  if (before.startsWith('//') && (scheme !== '' || (!isRequest && !before.startsWith('///')))) {
    const slash = before.indexOf('/', 2);
    host = parseAuthority(scheme, before.slice(2, slash < 0 ? undefined : slash));
    path = slash < 0 ? '' : before.slice(slash);
  }
  checkEscapes(path, 'path');
  return { scheme, host, path, query };
}

/** Why Go's url.ParseRequestURI refuses the text, or undefined. */
export function uriProblem(text: string): string | undefined {
  try {
    parse(text, true);
    return undefined;
  } catch (error) {
    if (error instanceof UrlFault) return `parse ${quoted(text)}: ${error.message}`;
    throw error;
  }
}

/** Why Go's url.Parse refuses the text, or undefined. */
export function urlProblem(text: string): string | undefined {
  const [plain = ''] = text.split('#', 1);
  try {
    if (plain !== '') parse(plain, false);
    return undefined;
  } catch (error) {
    if (error instanceof UrlFault) return `parse ${quoted(plain)}: ${error.message}`;
    throw error;
  }
}

/** Of what is a URL by uriProblem; without its fragment. Throws a message of Go's for what is none without it. */
export function parseUrl(text: string): ParsedUrl {
  const [plain = ''] = text.split('#', 1);
  return parse(plain === '' ? '/' : plain, false);
}
