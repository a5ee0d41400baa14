// The real disk. A write is durable (file and folder synced) before its promise resolves.
import { mkdir, open, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
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

/** A file or a folder. */
async function syncPath(path: string): Promise<void> {
  const opened = await open(path, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

async function replace(
  path: string,
  bytes: Uint8Array | string,
  isDurable: boolean,
  options?: { mode?: number },
): Promise<void> {
  temporaryCount += 1;
  const temporary = `${path}.tmp.${process.pid}.${temporaryCount}`;
  try {
    const file = await open(temporary, 'w', options?.mode ?? 0o644);
    try {
      await file.writeFile(bytes);
      if (isDurable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    if (isDurable) await syncPath(dirname(path));
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

/** Node says of a whole path that it is not there when the first folder of it cannot be made. */
async function causeOf(path: string, error: unknown): Promise<unknown> {
  if (errnoOf(error) !== 'ENOENT') return error;
  let missing = path;
  while (!existsSync(dirname(missing))) missing = dirname(missing);
  return mkdir(missing).then(
    () => error,
    (cause: unknown) => cause,
  );
}

export const systemDisk: Disk = {
  read: (path) => absentAsUndefined('read', path, async () => new Uint8Array(await readFile(path))),
  writeAtomic: (path, bytes, options) => replace(path, bytes, true, options),
  replace: (path, bytes, options) => replace(path, bytes, false, options),
  async sync(path) {
    try {
      await syncPath(path);
      await syncPath(dirname(path));
    } catch (error) {
      throw diskFault('sync', path, error);
    }
  },
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
  async link(path, target) {
    temporaryCount += 1;
    const temporary = `${path}.tmp.${process.pid}.${temporaryCount}`;
    try {
      await symlink(target, temporary);
      await rename(temporary, path);
    } catch (error) {
      throw diskFault('link', path, error);
    }
  },
  readLink: (path) => absentAsUndefined('read', path, () => readlink(path)),
  list: (path) => absentAsUndefined('list', path, async () => (await readdir(path)).sort()),
  async makeFolder(path, options) {
    try {
      await mkdir(path, { recursive: true, ...options });
    } catch (error) {
      throw diskFault('make folder', path, await causeOf(path, error));
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
