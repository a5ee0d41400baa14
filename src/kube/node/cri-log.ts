// Reads the log files that a CRI runtime writes: `<time> <stdout|stderr> <F|P> <text>` lines.
import { watch } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogRequest } from './runtime.ts';

const readBytes = 64 * 1024;

interface Entry {
  readonly at: number;
  readonly time: string;
  readonly stream: string;
  readonly text: string;
}

export function parseCriLine(line: string): Entry | undefined {
  const match = /^(\S+) (stdout|stderr) (\S+) (.*)$/s.exec(line);
  if (match === null) return undefined;
  const [, time = '', stream = '', tags = '', text = ''] = match;
  // `P`: the line goes on in the next entry.
  const end = tags.split(':').includes('P') ? '' : '\n';
  return { at: Date.parse(time), time, stream, text: text + end };
}

/** Lines of one open file from where the last reading ended; what is not yet a line is kept. */
class LineReader {
  readonly #file: FileHandle;
  #position = 0;
  #rest = '';
  readonly #decoder = new TextDecoder();

  constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<LineReader | undefined> {
    const file = await open(path, 'r').catch(() => undefined);
    return file === undefined ? undefined : new LineReader(file);
  }

  async *lines(): AsyncGenerator<string> {
    for (;;) {
      const buffer = new Uint8Array(readBytes);
      const { bytesRead } = await this.#file.read(buffer, 0, readBytes, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const text = this.#decoder.decode(buffer.subarray(0, bytesRead), { stream: true });
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      yield* lines;
    }
  }

  async isAt(path: string): Promise<boolean> {
    const there = await stat(path).catch(() => undefined);
    return there?.ino === (await this.#file.stat()).ino;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Where the log goes on when its file was put aside for being large. */
export function olderLog(path: string): string {
  return `${path}.1`;
}

async function* entriesOf(reader: LineReader | undefined): AsyncGenerator<Entry> {
  if (reader === undefined) return;
  for await (const line of reader.lines()) {
    const entry = parseCriLine(line);
    if (entry !== undefined) yield entry;
  }
}

async function* entries(
  path: string,
  isRunning: (() => boolean) | undefined,
  signal: AbortSignal,
): AsyncGenerator<Entry | 'caught-up'> {
  const older = await LineReader.open(olderLog(path));
  yield* entriesOf(older);
  await older?.close();
  let reader = await LineReader.open(path);
  try {
    for (;;) {
      const wasRunning = isRunning?.() === true;
      yield* entriesOf(reader);
      if (signal.aborted) return;
      if (reader === undefined || !(await reader.isAt(path))) {
        // Put aside meanwhile: what was written until then, then the new file.
        yield* entriesOf(reader);
        const next = await LineReader.open(path);
        if (next !== undefined) {
          await reader?.close();
          reader = next;
          continue;
        }
      }
      if (!wasRunning) return;
      yield 'caught-up';
      await growth(path, signal);
    }
  } finally {
    await reader?.close();
  }
}

/** The file changes, or a second passes (in which its container may have ended). */
function growth(path: string, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const watcher = watch(dirname(path));
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      watcher.close();
      done();
    };
    const timer = setTimeout(finish, 1_000);
    watcher.once('change', finish);
    watcher.once('error', finish);
    signal.addEventListener('abort', finish);
  });
}

/** `isRunning`: given when the log is to be followed. */
export async function* readCriLog(
  path: string,
  request: LogRequest,
  { isRunning, signal }: { readonly isRunning?: (() => boolean) | undefined; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  let left = request.limitBytes ?? Infinity;
  let tail: Entry[] | undefined = request.tailLines === undefined ? undefined : [];
  const shown = (entry: Entry): Uint8Array =>
    Buffer.from(request.timestamps ? `${entry.time} ${entry.text}` : entry.text);
  const emit = function* (list: readonly Entry[]): Generator<Uint8Array> {
    for (const entry of list) {
      if (left <= 0) return;
      const bytes = shown(entry).subarray(0, left);
      left -= bytes.length;
      yield bytes;
    }
  };
  for await (const entry of entries(path, isRunning, signal)) {
    if (entry === 'caught-up') {
      yield* emit(tail ?? []);
      tail = undefined;
      continue;
    }
    if (request.stream !== 'all' && entry.stream !== request.stream) continue;
    if (request.sinceMs !== undefined && entry.at < request.sinceMs) continue;
    if (tail === undefined) yield* emit([entry]);
    else {
      tail.push(entry);
      if (tail.length > (request.tailLines ?? 0)) tail.shift();
    }
    if (left <= 0) return;
  }
  yield* emit(tail ?? []);
}
