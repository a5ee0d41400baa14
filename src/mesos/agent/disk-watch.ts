// How much disk containers use, by du(1) or by the projects of XFS, as Mesos' disk/du and disk/xfs have it:
// each sandbox and each persistent volume against its quota; whoever is above it is told of, if wanted.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Env, Timer } from '#env/env.ts';
import type { DiskStatistics, Resource } from '#wire/mesos/v1.ts';
import type { ProjectQuotas } from './project-quotas.ts';

export interface DiskWatchOptions {
  /** Undefined: nothing is measured. */
  readonly intervalMs: number | undefined;
  readonly enforces: boolean;
  /** With disk/xfs; the kernel counts then, and du(1) is not asked. */
  readonly quotas?: ProjectQuotas | undefined;
  persistentVolume(resource: Resource): string;
  /** At most once for each container. */
  readonly onExceeded: (
    containerId: string,
    message: string,
    resources: readonly Resource[],
  ) => void;
}

interface Place {
  readonly resources: readonly Resource[];
  readonly quotaBytes: number;
  usedBytes: number | undefined;
}

interface Watched {
  readonly sandbox: string;
  /** By their folders. */
  places: Map<string, Place>;
  isExceeded: boolean;
  /** The kernel holds it to its quotas; undefined: its sandbox is not there yet. */
  bound: Promise<void> | undefined;
}

export interface DiskUsage {
  readonly limitBytes: number;
  readonly usedBytes: number | undefined;
  readonly volumes: readonly DiskStatistics[];
}

const MB = 1024 * 1024;
const run = promisify(execFile);

/** As stout prints Bytes: the largest unit that divides them. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let [value, at] = [bytes, 0];
  while (value >= 1024 && value % 1024 === 0 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${value}${units[at]}`;
}

function sumBytes(resources: readonly Resource[]): number {
  return resources.reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0) * MB;
}

export class DiskWatch {
  readonly #options: DiskWatchOptions;
  readonly #env: Env;
  readonly #all = new Map<string, Watched>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: DiskWatchOptions, env: Env) {
    this.#options = options;
    this.#env = env;
  }

  /** What a top-level container has now. */
  update(containerId: string, sandbox: string, resources: readonly Resource[]): void {
    if (this.#options.intervalMs === undefined) return;
    const before = this.#all.get(containerId);
    const byPath = new Map<string, Resource[]>();
    for (const resource of resources) {
      if (resource.name !== 'disk') continue;
      const isVolume = resource.disk?.volume !== undefined;
      // The file system of a whole disk is its own bound.
      if (isVolume && resource.disk?.source?.type === 'MOUNT') continue;
      const path = isVolume ? this.#options.persistentVolume(resource) : sandbox;
      byPath.set(path, [...(byPath.get(path) ?? []), resource]);
    }
    const places = new Map(
      [...byPath].map(([path, own]): [string, Place] => [
        path,
        {
          resources: own,
          quotaBytes: sumBytes(own),
          usedBytes: before?.places.get(path)?.usedBytes,
        },
      ]),
    );
    const isExceeded = before?.isExceeded === true;
    const now: Watched = { sandbox, places, isExceeded, bound: before?.bound };
    this.#all.set(containerId, now);
    if (now.bound !== undefined) this.#bind(now);
    this.#arm();
  }

  /** Its sandbox is there now: resolves once the kernel bounds that, and its volumes, if it is to. */
  async bind(containerId: string): Promise<void> {
    const watched = this.#all.get(containerId);
    if (watched === undefined || this.#options.quotas === undefined) return;
    this.#bind(watched);
    await watched.bound;
  }

  /** Resolves when it is held to what `update` told last. */
  async bound(containerId: string): Promise<void> {
    await this.#all.get(containerId)?.bound;
  }

  #bind(watched: Watched): void {
    const { quotas } = this.#options;
    const { sandbox, places } = watched;
    if (quotas === undefined) return;
    const folders = new Set([sandbox, ...places.keys()]);
    const given = [...folders].map((path) => quotas.give(path, places.get(path)?.quotaBytes));
    watched.bound = Promise.all(given).then(() => {});
    // Whoever launches something in it is told.
    watched.bound.catch((error: unknown) => {
      this.#env.log.warn('A container is not held to its disk quota', { sandbox, error });
    });
  }

  forget(containerId: string): void {
    this.#all.delete(containerId);
  }

  /** Undefined when nothing of it is bound. */
  usageOf(containerId: string): DiskUsage | undefined {
    const watched = this.#all.get(containerId);
    if (watched === undefined || watched.places.size === 0) return undefined;
    const own = watched.places.get(watched.sandbox);
    const volumes = [...watched.places.values()]
      .filter((one) => one !== own)
      .map(({ resources, quotaBytes, usedBytes }): DiskStatistics => {
        const { source, persistence } = resources[0]?.disk ?? {};
        return {
          ...(source === undefined ? {} : { source }),
          ...(persistence === undefined ? {} : { persistence }),
          limit_bytes: quotaBytes,
          ...(usedBytes === undefined ? {} : { used_bytes: usedBytes }),
        };
      });
    return { limitBytes: own?.quotaBytes ?? 0, usedBytes: own?.usedBytes, volumes };
  }

  #arm(): void {
    const { intervalMs } = this.#options;
    if (this.#timer !== undefined || this.#isClosed || intervalMs === undefined) return;
    this.#timer = this.#env.timers.after(intervalMs, () => void this.#measureAll());
  }

  /** One after the other: a disk is not asked for all at once. */
  async #measureAll(): Promise<void> {
    for (const [containerId, watched] of this.#all) {
      for (const [path, place] of watched.places) {
        if (this.#isClosed || this.#all.get(containerId) !== watched) break;
        place.usedBytes = (await this.#measure(path)) ?? place.usedBytes;
        this.#judge(containerId, watched, place);
      }
    }
    this.#timer = undefined;
    if (this.#all.size > 0) this.#arm();
  }

  async #measure(path: string): Promise<number | undefined> {
    const { quotas } = this.#options;
    if (quotas !== undefined) {
      const usage = await quotas.usage(path).catch((error: unknown) => {
        this.#env.log.warn('The disk usage of a container is not known', { path, error });
        return undefined;
      });
      return usage?.usedBytes;
    }
    try {
      const { stdout } = await run('du', ['-k', '-s', '--', path]);
      return Number(stdout.split(/\s/)[0]) * 1024;
    } catch (error) {
      // What comes and goes while it is measured makes du complain, and its sum is still one.
      const { stdout } = error as { stdout?: string };
      const kilobytes = Number.parseInt(stdout ?? '', 10);
      if (Number.isFinite(kilobytes)) return kilobytes * 1024;
      this.#env.log.warn('The disk usage of a container cannot be measured', { path, error });
      return undefined;
    }
  }

  #judge(containerId: string, watched: Watched, place: Place): void {
    const { usedBytes = 0, quotaBytes, resources } = place;
    const { enforces, quotas, onExceeded } = this.#options;
    if (!enforces || usedBytes <= quotaBytes || watched.isExceeded) return;
    if (quotas !== undefined && quotas.policy !== 'kill') return;
    watched.isExceeded = true;
    const [used, quota] = [bytesText(usedBytes), bytesText(quotaBytes)];
    if (quotas === undefined) {
      onExceeded(containerId, `Disk usage (${used}) exceeds quota (${quota})`, resources);
      return;
    }
    const disk = resources.find((one) => one.disk?.volume !== undefined)?.disk;
    const where = disk === undefined ? '' : ` for volume '${disk.persistence?.id ?? ''}'`;
    const scalar = { value: Math.floor(usedBytes / MB) };
    const own = disk === undefined ? {} : { disk };
    const limitation = [{ name: 'disk', type: 'SCALAR' as const, scalar, ...own }];
    onExceeded(containerId, `Disk usage (${used}) exceeded quota (${quota})${where}`, limitation);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#options.quotas?.close();
  }
}
