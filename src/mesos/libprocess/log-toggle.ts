// How much a program logs, as operators change it for a while (Mesos' verbosity: 0 is the level
// that it was started with; more says more), and what `/logging/toggle` answers.
import type { Env, Timer } from '#env/env.ts';
import { parseDuration, parseNumber } from './durations.ts';

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

const withStop = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** Of a GET with `level` and `duration`, or neither: the level as it is now. */
export function answerToggle(
  query: URLSearchParams,
  toggle: LogToggle,
): { readonly status: 200 | 400; readonly text: string } {
  const [level, duration] = [query.get('level'), query.get('duration')];
  const bad = (text: string) => ({ status: 400, text: `${text}\n` }) as const;
  if (level === null && duration === null) return { status: 200, text: `${toggle.level}\n` };
  if (level === null) return bad("Expecting 'level=value' in query.");
  if (duration === null) return bad("Expecting 'duration=value' in query.");
  const verbosity = parseNumber(level);
  if (!verbosity.ok) return bad(`${verbosity.why}.`);
  if (!Number.isInteger(verbosity.value) || verbosity.value < 0) {
    return bad(`Invalid level '${level}'.`);
  }
  const time = parseDuration(duration);
  if (!time.ok) return bad(withStop(time.why));
  toggle.toggle(verbosity.value, time.value);
  return { status: 200, text: '' };
}
