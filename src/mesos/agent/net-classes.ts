// Which container's packets have which class of the kernel (`--cgroups_net_cls_primary_handle`), as Mesos' isolator
// cgroups/net_cls gives them: a primary handle of the agent's and a secondary one for each top-level container.
import type { Disk } from '#env/disk.ts';
import { KeptMap } from './kept-map.ts';

export interface NetClassFlags {
  /** 16 bits each; undefined: containers get no class. */
  readonly primary: number | undefined;
  readonly secondaries: { readonly begin: number; readonly end: number };
}

const HANDLE_MAX = 0xffff;

/** `0x1a`, `26` or `032`, as C++ streams read numbers of any base. */
function handle(text: string): number {
  const trimmed = text.trim();
  const isOctal = /^0[0-7]+$/.test(trimmed);
  const value = isOctal ? Number.parseInt(trimmed, 8) : Number(trimmed === '' ? 'none' : trimmed);
  if (Number.isInteger(value) && value >= 0 && value <= HANDLE_MAX) return value;
  throw new Error(`"${text}" is no handle of 16 bits`);
}

export function primaryHandle(text: string): number | undefined {
  return text === '' ? undefined : handle(text);
}

/** `0x1,0xffff`: the first and the last. */
export function secondaryHandles(text: string): NetClassFlags['secondaries'] {
  if (text === '') return { begin: 1, end: HANDLE_MAX };
  const bounds = text.split(',').filter((word) => word !== '');
  if (bounds.length !== 2) throw new Error(`"${text}" is no range of two handles`);
  const [begin = 0, end = 0] = bounds.map(handle);
  if (begin === 0) throw new Error('The secondary handle has to be a non-zero value.');
  if (begin > end) throw new Error(`"${text}" is an empty range`);
  return { begin, end };
}

export class NetClasses {
  readonly #flags: NetClassFlags;
  readonly #given: KeptMap<number>;

  constructor(flags: NetClassFlags, path: string, disk: Disk) {
    this.#flags = flags;
    this.#given = new KeptMap(path, disk);
  }

  /** What an earlier life gave to containers that are known still. */
  recover(isKnown: (containerId: string) => boolean): Promise<void> {
    return this.#given.recover(isKnown);
  }

  /** Gives a top-level container its class, durably. Rejects when none is free. */
  async take(containerId: string): Promise<void> {
    const { primary } = this.#flags;
    if (primary === undefined || this.#given.all.has(containerId)) return;
    const { begin, end } = this.#flags.secondaries;
    const taken = new Set(this.#given.all.values());
    for (let secondary = begin; secondary <= end; secondary++) {
      const id = primary * 0x10000 + secondary;
      if (taken.has(id)) continue;
      this.#given.all.set(containerId, id);
      await this.#given.keep();
      return;
    }
    throw new Error(`No free handles remaining for primary handle 0x${primary.toString(16)}`);
  }

  async give(containerId: string): Promise<void> {
    if (this.#given.all.delete(containerId)) await this.#given.keep();
  }

  /** The class of a container, or of what is below it (`TOP.OWN`). */
  of(name: string): number | undefined {
    return this.#given.all.get(name.split('.')[0] ?? '');
  }
}
