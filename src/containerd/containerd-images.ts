// Images in containerd: their content is written into its store, unpacked by it layer over layer, and laid
// below the roots of containers. What is made is held by a lease until something else refers to it.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type ContainerdClient, type ContainerdMount, isContainerd } from './containerd-client.ts';

export interface BlobDescriptor {
  readonly digest: string;
  readonly mediaType?: string | undefined;
}

/** An image as its source has it. */
export interface ImageParts {
  readonly config: Buffer;
  readonly configType?: string | undefined;
  /** The lowest first. */
  readonly layers: readonly BlobDescriptor[];
  /** Writes a blob whose digest is checked. */
  download(digest: string, path: string): Promise<void>;
}

/** One that containerd has. */
export interface UnpackedImage {
  /** As JSON. */
  readonly config: string;
  /** The snapshot of all its layers. */
  readonly top: string;
}

const OCI = 'application/vnd.oci.image';
const CHUNK_BYTES = 1024 * 1024;
const LEASE_MS = 60 * 60_000;
/** Of images that are ours. */
const OWN_LABEL = 'strata.image';
const CONTENT_REF = 'containerd.io/gc.ref.content';
const SNAPSHOT_REF = 'containerd.io/gc.ref.snapshot';
const EXPIRY = 'containerd.io/gc.expire';

function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Of what a name stands for right now. */
interface Manifest {
  readonly config: { readonly digest: string };
}

/** What one pull does: its lease holds what is made, its signal ends it. */
interface Pull {
  readonly lease: string;
  readonly signal: AbortSignal;
}

export interface ContainerdImagesOptions {
  readonly client: ContainerdClient;
  readonly snapshotter: string;
  readonly now: () => number;
  readonly nextId: () => string;
}

export class ContainerdImages {
  readonly #client: ContainerdClient;
  readonly #options: ContainerdImagesOptions;

  constructor(options: ContainerdImagesOptions) {
    this.#client = options.client;
    this.#options = options;
  }

  /** Undefined: it is not there, or not whole. */
  async find(name: string): Promise<UnpackedImage | undefined> {
    try {
      const { image } = await this.#client.call('images.v1.Images/Get', { name });
      const manifest = JSON.parse(
        (await this.#read(image?.target?.digest ?? '')).toString('utf8'),
      ) as Manifest;
      const config = (await this.#read(manifest.config.digest)).toString('utf8');
      const top = topOf(config);
      if (top === undefined) return undefined;
      const { snapshotter } = this.#options;
      await this.#client.call('snapshots.v1.Snapshots/Stat', { snapshotter, key: top });
      return { config, top };
    } catch (error) {
      if (isContainerd(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async #read(digest: string): Promise<Buffer> {
    const answers = await this.#client.stream('content.v1.Content/Read', [{ digest }]);
    return Buffer.concat(answers.map(({ data }) => data ?? new Uint8Array()));
  }

  /** `staging`: an empty folder for one layer at a time. `signal`: it is needed no more; of it nothing stays then. */
  async put(
    name: string,
    parts: ImageParts,
    staging: string,
    signal: AbortSignal,
  ): Promise<UnpackedImage> {
    signal.throwIfAborted();
    const lease = `strata-pull-${this.#options.nextId()}`;
    const expires = new Date(this.#options.now() + LEASE_MS).toISOString();
    await this.#client.call('leases.v1.Leases/Create', {
      id: lease,
      labels: { [EXPIRY]: expires },
    });
    let sync = true;
    try {
      const made = await this.#put(name, parts, staging, { lease, signal });
      sync = false;
      return made;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      // What has come to nothing is collected before this ends, half a blob, too.
      await this.#client.call('leases.v1.Leases/Delete', { id: lease, sync }).catch(() => {});
    }
  }

  async #put(
    name: string,
    { config, configType, layers, download }: ImageParts,
    staging: string,
    pull: Pull,
  ): Promise<UnpackedImage> {
    const diffs: string[] = [];
    const descriptors: Descriptor[] = [];
    const known = diffIdsOf(config.toString('utf8'));
    let parent = '';
    for (const [at, { digest, mediaType }] of layers.entries()) {
      const size =
        (await this.#sizeOf(digest, pull)) ??
        (await this.#fetch(digest, `${staging}/layer`, pull, download));
      const type = mediaType ?? `${OCI}.layer.v1.tar+gzip`;
      const descriptor = { media_type: type, digest, size };
      descriptors.push(descriptor);
      const made = await this.#unpack(descriptor, parent, known[at], pull);
      diffs.push(made.diff);
      parent = made.chain;
    }
    const whole = known.length === diffs.length ? config : withDiffIds(config, diffs);
    const { snapshotter } = this.#options;
    const type = configType ?? `${OCI}.config.v1+json`;
    const own = { media_type: type, digest: digestOf(whole), size: whole.length };
    const ref = { [`${SNAPSHOT_REF}.${snapshotter}`]: parent };
    await this.#writeBytes(own.digest, whole, parent === '' ? {} : ref, pull);
    const manifest = manifestOf(own, descriptors);
    const refs = [own, ...descriptors].map(({ digest }, at) => [`${CONTENT_REF}.${at}`, digest]);
    const target = digestOf(manifest);
    const labels = Object.fromEntries(refs) as Record<string, string>;
    await this.#writeBytes(target, manifest, labels, pull);
    pull.signal.throwIfAborted();
    await this.#name(name, {
      media_type: `${OCI}.manifest.v1+json`,
      digest: target,
      size: manifest.length,
    });
    return { config: whole.toString('utf8'), top: parent };
  }

  async #name(name: string, target: Descriptor): Promise<void> {
    const image = { name, target, labels: { [OWN_LABEL]: 'yes' } };
    try {
      await this.#client.call('images.v1.Images/Create', { image });
    } catch (error) {
      if (!isContainerd(error, 'exists')) throw error;
      await this.#client.call('images.v1.Images/Update', { image });
    }
  }

  // ---- content

  /** Undefined: it is not there. */
  async #sizeOf(digest: string, { lease, signal }: Pull): Promise<number | undefined> {
    const asked = this.#client.call('content.v1.Content/Info', { digest }, { signal });
    const answer = await asked.catch(notFound);
    if (answer === undefined) return undefined;
    await this.#hold(lease, digest, 'content');
    return answer.info?.size ?? 0;
  }

  async #hold(lease: string, id: string, type: string): Promise<void> {
    const request = { id: lease, resource: { id, type } };
    await this.#client.call('leases.v1.Leases/AddResource', request);
  }

  async #fetch(
    digest: string,
    path: string,
    pull: Pull,
    download: ImageParts['download'],
  ): Promise<number> {
    await download(digest, path);
    return this.#writeFile(digest, path, pull);
  }

  async #writeFile(digest: string, path: string, pull: Pull): Promise<number> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      await this.#write(digest, size, {}, pull, async (offset, bytes) => {
        const chunk = Buffer.alloc(bytes);
        const { bytesRead } = await file.read(chunk, 0, bytes, offset);
        return chunk.subarray(0, bytesRead);
      });
      return size;
    } finally {
      await file.close();
    }
  }

  async #writeBytes(
    digest: string,
    bytes: Buffer,
    labels: Readonly<Record<string, string>>,
    pull: Pull,
  ): Promise<void> {
    await this.#write(digest, bytes.length, labels, pull, async (offset, length) =>
      bytes.subarray(offset, offset + length),
    );
    if (Object.keys(labels).length === 0) return;
    // It may have been there before, of another pull.
    const update_mask = { paths: Object.keys(labels).map((one) => `labels.${one}`) };
    await this.#client.call('content.v1.Content/Update', { info: { digest, labels }, update_mask });
  }

  async #write(
    digest: string,
    total: number,
    labels: Readonly<Record<string, string>>,
    pull: Pull,
    read: (offset: number, length: number) => Promise<Uint8Array>,
  ): Promise<void> {
    const ref = `strata-${digest}-${this.#options.nextId()}`;
    const about = { ref, total, expected: digest };
    const stream = (requests: AsyncIterable<object> | Iterable<object>) =>
      this.#client.stream('content.v1.Content/Write', requests, pull);
    try {
      // Another namespace may have it: then all of it is there already.
      const [there] = await stream([{ ...about, action: ACTION.stat }]);
      const commit = { ...about, action: ACTION.commit, labels };
      if (total > 0 && there?.offset === total) await stream([{ ...commit, offset: total }]);
      else await stream(written(about, commit, read));
    } catch (error) {
      if (!isContainerd(error, 'exists')) throw error;
    }
  }

  // ---- snapshots

  async #unpack(
    diff: Descriptor,
    parent: string,
    expected: string | undefined,
    pull: Pull,
  ): Promise<{ readonly diff: string; readonly chain: string }> {
    const { snapshotter } = this.#options;
    if (expected !== undefined) {
      const chain = chainOf(parent, expected);
      const there = await this.#client
        .call('snapshots.v1.Snapshots/Stat', { snapshotter, key: chain })
        .catch(notFound);
      if (there !== undefined) {
        await this.#hold(pull.lease, chain, `snapshots/${snapshotter}`);
        return { diff: expected, chain };
      }
    }
    const key = `strata-unpack-${this.#options.nextId()}`;
    const prepared = await this.#client.call(
      'snapshots.v1.Snapshots/Prepare',
      { snapshotter, key, parent },
      pull,
    );
    let found = '';
    try {
      const request = { diff, mounts: prepared.mounts ?? [] };
      const { applied } = await this.#client.call('diff.v1.Diff/Apply', request, pull);
      found = applied?.digest ?? '';
      if (expected !== undefined && found !== expected) {
        throw new Error(`Layer ${diff.digest} is ${found} unpacked, not ${expected}`);
      }
      const commit = { snapshotter, name: chainOf(parent, found), key };
      await this.#client.call('snapshots.v1.Snapshots/Commit', commit, pull);
    } catch (error) {
      await this.#client
        .call('snapshots.v1.Snapshots/Remove', { snapshotter, key })
        .catch(() => {});
      if (!isContainerd(error, 'exists')) throw error;
      // It was there, by an image that does not tell beforehand what its layers are, or by another pull.
      await this.#hold(pull.lease, chainOf(parent, found), `snapshots/${snapshotter}`);
    }
    return { diff: found, chain: chainOf(parent, found) };
  }

  /** A root of that name over an image; held, with those labels, until it is removed. */
  async prepareRoot(
    key: string,
    top: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<readonly ContainerdMount[]> {
    const { snapshotter } = this.#options;
    await this.removeRoot(key);
    await this.#client.call('leases.v1.Leases/Create', { id: key, labels });
    const request = { snapshotter, key, parent: top };
    const options = { lease: key };
    const made = await this.#client.call('snapshots.v1.Snapshots/Prepare', request, options);
    return made.mounts ?? [];
  }

  async removeRoot(key: string): Promise<void> {
    const { snapshotter } = this.#options;
    await this.#client.call('snapshots.v1.Snapshots/Remove', { snapshotter, key }).catch(notFound);
    await this.#client.call('leases.v1.Leases/Delete', { id: key }).catch(notFound);
  }

  /** The labels of the leases of roots, by their names. */
  async roots(): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
    const { leases = [] } = await this.#client.call('leases.v1.Leases/List');
    return new Map(leases.map(({ id = '', labels = {} }) => [id, labels]));
  }

  /** Of our images. */
  async names(): Promise<readonly string[]> {
    const { images = [] } = await this.#client.call('images.v1.Images/List');
    return images
      .filter(({ labels = {} }) => labels[OWN_LABEL] !== undefined)
      .map(({ name = '' }) => name);
  }

  /** Its content and layers go too, unless something else needs them. */
  async remove(name: string): Promise<void> {
    await this.#client.call('images.v1.Images/Delete', { name, sync: true }).catch(notFound);
  }
}

interface Descriptor {
  readonly media_type: string;
  readonly digest: string;
  readonly size: number;
}

/** Of WriteContent. */
const ACTION = { stat: 0, write: 1, commit: 2 } as const;

async function* written(
  about: { readonly total: number },
  commit: object,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): AsyncIterable<object> {
  const { total } = about;
  for (let offset = 0; offset < total; offset += CHUNK_BYTES) {
    const data = await read(offset, Math.min(CHUNK_BYTES, total - offset));
    yield { ...about, action: ACTION.write, offset, data };
  }
  yield { ...commit, offset: total };
}

function notFound(error: unknown): undefined {
  if (!isContainerd(error, 'not-found')) throw error;
}

/** The name of a layer over others, as OCI's image specification has it. */
function chainOf(parent: string, diff: string): string {
  return parent === '' ? diff : digestOf(`${parent} ${diff}`);
}

function diffIdsOf(config: string): readonly string[] {
  const { rootfs } = JSON.parse(config) as { readonly rootfs?: { readonly diff_ids?: string[] } };
  return rootfs?.diff_ids ?? [];
}

function topOf(config: string): string | undefined {
  const diffs = diffIdsOf(config);
  return diffs.length === 0 ? undefined : diffs.reduce(chainOf, '');
}

/** Of an image from before there were such lists. */
function withDiffIds(config: Buffer, diff_ids: readonly string[]): Buffer {
  const given = JSON.parse(config.toString('utf8')) as object;
  return Buffer.from(JSON.stringify({ ...given, rootfs: { type: 'layers', diff_ids } }));
}

/** Names are JSON's here, as OCI has them. */
function manifestOf(config: Descriptor, layers: readonly Descriptor[]): Buffer {
  const part = ({ media_type: mediaType, digest, size }: Descriptor) => ({
    mediaType,
    digest,
    size,
  });
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: part(config),
      layers: layers.map(part),
    }),
  );
}
