// emptyDir volumes of medium Memory: file systems in memory, mounted into the pod's folder. Root only; without it
// such a volume is a folder on the disk.
import { execFile } from 'node:child_process';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { mountPoints } from '#base/mount-points.ts';

const run = promisify(execFile);

/** Whether this node may mount. */
export function canMount(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

/** Mounted once, whatever starts again; `bytes`: at most that much fits. */
export async function mountMemory(folder: string, bytes: number | undefined): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await mountPoints()).includes(await realpath(folder))) return;
  const options = ['mode=0777', ...(bytes === undefined ? [] : [`size=${bytes}`])].join(',');
  await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
}

/** Removes a folder with all that is mounted in it. */
export async function removeMounted(folder: string): Promise<void> {
  const real = await realpath(folder).catch(() => undefined);
  if (real !== undefined && canMount()) {
    const mounted = (await mountPoints()).filter((path) => path.startsWith(`${real}/`));
    for (const path of mounted.toReversed()) {
      await run('umount', [path]).catch(() => run('umount', ['-l', path]));
    }
  }
  await rm(folder, { recursive: true, force: true });
}
