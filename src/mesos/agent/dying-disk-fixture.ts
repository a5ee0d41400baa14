// A disk for tests that dies before a certain change: nothing that comes later gets there.
import type { Disk } from '#env/disk.ts';
import type { SimDisk } from '#env/sim/disk.ts';

export class DyingDisk implements Disk {
  readonly under: SimDisk;
  changesLeft: number;

  constructor(under: SimDisk, changesLeft = Infinity) {
    this.under = under;
    this.changesLeft = changesLeft;
  }

  read = (path: string) => this.under.read(path);
  list = (path: string) => this.under.list(path);
  readLink = (path: string) => this.under.readLink(path);
  writeAtomic = (path: string, bytes: Uint8Array | string) =>
    this.#spend(() => this.under.writeAtomic(path, bytes));
  replace = (path: string, bytes: Uint8Array | string) =>
    this.#spend(() => this.under.replace(path, bytes));
  /** Takes longer than everything else, as on a real disk. */
  sync = async (...paths: readonly string[]) => {
    for (let turn = 0; turn < 3; turn += 1) await new Promise((done) => setImmediate(done));
    await this.#spend(() => this.under.sync(...paths));
  };
  append = (path: string, bytes: Uint8Array | string) =>
    this.#spend(() => this.under.append(path, bytes));
  link = (path: string, target: string) => this.#spend(() => this.under.link(path, target));
  makeFolder = (path: string) => this.#spend(() => this.under.makeFolder(path));
  remove = (path: string) => this.#spend(() => this.under.remove(path));

  async #spend(change: () => Promise<void>): Promise<void> {
    this.changesLeft -= 1;
    if (this.changesLeft < 0) throw new Error('dead');
    await change();
  }
}
