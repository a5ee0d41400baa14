// Where a mount's subPath lies. Its parts are made and followed one by one: what a container has put into its
// volume, a link to /etc for one, must not lead out of it (as a kubelet of v1.37 has it).
import { chmod, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { configFault, expand } from './container-env.ts';
import type { VolumeMount } from './pod-spec.ts';

/**
 * `subPath`, or `subPathExpr` with its variables; a variable that is not there or empty is a fault: the container
 * waits with CreateContainerConfigError until the pod has it.
 */
export function subPathOf(
  { subPath, subPathExpr }: VolumeMount,
  env: Readonly<Record<string, string>>,
): string {
  if (subPathExpr === undefined || subPathExpr === '') return subPath ?? '';
  const missing = new Set<string>();
  for (const [, name = ''] of subPathExpr.replaceAll('$$', '').matchAll(/\$\(([^()]*)\)/g)) {
    if (!Object.hasOwn(env, name) || env[name] === '') missing.add(name);
  }
  if (missing.size > 0) {
    throw configFault(`missing value for ${[...missing].toSorted().join(', ')}`);
  }
  return expand(subPathExpr, env);
}

/** The path below `base`, made where it is not there, with the mode of `base`. */
export async function subPathIn(base: string, subPath: string): Promise<string> {
  if (isAbsolute(subPath)) {
    throw configFault(`error SubPath \`${subPath}\` must not be an absolute path`);
  }
  const parts = subPath.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) {
    throw configFault(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  }
  const top = await realpath(base);
  const { mode } = await stat(top);
  let place = top;
  for (const part of parts) {
    const next = join(place, part);
    const found = await lstat(next).catch(() => undefined);
    if (found === undefined) {
      await mkdir(next);
      await chmod(next, mode & 0o7777);
    }
    place = found?.isSymbolicLink() === true ? await realpath(next) : next;
    if (place !== top && !place.startsWith(`${top}/`)) {
      throw configFault(`subpath "${join(base, subPath)}" not within volume path "${base}"`);
    }
  }
  return place;
}
