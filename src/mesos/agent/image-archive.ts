// Images in files: archives of `docker save` (its own form and that of OCI) and OCI layouts, in a folder
// that stands in the place of a registry (`--docker_registry=/path`), `NAME.tar` or a folder `NAME`.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, normalize, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  checked,
  type Descriptor,
  fittingManifest,
  type ImageSource,
  type Manifest,
  sha256Of,
  writeChecked,
} from './image-registry.ts';
import { runProgram } from './image-layer.ts';

const DEPTH_MAX = 8;
const LEGACY_LAYERS_MAX = 128;

interface LegacyLayer {
  readonly parent?: string;
}

/** What is kept of `docker save`'s own list of images. */
interface SavedImage {
  readonly Config: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers: readonly string[];
}

/** The file or folder of an image, as it is named or with the tag that it means. */
export async function findArchive(store: string, name: string): Promise<string> {
  if (normalize(name) !== name || name.startsWith('/') || name.startsWith('..')) {
    throw new Error(`"${name}" is no name of an image`);
  }
  const bare = name.replace(/:latest$/, '');
  for (const one of [name, bare, `${bare}:latest`]) {
    for (const path of [join(store, `${one}.tar`), join(store, one)]) {
      if ((await stat(path).catch(() => undefined)) !== undefined) return path;
    }
  }
  throw new Error(`there is neither "${join(store, name)}.tar" nor such a folder`);
}

/**
 * `staging`: an empty folder for what is unpacked. `name` chooses among several images of a file. `signal`: nobody
 * waits for it any more.
 */
export async function openArchive(
  path: string,
  name: string,
  staging: string,
  signal: AbortSignal,
): Promise<ImageSource> {
  let folder = path;
  if (!(await stat(path)).isDirectory()) {
    folder = join(staging, 'archive');
    await mkdir(folder);
    await runProgram('tar', ['-xf', path, '-C', folder], signal);
  }
  const files = new ArchiveFiles(folder, signal);
  const saved = await files.json<readonly SavedImage[]>('manifest.json');
  if (saved !== undefined) return savedSource(files, chosen(saved, name));
  const index = await files.json<{ manifests: readonly Descriptor[] }>('index.json');
  if (index !== undefined) return layoutSource(files, index.manifests, name);
  const names = await files.json<Record<string, Record<string, string>>>('repositories');
  if (names !== undefined) return legacySource(files, names, name);
  throw new Error(`"${path}" holds no image: no manifest.json, index.json or repositories`);
}

class ArchiveFiles {
  readonly folder: string;
  readonly #signal: AbortSignal;

  constructor(folder: string, signal: AbortSignal) {
    this.folder = folder;
    this.#signal = signal;
  }

  /** A link may lead to another file of the archive only: `docker save` writes such. */
  async path(relative: string): Promise<string> {
    const root = await realpath(this.folder);
    const found = await realpath(join(root, relative));
    if (!found.startsWith(root + sep)) throw new Error(`"${relative}" leads out of the archive`);
    return found;
  }

  async read(relative: string): Promise<Buffer> {
    return readFile(await this.path(relative));
  }

  async json<T>(relative: string): Promise<T | undefined> {
    const path = await this.path(relative).catch(() => undefined);
    return path === undefined ? undefined : (JSON.parse(await readFile(path, 'utf8')) as T);
  }

  blob(digest: string): string {
    return join('blobs', 'sha256', sha256Of(digest));
  }

  async copyBlob(relative: string, digest: string, to: string): Promise<void> {
    const from = createReadStream(await this.path(relative));
    await writeChecked(from, digest, to, this.#signal);
  }

  async sha256Of(relative: string): Promise<string> {
    const hash = createHash('sha256');
    const signal = this.#signal;
    await pipeline(createReadStream(await this.path(relative)), hash, { signal });
    return hash.digest('hex');
  }
}

/** The only one, or the one with that name. */
function chosen(all: readonly SavedImage[], name: string): SavedImage {
  const wanted = /:[\w.-]+$/.test(name) ? name : `${name}:latest`;
  const named = all.find((one) => one.RepoTags?.includes(wanted) === true);
  const found = named ?? (all.length === 1 ? all[0] : undefined);
  if (found === undefined) throw new Error(`none of its ${all.length} images is "${wanted}"`);
  return found;
}

/** Its layers are named by the digests that the config holds them to. */
async function savedSource(files: ArchiveFiles, image: SavedImage): Promise<ImageSource> {
  const config = await files.read(image.Config);
  const { rootfs } = JSON.parse(config.toString('utf8')) as { rootfs?: { diff_ids?: string[] } };
  const digests = rootfs?.diff_ids ?? [];
  if (digests.length !== image.Layers.length) throw new Error('its config names other layers');
  const layers = new Map(digests.map((digest, at) => [digest, image.Layers[at] ?? '']));
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  return {
    manifest: async () => ({ config: { digest }, layers: digests.map((one) => ({ digest: one })) }),
    config: async () => config,
    download: (one, to) => files.copyBlob(layers.get(one) ?? '', one, to),
  };
}

async function layoutSource(
  files: ArchiveFiles,
  manifests: readonly Descriptor[],
  name: string,
): Promise<ImageSource> {
  const tag = /:([\w.-]+)$/.exec(name)?.[1] ?? 'latest';
  const named = manifests.filter((one) => {
    const given = one.annotations?.['org.opencontainers.image.ref.name'];
    return given === tag || given === name;
  });
  const read = async (digest: string): Promise<Buffer> =>
    checked(await files.read(files.blob(digest)), digest);
  let among = named.length > 0 ? named : manifests;
  for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
    const [only] = among;
    const entry = among.length === 1 && only !== undefined ? only : fittingManifest(among);
    const found = JSON.parse((await read(entry.digest)).toString('utf8')) as Manifest & {
      manifests?: readonly Descriptor[];
    };
    if (found.manifests === undefined) {
      return {
        manifest: async () => found,
        config: read,
        download: (digest, to) => files.copyBlob(files.blob(digest), digest, to),
      };
    }
    among = found.manifests;
  }
  throw new Error('its indexes name one another');
}

/** Before Docker 1.10: a folder for each layer, which names the one below it. */
async function legacySource(
  files: ArchiveFiles,
  names: Readonly<Record<string, Readonly<Record<string, string>>>>,
  name: string,
): Promise<ImageSource> {
  const [, repository = name, tag = 'latest'] = /^(.*?)(?::([\w.-]+))?$/.exec(name) ?? [];
  const [only] = Object.values(names);
  const tags = names[repository] ?? (Object.keys(names).length === 1 ? only : undefined) ?? {};
  const [oneTag] = Object.values(tags);
  const top = tags[tag] ?? (Object.keys(tags).length === 1 ? oneTag : undefined);
  if (top === undefined) throw new Error(`it holds no image "${repository}:${tag}"`);
  const layers = new Map<string, string>();
  let text = '{}';
  for (let id: string | undefined = top; id !== undefined;) {
    if (layers.size >= LEGACY_LAYERS_MAX) throw new Error('it has too many layers');
    const about: LegacyLayer | undefined = await files.json(join(id, 'json'));
    if (about === undefined) throw new Error(`it lacks its layer "${id}"`);
    if (id === top) text = JSON.stringify(about);
    const archive = join(id, 'layer.tar');
    layers.set(`sha256:${await files.sha256Of(archive)}`, archive);
    id = about.parent;
  }
  const config = Buffer.from(text);
  const digest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  const digests = [...layers.keys()].toReversed();
  return {
    manifest: async () => ({ config: { digest }, layers: digests.map((one) => ({ digest: one })) }),
    config: async () => config,
    download: (one, to) => files.copyBlob(layers.get(one) ?? '', one, to),
  };
}
