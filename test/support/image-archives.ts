// Images as files, in every form that `docker save` and OCI tools write them.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Layer, layerArchive } from './docker-registry.ts';

export type ArchiveForm = 'docker' | 'oci' | 'oci-folder' | 'before-1.10';

const OCI = 'application/vnd.oci.image';

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function write(folder: string, path: string, content: Buffer | string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

/** Writes the image below `store`, as the file or folder of its name. */
export function writeArchive(
  store: string,
  name: string,
  form: ArchiveForm,
  layers: readonly Layer[],
  config: object = {},
): void {
  const work = mkdtempSync(join(tmpdir(), 'strata-archive-'));
  const folder = form === 'oci-folder' ? join(store, name) : join(work, 'archive');
  mkdirSync(folder, { recursive: true });
  const bytes = layers.map((layer) => layerArchive(join(work, 'layer'), layer, 'plain'));
  if (form === 'docker') writeDocker(folder, name, bytes, config);
  else if (form === 'before-1.10') writeLegacy(folder, name, bytes, config);
  else writeOci(folder, name, bytes, config);
  if (form !== 'oci-folder') {
    mkdirSync(dirname(join(store, name)), { recursive: true });
    execFileSync('tar', ['-cf', join(store, `${name}.tar`), '-C', folder, '.']);
  }
  rmSync(work, { recursive: true });
}

function imageConfig(layers: readonly Buffer[], config: object): Buffer {
  const diff_ids = layers.map((one) => `sha256:${sha256(one)}`);
  return Buffer.from(JSON.stringify({ os: 'linux', config, rootfs: { type: 'layers', diff_ids } }));
}

function writeDocker(folder: string, name: string, layers: readonly Buffer[], of: object): void {
  const config = imageConfig(layers, of);
  const Config = `${sha256(config)}.json`;
  write(folder, Config, config);
  const Layers = layers.map((one, at) => {
    write(folder, `${at}/layer.tar`, one);
    return `${at}/layer.tar`;
  });
  write(
    folder,
    'manifest.json',
    JSON.stringify([{ Config, RepoTags: [`${name}:latest`], Layers }]),
  );
}

function writeLegacy(
  folder: string,
  name: string,
  layers: readonly Buffer[],
  config: object,
): void {
  layers.forEach((one, at) => {
    write(folder, `layer${at}/layer.tar`, one);
    const parent = at === 0 ? {} : { parent: `layer${at - 1}` };
    write(folder, `layer${at}/json`, JSON.stringify({ id: `layer${at}`, ...parent, config }));
  });
  const top = `layer${layers.length - 1}`;
  write(folder, 'repositories', JSON.stringify({ [name]: { latest: top } }));
}

function writeOci(folder: string, name: string, layers: readonly Buffer[], of: object): void {
  const blob = (bytes: Buffer, type: string) => {
    write(folder, `blobs/sha256/${sha256(bytes)}`, bytes);
    return { mediaType: `${OCI}.${type}`, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const manifest = {
    schemaVersion: 2,
    config: blob(imageConfig(layers, of), 'config.v1+json'),
    layers: layers.map((one) => blob(one, 'layer.v1.tar')),
  };
  const entry = blob(Buffer.from(JSON.stringify(manifest)), 'manifest.v1+json');
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const other = { ...entry, platform: { os: 'linux', architecture: 's390x' } };
  const own = { ...entry, platform: { os: 'linux', architecture } };
  const inner = blob(
    Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [other, own] })),
    'index.v1+json',
  );
  const named = { ...inner, annotations };
  write(folder, 'index.json', JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  write(folder, 'oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  write(folder, 'name', name);
}
