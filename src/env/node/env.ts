// The real environment, built once per process.
import type { Env } from '#env/env.ts';
import { systemClock, systemTimers } from './clock.ts';
import { createLog, type LogLevel } from './log.ts';
import { type LogFilesOptions, openLogFiles } from './log-files.ts';
import { systemRandom } from './random.ts';

export interface EnvOptions {
  readonly component: string;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  /** Beside standard error. */
  readonly logFiles?: LogFilesOptions | undefined;
  /** Nothing but errors goes to standard error. */
  readonly isQuiet?: boolean | undefined;
}

export interface NodeEnv extends Env {
  /** 0: the level that it was started with; above: everything. */
  setVerbosity(level: number): void;
}

export function createEnv(options: EnvOptions): NodeEnv {
  let verbosity = 0;
  const toFiles = options.logFiles === undefined ? undefined : openLogFiles(options.logFiles);
  const log = createLog(
    {
      level: () => (verbosity > 0 ? 'debug' : options.logLevel),
      format: options.logFormat,
      write: (line, level) => {
        toFiles?.(line, level);
        if (options.isQuiet !== true || level === 'error') process.stderr.write(line);
      },
    },
    { component: options.component },
  );
  const setVerbosity = (level: number): void => {
    verbosity = level;
  };
  return { clock: systemClock, timers: systemTimers, random: systemRandom, log, setVerbosity };
}
