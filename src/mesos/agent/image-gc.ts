// Removes images that nobody uses: when an operator asks (PRUNE_IMAGES), and, with `--image_gc_config`,
// whenever their disk has less room than it is to have.
import { errorChain } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import type { Image } from '#wire/mesos/v1.ts';
import type { ImageGcConfig } from './flags.ts';

/** What images are kept in. */
export interface KeptImages {
  /** The part of its disk that is used. */
  diskUsed(): Promise<number>;
  /** Removes those that nobody uses and no name excludes; how many went. */
  prune(excluded: readonly string[]): Promise<number>;
}

export class ImageGc {
  readonly #store: KeptImages;
  readonly #config: ImageGcConfig | undefined;
  readonly #env: Env;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(store: KeptImages, config: ImageGcConfig | undefined, env: Env) {
    this.#store = store;
    this.#config = config;
    this.#env = env;
  }

  /** From when on it is known what the containers of an earlier life use. */
  start(): void {
    const intervalMs = this.#config?.intervalMs;
    if (intervalMs === undefined || this.#isClosed) return;
    this.#timer = this.#env.timers.after(intervalMs, () => {
      this.#running = this.look().catch((error: unknown) => {
        this.#env.log.warn('Cannot collect images', { error: errorChain(error) });
      });
      void this.#running.then(() => this.start());
    });
  }

  /** `used`: the part of the disk that is used, when that is not to be looked up. */
  async look(used?: number): Promise<void> {
    const { headroom = 0, excluded = [] } = this.#config ?? {};
    if ((used ?? (await this.#store.diskUsed())) <= 1 - headroom) return;
    const removed = await this.#store.prune(excluded);
    this.#env.log.info('Removed images for lack of room', { removed });
  }

  prune(excluded: readonly Image[]): Promise<number> {
    const names = excluded.map((one) => one.docker?.name ?? '').filter((name) => name !== '');
    return this.#store.prune([...names, ...(this.#config?.excluded ?? [])]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#running;
  }
}
