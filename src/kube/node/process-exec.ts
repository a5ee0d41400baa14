// Commands beside a running container (exec) and connections to its own input and output (attach),
// for the process runtime.
import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { spawn as spawnTerminal } from '@lydell/node-pty';
import type { HostProcess } from '#env/process.ts';
import { growth, readRange } from './log-index.ts';
import type { LogIndex, LogPaths } from './log-index.ts';
import type { Container } from './pod-spec.ts';
import type { ExecRequest, ExecSession } from './runtime.ts';

/** Arguments: number of files by which cgroups are entered, these files, the command. */
const joinScript = `n=$1; shift
while [ "$n" -gt 0 ]; do echo 0 >"$1" 2>/dev/null; shift; n=$((n-1)); done
exec "$@"`;

function environmentOf(pid: number): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return env;
}

function cgroupFilesOf(pid: number): string[] {
  const files: string[] = [];
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === '' || path === '/') continue;
    const roots =
      controllers === ''
        ? ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']
        : [`/sys/fs/cgroup/${controllers}`];
    // In version 1 `tasks` takes a process of one thread without a wait of the whole machine.
    const found = roots
      .flatMap((root) => ['tasks', 'cgroup.procs'].map((name) => `${root}${path}/${name}`))
      .find((p) => existsSync(p));
    if (found !== undefined) files.push(found);
  }
  return files;
}

function idsOf(pid: number): { readonly uid: string; readonly gid: string } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    uid: /^Uid:\t(\d+)/m.exec(text)?.[1] ?? '0',
    gid: /^Gid:\t(\d+)/m.exec(text)?.[1] ?? '0',
  };
}

/** The command line that runs a command in the place of a process. */
function commandLine(pid: number, command: readonly string[], privileged: boolean): string[] {
  if (!privileged) return [...command];
  const files = cgroupFilesOf(pid);
  const { uid, gid } = idsOf(pid);
  const ids = uid === '0' && gid === '0' ? [] : ['--setuid', uid, '--setgid', gid];
  const join = ['/bin/sh', '-c', joinScript, 'strata-exec', String(files.length), ...files];
  const enter = ['nsenter', '--target', String(pid), '--mount', '--uts', '--ipc', '--net', '--pid'];
  return [...join, ...enter, ...ids, '--wd', '--', ...command];
}

export interface ExecPlace {
  readonly privileged: boolean;
  /** The container's environment, where this executor has started it: read from the process in
   * the moment of its start it would be empty. */
  readonly env: Readonly<Record<string, string>> | undefined;
}

export function execInProcess(
  pid: number,
  request: ExecRequest,
  { privileged, env: known }: ExecPlace,
): ExecSession {
  const env = known ?? environmentOf(pid);
  const cwd = privileged ? '/' : readlinkSync(`/proc/${pid}/cwd`);
  const [file = '', ...args] = commandLine(pid, request.command, privileged);
  if (request.tty) return terminalSession(file, args, { cwd, env: { TERM: 'xterm', ...env } });
  const child = spawn(file, args, {
    cwd,
    env,
    detached: true,
    stdio: [request.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  child.stdout?.pipe(stdout);
  child.stderr?.pipe(stderr);
  child.stdin?.on('error', () => child.stdin?.destroy());
  const exitCode = new Promise<number>((done) => {
    child.once('error', (error) => {
      stderr.end(`exec failed: ${error.message}\n`);
      stdout.end();
      done(127);
    });
    // `close` comes when nobody holds the outputs any more; a background child may hold them long.
    child.once('exit', (code, signal) => done(code ?? 128 + signalNumber(signal)));
  });
  const kill = (): void => {
    if (child.pid === undefined || child.exitCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL');
    }
  };
  return { stdin: child.stdin ?? undefined, stdout, stderr, exitCode, resize: () => {}, kill };
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Readonly<Record<string, number>> = {
    SIGHUP: 1,
    SIGINT: 2,
    SIGKILL: 9,
    SIGTERM: 15,
  };
  return numbers[signal ?? ''] ?? 9;
}

function terminalSession(
  file: string,
  args: string[],
  { cwd, env }: { readonly cwd: string; readonly env: Record<string, string> },
): ExecSession {
  const terminal = spawnTerminal(file, args, {
    cwd,
    env,
    cols: 80,
    rows: 24,
    encoding: null,
  });
  const stdout = new PassThrough();
  terminal.onData((data: string | Uint8Array) => {
    if (!stdout.writable || stdout.write(data)) return;
    terminal.pause();
    stdout.once('drain', () => terminal.resume());
  });
  let isOver = false;
  const exitCode = new Promise<number>((done) => {
    terminal.onExit(({ exitCode: code, signal }) => {
      isOver = true;
      stdout.end();
      done(signal === undefined || signal === 0 ? code : 128 + signal);
    });
  });
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      // It takes bytes as well; only its types say otherwise.
      if (!isOver) terminal.write(chunk as unknown as string);
      done();
    },
    final(done) {
      // The end of input on a terminal is a character.
      if (!isOver) terminal.write('\u0004');
      done();
    },
  });
  return {
    stdin,
    stdout,
    stderr: undefined,
    exitCode,
    resize: ({ columns, rows }) => {
      if (!isOver && columns > 0 && rows > 0) terminal.resize(columns, rows);
    },
    kill: () => {
      if (!isOver) terminal.kill('SIGKILL');
    },
  };
}

export interface AttachContext {
  readonly process: HostProcess;
  readonly index: LogIndex;
  readonly paths: LogPaths;
  readonly input: Socket | undefined;
  readonly container: Container;
}

export function attachToProcess(context: AttachContext): ExecSession {
  const { container, input, process: main } = context;
  const stdout = new PassThrough();
  const stderr = container.tty === true ? undefined : new PassThrough();
  const stopping = new AbortController();
  const followed = followOutputs(context, { stdout, stderr }, stopping.signal);
  const exitCode = followed.then(async () => {
    if (stopping.signal.aborted) return 0;
    const status = await main.exited;
    return status.kind === 'exited' ? status.code : 128 + status.signal;
  });
  return {
    stdin: input === undefined ? undefined : attachedInput(input, container),
    stdout,
    stderr,
    exitCode,
    resize: (size) => resizeTerminal(main.pid, size),
    kill: () => stopping.abort(),
  };
}

/** Ending this stream ends the container's input only when that is promised (stdinOnce). */
function attachedInput(input: Socket, { stdinOnce }: Container): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (input.destroyed) done();
      else input.write(chunk, () => done());
    },
    final(done) {
      if (stdinOnce === true) input.destroy();
      done();
    },
  });
}

async function followOutputs(
  { index, paths, container }: AttachContext,
  streams: { readonly stdout: PassThrough; readonly stderr: PassThrough | undefined },
  signal: AbortSignal,
): Promise<void> {
  const latest = index.stamps.at(-1) ?? index.cut;
  // Whoever attaches to a container that waits for input wants to see its prompt.
  const start = container.stdin === true ? index.cut : latest;
  try {
    for await (const { from, to } of growth(index, start, signal)) {
      await copy(paths.out, { from: from.out, to: to.out }, streams.stdout);
      if (streams.stderr === undefined) continue;
      await copy(paths.err, { from: from.err, to: to.err }, streams.stderr);
    }
  } finally {
    streams.stdout.end();
    streams.stderr?.end();
  }
}

async function copy(
  path: string,
  range: { readonly from: number; readonly to: number },
  target: PassThrough,
): Promise<void> {
  for await (const bytes of readRange(path, range)) target.write(bytes);
}

/** The terminal belongs to a descendant, a child of `script`; `stty` sets its size from outside. */
function resizeTerminal(
  pid: number,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): void {
  try {
    let current = String(pid);
    let terminal = '';
    while (!terminal.startsWith('/dev/pts/')) {
      const children = readFileSync(`/proc/${current}/task/${current}/children`, 'utf8');
      const [child = ''] = children.trim().split(' ');
      if (child === '') return;
      terminal = readlinkSync(`/proc/${child}/fd/0`);
      current = child;
    }
    const args = ['-F', terminal, 'rows', String(rows), 'cols', String(columns)];
    execFile('stty', args, () => {});
  } catch {
    // It has ended, or has no terminal: there is nothing to resize.
  }
}
