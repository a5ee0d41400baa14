// Files that the master shows over HTTP under names of its own, as Mesos shows its log at
// /master/log: browse, read, download.
import type { ServerResponse } from 'node:http';
import {
  accountNames,
  fileInfo,
  noSuchFile,
  readPart,
  sendFile,
} from '#mesos/libprocess/file-info.ts';
import type { Outcome, SharedFiles } from '#mesos/libprocess/process-api.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import type { Approvers } from '#mesos/security/authorizer.ts';
import type { FileInfo } from '#wire/mesos/v1.ts';

/** Mesos says no more than this of a file of its log. */
const forbidden = (name: string): { readonly problem: Refusal } => ({
  problem: { status: 403, message: `Not authorized to access '${name}'` },
});

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
    if (path === undefined) return noSuchFile;
    if (!approvers.may('ACCESS_MESOS_LOG')) return forbidden(name);
    const info = await fileInfo(path, name, await accountNames()).catch(() => undefined);
    return info === undefined ? noSuchFile : { value: [info] };
  }

  /** Without an offset (undefined): only the size. */
  async read(
    name: string,
    offset: number | undefined,
    length: number | undefined,
    approvers: Approvers,
  ): Promise<Outcome<{ readonly size: number; readonly data: Buffer }>> {
    const path = this.#paths.get(name);
    if (path === undefined) return noSuchFile;
    return approvers.may('ACCESS_MESOS_LOG') ? readPart(path, offset, length) : forbidden(name);
  }

  async download(
    name: string,
    response: ServerResponse,
    approvers: Approvers,
  ): Promise<Refusal | undefined> {
    const path = this.#paths.get(name);
    if (path === undefined) return noSuchFile.problem;
    return approvers.may('ACCESS_MESOS_LOG') ? sendFile(path, response) : forbidden(name).problem;
  }
}
