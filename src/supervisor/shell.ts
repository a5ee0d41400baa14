// Runs the parts of a home as child processes, writes their logs, starts them again when they end.
import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorChain } from '#base/fault.ts';
import type { Env, Timer } from '#env/env.ts';
import { steadyClock } from '#env/steady.ts';
import { SupervisorCore, type PartSpec, type StopMode, type SupervisorEffect } from './core.ts';
import { startTicksOf, writeFileWhole, type Home, type SupervisorState } from './home.ts';

const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LAST_CHARACTERS_MAX = 4_000;

export interface SupervisorShellOptions {
  readonly home: Home;
  readonly command: readonly string[];
  readonly describe: Omit<SupervisorState, 'pid' | 'startTicks' | 'parts'>;
  readonly onChange: (core: SupervisorCore) => void;
}

/** A log file that is renamed to `.1` when it grows over its bound; a full disk loses lines only. */
function createLogFile(path: string, onError: (error: unknown) => void): (chunk: Buffer) => void {
  mkdirSync(dirname(path), { recursive: true });
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let isLosing = false;
  return (chunk) => {
    try {
      if (size + chunk.length > LOG_BYTES_MAX) {
        renameSync(path, `${path}.1`);
        size = 0;
      }
      appendFileSync(path, chunk);
      size += chunk.length;
      isLosing = false;
    } catch (error) {
      if (!isLosing) onError(error);
      isLosing = true;
    }
  };
}

/** The last thing that a part said, without the name of the program before it. */
class LastLine {
  #text = '';

  push(chunk: Buffer): void {
    this.#text = (this.#text + chunk.toString('utf8')).slice(-LAST_CHARACTERS_MAX);
  }

  get(): string | undefined {
    const lines = this.#text.split('\n').filter((line) => line.trim() !== '');
    const told = lines.findLast((line) => line.startsWith('strata: '));
    return (told ?? lines.findLast((line) => /^\w*Error\b/.test(line)))?.replace(/^strata: /, '');
  }
}

export class Supervisor {
  readonly #options: SupervisorShellOptions;
  readonly #env: Env;
  readonly #core = new SupervisorCore({
    backOffMsMin: 50,
    backOffMsMax: 5_000,
    healthyAfterMs: 3_000,
    stopGraceMs: 20_000,
    startTriesMax: 6,
  });
  readonly #children = new Map<string, ChildProcess>();
  /** By the moment they are for. */
  readonly #timers = new Map<number, Timer>();
  readonly finished: Promise<void>;
  #finish: () => void = () => {};

  constructor(options: SupervisorShellOptions, env: Env) {
    this.#options = options;
    // Whoever sets the machine's clock keeps no part waiting for its next start.
    this.#env = { ...env, clock: steadyClock(env.clock) };
    this.finished = new Promise((done) => {
      this.#finish = done;
    });
  }

  add(spec: PartSpec): void {
    this.#perform(this.#core.add(spec, this.#env.clock.now()));
  }

  stop(mode: StopMode): void {
    this.#perform(this.#core.stop(mode, this.#env.clock.now()));
  }

  /** Why everything stopped by itself, if it did. */
  get failure(): { readonly name: string; readonly exit: string } | undefined {
    return this.#core.failure;
  }

  #perform(effects: readonly SupervisorEffect[]): void {
    let changed = false;
    for (const effect of effects) {
      if (effect.kind === 'start') this.#start(effect.part);
      else if (effect.kind === 'signal') this.#children.get(effect.name)?.kill(effect.signal);
      else if (effect.kind === 'wake-at') this.#wakeAt(effect.at);
      else if (effect.kind === 'changed') changed = true;
      else this.#end();
    }
    if (changed) this.#publish();
  }

  #wakeAt(at: number): void {
    if (this.#timers.has(at)) return;
    const timer = this.#env.timers.after(at - this.#env.clock.now(), () => {
      this.#timers.delete(at);
      this.#perform(this.#core.onTick(this.#env.clock.now()));
    });
    this.#timers.set(at, timer);
  }

  #start(part: PartSpec): void {
    const [program, ...first] = this.#options.command;
    // Standard input is the leash: a part ends when its supervisor is gone and the pipe closes.
    // Standard output carries one JSON line when the part is ready. A session of its own: the ^C of a
    // terminal is for the supervisor, which then stops its parts in order.
    const child = spawn(program ?? '', [...first, ...part.args, '--supervised'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#children.set(part.name, child);
    const path = this.#options.home.path('log', `${part.name}.log`);
    const log = createLogFile(path, (error) => {
      this.#env.log.error('Cannot write a log; lines are lost', { path, error: errorChain(error) });
    });
    const last = new LastLine();
    child.stderr.on('data', (chunk: Buffer) => {
      last.push(chunk);
      log(chunk);
    });
    child.stdin.on('error', () => {});
    let line = '';
    child.stdout.on('data', (chunk: Buffer) => {
      line += chunk.toString('utf8');
      for (let end = line.indexOf('\n'); end >= 0; end = line.indexOf('\n')) {
        this.#onLine(part, line.slice(0, end));
        line = line.slice(end + 1);
      }
    });
    child.on('error', (error) => log(Buffer.from(`Cannot start: ${error.message}\n`)));
    child.on('close', (code, signal) => {
      this.#children.delete(part.name);
      const words = last.get();
      const exit = (signal ?? `exit status ${code}`) + (words === undefined ? '' : `: ${words}`);
      this.#perform(this.#core.onExit(part.name, exit, this.#env.clock.now()));
    });
  }

  #onLine(part: PartSpec, line: string): void {
    if (!line.startsWith('{"ready"')) return;
    const { url } = JSON.parse(line) as { url: string };
    this.#perform(this.#core.onReady(part.name, url, this.#env.clock.now()));
  }

  #publish(): void {
    const { failure } = this.#core;
    const state: SupervisorState = {
      pid: process.pid,
      startTicks: startTicksOf(process.pid) ?? '',
      ...this.#options.describe,
      parts: this.#core.states().map(({ spec, state: part }) => {
        const pid = this.#children.get(spec.name)?.pid;
        return {
          name: spec.name,
          state: part.kind,
          ...(part.kind === 'ready' ? { url: part.url } : {}),
          ...(part.kind === 'waiting' ? { exit: part.exit, failures: part.failures } : {}),
          ...(pid === undefined ? {} : { pid }),
        };
      }),
      ...(failure === undefined
        ? {}
        : { failure: `${failure.name} cannot start: ${failure.exit}` }),
    };
    this.#write(state);
    this.#options.onChange(this.#core);
  }

  /** The other commands read it; parts go on without it, and its next change is written again. */
  #write(state: SupervisorState): void {
    const path = this.#options.home.statePath;
    try {
      writeFileWhole(path, `${JSON.stringify(state, null, 2)}\n`);
    } catch (error) {
      this.#env.log.error('Cannot write the state of the home', { path, error: errorChain(error) });
    }
  }

  #end(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#finish();
  }
}
