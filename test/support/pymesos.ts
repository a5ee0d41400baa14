// pymesos from PyPI in a virtual environment under build/, made once; undefined with a reason when this
// machine has no Python that can.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './cluster.ts';

const VERSION = '0.3.15';

// http-parser, which it needs, has a C part that newer Pythons cannot compile, and works without it.
const INSTALL = `
pip="$1 -m pip --quiet --disable-pip-version-check"
$pip install 'setuptools<81' wheel addict six kazoo
$pip install --no-deps --no-build-isolation "pymesos==$2"
cd "$3"
$pip download --no-deps --no-build-isolation --no-binary :all: http-parser==0.9.0
tar -xf http[-_]parser-0.9.0.tar.gz
cp -r http[-_]parser-0.9.0/http_parser "$($1 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
$1 -c 'import pymesos'`;

export type Pymesos =
  | { readonly ok: true; readonly python: string }
  | { readonly ok: false; readonly reason: string };

export async function findPymesos(): Promise<Pymesos> {
  const folder = join(root, 'build/pymesos');
  const python = join(folder, 'bin/python');
  const done = join(folder, 'installed-with-kazoo');
  if (existsSync(done)) return { ok: true, python };
  mkdirSync(join(root, 'build'), { recursive: true });
  const made = await run(['python3', '-m', 'venv', folder]);
  if (made.status !== 0) return { ok: false, reason: 'python3 with venv is not on this machine' };
  const installed = await run(['sh', '-ec', INSTALL, 'install', python, VERSION, folder], {
    timeoutMs: 300_000,
  });
  if (installed.status !== 0) {
    return { ok: false, reason: `pymesos cannot be installed: ${installed.stderr.slice(-200)}` };
  }
  writeFileSync(done, VERSION);
  return { ok: true, python };
}
