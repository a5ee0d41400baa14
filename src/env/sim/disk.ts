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
  /** When set, every write fails with this code (`disk-full`, `disk-io` …). */
  failWritesWith: string | undefined;

  async read(path: string): Promise<Uint8Array | undefined> {
    return this.#files.get(path)?.slice();
  }

  async writeAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
    this.#checkWritable('write', path);
    this.#files.set(path, toBytes(bytes));
  }

  async append(path: string, bytes: Uint8Array | string): Promise<void> {
    this.#checkWritable('append to', path);
    const before = this.#files.get(path) ?? new Uint8Array();
    this.#files.set(path, Buffer.concat([before, toBytes(bytes)]));
  }

  async list(path: string): Promise<readonly string[] | undefined> {
    if (!this.#folders.has(path)) return undefined;
    const prefix = path === '/' ? '/' : `${path}/`;
    const names = new Set<string>();
    for (const entry of [...this.#files.keys(), ...this.#folders]) {
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
