// Runs those processes that are to be containers of containerd's by its task API, beside a host that runs all others. Its
// shims are containerd's: they outlive this process and containerd alike, and a successor adopts what it finds there.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { appendFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { constants as osConstants } from 'node:os';
import { dirname, join } from 'node:path';
import { CAPABILITIES, capabilitiesIn } from '#base/capabilities.ts';
import { errorChain, Fault } from '#base/fault.ts';
import {
  type ContainerdClient,
  isContainerd,
  type TaskProcess,
} from '#containerd/containerd-client.ts';
import { ociRoot, ociSpec } from '#containerd/oci-spec.ts';
import type { Clock, Log, Timers } from '#env/env.ts';
import type {
  ExitStatus,
  HostProcess,
  ProcessHost,
  ProcessLimits,
  ProcessMount,
  ProcessSpec,
  ProcessUsage,
  Signal,
} from '#env/process.ts';
import {
  cgroupPids,
  type CgroupRoots,
  cgroupUsage,
  everyHierarchy,
  findCgroups,
  holdCgroup,
  prepareCgroup,
  memoryPeak,
  oomKillCount,
  raiseLimits,
  removeCgroup,
} from './process-cgroup.ts';
import { outputPlace } from './process-log.ts';

export interface ContainerdHostOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly client: ContainerdClient;
  /** Runs what is no container of containerd's. */
  readonly plain: ProcessHost;
}

/** What is known of a container in its state folder, from before it is made. */
interface Kept {
  readonly id: string;
  readonly cgroup: string | undefined;
  readonly pid?: number | undefined;
  readonly startedAt?: number | undefined;
  readonly ended?: ExitStatus | undefined;
}

const RECORD = 'containerd.json';
/** One line for each signal that was sent: containerd tells the end by one as a code of 128 and its number. */
const SIGNALS = 'signals';
const RUNTIME = 'io.containerd.runc.v2';
const SPEC_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';
const CGROUP_LABEL = 'strata.cgroup';
const FOLDER_LABEL = 'strata.state-folder';
const STOPPED = 3;
const CREATED = 1;
const SIGKILL = 9;
const RETRY_MS = 200;
/** For so long a start waits for a containerd that went away before it has answered. */
const UNSURE_MS_MAX = 10_000;
const REMOVE_TRIES_MAX = 5;
const NOT_FOUND_CODE = 127;
const NOT_EXECUTABLE_CODE = 126;
const PERL = ['/usr/bin/perl', '/usr/local/bin/perl', '/bin/perl'];

function numberOf(signal: Signal): number {
  return (osConstants.signals as Record<string, number>)[signal] ?? 0;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function instantOf({ exited_at }: { exited_at?: TaskProcess['exited_at'] }): number | undefined {
  const { seconds, nanos = 0 } = exited_at ?? {};
  return seconds === undefined ? undefined : seconds * 1000 + Math.floor(nanos / 1e6);
}

/** As runc says that there is no such command, or none that may be executed. */
function shellCode(message: string): number | undefined {
  if (!message.includes('exec: ')) return undefined;
  if (/executable file not found|no such file or directory/.test(message)) return NOT_FOUND_CODE;
  return /permission denied|is a directory/.test(message) ? NOT_EXECUTABLE_CODE : undefined;
}

class Container implements HostProcess {
  readonly folder: string;
  readonly exited: Promise<ExitStatus>;
  kept: Kept;
  readonly stopWaiting = new AbortController();
  readonly #client: ContainerdClient;
  readonly #options: ContainerdHostOptions;
  #settle: (status: ExitStatus) => void = () => {};

  constructor(folder: string, kept: Kept, options: ContainerdHostOptions) {
    this.folder = folder;
    this.kept = kept;
    this.#client = options.client;
    this.#options = options;
    this.exited = new Promise((settle) => {
      this.#settle = settle;
    });
    if (kept.ended !== undefined) this.#settle(kept.ended);
  }

  get pid(): number {
    return this.kept.pid ?? 0;
  }

  get startedAt(): number {
    return this.kept.startedAt ?? 0;
  }

  keep(kept: Partial<Kept>): void {
    this.kept = { ...this.kept, ...kept };
    const path = join(this.folder, RECORD);
    writeFileSync(`${path}.new`, JSON.stringify(this.kept), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  end(status: ExitStatus): void {
    if (existsSync(this.folder)) this.keep({ ended: status });
    else this.kept = { ...this.kept, ended: status };
    this.#settle(status);
  }

  wasSent(signal: number): boolean {
    return (read(join(this.folder, SIGNALS)) ?? '').split('\n').includes(String(signal));
  }

  kill(signal: Signal, scope: 'process' | 'group' = 'process'): void {
    if (this.kept.ended !== undefined) return;
    const number = numberOf(signal);
    appendFileSync(join(this.folder, SIGNALS), `${number}\n`);
    void this.#kill({ container_id: this.kept.id, signal: number, all: scope === 'group' });
  }

  /** A signal is not lost while containerd is started anew. */
  async #kill(request: { container_id: string; signal: number; all: boolean }): Promise<void> {
    const { log, timers } = this.#options;
    while (this.kept.ended === undefined && !this.stopWaiting.signal.aborted) {
      try {
        await this.#client.call('tasks.v1.Tasks/Kill', request);
        return;
      } catch (error) {
        if (isContainerd(error, 'not-found')) return;
        if (!isContainerd(error, 'unavailable')) {
          log.warn('A container cannot be signalled', { ...request, error: errorChain(error) });
          return;
        }
        await new Promise<void>((done) => timers.after(RETRY_MS, done));
      }
    }
  }

  readonly resize = async (height: number, width: number): Promise<void> => {
    const request = { container_id: this.kept.id, height, width };
    await this.#client.call('tasks.v1.Tasks/ResizePty', request);
  };
}

export class ContainerdHost implements ProcessHost {
  readonly #options: ContainerdHostOptions;
  readonly #client: ContainerdClient;
  readonly #plain: ProcessHost;
  readonly #cgroups: CgroupRoots | undefined = findCgroups();
  readonly #everywhere = everyHierarchy();
  readonly #containers = new Map<string, Container>();
  readonly #adopting = new Map<string, Promise<Container | undefined>>();
  /** Aborted when it is closed. */
  readonly #life = new AbortController();
  /** Made, but not yet among the containers. */
  readonly #launching = new Set<string>();

  constructor(options: ContainerdHostOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#plain = options.plain;
  }

  get controllers(): ReadonlySet<string> {
    return this.#plain.controllers;
  }

  members(cgroup: string): readonly number[] {
    return this.#plain.members(cgroup);
  }

  #isMine(stateFolder: string): boolean {
    return this.#containers.has(stateFolder) || existsSync(join(stateFolder, RECORD));
  }

  // ---- starting

  async launch(spec: ProcessSpec): Promise<HostProcess> {
    if (spec.containerd === undefined) return this.#plain.launch(spec);
    const container = this.#claim(spec);
    const { id } = container.kept;
    this.#launching.add(id);
    try {
      return await this.#launch(spec, container);
    } catch (cause) {
      const isAway = isContainerd(cause, 'unavailable');
      if (isAway) {
        // It may run all the same: it is removed once containerd is back.
        void this.#discard(container);
        throw launchFault(spec, cause);
      }
      await this.#remove(container.kept).catch(() => {});
      const code = shellCode(errorChain(cause));
      if (code !== undefined) {
        appendFileSync(spec.stderrPath, `${errorChain(cause)}\n`);
        const now = this.#options.clock.now();
        container.keep({ startedAt: now });
        container.end({ kind: 'exited', code, at: now });
        this.#containers.set(spec.stateFolder, container);
        return container;
      }
      await rm(spec.stateFolder, { recursive: true, force: true });
      throw launchFault(spec, cause);
    } finally {
      this.#launching.delete(id);
    }
  }

  async #discard({ kept, folder }: Container): Promise<void> {
    const { timers, log } = this.#options;
    while (!this.#life.signal.aborted) {
      try {
        await this.#remove(kept);
        await rm(folder, { recursive: true, force: true });
        return;
      } catch (error) {
        log.debug('A container is not removed yet', { id: kept.id, error: errorChain(error) });
        await new Promise<void>((done) => timers.after(RETRY_MS, done));
      }
    }
  }

  #claim(spec: ProcessSpec): Container {
    const { stateFolder, cgroup } = spec;
    const hash = createHash('sha256').update(stateFolder).digest('hex');
    const kept: Kept = { id: `mesos-${hash.slice(0, 40)}`, cgroup };
    try {
      mkdirSync(dirname(stateFolder), { recursive: true });
      mkdirSync(stateFolder, { mode: 0o700 });
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw launchFault(spec, error);
      throw new Fault(
        { code: 'process-exists', stateFolder },
        `Cannot start a process in "${stateFolder}": there is one already`,
      );
    }
    const made = new Container(stateFolder, kept, this.#options);
    made.keep({});
    return made;
  }

  async #launch(spec: ProcessSpec, container: Container): Promise<HostProcess> {
    const { stdoutPath, stderrPath } = spec;
    const oci = Buffer.from(ociSpec(spec, available()));
    const perl = PERL.find((path) => existsSync(path));
    const stdout = await outputPlace(stdoutPath, spec, perl);
    const isSame = stdoutPath === stderrPath;
    const stderr = isSame ? stdout : await outputPlace(stderrPath, spec, perl);
    try {
      const output = { stdout: stdout.path, stderr: stderr.path };
      return await this.#start(spec, container, oci, output);
    } finally {
      stdout.release();
      if (!isSame) stderr.release();
    }
  }

  async #start(
    spec: ProcessSpec,
    container: Container,
    oci: Buffer,
    { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  ): Promise<HostProcess> {
    const { stateFolder, cgroup, limits, containerd } = spec;
    const { id: container_id } = container.kept;
    makeInput(spec);
    if (cgroup !== undefined && this.#cgroups !== undefined) {
      const { devices: _allowedByRunc, ...others } = limits ?? {};
      prepareCgroup(this.#cgroups, cgroup, others);
      holdCgroup(this.#everywhere, cgroup);
    }
    await this.#client.call('containers.v1.Containers/Create', {
      container: {
        id: container_id,
        labels: { [CGROUP_LABEL]: cgroup ?? '', [FOLDER_LABEL]: stateFolder },
        image: containerd?.image,
        runtime: { name: RUNTIME },
        spec: { type_url: SPEC_TYPE, value: oci },
        snapshotter: containerd?.snapshotter,
        snapshot_key: containerd?.snapshotKey,
      },
    });
    await this.#client.call('tasks.v1.Tasks/Create', {
      container_id,
      rootfs: [rootMount(ociRoot(spec).base)],
      stdin: spec.stdinPath ?? '',
      stdout,
      stderr: spec.terminal === undefined ? stderr : '',
      terminal: spec.terminal !== undefined,
    });
    // It may have ended before that is answered.
    const startedAt = this.#options.clock.now();
    const { pid = 0 } = await this.#startTask(container_id);
    container.keep({ pid, startedAt });
    this.#containers.set(stateFolder, container);
    if (spec.stdinPath !== undefined && spec.stdinStaysOpen !== true) {
      // The shim holds a writing end until it is told not to.
      await this.#client.call('tasks.v1.Tasks/CloseIO', { container_id, stdin: true });
    }
    void this.#watch(container);
    return container;
  }

  /** A containerd that goes away before it has answered may have started it: it is asked once it is back. */
  async #startTask(container_id: string): Promise<{ readonly pid?: number | undefined }> {
    try {
      return await this.#client.call('tasks.v1.Tasks/Start', { container_id });
    } catch (error) {
      if (!isContainerd(error, 'unavailable')) throw error;
      const task = await this.#taskOf(container_id, this.#options.clock.now() + UNSURE_MS_MAX);
      if (task === undefined || (task.status ?? CREATED) <= CREATED) throw error;
      return task;
    }
  }

  // ---- ends

  /** Until it is known how it ended: containerd may go and come back meanwhile. */
  async #watch(container: Container): Promise<void> {
    const { id } = container.kept;
    const { signal } = container.stopWaiting;
    for (;;) {
      try {
        const end = await this.#client.waitForTask(id, signal);
        await this.#ended(container, end.exit_status ?? 0, instantOf(end));
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (isContainerd(error, 'not-found')) return this.#vanished(container);
        this.#options.log.debug('containerd does not tell of a container', {
          id,
          error: errorChain(error),
        });
        await new Promise<void>((done) => this.#options.timers.after(RETRY_MS, done));
      }
    }
  }

  async #vanished(container: Container): Promise<void> {
    await this.#ended(container, 128 + SIGKILL, undefined, true);
  }

  async #ended(
    container: Container,
    code: number,
    at: number | undefined,
    isLost = false,
  ): Promise<void> {
    if (container.kept.ended !== undefined) return;
    const oom = this.#oomOf(container.kept);
    // Its output is written whole, and its cgroup gone, once its task is.
    await this.#remove(container.kept).catch((error: unknown) => {
      this.#options.log.warn('A container has left something', { error: errorChain(error) });
    });
    const number = code - 128;
    const isSignal = isLost || oom.oomKilled === true || container.wasSent(number);
    const how =
      number > 0 && number < 65 && isSignal
        ? ({ kind: 'signaled', signal: number } as const)
        : ({ kind: 'exited', code } as const);
    container.end({ ...how, at: at ?? this.#options.clock.now(), ...oom });
  }

  #oomOf({ cgroup }: Kept): { oomKilled?: boolean; memoryBytesPeak?: number } {
    if (this.#cgroups === undefined || cgroup === undefined) return {};
    if (oomKillCount(this.#cgroups, cgroup) === 0) return {};
    return { oomKilled: true, memoryBytesPeak: memoryPeak(this.#cgroups, cgroup) };
  }

  /** The task with all its processes, the container and the cgroup; somebody else may be at it. */
  async #remove(kept: Kept): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#removeOnce(kept);
      } catch (error) {
        if (tries === REMOVE_TRIES_MAX || this.#life.signal.aborted) throw error;
        await new Promise<void>((done) => this.#options.timers.after(RETRY_MS, done));
      }
    }
  }

  async #removeOnce({ id: container_id, cgroup }: Kept): Promise<void> {
    const isGone = (error: unknown): undefined => {
      if (!isContainerd(error, 'not-found')) throw error;
    };
    const task = await this.#client.call('tasks.v1.Tasks/Get', { container_id }).catch(isGone);
    if ((task?.process?.status ?? STOPPED) !== STOPPED) {
      // Nobody is to hear of this end.
      const request = { container_id, signal: SIGKILL, all: true };
      await this.#client.call('tasks.v1.Tasks/Kill', request).catch(isGone);
      const { signal } = this.#life;
      await this.#client.waitForTask(container_id, signal).catch(isGone);
    }
    await this.#client.call('tasks.v1.Tasks/Delete', { container_id }).catch(isGone);
    await this.#client.call('containers.v1.Containers/Delete', { id: container_id }).catch(isGone);
    if (this.#cgroups !== undefined && cgroup !== undefined) removeCgroup(this.#everywhere, cgroup);
  }

  // ---- what an earlier life has started

  async adopt(stateFolder: string): Promise<HostProcess | undefined> {
    if (!this.#isMine(stateFolder)) return this.#plain.adopt(stateFolder);
    const known = this.#containers.get(stateFolder);
    if (known !== undefined) return known;
    let adopting = this.#adopting.get(stateFolder);
    if (adopting === undefined) {
      adopting = this.#adopt(stateFolder).finally(() => this.#adopting.delete(stateFolder));
      this.#adopting.set(stateFolder, adopting);
    }
    return adopting;
  }

  async #adopt(stateFolder: string): Promise<Container | undefined> {
    const text = read(join(stateFolder, RECORD));
    const kept = JSON.parse(text ?? '{}') as Kept;
    const container = new Container(stateFolder, kept, this.#options);
    if (kept.ended !== undefined) {
      this.#containers.set(stateFolder, container);
      return container;
    }
    const task = await this.#taskOf(kept.id);
    if ((task?.status ?? CREATED) <= CREATED && kept.startedAt === undefined) {
      // Its maker was killed before it ran: it never will.
      await this.#remove(kept);
      return undefined;
    }
    const { pid = kept.pid } = task ?? {};
    container.keep({ pid, startedAt: kept.startedAt ?? this.#options.clock.now() });
    this.#containers.set(stateFolder, container);
    if (task === undefined) await this.#vanished(container);
    else if (task.status === STOPPED) {
      await this.#ended(container, task.exit_status ?? 0, instantOf(task));
    } else void this.#watch(container);
    return container;
  }

  /** Undefined: there is none. Waits for containerd, at most until then. */
  async #taskOf(container_id: string, until = Infinity): Promise<TaskProcess | undefined> {
    for (;;) {
      try {
        return (await this.#client.call('tasks.v1.Tasks/Get', { container_id })).process;
      } catch (error) {
        if (isContainerd(error, 'not-found')) return undefined;
        const isLate = this.#options.clock.now() > until;
        if (isLate || !isContainerd(error, 'unavailable')) throw error;
        await new Promise<void>((done) => this.#options.timers.after(RETRY_MS, done));
      }
    }
  }

  async dispose(stateFolder: string): Promise<void> {
    if (!this.#isMine(stateFolder)) return this.#plain.dispose(stateFolder);
    const found = (await this.adopt(stateFolder)) as Container | undefined;
    if (found !== undefined && found.kept.ended === undefined) {
      found.kill('SIGKILL', 'group');
      await found.exited;
    }
    if (found !== undefined) await this.#remove(found.kept);
    this.#containers.delete(stateFolder);
    await rm(stateFolder, { recursive: true, force: true });
  }

  async sweep(cgroup: string): Promise<void> {
    const answer = await this.#client.call('containers.v1.Containers/List');
    const known = new Set([...this.#containers.values()].map(({ kept }) => kept.id));
    for (const { id = '', labels = {} } of answer.containers ?? []) {
      const own = labels[CGROUP_LABEL] ?? '';
      if (!own.startsWith(`${cgroup}/`) || known.has(id) || this.#launching.has(id)) continue;
      await this.#remove({ id, cgroup: own });
    }
    const others = [...this.#containers.values()].map(({ kept }) => kept.cgroup ?? '');
    await this.#plain.sweep(cgroup, others.filter(Boolean));
  }

  /** A container's end is told once its group is gone. */
  settled(above?: string): Promise<void> {
    return this.#plain.settled(above);
  }

  // ---- what it uses and may use

  async usage(stateFolder: string): Promise<ProcessUsage | undefined> {
    const found = this.#containers.get(stateFolder);
    if (found === undefined) return this.#plain.usage(stateFolder);
    const { ended, cgroup } = found.kept;
    if (ended !== undefined || this.#cgroups === undefined || cgroup === undefined)
      return undefined;
    return cgroupUsage(this.#cgroups, cgroup);
  }

  setLimits(stateFolder: string, limits: ProcessLimits): void {
    const found = this.#containers.get(stateFolder);
    if (found === undefined) {
      this.#plain.setLimits(stateFolder, limits);
      return;
    }
    const { ended, cgroup } = found.kept;
    if (ended !== undefined || this.#cgroups === undefined || cgroup === undefined) return;
    if (cgroupPids(this.#cgroups, cgroup).length > 0) raiseLimits(this.#cgroups, cgroup, limits);
  }

  /** Leaves everything running. */
  close(): void {
    this.#life.abort();
    for (const container of this.#containers.values()) container.stopWaiting.abort();
    this.#client.close();
  }
}

/** What this machine lets anybody have; in a container of its own that is not all. */
function available(): readonly string[] {
  const bounding = /^CapBnd:\t([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return bounding === undefined ? CAPABILITIES : capabilitiesIn(bounding);
}

function launchFault(spec: ProcessSpec, cause: unknown): Fault {
  const { stateFolder, argv } = spec;
  return new Fault(
    { code: 'process-launch', stateFolder },
    `Cannot start "${argv[0] ?? ''}": ${errorChain(cause)}`,
    { cause },
  );
}

/** What is mounted as the root by containerd's shim. */
function rootMount({ type = 'bind', source, options = '', readOnly }: ProcessMount) {
  const own = options.split(',').filter((one) => one !== '');
  if (type !== 'bind') return { type, source, options: own };
  return { type, source, options: ['rbind', readOnly ? 'ro' : 'rw', ...own] };
}

function makeInput({ stdinPath, stdinStaysOpen }: ProcessSpec): void {
  if (stdinPath === undefined || stdinStaysOpen !== true || existsSync(stdinPath)) return;
  const made = spawnSync('mkfifo', ['-m', '600', stdinPath], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`"${stdinPath}" cannot be made: ${made.stderr}`);
}
