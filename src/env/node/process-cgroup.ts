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
import { basename, dirname, join } from 'node:path';
import type { BlockIo, ProcessLimits, ProcessUsage } from '#env/process.ts';
import { allowDevices } from './device-program.ts';

export interface CgroupRoots {
  readonly version: 1 | 2;
  /** Controller name -> mount point; version 2 has one entry named `unified`. */
  readonly roots: ReadonlyMap<string, string>;
}

const CONTROLLERS_V1 = ['cpu', 'cpuacct', 'memory', 'pids', 'freezer', 'devices'];
/** A process is under these only when that is asked for. */
const MORE_V1 = ['cpuset', 'blkio', 'hugetlb', 'perf_event', 'net_cls', 'net_prio'];
/** Controllers that version 2 calls otherwise, or has without one. */
const NAMES_V2: Readonly<Record<string, string>> = { blkio: 'io' };
const ALWAYS_V2 = ['cpuacct', 'freezer', 'perf_event', 'devices'];
const CPU_PERIOD_US = 100_000;
const CPU_QUOTA_US_MIN = 1_000;
const CPU_SHARES_MIN = 2;
const TOP_CPUS_PER_CORE = 8;
const MEMORY_BYTES_MIN = 4 * 1024 * 1024;
/**
 * In version 2 a group with processes hands memory and I/O to no group below it. So those of a container are in
 * a leaf of its group, and nested containers are beside that. No container's id has a dot.
 */
const LEAF = '.own';

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
      const isKnown = CONTROLLERS_V1.includes(name) || MORE_V1.includes(name);
      if (isKnown && !roots.has(name)) roots.set(name, point);
    }
  }
  if (roots.has('memory') || roots.has('cpu')) return { version: 1, roots };
  if (unified === undefined || readText(join(unified, 'cgroup.controllers')) === '') {
    return undefined;
  }
  return { version: 2, roots: new Map([['unified', unified]]) };
}

/** Every hierarchy that is mounted, by its mount point: also those that OCI runtimes make groups in and we do not. */
export function everyHierarchy(): CgroupRoots {
  const lines = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const points = lines
    .map((line) => line.split(' '))
    .filter(([, , type]) => /^cgroup2?$/.test(type ?? ''));
  return { version: 1, roots: new Map(points.map(([, point = '']) => [point, point])) };
}

/** Empty groups of that path wherever they can be made: then nobody takes those above for left over. */
export function holdCgroup(cgroups: CgroupRoots, path: string): void {
  for (const folder of foldersOf(cgroups, path)) {
    try {
      mkdirSync(folder, { recursive: true });
    } catch {
      // It is mounted to be read, or another container's: nobody makes groups there.
    }
  }
}

/** Their names in version 1, whatever the version is. */
export function controllersOf(cgroups: CgroupRoots): ReadonlySet<string> {
  if (cgroups.version === 1) return new Set(cgroups.roots.keys());
  const root = cgroups.roots.get('unified') ?? '';
  const known = new Set(readText(join(root, 'cgroup.controllers'))?.split(' ') ?? []);
  const named = [...CONTROLLERS_V1, ...MORE_V1].filter((name) => known.has(NAMES_V2[name] ?? name));
  return new Set([...named, ...ALWAYS_V2]);
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
function enableControllers(root: string, path: string, more: readonly string[]): void {
  const known = new Set(readText(join(root, 'cgroup.controllers'))?.split(' ') ?? []);
  const names = ['cpu', 'memory', 'pids', ...more.map((name) => NAMES_V2[name] ?? name)];
  const wanted = names.filter((name) => known.has(name));
  const parents: string[] = [root];
  for (const part of dirname(path)
    .split('/')
    .filter((part) => part !== '' && part !== '.')) {
    parents.push(join(parents.at(-1) ?? root, part));
  }
  for (const parent of parents) {
    mkdirSync(parent, { recursive: true });
    // It would refuse memory, but take cpu and pids: then no process may enter any group below it.
    if (!isMachines(parent) && hasProcesses(parent)) return;
    for (const name of wanted) {
      try {
        writeFileSync(join(parent, 'cgroup.subtree_control'), `+${name}`);
      } catch {
        // It is not handed down to this parent: the limit stays off, as documented.
      }
    }
  }
}

const hasProcesses = (folder: string): boolean =>
  (readText(join(folder, 'cgroup.procs')) ?? '') !== '';

/** The kernel's first group, which the rule is not for, has no type. */
const isMachines = (folder: string): boolean => !existsSync(join(folder, 'cgroup.type'));

/** Those that a process with such limits is under. */
function foldersFor(
  cgroups: CgroupRoots,
  path: string,
  more: readonly string[] = [],
): readonly string[] {
  if (cgroups.version === 2) return foldersOf(cgroups, path);
  const isIn = (name: string): boolean => CONTROLLERS_V1.includes(name) || more.includes(name);
  const roots = [...cgroups.roots].filter(([name]) => isIn(name)).map(([, root]) => root);
  return [...new Set(roots)].map((root) => join(root, path));
}

/** In version 1 a new group may use no cores and no memory at all until it is told which. */
function inheritCpuset(root: string, path: string): void {
  let parent = root;
  for (const part of path.split('/').filter(Boolean)) {
    const folder = join(parent, part);
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (readText(join(folder, file)) !== '') continue;
      writeFileSync(join(folder, file), readText(join(parent, file)) ?? '');
    }
    parent = folder;
  }
}

/** Makes the group with its limits, for somebody else to put processes into. */
export function prepareCgroup(cgroups: CgroupRoots, path: string, limits: ProcessLimits): void {
  const { controllers = [] } = limits;
  const top = path.split('/').find((part) => part !== '') ?? path;
  const tops = new Set(foldersOf(cgroups, top));
  let isFirst = false;
  if (cgroups.version === 2) {
    isFirst = [...tops].some((folder) => !existsSync(folder));
    enableControllers(cgroups.roots.get('unified') ?? '', path, controllers);
  }
  for (const folder of foldersFor(cgroups, path, controllers)) {
    const made = mkdirSync(folder, { recursive: true });
    isFirst ||= made !== undefined && tops.has(made);
  }
  if (isFirst) {
    // All groups together must not count as one process among the machine's others.
    applyLimits(cgroups, top, { cpus: TOP_CPUS_PER_CORE * availableParallelism() });
  }
  const cpuset = cgroups.roots.get('cpuset');
  if (cpuset !== undefined && controllers.includes('cpuset')) inheritCpuset(cpuset, path);
  applyLimits(cgroups, path, limits);
}

/**
 * Makes the cgroup and returns the files by which a process of one thread enters it, writing 0. In version 1
 * that is `tasks`: `cgroup.procs` has every process of the machine wait for the kernel (5 to 20 ms).
 */
export function makeCgroup(
  cgroups: CgroupRoots,
  path: string,
  limits: ProcessLimits,
): readonly string[] {
  prepareCgroup(cgroups, path, limits);
  const folders = foldersFor(cgroups, path, limits.controllers);
  if (cgroups.version === 1) return folders.map((folder) => join(folder, 'tasks'));
  return folders.map((folder) => {
    mkdirSync(join(folder, LEAF), { recursive: true });
    return join(folder, LEAF, 'cgroup.procs');
  });
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
  const { cpus, cpusMax, memoryBytesMax, memoryBytesLow, limitsSwap, pidsMax, devices } = limits;
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
  if (memoryBytesLow !== undefined) {
    write('memory', v2 ? 'memory.low' : 'memory.soft_limit_in_bytes', String(memoryBytesLow));
  }
  if (memoryBytesMax !== undefined) {
    const bytes = String(Math.max(MEMORY_BYTES_MIN, Math.floor(memoryBytesMax)));
    const withSwap = 'memory.memsw.limit_in_bytes';
    // Neither may ever be above the other: which is first depends on the way that they go.
    const isRaised = !v2 && limitsSwap === true && !isAbove(cgroups, path, bytes);
    if (isRaised) write('memory', withSwap, bytes);
    write('memory', v2 ? 'memory.max' : 'memory.limit_in_bytes', bytes);
    if (limitsSwap === true && !isRaised) {
      write('memory', v2 ? 'memory.swap.max' : withSwap, v2 ? '0' : bytes);
    }
  }
  if (pidsMax !== undefined) write('pids', 'pids.max', String(pidsMax));
  if (limits.netClass !== undefined) write('net_cls', 'net_cls.classid', String(limits.netClass));
  if (devices === undefined) return;
  if (v2) {
    allowDevices(folderOf(cgroups, 'devices', path) ?? '', devices);
    return;
  }
  write('devices', 'devices.deny', 'a');
  for (const device of devices) write('devices', 'devices.allow', device);
}

/** `c 1:3 rwm` without what may be done with it. */
const deviceOf = (rule: string): string => rule.slice(0, rule.lastIndexOf(' '));

/** Of a running process: nothing that it keeps is denied meanwhile. */
function changeDevices(cgroups: CgroupRoots, path: string, devices: readonly string[]): void {
  const folder = folderOf(cgroups, 'devices', path);
  if (folder === undefined || !existsSync(folder)) return;
  if (cgroups.version === 2) return allowDevices(folder, devices);
  const kept = new Set(devices.map(deviceOf));
  const list = (readText(join(folder, 'devices.list')) ?? '').split('\n').filter(Boolean);
  const gone = list.filter((rule) => !kept.has(deviceOf(rule)));
  for (const rule of gone) writeFileSync(join(folder, 'devices.deny'), rule);
  for (const rule of devices) writeFileSync(join(folder, 'devices.allow'), rule);
}

/** Whether memory and swap together may be more than that now. */
function isAbove(cgroups: CgroupRoots, path: string, bytes: string): boolean {
  const file = join(folderOf(cgroups, 'memory', path) ?? '', 'memory.memsw.limit_in_bytes');
  return Number(readText(file) ?? 0) >= Number(bytes);
}

/** As `applyLimits`, but memory that was given is never taken back. */
export function raiseLimits(cgroups: CgroupRoots, path: string, limits: ProcessLimits): void {
  const folder = folderOf(cgroups, 'memory', path);
  const file = cgroups.version === 2 ? 'memory.max' : 'memory.limit_in_bytes';
  const text = folder === undefined ? undefined : readText(join(folder, file));
  const current = text === 'max' ? Infinity : Number(text ?? 0);
  const { memoryBytesMax = 0, devices, ...rest } = limits;
  applyLimits(cgroups, path, memoryBytesMax > current ? { ...rest, memoryBytesMax } : rest);
  if (devices !== undefined) changeDevices(cgroups, path, devices);
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
  return [...pidsIn(folder), ...pidsIn(join(folder, LEAF))];
}

function pidsIn(folder: string): number[] {
  const text = readText(join(folder, 'cgroup.procs')) ?? '';
  return text.split('\n').filter(Boolean).map(Number);
}

function pidsBelow(folder: string): number[] {
  return [...pidsIn(folder), ...childFolders(folder).flatMap(pidsBelow)];
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

/** What is gone meanwhile is no failure. */
function attempt(what: () => unknown): void {
  try {
    what();
  } catch {}
}

/** Ends every process in the group and below it: in version 2, since Linux 5.14, also those that are being made. */
export function killCgroup(cgroups: CgroupRoots, path: string): void {
  const kill = join(folderOf(cgroups, 'unified', path) ?? '', 'cgroup.kill');
  if (cgroups.version === 2 && existsSync(kill)) attempt(() => writeFileSync(kill, '1'));
  for (const pid of cgroupPids(cgroups, path)) attempt(() => process.kill(pid, 'SIGKILL'));
}

/** Of its own processes, not of containers below it. */
export function oomKillCount(cgroups: CgroupRoots, path: string): number {
  const folder = folderOf(cgroups, 'memory', path);
  if (folder === undefined) return 0;
  const countIn = (file: string): number => table(join(folder, file))('oom_kill');
  if (cgroups.version === 1) return countIn('memory.oom_control');
  // Those of the leaf count there once anything is nested, and here before.
  const files = ['memory.events.local', join(LEAF, 'memory.events.local')];
  return files.reduce((sum, file) => sum + countIn(file), 0);
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
    blockIo: blockIoV1(folderOf(cgroups, 'blkio', path)),
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
    blockIo: blockIoV2(memory),
  };
}

/** Lines of `MAJOR:MINOR rbytes=1 wbytes=2 rios=3 wios=4 …`, under the kinds of version 1. */
function blockIoV2(folder: string): readonly BlockIo[] | undefined {
  const text = readText(join(folder, 'io.stat'));
  if (text === undefined) return undefined;
  return [...text.matchAll(/^(\d+):(\d+) (\S.*)$/gm)].map(([, major, minor, counts = '']) => {
    const values = new Map(counts.split(' ').map((one) => one.split('=') as [string, string]));
    const of = (...names: string[]): Record<string, number> => {
      const [Read = 0, Write = 0, Discard = 0] = names.map((name) => Number(values.get(name) ?? 0));
      return { Read, Write, Discard, Total: Read + Write + Discard };
    };
    return {
      major: Number(major),
      minor: Number(minor),
      serviced: of('rios', 'wios', 'dios'),
      bytes: of('rbytes', 'wbytes', 'dbytes'),
    };
  });
}

/** Lines of `MAJOR:MINOR KIND NUMBER`; undefined where the process is not under the controller. */
function blockIoV1(folder: string | undefined): readonly BlockIo[] | undefined {
  if (folder === undefined || !existsSync(folder)) return undefined;
  const devices = new Map<string, BlockIo & Record<'serviced' | 'bytes', Record<string, number>>>();
  for (const [field, file] of [
    ['serviced', 'blkio.throttle.io_serviced_recursive'],
    ['bytes', 'blkio.throttle.io_service_bytes_recursive'],
  ] as const) {
    const text = readText(join(folder, file)) ?? '';
    for (const [, major, minor, kind = '', count] of text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)) {
      const name = `${major}:${minor}`;
      const one = devices.get(name) ?? {
        major: Number(major),
        minor: Number(minor),
        serviced: {},
        bytes: {},
      };
      one[field][kind] = Number(count);
      devices.set(name, one);
    }
  }
  return [...devices.values()];
}

/** The cgroups below one, by their paths, parents first. */
export function cgroupsBelow(cgroups: CgroupRoots, path: string): readonly string[] {
  const names = foldersOf(cgroups, path)
    .flatMap(childFolders)
    .map((folder) => basename(folder))
    .filter((name) => name !== LEAF);
  return [...new Set(names)].flatMap((name) => {
    const below = `${path}/${name}`;
    return [below, ...cgroupsBelow(cgroups, below)];
  });
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

/** Without what is below it: false when there is something, or processes are still leaving it. */
export function removeEmptyCgroup(cgroups: CgroupRoots, path: string): boolean {
  if (cgroups.version === 2) foldersOf(cgroups, `${path}/${LEAF}`).map(removeEmpty);
  return foldersOf(cgroups, path).map(removeEmpty).every(Boolean);
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
