// How much the master logs, as operators change it for a while (Mesos' verbosity: 0 is the level
// that it was started with; more says more).
import type { Env, Timer } from '#env/env.ts';

export class LogToggle {
  readonly #env: Env;
  readonly #onChange: (level: number) => void;
  #timer: Timer | undefined;
  level = 0;

  constructor(env: Env, onChange: (level: number) => void) {
    this.#env = env;
    this.#onChange = onChange;
  }

  /** Back to 0 after the duration; a later call takes the place of an earlier one. */
  toggle(level: number, durationMs: number): void {
    this.#timer?.cancel();
    this.#set(level);
    this.#timer = level === 0 ? undefined : this.#env.timers.after(durationMs, () => this.#set(0));
  }

  close(): void {
    this.#timer?.cancel();
  }

  #set(level: number): void {
    this.level = level;
    this.#onChange(level);
  }
}
