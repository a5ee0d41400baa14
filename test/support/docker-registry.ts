// A real registry (Debian's docker-registry) in a folder of its own, and images made for tests: a
// static busybox, layer by layer, pushed by the registry's own API.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stop } from './agent-machine.ts';
import { freePort } from './free-port.ts';
import { eventually } from './cluster.ts';

export const registryProgram = '/usr/bin/docker-registry';
const busybox = ['/usr/bin/busybox', '/bin/busybox'].find((path) => existsSync(path));
export const canServeImages = existsSync(registryProgram) && busybox !== undefined;

const OCI = 'application/vnd.oci.image';
interface Pushed {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
}
/** Paths and what is in them; a name ending in `/` is a folder, `busybox` the program. */
export type Layer = Readonly<Record<string, string>>;

export class DockerRegistry {
  readonly folder = mkdtempSync(join(tmpdir(), 'strata-registry-'));
  host = '';
  /** What pushes are authorized with. */
  authorization: string | undefined;
  #process: ChildProcess | undefined;

  /** `auth`: as in the registry's own configuration; it then answers 401 to whoever is nobody. */
  async start(auth?: object): Promise<void> {
    this.host = `127.0.0.1:${await freePort()}`;
    const config = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(this.folder, 'data') } },
      http: { addr: this.host },
      ...(auth === undefined ? {} : { auth }),
    };
    const path = join(this.folder, 'config.yml');
    writeFileSync(path, JSON.stringify(config));
    this.#process = spawn(registryProgram, ['serve', path], { stdio: 'ignore' });
    await eventually('the registry answers', async () => {
      const answer = await fetch(`http://${this.host}/v2/`).catch(() => undefined);
      return answer?.ok === true || answer?.status === 401 || undefined;
    });
  }

  #headers(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const { authorization } = this;
    return { ...more, ...(authorization === undefined ? {} : { authorization }) };
  }

  async #blob(repository: string, bytes: Buffer, mediaType: string): Promise<Pushed> {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const begun = await fetch(`http://${this.host}/v2/${repository}/blobs/uploads/`, {
      method: 'POST',
      headers: this.#headers(),
    });
    const place = new URL(begun.headers.get('location') ?? '', `http://${this.host}`);
    place.searchParams.set('digest', digest);
    const put = await fetch(place, { method: 'PUT', headers: this.#headers(), body: bytes });
    if (put.status !== 201) throw new Error(`blob: ${put.status} ${await put.text()}`);
    return { digest, size: bytes.length, mediaType };
  }

  async #manifest(repository: string, reference: string, value: object): Promise<Pushed> {
    const bytes = Buffer.from(JSON.stringify(value));
    const { mediaType } = value as { mediaType: string };
    const put = await fetch(`http://${this.host}/v2/${repository}/manifests/${reference}`, {
      method: 'PUT',
      headers: this.#headers({ 'content-type': mediaType }),
      body: bytes,
    });
    if (put.status !== 201) throw new Error(`manifest: ${put.status} ${await put.text()}`);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    return { digest, size: bytes.length, mediaType };
  }

  /** Pushes an image for this machine below an index that has another machine's first. */
  async push(repository: string, layers: readonly Layer[], config: object): Promise<void> {
    const pushed: Pushed[] = [];
    for (const layer of layers) {
      const bytes = layerArchive(join(this.folder, 'layer'), layer, 'gzip');
      pushed.push(await this.#blob(repository, bytes, `${OCI}.layer.v1.tar+gzip`));
    }
    const text = Buffer.from(JSON.stringify({ os: 'linux', config }));
    const manifest = await this.#manifest(repository, 'own', {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: await this.#blob(repository, text, `${OCI}.config.v1+json`),
      layers: pushed,
    });
    const other = await this.#manifest(repository, 'other', {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: await this.#blob(repository, Buffer.from('{}'), `${OCI}.config.v1+json`),
      layers: [],
    });
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
    await this.#manifest(repository, 'latest', {
      schemaVersion: 2,
      mediaType: `${OCI}.index.v1+json`,
      manifests: [
        { ...other, platform: { os: 'linux', architecture: 's390x' } },
        { ...manifest, platform: { os: 'linux', architecture } },
      ],
    });
  }

  /** Where the registry keeps the bytes of a digest. */
  blobPath(digest: string): string {
    const hex = digest.replace('sha256:', '');
    const blobs = join(this.folder, 'data/docker/registry/v2/blobs/sha256');
    return join(blobs, hex.slice(0, 2), hex, 'data');
  }

  async close(): Promise<void> {
    if (this.#process !== undefined) await stop(this.#process, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The bytes of a layer as it is pushed, or as `docker save` writes it. */
export function layerArchive(folder: string, layer: Layer, form: 'gzip' | 'plain'): Buffer {
  rmSync(folder, { recursive: true, force: true });
  for (const [name, content] of Object.entries(layer)) {
    const path = join(folder, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (content === 'busybox') cpSync(busybox ?? '', path);
    else if (content.startsWith('->')) execFileSync('ln', ['-s', content.slice(2), path]);
    else if (!name.endsWith('/')) writeFileSync(path, content);
  }
  const file = `${folder}.tar.gz`;
  // The same layer is the same bytes, whenever it is made.
  const same = ['--mtime=@0', '--sort=name'];
  execFileSync('tar', [...same, form === 'gzip' ? '-czf' : '-cf', file, '-C', folder, '.']);
  return readFileSync(file);
}
