// KMS v2: a plugin behind a unix socket keeps the key; what it seals for us is the seed of the keys that
// values are encrypted with, so that it is asked once for a seed and not for each value (envelope/kmsv2 of
// k8s.io/apiserver v0.37).
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import type { Client } from '@grpc/grpc-js';
import type { Env, Timer } from '#env/env.ts';
import { grpcText } from '#kube/apiserver/grpc-errors.ts';
import { unixClient } from '#kube/apiserver/unix-service.ts';
import { joinedFailures } from '#kube/meta/status.ts';
import { openGcm, sealGcm, type Transformer } from './ciphers.ts';
import { kmsSchema } from './kms-schema.ts';
import { decodeEnvelope, encodeEnvelope, type Envelope } from './kms-envelope.ts';

const SEED_BYTES = 32;
const INFO_BYTES = 32;
/** How often the plugin is asked which key it uses, and how often when it was not well. */
const POLL_MS = 60_000;
const POLL_UNWELL_MS = 10_000;
/** How long what was found of its health is told again. */
const WELL_MS = 20_000;
const UNWELL_MS = 3_000;
const versions: readonly string[] = ['v2', 'v2beta1'];

interface Seed {
  readonly seed: Buffer;
  readonly keyId: string;
  readonly encrypted: Buffer;
  readonly annotations: Readonly<Record<string, Buffer>>;
}

interface KmsClient extends Client {
  status(
    request: object,
    options: object,
    done: Reply<{ version: string; healthz: string; keyId: string }>,
  ): void;
  encrypt(
    request: object,
    options: object,
    done: Reply<{ ciphertext: Buffer; keyId: string; annotations?: Record<string, Buffer> }>,
  ): void;
  decrypt(request: object, options: object, done: Reply<{ plaintext: Buffer }>): void;
}

type Reply<T> = (error: Error | null, answer: T) => void;

interface Status {
  readonly version: string;
  readonly healthz: string;
  readonly keyId: string;
}

const hashOf = (text: string): string =>
  text === '' ? '' : `sha256:${createHash('sha256').update(text).digest('hex')}`;

function unrotated(
  uid: string,
  { wanted, sealed, why = '<nil>' }: { wanted: string; sealed: string; why?: string },
): string {
  return `failed to rotate DEK uid=${JSON.stringify(uid)}, useSeed=true, errGen=${why}, statusKeyIDHash=${JSON.stringify(hashOf(wanted))}, encryptKeyIDHash=${JSON.stringify(hashOf(sealed))}`;
}

/** HKDF's second half: the first block of its output. */
function derive(seed: Buffer, info: Buffer): Buffer {
  return createHmac('sha256', seed).update(info).update(Buffer.of(1)).digest();
}

export class KmsProvider implements Transformer {
  readonly prefix: Buffer;
  readonly #client: KmsClient;
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #env: Env;
  /** By the encrypted seed: what it is in plain. */
  readonly #seeds = new Map<string, Buffer>();
  readonly #asking = new Map<string, Promise<void>>();
  #current: Seed | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  #found: { readonly atMs: number; readonly why: string | undefined } = {
    atMs: Number.NEGATIVE_INFINITY,
    why: undefined,
  };
  #judging: Promise<string | undefined> | undefined;
  /** Of the API that it speaks. */
  #version: string | undefined;

  constructor(options: { name: string; path: string; timeoutMs: number }, env: Env) {
    this.#name = options.name;
    this.prefix = Buffer.from(`k8s:enc:kms:v2:${options.name}:`);
    this.#timeoutMs = options.timeoutMs;
    this.#env = env;
    this.#client = unixClient({
      schema: kmsSchema,
      package: 'v2',
      service: 'KeyManagementService',
      path: options.path.replace(/^\/@/, '@'),
    });
  }

  /** Throws when the plugin cannot be asked: nothing could be written then. */
  async start(): Promise<void> {
    const why = await this.failure();
    if (why !== undefined) throw new Error(why);
    this.#poll(POLL_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#client.close();
  }

  #poll(afterMs: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(afterMs, () => {
      void this.failure().then((why) => {
        if (why !== undefined && !this.#isClosed)
          this.#env.log.warn('A KMS plugin is not well', { why });
        this.#poll(why === undefined ? POLL_MS : POLL_UNWELL_MS);
      });
    });
  }

  /**
   * What is wrong with the plugin, in upstream's words; what was found lately is told again. When the plugin has taken
   * another key, a new seed is sealed with that.
   */
  async failure(): Promise<string | undefined> {
    const { atMs, why } = this.#found;
    const isFresh =
      this.#env.clock.monotonicMs() - atMs < (why === undefined ? WELL_MS : UNWELL_MS);
    if (isFresh) return why;
    this.#judging ??= this.#judge().finally(() => (this.#judging = undefined));
    return await this.#judging;
  }

  async #judge(): Promise<string | undefined> {
    let found: Status;
    try {
      found = await this.#call<Status>('status', {});
    } catch (error) {
      const why = this.#note(grpcText(error));
      return `failed to perform status section of the healthz check for KMS Provider ${this.#name}, error: ${why}`;
    }
    const faults = await this.#faultsOf(found);
    if (faults.length === 0) return this.#note(undefined);
    return this.#note(
      `kmsv2 Provider ${this.#name} is not healthy, error: ${joinedFailures(faults)}`,
    );
  }

  #note(why: string | undefined): string | undefined {
    this.#found = { atMs: this.#env.clock.monotonicMs(), why };
    return why;
  }

  async #faultsOf({ healthz, version, keyId }: Status): Promise<string[]> {
    const faults: string[] = [];
    if (healthz !== 'ok') faults.push(`got unexpected healthz status: ${healthz}`);
    if (!versions.includes(version)) {
      faults.push(`expected KMSv2 API version v2, got ${version}`);
    } else {
      this.#version ??= version;
      if (this.#version !== version)
        faults.push(
          `KMSv2 API version should not change after the initial status response version ${this.#version}, got ${version}`,
        );
    }
    if (keyId === '') faults.push('got invalid KMSv2 KeyID hash "": keyID is empty');
    else if (keyId !== this.#current?.keyId) {
      const why = await this.#renew(keyId);
      if (why !== undefined) faults.push(why);
    }
    return faults;
  }

  /** Why there is no new seed under the key. */
  async #renew(wanted: string): Promise<string | undefined> {
    const seed = randomBytes(SEED_BYTES);
    const uid = randomUUID();
    type Sealed = {
      ciphertext: Buffer;
      keyId: string;
      annotations?: Record<string, Buffer>;
    };
    try {
      const request = { plaintext: seed, uid };
      const { ciphertext, keyId, annotations = {} } = await this.#call<Sealed>('encrypt', request);
      if (keyId !== wanted) return unrotated(uid, { wanted, sealed: keyId });
      this.#current = { seed, keyId, encrypted: ciphertext, annotations };
      this.#seeds.set(ciphertext.toString('base64'), seed);
      return undefined;
    } catch (error) {
      return unrotated(uid, { wanted, sealed: '', why: grpcText(error) });
    }
  }

  #call<T>(method: 'status' | 'encrypt' | 'decrypt', request: object): Promise<T> {
    const options = { deadline: this.#env.clock.now() + this.#timeoutMs };
    return new Promise((done, fail) => {
      const reply = (error: Error | null, answer: unknown): void =>
        error === null ? done(answer as T) : fail(error);
      this.#client[method](request, options, reply as never);
    });
  }

  encrypt(data: Buffer, key: string): Buffer {
    const current = this.#current;
    if (current === undefined) throw new Error('the KMS plugin has not answered yet');
    const info = randomBytes(INFO_BYTES);
    const sealed = sealGcm(derive(current.seed, info), data, key);
    return encodeEnvelope({
      data: Buffer.concat([info, sealed]),
      keyId: current.keyId,
      encryptedSource: current.encrypted,
      annotations: current.annotations,
      isSeed: true,
    });
  }

  decrypt(data: Buffer, key: string): Buffer {
    const envelope = decodeEnvelope(data);
    const source = this.#seeds.get(envelope.encryptedSource.toString('base64'));
    if (source === undefined) throw new Error('failed to decrypt DEK, error: it was not asked for');
    if (!envelope.isSeed) return openGcm(source, envelope.data, key);
    const info = envelope.data.subarray(0, INFO_BYTES);
    return openGcm(derive(source, info), envelope.data.subarray(INFO_BYTES), key);
  }

  prepare(data: Buffer): Promise<void> | undefined {
    const envelope = decodeEnvelope(data);
    const id = envelope.encryptedSource.toString('base64');
    if (this.#seeds.has(id)) return undefined;
    const asking = this.#asking.get(id) ?? this.#learn(id, envelope);
    this.#asking.set(id, asking);
    return asking;
  }

  async #learn(id: string, { encryptedSource, keyId, annotations }: Envelope): Promise<void> {
    try {
      const request = { ciphertext: encryptedSource, uid: randomUUID(), keyId, annotations };
      const { plaintext } = await this.#call<{ plaintext: Buffer }>('decrypt', request);
      this.#seeds.set(id, plaintext);
    } catch (error) {
      throw new Error(`failed to decrypt DEK, error: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      this.#asking.delete(id);
    }
  }

  isStale(data: Buffer): boolean {
    const { keyId, isSeed } = decodeEnvelope(data);
    return keyId !== this.#current?.keyId || !isSeed;
  }
}
