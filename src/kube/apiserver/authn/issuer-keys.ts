// The keys of an issuer: found by its discovery document, kept, and asked for again when a token names one
// that is not among them.
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { rootCertificates } from 'node:tls';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import type { Env } from '#env/env.ts';

const TIMEOUT_MS = 30_000;
const BYTES_MAX = 4 * 1_024 * 1_024;
/** Strange tokens must not make this server ask all the time. */
const AGAIN_AFTER_MS = 1_000;
const WELL_KNOWN = '/.well-known/openid-configuration';

export interface IssuerPlace {
  readonly url: string;
  readonly discoveryUrl?: string | undefined;
  /** PEM; absent: what this machine trusts. */
  readonly ca?: string | undefined;
}

export function fetchText(
  url: string,
  ca: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((done, fail) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const call = get(
      url,
      { ca: ca ?? [...rootCertificates], agent: false, signal, headers },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > BYTES_MAX) response.destroy(new Error('the answer is too big'));
          chunks.push(chunk);
        });
        response.on('error', fail);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0 } = response;
          if (statusCode >= 200 && statusCode < 300) done(text);
          else fail(new Error(`${statusCode} ${response.statusMessage ?? ''}: ${text}`));
        });
      },
    );
    call.on('error', fail);
  });
}

export class IssuerKeys {
  readonly #place: IssuerPlace;
  readonly #clock: Env['clock'];
  readonly #onFetch: (body: string | undefined) => void;
  #keysUrl: string | undefined;
  #find: JWTVerifyGetKey | undefined;
  #loading: Promise<void> | undefined;
  #loadedAtMs = Number.NEGATIVE_INFINITY;

  /** `onFetch` is told the keys as they came; undefined: none came, or nonsense. */
  constructor(
    place: IssuerPlace,
    { clock }: Pick<Env, 'clock'>,
    onFetch: (body: string | undefined) => void = () => {},
  ) {
    this.#onFetch = onFetch;
    this.#place = place;
    this.#clock = clock;
  }

  /** Keys of a file, for issuers that cannot be asked. */
  static ofFile(path: string, place: IssuerPlace, env: Pick<Env, 'clock'>): IssuerKeys {
    const keys = new IssuerKeys(place, env);
    keys.#find = createLocalJWKSet(JSON.parse(readFileSync(path, 'utf8')) as JSONWebKeySet);
    return keys;
  }

  readonly key: JWTVerifyGetKey = async (header, token) => {
    if (this.#find === undefined) await this.#load();
    try {
      return await this.#need()(header, token);
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey;
      const isFresh = this.#clock.monotonicMs() - this.#loadedAtMs < AGAIN_AFTER_MS;
      if (!isUnknown || isFresh) throw error;
      await this.#load();
      return await this.#need()(header, token);
    }
  };

  #need(): JWTVerifyGetKey {
    if (this.#find === undefined) throw new Error('oidc: authenticator not initialized');
    return this.#find;
  }

  async #load(): Promise<void> {
    this.#loading ??= this.#fetch().finally(() => {
      this.#loading = undefined;
    });
    await this.#loading;
  }

  /** That the issuer says where its keys are. Throws an Error where it does not. */
  async found(): Promise<void> {
    if (this.#find === undefined) await this.#keysPlace();
  }

  async #keysPlace(): Promise<string> {
    if (this.#keysUrl !== undefined) return this.#keysUrl;
    const { url, discoveryUrl, ca } = this.#place;
    const from = discoveryUrl ?? `${url.replace(/\/$/, '')}${WELL_KNOWN}`;
    const found = JSON.parse(await fetchText(from, ca)) as Record<string, unknown>;
    if (found['issuer'] !== url) {
      throw new Error(
        `oidc: issuer did not match the issuer returned by provider, expected "${url}" got "${String(found['issuer'])}"`,
      );
    }
    this.#keysUrl = String(found['jwks_uri'] ?? '');
    return this.#keysUrl;
  }

  async #fetch(): Promise<void> {
    const from = await this.#keysPlace();
    let text: string | undefined;
    try {
      const body = await fetchText(from, this.#place.ca);
      this.#find = createLocalJWKSet(JSON.parse(body) as JSONWebKeySet);
      text = body;
    } finally {
      this.#onFetch(text);
    }
    this.#loadedAtMs = this.#clock.monotonicMs();
  }
}
