// Which container has which of the machine's GPUs (`--gpu_devices`): whole devices, given with `gpus` and taken
// back at the container's end. Kept on disk, so that a successor gives none away twice.
import { Fault } from '#base/fault.ts';
import type { Disk } from '#env/disk.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import type { AllowedDevice } from './devices.ts';
import { KeptMap } from './kept-map.ts';

export interface GpuFlags {
  /** One for each GPU. */
  readonly gpuDevices: readonly AllowedDevice[];
  /** What a container with a GPU needs beside it (`/dev/nvidiactl`). */
  readonly gpuSharedDevices: readonly AllowedDevice[];
}

export class Gpus {
  readonly #flags: GpuFlags;
  /** Paths of devices by the container's name (`TOP` or `TOP.OWN`). */
  readonly #taken: KeptMap<readonly string[]>;

  constructor(flags: GpuFlags, path: string, disk: Disk) {
    this.#flags = flags;
    this.#taken = new KeptMap(path, disk);
  }

  /** What an earlier life gave to containers that are known still. */
  recover(isKnown: (name: string) => boolean): Promise<void> {
    return this.#taken.recover(isKnown);
  }

  /** Gives so many, durably; the same again to a container that has some. Rejects when too few are free. */
  async take(name: string, count: number): Promise<void> {
    if (count === 0 || this.#taken.all.has(name)) return;
    if (!Number.isInteger(count)) {
      throw new Error("The 'gpus' resource must be an unsigned integer");
    }
    const free = this.#free();
    if (free.length < count) {
      throw new Error(`Requested ${count} gpus but only ${free.length} available`);
    }
    this.#taken.all.set(name, free.slice(0, count));
    await this.#taken.keep();
  }

  /**
   * What a container has becomes so many, when tasks come to its executor or end; durably once that
   * has resolved. `changed`: the devices that it may use are others now.
   */
  resize(name: string, count: number): { readonly changed: boolean; readonly kept: Promise<void> } {
    const had = this.#taken.all.get(name) ?? [];
    if (had.length === count) return { changed: false, kept: Promise.resolve() };
    const more = count > had.length ? this.#free().slice(0, count - had.length) : [];
    const now = [...had.slice(0, count), ...more];
    if (now.length === 0) this.#taken.all.delete(name);
    else this.#taken.all.set(name, now);
    const kept = this.#taken.keep().then(() => {
      if (now.length === count) return;
      throw new Error(`Requested ${count} gpus but only ${now.length} available`);
    });
    return { changed: now.length !== had.length, kept };
  }

  /** Of a container and of all below it. */
  async give(name: string): Promise<void> {
    const names = [...this.#taken.all.keys()].filter((one) => `${one}.`.startsWith(`${name}.`));
    if (names.length === 0) return;
    for (const one of names) this.#taken.all.delete(one);
    await this.#taken.keep();
  }

  #free(): readonly string[] {
    const held = new Set([...this.#taken.all.values()].flat());
    return this.#flags.gpuDevices.map(({ path = '' }) => path).filter((one) => !held.has(one));
  }

  /** The devices that a container may use beside those of all: its own and those of containers above. */
  of(name: string): readonly AllowedDevice[] {
    const above = [...this.#taken.all].filter(([one]) => `${name}.`.startsWith(`${one}.`));
    const paths = new Set(above.flatMap(([, own]) => own));
    if (paths.size === 0) return [];
    const own = this.#flags.gpuDevices.filter(({ path = '' }) => paths.has(path));
    return [...own, ...this.#flags.gpuSharedDevices];
  }
}

/** The agent's resources with as many `gpus` as it has devices; fewer may be named, not more. */
export function withGpus(resources: readonly Resource[], count: number): readonly Resource[] {
  if (count === 0) return resources;
  const named = resources.filter((one) => one.name === 'gpus');
  if (named.length === 0) {
    return [...resources, { name: 'gpus', type: 'SCALAR', scalar: { value: count } }];
  }
  const sum = named.reduce((total, one) => total + (one.scalar?.value ?? 0), 0);
  if (Number.isInteger(sum) && sum <= count) return resources;
  throw new Fault(
    { code: 'bad-flag', name: 'gpu_devices' },
    `Cannot start: flag "gpu_devices": there are ${count} of them, and ${sum} gpus among the resources`,
  );
}
