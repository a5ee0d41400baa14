// One layer of an image on disk: unpacked from its archive with what it takes away in the form that
// overlayfs has for that, copied over others where there is no overlayfs, and looked into safely.
import { spawn } from 'node:child_process';
import type { Stats } from 'node:fs';
import { lstat, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const BLOCK = 512;
const LINKS_MAX = 40;

/** Paths below a layer: what it removes of those below it, folders that hide all of theirs. */
export interface Removals {
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
}

/**
 * `input`: what the program reads. Rejects with its last words when it fails; when it is ended by `signal`, once it
 * is no more.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  input?: Buffer | undefined,
): Promise<void> {
  signal.throwIfAborted();
  // A group of its own: what the program has started ends with it.
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'], detached: true });
  const stop = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  signal.addEventListener('abort', stop, { once: true });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-500)));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  }).finally(() => signal.removeEventListener('abort', stop));
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`${program} ended with ${code ?? 'a signal'}: ${words.trim()}`);
}

/** Nothing is ever unpacked over another layer: no link in one can lead the files of another out. */
export async function unpackLayer(
  archive: string,
  folder: string,
  signal: AbortSignal,
): Promise<Removals> {
  const kept = ['--numeric-owner', '-p', '--xattrs', '--xattrs-include=security.capability'];
  await runProgram('tar', ['-xf', archive, ...kept, '-C', folder], signal);
  const removals = { whiteouts: [] as string[], opaque: [] as string[] };
  await takeMarks(folder, '', removals);
  const marks: Buffer[] = [];
  for (const path of removals.opaque) {
    const about = await lstat(join(folder, path));
    marks.push(opaqueEntry(path, about));
  }
  for (const path of removals.whiteouts) marks.push(tarHeader(path, { type: '3', mode: 0 }));
  if (marks.length > 0) {
    const end = Buffer.alloc(2 * BLOCK);
    const options = ['-p', '--numeric-owner', '--xattrs', '--xattrs-include=trusted.*'];
    // The one tool every machine has that can set an attribute and make a device.
    const args = ['-xf', '-', ...options, '-C', folder];
    await runProgram('tar', args, signal, Buffer.concat([...marks, end]));
  }
  return removals;
}

async function takeMarks(
  folder: string,
  below: string,
  into: { whiteouts: string[]; opaque: string[] },
): Promise<void> {
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) {
      await takeMarks(folder, path, into);
    } else if (entry.name === OPAQUE) {
      await rm(join(folder, path));
      into.opaque.push(below === '' ? '.' : below);
    } else if (entry.name.startsWith(WHITEOUT)) {
      await rm(join(folder, path));
      const name = entry.name.slice(WHITEOUT.length);
      if (name === '' || name === '.' || name === '..') throw new Error(`"${path}" names nothing`);
      into.whiteouts.push(join(below, name));
    }
  }
}

interface TarEntry {
  /** `3` a character device (0:0), `5` a folder, `x` records for the next entry. */
  readonly type: '3' | '5' | 'x';
  readonly mode: number;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly size?: number | undefined;
  readonly mtime?: number | undefined;
}

function paxRecord(name: string, value: string): Buffer {
  const rest = ` ${name}=${value}\n`;
  let size = Buffer.byteLength(rest) + 1;
  while (String(size).length + Buffer.byteLength(rest) !== size) size += 1;
  return Buffer.from(`${size}${rest}`);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

/** The name is in a record of its own, so that it may be of any length. */
function tarHeader(path: string, entry: TarEntry, more: Buffer = Buffer.alloc(0)): Buffer {
  const records = Buffer.concat([paxRecord('path', path), more]);
  const extended = rawHeader('pax', { type: 'x', mode: 0o644, size: records.length });
  return Buffer.concat([extended, padded(records), rawHeader('entry', entry)]);
}

function rawHeader(name: string, entry: TarEntry): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number): void => {
    header.write(value.toString(8).padStart(length - 1, '0'), offset, length - 1);
  };
  header.write(name, 0);
  octal(entry.mode & 0o7777, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.size ?? 0, 124, 12);
  octal(entry.mtime ?? 0, 136, 12);
  header.write('        ', 148);
  header.write(entry.type, 156);
  header.write('ustar\u000000', 257);
  octal(0, 329, 8);
  octal(0, 337, 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function opaqueEntry(path: string, about: Stats): Buffer {
  const { mode, uid, gid, mtimeMs } = about;
  const ids = [paxRecord('uid', String(uid)), paxRecord('gid', String(gid))];
  const mark = paxRecord('SCHILY.xattr.trusted.overlay.opaque', 'y');
  const mtime = Math.max(0, Math.floor(mtimeMs / 1000));
  return tarHeader(path, { type: '5', mode, mtime }, Buffer.concat([...ids, mark]));
}

export async function writeRemovals(path: string, removals: Removals): Promise<void> {
  await writeFile(path, JSON.stringify(removals));
}

export async function readRemovals(path: string): Promise<Removals> {
  return JSON.parse(await readFile(path, 'utf8')) as Removals;
}

/** Lays the files of a layer over those of `root`, of which no link is ever followed. */
export async function copyLayer(
  layer: string,
  removals: Removals,
  root: string,
  signal: AbortSignal,
): Promise<void> {
  for (const path of removals.whiteouts) await removeBelow(root, path, 'whole');
  for (const path of removals.opaque) await removeBelow(root, path, 'content');
  await clearWay(layer, root, '');
  const attributes = ['--xattrs', '--xattrs-include=security.capability'];
  const pack = ['-C', layer, '--numeric-owner', ...attributes, '-cf', '-', '.'];
  const unpack = ['-C', root, '--numeric-owner', '-p', ...attributes, '-xf', '-'];
  const quoted = [...pack.map(shellWord), '|', 'tar', ...unpack.map(shellWord)];
  await runProgram('/bin/sh', ['-c', `tar ${quoted.join(' ')}`], signal);
  for (const path of removals.whiteouts) await removeBelow(root, path, 'whole');
}

/** What is a folder in one and none in the other goes: tar replaces all else by itself. */
async function clearWay(layer: string, root: string, below: string): Promise<void> {
  for (const entry of await readdir(join(layer, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    const there = await lstat(join(root, path)).catch(() => undefined);
    if (there === undefined) continue;
    if (there.isDirectory() !== entry.isDirectory()) {
      await rm(join(root, path), { recursive: true });
    } else if (entry.isDirectory()) await clearWay(layer, root, path);
  }
}

function shellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

async function removeBelow(root: string, path: string, what: 'whole' | 'content'): Promise<void> {
  const folder = what === 'whole' ? dirname(path) : path;
  for (const part of pathsTo(folder)) {
    const about = await lstat(join(root, part)).catch(() => undefined);
    if (about?.isDirectory() !== true) return;
  }
  if (what === 'whole') {
    await rm(join(root, folder, basename(path)), { recursive: true, force: true });
    return;
  }
  for (const name of await readdir(join(root, folder))) {
    await rm(join(root, folder, name), { recursive: true, force: true });
  }
}

/** `a/b/c` -> `a`, `a/b`, `a/b/c`. */
function pathsTo(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.map((_part, at) => parts.slice(0, at + 1).join('/'));
}

/**
 * What lies at a path without links, in the uppermost layer that has a say in it. What an opaque folder
 * hides is seen all the same: whoever asks makes folders of its own at the place.
 */
export async function layerEntry(
  layers: readonly string[],
  path: string,
): Promise<Found | undefined> {
  for (const layer of layers) {
    let about: Stats | undefined;
    for (const part of path === '' ? ['.'] : pathsTo(path)) {
      about = await lstat(join(layer, part)).catch(() => undefined);
      // Anything but a folder hides what lower layers have below it.
      if (about === undefined || !about.isDirectory()) {
        if (about !== undefined && part !== path) return undefined;
        break;
      }
    }
    if (about !== undefined) {
      return about.isCharacterDevice() && about.rdev === 0 ? undefined : { about, layer };
    }
  }
  return undefined;
}

interface Found {
  readonly about: Stats;
  readonly layer: string;
}

/**
 * Where a path of a container leads within its root, with every link followed as the container would,
 * and never out: absolute links begin at the root. `about`: undefined when nothing is there (yet).
 * `layers`: folders, the uppermost first.
 */
export async function resolveInside(
  layers: readonly string[],
  path: string,
): Promise<{ readonly path: string; readonly about: Stats | undefined }> {
  let links = 0;
  let resolved = '';
  const rest = path.split('/');
  let about = (await layerEntry(layers, ''))?.about;
  while (rest.length > 0) {
    const part = rest.shift() ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved = dirname(resolved) === '.' ? '' : dirname(resolved);
      about = (await layerEntry(layers, resolved))?.about;
      continue;
    }
    const next = join(resolved, part);
    const found = await layerEntry(layers, next);
    if (found?.about.isSymbolicLink() !== true) {
      resolved = next;
      about = found?.about;
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) throw new Error(`Too many links in the path '${path}'`);
    const target = await readlink(join(found.layer, next));
    if (target.startsWith('/')) resolved = '';
    rest.unshift(...target.split('/'));
  }
  return { path: resolved, about };
}
