// The real process host: starts each command under a shim that outlives this process, learns of
// its end without polling, and adopts what an earlier process had started.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Clock, Timers } from '#env/env.ts';
import type {
  ExitStatus,
  HostProcess,
  ProcessHost,
  ProcessLimits,
  ProcessSpec,
  ProcessUsage,
  Signal,
} from '#env/process.ts';
import { type Platform, platformOf, startOf } from './platform.ts';
import {
  cgroupPids,
  cgroupsBelow,
  type CgroupRoots,
  cgroupUsage,
  controllersOf,
  findCgroups,
  killCgroup,
  makeCgroup,
  memoryPeak,
  oomKillCount,
  raiseLimits,
  removeCgroup,
  removeEmptyCgroup,
} from './process-cgroup.ts';
import { PortableProcessHost } from './portable-host.ts';
import { openOutput } from './process-log.ts';
import {
  filterPath,
  parseShimRecord,
  shimArguments,
  type ShimRecord,
  type ShimTools,
  toolEnvironment,
} from './process-shim.ts';
import { type ShimStarted, startShim } from './process-starter.ts';
import { windowsTools } from './process-table.ts';

export interface ProcessHostOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** False: never use cgroups, also as root. Default true. */
  readonly useCgroups?: boolean | undefined;
  /** Default: that of this machine. */
  readonly platform?: Platform | undefined;
}

export interface NodeProcessHost extends ProcessHost {
  readonly hasCgroups: boolean;
}

const REMOVE_RETRY_MS = 20;
const REMOVE_RETRIES_MAX = 250;
/** Each pause is twice the one before: five seconds in all, as for what is removed. */
const VACATE_PAUSE_MS_MAX = 2_560;

/** Folders of the PATH that this user may not look into hold nothing for it. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}

function findTools({ hasLinuxTools }: Platform): ShimTools {
  const folders = (process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(':');
  const find = (name: string): string | undefined =>
    [...folders, '/usr/sbin', '/usr/bin', '/sbin', '/bin']
      .map((folder) => join(folder, name))
      .find(isFile);
  const ofLinux = hasLinuxTools ? find : () => undefined;
  const env = ofLinux('env');
  const canReset =
    env !== undefined && spawnSync(env, ['--default-signal=INT', 'true']).status === 0;
  return {
    shell: find('dash') ?? '/bin/sh',
    setsid: ofLinux('setsid'),
    env: canReset ? env : undefined,
    unshare: ofLinux('unshare'),
    nsenter: ofLinux('nsenter'),
    setpriv: ofLinux('setpriv'),
    prlimit: ofLinux('prlimit'),
    script: ofLinux('script'),
    perl: find('perl'),
    isRoot: hasLinuxTools && process.getuid?.() === 0,
  };
}

function launchFault(spec: ProcessSpec, what: string, cause?: unknown): Fault {
  const because = cause instanceof Error ? `${what}: ${cause.message}` : what;
  return new Fault(
    { code: 'process-launch', stateFolder: spec.stateFolder },
    `Cannot start "${spec.argv[0] ?? ''}": ${because}`,
    { cause },
  );
}

function readRecord(stateFolder: string): ShimRecord {
  try {
    return parseShimRecord(readFileSync(join(stateFolder, 'status'), 'utf8'));
  } catch {
    return parseShimRecord('');
  }
}

function trySignal(pid: number, signal: Signal): boolean {
  try {
    process.kill(pid, signal as NodeJS.Signals);
    return true;
  } catch {
    return false;
  }
}

class ShimmedProcess implements HostProcess {
  readonly startedAt: number;
  readonly exited: Promise<ExitStatus>;
  readonly stateFolder: string;
  readonly record: ShimRecord;
  readonly leaderPid: number;
  ended: ExitStatus | undefined;
  /** Keeps the event loop alive until the end is known. */
  hold: () => void = () => {};
  #pid: number;
  readonly #cgroups: CgroupRoots | undefined;
  readonly #platform: Platform;
  #settle: (status: ExitStatus) => void = () => {};

  constructor(
    stateFolder: string,
    record: ShimRecord & { readonly pid: number },
    startedAt: number,
    cgroups: CgroupRoots | undefined,
    platform: Platform,
  ) {
    this.stateFolder = stateFolder;
    this.record = record;
    this.leaderPid = record.pid;
    this.#pid = record.pid;
    this.startedAt = startedAt;
    this.#cgroups = cgroups;
    this.#platform = platform;
    this.exited = new Promise((settle) => {
      this.#settle = settle;
    });
  }

  get pid(): number {
    if (this.ended === undefined && this.#pid === this.leaderPid) {
      this.#pid = this.#platform.commandPid(this.leaderPid);
    }
    return this.#pid;
  }

  isAlive(): boolean {
    return (
      this.ended === undefined &&
      this.#platform.startMark(this.leaderPid) === this.record.startTicks
    );
  }

  /** The shim is gone: what it wrote last is the answer; if it wrote none, it was killed itself. */
  onShimGone(now: number): void {
    if (this.ended !== undefined) return;
    const { ended, cgroup } = readRecord(this.stateFolder);
    if (ended === undefined) this.#killAll('SIGKILL');
    const at = ended === undefined ? now : endedAt(this.stateFolder, now);
    const oom =
      this.#cgroups !== undefined && cgroup !== undefined && oomKillCount(this.#cgroups, cgroup) > 0
        ? { oomKilled: true, memoryBytesPeak: memoryPeak(this.#cgroups, cgroup) }
        : {};
    this.ended = { ...(ended ?? { kind: 'signaled', signal: 9 }), at, ...oom };
    this.#killCgroup('SIGKILL');
    this.#settle(this.ended);
  }

  kill(signal: Signal, scope: 'process' | 'group' = 'process'): void {
    if (!this.isAlive()) return;
    if (scope === 'group') this.#killAll(signal);
    else trySignal(this.pid, signal);
  }

  #killAll(signal: Signal): void {
    // A reboot or a new process of that number: nothing of ours is left to kill.
    if (this.#platform.startMark(this.leaderPid) !== this.record.startTicks) {
      this.#killCgroup(signal);
      return;
    }
    const { pid, leaderPid } = this;
    const group = signal === 'SIGKILL' || inGroup(pid, leaderPid) ? leaderPid : pid;
    // What holds a terminal would end well if it heard of it. Before the command has its session it has no group.
    if (!trySignal(-group, signal)) trySignal(group, signal);
    if (pid !== group) trySignal(pid, signal);
    this.#killCgroup(signal, [group, leaderPid]);
  }

  /** `reached`: groups that have heard of it already, or are not to. */
  #killCgroup(signal: Signal, reached: readonly number[] = []): void {
    const { cgroup, bootId: startedIn } = this.record;
    if (
      this.#cgroups === undefined ||
      cgroup === undefined ||
      startedIn !== this.#platform.bootId()
    )
      return;
    // What runs below is a container of its own: it is ended with this one, but not asked to end.
    const which = signal === 'SIGKILL' ? 'all' : 'own';
    for (const pid of cgroupPids(this.#cgroups, cgroup, which)) {
      const isOf = (group: number) => (signal === 'SIGKILL' ? pid === group : inGroup(pid, group));
      if (!reached.some(isOf)) trySignal(pid, signal);
    }
  }
}

/** Whether a pid is of that process group, so that a group signal has reached it already. */
function inGroup(pid: number, group: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[2]) === group;
  } catch {
    return true;
  }
}

function endedAt(stateFolder: string, now: number): number {
  return statSync(join(stateFolder, 'status'), { throwIfNoEntry: false })?.mtimeMs ?? now;
}

function makeTargets(spec: ProcessSpec): void {
  for (const { type, source, target, ifThere } of spec.mounts ?? []) {
    if (ifThere === true || (type !== undefined && type !== 'bind')) continue;
    // Below the root it is made inside, once the root is mounted.
    if (spec.root !== undefined && target.startsWith(spec.root)) continue;
    if (statSync(target, { throwIfNoEntry: false }) !== undefined) continue;
    if (statSync(source).isDirectory()) mkdirSync(target, { recursive: true });
    else {
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, '', { flag: 'a' });
    }
  }
}

class RealProcessHost implements NodeProcessHost {
  readonly #clock: Clock;
  readonly #timers: Timers;
  /** Groups of those that have ended, on their way out. */
  readonly #vacating = new Set<Promise<void>>();
  readonly #cgroups: CgroupRoots | undefined;
  readonly #platform: Platform;
  readonly #processes = new Map<string, ShimmedProcess>();
  /** Cgroups of what is being started: not among the processes yet, and nobody's leftover either. */
  readonly #launching = new Set<string>();
  readonly #adopting = new Map<string, Promise<ShimmedProcess | undefined>>();
  #tools: ShimTools | undefined;

  constructor(options: ProcessHostOptions) {
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#platform = options.platform ?? platformOf(process.platform);
    this.#cgroups = options.useCgroups === false ? undefined : findCgroups();
  }

  get hasCgroups(): boolean {
    return this.#cgroups !== undefined;
  }

  get controllers(): ReadonlySet<string> {
    return this.#cgroups === undefined ? new Set() : controllersOf(this.#cgroups);
  }

  members(cgroup: string): readonly number[] {
    return this.#cgroups === undefined ? [] : cgroupPids(this.#cgroups, cgroup);
  }

  async sweep(cgroup: string, others: readonly string[] = []): Promise<void> {
    const cgroups = this.#cgroups;
    if (cgroups === undefined) return;
    const started = [...this.#processes.values()].map((one) => one.record.cgroup ?? '');
    const known = [...started, ...this.#launching, ...others];
    const leads = (path: string): boolean => known.some((one) => `${one}/`.startsWith(`${path}/`));
    const isBelow = (path: string): boolean => known.some((one) => path.startsWith(`${one}/`));
    for (const path of cgroupsBelow(cgroups, cgroup).toReversed()) {
      if (leads(path)) continue;
      // A container may make some for itself; what is empty there is nobody's.
      if (isBelow(path)) removeCgroup(cgroups, path);
      else await this.#removeCgroup(cgroups, path);
    }
  }

  async launch(spec: ProcessSpec): Promise<HostProcess> {
    this.#prepare(spec);
    const { cgroup = '' } = spec;
    this.#launching.add(cgroup);
    try {
      return await this.#launch(spec);
    } finally {
      this.#launching.delete(cgroup);
    }
  }

  async #launch(spec: ProcessSpec): Promise<HostProcess> {
    let args: string[];
    try {
      if (spec.containerd !== undefined) throw new Error('it has no containerd');
      const useCgroup = this.#cgroups !== undefined && spec.cgroup !== undefined;
      const procs = useCgroup
        ? makeCgroup(this.#cgroups as CgroupRoots, spec.cgroup as string, spec.limits ?? {})
        : [];
      this.#tools ??= findTools(this.#platform);
      args = shimArguments(spec, this.#tools, procs, this.#platform.shimFacts);
      const filter = filterPath(spec);
      if (filter !== undefined) writeFileSync(filter, spec.seccomp ?? '', { mode: 0o600 });
    } catch (error) {
      await this.#abandon(spec);
      throw launchFault(spec, 'its surroundings cannot be made', error);
    }
    const how = await this.#startShim(spec, args);
    let made = await this.#adopt(spec.stateFolder);
    if (made === undefined && how === 'lost' && readRecordText(spec.stateFolder) === '') {
      // No shim had claimed the folder. A late one may yet: one of the two then is too late for it.
      await rm(join(spec.stateFolder, 'status'));
      await this.#startShim(spec, args, false);
      made = await this.#adopt(spec.stateFolder);
    }
    if (made !== undefined) return made;
    await this.#abandon(spec);
    throw launchFault(spec, `the shim ended early, see "${spec.stderrPath}"`);
  }

  /** Of what has not come to run: neither its folder nor its cgroup stays. */
  async #abandon({ stateFolder, cgroup }: ProcessSpec): Promise<void> {
    if (this.#cgroups !== undefined && cgroup !== undefined) {
      await this.#removeCgroup(this.#cgroups, cgroup);
    }
    await removeState(stateFolder);
  }

  /** Each of these few steps takes less time than to have another thread take it. */
  #prepare(spec: ProcessSpec): void {
    const mounted = (spec.mounts ?? []).length > 0 || spec.namespaces?.of !== undefined;
    try {
      if (!mounted && !statSync(spec.cwd).isDirectory()) throw new Error('it is no folder');
      if (spec.stdinStaysOpen !== true) accessSync(spec.stdinPath ?? '/dev/null');
      makeTargets(spec);
    } catch (error) {
      throw launchFault(spec, 'its files are not there', error);
    }
    try {
      mkdirSync(dirname(spec.stateFolder), { recursive: true });
      mkdirSync(spec.stateFolder, { mode: 0o700 });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') {
        throw launchFault(spec, 'its state folder cannot be made', error);
      }
      const { stateFolder } = spec;
      throw new Fault(
        { code: 'process-exists', stateFolder },
        `Cannot start a process in "${stateFolder}": there is one already`,
      );
    }
  }

  async #startShim(spec: ProcessSpec, args: string[], byHelper = true): Promise<ShimStarted> {
    const { stateFolder } = spec;
    const tools = (this.#tools ??= findTools(this.#platform));
    const { shell, perl } = tools;
    const same = spec.stdoutPath === spec.stderrPath;
    const out = await openOutput(spec.stdoutPath, spec, perl).catch(async (error: unknown) => {
      await this.#abandon(spec);
      throw launchFault(spec, 'its output cannot be opened', error);
    });
    try {
      const err = same ? out : await openOutput(spec.stderrPath, spec, perl);
      try {
        const helper = byHelper && this.#platform.hasLinuxTools ? perl : undefined;
        const env = toolEnvironment(spec, tools);
        return await startShim({ shell, args, env, out, err, stateFolder, perl: helper });
      } finally {
        if (!same) closeSync(err);
      }
    } catch (error) {
      await this.#abandon(spec);
      throw launchFault(spec, 'no shim', error);
    } finally {
      closeSync(out);
    }
  }

  #remember(stateFolder: string, record: ShimRecord & { pid: number }): ShimmedProcess {
    const bornMs = statSync(join(stateFolder, 'life'), { throwIfNoEntry: false })?.birthtimeMs ?? 0;
    const { pid, startTicks = '' } = record;
    const age = () => this.#platform.ageMs?.(pid, startTicks);
    const made = new ShimmedProcess(
      stateFolder,
      record,
      startOf(bornMs, this.#clock.now(), age),
      this.#cgroups,
      this.#platform,
    );
    this.#processes.set(stateFolder, made);
    void made.exited.then(() => {
      const vacated = this.#vacate(made).finally(() => this.#vacating.delete(vacated));
      this.#vacating.add(vacated);
    });
    return made;
  }

  adopt(stateFolder: string): Promise<HostProcess | undefined> {
    const known = this.#processes.get(stateFolder);
    if (known !== undefined) return Promise.resolve(known);
    let adopting = this.#adopting.get(stateFolder);
    if (adopting === undefined) {
      adopting = this.#adopt(stateFolder).finally(() => this.#adopting.delete(stateFolder));
      this.#adopting.set(stateFolder, adopting);
    }
    return adopting;
  }

  async #adopt(stateFolder: string): Promise<ShimmedProcess | undefined> {
    if (statSync(stateFolder, { throwIfNoEntry: false }) === undefined) return undefined;
    if (sealed(stateFolder)) return undefined;
    const life = openLife(stateFolder);
    const socket = life === undefined ? undefined : lifeSocket(life);
    const gone = new Promise<void>((done) => socket?.once('close', done));
    if (socket !== undefined) await lineAppears(stateFolder, gone);
    const record = readRecord(stateFolder);
    if (record.pid === undefined) {
      socket?.destroy();
      return undefined;
    }
    const made = this.#remember(stateFolder, { ...record, pid: record.pid });
    if (socket === undefined || socket.closed) made.onShimGone(this.#clock.now());
    else {
      void gone.then(() => made.onShimGone(this.#clock.now()));
      socket.unref();
      made.hold = () => void socket.ref();
    }
    return made;
  }

  async dispose(stateFolder: string): Promise<void> {
    const found = (await this.adopt(stateFolder)) as ShimmedProcess | undefined;
    if (found !== undefined) {
      found.hold();
      found.kill('SIGKILL', 'group');
      await found.exited;
    }
    const { cgroup } = readRecord(stateFolder);
    if (this.#cgroups !== undefined && cgroup !== undefined) {
      await this.#removeCgroup(this.#cgroups, cgroup);
    }
    this.#processes.delete(stateFolder);
    await removeState(stateFolder);
  }

  /** The kernel gives no event for the last process leaving a version 1 group: try, then wait. */
  async #removeCgroup(cgroups: CgroupRoots, path: string): Promise<void> {
    for (let tries = 0; tries < REMOVE_RETRIES_MAX; tries++) {
      killCgroup(cgroups, path);
      if (removeCgroup(cgroups, path)) return;
      await new Promise<void>((done) => this.#timers.after(REMOVE_RETRY_MS, done));
    }
  }

  /** What has ended may be remembered for long, by who waits for it: its group need not be. */
  async #vacate({ record: { cgroup = '' } }: ShimmedProcess): Promise<void> {
    if (this.#cgroups === undefined || cgroup === '') return;
    for (let pauseMs = REMOVE_RETRY_MS; ;) {
      // Its own launch may not be over yet. If it is another's that is launched into it, it is not empty afterwards.
      if (!this.#launching.has(cgroup)) {
        if (removeEmptyCgroup(this.#cgroups, cgroup) || pauseMs > VACATE_PAUSE_MS_MAX) return;
        pauseMs *= 2;
      }
      await new Promise<void>((done) => this.#timers.after(pauseMs / 2, done));
    }
  }

  async settled(above?: string): Promise<void> {
    await Promise.all(this.#vacating);
    if (this.#cgroups !== undefined && above !== undefined) removeEmptyCgroup(this.#cgroups, above);
  }

  async usage(stateFolder: string): Promise<ProcessUsage | undefined> {
    const found = this.#processes.get(stateFolder);
    if (found === undefined || !found.isAlive()) return undefined;
    const { cgroup } = found.record;
    if (this.#cgroups !== undefined && cgroup !== undefined) {
      return cgroupUsage(this.#cgroups, cgroup);
    }
    return this.#platform.usage(found.leaderPid);
  }

  setLimits(stateFolder: string, limits: ProcessLimits): void {
    const cgroup = this.#processes.get(stateFolder)?.record.cgroup;
    if (this.#cgroups !== undefined && cgroup !== undefined) {
      raiseLimits(this.#cgroups, cgroup, limits);
    }
  }
}

/** A shim that comes too late, of a starter that was killed, may still be making files in it. */
function removeState(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 });
}

/** Takes the claim that the shim would need: true when no shim has started, and now none will. */
function sealed(stateFolder: string): boolean {
  try {
    closeSync(openSync(join(stateFolder, 'status'), 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    return readRecordText(stateFolder) === '' && !isAlive(stateFolder);
  }
}

function readRecordText(stateFolder: string): string {
  return readFileSync(join(stateFolder, 'status'), 'utf8');
}

function isAlive(stateFolder: string): boolean {
  const fd = openLife(stateFolder);
  if (fd !== undefined) closeSync(fd);
  return fd !== undefined;
}

/** The reading end of the FIFO, or undefined when nobody holds the other end any more. */
function openLife(stateFolder: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(join(stateFolder, 'life'), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    readSync(fd, new Uint8Array(1));
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EAGAIN') return fd;
  }
  closeSync(fd);
  return undefined;
}

/** It closes when the shim is gone. */
function lifeSocket(fd: number): Socket {
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.on('error', () => {});
  return socket.resume();
}

/** Waits until a living shim has recorded its command, or that it has none, or is gone. */
async function lineAppears(stateFolder: string, gone: Promise<void>): Promise<void> {
  const isThere = (): boolean => {
    const { pid, ended } = readRecord(stateFolder);
    return pid !== undefined || ended !== undefined;
  };
  if (isThere()) return;
  await new Promise<void>((done) => {
    const watcher = watch(stateFolder, check);
    function check(): void {
      if (isThere()) finish();
    }
    function finish(): void {
      watcher.close();
      done();
    }
    void gone.then(finish);
    check();
  });
}

export function createProcessHost(options: ProcessHostOptions): NodeProcessHost {
  if (process.platform === 'win32' && options.platform === undefined) {
    return new PortableProcessHost({ ...options, tools: windowsTools() });
  }
  return new RealProcessHost(options);
}
