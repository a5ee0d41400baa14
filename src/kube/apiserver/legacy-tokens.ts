// Tokens that lie in secrets of type kubernetes.io/service-account-token: they do not end, are good for as long
// as the secret and the account are there, and their use is noted on the secret. Checks and words as
// kube-apiserver v1.37.
import { timingSafeEqual } from 'node:crypto';
import type { JWTPayload } from 'jose';
import type { KubeObject } from '#kube/meta/object.ts';
import { TokenRefusal, type Lookup } from './token-refusal.ts';
import { serviceAccountUser, type UserInfo } from './user.ts';

export const LEGACY_ISSUER = 'kubernetes/serviceaccount';
const LAST_USED = 'kubernetes.io/legacy-token-last-used';
const INVALID_SINCE = 'kubernetes.io/legacy-token-invalid-since';

const CLAIM = 'kubernetes.io/serviceaccount';
const claimNames = {
  namespace: `${CLAIM}/namespace`,
  secret: `${CLAIM}/secret.name`,
  account: `${CLAIM}/service-account.name`,
  uid: `${CLAIM}/service-account.uid`,
} as const;

export function legacyClaims(account: KubeObject, secret: string): JWTPayload {
  const { namespace = '', name = '', uid = '' } = account.metadata;
  return {
    iss: LEGACY_ISSUER,
    [claimNames.namespace]: namespace,
    [claimNames.secret]: secret,
    [claimNames.account]: name,
    [claimNames.uid]: uid,
    sub: `system:serviceaccount:${namespace}:${name}`,
  };
}

export type TokenCounter =
  | 'legacy_tokens_total'
  | 'legacy_auto_token_uses_total'
  | 'legacy_manual_token_uses_total'
  | 'invalid_legacy_auto_token_uses_total'
  | 'stale_tokens_total'
  | 'valid_tokens_total';

/** What else the use of a token brings: to be noted, told and counted by whoever served it. */
export interface TokenUse {
  readonly warnings: string[];
  readonly annotations: Record<string, string>;
  readonly counts: TokenCounter[];
  /** The secret, and the day that it is to be labelled with. */
  usedOn?: { readonly secret: KubeObject; readonly day: string };
}

export const newUse = (): TokenUse => ({ warnings: [], annotations: {}, counts: [] });

const DAY_MS = 24 * 60 * 60 * 1_000;
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function noteUse(use: TokenUse, secret: KubeObject, now: number): void {
  const lastUsed = secret.metadata.labels?.[LAST_USED];
  // Another server's clock may be a day ahead.
  if (lastUsed === dayOf(now) || lastUsed === dayOf(now + DAY_MS)) return;
  use.usedOn = { secret, day: dayOf(now) };
}

/** The secret with the day on it. */
export function withLastUsed(secret: KubeObject, day: string): KubeObject {
  const labels = { ...secret.metadata.labels, [LAST_USED]: day };
  return { ...secret, metadata: { ...secret.metadata, labels } };
}

function isSame(stored: unknown, token: string): boolean {
  const [a, b] = [Buffer.from(String(stored ?? ''), 'base64'), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

interface Claims {
  readonly namespace: string;
  readonly secret: string;
  readonly account: string;
  readonly uid: string;
}

function claimsOf(payload: JWTPayload): Claims {
  const need = (value: unknown, what: string): string => {
    if (typeof value === 'string' && value !== '') return value;
    throw new TokenRefusal(`${what} claim is missing`);
  };
  const subject = need(payload.sub, 'sub');
  const claims = {
    namespace: need(payload[claimNames.namespace], 'namespace'),
    secret: need(payload[claimNames.secret], 'secretName'),
    account: need(payload[claimNames.account], 'serviceAccountName'),
    uid: need(payload[claimNames.uid], 'serviceAccountUID'),
  };
  if (subject !== `system:serviceaccount:${claims.namespace}:${claims.account}`) {
    throw new TokenRefusal('sub claim is invalid');
  }
  return claims;
}

async function accountOf({ namespace, account, uid }: Claims, lookup: Lookup): Promise<KubeObject> {
  const found = await lookup('serviceaccounts', namespace, account);
  if (found === undefined) throw new TokenRefusal(`serviceaccounts "${account}" not found`);
  if (found.metadata.deletionTimestamp !== undefined) {
    throw new TokenRefusal(`ServiceAccount ${namespace}/${account} has been deleted`);
  }
  if (found.metadata.uid !== uid) {
    throw new TokenRefusal(
      `ServiceAccount UID (${found.metadata.uid}) does not match claim (${uid})`,
    );
  }
  return found;
}

/** Of a token whose signature is right. Throws TokenRefusal; what is in `use` then counts all the same. */
export async function checkLegacy(
  token: string,
  payload: JWTPayload,
  { lookup, now, use }: { readonly lookup: Lookup; readonly now: number; readonly use: TokenUse },
): Promise<UserInfo> {
  const claims = claimsOf(payload);
  const secret = await lookup('secrets', claims.namespace, claims.secret);
  if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) {
    throw new TokenRefusal('Token has been invalidated');
  }
  if (!isSame((secret['data'] as Record<string, unknown> | undefined)?.['token'], token)) {
    throw new TokenRefusal("Token does not match server's copy");
  }
  const account = await accountOf(claims, lookup);
  const place = `${claims.namespace}/${claims.secret}`;
  noteUse(use, secret, now);
  if (secret.metadata.labels?.[INVALID_SINCE]) {
    use.annotations['authentication.k8s.io/legacy-token-invalidated'] =
      `${claims.secret}/${claims.namespace}`;
    use.counts.push('invalid_legacy_auto_token_uses_total');
    throw new TokenRefusal(
      `the token in secret ${place} for service account ${claims.namespace}/${claims.account} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${INVALID_SINCE}' label from the secret to temporarily allow use of this token`,
    );
  }
  const references = (account['secrets'] ?? []) as readonly { readonly name?: string }[];
  if (references.some(({ name }) => name === claims.secret)) {
    use.warnings.push(
      'Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.',
    );
    use.annotations['authentication.k8s.io/legacy-token-autogenerated-secret'] = claims.secret;
    use.counts.push('legacy_auto_token_uses_total');
  } else {
    use.annotations['authentication.k8s.io/legacy-token-manual-secret'] = claims.secret;
    use.counts.push('legacy_manual_token_uses_total');
  }
  return serviceAccountUser(claims.namespace, claims.account, claims.uid);
}
