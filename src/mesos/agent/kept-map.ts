// What has been given to containers, in memory and in a file of JSON, so that a successor gives nothing twice.
import { dirname } from 'node:path';
import { Turns } from '#base/turns.ts';
import type { Disk } from '#env/disk.ts';

export class KeptMap<V> {
  readonly #path: string;
  readonly #disk: Disk;
  #all = new Map<string, V>();
  #hasFolder = false;
  readonly #turns = new Turns();

  constructor(path: string, disk: Disk) {
    this.#path = path;
    this.#disk = disk;
  }

  /** By the name of the container. What is changed in it is kept by `keep`. */
  get all(): Map<string, V> {
    return this.#all;
  }

  /** What an earlier life gave to containers that are known still. */
  async recover(isKnown: (name: string) => boolean): Promise<void> {
    const bytes = await this.#disk.read(this.#path);
    if (bytes === undefined || bytes.length === 0) return;
    const kept = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, V>;
    this.#all = new Map(Object.entries(kept).filter(([name]) => isKnown(name)));
    this.#hasFolder = true;
  }

  /** Resolves when it is durable. The later word is the last one. */
  keep(): Promise<void> {
    return this.#turns.next(() => this.#write());
  }

  async #write(): Promise<void> {
    if (!this.#hasFolder) await this.#disk.makeFolder(dirname(this.#path), { mode: 0o700 });
    this.#hasFolder = true;
    await this.#disk.replace(this.#path, JSON.stringify(Object.fromEntries(this.#all)));
  }
}
