// Removes sandboxes of what has ended: a week later (--gc_delay), and sooner the fuller the disk is
// (--gc_disk_headroom), oldest first, as Mesos does. What still has something mounted below it stays: a
// volume's data would go with it.
import { rm, rmdir, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Disk } from '#env/disk.ts';
import type { Env, Instant, Timer } from '#env/env.ts';
import { mountPoints } from '#base/mount-points.ts';
import { pathPart, type AgentPaths } from './paths.ts';

/** The folder in a sandbox in which those of nested containers are. */
const NESTED = 'containers';

export interface SandboxGcOptions {
  readonly paths: AgentPaths;
  readonly delayMs: number;
  /** Part of the disk that is to stay free. */
  readonly headroom: number;
  /** How often the disk is looked at. */
  readonly watchMs: number;
}

/** How long an ended sandbox may stay, by the part of the disk that is used. */
export function allowedAgeMs(
  { delayMs, headroom }: Pick<SandboxGcOptions, 'delayMs' | 'headroom'>,
  used: number,
): number {
  return delayMs * Math.max(0, 1 - headroom - used);
}

export class SandboxGc {
  readonly #options: SandboxGcOptions;
  readonly #disk: Disk;
  readonly #env: Env;
  /** Folder -> when what it was for ended. In that order, but for what an earlier life left. */
  readonly #ended = new Map<string, Instant>();
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;
  removed = 0;
  failed = 0;
  /** What the last look at the disk said of how long the ended may stay. */
  allowedAgeMs: number;

  constructor(options: SandboxGcOptions, disk: Disk, env: Env) {
    this.#options = options;
    this.#disk = disk;
    this.#env = env;
    this.allowedAgeMs = options.delayMs;
  }

  get pending(): number {
    return this.#ended.size;
  }

  /** Everything that is not of the living; `isLive` is asked with the path of each sandbox. */
  async recover(agentId: string, isLive: (sandbox: string) => boolean): Promise<void> {
    const slaves = join(this.#options.paths.work, 'slaves');
    for (const agent of (await this.#disk.list(slaves)) ?? []) {
      const folder = join(slaves, agent);
      if (agent !== pathPart(agentId)) await this.#found(folder);
      else await this.#recoverFrameworks(join(folder, 'frameworks'), isLive);
    }
    this.#look();
  }

  async #recoverFrameworks(folder: string, isLive: (sandbox: string) => boolean): Promise<void> {
    for (const framework of (await this.#disk.list(folder)) ?? []) {
      const executors = join(folder, framework, 'executors');
      for (const executor of (await this.#disk.list(executors)) ?? []) {
        const runs = join(executors, executor, 'runs');
        for (const run of (await this.#disk.list(runs)) ?? []) {
          const sandbox = join(runs, run);
          if (run !== 'latest' && !isLive(sandbox)) await this.#found(sandbox);
        }
      }
    }
  }

  async #found(folder: string): Promise<void> {
    const about = await stat(folder).catch(() => undefined);
    if (about !== undefined) this.#ended.set(folder, about.mtimeMs);
  }

  ended(sandbox: string): void {
    this.#ended.set(sandbox, this.#env.clock.now());
  }

  /** Somebody else removes it. */
  removedByOthers(sandbox: string): void {
    this.#ended.delete(sandbox);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Looks now; resolves when what is due is gone. */
  async collect(used?: number): Promise<void> {
    this.allowedAgeMs = allowedAgeMs(this.#options, used ?? (await this.#used()));
    const oldest = this.#env.clock.now() - this.allowedAgeMs;
    const due = [...this.#ended].filter(([, endedAt]) => endedAt <= oldest);
    if (due.length === 0) return;
    const mounts = await mountPoints();
    for (const [folder] of due.toSorted(([, a], [, b]) => a - b)) {
      if (this.#isClosed) return;
      if (mounts.some((mount) => mount === folder || mount.startsWith(`${folder}/`))) {
        this.#env.log.warn('A sandbox is kept: something is mounted in it', { folder });
        continue;
      }
      await this.#remove(folder);
    }
  }

  async #remove(folder: string): Promise<void> {
    this.#ended.delete(folder);
    try {
      await rm(folder, { recursive: true, force: true });
      // What a nested container's lies in is its executor's, which may live.
      if (basename(dirname(folder)) !== NESTED) await this.#removeEmpty(dirname(folder));
      this.removed += 1;
    } catch (error) {
      this.failed += 1;
      this.#env.log.warn('Cannot remove a sandbox', { folder, error });
    }
  }

  /** Up to the agent's folder: an executor without runs, a framework without executors. */
  async #removeEmpty(folder: string): Promise<void> {
    const slaves = join(this.#options.paths.work, 'slaves');
    const depth = folder.slice(slaves.length).split('/').length;
    if (!folder.startsWith(`${slaves}/`) || depth <= 2) return;
    const names = (await this.#disk.list(folder)) ?? [];
    if (names.some((name) => name !== 'latest')) return;
    await rm(join(folder, 'latest'), { force: true });
    try {
      await rmdir(folder);
    } catch {
      // A new run began in it meanwhile.
      return;
    }
    await this.#removeEmpty(dirname(folder));
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#running = this.collect().catch((error: unknown) => {
      this.#env.log.warn('Cannot collect sandboxes', { error });
    });
    void this.#running.then(() => {
      if (this.#isClosed) return;
      this.#timer = this.#env.timers.after(this.#options.watchMs, () => this.#look());
    });
  }

  async #used(): Promise<number> {
    const { blocks, bavail } = await statfs(this.#options.paths.work);
    return blocks === 0 ? 0 : 1 - bavail / blocks;
  }
}
