// pymesos from PyPI in a virtual environment under build/, made once; undefined with a reason when this
// machine has no Python that can.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './cluster.ts';

const VERSION = '0.3.15';

export type Pymesos =
  | { readonly ok: true; readonly python: string }
  | { readonly ok: false; readonly reason: string };

export async function findPymesos(): Promise<Pymesos> {
  const folder = join(root, 'build/pymesos');
  const python = join(folder, 'bin/python');
  const done = join(folder, 'installed');
  if (existsSync(done)) return { ok: true, python };
  mkdirSync(join(root, 'build'), { recursive: true });
  const made = await run(['python3', '-m', 'venv', folder]);
  if (made.status !== 0) return { ok: false, reason: 'python3 with venv is not on this machine' };
  const install = ['-m', 'pip', 'install', '--quiet', `pymesos==${VERSION}`, 'setuptools<81'];
  const installed = await run([python, ...install], { timeoutMs: 300_000 });
  if (installed.status !== 0) {
    return { ok: false, reason: `pymesos cannot be installed: ${installed.stderr.slice(-200)}` };
  }
  writeFileSync(done, VERSION);
  return { ok: true, python };
}
