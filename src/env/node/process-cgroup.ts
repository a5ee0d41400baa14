// Control groups, version 1 and 2, by their files: made, limited, read and removed for
// process-host.ts. Only root has them; elsewhere `findCgroups` answers undefined.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { ProcessLimits, ProcessUsage } from '#env/process.ts';

export interface CgroupRoots {
  readonly version: 1 | 2;
  /** Controller name -> mount point; version 2 has one entry named `unified`. */
  readonly roots: ReadonlyMap<string, string>;
}

const CONTROLLERS_V1 = ['cpu', 'cpuacct', 'memory', 'pids', 'freezer', 'devices'];
const CPU_PERIOD_US = 100_000;
const CPU_QUOTA_US_MIN = 1_000;
const CPU_SHARES_MIN = 2;
const TOP_CPUS_PER_CORE = 8;
const MEMORY_BYTES_MIN = 4 * 1024 * 1024;

export function findCgroups(): CgroupRoots | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const roots = new Map<string, string>();
  let unified: string | undefined;
  let mounts: string;
  try {
    mounts = readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of mounts.split('\n')) {
    const [, point, type, options] = line.split(' ');
    if (point === undefined || options === undefined) continue;
    if (type === 'cgroup2') unified ??= point;
    if (type !== 'cgroup') continue;
    for (const name of options.split(',')) {
      if (CONTROLLERS_V1.includes(name) && !roots.has(name)) roots.set(name, point);
    }
  }
  if (roots.has('memory') || roots.has('cpu')) return { version: 1, roots };
  if (unified === undefined || readText(join(unified, 'cgroup.controllers')) === '') {
    return undefined;
  }
  return { version: 2, roots: new Map([['unified', unified]]) };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function foldersOf(cgroups: CgroupRoots, path: string): readonly string[] {
  return [...new Set(cgroups.roots.values())].map((root) => join(root, path));
}

function folderOf(cgroups: CgroupRoots, controller: string, path: string): string | undefined {
  const root = cgroups.roots.get(cgroups.version === 2 ? 'unified' : controller);
  return root === undefined ? undefined : join(root, path);
}

/** In version 2 a controller works in a folder only when every folder above hands it down. */
function enableControllers(root: string, path: string): void {
  const known = new Set(readText(join(root, 'cgroup.controllers'))?.split(' ') ?? []);
  const wanted = ['cpu', 'memory', 'pids'].filter((name) => known.has(name));
  const parents: string[] = [root];
  for (const part of dirname(path)
    .split('/')
    .filter((part) => part !== '' && part !== '.')) {
    parents.push(join(parents.at(-1) ?? root, part));
  }
  for (const parent of parents) {
    mkdirSync(parent, { recursive: true });
    for (const name of wanted) {
      try {
        writeFileSync(join(parent, 'cgroup.subtree_control'), `+${name}`);
      } catch {
        // A parent with processes of its own hands nothing down: limits stay off, as documented.
      }
    }
  }
}

/** Makes the cgroup and returns the cgroup.procs files that a process enters it by. */
export function makeCgroup(
  cgroups: CgroupRoots,
  path: string,
  limits: ProcessLimits,
): readonly string[] {
  if (cgroups.version === 2) enableControllers(cgroups.roots.get('unified') ?? '', path);
  const folders = foldersOf(cgroups, path);
  const top = path.split('/').find((part) => part !== '') ?? path;
  const tops = new Set(foldersOf(cgroups, top));
  const made = folders.map((folder) => mkdirSync(folder, { recursive: true }));
  if (made.some((first) => first !== undefined && tops.has(first))) {
    // All groups together must not count as one process among the machine's others.
    applyLimits(cgroups, top, { cpus: TOP_CPUS_PER_CORE * availableParallelism() });
  }
  applyLimits(cgroups, path, limits);
  return folders.map((folder) => join(folder, 'cgroup.procs'));
}

function quotaUs(cpus: number): number {
  return Math.max(CPU_QUOTA_US_MIN, Math.round(cpus * CPU_PERIOD_US));
}

/** Also for a running process: limits may be changed at any time. */
export function applyLimits(cgroups: CgroupRoots, path: string, limits: ProcessLimits): void {
  const write = (controller: string, file: string, value: string): void => {
    const folder = folderOf(cgroups, controller, path);
    if (folder !== undefined && existsSync(join(folder, file))) {
      writeFileSync(join(folder, file), value);
    }
  };
  const { cpus, cpusMax, memoryBytesMax, pidsMax, devices } = limits;
  const v2 = cgroups.version === 2;
  if (cpus !== undefined) {
    const shares = Math.max(CPU_SHARES_MIN, Math.round(1024 * cpus));
    // The kernel's own mapping from shares (2..262144) to weight (1..10000).
    const weight = 1 + Math.floor(((Math.min(shares, 262_144) - 2) * 9999) / 262_142);
    if (v2) write('cpu', 'cpu.weight', String(weight));
    else write('cpu', 'cpu.shares', String(shares));
  }
  if (cpusMax !== undefined) {
    if (v2) write('cpu', 'cpu.max', `${quotaUs(cpusMax)} ${CPU_PERIOD_US}`);
    else {
      write('cpu', 'cpu.cfs_period_us', String(CPU_PERIOD_US));
      write('cpu', 'cpu.cfs_quota_us', String(quotaUs(cpusMax)));
    }
  }
  if (memoryBytesMax !== undefined) {
    const bytes = String(Math.max(MEMORY_BYTES_MIN, Math.floor(memoryBytesMax)));
    write('memory', v2 ? 'memory.max' : 'memory.limit_in_bytes', bytes);
  }
  if (pidsMax !== undefined) write('pids', 'pids.max', String(pidsMax));
  if (devices === undefined) return;
  // Version 2 has no file for it, only programs in the kernel.
  if (v2) throw new Error('devices cannot be limited with cgroups of version 2');
  write('devices', 'devices.deny', 'a');
  for (const device of devices) write('devices', 'devices.allow', device);
}

/** As `applyLimits`, but memory that was given is never taken back. */
export function raiseLimits(cgroups: CgroupRoots, path: string, limits: ProcessLimits): void {
  const folder = folderOf(cgroups, 'memory', path);
  const file = cgroups.version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
  const text = folder === undefined ? undefined : readText(join(folder, file));
  const current = text === 'max' ? Infinity : Number(text ?? 0);
  const { memoryBytesMax = 0, ...rest } = limits;
  applyLimits(cgroups, path, memoryBytesMax > current ? { ...rest, memoryBytesMax } : rest);
}

/** Every process in the cgroup and, unless only its own are asked for, in those below it. */
export function cgroupPids(
  cgroups: CgroupRoots,
  path: string,
  which: 'own' | 'all' = 'all',
): readonly number[] {
  const first = foldersOf(cgroups, path).find((folder) => existsSync(folder));
  if (first === undefined) return [];
  return which === 'own' ? ownPids(first) : pidsBelow(first);
}

function ownPids(folder: string): number[] {
  const text = readText(join(folder, 'cgroup.procs')) ?? '';
  return text.split('\n').filter(Boolean).map(Number);
}

function pidsBelow(folder: string): number[] {
  return [...ownPids(folder), ...childFolders(folder).flatMap(pidsBelow)];
}

function childFolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(folder, name));
  } catch {
    return [];
  }
}

export function oomKillCount(cgroups: CgroupRoots, path: string): number {
  const folder = folderOf(cgroups, 'memory', path);
  if (folder === undefined) return 0;
  const file = cgroups.version === 2 ? 'memory.events' : 'memory.oom_control';
  const match = /^oom_kill (\d+)$/m.exec(readText(join(folder, file)) ?? '');
  return Number(match?.[1] ?? 0);
}

/** The most that was used at once; 0 where the kernel does not tell (version 2 before Linux 5.19). */
export function memoryPeak(cgroups: CgroupRoots, path: string): number {
  const folder = folderOf(cgroups, 'memory', path) ?? '';
  const file = cgroups.version === 2 ? 'memory.peak' : 'memory.max_usage_in_bytes';
  return Number(readText(join(folder, file)) ?? 0);
}

export function cgroupUsage(cgroups: CgroupRoots, path: string): ProcessUsage | undefined {
  const cpu = folderOf(cgroups, 'cpuacct', path) ?? folderOf(cgroups, 'cpu', path);
  const memory = folderOf(cgroups, 'memory', path);
  if (cpu === undefined || memory === undefined || !existsSync(memory)) return undefined;
  const v2 = cgroups.version === 2;
  const cpuText = readText(join(cpu, v2 ? 'cpu.stat' : 'cpuacct.usage')) ?? '0';
  const cpuSeconds = v2
    ? Number(/usage_usec (\d+)/.exec(cpuText)?.[1] ?? 0) / 1e6
    : Number(cpuText) / 1e9;
  const bytes = readText(join(memory, v2 ? 'memory.current' : 'memory.usage_in_bytes')) ?? '0';
  const processCount = cgroupPids(cgroups, path).length;
  const detail = v2 ? detailV2(cpu, memory) : detailV1(cgroups, path, cpu, memory);
  return { cpuSeconds, memoryBytes: Number(bytes), processCount, detail };
}

/** `name value` lines; what is not there is 0. */
function table(path: string): (name: string) => number {
  const text = readText(path) ?? '';
  const values = new Map(text.split('\n').map((line) => line.split(' ') as [string, string]));
  return (name) => Number(values.get(name) ?? 0);
}

const TICKS_PER_SECOND = 100;

function detailV1(cgroups: CgroupRoots, path: string, cpu: string, memory: string) {
  const times = table(join(cpu, 'cpuacct.stat'));
  const quota = table(join(folderOf(cgroups, 'cpu', path) ?? cpu, 'cpu.stat'));
  const used = table(join(memory, 'memory.stat'));
  return {
    cpuUserSeconds: times('user') / TICKS_PER_SECOND,
    cpuSystemSeconds: times('system') / TICKS_PER_SECOND,
    quotaPeriods: quota('nr_periods'),
    throttledPeriods: quota('nr_throttled'),
    throttledSeconds: quota('throttled_time') / 1e9,
    anonymousBytes: used('total_rss'),
    cacheBytes: used('total_cache'),
    mappedBytes: used('total_mapped_file'),
    swapBytes: used('total_swap'),
  };
}

function detailV2(cpu: string, memory: string) {
  const times = table(join(cpu, 'cpu.stat'));
  const used = table(join(memory, 'memory.stat'));
  return {
    cpuUserSeconds: times('user_usec') / 1e6,
    cpuSystemSeconds: times('system_usec') / 1e6,
    quotaPeriods: times('nr_periods'),
    throttledPeriods: times('nr_throttled'),
    throttledSeconds: times('throttled_usec') / 1e6,
    anonymousBytes: used('anon'),
    cacheBytes: used('file'),
    mappedBytes: used('file_mapped'),
    swapBytes: Number(readText(join(memory, 'memory.swap.current')) ?? 0),
  };
}

/** False while processes are still leaving it: try again then. Empty parents go with the last. */
export function removeCgroup(cgroups: CgroupRoots, path: string): boolean {
  if (!foldersOf(cgroups, path).map(removeFolder).every(Boolean)) return false;
  for (let above = dirname(path); above.includes('/'); above = dirname(above)) {
    // The kernel knows at once whether one is empty; a thousand neighbours are not to be read for it.
    for (const folder of foldersOf(cgroups, above)) removeEmpty(folder);
  }
  return true;
}

function removeFolder(folder: string): boolean {
  if (removeEmpty(folder)) return true;
  return childFolders(folder).map(removeFolder).every(Boolean) && removeEmpty(folder);
}

/** True when it is gone. */
function removeEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'ENOENT';
  }
}
