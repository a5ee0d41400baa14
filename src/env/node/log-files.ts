// The log in files as well, where programs of Mesos have them: DIR/PROGRAM.INFO has everything,
// .WARNING and .ERROR what is at least so bad. They are appended to, so logrotate may truncate them.
import { mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { LogLevel } from './log.ts';

export interface LogFilesOptions {
  readonly folder: string;
  /** `mesos-master`, `mesos-agent`. */
  readonly program: string;
}

const NAMES = ['INFO', 'WARNING', 'ERROR'] as const;
const reach: Readonly<Record<LogLevel, number>> = { debug: 1, info: 1, warn: 2, error: 3 };

/** Throws when the files cannot be made; what a full disk takes no more is lost. */
export function openLogFiles({
  folder,
  program,
}: LogFilesOptions): (line: string, level: LogLevel) => void {
  mkdirSync(folder, { recursive: true });
  const files = NAMES.map((name) => openSync(join(folder, `${program}.${name}`), 'a', 0o644));
  return (line, level) => {
    for (const file of files.slice(0, reach[level])) {
      try {
        writeSync(file, line);
      } catch {
        // No reason to end.
      }
    }
  };
}
