// Service-account tokens: signed by the instance's key, bound to their account (and pod), checked on
// every use against what is stored.
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  createPrivateKey,
} from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, jwtVerify, SignJWT, calculateJwkThumbprint, type JWTPayload } from 'jose';
import type { KubeObject } from '#kube/meta/object.ts';
import { serviceAccountUser, type UserInfo } from './user.ts';

const ISSUER = 'https://kubernetes.default.svc.cluster.local';

interface KubernetesClaim {
  readonly namespace: string;
  readonly serviceaccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
}

export type Lookup = (
  resource: string,
  namespace: string,
  name: string,
) => Promise<KubeObject | undefined>;

export class TokenAuthority {
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #keyId: string;

  private constructor(privateKey: KeyObject, keyId: string) {
    this.#private = privateKey;
    this.#public = createPublicKey(privateKey);
    this.#keyId = keyId;
  }

  static async open(folder: string): Promise<TokenAuthority> {
    const path = join(folder, 'service-account.key');
    if (!existsSync(path)) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      writeFileSync(`${path}.tmp`, privateKey.export({ type: 'pkcs8', format: 'pem' }), {
        mode: 0o600,
      });
      renameSync(`${path}.tmp`, path);
    }
    const key = createPrivateKey(readFileSync(path));
    const keyId = await calculateJwkThumbprint(await exportJWK(createPublicKey(key)));
    return new TokenAuthority(key, keyId);
  }

  get issuer(): string {
    return ISSUER;
  }

  async jwks() {
    const jwk = await exportJWK(this.#public);
    return { keys: [{ ...jwk, use: 'sig', alg: 'ES256', kid: this.#keyId }] };
  }

  async issue(
    account: KubeObject,
    options: {
      audiences: readonly string[];
      seconds: number;
      now: number;
      pod?: KubeObject | undefined;
      id: string;
    },
  ): Promise<string> {
    const { namespace = '', name = '', uid = '' } = account.metadata;
    const { pod } = options;
    const claim: KubernetesClaim = {
      namespace,
      serviceaccount: { name, uid },
      ...(pod === undefined
        ? {}
        : { pod: { name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' } }),
    };
    const at = Math.floor(options.now / 1_000);
    return await new SignJWT({ 'kubernetes.io': claim })
      .setProtectedHeader({ alg: 'ES256', kid: this.#keyId })
      .setIssuer(ISSUER)
      .setSubject(`system:serviceaccount:${namespace}:${name}`)
      .setAudience([...options.audiences])
      .setIssuedAt(at)
      .setNotBefore(at)
      .setExpirationTime(at + options.seconds)
      .setJti(options.id)
      .sign(this.#private);
  }

  /** undefined for whatever is not a valid token of an account (and pod) that still exists. */
  async verify(token: string, lookup: Lookup, now: number): Promise<UserInfo | undefined> {
    let payload: JWTPayload;
    try {
      const options = { issuer: ISSUER, audience: ISSUER, currentDate: new Date(now) };
      ({ payload } = await jwtVerify(token, this.#public, options));
    } catch {
      return undefined;
    }
    const claim = payload['kubernetes.io'] as KubernetesClaim | undefined;
    if (claim === undefined) return undefined;
    const { namespace, serviceaccount, pod } = claim;
    const account = await lookup('serviceaccounts', namespace, serviceaccount.name);
    if (account?.metadata.uid !== serviceaccount.uid) return undefined;
    if (pod !== undefined) {
      const found = await lookup('pods', namespace, pod.name);
      if (found?.metadata.uid !== pod.uid) return undefined;
    }
    return serviceAccountUser(namespace, serviceaccount.name, serviceaccount.uid);
  }
}
