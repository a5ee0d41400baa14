// Reads a container's log as the kubelet API serves it: lines of both streams in the order of their
// times, from a line count or a time on, with time stamps, followed while the container runs.
import { stat } from 'node:fs/promises';
import { growth, readRange, readStamps, sizeOf } from './log-index.ts';
import type { LogIndex, LogPaths, Stamp } from './log-index.ts';
import type { LogRequest } from './runtime.ts';

const lineFeed = 10;
const start: Stamp = { at: 0, out: 0, err: 0 };

interface Segment {
  readonly from: Stamp;
  readonly to: Stamp;
}

/** `2026-11-24T12:00:00.123000000Z` */
export function nanoTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000000Z');
}

export interface LogSource {
  readonly paths: LogPaths;
  /** While the container runs. */
  readonly index: LogIndex | undefined;
}

async function segments(source: LogSource): Promise<Segment[]> {
  const { stamps, cut } = source.index ?? (await readStamps(source.paths));
  const { out, err } = source.paths;
  const list: Segment[] = [];
  let from: Stamp = { ...start, out: cut.out, err: cut.err };
  for (const to of stamps) {
    list.push({ from, to });
    from = to;
  }
  const [outSize, errSize] = await Promise.all([sizeOf(out), sizeOf(err)]);
  if (outSize > from.out || errSize > from.err) {
    const times = await Promise.all(
      [out, err].map(async (path) => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0),
    );
    const at = Math.max(from.at, Math.floor(Math.max(...times)));
    list.push({ from, to: { at, out: outSize, err: errSize } });
  }
  return list;
}

async function countLines(path: string, from: number, to: number): Promise<number> {
  let count = 0;
  for await (const bytes of readRange(path, { from, to })) {
    for (const byte of bytes) if (byte === lineFeed) count += 1;
  }
  return count;
}

/** The first segment to read for the last `tail` lines, and how many lines to skip from there. */
async function findTail(
  source: LogSource,
  list: readonly Segment[],
  { tail, stream }: { readonly tail: number; readonly stream: LogRequest['stream'] },
): Promise<{ first: number; skip: number }> {
  let lines = 0;
  for (let index = list.length - 1; index >= 0; index--) {
    const segment = list[index];
    if (segment === undefined) break;
    const { from, to } = segment;
    if (stream !== 'stderr') lines += await countLines(source.paths.out, from.out, to.out);
    if (stream !== 'stdout') lines += await countLines(source.paths.err, from.err, to.err);
    // One more than wanted, since a segment may begin within a line.
    if (lines > tail) return { first: index, skip: lines - tail };
  }
  return { first: 0, skip: Math.max(0, lines - tail) };
}

/** Cuts bytes into lines; remembers what is not yet a whole line. */
class LineCutter {
  #rest: Uint8Array[] = [];
  #restAt = 0;

  *push(bytes: Uint8Array, at: number): Generator<{ line: Uint8Array; at: number }> {
    let begin = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, begin);
      if (end < 0) break;
      const piece = bytes.subarray(begin, end + 1);
      begin = end + 1;
      if (this.#rest.length === 0) {
        yield { line: piece, at };
        continue;
      }
      const line = Buffer.concat([...this.#rest, piece]);
      this.#rest = [];
      yield { line, at: this.#restAt };
    }
    if (begin === bytes.length) return;
    if (this.#rest.length === 0) this.#restAt = at;
    this.#rest.push(bytes.subarray(begin));
  }

  *end(): Generator<{ line: Uint8Array; at: number }> {
    if (this.#rest.length === 0) return;
    const line = Buffer.concat(this.#rest);
    this.#rest = [];
    yield { line, at: this.#restAt };
  }
}

interface Line {
  readonly line: Uint8Array;
  readonly at: number;
}

class LogReader {
  readonly #source: LogSource;
  readonly #request: LogRequest;
  readonly #out = new LineCutter();
  readonly #err = new LineCutter();
  position: Stamp = start;

  constructor(source: LogSource, request: LogRequest) {
    this.#source = source;
    this.#request = request;
  }

  async *read({ from, to }: Segment): AsyncGenerator<Line> {
    const { stream } = this.#request;
    const { paths } = this.#source;
    this.position = to;
    if (stream !== 'stderr') {
      for await (const bytes of readRange(paths.out, { from: from.out, to: to.out })) {
        yield* this.#out.push(bytes, to.at);
      }
    }
    if (stream !== 'stdout') {
      for await (const bytes of readRange(paths.err, { from: from.err, to: to.err })) {
        yield* this.#err.push(bytes, to.at);
      }
    }
  }

  *end(): Generator<Line> {
    yield* this.#out.end();
    yield* this.#err.end();
  }
}

async function* allLines(
  source: LogSource,
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<Line> {
  const reader = new LogReader(source, request);
  const list = await segments(source);
  const { tailLines, stream } = request;
  let first = 0;
  let skip = 0;
  if (tailLines !== undefined) {
    ({ first, skip } = await findTail(source, list, { tail: tailLines, stream }));
  }
  reader.position = list[0]?.from ?? start;
  for (const segment of list.slice(first)) {
    for await (const line of reader.read(segment)) {
      if (skip > 0) skip -= 1;
      else yield line;
    }
  }
  const { index } = source;
  if (request.follow && index !== undefined) {
    for await (const grown of growth(index, reader.position, signal)) yield* reader.read(grown);
  }
  if (skip === 0 && !signal.aborted) yield* reader.end();
}

export async function* readLog(
  source: LogSource,
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = request.limitBytes ?? Infinity;
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const { line, at } of allLines(source, request, signal)) {
    if (signal.aborted) return;
    if (request.sinceMs !== undefined && at < request.sinceMs) continue;
    if (request.timestamps) {
      const prefix = Buffer.from(`${nanoTime(at)} `);
      pieces.push(prefix);
      size += prefix.length;
    }
    pieces.push(line);
    size += line.length;
    const isLive = request.follow && source.index !== undefined;
    if (size < 32 * 1024 && size < left && !isLive) continue;
    yield Buffer.concat(pieces).subarray(0, left);
    left -= size;
    if (left <= 0) return;
    pieces = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(pieces).subarray(0, left);
}
