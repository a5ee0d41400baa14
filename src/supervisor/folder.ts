// Makes a folder of state and sees at once whether it can be worked in: a folder that cannot be written
// and a disk that is full are told with the path before anything starts.
import { mkdirSync, statSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault } from '#base/fault.ts';

const MB = 1024 * 1024;
/** Enough for a few records; a part that takes its work up again wants no more than that. */
const FREE_BYTES_MIN = MB / 4;

/** Folder by folder: mkdir's own recursion never ends where the kernel forbids folders (/proc). */
function makeFolders(path: string, mode: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(path) !== path) makeFolders(dirname(path), mode);
  mkdirSync(path, { mode });
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

export interface FolderWish {
  readonly freeBytesMin?: number;
  /** Of what is made; one that is there stays as it is. Only its owner's unless it says so. */
  readonly mode?: number;
}

/** Faults `home-unwritable` and `home-full`, both with the path. */
export function prepareFolder(path: string, wish: FolderWish = {}): void {
  const { freeBytesMin = FREE_BYTES_MIN, mode = 0o700 } = wish;
  let free: number;
  try {
    makeFolders(path, mode);
    free = freeBytes(path);
    const probe = join(path, `.writable.${process.pid}`);
    if (free >= freeBytesMin) {
      writeFileSync(probe, 'x');
      unlinkSync(probe);
    }
  } catch (cause) {
    const { code } = cause as { code?: string };
    const detail = { code: code === 'ENOSPC' ? 'home-full' : 'home-unwritable', path, errno: code };
    throw new Fault(detail, `Cannot write to home folder "${path}"`, { cause });
  }
  if (free >= freeBytesMin) return;
  const [has, wants] = [free, freeBytesMin].map((bytes) => `${Math.floor(bytes / 1024)} kB`);
  throw new Fault(
    { code: 'home-full', path },
    `Cannot use home folder "${path}": its disk is full (${has} free, at least ${wants} needed)`,
  );
}
