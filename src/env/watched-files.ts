// Files that are read again when somebody changes them while the program runs: certificates, keys,
// configurations. The folders are watched, as files may be replaced, or be links that are turned.
import { watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Env, Timer } from './env.ts';

/** Who writes, writes more than once, and more than one file. */
const SETTLE_MS = 100;

export class WatchedFiles {
  readonly #names: ReadonlySet<string>;
  readonly #onChange: () => void | Promise<void>;
  readonly #env: Pick<Env, 'timers' | 'log'>;
  readonly #watchers: FSWatcher[];
  #timer: Timer | undefined;
  #isClosed = false;

  /**
   * `onChange` reads them; it may find them as they were, or half written: what it throws is logged, and
   * it is called again at the next change. `folders`: any file in them.
   */
  constructor(
    of: { readonly files: readonly string[]; readonly folders?: readonly string[] },
    onChange: () => void | Promise<void>,
    env: Pick<Env, 'timers' | 'log'>,
  ) {
    const { files, folders = [] } = of;
    this.#names = new Set(files.map((path) => basename(path)));
    this.#onChange = onChange;
    this.#env = env;
    const whole = new Set(folders);
    const all = new Set([...files.map((path) => dirname(path)), ...folders]);
    this.#watchers = [...all].map((folder) =>
      watch(folder, { persistent: false }, (_event, name) => {
        const isOne = name === null || this.#names.has(name) || name.startsWith('..');
        if (isOne || whole.has(folder)) this.#soon();
      }),
    );
    // A folder that goes has nothing to tell any more.
    for (const watcher of this.#watchers) watcher.on('error', () => watcher.close());
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers) watcher.close();
  }

  #soon(): void {
    if (this.#isClosed) return;
    this.#timer?.cancel();
    this.#timer = this.#env.timers.after(SETTLE_MS, () => void this.#change());
  }

  async #change(): Promise<void> {
    try {
      await this.#onChange();
    } catch (error) {
      const files = [...this.#names];
      this.#env.log.error('Changed files cannot be used; all stays as it was', { files, error });
    }
  }
}
