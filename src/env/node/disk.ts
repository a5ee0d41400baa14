// The real disk. A write is durable (file and folder synced) before its promise resolves.
import { open, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';

const codes: Record<string, string> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EROFS: 'disk-read-only',
  EACCES: 'disk-permission',
  EPERM: 'disk-permission',
};

function errnoOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'EIO';
}

/** Turns an errno of node:fs into the port's Fault; absence is told apart by the callers. */
export function diskFault(action: string, path: string, error: unknown): Fault {
  const errno = errnoOf(error);
  const code = codes[errno] ?? 'disk-io';
  return new Fault({ code, path, errno }, `Cannot ${action} "${path}": ${errno}`, { cause: error });
}

let temporaryCount = 0;

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAtomic(
  path: string,
  bytes: Uint8Array | string,
  options?: { mode?: number },
): Promise<void> {
  temporaryCount += 1;
  const temporary = `${path}.tmp.${process.pid}.${temporaryCount}`;
  try {
    const file = await open(temporary, 'w', options?.mode ?? 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw diskFault('write', path, error);
  }
}

async function absentAsUndefined<T>(action: string, path: string, run: () => Promise<T>) {
  try {
    return await run();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw diskFault(action, path, error);
  }
}

export const systemDisk: Disk = {
  read: (path) => absentAsUndefined('read', path, async () => new Uint8Array(await readFile(path))),
  writeAtomic,
  async append(path, bytes) {
    try {
      const file = await open(path, 'a');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw diskFault('append to', path, error);
    }
  },
  list: (path) => absentAsUndefined('list', path, async () => (await readdir(path)).sort()),
  async makeFolder(path, options) {
    try {
      await mkdir(path, { recursive: true, ...options });
    } catch (error) {
      throw diskFault('make folder', path, error);
    }
  },
  async remove(path) {
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      throw diskFault('remove', path, error);
    }
  },
};
