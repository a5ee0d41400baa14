// The real disk. A write is durable (file and folder synced) before its promise resolves.
import {
  closeSync,
  existsSync,
  fsync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
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

// What only reaches the kernel's memory is done at once: it takes less time than to have another thread do it
// (some 10 µs against 200 when the machine is busy). What waits for the device does so in such a thread.
const syncOpened = promisify(fsync);

/** A file or a folder. */
async function syncPath(path: string): Promise<void> {
  const opened = openSync(path, 'r');
  try {
    await syncOpened(opened);
  } finally {
    closeSync(opened);
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
    const file = openSync(temporary, 'w', options?.mode ?? 0o644);
    try {
      writeFileSync(file, bytes);
      if (isDurable) await syncOpened(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
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
  async sync(...paths) {
    const sync = (path: string): Promise<void> =>
      syncPath(path).catch((error: unknown) => {
        throw diskFault('sync', path, error);
      });
    await Promise.all(paths.map(sync));
    await Promise.all([...new Set(paths.map(dirname))].map(sync));
  },
  async append(path, bytes) {
    try {
      const file = openSync(path, 'a');
      try {
        writeFileSync(file, bytes);
        await syncOpened(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw diskFault('append to', path, error);
    }
  },
  async link(path, target) {
    temporaryCount += 1;
    const temporary = `${path}.tmp.${process.pid}.${temporaryCount}`;
    try {
      symlinkSync(target, temporary);
      renameSync(temporary, path);
    } catch (error) {
      throw diskFault('link', path, error);
    }
  },
  readLink: (path) => absentAsUndefined('read', path, () => readlink(path)),
  list: (path) => absentAsUndefined('list', path, async () => (await readdir(path)).sort()),
  async makeFolder(path, options) {
    try {
      mkdirSync(path, { recursive: true, ...options });
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
