// Who a request comes from: a client certificate of the instance's authority, or a bearer token.
import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { unauthorized } from '#kube/meta/status.ts';
import type { TokenAuthority, Lookup } from './tokens.ts';
import { anonymous, authenticated, type UserInfo } from './user.ts';

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** undefined without a certificate, or with one that is not the authority's. */
export function certificateUser(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const name = listOf(subject?.CN as string | string[] | undefined)[0];
  if (name === undefined) return undefined;
  return authenticated(name, listOf(subject.O as string | string[] | undefined));
}

export class Authenticator {
  readonly #tokens: TokenAuthority;
  readonly #lookup: Lookup;
  readonly #now: () => number;

  constructor(options: { tokens: TokenAuthority; lookup: Lookup; now: () => number }) {
    this.#tokens = options.tokens;
    this.#lookup = options.lookup;
    this.#now = options.now;
  }

  async token(token: string): Promise<UserInfo | undefined> {
    return await this.#tokens.verify(token, this.#lookup, this.#now());
  }

  /** Throws ApiError 401 for credentials that are wrong; none at all is the anonymous user. */
  async authenticate(headers: IncomingHttpHeaders, socket: TLSSocket): Promise<UserInfo> {
    const user = certificateUser(socket);
    if (user !== undefined) return user;
    const bearer =
      /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? websocketToken(headers);
    if (bearer === undefined) return anonymous;
    const found = await this.token(bearer);
    if (found === undefined) throw unauthorized();
    return found;
  }
}

/** Browsers cannot set headers on websockets; their token comes as a subprotocol. */
function websocketToken(headers: IncomingHttpHeaders): string | undefined {
  const prefix = 'base64url.bearer.authorization.k8s.io.';
  const protocols = String(headers['sec-websocket-protocol'] ?? '').split(',');
  const found = protocols.map((one) => one.trim()).find((one) => one.startsWith(prefix));
  return found === undefined
    ? undefined
    : Buffer.from(found.slice(prefix.length), 'base64url').toString();
}

/** The user a request acts as, when it asks to and may. */
export function impersonated(headers: IncomingHttpHeaders): UserInfo | undefined {
  const name = headers['impersonate-user'];
  if (typeof name !== 'string') return undefined;
  return authenticated(name, listOf(headers['impersonate-group']));
}
