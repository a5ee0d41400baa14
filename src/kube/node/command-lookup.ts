// Finds out before a start whether a command is there, so that the pod's status can say which is
// missing instead of an exit status 127.
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Mount } from './runtime.ts';

export interface LookupContext {
  readonly cwd: string;
  readonly path: string;
  /** Bind mounts that will lie over the machine's files. */
  readonly mounts: readonly Mount[];
}

/** Where a path of the container lies on the machine. */
export function onMachine(path: string, mounts: readonly Mount[]): string {
  let best: Mount | undefined;
  for (const mount of mounts) {
    if (path !== mount.target && !path.startsWith(`${mount.target}/`)) continue;
    if (best === undefined || mount.target.length > best.target.length) best = mount;
  }
  return best === undefined ? path : `${best.source}${path.slice(best.target.length)}`;
}

async function isExecutable(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return false;
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Why the command cannot run, in the words of container runtimes; undefined when it can. */
export async function commandProblem(
  command: string,
  context: LookupContext,
): Promise<string | undefined> {
  const quoted = JSON.stringify(command);
  if (command === '') return 'exec: no command';
  if (command.includes('/')) {
    const path = isAbsolute(command) ? command : join(context.cwd, command);
    const real = onMachine(path, context.mounts);
    if (await isExecutable(real)) return undefined;
    const found = await stat(real).catch(() => undefined);
    if (found === undefined) return `exec: ${quoted}: stat ${path}: no such file or directory`;
    return `exec: ${quoted}: permission denied`;
  }
  for (const folder of context.path.split(':')) {
    if (folder === '') continue;
    if (await isExecutable(onMachine(join(folder, command), context.mounts))) return undefined;
  }
  return `exec: ${quoted}: executable file not found in $PATH`;
}
