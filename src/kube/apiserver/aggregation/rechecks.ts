// When names are looked at again: at once after a change, soon and then ever later after a failure, and
// every half minute, because nobody tells when a server behind an address has gone.
import type { Env, Timer } from '#env/env.ts';

const RESYNC_MS = 30_000;
const RETRY_FIRST_MS = 5;

interface State {
  isRunning: boolean;
  /** Asked for again while it ran. */
  isWanted: boolean;
  failures: number;
  timer: Timer | undefined;
}

export class Rechecks {
  readonly #check: (name: string) => Promise<boolean>;
  readonly #env: Env;
  readonly #states = new Map<string, State>();
  #isClosed = false;

  /** `check`: whether all is well. */
  constructor(check: (name: string) => Promise<boolean>, env: Env) {
    this.#check = check;
    this.#env = env;
  }

  now(name: string): void {
    if (this.#isClosed) return;
    const state = this.#states.get(name) ?? {
      isRunning: false,
      isWanted: false,
      failures: 0,
      timer: undefined,
    };
    this.#states.set(name, state);
    state.timer?.cancel();
    state.timer = undefined;
    if (state.isRunning) state.isWanted = true;
    else void this.#run(name, state);
  }

  forget(name: string): void {
    this.#states.get(name)?.timer?.cancel();
    this.#states.delete(name);
  }

  close(): void {
    this.#isClosed = true;
    for (const name of this.#states.keys()) this.forget(name);
  }

  async #run(name: string, state: State): Promise<void> {
    state.isRunning = true;
    let isWell = false;
    try {
      isWell = await this.#check(name);
    } catch (error) {
      if (!this.#isClosed) this.#env.log.warn('Cannot check an API service', { name, error });
    }
    state.isRunning = false;
    if (this.#isClosed || this.#states.get(name) !== state) return;
    if (state.isWanted) {
      state.isWanted = false;
      return void this.now(name);
    }
    state.failures = isWell ? 0 : state.failures + 1;
    const retryMs = RETRY_FIRST_MS * 2 ** Math.min(state.failures, 20);
    const delayMs = isWell ? RESYNC_MS : Math.min(RESYNC_MS, retryMs);
    state.timer = this.#env.timers.after(delayMs, () => this.now(name));
  }
}
