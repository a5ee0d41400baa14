// A server under measurement: started in a folder of its own, asked for its memory and processor
// time, stopped by its process id. For both sides of every benchmark.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Resident memory of a process in MB; 0 when it is gone. */
export function residentMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

/** Processor time a process has used, in seconds (the kernel counts hundredths). */
export function processorSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Added to the folder's path by the caller where the program wants its state. */
  readonly command: (folder: string) => readonly string[];
  /**
   * Nobody else on the machine takes the processor from it while it works (real-time priority, where this process may
   * give it): for what is timed by the clock and is shorter than others' turns.
   */
  readonly isUndisturbed?: boolean | undefined;
}

const UNDISTURBED = 'chrt -r 1 true 2>/dev/null && exec chrt -r 1 "$@"';

export class Program implements AsyncDisposable {
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #hasEnded = false;

  constructor({ command, env = {}, isUndisturbed = false }: ProgramOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'strata-bench-'));
    const log = openSync(join(this.folder, 'log'), 'a');
    // As many open files as the machine allows: a link to each of ten thousand agents.
    const first = isUndisturbed ? `${UNDISTURBED}; ` : '';
    const shell = `ulimit -n "$(ulimit -Hn)"; ${first}exec "$@"`;
    const limited = ['-c', shell, 'sh', ...command(this.folder)];
    this.#child = spawn('sh', limited, {
      cwd: this.folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#ended = new Promise((done) => {
      this.#child.once('error', () => done());
      this.#child.once('exit', () => done());
    });
    void this.#ended.then(() => (this.#hasEnded = true));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The last lines of what the program printed. */
  log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8').split('\n').slice(-20).join('\n');
  }

  /** Waits until `isReady` is true; rejects when the program ends before, or after `limitMs`. */
  async ready(isReady: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      if (this.#hasEnded) throw new Error(`The program ended at once: ${this.log()}`);
      if (await isReady().catch(() => false)) return;
      if (performance.now() > deadline) throw new Error(`Not ready: ${this.log()}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** Asks it to end. */
  stop(): void {
    if (!this.#hasEnded) this.#child.kill('SIGTERM');
  }

  /** Resolves when it has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGTERM');
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.#ended;
    clearTimeout(patience);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
