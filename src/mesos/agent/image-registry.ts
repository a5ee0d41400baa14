// Speaks the Docker registry API v2 (OCI distribution) for the image store: manifests by tag or
// digest, the one for this machine from a list of several, blobs checked against their digests.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { authorize, type DockerConfig, parseChallenge } from './registry-auth.ts';

const INDEX_MEDIA = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MANIFEST_MEDIA = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const JSON_BYTES_MAX = 4 * 1024 * 1024;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

export interface ImageReference {
  /** `http://127.0.0.1:5000`; whoever names its own registry is served by that one. */
  readonly registry: string;
  readonly repository: string;
  /** A tag or `sha256:…`. */
  readonly reference: string;
}

export interface Descriptor {
  readonly digest: string;
  readonly size?: number;
  readonly mediaType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
}

/** `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`; official images of the default registry are in `library`. */
export function parseReference(name: string, defaultRegistry: string): ImageReference {
  const [named = '', digest] = name.split('@');
  const [, path = '', tag] = /^(.*?)(?::([\w][\w.-]{0,127}))?$/.exec(named) ?? [];
  const [first = '', ...rest] = path.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const own = hasHost ? `${isLoopback(first) ? 'http' : 'https'}://${first}` : undefined;
  const registry = (own ?? defaultRegistry).replace(/\/$/, '');
  const plain = hasHost ? rest.join('/') : path;
  const isOfficial = registry.endsWith('docker.io') && !plain.includes('/');
  const repository = isOfficial ? `library/${plain}` : plain;
  if (!/^[a-z0-9]+([._/-]+[a-z0-9]+)*$/.test(repository)) {
    throw new Error(`"${name}" is no name of an image`);
  }
  if (digest !== undefined) sha256Of(digest);
  return { registry, repository, reference: digest ?? tag ?? 'latest' };
}

/** The hex digits of a digest, safe as a file's name. */
export function sha256Of(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new Error(`"${digest}" is no sha256 digest`);
  return hex;
}

export function checked(bytes: Buffer, digest: string): Buffer {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256Of(digest)) throw new Error(`Content is sha256:${found}, not ${digest}`);
  return bytes;
}

/** Throws when what has been written is not that of the digest. */
export async function writeChecked(
  from: Readable,
  digest: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const hash = createHash('sha256');
  const summing = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(from, summing, createWriteStream(path), { signal });
  const found = hash.digest('hex');
  if (found !== sha256Of(digest)) throw new Error(`Content is sha256:${found}, not ${digest}`);
}

/** Where the parts of one image are had from. */
export interface ImageSource {
  manifest(): Promise<Manifest>;
  config(digest: string): Promise<Buffer>;
  /** Writes a layer; throws when its bytes are not those of its digest. */
  download(digest: string, path: string): Promise<void>;
}

export class RegistryClient implements ImageSource {
  readonly #image: ImageReference;
  readonly #logins: DockerConfig;
  readonly #signal: AbortSignal;
  #authorization: string | undefined;

  constructor(image: ImageReference, logins: DockerConfig, signal: AbortSignal) {
    this.#image = image;
    this.#logins = logins;
    this.#signal = signal;
  }

  /** The manifest for this machine, and whether what was asked for is what has come. */
  async manifest(): Promise<Manifest> {
    const found = await this.#json(this.#image.reference);
    if (!Array.isArray(found['manifests'])) return found as unknown as Manifest;
    const fitting = fittingManifest(found['manifests'] as Descriptor[]);
    return (await this.#json(fitting.digest)) as unknown as Manifest;
  }

  async #json(reference: string): Promise<Record<string, unknown>> {
    const accept = [...MANIFEST_MEDIA, ...INDEX_MEDIA].join(', ');
    const bytes = await bounded(await this.#get(`manifests/${reference}`, accept));
    if (reference.startsWith('sha256:')) checked(bytes, reference);
    return JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  }

  async config(digest: string): Promise<Buffer> {
    return checked(await bounded(await this.#get(`blobs/${digest}`, '*/*')), digest);
  }

  async download(digest: string, path: string): Promise<void> {
    const { body } = await this.#get(`blobs/${digest}`, '*/*');
    if (body === null) throw new Error(`Blob ${digest} is empty`);
    await writeChecked(Readable.fromWeb(body as never), digest, path, this.#signal);
  }

  async #get(what: string, accept: string): Promise<Response> {
    const { registry, repository } = this.#image;
    const url = `${registry}/v2/${repository}/${what}`;
    let response = await this.#ask(url, accept);
    if (response.status === 401) {
      const challenge = parseChallenge(response.headers.get('www-authenticate'));
      const place = { registry, repository };
      this.#authorization = await authorize(challenge, place, this.#logins, this.#signal);
      if (this.#authorization !== undefined) response = await this.#ask(url, accept);
    }
    if (!response.ok) throw new Error(`${url} was answered with ${response.status}`);
    return response;
  }

  /** Where a registry sends us on to another host, the login stays behind: fetch sees to that. */
  #ask(url: string, accept: string): Promise<Response> {
    const authorization = this.#authorization;
    const headers = { accept, ...(authorization === undefined ? {} : { authorization }) };
    return fetch(url, { headers, signal: this.#signal });
  }
}

/** The one for this machine out of those of an index. */
export function fittingManifest(manifests: readonly Descriptor[]): Descriptor {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const fitting = manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  if (fitting === undefined) throw new Error(`The image is not made for linux/${architecture}`);
  return fitting;
}

async function bounded(response: Response): Promise<Buffer> {
  const bytes = Buffer.from(await response.arrayBuffer());
  if (bytes.length > JSON_BYTES_MAX) throw new Error(`${response.url} is too large`);
  return bytes;
}
