// One pull for all who want the same image at the same time: who does not want it any more leaves at once, and with
// the last of them the pull itself is ended.

interface Pull<T> {
  readonly result: Promise<T>;
  readonly life: AbortController;
  waiting: number;
}

export class SharedPulls<T> {
  /** Those that one may still join. */
  readonly #open = new Map<string, Pull<T>>();
  /** Those too that have been given up, and are taking away what they have made. */
  readonly #all = new Set<Promise<unknown>>();

  /**
   * `begin`: at most once for all who come while it lasts; ends soon, with nothing left, once its signal says so.
   * `take`: what this one wants with it, done before the pull counts as settled.
   */
  async join<R>(
    key: string,
    signal: AbortSignal,
    begin: (signal: AbortSignal) => Promise<T>,
    take: (made: T) => R,
  ): Promise<R> {
    signal.throwIfAborted();
    const pull = this.#open.get(key) ?? this.#begin(key, begin);
    pull.waiting += 1;
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    const taken = pull.result.then((made) => {
      signal.throwIfAborted();
      return take(made);
    });
    this.#track(taken);
    try {
      return await Promise.race([taken, left.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      pull.waiting -= 1;
      if (pull.waiting === 0) this.#giveUp(key, pull);
    }
  }

  #begin(key: string, begin: (signal: AbortSignal) => Promise<T>): Pull<T> {
    const life = new AbortController();
    const result = begin(life.signal);
    const pull = { result, life, waiting: 0 };
    this.#open.set(key, pull);
    const close = (): void => {
      if (this.#open.get(key) === pull) this.#open.delete(key);
    };
    result.then(close, close);
    this.#track(result);
    return pull;
  }

  #track(work: Promise<unknown>): void {
    this.#all.add(work);
    const forget = (): boolean => this.#all.delete(work);
    work.then(forget, forget);
  }

  /** Whoever comes now begins anew: this one cannot be taken back. */
  #giveUp(key: string, pull: Pull<T>): void {
    if (this.#open.get(key) === pull) this.#open.delete(key);
    pull.life.abort();
  }

  /** Resolves once none of those that there are now does anything any more, and all have what they came for. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#all);
  }
}
