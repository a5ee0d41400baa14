// The real environment, built once per process.
import type { Env } from '#env/env.ts';
import { systemClock, systemTimers } from './clock.ts';
import { createLog, type LogLevel } from './log.ts';
import { systemRandom } from './random.ts';

export interface EnvOptions {
  readonly component: string;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

export interface NodeEnv extends Env {
  /** 0: the level that it was started with; above: everything. */
  setVerbosity(level: number): void;
}

export function createEnv(options: EnvOptions): NodeEnv {
  let verbosity = 0;
  const log = createLog(
    {
      level: () => (verbosity > 0 ? 'debug' : options.logLevel),
      format: options.logFormat,
      write: (line) => void process.stderr.write(line),
    },
    { component: options.component },
  );
  const setVerbosity = (level: number): void => {
    verbosity = level;
  };
  return { clock: systemClock, timers: systemTimers, random: systemRandom, log, setVerbosity };
}
