// One part of Strata in the foreground, stopped when its scope is left. Agents end their tasks.
import { spawn, type ChildProcess } from 'node:child_process';
import { root } from './cluster.ts';

export class Part {
  readonly #child: ChildProcess;
  readonly #signal: 'SIGTERM' | 'SIGUSR1';
  /** On standard output and standard error. */
  said = '';

  private constructor(child: ChildProcess, isAgent: boolean) {
    this.#child = child;
    this.#signal = isAgent ? 'SIGUSR1' : 'SIGTERM';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.said += chunk.toString()));
    }
  }

  /** Resolves when it says that it is ready. */
  static async start(
    command: readonly string[],
    vars: Readonly<Record<string, string>> = {},
  ): Promise<Part> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...vars },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const part = new Part(child, args[0] === 'agent');
    await new Promise<void>((done, fail) => {
      child.stdout.on('data', () => {
        if (/: ready at /.test(part.said)) done();
      });
      child.once('exit', () => fail(new Error(`It ended: ${part.said}`)));
    });
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill(this.#signal);
    await ended;
  }
}
