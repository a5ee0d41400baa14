// A disk in memory that can lose power, fill up and refuse.
import { dirname } from 'node:path/posix';
import { Fault } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';

function toBytes(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice();
}

export class SimDisk implements Disk {
  readonly #files = new Map<string, Uint8Array>();
  readonly #folders = new Set<string>(['/']);
  readonly #links = new Map<string, string>();
  /** Replaced and not synced since. */
  readonly #volatile = new Set<string>();
  /** When set, every write fails with this code (`disk-full`, `disk-io` …). */
  failWritesWith: string | undefined;

  async read(path: string): Promise<Uint8Array | undefined> {
    return this.#files.get(path)?.slice();
  }

  async writeAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
    this.#checkWritable('write', path);
    this.#files.set(path, toBytes(bytes));
    this.#volatile.delete(path);
  }

  async replace(path: string, bytes: Uint8Array | string): Promise<void> {
    await this.writeAtomic(path, bytes);
    this.#volatile.add(path);
  }

  async sync(...paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      this.#check('sync', path);
      if (!this.#files.has(path)) {
        const detail = { code: 'disk-io', path, errno: 'ENOENT' };
        throw new Fault(detail, `Cannot sync "${path}": ENOENT`);
      }
      this.#volatile.delete(path);
    }
  }

  /** What was replaced and not synced is empty afterwards, the worst of what may become of it. */
  losePower(): void {
    for (const path of this.#volatile) {
      if (this.#files.has(path)) this.#files.set(path, new Uint8Array());
    }
    this.#volatile.clear();
  }

  async append(path: string, bytes: Uint8Array | string): Promise<void> {
    this.#checkWritable('append to', path);
    const before = this.#files.get(path) ?? new Uint8Array();
    this.#files.set(path, Buffer.concat([before, toBytes(bytes)]));
  }

  async link(path: string, target: string): Promise<void> {
    this.#checkWritable('link', path);
    this.#links.set(path, target);
  }

  async readLink(path: string): Promise<string | undefined> {
    return this.#links.get(path);
  }

  async list(path: string): Promise<readonly string[] | undefined> {
    if (!this.#folders.has(path)) return undefined;
    const prefix = path === '/' ? '/' : `${path}/`;
    const names = new Set<string>();
    for (const entry of [...this.#files.keys(), ...this.#folders, ...this.#links.keys()]) {
      if (!entry.startsWith(prefix) || entry === prefix) continue;
      names.add(entry.slice(prefix.length).split('/')[0] ?? '');
    }
    return [...names].sort();
  }

  async makeFolder(path: string): Promise<void> {
    this.#check('make folder', path);
    for (let at = path; !this.#folders.has(at); at = dirname(at)) this.#folders.add(at);
  }

  async remove(path: string): Promise<void> {
    this.#check('remove', path);
    for (const file of this.#files.keys()) {
      if (file === path || file.startsWith(`${path}/`)) this.#files.delete(file);
    }
    for (const link of this.#links.keys()) {
      if (link === path || link.startsWith(`${path}/`)) this.#links.delete(link);
    }
    for (const folder of this.#folders) {
      if (folder === path || folder.startsWith(`${path}/`)) this.#folders.delete(folder);
    }
  }

  #check(action: string, path: string): void {
    if (this.failWritesWith === undefined) return;
    throw new Fault({ code: this.failWritesWith, path }, `Cannot ${action} "${path}": simulated`);
  }

  #checkWritable(action: string, path: string): void {
    this.#check(action, path);
    if (!this.#folders.has(dirname(path))) {
      throw new Fault(
        { code: 'disk-io', path, errno: 'ENOENT' },
        `Cannot ${action} "${path}": ENOENT`,
      );
    }
  }
}
