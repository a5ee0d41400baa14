// Changes that others come before are made again, as many as it takes. Who loses twice stands in line with the other
// losers: each try reads, admits and compares, and a hundred at once would do five thousand of them.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { conflict } from '#kube/meta/status.ts';
import { objectKey } from './object-store.ts';

export const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

interface Place {
  readonly info: ResourceInfo;
  readonly namespace: string | undefined;
}

/** In line nobody of this process comes before; who loses so often has another server against it. */
const TRIES_MAX = 1_000;
/** An admission webhook may change the very object that it is asked about, so nobody is kept waiting at first. */
const FREE_TRIES = 2;

export class Retries {
  readonly #ends = new Map<string, Promise<void>>();

  /** The first result of `attempt` that is not undefined; throws ApiError 409 when there is none however often. */
  async until<T>(
    { info, namespace }: Place,
    name: string,
    attempt: () => Promise<T | undefined>,
  ): Promise<T> {
    for (let tries = 0; tries < FREE_TRIES; tries++) {
      const found = await attempt();
      if (found !== undefined) return found;
    }
    const leave = await this.#take(objectKey(info, namespace, name));
    try {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const found = await attempt();
        if (found !== undefined) return found;
      }
      throw conflict(info, name, MODIFIED);
    } finally {
      leave();
    }
  }

  /** Resolves when those who came before have left. */
  async #take(key: string): Promise<() => void> {
    const before = this.#ends.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ends.set(key, promise);
    await before;
    return () => {
      if (this.#ends.get(key) === promise) this.#ends.delete(key);
      resolve();
    };
  }
}
