// Files that the master shows over HTTP under names of its own, as Mesos shows its log at
// /master/log: browse, read, download.
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ServerResponse } from 'node:http';
import { accountNames, fileInfo } from '#mesos/libprocess/file-info.ts';
import type { Outcome, SharedFiles } from '#mesos/libprocess/process-api.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import type { Approvers } from '#mesos/security/authorizer.ts';
import type { FileInfo } from '#wire/mesos/v1.ts';

const READ_BYTES_MAX = 16 * 4096;

/** Mesos says no more than this of a file of its log. */
const forbidden = (name: string): { readonly problem: Refusal } => ({
  problem: { status: 403, message: `Not authorized to access '${name}'` },
});

const missing: { readonly problem: Refusal } = { problem: { status: 404, message: '' } };

export class AttachedFiles implements SharedFiles<Approvers> {
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
    const info = await fileInfo(path, name, await accountNames()).catch(() => undefined);
    return info === undefined ? missing : { value: [info] };
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
  ): Promise<Refusal | undefined> {
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
