// A whole Strata on this machine for end-to-end tests: `./strata up` in a home of its own, on ports of
// its own, taken down at the end whatever happened.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SupervisorState } from '#supervisor/home.ts';

export const root = join(import.meta.dirname, '../..');

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly cwd?: string;
}

/** Runs a program to its end; never rejects. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Result> {
  return new Promise((done) => {
    const child = execFile(
      command[0] ?? '',
      command.slice(1),
      {
        env: { ...process.env, ...options.env },
        timeout: options.timeoutMs ?? 120_000,
        maxBuffer: 64 * 1024 * 1024,
        cwd: options.cwd ?? root,
      },
      (error, stdout, stderr) => {
        const code = (error as { code?: number | string } | null)?.code;
        done({ status: typeof code === 'number' ? code : error === null ? 0 : 1, stdout, stderr });
      },
    );
    // A program that ends without reading its input is no failure.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Repeats `look` until it gives a value, and not false; rejects with what was seen last when the time is over. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | false | undefined>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`Never came true: ${what}`, { cause: last });
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** What is to be written to the file has begun to be. */
export async function isWritten(path: string): Promise<void> {
  await eventually(`something stands in ${path}`, async () => readFileSync(path).length > 0);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/**
 * A port offset at which master, a few agents and a few instances find their ports free. All of them
 * are below those that the system gives to outgoing connections (32768 and on): such a port may be
 * free when it is looked at, and be some client's by the time that it is needed.
 */
export async function freeOffset(): Promise<number> {
  const [first, count] = [10_000, 160];
  for (let step = 0; step < count; step++) {
    const offset = first + ((process.pid + step) % count) * 100;
    const ports = [5050, 5051, 5052, 5053, 6443, 6444].map((port) => port + offset);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return offset;
  }
  throw new Error('No free ports');
}

export class Cluster {
  readonly home: string;
  readonly offset: number;
  readonly #background: ChildProcess[] = [];

  private constructor(home: string, offset: number) {
    this.home = home;
    this.offset = offset;
  }

  static async start(args: readonly string[] = []): Promise<Cluster> {
    const home = mkdtempSync(join(tmpdir(), 'strata-e2e-'));
    const cluster = new Cluster(home, await freeOffset());
    await cluster.up(args);
    return cluster;
  }

  async up(args: readonly string[] = []): Promise<void> {
    const offset = String(this.offset);
    const result = await this.strata(['up', '--detach', '--port-offset', offset, ...args], 240_000);
    if (result.status !== 0) {
      const log = await run(['sh', '-c', `tail -n 40 ${this.home}/log/*.log`]);
      throw new Error(`up failed: ${result.stdout}${result.stderr}\n${log.stdout}`);
    }
  }

  get masterUrl(): string {
    return `http://127.0.0.1:${5050 + this.offset}`;
  }

  get master(): string {
    return `127.0.0.1:${5050 + this.offset}`;
  }

  kubeconfig(instance = 'default'): string {
    return join(this.home, 'kube', instance, 'kubeconfig');
  }

  /** A subcommand of ./strata with this home (for those that have one). */
  strata(args: readonly string[], timeoutMs = 120_000): Promise<Result> {
    return run([join(root, 'strata'), ...args], { env: { STRATA_HOME: this.home }, timeoutMs });
  }

  state(): SupervisorState {
    return JSON.parse(readFileSync(join(this.home, 'run/supervisor.json'), 'utf8'));
  }

  pidOf(part: string): number {
    const pid = this.state().parts.find((one) => one.name === part)?.pid;
    if (pid === undefined) throw new Error(`No pid of ${part}`);
    return pid;
  }

  async masterState(): Promise<MasterState> {
    const answer = await fetch(`${this.masterUrl}/state`);
    return (await answer.json()) as MasterState;
  }

  /** A program that runs beside the test until the end of the cluster. */
  background(command: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(command[0] ?? '', command.slice(1), {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#background.push(child);
    return child;
  }

  async stop(): Promise<void> {
    for (const child of this.#background) child.kill('SIGKILL');
    await this.strata(['down']);
    rmSync(this.home, { recursive: true, force: true });
  }
}

export interface MasterState {
  readonly leader: string;
  readonly slaves: readonly {
    readonly id: string;
    readonly used_resources: Readonly<Record<string, number | string>>;
  }[];
  readonly frameworks: readonly {
    readonly id: string;
    readonly name: string;
    readonly used_resources: Readonly<Record<string, number | string>>;
    readonly tasks: readonly { readonly id: string; readonly state: string }[];
    readonly completed_tasks: readonly { readonly id: string; readonly state: string }[];
  }[];
  readonly completed_frameworks: MasterState['frameworks'];
}
