// The process port where there is no POSIX shell, which is Windows: each command has a shim that is a Node program. No
// cgroups, namespaces, capabilities, limits or terminals; a spec that asks for them is refused.
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Fault } from '#base/fault.ts';
import type { Clock, Timers } from '#env/env.ts';
import type {
  ExitStatus,
  HostProcess,
  ProcessHost,
  ProcessSpec,
  ProcessUsage,
  Signal,
} from '#env/process.ts';
import { portableShim } from './portable-shim.ts';
import { type ProcessTools, usageOfRows, withDescendants } from './process-table.ts';

const CONNECT_MS = 20;
/** Between what the shim notes of a start, and what the system does. */
const START_MS = 3_000;
const UNSUPPORTED = [
  'namespaces',
  'mounts',
  'root',
  'capabilities',
  'seccomp',
  'terminal',
  'rlimits',
  'rotation',
  'stdinStaysOpen',
  'noNewPrivileges',
  'hostname',
  'groups',
] as const;

interface Started {
  readonly pid: number;
  readonly startedAt: number;
}

/** What the shim has noted; undefined: nothing yet. */
function readStatus(stateFolder: string): { started: Started; ended?: ExitStatus } | undefined {
  const path = join(stateFolder, 'status');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const [, pid, startedAt] = /^started (\d+) \d+ (\d+)$/m.exec(text) ?? [];
  if (pid === undefined) return undefined;
  const started = { pid: Number(pid), startedAt: Number(startedAt) };
  const [, kind, value, at] = /^ended (exited|signaled) (\d+) (\d+)$/m.exec(text) ?? [];
  if (kind === undefined) return { started };
  const ended: ExitStatus =
    kind === 'exited'
      ? { kind, code: Number(value), at: Number(at) }
      : { kind: 'signaled', signal: Number(value), at: Number(at) };
  return { started, ended };
}

class PortableProcess implements HostProcess {
  readonly stateFolder: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly exited: Promise<ExitStatus>;
  readonly #tools: ProcessTools;
  readonly #clock: Clock;
  readonly #end = Promise.withResolvers<ExitStatus>();
  #isOver = false;

  constructor(stateFolder: string, started: Started, tools: ProcessTools, clock: Clock) {
    this.stateFolder = stateFolder;
    this.pid = started.pid;
    this.startedAt = started.startedAt;
    this.exited = this.#end.promise;
    this.#tools = tools;
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  over(status: ExitStatus): void {
    this.#isOver = true;
    this.#end.resolve(status);
  }

  /** The shim is gone: it has noted an end, or its command goes with it. */
  async shimGone(): Promise<void> {
    const noted = readStatus(this.stateFolder)?.ended;
    if (noted !== undefined) {
      this.over(noted);
      return;
    }
    if (await this.isRunning()) await this.#tools.signal(this.pid, 'SIGKILL', 'group');
    const at = this.#clock.now();
    const status = { kind: 'signaled', signal: constants.signals.SIGKILL, at } as const;
    // For those who come later; of two that notice, the first one counts.
    if (existsSync(this.stateFolder)) {
      appendFileSync(join(this.stateFolder, 'status'), `ended signaled 9 ${at}\n`);
    }
    this.over(status);
  }

  /** Not another one of its number. */
  async isRunning(): Promise<boolean> {
    const row = (await this.#tools.table()).find(({ pid }) => pid === this.pid);
    if (row === undefined) return false;
    const { startedAtMs = this.startedAt } = row;
    return Math.abs(startedAtMs - this.startedAt) < START_MS;
  }

  kill(signal: Signal, scope: 'process' | 'group' = 'process'): void {
    if (this.#isOver || this.pid === 0) return;
    // Where the system does not tell a command that was killed from one that has ended with 1.
    if (signal === 'SIGKILL') {
      writeFileSync(join(this.stateFolder, 'killed'), String(constants.signals.SIGKILL));
    }
    void this.#tools.signal(this.pid, signal, scope).catch(() => {});
  }
}

export interface PortableHostOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly tools: ProcessTools;
}

export class PortableProcessHost implements ProcessHost {
  readonly controllers: ReadonlySet<string> = new Set();
  readonly hasCgroups = false;
  readonly #options: PortableHostOptions;
  readonly #processes = new Map<string, PortableProcess>();

  constructor(options: PortableHostOptions) {
    this.#options = options;
  }

  members(): readonly number[] {
    return [];
  }

  setLimits(): void {}

  async sweep(): Promise<void> {}

  async settled(): Promise<void> {}

  async launch(spec: ProcessSpec): Promise<HostProcess> {
    this.#prepare(spec);
    const { stateFolder } = spec;
    const pipe = this.#options.tools.pipeOf(stateFolder);
    const shim = spawn(process.execPath, ['-e', portableShim, 'strata-shim', stateFolder, pipe], {
      detached: true,
      stdio: 'ignore',
      windowsHide: true,
      cwd: spec.cwd,
    });
    let isGone = false;
    shim.once('error', () => (isGone = true));
    shim.once('exit', () => (isGone = true));
    shim.unref();
    const made = await this.#meet(stateFolder, () => isGone);
    if (made !== undefined) return made;
    await rm(stateFolder, { recursive: true, force: true });
    throw launchFault(spec, `the shim ended early, see "${spec.stderrPath}"`);
  }

  async adopt(stateFolder: string): Promise<HostProcess | undefined> {
    const known = this.#processes.get(stateFolder);
    if (known !== undefined) return known;
    const noted = readStatus(stateFolder);
    if (noted === undefined) return undefined;
    if (noted.ended === undefined) return this.#meet(stateFolder, () => true);
    const made = this.#remember(stateFolder, noted.started);
    made.over(noted.ended);
    return made;
  }

  async dispose(stateFolder: string): Promise<void> {
    const found = (await this.adopt(stateFolder)) as PortableProcess | undefined;
    if (found !== undefined && !found.isOver) {
      found.kill('SIGKILL', 'group');
      await found.exited;
    }
    this.#processes.delete(stateFolder);
    // Windows keeps what is open: the shim may be about to end.
    await rm(stateFolder, { recursive: true, force: true, maxRetries: 10 });
  }

  async usage(stateFolder: string): Promise<ProcessUsage | undefined> {
    const found = (await this.adopt(stateFolder)) as PortableProcess | undefined;
    if (found === undefined || found.isOver) return undefined;
    const rows = await this.#options.tools.table();
    return withDescendants(rows, found.pid).length === 0 ? undefined : usageOfRows(rows, found.pid);
  }

  close(): void {}

  #prepare(spec: ProcessSpec): void {
    const asked = UNSUPPORTED.find((name) => spec[name] !== undefined);
    if (asked !== undefined) throw launchFault(spec, `there are no ${asked} here`);
    try {
      if (!statSync(spec.cwd).isDirectory()) throw new Error('it is no folder');
      for (const path of [spec.stdoutPath, spec.stderrPath]) appendFileSync(path, '');
    } catch (error) {
      throw launchFault(spec, 'its files are not there', error);
    }
    const { stateFolder } = spec;
    if (existsSync(stateFolder)) {
      throw new Fault(
        { code: 'process-exists', stateFolder },
        `Cannot start a process in "${stateFolder}": there is one already`,
      );
    }
    mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
    writeFileSync(join(stateFolder, 'spec.json'), JSON.stringify(spec), { mode: 0o600 });
  }

  /** The shim's command, once it has one; what neither answers nor will (`isGone`) is over. */
  async #meet(stateFolder: string, isGone: () => boolean): Promise<PortableProcess | undefined> {
    for (;;) {
      const wasGone = isGone();
      const socket = await connect(this.#options.tools.pipeOf(stateFolder));
      if (socket !== undefined) {
        await new Promise<void>((done) => {
          socket.once('data', () => done());
          socket.once('close', () => done());
        });
      }
      const noted = readStatus(stateFolder);
      if (noted !== undefined) {
        // Another call has been here meanwhile.
        const known = this.#processes.get(stateFolder);
        if (known !== undefined) {
          socket?.destroy();
          return known;
        }
        return this.#follow(stateFolder, noted, socket);
      }
      if (wasGone) return undefined;
      await new Promise<void>((done) => this.#options.timers.after(CONNECT_MS, done));
    }
  }

  #follow(
    stateFolder: string,
    { started, ended }: { started: Started; ended?: ExitStatus },
    socket: Socket | undefined,
  ): PortableProcess {
    const made = this.#remember(stateFolder, started);
    if (ended !== undefined) made.over(ended);
    else if (socket === undefined || socket.closed) void made.shimGone();
    else {
      // It waits for nothing but the end.
      socket.unref();
      socket.resume();
      socket.once('close', () => void made.shimGone());
    }
    return made;
  }

  #remember(stateFolder: string, started: Started): PortableProcess {
    const { tools, clock } = this.#options;
    const made = new PortableProcess(stateFolder, started, tools, clock);
    this.#processes.set(stateFolder, made);
    return made;
  }
}

function connect(pipe: string): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = createConnection(pipe);
    socket.once('connect', () => {
      socket.on('error', () => {});
      done(socket);
    });
    socket.once('error', () => done(undefined));
  });
}

function launchFault({ argv, stateFolder }: ProcessSpec, why: string, cause?: unknown): Fault {
  return new Fault(
    { code: 'process-launch', stateFolder },
    `Cannot start "${argv[0] ?? ''}": ${why}`,
    { cause },
  );
}
