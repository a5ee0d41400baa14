// Logs as a CRI runtime writes them: lines and pieces of lines, both streams, the file put aside.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { olderLog, parseCriLine, readCriLog } from './cri-log.ts';
import type { LogRequest } from './runtime.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-cri-log-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const all: LogRequest = { follow: false, timestamps: false, stream: 'all' };
const line = (second: number, stream: string, tag: string, text: string): string =>
  `2026-01-01T00:00:0${second}.000000000Z ${stream} ${tag} ${text}\n`;

async function read(path: string, request: Partial<LogRequest> = {}): Promise<string> {
  const { signal } = new AbortController();
  let found = '';
  for await (const piece of readCriLog(path, { ...all, ...request }, { signal })) {
    found += Buffer.from(piece).toString();
  }
  return found;
}

test('parseCriLine joins what was written in pieces, and refuses what is no entry', () => {
  assert.equal(parseCriLine('2026-01-01T00:00:00Z stdout P half')?.text, 'half');
  assert.equal(parseCriLine('2026-01-01T00:00:00Z stderr F whole')?.text, 'whole\n');
  assert.equal(parseCriLine('nonsense'), undefined);
});

test('readCriLog chooses by stream, time, tail and size', async () => {
  const path = join(folder, 'chosen.log');
  writeFileSync(
    path,
    line(1, 'stdout', 'P', 'one ') + line(1, 'stdout', 'F', 'line') + line(2, 'stderr', 'F', 'two'),
  );
  appendFileSync(path, line(3, 'stdout', 'F', 'three'));
  const since = Date.parse('2026-01-01T00:00:02Z');
  const table: readonly (readonly [Partial<LogRequest>, string])[] = [
    [{}, 'one line\ntwo\nthree\n'],
    [{ stream: 'stderr' }, 'two\n'],
    [{ sinceMs: since }, 'two\nthree\n'],
    [{ tailLines: 1 }, 'three\n'],
    [{ tailLines: 0 }, ''],
    [{ limitBytes: 5 }, 'one l'],
    [{ stream: 'stderr', timestamps: true }, '2026-01-01T00:00:02.000000000Z two\n'],
  ];
  for (const [request, expected] of table) assert.equal(await read(path, request), expected);
});

test('a log that was put aside is read first, and followed into its next file', async () => {
  const path = join(folder, 'turned.log');
  writeFileSync(olderLog(path), line(1, 'stdout', 'F', 'oldest'));
  writeFileSync(path, line(2, 'stdout', 'F', 'old'));
  assert.equal(await read(path), 'oldest\nold\n');
  const { signal } = new AbortController();
  let isRunning = true;
  const follow = readCriLog(path, all, { signal, isRunning: () => isRunning });
  const next = async (): Promise<string> =>
    Buffer.from((await follow.next()).value ?? new Uint8Array()).toString();
  assert.equal(await next(), 'oldest\n');
  assert.equal(await next(), 'old\n');
  const third = next();
  renameSync(path, olderLog(path));
  appendFileSync(olderLog(path), line(3, 'stdout', 'F', 'last in the old file'));
  writeFileSync(path, line(4, 'stdout', 'F', 'first in the new file'));
  assert.equal(await third, 'last in the old file\n');
  assert.equal(await next(), 'first in the new file\n');
  isRunning = false;
  assert.equal(await next(), '');
});
