// Files that several tasks fetch, kept once (URI.cache; inventory 3.5): one download for all who ask at
// the same time, those not used for the longest go when room is wanted, those in use stay. Whatever goes
// wrong with the cache, the file is brought without it.
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

interface Entry {
  readonly path: string;
  bytes: number;
  users: number;
  readonly ready: Promise<void>;
}

export interface FetchCacheOptions {
  readonly folder: string;
  readonly bytesMax: number;
}

export class FetchCache {
  readonly #options: FetchCacheOptions;
  /** By key; in the order in which they were used last. */
  readonly #entries = new Map<string, Entry>();
  #used = 0;
  #next = 0;
  #isEmptied: Promise<void> | undefined;

  constructor(options: FetchCacheOptions) {
    this.#options = options;
  }

  get bytesUsed(): number {
    return this.#used;
  }

  get bytesMax(): number {
    return this.#options.bytesMax;
  }

  /**
   * Gives `use` the path of the file, brought by `bring(path)` if it is not there; it stays as long as
   * `use` takes, also when there is no room to keep it.
   */
  async withFile(
    of: { readonly user: string; readonly uri: string },
    bring: (path: string) => Promise<void>,
    use: (path: string) => Promise<void>,
  ): Promise<void> {
    const key = JSON.stringify([of.user, of.uri]);
    const entry = this.#entries.get(key) ?? this.#begin(key, bring);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users += 1;
    try {
      await entry.ready;
      await use(entry.path);
    } finally {
      entry.users -= 1;
      if (entry.users === 0 && this.#entries.get(key) !== entry) {
        await rm(entry.path, { force: true });
      }
    }
  }

  #begin(key: string, bring: (path: string) => Promise<void>): Entry {
    this.#next += 1;
    const name = createHash('sha256').update(key).digest('hex').slice(0, 16);
    const path = join(this.#options.folder, `c${this.#next}-${name}`);
    const ready = this.#bring(key, path, bring);
    const entry: Entry = { path, bytes: 0, users: 0, ready };
    this.#entries.set(key, entry);
    return entry;
  }

  async #bring(key: string, path: string, bring: (path: string) => Promise<void>): Promise<void> {
    try {
      // What an earlier life left is not known to be whole.
      this.#isEmptied ??= this.#empty();
      await this.#isEmptied;
      const partial = `${path}.part`;
      await bring(partial);
      const { size } = await stat(partial);
      await rename(partial, path);
      const entry = this.#entries.get(key);
      if (entry === undefined) return;
      if (await this.#makeRoom(size)) {
        entry.bytes = size;
        this.#used += size;
      } else this.#entries.delete(key);
    } catch (error) {
      this.#entries.delete(key);
      await rm(`${path}.part`, { force: true }).catch(() => {});
      throw error;
    }
  }

  async #empty(): Promise<void> {
    await rm(this.#options.folder, { recursive: true, force: true });
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
  }

  async #makeRoom(bytes: number): Promise<boolean> {
    const { bytesMax } = this.#options;
    const idle = [...this.#entries].filter(([, { users, bytes: size }]) => users === 0 && size > 0);
    let free = bytesMax - this.#used;
    const victims: string[] = [];
    for (const [key, entry] of idle) {
      if (free >= bytes) break;
      free += entry.bytes;
      victims.push(key);
    }
    if (free < bytes) return false;
    for (const key of victims) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      this.#entries.delete(key);
      this.#used -= entry.bytes;
      await rm(entry.path, { force: true });
    }
    return true;
  }
}
