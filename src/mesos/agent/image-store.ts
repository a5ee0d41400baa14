// The images of containers: pulled once, kept by the digests of their layers, each layer unpacked
// into a folder of its own that overlayfs lays over those below, until nobody needs it any more.
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '#wire/mesos/v1.ts';
import { findArchive, openArchive } from './image-archive.ts';
import { type Removals, readRemovals, unpackLayer, writeRemovals } from './image-layer.ts';
import { type ImageSource, parseReference, RegistryClient, sha256Of } from './image-registry.ts';
import { DockerConfig } from './registry-auth.ts';
import { SharedPulls } from './shared-pulls.ts';

const PULL_MS_MAX = 15 * 60_000;

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingFolder: string | undefined;
  /** As whom it is to run: `name`, `uid`, either with `:group`. */
  readonly user: string | undefined;
}

export interface StoredImage {
  /** Folders of its layers, the uppermost first, as overlayfs takes them. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

export interface ImageStoreOptions {
  readonly folder: string;
  /** `https://…`, or a folder of archives: `/…` or `file:///…`. */
  readonly registry: string;
  readonly logins: DockerConfig;
}

interface ImageRecord {
  readonly name: string;
  readonly config: string;
  readonly layers: readonly string[];
}

export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #pulls = new SharedPulls<StoredImage>();
  /** Who has a root of which layers right now. */
  readonly #holders = new Map<string, readonly string[]>();
  #pruning: Promise<unknown> = Promise.resolve();

  constructor(options: ImageStoreOptions) {
    this.#options = options;
  }

  /**
   * Pulls it unless it is there and `cached` allows that; the same pull serves all who wait. Its layers
   * stay until the holder lets go of them. `signal`: the holder needs it no more.
   */
  async get(image: Image, holder: string, signal: AbortSignal): Promise<StoredImage> {
    const name = image.docker?.name ?? '';
    await this.#pruning;
    const cached = image.cached !== false;
    const { key: login, logins } = this.loginsOf(image);
    const key = `${cached} ${name} ${login}`;
    const pull = (own: AbortSignal) => this.#get(name, cached, logins, own);
    return this.#pulls.join(key, signal, pull, (stored) => {
      this.#holders.set(holder, stored.layers);
      return stored;
    });
  }

  /** Whoever brings another login is not served by the pull of somebody else's: `key` tells them apart. */
  loginsOf(image: Image): { readonly key: string; readonly logins: DockerConfig } {
    const secret = image.docker?.config;
    if (secret === undefined) return { key: '', logins: this.#options.logins };
    return { key: Buffer.from(secretOf(secret)).toString('base64'), logins: loginsIn(secret) };
  }

  hold(holder: string, layers: readonly string[]): void {
    this.#holders.set(holder, layers);
  }

  /** Of a folder and all below it. */
  release(folder: string): void {
    for (const holder of this.holdersBelow(folder)) this.#holders.delete(holder);
  }

  holdersBelow(folder: string): readonly string[] {
    if (this.#holders.size === 0) return [];
    return [...this.#holders.keys()].filter(
      (holder) => holder === folder || holder.startsWith(`${folder}/`),
    );
  }

  removalsOf(layer: string): Promise<Removals> {
    return readRemovals(`${layer}.json`);
  }

  /** Removes what no container uses and no name excludes; pulls wait meanwhile. How many images went. */
  prune(excluded: readonly string[]): Promise<number> {
    const pruned = this.#pruning.then(async () => {
      await this.#pulls.settled();
      return this.#prune(new Set(excluded.map((name) => this.#recordPath(name))));
    });
    this.#pruning = pruned.catch(() => 0);
    return pruned;
  }

  async #prune(excluded: ReadonlySet<string>): Promise<number> {
    const needed = new Set([...this.#holders.values()].flat());
    const folder = join(this.#options.folder, 'images');
    let removed = 0;
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const image = await this.#read(path).catch(() => undefined);
      const isUsed = image?.layers.every((layer) => needed.has(layer)) === true;
      if (isUsed || excluded.has(path)) image?.layers.forEach((layer) => needed.add(layer));
      else {
        await rm(path, { force: true });
        removed += 1;
      }
    }
    await this.#pruneLayers(needed);
    return removed;
  }

  async #pruneLayers(needed: ReadonlySet<string>): Promise<void> {
    const folder = join(this.#options.folder, 'layers');
    for (const name of await readdir(folder).catch(() => [])) {
      const layer = join(folder, name.replace(/\.json$/, ''));
      if (needed.has(layer)) continue;
      // The list goes first: a layer without one is not there.
      await rm(`${layer}.json`, { force: true });
      await rm(layer, { recursive: true, force: true });
    }
    await rm(join(this.#options.folder, 'staging'), { recursive: true, force: true });
  }

  /** The part of its disk that is used. */
  async diskUsed(): Promise<number> {
    await mkdir(this.#options.folder, { recursive: true });
    const { blocks, bavail } = await statfs(this.#options.folder);
    return blocks === 0 ? 0 : 1 - bavail / blocks;
  }

  async #get(
    name: string,
    cached: boolean,
    logins: DockerConfig,
    signal: AbortSignal,
  ): Promise<StoredImage> {
    try {
      const path = this.#recordPath(name);
      const known = cached ? await this.#read(path).catch(() => undefined) : undefined;
      return known ?? (await this.#pull(name, path, logins, signal));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Failed to pull image '${name}': ${why}`, { cause });
    }
  }

  get #archives(): string | undefined {
    const { registry } = this.#options;
    if (registry.startsWith('/')) return registry;
    return registry.startsWith('file://') ? new URL(registry).pathname : undefined;
  }

  /** What an image is, whatever it is called by: where it comes from, its name and version. */
  identityOf(name: string): readonly string[] {
    const store = this.#archives;
    if (store !== undefined) return [store, name.replace(/:latest$/, '')];
    return Object.values(parseReference(name, this.#options.registry));
  }

  #recordPath(name: string): string {
    const words = this.identityOf(name);
    return join(this.#options.folder, 'images', encodeURIComponent(words.join(' ')));
  }

  async #read(path: string): Promise<StoredImage> {
    const { config, layers } = JSON.parse(await readFile(path, 'utf8')) as ImageRecord;
    const folders = layers.map((digest) => this.#layerFolder(digest)).toReversed();
    for (const folder of folders) await stat(`${folder}.json`);
    return { layers: folders, config: parseConfig(config) };
  }

  /** `staging`: an empty folder for what an archive is unpacked into. `signal`: nobody waits for it any more. */
  async source(
    name: string,
    staging: string,
    logins: DockerConfig,
    signal: AbortSignal,
  ): Promise<ImageSource> {
    const store = this.#archives;
    if (store !== undefined) {
      return openArchive(await findArchive(store, name), name, staging, signal);
    }
    const image = parseReference(name, this.#options.registry);
    const soon = AbortSignal.any([signal, AbortSignal.timeout(PULL_MS_MAX)]);
    return new RegistryClient(image, logins, soon);
  }

  async #pull(
    name: string,
    path: string,
    logins: DockerConfig,
    signal: AbortSignal,
  ): Promise<StoredImage> {
    for (const one of ['images', 'layers', 'staging']) {
      await mkdir(join(this.#options.folder, one), { recursive: true });
    }
    const staging = await mkdtemp(join(this.#options.folder, 'staging', 'image-'));
    try {
      const source = await this.source(name, staging, logins, signal);
      const manifest = await source.manifest();
      if (!Array.isArray(manifest.layers))
        throw new Error('Its manifest is of a kind unknown here');
      const config = (await source.config(manifest.config.digest)).toString('utf8');
      parseConfig(config);
      const layers = manifest.layers.map((one) => one.digest);
      for (const digest of layers) await this.#layer(source, digest, staging, signal);
      const record: ImageRecord = { name, config, layers };
      await writeFile(join(staging, 'record'), JSON.stringify(record));
      await rename(join(staging, 'record'), path);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
    return this.#read(path);
  }

  #layerFolder(digest: string): string {
    return join(this.#options.folder, 'layers', sha256Of(digest));
  }

  /** A layer is there whole or not at all: the list of what it removes comes last. */
  async #layer(
    source: ImageSource,
    digest: string,
    staging: string,
    signal: AbortSignal,
  ): Promise<void> {
    const final = this.#layerFolder(digest);
    if ((await stat(`${final}.json`).catch(() => undefined)) !== undefined) return;
    const own = await mkdtemp(join(staging, 'layer-'));
    const [archive, files, list] = [join(own, 'archive'), join(own, 'files'), join(own, 'list')];
    await source.download(digest, archive);
    await mkdir(files, { mode: 0o755 });
    await writeRemovals(list, await unpackLayer(archive, files, signal));
    await rename(files, final).catch(async (error: unknown) => {
      // Another pull with the same layer was first, or an earlier life came no further than this.
      if ((await stat(final).catch(() => undefined)) === undefined) throw error;
    });
    await rename(list, `${final}.json`);
    await rm(own, { recursive: true, force: true });
  }
}

function secretOf(secret: NonNullable<NonNullable<Image['docker']>['config']>): Uint8Array {
  const data = secret.value?.data;
  if (data === undefined)
    throw new Error("Only a secret given by its value can be an image's login");
  return data;
}

function loginsIn(secret: NonNullable<NonNullable<Image['docker']>['config']>): DockerConfig {
  return DockerConfig.parse(new TextDecoder().decode(secretOf(secret)));
}

export function parseConfig(text: string): ImageConfig {
  const { config } = JSON.parse(text) as {
    config?: {
      Entrypoint?: string[];
      Cmd?: string[];
      Env?: string[];
      WorkingDir?: string;
      User?: string;
    } | null;
  };
  const variables = (config?.Env ?? []).map((one) => {
    const equals = one.indexOf('=');
    return [one.slice(0, equals), one.slice(equals + 1)] as const;
  });
  return {
    entrypoint: config?.Entrypoint ?? [],
    cmd: config?.Cmd ?? [],
    env: Object.fromEntries(variables),
    workingFolder: config?.WorkingDir === '' ? undefined : config?.WorkingDir,
    user: config?.User === '' ? undefined : config?.User,
  };
}
