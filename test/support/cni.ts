// CNI plugins for tests, those of Debian's containernetworking-plugins: the machine's own, or the
// package unpacked under build/.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './cluster.ts';
import { unpackPackages } from './debian-packages.ts';

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
  const hindrance = unpackPackages(own, ['containernetworking-plugins']);
  if (hindrance !== undefined) {
    return { reason: `there are no CNI plugins, their package cannot be fetched: ${hindrance}` };
  }
  const folder = found();
  return folder === undefined ? { reason: 'the package has no CNI plugins' } : { folder };
}
