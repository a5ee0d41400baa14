// What the process host asks of an operating system beside POSIX: which process is which, and what it uses.
// Linux answers by /proc, macOS and the BSDs by ps(1). Windows has no shell for the shim, and none of this.
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { uptime } from 'node:os';
import { promisify } from 'node:util';
import { Fault } from '#base/fault.ts';
import type { ProcessUsage } from '#env/process.ts';

export interface Platform {
  /** Tells a process from a later one of its number; undefined when there is none. */
  startMark(pid: number): string | undefined;
  /** How long a process with that mark runs, whatever was done to the clock meanwhile; undefined when it is gone. */
  ageMs?(pid: number, mark: string): number | undefined;
  /** Of this start of the machine; only needed where there are cgroups. */
  bootId(): string;
  /** The command that a recorded pid stands for. */
  commandPid(pid: number): number;
  /** Of all that a command has started. */
  usage(leader: number): Promise<ProcessUsage>;
  /** Shell lines before the command: they set `line`, and define `started` to note it. */
  readonly shimFacts: string;
  /** Whether the tools of util-linux and GNU coreutils do what they do on Linux. */
  readonly hasLinuxTools: boolean;
}

/** With what script(1) holds a terminal: quiet, the exit status, at once, of a command. */
export const TERMINAL_OPTIONS = '-qefc';

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

function statOf(pid: number | string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** More than its files and the kernel may be apart over when a process has started. */
const APART_MS_MAX = 2_000;

/** When it has started, as the clock shows it now: it may have been set since. `bornMs`: as it showed it then. */
export function startOf(bornMs: number, now: number, ageMs: () => number | undefined): number {
  if (Math.abs(now - bornMs) <= APART_MS_MAX) return bornMs;
  const age = ageMs();
  // A container may be told another uptime than its machine's.
  if (age === undefined || age < 0) return bornMs > 0 ? bornMs : now;
  return Math.abs(now - age - bornMs) <= APART_MS_MAX ? bornMs : now - age;
}

/** Whether a `script` is the one that holds the terminal of a command, and not the command itself. */
function holds(pid: number): boolean {
  const [, options] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  return options === TERMINAL_OPTIONS;
}

export const linuxPlatform: Platform = {
  startMark: (pid) => statOf(pid)?.[19],
  ageMs: (pid, mark) =>
    statOf(pid)?.[19] === mark ? (uptime() - Number(mark) / TICKS_PER_SECOND) * 1_000 : undefined,
  bootId: () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  /**
   * With another pid namespace the recorded pid is the tool's, with a terminal that of its holder; the command is the
   * only child of either.
   */
  commandPid(pid) {
    try {
      const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      const isTool = ['unshare', 'nsenter'].includes(name) || (name === 'script' && holds(pid));
      if (!isTool) return pid;
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
      const child = children.trim().split(' ')[0];
      return child === undefined || child === '' ? pid : linuxPlatform.commandPid(Number(child));
    } catch {
      return pid;
    }
  },
  async usage(leader) {
    let [ticks, memoryBytes, processCount] = [0, 0, 0];
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const fields = statOf(name);
      if (Number(fields?.[3]) !== leader) continue;
      ticks += Number(fields?.[11]) + Number(fields?.[12]);
      memoryBytes += Number(fields?.[21]) * PAGE_BYTES;
      processCount += 1;
    }
    return { cpuSeconds: ticks / TICKS_PER_SECOND, memoryBytes, processCount };
  },
  // The shell reads byte by byte: it is told what is known here.
  get shimFacts() {
    return `read -r line </proc/self/stat
started() { echo "started $1 \${22} ${this.bootId()}" >&9; }`;
  },
  hasLinuxTools: true,
};

/** `[[dd-]hh:]mm:ss[.cc]`, as ps writes processor time. */
export function secondsOf(time: string): number {
  const [clock = '', days = '0'] = time.split('-').toReversed();
  const parts = clock.split(':').map(Number);
  return parts.reduce((sum, part) => sum * 60 + part, 0) + Number(days) * 86_400;
}

/** Lines of `pid ppid pgid time rss`: what a group leader, its group and their descendants use. */
export function usageOf(table: string, leader: number): ProcessUsage {
  const rows = table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length === 5);
  const own = new Set<string>([String(leader)]);
  for (let size = -1; size !== own.size;) {
    size = own.size;
    for (const [pid = '', ppid = '', pgid = ''] of rows) {
      if (Number(pgid) === leader || own.has(ppid)) own.add(pid);
    }
  }
  const mine = rows.filter(([pid = '']) => own.has(pid));
  return {
    cpuSeconds: mine.reduce((sum, [, , , time = '0']) => sum + secondsOf(time), 0),
    memoryBytes: mine.reduce((sum, words) => sum + Number(words[4]) * 1024, 0),
    processCount: mine.length,
  };
}

const run = promisify(execFile);
// The task's own locale and zone would have the same moment look otherwise.
const PLAIN = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC0' };

export const psPlatform: Platform = {
  startMark(pid) {
    const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { env: PLAIN });
    const text = String(stdout ?? '').trim();
    return text === '' ? undefined : text.replaceAll(/\s+/g, '_');
  },
  bootId: () => '-',
  commandPid: (pid) => pid,
  async usage(leader) {
    const columns = ['pid=', 'ppid=', 'pgid=', 'time=', 'rss='].flatMap((name) => ['-o', name]);
    const { stdout } = await run('ps', ['-ax', ...columns], { env: PLAIN, maxBuffer: 1 << 26 });
    return usageOf(stdout, leader);
  },
  shimFacts: `line=$(exec /bin/sh -c 'echo $PPID')
mark=$(LC_ALL=C TZ=UTC0 ps -o lstart= -p "$line" | tr -s ' ' '_' | sed 's/_$//')
started() { echo "started $1 $mark -" >&9; }`,
  hasLinuxTools: false,
};

/** Fault `platform` where processes cannot be run. */
export function platformOf(name: NodeJS.Platform): Platform {
  if (name === 'linux') return linuxPlatform;
  if (name === 'darwin' || name === 'freebsd' || name === 'openbsd') return psPlatform;
  throw new Fault(
    { code: 'platform', name },
    `Cannot run processes on ${name}: there is no POSIX shell that could outlive the agent`,
  );
}
