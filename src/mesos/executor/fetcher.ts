// Brings the files that a command names into its sandbox, one after the other, before it starts.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { CommandInfo_URI } from '#wire/mesos/v1.ts';

const TAR_NAMES = /\.(tar|tgz|tar\.gz|tbz2|tar\.bz2|txz|tar\.xz)$/;
const STALL_TIMEOUT_MS = 60_000;

function outputName(uri: CommandInfo_URI): string {
  const name = uri.output_file ?? basename(new URL(uri.value, 'file:///').pathname);
  const clean = normalize(name);
  if (name === '' || isAbsolute(clean) || clean.startsWith('..')) {
    throw new Error(`"${uri.value}" has no place in the sandbox`);
  }
  return clean;
}

async function bring(uri: string, target: string): Promise<void> {
  if (/^https?:/.test(uri)) {
    const response = await fetch(uri, { signal: AbortSignal.timeout(STALL_TIMEOUT_MS) });
    if (!response.ok || response.body === null) {
      throw new Error(`"${uri}" was answered with ${response.status}`);
    }
    await pipeline(Readable.fromWeb(response.body as never), createWriteStream(target));
    return;
  }
  if (/^[a-z][a-z0-9+.-]*:/i.test(uri) && !uri.startsWith('file:')) {
    throw new Error(`"${uri}" has a scheme that is not supported`);
  }
  const path = uri.startsWith('file:')
    ? fileURLToPath(uri.replace(/^file:\/\/localhost\//, 'file:///'))
    : uri;
  if (!isAbsolute(path)) throw new Error(`"${uri}" is a relative path`);
  await copyFile(path, target);
}

async function unpack(program: string, args: readonly string[], folder: string): Promise<void> {
  const child = spawn(program, args, { cwd: folder, stdio: 'ignore' });
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('exit', done);
  });
  if (code !== 0) throw new Error(`${program} ended with ${code ?? 'a signal'}`);
}

/** Throws with the words for the task's last update. */
export async function fetchAll(
  uris: readonly CommandInfo_URI[],
  sandbox: string,
  containerId: string,
): Promise<void> {
  for (const uri of uris) {
    try {
      const target = join(sandbox, outputName(uri));
      await mkdir(dirname(target), { recursive: true });
      await bring(uri.value, target);
      if (uri.executable === true) await chmod(target, 0o755);
      else if (uri.extract !== false && TAR_NAMES.test(target)) {
        await unpack('tar', ['-xf', target], sandbox);
      } else if (uri.extract !== false && target.endsWith('.zip')) {
        await unpack('unzip', ['-o', '-q', target], sandbox);
      }
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`Failed to fetch all URIs for container '${containerId}': ${why}`, { cause });
    }
  }
}
