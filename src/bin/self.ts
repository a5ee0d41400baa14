// How a process of Strata starts another one: by the Node and the script that it runs itself.
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command line of this very program: Node and the entry script (bundle or source). */
export function selfCommand(): readonly string[] {
  const script = process.argv[1] ?? fileURLToPath(import.meta.url);
  return [process.execPath, script];
}

function shellQuoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Writes `HOME/bin/strata`, a two-line script that runs this version of the program, and returns its
 * path. Executors are started by this path, so that their command does not change with the version
 * (DESIGN section 4, rule 7: ExecutorInfo never changes).
 */
export function installWrapper(home: string): string {
  const folder = join(home, 'bin');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'strata');
  const temporary = `${path}.${process.pid}`;
  const command = selfCommand().map(shellQuoted).join(' ');
  writeFileSync(temporary, `#!/bin/sh\nexec ${command} "$@"\n`);
  chmodSync(temporary, 0o755);
  renameSync(temporary, path);
  return path;
}
