// The roots of containers that containerd runs: images come from where those of the agent's own launcher come from, and are
// kept by containerd. One lease for each root tells whose it is, so that a later life finds what was left.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerdMount } from '#containerd/containerd-client.ts';
import type { ContainerdImages, UnpackedImage } from '#containerd/containerd-images.ts';
import type { Image } from '#wire/mesos/v1.ts';
import { type ImageStore, parseConfig } from './image-store.ts';
import type { Provisioned } from './image-root.ts';
import { SharedPulls } from './shared-pulls.ts';

export interface ContainerdRootsOptions {
  readonly images: ContainerdImages;
  readonly snapshotter: string;
  /** Knows where images come from. */
  readonly store: ImageStore;
  /** For what is on its way to containerd. */
  readonly staging: string;
  /** Names this agent among those that use the same namespace: its first cgroup. */
  readonly owner: string;
}

const OWNER_LABEL = 'strata.owner';
const FOLDER_LABEL = 'strata.root';
const IMAGE_LABEL = 'strata.image';

function keyOf(folder: string): string {
  return `strata-root-${createHash('sha256').update(folder).digest('hex').slice(0, 40)}`;
}

export class ContainerdRoots {
  readonly #options: ContainerdRootsOptions;
  readonly #pulls = new SharedPulls<UnpackedImage>();
  /** By folder: of which image. */
  readonly #roots = new Map<string, string>();

  constructor(options: ContainerdRootsOptions) {
    this.#options = options;
  }

  /** `folder` names the root, and is the place at which its mounts are thought to be. `signal`: it is needed no more. */
  async provision(image: Image, folder: string, signal: AbortSignal): Promise<Provisioned> {
    const { images, snapshotter, owner } = this.#options;
    const name = this.#nameOf(image.docker?.name ?? '');
    const { config, top } = await this.#get(image, name, folder, signal);
    const key = keyOf(folder);
    const labels = { [OWNER_LABEL]: owner, [FOLDER_LABEL]: folder, [IMAGE_LABEL]: name };
    const [mount] = await images.prepareRoot(key, top, labels);
    if (mount === undefined) throw new Error(`containerd gave no root of image '${name}'`);
    return {
      config: parseConfig(config),
      ...placesOf(mount, join(folder, 'root')),
      containerd: { image: name, snapshotter, snapshotKey: key },
    };
  }

  /** `registry/repository:tag`, as containerd's own tools write it. */
  #nameOf(name: string): string {
    const [place = '', repository = '', reference] = this.#options.store.identityOf(name);
    if (reference === undefined) return `archive.local${place}/${repository}`;
    const host = new URL(place).host.replace(/^registry-1\.docker\.io$/, 'docker.io');
    return `${host}/${repository}${reference.startsWith('sha256:') ? '@' : ':'}${reference}`;
  }

  async #get(
    image: Image,
    name: string,
    folder: string,
    signal: AbortSignal,
  ): Promise<UnpackedImage> {
    const { store, images } = this.#options;
    const cached = image.cached !== false;
    const { key: login, logins } = store.loginsOf(image);
    const key = `${cached} ${name} ${login}`;
    const given = image.docker?.name ?? '';
    const find = async (own: AbortSignal): Promise<UnpackedImage> => {
      try {
        const known = cached ? await images.find(name) : undefined;
        return known ?? (await this.#pull(given, name, logins, own));
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`Failed to pull image '${given}': ${why}`, { cause });
      }
    };
    return this.#pulls.join(key, signal, find, (made) => {
      this.#roots.set(folder, name);
      return made;
    });
  }

  async #pull(
    given: string,
    name: string,
    logins: ReturnType<ImageStore['loginsOf']>['logins'],
    signal: AbortSignal,
  ): Promise<UnpackedImage> {
    const { images, store, staging } = this.#options;
    await mkdir(staging, { recursive: true });
    const folder = await mkdtemp(join(staging, 'image-'));
    try {
      const source = await store.source(given, folder, logins, signal);
      const { config, layers } = await source.manifest();
      if (!Array.isArray(layers)) throw new Error('Its manifest is of a kind unknown here');
      const parts = {
        config: await source.config(config.digest),
        configType: config.mediaType,
        layers,
        download: (digest: string, path: string) => source.download(digest, path),
      };
      return await images.put(name, parts, folder, signal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Those in a folder, or only those that `which` takes. */
  async release(below: string, which: (folder: string) => boolean = () => true): Promise<void> {
    for (const folder of this.#roots.keys()) {
      if (!folder.startsWith(`${below}/`) || !which(folder)) continue;
      await this.#options.images.removeRoot(keyOf(folder));
      this.#roots.delete(folder);
    }
  }

  /** Takes up the roots of an earlier life, and removes those that are of nobody any more. */
  async recover(isKnown: (folder: string) => boolean): Promise<void> {
    const { images, owner, staging } = this.#options;
    for (const [key, labels] of await images.roots()) {
      const { [OWNER_LABEL]: of, [FOLDER_LABEL]: folder = '', [IMAGE_LABEL]: name = '' } = labels;
      if (of !== owner || this.#roots.has(folder)) continue;
      if (isKnown(folder)) this.#roots.set(folder, name);
      else await images.removeRoot(key);
    }
    await rm(staging, { recursive: true, force: true });
  }

  /** Removes images that no root is of; how many went. */
  async prune(excluded: readonly string[]): Promise<number> {
    const { images } = this.#options;
    await this.#pulls.settled();
    const kept = new Set([...this.#roots.values(), ...excluded.map((one) => this.#nameOf(one))]);
    const gone = (await images.names()).filter((name) => !kept.has(name));
    for (const name of gone) await images.remove(name);
    return gone.length;
  }
}

/** Where files of ours go that are to be in the root, and the mount that containerd makes of it. */
function placesOf(mount: ContainerdMount, root: string): Pick<Provisioned, 'writable' | 'mount'> {
  const { type = 'bind', source = '', options = [] } = mount;
  const option = (name: string): string | undefined =>
    options.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  const upper = option('upperdir');
  const isOverlay = type === 'overlay' && upper !== undefined;
  const own = isOverlay ? upper : source;
  const lower = isOverlay ? (option('lowerdir') ?? '').split(':') : [];
  const rest = options.filter((one) => !['rw', 'ro', 'rbind', 'bind'].includes(one)).join(',');
  return {
    writable: { folder: own, layers: [own, ...lower] },
    mount: {
      ...(isOverlay ? { type: 'overlay', source: 'overlay' } : { type: 'bind', source }),
      target: root,
      readOnly: false,
      ...(rest === '' ? {} : { options: rest }),
    },
  };
}
