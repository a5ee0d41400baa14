// Tokens of OpenID Connect issuers: verified by the issuer's keys, then mapped to a user.
import { decodeJwt, errors, jwtVerify } from 'jose';
import type { Env } from '#env/env.ts';
import { TokenRefusal } from '#kube/apiserver/token-refusal.ts';
import type {
  IssuerCounts,
  IssuerMetrics,
  Outcome,
} from '#kube/apiserver/metrics/issuer-metrics.ts';
import { ClaimMapping, type Claims, type JwtRules } from './claim-mapping.ts';
import { fetchText, IssuerKeys, type IssuerPlace } from './issuer-keys.ts';
import type { TokenOwner, TokenSource } from './token-source.ts';

export interface JwtAuthenticatorConfig extends JwtRules {
  readonly issuer: {
    readonly url: string;
    readonly discoveryURL?: string;
    /** PEM. */
    readonly certificateAuthority?: string;
    readonly audiences: readonly string[];
    readonly audienceMatchPolicy?: string;
  };
}

/** Those that go-oidc takes, whatever the issuer says. */
export const SIGNING_ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
];

function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

interface ClaimSource {
  readonly endpoint?: string;
  readonly access_token?: string;
}

export class JwtTokens implements TokenSource {
  readonly #config: JwtAuthenticatorConfig;
  readonly #place: IssuerPlace;
  readonly #mapping: ClaimMapping;
  readonly #algorithms: readonly string[];
  readonly #keys: IssuerKeys;
  readonly #env: Pick<Env, 'clock'>;
  #counts: IssuerCounts | undefined;

  /** Throws Fault for expressions that are none. */
  constructor(
    config: JwtAuthenticatorConfig,
    env: Pick<Env, 'clock'>,
    options: {
      readonly field: string;
      readonly algorithms?: readonly string[];
      readonly keysFile?: string | undefined;
      readonly metrics?: IssuerMetrics | undefined;
    },
  ) {
    this.#config = config;
    this.#env = env;
    const { url, discoveryURL, certificateAuthority: ca } = config.issuer;
    this.#place = { url, discoveryUrl: discoveryURL, ca };
    this.#mapping = new ClaimMapping(config, options.field);
    this.#algorithms = options.algorithms ?? SIGNING_ALGORITHMS;
    const { keysFile, metrics } = options;
    this.#counts = metrics?.ofIssuer(url);
    this.#keys =
      keysFile === undefined
        ? new IssuerKeys(this.#place, env, (body) => this.#counts?.fetched(body))
        : IssuerKeys.ofFile(keysFile, this.#place, env);
  }

  get url(): string {
    return this.#config.issuer.url;
  }

  /** That the issuer can be asked. Throws an Error where it cannot. */
  found(): Promise<void> {
    return this.#keys.found();
  }

  /** It is not counted any more; those that it is looking at are still answered. */
  end(): void {
    this.#counts = undefined;
  }

  async authenticate(token: string): Promise<TokenOwner | undefined> {
    if (issuerOf(token) !== this.url) return undefined;
    const { clock } = this.#env;
    const fromMs = clock.monotonicMs();
    const counted = (outcome: Outcome): void =>
      this.#counts?.verified(outcome, (clock.monotonicMs() - fromMs) / 1_000);
    try {
      const owner = await this.#ownerOf(token);
      counted('success');
      return owner;
    } catch (error) {
      counted('failure');
      throw error;
    }
  }

  async #ownerOf(token: string): Promise<TokenOwner> {
    const { url } = this;
    const claims = await this.#verified(token, this.#keys, url);
    return { user: this.#mapping.user(await this.#withGroups(claims)) };
  }

  async #verified(token: string, keys: IssuerKeys, issuer: string): Promise<Claims> {
    const { audiences } = this.#config.issuer;
    const options = {
      issuer,
      audience: [...audiences],
      algorithms: [...this.#algorithms],
      currentDate: new Date(this.#env.clock.now()),
      requiredClaims: ['exp'],
    };
    try {
      const { payload } = await jwtVerify(token, keys.key, options);
      return payload;
    } catch (error) {
      throw new TokenRefusal(`oidc: verify token: ${this.#reason(error, token)}`);
    }
  }

  #reason(error: unknown, token: string): string {
    const { audiences } = this.#config.issuer;
    if (error instanceof errors.JWTExpired) {
      const ended = new Date(Number(error.payload.exp) * 1_000);
      return `oidc: token is expired (Token Expiry: ${ended.toISOString()})`;
    }
    if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
      const got = JSON.stringify([decodeJwt(token).aud ?? []].flat()).replaceAll(',', ' ');
      const [only = ''] = audiences;
      const wanted =
        audiences.length === 1
          ? `expected audience ${JSON.stringify(only)}`
          : `expected audience in ${JSON.stringify([...audiences].sort()).replaceAll(',', ' ')}`;
      return `oidc: ${wanted} got ${got}`;
    }
    const isSignature =
      error instanceof errors.JWSSignatureVerificationFailed ||
      error instanceof errors.JWKSNoMatchingKey;
    if (isSignature) return 'failed to verify signature: failed to verify id token signature';
    return (error as Error).message;
  }

  /** Groups may be kept elsewhere: distributed claims of OpenID Connect Core, section 5.6.2. */
  async #withGroups(claims: Claims): Promise<Claims> {
    const { claim = '' } = this.#config.claimMappings.groups ?? {};
    const names = claims['_claim_names'] as Readonly<Record<string, string>> | undefined;
    const source = claim === '' || claims[claim] !== undefined ? undefined : names?.[claim];
    if (source === undefined) return claims;
    const all = claims['_claim_sources'] as Readonly<Record<string, ClaimSource>> | undefined;
    const found = all?.[source];
    if (found?.endpoint === undefined) return claims;
    const fail = (why: string): never => {
      throw new TokenRefusal(`oidc: could not expand distributed claims: ${why}`);
    };
    const { endpoint, access_token: access } = found;
    const headers = access === undefined ? {} : { Authorization: `Bearer ${access}` };
    let token = '';
    try {
      token = await fetchText(endpoint, this.#place.ca, headers);
    } catch (error) {
      fail(`while getting distributed claim ${JSON.stringify(claim)}: ${(error as Error).message}`);
    }
    const issuer = issuerOf(token) ?? fail('the distributed claim is no token');
    const isOwn = issuer === this.#place.url;
    const place = { url: issuer, ca: this.#place.ca };
    const keys = isOwn ? this.#keys : new IssuerKeys(place, this.#env);
    const value = (await this.#verified(token, keys, issuer))[claim];
    return { ...claims, ...(value === undefined ? {} : { [claim]: value }) };
  }
}
