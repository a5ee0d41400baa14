// Files that the master shows over HTTP under names of its own, as Mesos shows its log at
// /master/log: browse, read, download.
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ServerResponse } from 'node:http';
import type { Approvers } from '#mesos/security/authorizer.ts';
import type { FileInfo } from '#wire/mesos/v1.ts';

const READ_BYTES_MAX = 16 * 4096;

/** Why a file is not read: 400 or 404 with a text, empty for none. */
export interface FileProblem {
  readonly status: number;
  readonly message: string;
}

export type Outcome<T> = { readonly problem: FileProblem } | { readonly value: T };

/** Mesos says no more than this of a file of its log. */
const forbidden = (name: string): { readonly problem: FileProblem } => ({
  problem: { status: 403, message: `Not authorized to access '${name}'` },
});

const missing: { readonly problem: FileProblem } = { problem: { status: 404, message: '' } };

/** `-rw-r--r--` */
export function modeText(mode: number): string {
  const letters = [...'rwxrwxrwx'];
  return `-${letters.map((letter, at) => ((mode >> (8 - at)) & 1 ? letter : '-')).join('')}`;
}

export class AttachedFiles {
  readonly #paths: ReadonlyMap<string, string>;

  /** Name -> path of the file behind it. */
  constructor(paths: ReadonlyMap<string, string>) {
    this.#paths = paths;
  }

  debug(): Record<string, string> {
    return Object.fromEntries(this.#paths);
  }

  async list(name: string, approvers: Approvers): Promise<Outcome<FileInfo[]>> {
    const path = this.#paths.get(name.replace(/\/+$/, ''));
    if (path === undefined) return missing;
    if (!approvers.may('ACCESS_MESOS_LOG')) return forbidden(name);
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) return missing;
    const { nlink, size, mtimeMs, mode, uid, gid } = info;
    const mtime = { nanoseconds: Math.floor(mtimeMs) * 1e6 };
    return {
      value: [{ path: name, nlink, size, mtime, mode, uid: String(uid), gid: String(gid) }],
    };
  }

  /** Without an offset (undefined): only the size. */
  async read(
    name: string,
    offset: number | undefined,
    length: number | undefined,
    approvers: Approvers,
  ): Promise<Outcome<{ size: number; data: Buffer }>> {
    const path = this.#paths.get(name);
    if (path !== undefined && !approvers.may('ACCESS_MESOS_LOG')) return forbidden(name);
    const file = path === undefined ? undefined : await open(path, 'r').catch(() => undefined);
    if (file === undefined) return missing;
    try {
      const { size } = await file.stat();
      if (offset === undefined || offset >= size) return { value: { size, data: Buffer.alloc(0) } };
      const wanted = Math.min(length ?? READ_BYTES_MAX, READ_BYTES_MAX, size - offset);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
      return { value: { size, data: buffer.subarray(0, bytesRead) } };
    } finally {
      await file.close();
    }
  }

  async download(
    name: string,
    response: ServerResponse,
    approvers: Approvers,
  ): Promise<FileProblem | undefined> {
    const path = this.#paths.get(name);
    if (path !== undefined && !approvers.may('ACCESS_MESOS_LOG')) return forbidden(name).problem;
    const info = path === undefined ? undefined : await stat(path).catch(() => undefined);
    if (path === undefined || info === undefined) return missing.problem;
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': `attachment; filename=${basename(path)}`,
      'Content-Length': info.size,
    });
    if (info.size === 0) response.end();
    else createReadStream(path, { end: info.size - 1 }).pipe(response);
    return undefined;
  }
}
