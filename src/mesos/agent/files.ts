// Sandbox files over HTTP: browse, read and download, by virtual paths that lead nowhere else.
import { createReadStream } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import type { ServerResponse } from 'node:http';
import type { FileInfo } from '#wire/mesos/v1.ts';
import type { AgentAccess } from './access.ts';
import { HttpProblem } from './http.ts';

const READ_BYTES_MAX = 16 * 4096;

export interface FileRead {
  readonly size: number;
  readonly data: Buffer;
}

/** Under which the agent's own log is shown, if it is kept in a file (--external_log_file). */
const LOG_NAME = '/slave/log';

/** Files below the agent's `slaves` folder; nothing outside it, not even by a symbolic link. */
export class SandboxFiles {
  readonly #root: string;
  readonly #log: string | undefined;

  constructor(workFolder: string, log?: string) {
    this.#root = join(workFolder, 'slaves');
    this.#log = log;
  }

  /** The real path of an absolute sandbox path. 400 without one, 404 when it is not there, 403. */
  async resolve(path: string | undefined, access: AgentAccess): Promise<string> {
    if (path === undefined || path === '') {
      throw new HttpProblem(400, "Expecting 'path=value' in query.\n");
    }
    if (path === LOG_NAME && this.#log !== undefined) {
      access.requireLog();
      const log = await realpath(this.#log).catch(() => undefined);
      if (log === undefined) throw new HttpProblem(404, '');
      return log;
    }
    const root = await realpath(this.#root).catch(() => this.#root);
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined || !(real === root || real.startsWith(root + sep))) {
      throw new HttpProblem(404, '');
    }
    access.requireSandbox(real);
    return real;
  }

  async list(path: string | undefined, access: AgentAccess): Promise<FileInfo[]> {
    const folder = await this.resolve(path, access);
    const names = (await readdir(folder).catch(() => [])).toSorted();
    const infos = await Promise.all(
      names.map((name) => fileInfo(join(path ?? '', name)).catch(() => undefined)),
    );
    return infos.filter((info) => info !== undefined);
  }

  async read(
    path: string | undefined,
    { offset, length }: { readonly offset: number; readonly length: number },
    access: AgentAccess,
  ): Promise<FileRead> {
    const real = await this.resolve(path, access);
    const file = await open(real, 'r');
    try {
      const info = await file.stat();
      if (info.isDirectory()) throw new HttpProblem(400, 'Cannot read a directory');
      if (offset < 0) return { size: info.size, data: Buffer.alloc(0) };
      const wanted = Math.min(length, READ_BYTES_MAX, Math.max(0, info.size - offset));
      const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
      return { size: info.size, data: buffer.subarray(0, bytesRead) };
    } finally {
      await file.close();
    }
  }

  async download(
    path: string | undefined,
    response: ServerResponse,
    access: AgentAccess,
  ): Promise<void> {
    const real = await this.resolve(path, access);
    const info = await stat(real);
    if (info.isDirectory()) throw new HttpProblem(400, 'Cannot download a directory');
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename=${basename(real)}`,
      'Content-Length': info.size,
    });
    if (info.size === 0) response.end();
    else createReadStream(real, { end: info.size - 1 }).pipe(response);
  }
}

async function fileInfo(path: string): Promise<FileInfo> {
  const { nlink, size, mtimeMs, mode, uid, gid } = await stat(path);
  return {
    path,
    nlink,
    size,
    mtime: { nanoseconds: Math.floor(mtimeMs) * 1e6 },
    mode,
    uid: String(uid),
    gid: String(gid),
  };
}

/** `-rw-r--r--`, for /files/browse. */
export function modeText(mode: number): string {
  const kind = (mode & 0o170000) === 0o040000 ? 'd' : '-';
  const bits = [...'rwxrwxrwx'].map((letter, at) => ((mode >> (8 - at)) & 1 ? letter : '-'));
  return kind + bits.join('');
}
