// Who a request comes from: a client certificate of the instance's authority, or a bearer token.
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { unauthorized } from '#kube/meta/status.ts';
import { bootstrapUser, isBootstrapToken } from './bootstrap-tokens.ts';
import {
  CREDENTIAL_ID,
  TokenRefusal,
  type Lookup,
  type TokenAuthority,
  type VerifiedToken,
} from './tokens.ts';
import { anonymous, authenticated, type UserInfo } from './user.ts';

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** undefined without a certificate, or with one that is not the authority's. */
export function certificateUser(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const { subject, raw } = socket.getPeerCertificate();
  const name = listOf(subject?.CN as string | string[] | undefined)[0];
  if (name === undefined) return undefined;
  const user = authenticated(name, listOf(subject.O as string | string[] | undefined));
  const id = `X509SHA256=${createHash('sha256').update(raw).digest('hex')}`;
  return { ...user, extra: { [CREDENTIAL_ID]: [id] } };
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

  /** Throws TokenRefusal with the reason; undefined for what is no token that is known here. */
  async token(token: string, audiences?: readonly string[]): Promise<VerifiedToken | undefined> {
    const now = this.#now();
    if (!isBootstrapToken(token)) {
      return await this.#tokens.verify(token, { lookup: this.#lookup, now, audiences });
    }
    const user = await bootstrapUser(token, this.#lookup, now);
    return user === undefined ? undefined : { user, audiences: audiences ?? [] };
  }

  /** Throws ApiError 401 for credentials that are wrong; none at all is the anonymous user. */
  async authenticate(headers: IncomingHttpHeaders, socket: TLSSocket): Promise<UserInfo> {
    const user = certificateUser(socket);
    if (user !== undefined) return user;
    const bearer =
      /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? websocketToken(headers);
    if (bearer === undefined) return anonymous;
    const found = await this.token(bearer).catch((error: unknown) => {
      if (error instanceof TokenRefusal) return undefined;
      throw error;
    });
    if (found === undefined) throw unauthorized();
    return found.user;
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
