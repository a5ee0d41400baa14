// Service-account tokens: signed by the instance's key, bound to their account (and pod), checked on
// every use against what is stored.
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyResult,
} from 'jose';
import type { Env } from '#env/env.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { badFlag, type AccessFlags } from './flag-values.ts';
import { checkLegacy, LEGACY_ISSUER, legacyClaims, type TokenUse } from './legacy-tokens.ts';
import { ENDPOINT, FileKeys, signingEndpoint, type TokenKeyring } from './token-keys.ts';
import { TokenRefusal, type Lookup } from './token-refusal.ts';
import { limitedBy, tokenSettings, type TokenSettings } from './token-settings.ts';
import { serviceAccountUser, type UserInfo } from './user.ts';

export const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';

interface Reference {
  readonly name: string;
  readonly uid?: string;
}

interface KubernetesClaim {
  readonly namespace: string;
  readonly serviceaccount: Reference;
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: Reference;
  /** Seconds: from then on it lives only for those who do not take up the next one. */
  readonly warnafter?: number;
}

/** What a token is bound to, as its claims say. A node beside a pod is only told, not checked. */
export type TokenBinding = Pick<KubernetesClaim, 'pod' | 'secret' | 'node'>;

export interface VerifiedToken {
  readonly user: UserInfo;
  /** Of those asked for, the ones that the token is for. */
  readonly audiences: readonly string[];
}

interface VerifyContext {
  readonly lookup: Lookup;
  readonly now: number;
  readonly audiences?: readonly string[] | undefined;
  /** What the use of the token brings is put down here. */
  readonly use: TokenUse;
}

export class TokenAuthority {
  readonly keys: TokenKeyring;
  readonly settings: TokenSettings;

  private constructor(keys: TokenKeyring, settings: TokenSettings) {
    this.keys = keys;
    this.settings = settings;
  }

  /** By keys of files. Throws Fault. */
  static async open(folder: string, flags: AccessFlags = {}): Promise<TokenAuthority> {
    const settings = tokenSettings(flags);
    return new TokenAuthority(await FileKeys.open(folder, flags), settings);
  }

  /** By whoever signs. Throws Fault. */
  static async connect(folder: string, flags: AccessFlags, env: Env): Promise<TokenAuthority> {
    const settings = tokenSettings(flags);
    const endpoint = signingEndpoint(flags);
    if (endpoint === undefined) return await TokenAuthority.open(folder, flags);
    // What it needs is loaded only then.
    const { ExternalSigner } = await import('./external-signer.ts');
    let signer;
    try {
      signer = await ExternalSigner.open(endpoint, env);
    } catch (error) {
      throw badFlag(ENDPOINT, (error as Error).message);
    }
    try {
      return new TokenAuthority(signer, limitedBy(settings, signer.secondsMax));
    } catch (error) {
      signer.close();
      throw error;
    }
  }

  get issuer(): string {
    return this.settings.issuers[0];
  }

  async issue(
    account: KubeObject,
    options: {
      audiences: readonly string[];
      seconds: number;
      now: number;
      /** undefined: it is over when it ends. */
      warnSeconds?: number | undefined;
      binding: TokenBinding;
      id: string;
    },
  ): Promise<string> {
    const { namespace = '', name = '', uid = '' } = account.metadata;
    const at = Math.floor(options.now / 1_000);
    const { warnSeconds } = options;
    const claim: KubernetesClaim = {
      namespace,
      serviceaccount: { name, uid },
      ...options.binding,
      ...(warnSeconds === undefined ? {} : { warnafter: at + warnSeconds }),
    };
    return await this.keys.sign({
      'kubernetes.io': claim,
      iss: this.issuer,
      sub: `system:serviceaccount:${namespace}:${name}`,
      aud: [...options.audiences],
      iat: at,
      nbf: at,
      exp: at + options.seconds,
      jti: options.id,
    });
  }

  /** For a secret that holds it: it does not end. */
  async issueLegacy(account: KubeObject, secret: string): Promise<string> {
    return await this.keys.sign(legacyClaims(account, secret));
  }

  /**
   * undefined for what is no token of this server; TokenRefusal for one that is not valid: too old, for
   * other audiences, or its account, pod, secret or node is gone.
   */
  async verify(token: string, context: VerifyContext): Promise<VerifiedToken | undefined> {
    const { lookup, now, use, audiences = this.settings.audiences } = context;
    // What is none at all, as those of a file, makes no error.
    if (!token.includes('.')) return undefined;
    const { payload, failure } = await this.#read(token, now);
    if (payload === undefined) return undefined;
    const isLegacy = payload.iss === LEGACY_ISSUER;
    // One that says nothing of whom it is for is for this server.
    const meant =
      isLegacy && payload.aud === undefined ? this.settings.audiences : [payload.aud ?? []].flat();
    if (isLegacy) {
      use.annotations['authentication.k8s.io/legacy-token'] = payload.sub ?? '';
      use.counts.push('legacy_tokens_total');
    }
    const common = audiences.filter((one) => meant.includes(one));
    if (common.length === 0) {
      const list = (all: readonly string[]): string =>
        `[${all.map((one) => JSON.stringify(one)).join(' ')}]`;
      throw new TokenRefusal(
        `token audiences ${list(meant)} is invalid for the target audiences ${list(audiences)}`,
      );
    }
    if (failure !== undefined) throw new TokenRefusal(failure);
    if (isLegacy) {
      return { user: await checkLegacy(token, payload, { lookup, now, use }), audiences: common };
    }
    const claim = payload['kubernetes.io'] as KubernetesClaim | undefined;
    if (claim === undefined) return undefined;
    const { namespace, serviceaccount } = claim;
    await checkReferences(claim, lookup, now);
    noteAge(claim, payload.sub, { now, use });
    const user = serviceAccountUser(namespace, serviceaccount.name, serviceaccount.uid ?? '');
    const extra = extraOf(claim, payload.jti);
    return { user: { ...user, extra }, audiences: common };
  }

  async #read(
    token: string,
    now: number,
  ): Promise<{ payload?: JWTPayload | undefined; failure?: string }> {
    const issuer = issuerOf(token) ?? '';
    const isOwn = issuer === LEGACY_ISSUER || this.settings.issuers.includes(issuer);
    const id = isOwn ? keyIdOf(token) : undefined;
    if (id === undefined) return {};
    const options = { issuer, currentDate: new Date(now) };
    try {
      return { payload: (await this.#checked(token, id, options)).payload };
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        return { payload: error.payload, failure: 'service account token has expired' };
      }
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') {
        return { payload: error.payload, failure: 'service account token is not valid yet' };
      }
      if (error instanceof TokenRefusal) throw error;
      return {};
    }
  }

  /** By the first of the keys that fits. Throws TokenRefusal, and what is wrong with the claims. */
  async #checked(
    token: string,
    id: string,
    options: { readonly issuer: string; readonly currentDate: Date },
  ): Promise<JWTVerifyResult> {
    const keys = await this.keys.named(id);
    if (keys.length === 0) throw new TokenRefusal('invalid signature, no keys found');
    for (const { key, algorithm } of keys) {
      try {
        return await jwtVerify(token, key, { ...options, algorithms: [algorithm] });
      } catch (error) {
        if (!isOtherKey(error)) throw error;
      }
    }
    // It says that it is of this server: upstream tells what its library says then, once for all keys.
    throw new TokenRefusal('go-jose/go-jose: error in cryptographic primitive');
  }
}

/** Also when the key is of another kind than the signature. */
const isOtherKey = (error: unknown): boolean =>
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JOSEAlgNotAllowed;

/** '' for a token that does not say; undefined for what is none. */
function keyIdOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid ?? '';
  } catch {
    return undefined;
  }
}

/** By what it says of itself, which is believed only once the signature is looked at. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

/** Those that pods get unasked may live longer than they say at first: who still uses one by then is written down. */
function noteAge(
  { warnafter }: KubernetesClaim,
  subject: string | undefined,
  { now, use }: { now: number; use: TokenUse },
): void {
  if (warnafter === undefined || warnafter === 0) return;
  const late = now - warnafter * 1_000;
  if (late <= 0) {
    use.counts.push('valid_tokens_total');
    return;
  }
  use.annotations['authentication.k8s.io/stale-token'] =
    `subject: ${subject ?? ''}, seconds after warning threshold: ${Math.floor(late / 1_000)}`;
  use.counts.push('stale_tokens_total');
}

const quotedKinds: readonly (readonly ['pod' | 'secret' | 'node', string, string])[] = [
  ['secret', 'secrets', 'secret'],
  ['pod', 'pods', 'pod'],
  ['node', 'nodes', 'node'],
];

const DELETED_LEEWAY_MS = 60_000;

function isLongDeleted(object: KubeObject, now: number): boolean {
  const at = object.metadata.deletionTimestamp;
  return at !== undefined && Date.parse(at) < now - DELETED_LEEWAY_MS;
}

/** Throws TokenRefusal when what the token stands for is not there any more. */
async function checkReferences(claim: KubernetesClaim, lookup: Lookup, now: number): Promise<void> {
  const { namespace, serviceaccount } = claim;
  const account = await lookup('serviceaccounts', namespace, serviceaccount.name);
  if (account === undefined) {
    throw new TokenRefusal(`serviceaccounts "${serviceaccount.name}" not found`);
  }
  if (account.metadata.uid !== serviceaccount.uid) {
    throw new TokenRefusal(
      `service account UID (${account.metadata.uid}) does not match claim (${serviceaccount.uid})`,
    );
  }
  if (isLongDeleted(account, now)) {
    throw new TokenRefusal(`service account ${namespace}/${serviceaccount.name} has been deleted`);
  }
  for (const [kind, resource, word] of quotedKinds) {
    const ref = claim[kind];
    if (ref === undefined || (kind === 'node' && claim.pod !== undefined)) continue;
    const place = kind === 'node' ? undefined : namespace;
    const found = await lookup(resource, place, ref.name);
    if (found === undefined || isLongDeleted(found, now)) {
      throw new TokenRefusal('service account token has been invalidated');
    }
    if (found.metadata.uid !== ref.uid) {
      throw new TokenRefusal(
        `${word} UID (${found.metadata.uid}) does not match service account ${word} ref claim (${ref.uid})`,
      );
    }
  }
}

function extraOf(
  { pod, node }: KubernetesClaim,
  id: string | undefined,
): Record<string, readonly string[]> {
  const out: Record<string, readonly string[]> = {};
  if (id !== undefined) out[CREDENTIAL_ID] = [`JTI=${id}`];
  for (const [kind, ref] of Object.entries({ node, pod })) {
    if (ref === undefined) continue;
    out[`authentication.kubernetes.io/${kind}-name`] = [ref.name];
    if (ref.uid !== undefined) out[`authentication.kubernetes.io/${kind}-uid`] = [ref.uid];
  }
  return out;
}
