// The certificate that the API server presents: renewed before its end, and taken up from its files when
// somebody replaces them; connections that are open stay.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Env, Timer } from '#env/env.ts';
import { WatchedFiles } from '#env/watched-files.ts';
import type { Authority, KeyPair, ServerIdentity } from '#kube/pki/authority.ts';

const NAME = 'apiserver';
const DAY_MS = 86_400_000;

export class ServingCertificate {
  readonly #authority: Authority;
  readonly #identity: ServerIdentity;
  readonly #env: Env;
  #pair: KeyPair;
  #files: WatchedFiles | undefined;
  #timer: Timer | undefined;
  #onPair: (pair: KeyPair) => void = () => {};

  private constructor(authority: Authority, identity: ServerIdentity, env: Env, pair: KeyPair) {
    this.#authority = authority;
    this.#identity = identity;
    this.#env = env;
    this.#pair = pair;
  }

  static async open(
    authority: Authority,
    identity: ServerIdentity,
    env: Env,
  ): Promise<ServingCertificate> {
    return new ServingCertificate(authority, identity, env, await kept(authority, identity, env));
  }

  get pair(): KeyPair {
    return this.#pair;
  }

  get isValid(): boolean {
    return this.#env.clock.now() < new X509Certificate(this.#pair.cert).validToDate.getTime();
  }

  /** `onPair` is told of each pair that is there instead; what it throws keeps the one before. */
  watch(onPair: (pair: KeyPair) => void): void {
    this.#onPair = onPair;
    const { folder } = this.#authority;
    const [certPath, keyPath] = [join(folder, `${NAME}.crt`), join(folder, `${NAME}.key`)];
    const reload = (): void => {
      this.#take({ cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') });
    };
    this.#files = new WatchedFiles({ files: [certPath, keyPath] }, reload, this.#env);
    this.#renewDaily();
  }

  close(): void {
    this.#timer?.cancel();
    this.#files?.close();
  }

  #take(pair: KeyPair): void {
    if (pair.cert === this.#pair.cert && pair.key === this.#pair.key) return;
    this.#onPair(pair);
    this.#pair = pair;
    this.#env.log.info('A new serving certificate has been taken up');
  }

  #renewDaily(): void {
    this.#timer = this.#env.timers.after(DAY_MS, () => {
      this.#renew()
        .catch((error: unknown) => {
          this.#env.log.error('Cannot renew the serving certificate', { error });
        })
        .finally(() => this.#renewDaily());
    });
  }

  async #renew(): Promise<void> {
    this.#take(await kept(this.#authority, this.#identity, this.#env));
  }
}

async function kept(authority: Authority, identity: ServerIdentity, env: Env): Promise<KeyPair> {
  const now = env.clock.now();
  return await authority.kept(NAME, () => authority.issueServer(identity, now), now);
}
