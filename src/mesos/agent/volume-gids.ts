// Groups for volumes that users share (`--volume_gid_range`), as Mesos' volume gid manager gives them: each volume
// has one of the range, its folders keep it for new files, and containers that use it get it beside their own.
import { existsSync } from 'node:fs';
import { chmod, lchown, lstat, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorChain } from '#base/fault.ts';
import { Turns } from '#base/turns.ts';
import type { Disk } from '#env/disk.ts';
import type { Log } from '#env/env.ts';
import type { Ranges } from '#mesos/resources/ranges.ts';
import type { Messages } from '#wire/mesos/v1.ts';
import { IdRange } from './id-range.ts';
import { decodeCheckpoint, encodeCheckpoint } from './wire.ts';

type Given = NonNullable<Messages['VolumeGidInfos']['infos']>[number];
export type VolumeKind = NonNullable<Given['type']>;

const SETGID_AND_GROUP_WRITE = 0o2020;

export class VolumeGids {
  readonly #gids: IdRange;
  readonly #path: string;
  readonly #disk: Disk;
  readonly #log: Log;
  #given = new Map<string, Given>();
  /** One after the other: two containers of one volume give it one group. */
  readonly #turns = new Turns();

  /** `gids`: sorted, without overlap. `path`: of Mesos' own file of that purpose. */
  constructor(gids: Ranges, path: string, disk: Disk, log: Log) {
    this.#gids = new IdRange(gids);
    this.#path = path;
    this.#disk = disk;
    this.#log = log;
  }

  get total(): number {
    return this.#gids.total;
  }

  get free(): number {
    return this.#gids.free(this.#taken());
  }

  #taken(): number[] {
    return [...this.#given.values()].map(({ gid }) => gid);
  }

  /** What an earlier life gave. `isAlive`: whether the container of a sandbox is there still. */
  async recover(isAlive: (path: string) => boolean): Promise<void> {
    const bytes = await this.#disk.read(this.#path);
    const [kept] = decodeCheckpoint<Messages['VolumeGidInfos']>(
      'VolumeGidInfos',
      bytes ?? new Uint8Array(),
    );
    this.#given = new Map((kept?.infos ?? []).map((one) => [one.path, one]));
    const lost = [...this.#given.values()].filter(
      ({ path, type }) => !existsSync(path) || (type === 'SANDBOX_PATH' && !isAlive(path)),
    );
    if (lost.length > 0) await this.#turns.next(() => this.#take(lost));
  }

  /** The group of a volume, whose files are given it. Rejects when none is free. */
  allocate(path: string, type: VolumeKind): Promise<number> {
    return this.#turns.next(async () => {
      const { gid: now } = await stat(path);
      const known = this.#given.get(path);
      // The place where a volume is mounted that has one already.
      if (known === undefined && this.#gids.has(now)) return now;
      const gid = known?.gid ?? (await this.#newGid(path));
      if (known === undefined) {
        this.#given.set(path, { type, path, gid });
        await this.#keep();
      }
      if (now !== gid) await own(path, gid, true);
      return gid;
    });
  }

  async #newGid(path: string): Promise<number> {
    const first = this.#freeGid();
    if (first !== undefined) return first;
    await this.#take([...this.#given.values()].filter((one) => !existsSync(one.path)));
    const second = this.#freeGid();
    if (second !== undefined) return second;
    throw new Error(
      `Failed to allocate gid to the volume path '${path}' because the free gid range is exhausted`,
    );
  }

  #freeGid(): number | undefined {
    const taken = new Set(this.#taken());
    return this.#gids.first((gid) => taken.has(gid));
  }

  /** A container has ended: volumes in its sandbox, and those that are gone, need no group of theirs. */
  ended(sandbox: string): Promise<void> {
    return this.#turns.next(async () => {
      const lost = [...this.#given.values()].filter(
        ({ path, type }) =>
          !existsSync(path) || (type === 'SANDBOX_PATH' && path.startsWith(`${sandbox}/`)),
      );
      if (lost.length > 0) await this.#take(lost);
    });
  }

  /**
   * A sandbox stays for a while: its volumes go back to their owners first, or who gets the group next could
   * read them.
   */
  async #take(lost: readonly Given[]): Promise<void> {
    for (const { path } of lost) {
      try {
        const about = await stat(path).catch(() => undefined);
        if (about !== undefined) await own(path, (await stat(dirname(path))).gid, false);
        this.#given.delete(path);
      } catch (error) {
        this.#log.warn('A volume keeps its group', { path, error: errorChain(error) });
      }
    }
    await this.#keep();
  }

  async #keep(): Promise<void> {
    await this.#disk.makeFolder(dirname(this.#path), { mode: 0o755 });
    const bytes = encodeCheckpoint('VolumeGidInfos', { infos: [...this.#given.values()] });
    await this.#disk.writeAtomic(this.#path, bytes, { mode: 0o600 });
  }
}

/** Of all below it, links themselves and not what they lead to; folders hand it down, or no more. */
async function own(path: string, gid: number, hands: boolean): Promise<void> {
  const about = await lstat(path);
  const isFolder = about.isDirectory();
  if (!isFolder && !about.isFile() && !about.isSymbolicLink()) return;
  await lchown(path, about.uid, gid);
  if (!isFolder) return;
  const mode = about.mode & 0o7777;
  const now = hands ? mode | SETGID_AND_GROUP_WRITE : mode & ~SETGID_AND_GROUP_WRITE;
  await chmod(path, now);
  for (const name of await readdir(path)) await own(join(path, name), gid, hands);
}

/** The further groups of a process that uses volumes. */
export function groupsOf(groups: ReadonlySet<number>): { readonly groups?: readonly number[] } {
  return groups.size === 0 ? {} : { groups: [...groups] };
}
