// Bearer tokens (JWT, HS256 with one secret) as Mesos 1.11 makes them for executors and takes them back:
// the same checks in the same order and words. They are made by jose, and checked at once: who reads calls from
// connections by itself cannot wait for a promise.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Fault } from '#base/fault.ts';
import { parseJsonText } from '#codec/proto-json.ts';
import type { HttpAuthenticator, Verdict } from './authentication.ts';
import { UNAUTHORIZED } from './authentication.ts';

type Claims = Readonly<Record<string, unknown>>;

/** What is wrong with a token; the message is for its sender. */
class TokenFault extends Error {
  override readonly name = 'TokenFault';
}

/** Why a part is no base64url; undefined when it is. */
function strangeness(part: string): string | undefined {
  const strange = /[^\w\-\s]/.exec(part.split('=')[0] ?? '');
  return strange === null ? undefined : `Invalid character '${strange[0]}'`;
}

/** One of the first two parts: base64url of a JSON object. */
function decoded(part: string, what: string): Claims {
  const failed = `Failed to decode token ${what}: Failed to`;
  const strange = strangeness(part);
  if (strange !== undefined) throw new TokenFault(`${failed} base64url-decode: ${strange}`);
  const text = Buffer.from(part, 'base64url').toString('utf8');
  let json: unknown;
  try {
    json = parseJsonText('', text);
  } catch (error) {
    const { why } = (error as Fault).detail;
    throw new TokenFault(`${failed} parse into JSON: ${String(why)}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new TokenFault(`${failed} parse into JSON: Unexpected JSON type parsed`);
  }
  return json as Claims;
}

const shownAlgorithms: Readonly<Record<string, string>> = {
  none: 'none',
  HS256: 'HS256',
  RS256: 'RS256',
};

function checkHeader(header: Claims): void {
  const { typ, alg, crit } = header;
  if (typ !== undefined && typeof typ !== 'string')
    throw new TokenFault("Token 'typ' is not a string");
  if (alg === undefined) throw new TokenFault("Failed to locate 'alg' in token JSON header");
  if (typeof alg !== 'string') throw new TokenFault("Token 'alg' field is not a string");
  const known = shownAlgorithms[alg];
  if (known === undefined) throw new TokenFault(`Unsupported token algorithm: ${alg}`);
  if (crit !== undefined) throw new TokenFault("Token 'crit' field is unsupported");
  if (known !== 'HS256') {
    throw new TokenFault(`Token 'alg' value "${known}" does not match, expected "HS256"`);
  }
}

function checkPayload({ exp }: Claims, nowS: number): void {
  if (exp === undefined) return;
  if (typeof exp !== 'number') throw new TokenFault("JSON payload 'exp' field is not a number");
  const expiresS = Math.trunc(exp);
  if (expiresS >= nowS) return;
  throw new TokenFault(`Token has expired: exp(${expiresS}) < now(${nowS})`);
}

/** The claims of a valid token. */
function claimsOf(token: string, key: Uint8Array, nowS: number): Claims {
  const parts = token.split('.');
  const [head = '', body = '', signature = ''] = parts;
  if (parts.length !== 3) {
    throw new TokenFault(`Expected 3 components in token, got ${parts.length}`);
  }
  checkHeader(decoded(head, 'header'));
  const claims = decoded(body, 'payload');
  checkPayload(claims, nowS);
  const strange = strangeness(signature);
  if (strange !== undefined) {
    throw new TokenFault(`Failed to base64url-decode token signature: ${strange}`);
  }
  const own = createHmac('sha256', key).update(`${head}.${body}`).digest();
  const theirs = Buffer.from(signature, 'base64url');
  if (own.length !== theirs.length || !timingSafeEqual(own, theirs)) {
    throw new TokenFault('Token signature does not match');
  }
  return claims;
}

export class BearerAuthenticator implements HttpAuthenticator {
  readonly scheme = 'Bearer';
  readonly isImmediate = true;
  readonly #realm: string;
  readonly #key: Uint8Array;
  readonly #now: () => number;

  /** `now`: in milliseconds. */
  constructor(realm: string, secret: Uint8Array, now: () => number) {
    this.#realm = realm;
    this.#key = secret;
    this.#now = now;
  }

  authenticate(header: string | undefined): Verdict {
    // Who says nothing is told nothing (RFC 6750, section 3.1).
    if (header === undefined) return this.#refusal();
    const words = header.split(' ');
    const [scheme = '', token = ''] = words;
    if (words.length !== 2) return this.#refusal("Malformed 'Authorization' header");
    if (scheme !== 'Bearer') return this.#refusal(`Scheme '${scheme}' unsupported`);
    try {
      const claims = claimsOf(token, this.#key, Math.floor(this.#now() / 1_000));
      if (Object.keys(claims).length === 0) return this.#refusal('JWT claims missing');
      return { principal: { claims: textsOf(claims) } };
    } catch (error) {
      if (!(error instanceof TokenFault)) throw error;
      return this.#refusal(`Invalid JWT: ${error.message}`);
    }
  }

  #refusal(why?: string): Verdict {
    const realm = `Bearer realm="${this.#realm}"`;
    const error = `, error="invalid_token", error_description="${headerSafe(why ?? '')}"`;
    return { challenge: why === undefined ? realm : realm + error, message: UNAUTHORIZED };
  }
}

function textsOf(claims: Claims): Record<string, string> {
  const all = Object.entries(claims);
  return Object.fromEntries(
    all.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

/** What a token says may not break the header that repeats it. */
function headerSafe(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

/** A token of these claims that never ends, as executors get it. */
export async function signToken(
  claims: Readonly<Record<string, string>>,
  secret: Uint8Array,
): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(secret);
}
