// Volumes of containers: what is mounted where, or, without root, linked to. Nothing that a task can
// make in its sandbox leads a volume out of it.
import { chownSync, mkdirSync, statSync } from 'node:fs';
import { chown, lstat, mkdir, realpath, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, sep } from 'node:path';
import type { ProcessMount } from '#env/process.ts';
import type { Image, Resource, Secret, Volume } from '#wire/mesos/v1.ts';
import { csiKeyOf } from './csi-volumes.ts';
import type { VolumeKind } from './volume-gids.ts';

export interface VolumePlace {
  readonly sandbox: string;
  /** Of the executor of a task in a group, or of the container above. */
  readonly parentSandbox: string | undefined;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Where a persistent volume lives. */
  persistentVolume(resource: Resource): string;
  /**
   * With a volume gid manager: a group by which containers of other users than its owner's get at a volume. It is
   * one of the container's own from then on.
   */
  readonly groupOf?: ((path: string, kind: VolumeKind) => Promise<void>) | undefined;
  readonly canMount: boolean;
  readonly makesHostPaths: boolean;
  /** A new file in memory, gone with its top-level container. */
  secretPath(): string;
  /** Where a volume of a CSI plugin is published; undefined: there are none. */
  readonly csiVolume?: ((volume: Volume) => Promise<string>) | undefined;
  /** The files of an image, mounted at `target`. */
  imageVolume(image: Image, target: string, readOnly: boolean): Promise<readonly ProcessMount[]>;
  /** Of a container with a root of its own: makes the target of a mount at an absolute path in it. */
  readonly placeInRoot?: ((path: string, isFolder: boolean) => Promise<string>) | undefined;
}

/** `made`: a folder of ours, which its user may use. */
interface Source {
  readonly path: string;
  readonly isOurs: boolean;
}

/** The path below a folder, where no `..` and no symbolic link leads out of it. */
async function within(base: string, relative: string, what: string): Promise<string> {
  const clean = normalize(relative);
  if (isAbsolute(clean) || clean === '..' || clean.startsWith(`..${sep}`)) {
    throw new Error(`The path '${relative}' of ${what} leads out of the sandbox`);
  }
  const root = await realpath(base);
  let existing = join(root, clean);
  while ((await lstat(existing).catch(() => undefined)) === undefined) existing = dirname(existing);
  const real = await realpath(existing).catch(() => '');
  if (real !== root && !real.startsWith(root + sep)) {
    throw new Error(`The path '${relative}' of ${what} leads out of the sandbox`);
  }
  return join(root, clean);
}

/** In one go: another container of the same launch must not come between its making and its owner. */
function makeOurs(path: string, { owner }: VolumePlace): Source {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  }
  return { path, isOurs: true };
}

/**
 * Whoever mounts it owns it, as Mesos has it; a shared one belongs to its first user, for the others
 * are at work in it.
 */
async function persistentSource(resource: Resource, place: VolumePlace): Promise<Source> {
  const source = makeOurs(place.persistentVolume(resource), place);
  const { owner, groupOf } = place;
  if (owner === undefined) return source;
  if (groupOf !== undefined && resource.provider_id === undefined) {
    await groupOf(source.path, 'PERSISTENT');
    return source;
  }
  const { uid, gid } = await stat(source.path);
  const isFree = resource.shared === undefined || uid === 0;
  if (isFree && (uid !== owner.uid || gid !== owner.gid)) {
    await chown(source.path, owner.uid, owner.gid);
  }
  return source;
}

async function hostSource(path: string, place: VolumePlace): Promise<Source> {
  if (!isAbsolute(path)) {
    return makeOurs(await within(place.sandbox, path, 'a host path volume'), place);
  }
  if ((await stat(path).catch(() => undefined)) === undefined) {
    if (!place.makesHostPaths) throw new Error(`The host path '${path}' does not exist`);
    await mkdir(path, { recursive: true });
  }
  return { path, isOurs: false };
}

function secretBytes(secret: Secret | undefined): Uint8Array {
  const data = secret?.value?.data;
  if (data === undefined) throw new Error('Only secrets given by their value can be resolved');
  return data;
}

async function secretSource(secret: Secret | undefined, place: VolumePlace): Promise<Source> {
  const bytes = secretBytes(secret);
  if (!place.canMount) throw new Error('Secret volumes need an agent that runs as root');
  const path = place.secretPath();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, bytes, { mode: 0o400 });
  if (place.owner !== undefined) await chown(path, place.owner.uid, place.owner.gid);
  return { path, isOurs: false };
}

async function sourceOf(volume: Volume, place: VolumePlace): Promise<Source> {
  const { source, host_path } = volume;
  if (host_path !== undefined) return hostSource(host_path, place);
  switch (source?.type) {
    case 'HOST_PATH':
      return hostSource(source.host_path?.path ?? '', place);
    case 'SANDBOX_PATH': {
      const { type, path = '' } = source.sandbox_path ?? {};
      const base = type === 'PARENT' ? place.parentSandbox : place.sandbox;
      if (base === undefined) {
        throw new Error('PARENT sandbox path volume is only for nested containers');
      }
      const made = makeOurs(await within(base, path, 'a sandbox path volume'), place);
      const { owner, groupOf } = place;
      if (type !== 'PARENT' || !place.canMount || owner === undefined) return made;
      const isOwn = (await stat(made.path)).uid === owner.uid;
      if (!isOwn) await groupOf?.(made.path, 'SANDBOX_PATH');
      return made;
    }
    case 'SECRET':
      return secretSource(source?.secret, place);
    case 'CSI_VOLUME':
      if (place.csiVolume === undefined) {
        throw new Error("CSI volumes need an agent with the isolator 'volume/csi'");
      }
      return { path: await place.csiVolume(volume), isOurs: false };
    case undefined:
      throw new Error(`The volume at '${volume.container_path}' has no source`);
    default:
      throw new Error(`Volumes of type ${source?.type ?? 'UNKNOWN'} are not supported`);
  }
}

async function targetOf(volume: Volume, isFolder: boolean, place: VolumePlace): Promise<string> {
  const { container_path } = volume;
  if (!isAbsolute(container_path)) return within(place.sandbox, container_path, 'a volume');
  const target = normalize(container_path);
  if (place.placeInRoot !== undefined) return place.placeInRoot(target, isFolder);
  if (place.canMount && (await stat(target).catch(() => undefined)) === undefined) {
    throw new Error(`Absolute container path '${container_path}' does not exist on the host`);
  }
  return target;
}

async function bringIn(
  volume: Volume,
  source: Source,
  place: VolumePlace,
): Promise<readonly ProcessMount[]> {
  const { container_path, mode } = volume;
  const isFolder = place.canMount && (await stat(source.path)).isDirectory();
  const target = await targetOf(volume, isFolder, place);
  if (place.canMount) return [{ source: source.path, target, readOnly: mode === 'RO' }];
  if (isAbsolute(container_path) || mode === 'RO' || !source.isOurs) {
    throw new Error('Volumes other than in the sandbox need an agent that runs as root');
  }
  await mkdir(dirname(target), { recursive: true });
  if ((await lstat(target).catch(() => undefined)) === undefined)
    await symlink(source.path, target);
  return [];
}

async function oneVolume(volume: Volume, place: VolumePlace): Promise<readonly ProcessMount[]> {
  const { image, mode } = volume;
  if (image === undefined) return bringIn(volume, await sourceOf(volume, place), place);
  return place.imageVolume(image, await targetOf(volume, true, place), mode === 'RO');
}

/** The mounts of a container's volumes, in order; throws with the words for its last update. */
export async function volumeMounts(
  volumes: readonly Volume[],
  resources: readonly Resource[],
  place: VolumePlace,
): Promise<readonly ProcessMount[]> {
  const mounts: ProcessMount[] = [];
  for (const resource of resources) {
    const volume = resource.disk?.volume;
    if (resource.disk?.persistence === undefined || volume === undefined) continue;
    const source = await persistentSource(resource, place);
    mounts.push(...(await bringIn(volume, source, place)));
  }
  const csiKeys = volumes.map(csiKeyOf).filter((key) => key !== undefined);
  const twice = csiKeys.find((key, at) => csiKeys.indexOf(key) !== at);
  if (twice !== undefined) {
    const [plugin, id] = JSON.parse(twice) as string[];
    throw new Error(`Found duplicate CSI volume with plugin '${plugin}' and volume ID '${id}'`);
  }
  for (const volume of volumes) {
    mounts.push(...(await oneVolume(volume, place)));
  }
  return mounts;
}
