// Brings the files that a command names into its sandbox, one after the other, before it starts
// (inventory 3.5): local paths, file, http and https here, all else by programs; archives are unpacked unless
// asked otherwise. What is no longer waited for is given up.
import { spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, copyFile, lchown, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { Env } from '#env/env.ts';
import type { CommandInfo_URI } from '#wire/mesos/v1.ts';
import { checkFile, splitChecksum } from './checksum.ts';
import { FetchCache } from './fetch-cache.ts';
import { bringByProgram, type FetchPrograms } from './fetch-programs.ts';

const TAR_NAMES = /\.(tar|tgz|tar\.gz|tbz2|tar\.bz2|txz|tar\.xz)$/;

export interface FetcherOptions extends FetchPrograms {
  readonly cacheFolder: string;
  readonly cacheBytesMax: number;
  /** Relative paths are below it; undefined: they are refused. */
  readonly frameworksHome: string | undefined;
}

export interface Fetch {
  readonly uris: readonly CommandInfo_URI[];
  readonly sandbox: string;
  readonly containerId: string;
  readonly user: string;
  /** Undefined: of whoever runs the agent. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Nobody waits for the files any more. */
  readonly signal?: AbortSignal | undefined;
}

function outputName(uri: CommandInfo_URI): string {
  const [place] = splitChecksum(uri.value);
  const name = uri.output_file ?? basename(new URL(place, 'file:///').pathname);
  const clean = normalize(name);
  if (name === '' || isAbsolute(clean) || clean.startsWith('..')) {
    throw new Error(`"${uri.value}" has no place in the sandbox`);
  }
  return clean;
}

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #timers: Env['timers'];
  readonly cache: FetchCache;
  succeeded = 0;
  failed = 0;

  constructor(options: FetcherOptions, env: Pick<Env, 'timers'>) {
    this.#options = options;
    this.#timers = env.timers;
    this.cache = new FetchCache({ folder: options.cacheFolder, bytesMax: options.cacheBytesMax });
  }

  /** Throws with the words for the task's last update. */
  async fetchAll(fetch: Fetch): Promise<void> {
    const { uris, sandbox, containerId, owner } = fetch;
    if (uris.length === 0) return;
    const before = new Set(await readdir(sandbox));
    try {
      for (const uri of uris) await this.#fetchOne(uri, fetch);
      if (owner !== undefined) await giveNew(sandbox, before, owner);
      this.succeeded += 1;
    } catch (cause) {
      this.failed += 1;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Failed to fetch all URIs for container '${containerId}': ${why}`, { cause });
    }
  }

  async #fetchOne(uri: CommandInfo_URI, { sandbox, user, signal }: Fetch): Promise<void> {
    signal?.throwIfAborted();
    const target = join(sandbox, outputName(uri));
    await mkdir(dirname(target), { recursive: true });
    if (uri.cache === true) {
      // Others may wait for the same file: it goes on coming without this one.
      const bring = (path: string): Promise<void> => this.#bringWhole(uri.value, path);
      const place = (path: string): Promise<void> => put(uri, path, { target, sandbox });
      try {
        await orAborted(this.cache.withFile({ user, uri: uri.value }, bring, place), signal);
        return;
      } catch {
        // Without the cache it may come all the same; if not, this says why.
        signal?.throwIfAborted();
      }
    }
    await this.#bringWhole(uri.value, target, signal);
    await unpackOrMark(uri, target, { target, sandbox });
  }

  /** What is not as its digest says does not stay. */
  async #bringWhole(uri: string, target: string, signal?: AbortSignal): Promise<void> {
    const [place, checksum] = splitChecksum(uri);
    await this.#bring(place, target, signal);
    if (checksum === undefined) return;
    try {
      await checkFile(place, target, checksum);
    } catch (error) {
      await rm(target, { force: true });
      throw error;
    }
  }

  async #bring(uri: string, target: string, signal?: AbortSignal): Promise<void> {
    if (/^https?:/i.test(uri)) {
      await this.#download(uri, target, signal);
      return;
    }
    if (/^[a-z][a-z0-9+.-]*:/i.test(uri) && !uri.startsWith('file:')) {
      await bringByProgram(uri, target, this.#options, signal);
      return;
    }
    const path = uri.startsWith('file:')
      ? fileURLToPath(uri.replace(/^file:\/\/localhost\//, 'file:///'))
      : uri;
    const { frameworksHome } = this.#options;
    if (isAbsolute(path)) await copyFile(path, target);
    else if (frameworksHome === undefined) throw new Error(`"${uri}" is a relative path`);
    else await copyFile(join(frameworksHome, path), target);
  }

  async #download(uri: string, target: string, ended?: AbortSignal): Promise<void> {
    const stalled = new AbortController();
    const signal = ended === undefined ? stalled.signal : AbortSignal.any([stalled.signal, ended]);
    const { stallMs } = this.#options;
    const give = (): void => stalled.abort(new Error(`"${uri}" stalled for ${stallMs / 1_000} s`));
    let timer = this.#timers.after(stallMs, give);
    const watch = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        timer.cancel();
        timer = this.#timers.after(stallMs, give);
        done(null, chunk);
      },
    });
    try {
      const response = await fetch(uri, { signal });
      if (!response.ok || response.body === null) {
        throw new Error(`"${uri}" was answered with ${response.status}`);
      }
      const body = Readable.fromWeb(response.body as never);
      await pipeline(body, watch, createWriteStream(target), { signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      timer.cancel();
    }
  }
}

/** Rejects as soon as nobody waits any more; the work goes on. */
async function orAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await work;
  signal.throwIfAborted();
  const given = Promise.withResolvers<never>();
  const giveUp = (): void => given.reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await Promise.race([work, given.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
    work.catch(() => {});
  }
}

interface Place {
  /** The name under which the file is fetched. */
  readonly target: string;
  readonly sandbox: string;
}

/** From the cache: archives are unpacked from there, all else is copied. */
async function put(uri: CommandInfo_URI, path: string, place: Place): Promise<void> {
  if (isArchive(uri, place.target)) {
    await unpackOrMark(uri, path, place);
    return;
  }
  await copyFile(path, place.target);
  await unpackOrMark(uri, place.target, place);
}

function isArchive(uri: CommandInfo_URI, target: string): boolean {
  const isNamed = TAR_NAMES.test(target) || target.endsWith('.zip') || target.endsWith('.gz');
  return isNamed && uri.extract !== false && uri.executable !== true;
}

async function unpackOrMark(uri: CommandInfo_URI, path: string, place: Place): Promise<void> {
  if (uri.executable === true) await chmod(path, 0o755);
  else if (!isArchive(uri, place.target)) return;
  else if (place.target.endsWith('.zip')) {
    await unpack('unzip', ['-o', '-q', path], place.sandbox);
  } else if (!TAR_NAMES.test(place.target)) {
    const plain = place.target.slice(0, -'.gz'.length);
    // Loaded by those who need it.
    const { createGunzip } = process.getBuiltinModule('node:zlib');
    await pipeline(createReadStream(path), createGunzip(), createWriteStream(plain));
  } else await unpack('tar', ['-xf', path], place.sandbox);
}

async function unpack(program: string, args: readonly string[], folder: string): Promise<void> {
  const child = spawn(program, args, { cwd: folder, stdio: 'ignore' });
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('exit', done);
  });
  if (code !== 0) throw new Error(`${program} ended with ${code ?? 'a signal'}`);
}

/** What was not there before belongs to the task's user. */
async function giveNew(
  sandbox: string,
  before: ReadonlySet<string>,
  owner: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const names = (await readdir(sandbox)).filter((name) => !before.has(name));
  for (const name of names) await giveTree(join(sandbox, name), owner);
}

async function giveTree(
  path: string,
  owner: { readonly uid: number; readonly gid: number },
): Promise<void> {
  await lchown(path, owner.uid, owner.gid);
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) await giveTree(below, owner);
    else await lchown(below, owner.uid, owner.gid);
  }
}
