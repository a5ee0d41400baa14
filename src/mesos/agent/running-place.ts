// What a running process has (environment, folder, user), for another that takes its place beside it: sessions, and
// checks in images.
import { readFileSync, readlinkSync } from 'node:fs';

/** What holds a terminal is the machine's; the command that runs on it is its only child. */
function commandBehind(pid: number): number {
  try {
    if (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'script\n') return pid;
    const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0];
    return child === undefined || child === '' ? pid : Number(child);
  } catch {
    return pid;
  }
}

/** What a running process has, for another in its place. */
export function placeOf(leader: number): {
  readonly env: Record<string, string>;
  readonly cwd: string | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
} {
  const pid = commandBehind(leader);
  const env: Record<string, string> = {};
  for (const entry of readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? 0);
  const gid = Number(/^Gid:\t(\d+)/m.exec(status)?.[1] ?? 0);
  const isOther = process.getuid?.() === 0 && (uid !== 0 || gid !== 0);
  return { env, cwd: readlinkSync(`/proc/${pid}/cwd`), owner: isOther ? { uid, gid } : undefined };
}
