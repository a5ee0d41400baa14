// A folder on XFS with quotas of projects: the one that STRATA_TEST_XFS names, or a file system of its own in a
// file, where the kernel has them. Many kernels are built without (CONFIG_XFS_QUOTA).
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxProjects } from '#mesos/agent/project-kernel.ts';

export type XfsFolder =
  | { readonly folder: string; close(): void }
  /** Why there is none. */
  | string;

const SIZE_BYTES = 512 * 1024 * 1024;

export function xfsFolder(): XfsFolder {
  const named = process.env['STRATA_TEST_XFS'];
  if (named !== undefined) {
    const folder = mkdtempSync(join(named, 'strata-'));
    return { folder, close: () => rmSync(folder, { recursive: true, force: true }) };
  }
  if (process.getuid?.() !== 0) return 'not root';
  if (spawnSync('mkfs.xfs', ['-V']).status !== 0) return 'no mkfs.xfs';
  const base = mkdtempSync(join(tmpdir(), 'strata-xfs-'));
  const [image, folder] = [join(base, 'disk'), join(base, 'mounted')];
  writeFileSync(image, '');
  truncateSync(image, SIZE_BYTES);
  mkdirSync(folder);
  const close = (): void => {
    spawnSync('umount', [folder]);
    rmSync(base, { recursive: true, force: true });
  };
  execFileSync('mkfs.xfs', ['-q', image]);
  const mounted = spawnSync('mount', ['-o', 'loop,prjquota', image, folder], { encoding: 'utf8' });
  try {
    if (mounted.status === 0) {
      linuxProjects.deviceOf(folder);
      return { folder, close };
    }
  } catch {
    // Mounted, and without quotas: as good as not at all.
  }
  close();
  return 'this kernel has no quotas of projects on XFS (CONFIG_XFS_QUOTA)';
}
