// CNI plugins for tests, those of Debian's containernetworking-plugins: the machine's own, or the
// package unpacked under build/.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './cluster.ts';

const needed = ['bridge', 'host-local', 'portmap'];

/** The folder of the plugins, or why there is none. */
export function findCniPlugins(): { readonly folder: string } | { readonly reason: string } {
  if (process.getuid?.() !== 0) return { reason: 'networks need root' };
  const own = join(root, 'build/cni');
  const found = (): string | undefined =>
    ['/usr/lib/cni', '/opt/cni/bin', join(own, 'usr/lib/cni')].find((folder) =>
      needed.every((name) => existsSync(join(folder, name))),
    );
  const there = found();
  if (there !== undefined) return { folder: there };
  try {
    mkdirSync(own, { recursive: true });
    const options = { cwd: own, stdio: 'pipe' } as const;
    execFileSync('apt-get', ['download', '-q', 'containernetworking-plugins'], options);
    execFileSync('sh', ['-c', 'for f in *.deb; do dpkg -x "$f" . && rm "$f"; done'], options);
  } catch {
    return { reason: 'there are no CNI plugins and their Debian package cannot be fetched' };
  }
  const folder = found();
  return folder === undefined ? { reason: 'the package has no CNI plugins' } : { folder };
}
