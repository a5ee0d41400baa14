// Tokens of service accounts that somebody else signs, behind a unix socket (--service-account-signing-endpoint): the
// keys stay there, and those to check by are fetched again as often as it says (serviceaccount/externaljwt of v1.37).
import { createPublicKey } from 'node:crypto';
import { Metadata, type Client } from '@grpc/grpc-js';
import type { JWK, JWTPayload } from 'jose';
import type { Env, Timer } from '#env/env.ts';
import { signerSchema } from './external-signer-schema.ts';
import { grpcCodeOf, grpcText } from './grpc-errors.ts';
import { Counter, Gauge, Histogram } from './metrics/metric-set.ts';
import {
  algorithmOf,
  algorithmsOf,
  jwksOf,
  type TokenKey,
  type TokenKeyring,
} from './token-keys.ts';
import { unixClient } from './unix-service.ts';

const SYNC_MS_MAX = 60_000;
const METADATA_MS_MAX = 10_000;
const SIGN_MS_MAX = 60_000;
/** After keys that could not be fetched. */
const AGAIN_MS = 10_000;
const ID_LENGTH_MAX = 1_024;
const SECONDS_MIN = 600;

const algorithms: readonly unknown[] = ['RS256', 'ES256', 'ES384', 'ES512'];

type Json = Record<string, unknown>;
type Reply = (error: Error | null, answer: unknown) => void;
type Call = (request: object, metadata: Metadata, options: object, done: Reply) => void;
type Method = 'Sign' | 'FetchKeys' | 'Metadata';

interface FetchedKey extends TokenKey {
  readonly isHidden: boolean;
}

interface FetchedKeys {
  readonly keys: readonly FetchedKey[];
  readonly untilMs: number;
}

interface KeysAnswer {
  readonly keys?: readonly {
    readonly keyId: string;
    readonly key: Buffer;
    readonly excludeFromOidcDiscovery: boolean;
  }[];
  readonly dataTimestamp?: { readonly seconds: number; readonly nanos: number } | null;
  readonly refreshHintSeconds: number;
}

const BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

class SignerMetrics {
  readonly fetches = new Counter('apiserver_externaljwt_fetch_keys_request_total', ['code']);
  readonly signs = new Counter('apiserver_externaljwt_sign_request_total', ['code']);
  readonly took = new Histogram(
    'apiserver_externaljwt_request_duration_seconds',
    ['code', 'method'],
    BOUNDS,
  );
  fetchedAt: number | undefined;
  dataAt: number | undefined;

  lines(): string[] {
    const gauge = (name: string, value: number | undefined): string[] =>
      new Gauge(`apiserver_externaljwt_${name}`, [], () =>
        value === undefined ? [] : [[[], value]],
      ).lines();
    return [
      ...gauge('fetch_keys_data_timestamp', this.dataAt),
      ...this.fetches.lines(),
      ...gauge('fetch_keys_success_timestamp', this.fetchedAt),
      ...this.took.lines(),
      ...this.signs.lines(),
    ];
  }
}

/** The key that a signature is said to be made with. Throws Error in upstream's words. */
function signedWith(header: string): string {
  let parsed: unknown;
  try {
    if (!/^[\w-]*$/.test(header)) throw new Error('illegal base64 data');
    parsed = JSON.parse(Buffer.from(header, 'base64url').toString());
  } catch (error) {
    throw new Error(`while parsing header JSON: ${(error as Error).message}`, { cause: error });
  }
  const { alg = '', kid = '', typ = '', ...others } = (parsed ?? {}) as Json;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new Error(`while parsing header JSON: json: unknown field ${JSON.stringify(unknown)}`);
  }
  if (typ !== 'JWT') throw new Error('bad type');
  if (kid === '') throw new Error('key id missing');
  if (Buffer.byteLength(String(kid)) > ID_LENGTH_MAX) throw new Error('key id longer than 1 kb');
  if (!algorithms.includes(alg)) throw new Error(`bad signing algorithm ${JSON.stringify(alg)}`);
  return String(kid);
}

/** Throws Error in upstream's words. */
function fetchedKeys(answer: KeysAnswer, nowMs: number): FetchedKeys {
  const { keys = [], dataTimestamp, refreshHintSeconds: hint } = answer;
  if (hint <= 0) throw new Error(`found invalid refresh hint (${hint}s)`);
  if (keys.length === 0) throw new Error('found no keys');
  if (dataTimestamp === undefined || dataTimestamp === null) {
    throw new Error('invalid data timestamp: proto: invalid nil Timestamp');
  }
  const found = keys.flatMap(({ keyId: id, key, excludeFromOidcDiscovery }): FetchedKey[] => {
    if (id === '' || Buffer.byteLength(id) > ID_LENGTH_MAX) {
      throw new Error(`found invalid public key id ${JSON.stringify(id)}`);
    }
    if (key.length === 0) throw new Error('found empty public key');
    let parsed;
    try {
      parsed = createPublicKey({ key, format: 'der', type: 'spki' });
    } catch (error) {
      const why = (error as Error).message;
      throw new Error(`while parsing external public keys: ${why}`, { cause: error });
    }
    const algorithm = algorithmOf(parsed);
    // Nothing could be signed with it.
    if (algorithm === undefined) return [];
    return [{ key: parsed, id, algorithm, isHidden: excludeFromOidcDiscovery }];
  });
  return { keys: found, untilMs: nowMs + hint * 1_000 };
}

export class ExternalSigner implements TokenKeyring {
  readonly #client: Client & Record<Method, Call>;
  readonly #env: Env;
  readonly #metrics = new SignerMetrics();
  #fetched: FetchedKeys = { keys: [], untilMs: 0 };
  #fetching: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Tokens live no longer. */
  #secondsMax = 0;

  private constructor(path: string, env: Env) {
    this.#env = env;
    const service = 'ExternalJWTSigner';
    this.#client = unixClient({ schema: signerSchema, package: 'v1', service, path });
  }

  /** Throws Error in upstream's words: without keys nobody could be let in. */
  static async open(path: string, env: Env): Promise<ExternalSigner> {
    const signer = new ExternalSigner(path, env);
    try {
      await signer.#sync().catch((error: unknown) => {
        const before = 'while initially filling key cache: while performing initial cache fill: ';
        throw new Error(before + (error as Error).message, { cause: error });
      });
      const found = await signer.#call<{ maxTokenExpirationSeconds: number }>(
        'Metadata',
        {},
        METADATA_MS_MAX,
      );
      signer.#secondsMax = found.maxTokenExpirationSeconds;
    } catch (error) {
      signer.close();
      throw new Error(`while setting up external-jwt-signer: ${grpcText(error)}`, { cause: error });
    }
    if (signer.#secondsMax < SECONDS_MIN) {
      signer.close();
      throw new Error(
        `max token life supported by external-jwt-signer (${signer.#secondsMax}s) is less than acceptable (min ${SECONDS_MIN}s)`,
      );
    }
    signer.#plan(signer.#fetched.untilMs - env.clock.now());
    return signer;
  }

  get secondsMax(): number {
    return this.#secondsMax;
  }

  async sign(claims: JWTPayload): Promise<string> {
    try {
      const token = await this.#signed(claims);
      this.#metrics.signs.add(['OK']);
      return token;
    } catch (error) {
      const { cause } = error as Error;
      this.#metrics.signs.add([grpcCodeOf(cause ?? error) ?? 'unknown-non-grpc']);
      throw error;
    }
  }

  async #signed(payload: JWTPayload): Promise<string> {
    const claims = Buffer.from(JSON.stringify(payload)).toString('base64url');
    let answer: { readonly header: string; readonly signature: string };
    try {
      answer = await this.#call('Sign', { claims }, SIGN_MS_MAX);
    } catch (error) {
      throw new Error(`while signing jwt: ${grpcText(error)}`, { cause: error });
    }
    try {
      const id = signedWith(answer.header);
      if ((await this.#found(id)).some(({ isHidden }) => isHidden)) {
        throw new Error(
          `key used for signing JWT (kid: ${id}) is excluded from OIDC discovery docs`,
        );
      }
    } catch (error) {
      throw new Error(`while validating header: ${(error as Error).message}`);
    }
    if (answer.signature === '') throw new Error('empty signature returned');
    return `${answer.header}.${claims}.${answer.signature}`;
  }

  async named(id: string): Promise<readonly TokenKey[]> {
    return await this.#found(id);
  }

  /** One that is not known is asked for. */
  async #found(id: string): Promise<readonly FetchedKey[]> {
    const known = (): readonly FetchedKey[] =>
      id === '' ? this.#fetched.keys : this.#fetched.keys.filter((one) => one.id === id);
    if (known().length > 0) return known();
    try {
      await this.#sync();
    } catch (error) {
      this.#env.log.error('Cannot fetch the keys of tokens', { error });
      return [];
    }
    return known();
  }

  get #shown(): readonly FetchedKey[] {
    return this.#fetched.keys.filter(({ isHidden }) => !isHidden);
  }

  get algorithms(): readonly string[] {
    return algorithmsOf(this.#shown);
  }

  async jwks(): Promise<{ keys: JWK[] }> {
    return await jwksOf(this.#shown);
  }

  get cacheSeconds(): number {
    const leftMs = this.#fetched.untilMs - this.#env.clock.now();
    return Math.max(0, Math.floor(leftMs / 1_000));
  }

  metrics(): string[] {
    return this.#metrics.lines();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#client.close();
  }

  #plan(afterMs: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(Math.max(0, afterMs), () => {
      this.#sync().then(
        () => this.#plan(this.#fetched.untilMs - this.#env.clock.now()),
        (error: unknown) => {
          if (this.#isClosed) return;
          this.#env.log.error('Cannot fetch the keys of tokens; those before stay', { error });
          this.#plan(AGAIN_MS);
        },
      );
    });
  }

  #sync(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const metrics = this.#metrics;
    const before = 'while fetching token verification keys: ';
    let answer: KeysAnswer;
    try {
      answer = await this.#call<KeysAnswer>('FetchKeys', {}, SYNC_MS_MAX);
    } catch (error) {
      metrics.fetches.add([grpcCodeOf(error) ?? 'unknown-non-grpc']);
      const why = `while getting externally supported jwt signing keys: ${grpcText(error)}`;
      throw new Error(before + why, { cause: error });
    }
    try {
      this.#fetched = fetchedKeys(answer, this.#env.clock.now());
    } catch (error) {
      metrics.fetches.add(['unknown-non-grpc']);
      throw new Error(before + (error as Error).message, { cause: error });
    }
    metrics.fetches.add(['OK']);
    metrics.fetchedAt = this.#env.clock.now() / 1_000;
    const { seconds: at = 0, nanos = 0 } = answer.dataTimestamp ?? {};
    metrics.dataAt = at + nanos / 1e9;
  }

  async #call<T>(method: Method, request: object, timeoutMs: number): Promise<T> {
    const { clock } = this.#env;
    const startMs = clock.monotonicMs();
    const note = (code: string): void =>
      this.#metrics.took.observe(
        [code, `/v1.ExternalJWTSigner/${method}`],
        (clock.monotonicMs() - startMs) / 1_000,
      );
    return await new Promise((done, fail) => {
      // One that is not there yet is waited for.
      const metadata = new Metadata({ waitForReady: true });
      const options = { deadline: clock.now() + timeoutMs };
      this.#client[method](request, metadata, options, (error, answer) => {
        note(error === null ? 'OK' : (grpcCodeOf(error) ?? 'unknown-non-grpc'));
        if (error === null) done(answer as T);
        else fail(error);
      });
    });
  }
}
