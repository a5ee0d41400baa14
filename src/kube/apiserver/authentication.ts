// Who a request comes from: a client certificate of the instance's authority, a proxy that is trusted, or a
// bearer token of this server, of a file, of an issuer, or one that a webhook knows.
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { unauthorized } from '#kube/meta/status.ts';
import type { AnonymousRule } from './authn/authentication-configuration.ts';
import type { Authentication } from './access-flags.ts';
import type { TokenSource } from './authn/token-source.ts';
import { certificatesOf } from './client-authorities.ts';
import { bootstrapUser, isBootstrapToken } from './bootstrap-tokens.ts';
import { newUse, type TokenUse } from './legacy-tokens.ts';
import { TokenRefusal, type Lookup } from './token-refusal.ts';
import { CREDENTIAL_ID, type TokenAuthority, type VerifiedToken } from './tokens.ts';
import { anonymous, authenticated, type UserInfo } from './user.ts';

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

/** A proxy in front of this server that says in headers on whose behalf it asks. */
export interface RequestHeaderTrust {
  /** PEM of the authorities of its certificate. */
  readonly caCert: string;
  /** Common names that it may have; none: any. */
  readonly allowedNames: readonly string[];
}

interface Peer {
  readonly name: string;
  readonly user: UserInfo;
  readonly isProxy: boolean;
  /** When its certificate ends; absent for components in this process. */
  readonly endsMs?: number;
}

const peers = new WeakMap<TLSSocket, Peer>();

/** Says who is at the other end of what is no connection: a component in this process. */
export function introduce(socket: TLSSocket, user: UserInfo): void {
  peers.set(socket, { name: user.name, user, isProxy: false });
}

/** Who is at the other end, told once a connection; undefined without a certificate that is trusted. */
function peerOf(socket: TLSSocket, trust: RequestHeaderTrust | undefined): Peer | undefined {
  const known = peers.get(socket);
  if (known !== undefined) return known;
  if (!socket.authorized) return undefined;
  const { subject, raw, valid_to: validTo } = socket.getPeerCertificate();
  const name = listOf(subject?.CN as string | string[] | undefined)[0];
  if (name === undefined) return undefined;
  const user = authenticated(name, listOf(subject.O as string | string[] | undefined));
  const id = `X509SHA256=${createHash('sha256').update(raw).digest('hex')}`;
  const certificate = trust === undefined ? undefined : socket.getPeerX509Certificate?.();
  const isProxy =
    certificate !== undefined &&
    trust !== undefined &&
    certificatesOf(trust.caCert).some((ca) => certificate.checkIssued(ca));
  const endsMs = Date.parse(validTo);
  const peer = { name, user: { ...user, extra: { [CREDENTIAL_ID]: [id] } }, isProxy, endsMs };
  peers.set(socket, peer);
  return peer;
}

const EXTRA_PREFIX = 'x-remote-extra-';

/** undefined when the proxy names nobody. Groups come as one header or several. */
function proxiedUser(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): UserInfo | undefined {
  const name = headers['x-remote-user'];
  if (typeof name !== 'string' || name === '') return undefined;
  const groups: string[] = [];
  const extra: Record<string, string[]> = {};
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const key = (rawHeaders[i] ?? '').toLowerCase();
    const value = rawHeaders[i + 1] ?? '';
    if (key === 'x-remote-group') groups.push(value);
    if (!key.startsWith(EXTRA_PREFIX)) continue;
    (extra[decodeURIComponent(key.slice(EXTRA_PREFIX.length))] ??= []).push(value);
  }
  const isAnonymous = groups.includes('system:unauthenticated');
  const isKnown = isAnonymous || groups.includes('system:authenticated');
  const uid = String(headers['x-remote-uid'] ?? '');
  return { name, uid, groups: isKnown ? groups : [...groups, 'system:authenticated'], extra };
}

type FindToken = (
  token: string,
  audiences: readonly string[] | undefined,
  use: TokenUse,
) => Promise<VerifiedToken | undefined>;

/** Tokens of a source that does not speak of audiences are for whoever serves this API. */
const asVerified =
  (own: readonly string[]) =>
  (source: TokenSource): FindToken =>
  async (token, audiences) => {
    const found = await source.authenticate(token, audiences);
    if (found === undefined) return undefined;
    const common = found.audiences ?? ownAudiences(own, audiences);
    return common === undefined ? undefined : { user: found.user, audiences: common };
  };

/** What is for whoever serves this API, for those who ask for others by name. */
function ownAudiences(
  own: readonly string[],
  wanted: readonly string[] | undefined,
): readonly string[] | undefined {
  if (wanted === undefined) return own;
  const common = wanted.filter((one) => own.includes(one));
  return common.length > 0 ? common : undefined;
}

export class Authenticator {
  #sources: readonly TokenSource[] = [];
  #anonymous: AnonymousRule = { isEnabled: true };
  readonly #tokens: TokenAuthority;
  readonly #admin: TokenSource | undefined;
  readonly #lookup: Lookup;
  readonly #now: () => number;
  readonly #requestHeader: (() => RequestHeaderTrust) | undefined;
  readonly #onCertificate: ((endsMs: number) => void) | undefined;
  readonly #onUse: ((use: TokenUse) => void) | undefined;

  constructor(options: {
    tokens: TokenAuthority;
    lookup: Lookup;
    now: () => number;
    requestHeader?: (() => RequestHeaderTrust) | undefined;
    authentication?: Authentication | undefined;
    /** Of the administrator, whatever `authentication` says. */
    admin?: TokenSource | undefined;
    /** Told of every request with a certificate, when that ends. */
    onCertificate?: ((endsMs: number) => void) | undefined;
    /** Told of every use of a token of this server, of refused ones too. */
    onUse?: ((use: TokenUse) => void) | undefined;
  }) {
    this.#onUse = options.onUse;
    this.#onCertificate = options.onCertificate;
    if (options.authentication !== undefined) this.use(options.authentication);
    this.#requestHeader = options.requestHeader;
    this.#tokens = options.tokens;
    this.#admin = options.admin;
    this.#lookup = options.lookup;
    this.#now = options.now;
  }

  /** Throws TokenRefusal with the reasons; undefined for what is no token that is known here. */
  async token(
    token: string,
    audiences?: readonly string[],
    use = newUse(),
  ): Promise<VerifiedToken | undefined> {
    const refusals: string[] = [];
    const verified = asVerified(this.#tokens.settings.audiences);
    const admin = this.#admin === undefined ? [] : [verified(this.#admin)];
    for (const find of [...admin, this.#ownToken, ...this.#sources.map(verified)]) {
      try {
        const found = await find(token, audiences, use);
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof TokenRefusal)) throw error;
        refusals.push(error.message);
      }
    }
    if (refusals.length === 0) return undefined;
    throw new TokenRefusal(refusals.join(', '));
  }

  readonly #ownToken: FindToken = async (token, audiences, use) => {
    const now = this.#now();
    if (!isBootstrapToken(token)) {
      const context = { lookup: this.#lookup, now, audiences, use };
      return await this.#tokens.verify(token, context).finally(() => this.#onUse?.(use));
    }
    const common = ownAudiences(this.#tokens.settings.audiences, audiences);
    if (common === undefined) return undefined;
    const user = await bootstrapUser(token, this.#lookup, now);
    return user === undefined ? undefined : { user, audiences: common };
  };

  /** From the next request on. */
  use({ sources, anonymous: rule }: Authentication): void {
    this.#sources = sources;
    this.#anonymous = rule;
  }

  #anonymousUser(url: string): UserInfo {
    const { isEnabled, paths } = this.#anonymous;
    const path = url.split('?')[0] ?? '';
    if (!isEnabled || (paths !== undefined && !paths.includes(path))) throw unauthorized();
    return anonymous;
  }

  /** Throws ApiError 401 for credentials that are wrong; none at all is the anonymous user. */
  async authenticate(
    request: {
      readonly headers: IncomingHttpHeaders;
      readonly rawHeaders: readonly string[];
      readonly url?: string | undefined;
    },
    socket: TLSSocket,
    use = newUse(),
  ): Promise<UserInfo> {
    const { headers, rawHeaders, url = '/' } = request;
    const trust = this.#requestHeader?.();
    const peer = peerOf(socket, trust);
    if (peer?.endsMs !== undefined) this.#onCertificate?.(peer.endsMs);
    if (peer?.isProxy === false) return peer.user;
    if (peer !== undefined && trust !== undefined) {
      const { allowedNames } = trust;
      const isAllowed = allowedNames.length === 0 || allowedNames.includes(peer.name);
      const proxied = isAllowed ? proxiedUser(headers, rawHeaders) : undefined;
      if (proxied !== undefined) return proxied;
      // Its certificate is not one of a user.
      if (headers.authorization === undefined) throw unauthorized();
    }
    const bearer =
      /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? websocketToken(headers);
    if (bearer === undefined) return this.#anonymousUser(url);
    const found = await this.token(bearer, undefined, use).catch((error: unknown) => {
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
