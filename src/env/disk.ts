// The disk port: whole files written atomically and durably, and little more.
import type { Fault } from '#base/fault.ts';

/**
 * Paths are absolute. Failures are `Fault`s with `detail.code` of `disk-full`, `disk-read-only`,
 * `disk-permission`, `disk-io` (all with `path`); absence is `undefined`, not a fault.
 */
export interface Disk {
  read(path: string): Promise<Uint8Array | undefined>;
  /** Write to a temporary file, fsync, rename, fsync the folder: after it resolves it survives. */
  writeAtomic(path: string, bytes: Uint8Array | string, options?: { mode?: number }): Promise<void>;
  /**
   * As `writeAtomic`, but what it resolves to may be lost with the machine (the file is then empty, as before, or
   * not there) until `sync` of it has resolved. A crash of this process alone loses nothing.
   */
  replace(path: string, bytes: Uint8Array | string, options?: { mode?: number }): Promise<void>;
  /** Makes what was replaced durable, the names as well. */
  sync(...paths: readonly string[]): Promise<void>;
  /** Appends and fsyncs. */
  append(path: string, bytes: Uint8Array | string): Promise<void>;
  /** Makes a symbolic link, or replaces one in one step. */
  link(path: string, target: string): Promise<void>;
  readLink(path: string): Promise<string | undefined>;
  /** Names (not paths) in a folder, sorted; `undefined` when there is no such folder. */
  list(path: string): Promise<readonly string[] | undefined>;
  makeFolder(path: string, options?: { mode?: number }): Promise<void>;
  /** Removes a file or a whole tree; absence is no failure. */
  remove(path: string): Promise<void>;
}

export type DiskFault = Fault;
