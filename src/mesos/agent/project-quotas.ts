// Which project of XFS each sandbox and persistent volume is, as Mesos' disk/xfs isolator has it: ids are given
// once, kept by the folders themselves, and come back when the folders are gone. For disk-watch.ts.
import { existsSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorChain } from '#base/fault.ts';
import { Turns } from '#base/turns.ts';
import type { Env, Timer } from '#env/env.ts';
import type { Ranges } from '#mesos/resources/ranges.ts';
import { IdRange } from './id-range.ts';
import type { ProjectKernel, ProjectUsage } from './project-kernel.ts';

/**
 * `account`: usage is told, nothing is bounded. `refuse`: writing beyond the quota fails. `kill`: there is some
 * headroom, and who uses of it is ended.
 */
export type QuotaPolicy = 'account' | 'refuse' | 'kill';

export interface ProjectQuotasOptions {
  /** Sorted, without overlap. */
  readonly ids: Ranges;
  readonly policy: QuotaPolicy;
  /** Above the quota, with `kill`. */
  readonly headroomBytes: number;
  /** How often folders that are gone are looked for. */
  readonly reclaimMs: number;
  readonly workFolder: string;
}

interface Project {
  readonly device: string;
  readonly folders: Set<string>;
}

/** Folders that may be projects, below the work folder; `*` is any name. */
const PLACES = [
  'slaves/*/frameworks/*/executors/*/runs/*',
  'volumes/roles/*/*',
  'run/containers/*/roots/*/upper',
  'run/containers/*/roots/*/work',
];

export class ProjectQuotas {
  readonly policy: QuotaPolicy;
  readonly #ids: IdRange;
  readonly #options: ProjectQuotasOptions;
  readonly #kernel: ProjectKernel;
  readonly #env: Env;
  readonly #projects = new Map<number, Project>();
  readonly #byFolder = new Map<string, number>();
  #timer: Timer | undefined;
  #isClosed = false;
  /** One after the other, so that two containers of a shared volume give it one id. */
  readonly #turns = new Turns();

  constructor(options: ProjectQuotasOptions, kernel: ProjectKernel, env: Env) {
    this.#options = options;
    this.#kernel = kernel;
    this.#env = env;
    this.policy = options.policy;
    this.#ids = new IdRange(options.ids);
  }

  get total(): number {
    return this.#ids.total;
  }

  get free(): number {
    return this.#ids.free(this.#projects.keys());
  }

  /** What an earlier life gave, also out of another range. */
  async recover(): Promise<void> {
    const folders = (
      await Promise.all(
        PLACES.map((place) => foldersAt(this.#options.workFolder, place.split('/'))),
      )
    ).flat();
    const ids = await this.#kernel.projectsOf(folders);
    for (const [at, folder] of folders.entries()) {
      const id = ids[at] ?? 0;
      if (id !== 0) this.#know(id, folder);
    }
    await this.reclaim();
    this.#arm();
  }

  #know(id: number, folder: string): void {
    const known = this.#projects.get(id);
    const device = known?.device ?? this.#kernel.deviceOf(folder);
    const folders = known?.folders ?? new Set();
    this.#projects.set(id, { device, folders: folders.add(folder) });
    this.#byFolder.set(folder, id);
  }

  /**
   * A folder that is there gets a project, unless it has one, and these bytes at most; undefined: no
   * bound. Rejects when no id is left, or its file system keeps no quotas of projects.
   */
  give(folder: string, quotaBytes: number | undefined): Promise<void> {
    return this.#turns.next(async () => {
      const id = await this.#projectFor(folder);
      const { policy, headroomBytes } = this.#options;
      const { device } = this.#projects.get(id) as Project;
      const soft = policy === 'account' ? 0 : (quotaBytes ?? 0);
      const hard = soft === 0 ? 0 : soft + (policy === 'kill' ? headroomBytes : 0);
      await this.#kernel.bound(device, id, soft, hard);
    });
  }

  /** Another folder whose bytes count as those of the first. */
  share(folder: string, other: string): Promise<void> {
    return this.#turns.next(async () => {
      const id = this.#byFolder.get(folder);
      if (id === undefined || this.#byFolder.has(other)) return;
      await this.#kernel.assign(other, id);
      this.#know(id, other);
    });
  }

  async #projectFor(folder: string): Promise<number> {
    const known = this.#byFolder.get(folder);
    if (known !== undefined) return known;
    const [had = 0] = await this.#kernel.projectsOf([folder]);
    if (had !== 0) {
      this.#know(had, folder);
      return had;
    }
    this.#kernel.deviceOf(folder);
    let id = this.#freeId();
    if (id === undefined) {
      await this.#reclaim();
      id = this.#freeId();
    }
    if (id === undefined) throw new Error('Failed to assign project ID, range exhausted');
    this.#know(id, folder);
    await this.#kernel.assign(folder, id);
    return id;
  }

  #freeId(): number | undefined {
    return this.#ids.first((id) => this.#projects.has(id));
  }

  /** Undefined: it is none of ours. */
  async usage(folder: string): Promise<ProjectUsage | undefined> {
    const id = this.#byFolder.get(folder);
    const project = this.#projects.get(id ?? 0);
    if (id === undefined || project === undefined) return undefined;
    return this.#kernel.usage(project.device, id);
  }

  /** Ids whose folders are all gone are free again. */
  reclaim(): Promise<void> {
    return this.#turns.next(() => this.#reclaim());
  }

  async #reclaim(): Promise<void> {
    for (const [id, { device, folders }] of this.#projects) {
      for (const folder of [...folders].filter((one) => !existsSync(one))) {
        folders.delete(folder);
        this.#byFolder.delete(folder);
      }
      if (folders.size > 0) continue;
      try {
        await this.#kernel.bound(device, id, 0, 0);
      } catch (error) {
        // Whoever gets it next sets it anew; but not before it can be set at all.
        this.#env.log.warn('A project keeps its quota', { id, device, error: errorChain(error) });
      }
      this.#projects.delete(id);
    }
  }

  #arm(): void {
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(this.#options.reclaimMs, () => {
      void this.reclaim().then(() => this.#arm());
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }
}

/** Folders, and no links to them. */
async function foldersAt(base: string, [first, ...rest]: readonly string[]): Promise<string[]> {
  if (first === undefined) {
    const about = await lstat(base).catch(() => undefined);
    return about?.isDirectory() === true ? [base] : [];
  }
  const names = first === '*' ? await readdir(base).catch(() => []) : [first];
  // By what is below a link a folder would be found twice.
  const found: string[] = [];
  for (const name of names) {
    const path = join(base, name);
    const about = await lstat(path).catch(() => undefined);
    if (about?.isDirectory() === true) found.push(...(await foldersAt(path, rest)));
  }
  return found;
}
