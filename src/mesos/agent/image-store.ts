// The images of containers: pulled once, kept by the digests of their layers, each layer unpacked
// into a folder of its own that overlayfs lays over those below. Nothing is ever unpacked over
// another layer: no link in one can lead the files of another out of the store.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageReference, parseReference, RegistryClient, sha256Of } from './image-registry.ts';

const PULL_MS_MAX = 15 * 60_000;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingFolder: string | undefined;
}

export interface StoredImage {
  /** Folders of its layers, the uppermost first, as overlayfs takes them. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

interface ImageRecord {
  readonly config: string;
  readonly layers: readonly string[];
}

export class ImageStore {
  readonly #folder: string;
  readonly #registry: string;
  readonly #pulls = new Map<string, Promise<StoredImage>>();

  constructor(options: { readonly folder: string; readonly registry: string }) {
    this.#folder = options.folder;
    this.#registry = options.registry;
  }

  /** Pulls it unless it is there and `cached` allows that; the same pull serves all who wait. */
  get(name: string, cached: boolean): Promise<StoredImage> {
    const key = `${cached} ${name}`;
    const pulling = this.#pulls.get(key);
    if (pulling !== undefined) return pulling;
    const made = this.#get(name, cached).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, made);
    return made;
  }

  async #get(name: string, cached: boolean): Promise<StoredImage> {
    try {
      const image = parseReference(name, this.#registry);
      const path = join(this.#folder, 'images', encodeURIComponent(Object.values(image).join(' ')));
      const known = cached ? await this.#read(path).catch(() => undefined) : undefined;
      return known ?? (await this.#pull(image, path));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Failed to pull image '${name}': ${why}`, { cause });
    }
  }

  async #read(path: string): Promise<StoredImage> {
    const { config, layers } = JSON.parse(await readFile(path, 'utf8')) as ImageRecord;
    const folders = layers.map((digest) => this.#layerFolder(digest)).toReversed();
    for (const folder of folders) await stat(folder);
    return { layers: folders, config: parseConfig(config) };
  }

  async #pull(image: ImageReference, path: string): Promise<StoredImage> {
    await mkdir(join(this.#folder, 'images'), { recursive: true });
    await mkdir(join(this.#folder, 'layers'), { recursive: true });
    await mkdir(join(this.#folder, 'staging'), { recursive: true });
    const client = new RegistryClient(image, AbortSignal.timeout(PULL_MS_MAX));
    const manifest = await client.manifest();
    if (!Array.isArray(manifest.layers)) throw new Error('Its manifest is of a kind unknown here');
    const config = (await client.config(manifest.config.digest)).toString('utf8');
    const layers = manifest.layers.map((one) => one.digest);
    for (const digest of layers) await this.#layer(client, digest);
    const record: ImageRecord = { config, layers };
    await writeFile(`${path}.new`, JSON.stringify(record));
    await rename(`${path}.new`, path);
    return this.#read(path);
  }

  #layerFolder(digest: string): string {
    return join(this.#folder, 'layers', sha256Of(digest));
  }

  /** A layer is there whole or not at all: it gets its name when it is unpacked. */
  async #layer(client: RegistryClient, digest: string): Promise<void> {
    const final = this.#layerFolder(digest);
    if ((await stat(final).catch(() => undefined)) !== undefined) return;
    const staging = await mkdtemp(join(this.#folder, 'staging', 'layer-'));
    try {
      const archive = join(staging, 'archive');
      const files = join(staging, 'files');
      await client.download(digest, archive);
      await mkdir(files, { mode: 0o755 });
      await run('tar', ['-xf', archive, '--numeric-owner', '-p', '-C', files]);
      await convertWhiteouts(files);
      await rename(files, final).catch(async (error: unknown) => {
        // Another pull with the same layer was first.
        if ((await stat(final).catch(() => undefined)) === undefined) throw error;
      });
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-500)));
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  });
  if (code !== 0) throw new Error(`${program} ended with ${code ?? 'a signal'}: ${words.trim()}`);
}

/** What a layer takes away, from the form of its archive into that of overlayfs. */
async function convertWhiteouts(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      await convertWhiteouts(path);
    } else if (entry.name === OPAQUE) {
      await rm(path);
      await run('setfattr', ['-n', 'trusted.overlay.opaque', '-v', 'y', folder]);
    } else if (entry.name.startsWith(WHITEOUT)) {
      await rm(path);
      await run('mknod', [join(folder, entry.name.slice(WHITEOUT.length)), 'c', '0', '0']);
    }
  }
}

function parseConfig(text: string): ImageConfig {
  const { config = {} } = JSON.parse(text) as {
    config?: { Entrypoint?: string[]; Cmd?: string[]; Env?: string[]; WorkingDir?: string };
  };
  const variables = (config.Env ?? []).map((one) => {
    const equals = one.indexOf('=');
    return [one.slice(0, equals), one.slice(equals + 1)] as const;
  });
  return {
    entrypoint: config.Entrypoint ?? [],
    cmd: config.Cmd ?? [],
    env: Object.fromEntries(variables),
    workingFolder: config.WorkingDir === '' ? undefined : config.WorkingDir,
  };
}
