// Makes a pod's volumes on the node's disk and keeps those that show API objects up to date.
//
// Files of configMap, secret, downwardAPI and projected volumes are replaced all at once: they lie
// in a folder named by time, `..data` points to it, and each file is a link through `..data`.
import { chmod, chown, lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { numberOf } from '#kube/meta/quantity-number.ts';
import { canMount, mountMemory } from './memory-volumes.ts';
import type { Container, Pod, Volume } from './pod-spec.ts';
import type { Mount } from './runtime.ts';
import { subPathIn, subPathOf } from './sub-paths.ts';
import { volumeFault } from './volume-fault.ts';
import { volumeFiles } from './volume-files.ts';
import type { FileSources, VolumeFile } from './volume-files.ts';

export interface VolumeContext {
  readonly pod: Pod;
  /** The pod's folder. */
  readonly folder: string;
  readonly sources: FileSources;
}

export function volumeFolder(podFolder: string, name: string): string {
  return join(podFolder, 'volumes', name);
}

/** Makes all volumes. Faults with code `volume` become FailedMount events. */
export async function mountVolumes(context: VolumeContext): Promise<void> {
  for (const volume of context.pod.spec.volumes ?? []) {
    try {
      await mountVolume(context, volume);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw volumeFault(`MountVolume.SetUp failed for volume "${volume.name}" : ${why}`);
    }
  }
}

/** Whether the volume's content can change while the pod runs. */
export function isRefreshed(volume: Volume): boolean {
  const { configMap, secret, downwardAPI, projected } = volume;
  return [configMap, secret, downwardAPI, projected].some((source) => source !== undefined);
}

/** One that cannot be refreshed does not hold up the others; the first fault is thrown afterwards. */
export async function refreshVolumes(context: VolumeContext): Promise<void> {
  const faults: unknown[] = [];
  for (const volume of context.pod.spec.volumes ?? []) {
    if (!isRefreshed(volume)) continue;
    await mountVolume(context, volume).catch((error: unknown) => faults.push(error));
  }
  if (faults.length > 0) throw faults[0];
}

async function mountVolume(context: VolumeContext, volume: Volume): Promise<void> {
  const folder = volumeFolder(context.folder, volume.name);
  if (volume.hostPath !== undefined) return checkHostPath(volume.hostPath);
  const files = volumeFiles(context.pod, volume, context.sources);
  if (files !== undefined) {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await writeFiles(folder, files, context.pod.spec.securityContext?.fsGroup);
    return;
  }
  if (volume.emptyDir !== undefined) return makeEmptyDir(context.pod, volume.emptyDir, folder);
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
  throw volumeFault(`volumes of type ${kind} are not supported on this node`);
}

/** Whoever the containers run as may write; with an fsGroup what they make belongs to it. */
async function makeEmptyDir(
  pod: Pod,
  { medium, sizeLimit }: NonNullable<Volume['emptyDir']>,
  folder: string,
): Promise<void> {
  if (medium === 'Memory' && canMount()) {
    await mountMemory(folder, memoryLimit(pod, sizeLimit));
  } else {
    await mkdir(folder, { recursive: true });
  }
  const group = pod.spec.securityContext?.fsGroup;
  if (group !== undefined && process.getuid?.() === 0) {
    await chown(folder, 0, group);
    await chmod(folder, 0o2777);
  } else {
    await chmod(folder, 0o777);
  }
}

/** Bytes: the volume's own limit and what the containers may use together, the lesser; none without. */
function memoryLimit({ spec }: Pod, sizeLimit: string | number | undefined): number | undefined {
  const limits = spec.containers.map(({ resources }) => resources?.limits?.['memory']);
  const ofPod = limits.every((limit) => limit !== undefined)
    ? limits.reduce<number>((sum, limit) => sum + numberOf(limit), 0)
    : Infinity;
  const own = sizeLimit === undefined ? 0 : numberOf(sizeLimit);
  const bytes = Math.floor(own > 0 ? Math.min(own, ofPod) : ofPod);
  return Number.isFinite(bytes) && bytes > 0 ? bytes : undefined;
}

async function checkHostPath({ path, type = '' }: { path: string; type?: string }): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (type === 'DirectoryOrCreate' || (type === '' && found === undefined)) {
    await mkdir(path, { recursive: true });
    return;
  }
  if (type === 'FileOrCreate' && found === undefined) {
    await writeFile(path, '', { flag: 'a' });
    return;
  }
  const isFile = found?.isFile() === true;
  const tests: Readonly<Record<string, readonly [boolean, string]>> = {
    Directory: [found?.isDirectory() === true, 'is not a directory'],
    File: [isFile, 'is not a file'],
    FileOrCreate: [isFile, 'is not a file'],
    Socket: [found?.isSocket() === true, 'is not a socket file'],
    CharDevice: [found?.isCharacterDevice() === true, 'is not a character device'],
    BlockDevice: [found?.isBlockDevice() === true, 'is not a block device'],
  };
  const test = tests[type];
  if (test !== undefined && !test[0]) {
    throw volumeFault(`hostPath type check failed: ${path} ${test[1]}`);
  }
}

async function isCurrent(folder: string, files: readonly VolumeFile[]): Promise<boolean> {
  const names = await listFiles(join(folder, '..data')).catch(() => undefined);
  if (names === undefined || names.length !== files.length) return false;
  for (const file of files) {
    const bytes = await readFile(join(folder, '..data', file.path)).catch(() => undefined);
    if (bytes === undefined || !bytes.equals(file.bytes)) return false;
  }
  return true;
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

async function writeFiles(
  folder: string,
  files: readonly VolumeFile[],
  group: number | undefined,
): Promise<void> {
  if (await isCurrent(folder, files)) return;
  const stampName = `..${new Date().toISOString().replaceAll(/[^0-9]/g, '_')}`;
  const target = join(folder, stampName);
  await mkdir(target, { mode: 0o755 });
  for (const { path, bytes, mode } of files) {
    const full = join(target, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, bytes, { mode });
    await chmod(full, group === undefined ? mode : mode | 0o040);
    if (group !== undefined && process.getuid?.() === 0) await chown(full, 0, group);
  }
  await symlink(stampName, join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  const tops = new Set(files.map(({ path }) => path.split('/')[0] ?? path));
  for (const name of tops) {
    const link = join(folder, name);
    if ((await lstat(link).catch(() => undefined)) === undefined) {
      await symlink(`..data/${name}`, link);
    }
  }
  for (const name of await readdir(folder)) {
    if (name === stampName || name === '..data' || tops.has(name)) continue;
    if (name.startsWith('..')) await rm(join(folder, name), { recursive: true, force: true });
    else await unlink(join(folder, name));
  }
}

/** What a container mounts, with sub-paths made and checked. */
export async function containerMounts(
  context: { readonly pod: Pod; readonly folder: string },
  container: Container,
  env: Readonly<Record<string, string>>,
): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = context.pod.spec.volumes?.find(({ name }) => name === mount.name);
    if (volume === undefined) throw volumeFault(`volume "${mount.name}" is not in the pod`);
    const base = volume.hostPath?.path ?? volumeFolder(context.folder, volume.name);
    const below = subPathOf(mount, env);
    const source = below === '' ? base : await subPathIn(base, below);
    const isObject = isRefreshed(volume);
    mounts.push({
      source,
      target: normalize(mount.mountPath),
      readOnly: mount.readOnly === true || isObject,
      volumeName: volume.name,
    });
  }
  return mounts.toSorted((a, b) => a.target.length - b.target.length);
}
