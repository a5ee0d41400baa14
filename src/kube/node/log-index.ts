// When each part of a container's log was written. A process writes its output straight into two
// files (so it outlives the executor); this index adds the times, and bounds the files' size.
//
// Text file of lines `<ms> <stdout size> <stderr size>`: up to these sizes all had been written at
// that time. Whoever watches the files appends a line at most every `stampEveryMs`. When the files
// together exceed the bound, their oldest part is given back to the disk by punching a hole
// (offsets stay as they are, nothing is copied, no line is lost in a race with the writer).
import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { appendFile, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock, Timers } from '#env/env.ts';

export interface Stamp {
  readonly at: number;
  readonly out: number;
  readonly err: number;
}

export interface LogPaths {
  readonly out: string;
  readonly err: string;
  readonly index: string;
}

export function logPaths(containerFolder: string, attempt: number): LogPaths {
  const base = `${containerFolder}/${attempt}`;
  return { out: `${base}.out`, err: `${base}.err`, index: `${base}.idx` };
}

const stampEveryMs = 50;
const stampCountMax = 4096;
export const logBytesMax = 50 * 1024 * 1024;
const logBytesKept = 40 * 1024 * 1024;

export interface LogIndexOptions {
  readonly paths: LogPaths;
  readonly bytesMax: number;
}

export async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}

export async function readStamps(paths: LogPaths): Promise<{ stamps: Stamp[]; cut: Stamp }> {
  const text = await readFile(paths.index, 'utf8').catch(() => '');
  const stamps: Stamp[] = [];
  let cut: Stamp = { at: 0, out: 0, err: 0 };
  for (const line of text.split('\n')) {
    const match = /^(cut )?(\d+) (\d+) (\d+)$/.exec(line);
    if (match === null) continue;
    const stamp = { at: Number(match[2]), out: Number(match[3]), err: Number(match[4]) };
    if (match[1] === undefined) stamps.push(stamp);
    else cut = stamp;
  }
  return { stamps, cut };
}

/** Follows the files of one running container. */
export class LogIndex {
  readonly #options: LogIndexOptions;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #listeners = new Set<() => void>();
  #stamps: Stamp[] = [];
  #cut: Stamp = { at: 0, out: 0, err: 0 };
  #watcher: FSWatcher | undefined;
  #isDue = false;
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LogIndexOptions, { clock, timers }: { clock: Clock; timers: Timers }) {
    this.#options = options;
    this.#clock = clock;
    this.#timers = timers;
  }

  async start(): Promise<void> {
    const { paths } = this.#options;
    const known = await readStamps(paths);
    this.#stamps = known.stamps;
    this.#cut = known.cut;
    const names = new Set([basename(paths.out), basename(paths.err)]);
    this.#watcher = watch(dirname(paths.out), (_event, name) => {
      if (name === null || names.has(name)) this.#schedule();
    });
    this.#watcher.on('error', () => this.#watcher?.close());
    this.#schedule();
  }

  get stamps(): readonly Stamp[] {
    return this.#stamps;
  }

  get cut(): Stamp {
    return this.#cut;
  }

  /** Called after each growth and at the end; returns the function that stops it. */
  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes the last stamp. Afterwards the files no longer change. */
  async close(): Promise<void> {
    if (this.#closed) return this.#work;
    this.#closed = true;
    this.#watcher?.close();
    this.#work = this.#work.then(() => this.#stamp());
    await this.#work;
    this.#tell();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  #schedule(): void {
    if (this.#isDue || this.#closed) return;
    this.#isDue = true;
    this.#work = this.#work.then(() => this.#stamp());
    this.#timers.after(stampEveryMs, () => {
      this.#isDue = false;
      this.#work = this.#work.then(() => this.#stamp());
    });
  }

  async #stamp(): Promise<void> {
    const { paths } = this.#options;
    const [out, err] = await Promise.all([sizeOf(paths.out), sizeOf(paths.err)]);
    const last = this.#stamps.at(-1) ?? this.#cut;
    if (out === last.out && err === last.err) return;
    const stamp = { at: this.#clock.now(), out, err };
    this.#stamps.push(stamp);
    try {
      await appendFile(paths.index, `${stamp.at} ${out} ${err}\n`);
      if (this.#stamps.length > stampCountMax) await this.#thin();
      if (out + err - this.#cut.out - this.#cut.err > this.#options.bytesMax) await this.#trim();
    } catch {
      // The folder is gone or the disk is full: the log stays readable, its times get coarser.
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Halves the resolution of the older half. */
  async #thin(): Promise<void> {
    const middle = Math.floor(this.#stamps.length / 2);
    this.#stamps = this.#stamps.filter((_, index) => index >= middle || index % 2 === 1);
    await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    const { index } = this.#options.paths;
    const { at, out, err } = this.#cut;
    const lines = this.#stamps.map((stamp) => `${stamp.at} ${stamp.out} ${stamp.err}\n`);
    await writeFile(`${index}.new`, `cut ${at} ${out} ${err}\n${lines.join('')}`);
    await rename(`${index}.new`, index);
  }

  async #trim(): Promise<void> {
    const { paths, bytesMax } = this.#options;
    const last = this.#stamps.at(-1);
    if (last === undefined) return;
    const kept = Math.min(logBytesKept, bytesMax * 0.8);
    const from = this.#stamps.findIndex(({ out, err }) => last.out - out + last.err - err <= kept);
    const cut = this.#stamps[from];
    if (cut === undefined) return;
    const punched = await Promise.all([punch(paths.out, cut.out), punch(paths.err, cut.err)]);
    // Without holes the space cannot be given back without losing lines: the log keeps growing.
    if (!punched.every(Boolean)) return;
    this.#cut = cut;
    this.#stamps = this.#stamps.slice(from + 1);
    await this.#rewrite();
  }
}

/** Gives the first `length` bytes of a file back to the disk. */
function punch(path: string, length: number): Promise<boolean> {
  if (length === 0) return Promise.resolve(true);
  const args = ['--punch-hole', '--offset', '0', '--length', String(length), path];
  return new Promise((done) => {
    const child = spawn('fallocate', args, { stdio: 'ignore' });
    child.once('error', () => done(false));
    child.once('exit', (code) => done(code === 0));
  });
}

/** Each stretch of the log that is written after `from`, until the log is closed or the signal given. */
export async function* growth(
  index: LogIndex,
  from: Stamp,
  signal: AbortSignal,
): AsyncGenerator<{ readonly from: Stamp; readonly to: Stamp }> {
  let wake = (): void => {};
  const stop = index.onGrowth(() => wake());
  const aborted = (): void => wake();
  signal.addEventListener('abort', aborted);
  let position = from;
  try {
    while (!signal.aborted) {
      const grown = new Promise<void>((done) => {
        wake = done;
      });
      const wasClosed = index.isClosed;
      const to = index.stamps.at(-1) ?? position;
      if (to.out > position.out || to.err > position.err) {
        yield { from: position, to };
        position = to;
      } else if (wasClosed) return;
      else await grown;
    }
  } finally {
    stop();
    signal.removeEventListener('abort', aborted);
  }
}

/** Bytes [from, to) of a file; less when it is shorter. */
export async function* readRange(
  path: string,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<Uint8Array> {
  if (to <= from) return;
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return;
  try {
    let position = from;
    while (position < to) {
      const buffer = new Uint8Array(Math.min(64 * 1024, to - position));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
