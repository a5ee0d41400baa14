// What is told of a file over HTTP, with the names of its owner and group as the system has them.
import { readFile, stat } from 'node:fs/promises';
import type { FileInfo } from '#wire/mesos/v1.ts';

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
