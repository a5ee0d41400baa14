// Reads the log files that a CRI runtime writes: `<time> <stdout|stderr> <F|P> <text>` lines.
import { watch } from 'node:fs';
import { dirname } from 'node:path';
import { readRange, sizeOf } from './log-index.ts';
import type { LogRequest } from './runtime.ts';

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

async function* entries(
  path: string,
  isRunning: (() => boolean) | undefined,
  signal: AbortSignal,
): AsyncGenerator<Entry | 'caught-up'> {
  let position = 0;
  let rest = '';
  const decoder = new TextDecoder();
  for (;;) {
    const wasRunning = isRunning?.() === true;
    const size = await sizeOf(path);
    for await (const bytes of readRange(path, { from: position, to: size })) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const entry = parseCriLine(line);
        if (entry !== undefined) yield entry;
      }
    }
    const grew = size > position;
    position = size;
    if (signal.aborted || (!wasRunning && !grew)) return;
    yield 'caught-up';
    if (!grew) await growth(path, signal);
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
