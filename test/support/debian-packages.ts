// Debian packages unpacked under build/: nothing is installed and no service is started.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';

const UNPACK = `cd "$0"
apt-get -q download "$@" >&2 || { apt-get -q update >&2; apt-get -q download "$@" >&2; }
for package in *.deb; do dpkg -x "$package" . && rm "$package"; done`;

/** What hinders it, or undefined. The folder is there whole or not at all: several tests may want it at once. */
export function unpackPackages(folder: string, packages: readonly string[]): string | undefined {
  const staging = `${folder}.${process.pid}`;
  try {
    mkdirSync(staging, { recursive: true });
    const options = { stdio: 'pipe', encoding: 'utf8', timeout: 240_000 } as const;
    execFileSync('sh', ['-ec', UNPACK, staging, ...packages], options);
    renameSync(staging, folder);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    // Another test was faster.
    if (existsSync(folder)) return undefined;
    return ((error as { stderr?: string }).stderr ?? String(error)).slice(-200);
  }
  return undefined;
}
