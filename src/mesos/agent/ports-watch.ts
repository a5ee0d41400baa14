// Which ports containers listen on, against those that they have: Mesos' network/ports isolator. Who listens
// on another one is told of, and ended where that is wanted.
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Env, Timer } from '#env/env.ts';
import {
  containsRanges,
  normalizeRanges,
  type Ranges,
  subtractRanges,
} from '#mesos/resources/ranges.ts';
import type { Resource } from '#wire/mesos/v1.ts';

export interface PortsWatchOptions {
  /** Undefined: nobody looks. */
  readonly intervalMs: number | undefined;
  readonly enforces: boolean;
  /** The only ports that are looked at; undefined: all. */
  readonly isolated: Ranges | undefined;
  /** Every process of a container and of those below it. */
  readonly members: (containerId: string) => readonly number[];
  /** At most once for each container. */
  readonly onForeign: (
    containerId: string,
    message: string,
    limitation: readonly Resource[],
  ) => void;
}

interface Watched {
  allocated: Ranges;
  /** What was told last, so that the same is not told again. */
  told: string;
  isEnded: boolean;
}

const LISTEN = '0A';

/**
 * Ports of listening sockets by their inodes, out of /proc/net/tcp or tcp6. Mesos looks at version 4 only; a
 * socket of version 6 takes the port of both.
 */
export function listenersOf(table: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of table.split('\n').slice(1)) {
    const words = line.trim().split(/\s+/);
    const [, local = '', , state] = words;
    const inode = words[9];
    if (state !== LISTEN || inode === undefined || inode === '0') continue;
    found.set(inode, Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16));
  }
  return found;
}

/** As Mesos prints ranges: `[31000-31001, 31005-31005]`. */
export function rangesText(ranges: Ranges): string {
  return `[${ranges.map(({ begin, end }) => `${begin}-${end}`).join(', ')}]`;
}

/** Those of a container's ports that it does not have. */
export function foreignPorts(
  ports: readonly number[],
  allocated: Ranges,
  isolated: Ranges | undefined,
): Ranges {
  const open = normalizeRanges(ports.map((port) => ({ begin: port, end: port })));
  const looked =
    isolated === undefined ? open : subtractRanges(open, subtractRanges(open, isolated));
  return subtractRanges(looked, allocated);
}

export class PortsWatch {
  readonly #options: PortsWatchOptions;
  readonly #env: Env;
  readonly #all = new Map<string, Watched>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: PortsWatchOptions, env: Env) {
    this.#options = options;
    this.#env = env;
  }

  /** What a top-level container has now. */
  update(containerId: string, resources: readonly Resource[]): void {
    if (this.#options.intervalMs === undefined) return;
    const ports = resources.filter((one) => one.name === 'ports');
    const allocated = normalizeRanges(ports.flatMap((one) => one.ranges?.range ?? []));
    const watched = this.#all.get(containerId);
    if (watched === undefined) {
      this.#all.set(containerId, { allocated, told: '', isEnded: false });
    } else watched.allocated = allocated;
    this.#arm();
  }

  forget(containerId: string): void {
    this.#all.delete(containerId);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    const { intervalMs } = this.#options;
    if (this.#timer !== undefined || this.#isClosed || intervalMs === undefined) return;
    this.#timer = this.#env.timers.after(intervalMs, () => {
      void this.#look().finally(() => {
        this.#timer = undefined;
        if (this.#all.size > 0) this.#arm();
      });
    });
  }

  /** One container after the other: descriptors are many. */
  async #look(): Promise<void> {
    const tables = await Promise.all(
      ['tcp', 'tcp6'].map((name) => textOf(`/proc/self/net/${name}`)),
    );
    const listeners = new Map(tables.flatMap((table) => [...listenersOf(table)]));
    if (listeners.size === 0) return;
    for (const [containerId, watched] of this.#all) {
      if (watched.isEnded) continue;
      const ports = new Set<number>();
      for (const pid of this.#options.members(containerId)) {
        for (const inode of await socketsOf(pid)) {
          const port = listeners.get(inode);
          if (port !== undefined) ports.add(port);
        }
      }
      if (this.#isClosed || this.#all.get(containerId) !== watched) continue;
      this.#judge(containerId, watched, [...ports]);
    }
  }

  #judge(containerId: string, watched: Watched, ports: readonly number[]): void {
    const { enforces, isolated } = this.#options;
    const foreign = foreignPorts(ports, watched.allocated, isolated);
    const text = rangesText(foreign);
    if (containsRanges(watched.allocated, foreign) || watched.told === text) return;
    watched.told = text;
    const message = `Container ${containerId} is listening on unallocated port(s): ${text}`;
    this.#env.log.info(message);
    if (!enforces) return;
    watched.isEnded = true;
    const limitation: Resource = { name: 'ports', type: 'RANGES', ranges: { range: [...foreign] } };
    this.#options.onForeign(containerId, message, [limitation]);
  }
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** Inodes of the sockets that a process has open; none when it is gone. */
async function socketsOf(pid: number): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  const targets = await Promise.all(
    names.map((name) => readlink(`${folder}/${name}`).catch(() => '')),
  );
  return targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []);
}
