// What is told of a file over HTTP, with the names of its owner and group as the system has them; and what it holds,
// in parts and whole.
import { createReadStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { basename } from 'node:path';
import type { FileInfo } from '#wire/mesos/v1.ts';
import type { Outcome } from './process-api.ts';
import type { Refusal } from './refusal.ts';

/** As much as one request reads. */
const READ_BYTES_MAX = 16 * 4096;

export const noSuchFile: { readonly problem: Refusal } = { problem: { status: 404, message: '' } };

function isFolder(what: 'read' | 'download'): { readonly problem: Refusal } {
  return { problem: { status: 400, message: `Cannot ${what} a directory.\n` } };
}

/** Without an offset (undefined): only the size. */
export async function readPart(
  path: string,
  offset: number | undefined,
  length: number | undefined,
): Promise<Outcome<{ readonly size: number; readonly data: Buffer }>> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return noSuchFile;
  try {
    const info = await file.stat();
    if (info.isDirectory()) return isFolder('read');
    const { size } = info;
    if (offset === undefined || offset >= size) return { value: { size, data: Buffer.alloc(0) } };
    const wanted = Math.min(length ?? READ_BYTES_MAX, READ_BYTES_MAX, size - offset);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
    return { value: { size, data: buffer.subarray(0, bytesRead) } };
  } finally {
    await file.close();
  }
}

/** Undefined when it has been answered. */
export async function sendFile(
  path: string,
  response: ServerResponse,
): Promise<Refusal | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return noSuchFile.problem;
  if (info.isDirectory()) return isFolder('download').problem;
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename=${basename(path)}`,
    'Content-Length': info.size,
  });
  if (info.size === 0) response.end();
  else createReadStream(path, { end: info.size - 1 }).pipe(response);
  return undefined;
}

/** `shown`: under which name; a symbolic link is what it leads to. */
export async function fileInfo(
  path: string,
  shown: string,
  names: AccountNames,
): Promise<FileInfo> {
  const { nlink, size, mtimeMs, mode, uid, gid } = await stat(path);
  return {
    path: shown,
    nlink,
    size,
    mtime: { nanoseconds: Math.floor(mtimeMs) * 1e6 },
    mode,
    uid: names.users.get(String(uid)) ?? String(uid),
    gid: names.groups.get(String(gid)) ?? String(gid),
  };
}

/** By their numbers, in decimal. */
export interface AccountNames {
  readonly users: ReadonlyMap<string, string>;
  readonly groups: ReadonlyMap<string, string>;
}

/** As they are now: accounts come and go while an agent runs. */
export async function accountNames(): Promise<AccountNames> {
  const [users, groups] = await Promise.all([rows('/etc/passwd'), rows('/etc/group')]);
  return { users, groups };
}

async function rows(path: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const names = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (id !== '' && !names.has(id)) names.set(id, name);
  }
  return names;
}
