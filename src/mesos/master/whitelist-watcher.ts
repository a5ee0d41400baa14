// --whitelist: a file with the hosts of the agents that may be offered, one a line; it is read again
// and again, so that it can be changed while the master runs.
import { readFile } from 'node:fs/promises';
import type { Env, Timer } from '#env/env.ts';

/** WHITELIST_WATCH_INTERVAL of Mesos. */
const INTERVAL_MS = 5_000;

export class WhitelistWatcher {
  readonly #path: string;
  readonly #onHosts: (hosts: ReadonlySet<string>) => void;
  readonly #env: Env;
  #last: ReadonlySet<string> | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  /** `onHosts` is told of the hosts when they change; nobody when the file is empty. */
  constructor(path: string, onHosts: (hosts: ReadonlySet<string>) => void, env: Env) {
    this.#path = path.replace(/^file:\/\//, '');
    this.#onHosts = onHosts;
    this.#env = env;
  }

  /** Resolves when it was read for the first time. What cannot be read changes nothing. */
  async read(): Promise<void> {
    try {
      const text = await readFile(this.#path, 'utf8');
      if (this.#isClosed) return;
      this.#take(new Set(text.split('\n').filter((line) => line !== '')));
    } catch (error) {
      this.#env.log.error('Cannot read the whitelist of agents; trying again', { error });
    }
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(INTERVAL_MS, () => void this.read());
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #take(hosts: ReadonlySet<string>): void {
    const isSame = this.#last?.symmetricDifference(hosts).size === 0;
    if (isSame) return;
    this.#last = hosts;
    if (hosts.size === 0) this.#env.log.warn('The whitelist is empty: no agent is offered');
    this.#onHosts(hosts);
  }
}
