// Volumes in a folder of a machine: plain folders, or file systems in files of their own that hold no more
// than their size. Whatever was begun before a crash may be begun again.
import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Volume } from './core.ts';

const run = promisify(execFile);
const MEGABYTE = 1024 * 1024;
const PROGRAM_MS_MAX = 60_000;

/** `folder`: what is written counts against nobody. `ext4`: a loop-mounted file (root, with loop devices). */
export type VolumeKind = 'folder' | 'ext4';

/** Octal escapes in /proc/mounts. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(\d{3})/g, (_all, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

export class Volumes {
  readonly #folder: string;
  readonly #kind: VolumeKind;

  constructor(folder: string, kind: VolumeKind) {
    this.#folder = folder;
    this.#kind = kind;
  }

  get mountRoot(): string {
    return join(this.#folder, 'volumes');
  }

  #folderOf({ id }: Volume): string {
    return join(this.mountRoot, id);
  }

  /** Where agents look for a MOUNT volume (Mesos 1.11). */
  #rootOf(volume: Volume): string {
    return join(this.#folderOf(volume), 'target');
  }

  #fileOf({ id }: Pick<Volume, 'id'>): string {
    return join(this.#folder, 'files', `${id}.img`);
  }

  /** The size of a plain folder, in megabytes, beside it. */
  #sizeOf({ id }: Pick<Volume, 'id'>): string {
    return join(this.mountRoot, id, 'megabytes');
  }

  /** All that are there, whoever made them. */
  async list(): Promise<Volume[]> {
    const files = await namesIn(join(this.#folder, 'files'));
    const images = files.flatMap((name) => (name.endsWith('.img') ? [name.slice(0, -4)] : []));
    const folders = await namesIn(this.mountRoot);
    const volumes: Volume[] = [];
    for (const id of images) {
      const type = folders.includes(id) ? 'MOUNT' : 'BLOCK';
      const { size } = await stat(this.#fileOf({ id }));
      volumes.push({ id, type, megabytes: size / MEGABYTE });
    }
    for (const id of folders) {
      const text = await readFile(this.#sizeOf({ id }), 'utf8').catch(() => '');
      const megabytes = Number(text);
      if (megabytes > 0 && !images.includes(id)) volumes.push({ id, type: 'MOUNT', megabytes });
    }
    return volumes;
  }

  async make(volume: Volume): Promise<void> {
    const root = this.#rootOf(volume);
    if (volume.type === 'MOUNT') await mkdir(root, { recursive: true, mode: 0o755 });
    if (volume.type === 'MOUNT' && this.#kind === 'folder') {
      const known = await readFile(this.#sizeOf(volume), 'utf8').catch(() => '');
      if (Number(known) === volume.megabytes) return;
      await writeFile(this.#sizeOf(volume), `${volume.megabytes}\n`, { mode: 0o644, flush: true });
      return;
    }
    const file = this.#fileOf(volume);
    await mkdir(join(this.#folder, 'files'), { recursive: true, mode: 0o700 });
    // Made whole under another name: a file with its own name is never made anew.
    const isThere = await open(file).then(
      async (handle) => (await handle.close(), true),
      () => false,
    );
    if (isThere) return;
    const unfinished = `${file}.new`;
    const handle = await open(unfinished, 'w', 0o600);
    try {
      await handle.truncate(Math.floor(volume.megabytes * MEGABYTE));
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (volume.type === 'MOUNT')
      await this.#program('mkfs.ext4', ['-q', '-F', '-m', '0', unfinished]);
    await rename(unfinished, file);
  }

  /** Makes it usable; after a start of the machine, too. */
  async publish(volume: Volume): Promise<void> {
    if (volume.type === 'BLOCK' || this.#kind === 'folder') return;
    const root = this.#rootOf(volume);
    if (await this.#isMounted(root)) return;
    await mkdir(root, { recursive: true, mode: 0o755 });
    await this.#program('mount', ['-o', 'loop', this.#fileOf(volume), root]);
  }

  async remove(volume: Volume): Promise<void> {
    const root = this.#rootOf(volume);
    if (await this.#isMounted(root)) await this.#program('umount', [root]);
    await rm(this.#folderOf(volume), { recursive: true, force: true });
    await rm(this.#fileOf(volume), { force: true });
  }

  async #isMounted(root: string): Promise<boolean> {
    if (this.#kind === 'folder') return false;
    const mounts = await readFile('/proc/self/mounts', 'utf8');
    return mounts.split('\n').some((line) => unescaped(line.split(' ')[1] ?? '') === root);
  }

  async #program(name: string, options: readonly string[]): Promise<void> {
    await run(name, [...options], { timeout: PROGRAM_MS_MAX });
  }
}
