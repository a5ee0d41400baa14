// Executors on drivers of protocol v0, as commands for an ExecutorInfo: mesos-go's (Go) and pesos' (Python 2), fetched
// with their packages' own clients once, each with a reason where this machine cannot.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './cluster.ts';

export type V0Executor =
  | { readonly ok: true; readonly command: readonly string[] }
  | { readonly ok: false; readonly reason: string };

export async function mesosGoExecutor(): Promise<V0Executor> {
  const source = join(root, 'test/support/native/go-executor');
  const folder = join(root, 'build/native');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'go-executor');
  const options = { timeoutMs: 300_000 };
  const made = await run(['go', 'build', '-C', source, '-mod=readonly', '-o', path, '.'], options);
  if (made.status === 0) return { ok: true, command: [path, '-logtostderr'] };
  return { ok: false, reason: `no mesos-go executor: ${made.stderr.slice(-200)}` };
}

/** Newer ones of these do not know Python 2. */
const PESOS = [
  'pesos==0.2.2',
  'compactor==0.2.2',
  'mesos.interface==0.21.1',
  'protobuf==3.17.3',
  'futures==3.4.0',
  'six==1.17.0',
  'tornado==4.1',
  'trollius==2.1',
  'twitter.common.lang==0.3.11',
  'backports.ssl_match_hostname==3.7.0.1',
  'certifi==2019.11.28',
];

async function findPython2(): Promise<string | undefined> {
  const versions = join(homedir(), '.pyenv/versions');
  const pyenv = existsSync(versions) ? readdirSync(versions) : [];
  const found = pyenv.filter((name) => name.startsWith('2.7'));
  for (const python of [...found.map((name) => join(versions, name, 'bin/python')), 'python2.7']) {
    if ((await run([python, '-m', 'pip', '--version'])).status === 0) return python;
  }
  return undefined;
}

export async function pesosExecutor(): Promise<V0Executor> {
  const python = await findPython2();
  if (python === undefined) return { ok: false, reason: 'no Python 2.7 with pip' };
  const folder = join(root, 'build/pesos');
  const done = join(folder, 'installed');
  const script = join(root, 'test/support/python/pesos_executor.py');
  const command = [python, script, folder];
  if (existsSync(done)) return { ok: true, command };
  const pip = [python, '-m', 'pip', '--disable-pip-version-check', 'install', '--no-deps'];
  const made = await run([...pip, '--target', folder, ...PESOS], { timeoutMs: 300_000 });
  if (made.status !== 0) return { ok: false, reason: `no pesos: ${made.stderr.slice(-200)}` };
  writeFileSync(done, PESOS.join('\n'));
  return { ok: true, command };
}
