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

export function createEnv(options: EnvOptions): Env {
  const log = createLog(
    {
      level: options.logLevel,
      format: options.logFormat,
      write: (line) => void process.stderr.write(line),
    },
    { component: options.component },
  );
  return { clock: systemClock, timers: systemTimers, random: systemRandom, log };
}
