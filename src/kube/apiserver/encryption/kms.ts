// KMS v2: a plugin behind a unix socket keeps the key; what it seals for us is the seed of the keys that
// values are encrypted with, so that it is asked once for a seed and not for each value (envelope/kmsv2 of
// k8s.io/apiserver v0.37).
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { Client, ServiceClientConstructor } from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import type { Env, Timer } from '#env/env.ts';
import { openGcm, sealGcm, type Transformer } from './ciphers.ts';
import { kmsSchema } from './kms-schema.ts';
import { decodeEnvelope, encodeEnvelope, type Envelope } from './kms-envelope.ts';

const SEED_BYTES = 32;
const INFO_BYTES = 32;
/** How often the plugin is asked which key it uses. */
const POLL_MS = 60_000;

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

/** HKDF's second half: the first block of its output. */
function derive(seed: Buffer, info: Buffer): Buffer {
  return createHmac('sha256', seed).update(info).update(Buffer.of(1)).digest();
}

export class KmsProvider implements Transformer {
  readonly prefix: Buffer;
  readonly #client: KmsClient;
  readonly #timeoutMs: number;
  readonly #env: Env;
  /** By the encrypted seed: what it is in plain. */
  readonly #seeds = new Map<string, Buffer>();
  readonly #asking = new Map<string, Promise<void>>();
  #current: Seed | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: { name: string; path: string; timeoutMs: number }, env: Env) {
    this.prefix = Buffer.from(`k8s:enc:kms:v2:${options.name}:`);
    this.#timeoutMs = options.timeoutMs;
    this.#env = env;
    const definition = loadPackageDefinition(
      fromJSON(kmsSchema as never, { keepCase: false, defaults: true }),
    );
    const { v2 } = definition as unknown as { v2: Record<string, ServiceClientConstructor> };
    const Service = v2['KeyManagementService'] as ServiceClientConstructor;
    this.#client = new Service(
      // As upstream has it, a path that begins with @ is no file, but a name that only the kernel knows.
      options.path.startsWith('/@') ? `unix:\0${options.path.slice(2)}` : `unix://${options.path}`,
      credentials.createInsecure(),
    ) as unknown as KmsClient;
  }

  /** Throws when the plugin cannot be asked: nothing could be written then. */
  async start(): Promise<void> {
    await this.#renew();
    this.#poll();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#client.close();
  }

  #poll(): void {
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(POLL_MS, () => {
      this.#rotate()
        .catch((error: unknown) => this.#env.log.warn('A KMS plugin is not well', { error }))
        .finally(() => this.#poll());
    });
  }

  /** When the plugin has taken another key, a new seed is sealed with that. */
  async #rotate(): Promise<void> {
    const { keyId } = await this.#call<{ keyId: string }>('status', {});
    if (keyId !== this.#current?.keyId) await this.#renew();
  }

  async #renew(): Promise<void> {
    const { healthz } = await this.#call<{ healthz: string }>('status', {});
    if (healthz !== 'ok') throw new Error(`the KMS plugin is not well: ${healthz}`);
    const seed = randomBytes(SEED_BYTES);
    const {
      ciphertext,
      keyId,
      annotations = {},
    } = await this.#call<{
      ciphertext: Buffer;
      keyId: string;
      annotations?: Record<string, Buffer>;
    }>('encrypt', { plaintext: seed, uid: randomUUID() });
    this.#current = { seed, keyId, encrypted: ciphertext, annotations };
    this.#seeds.set(ciphertext.toString('base64'), seed);
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
