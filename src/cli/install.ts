// The Debian packages that Strata uses when it runs as root; says what it does.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Fault } from '#base/fault.ts';

/** Program looked for -> package that has it, and what for. */
const wanted = [
  { program: 'ip', package: 'iproute2', what: 'network namespaces of pods' },
  { program: 'nsenter', package: 'util-linux', what: 'namespaces of processes' },
] as const;

function isInstalled(program: string): boolean {
  const folders = (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin', '/usr/bin', '/bin');
  return folders.some((folder) => existsSync(`${folder}/${program}`));
}

/** Installs what is missing, as root on a machine with apt-get; elsewhere Strata does without. */
export async function installSystemPackages(): Promise<void> {
  const missing = wanted.filter(({ program }) => !isInstalled(program));
  if (missing.length === 0 || process.getuid?.() !== 0 || !isInstalled('apt-get')) return;
  for (const { package: name, what } of missing) {
    process.stdout.write(`installing the Debian package ${name} (${what})\n`);
  }
  const names = missing.map(({ package: name }) => name);
  const options = { stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'] };
  const install = () => execFileSync('apt-get', ['install', '-y', '-q', ...names], options);
  try {
    install();
  } catch {
    // A fresh machine has no package lists yet.
    try {
      execFileSync('apt-get', ['update', '-q'], options);
      install();
    } catch (error) {
      throw new Fault({ code: 'install-failed', names }, `Cannot install ${names.join(', ')}`, {
        cause: error,
      });
    }
  }
}
