// Input and output of containers for those who attach to them: files that grow are followed without
// polling, and input goes through a FIFO.
import { execFile } from 'node:child_process';
import { constants, open as openDescriptor, readFileSync, readlinkSync, watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { Fault } from '#base/fault.ts';

const CHUNK_BYTES = 64 * 1024;
const run = promisify(execFile);
const openRaw: (path: string, flags: number) => Promise<number> = promisify(openDescriptor);

/** How much there is of a file: what is written from now on lies behind it. */
export async function endOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

/**
 * Hands on what a file holds behind `from` (bytes) and what is added to it, until `ended` and all is read, or until the
 * signal. One chunk is in memory at a time: `write` is awaited.
 */
export async function follow(
  path: string,
  from: number,
  until: { readonly ended: Promise<unknown>; readonly signal: AbortSignal },
  write: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'r');
  let wake = (): void => {};
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    wake();
  };
  const watcher = watch(path, () => wake());
  watcher.on('error', stop);
  until.signal.addEventListener('abort', stop);
  void until.ended.then(stop);
  try {
    let offset = from;
    const buffer = Buffer.alloc(CHUNK_BYTES);
    while (!until.signal.aborted) {
      const wasOver = isOver;
      const grown = new Promise<void>((done) => {
        wake = done;
      });
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      offset += bytesRead;
      if (bytesRead > 0) await write(Buffer.from(buffer.subarray(0, bytesRead)));
      // Cut by its owner or by rotation: what comes next begins anew.
      else if ((await file.stat()).size < offset) offset = 0;
      else if (wasOver) break;
      else await grown;
    }
  } finally {
    watcher.close();
    until.signal.removeEventListener('abort', stop);
    await file.close();
  }
}

export async function makeFifo(path: string): Promise<void> {
  await run('mkfifo', ['-m', '600', path]);
}

/**
 * `hold`: also while nobody reads yet. A process that reads the FIFO sees its end when the last
 * writer has closed it.
 */
export async function openInput(path: string, how: 'hold' | 'write'): Promise<Socket> {
  const mode = how === 'hold' ? constants.O_RDWR : constants.O_WRONLY;
  let fd: number;
  try {
    // A FileHandle would close the descriptor when it is collected: the socket owns this one.
    fd = await openRaw(path, mode | constants.O_NONBLOCK);
  } catch (cause) {
    throw new Fault({ code: 'no-input', path }, `Cannot write to "${path}": nobody reads it`, {
      cause,
    });
  }
  const socket = new Socket({ fd, readable: false, writable: true });
  socket.on('error', () => {});
  return socket;
}

/** The terminal is that of the command, or of the first below it that has one. */
export async function resizeTerminal(pid: number, rows: number, columns: number): Promise<void> {
  let current = String(pid);
  for (;;) {
    let terminal = '';
    try {
      terminal = readlinkSync(`/proc/${current}/fd/0`);
      if (!terminal.startsWith('/dev/pts/')) {
        const children = readFileSync(`/proc/${current}/task/${current}/children`, 'utf8');
        current = children.trim().split(' ')[0] ?? '';
        if (current === '') return;
        continue;
      }
    } catch {
      return;
    }
    const args = ['-F', terminal, 'rows', String(rows), 'cols', String(columns)];
    await run('stty', args).catch(() => {});
    return;
  }
}
