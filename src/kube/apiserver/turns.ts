// Changes that others come before are made again, as many as it takes. Who loses twice stands in line with the other
// losers: each try reads, admits and compares, and a hundred at once would do five thousand of them.

/** In line nobody of this process comes before; who loses so often has another server against it. */
const TRIES_MAX = 1_000;
/** An admission webhook may change the very object that it is asked about, so nobody is kept waiting at first. */
const FREE_TRIES = 2;

export class Turns {
  readonly #ends = new Map<string, Promise<void>>();

  /** The first result of `attempt` that is not undefined; undefined when there is none however often. */
  async until<T>(key: string, attempt: () => Promise<T | undefined>): Promise<T | undefined> {
    for (let tries = 0; tries < FREE_TRIES; tries++) {
      const found = await attempt();
      if (found !== undefined) return found;
    }
    const leave = await this.#take(key);
    try {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const found = await attempt();
        if (found !== undefined) return found;
      }
      return undefined;
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
