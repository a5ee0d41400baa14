// Containers by runc alone, the floor of what an agent can do with as much isolation: the same command in
// namespaces and cgroups of its own, a few at a time.
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Measure } from './benchmark.ts';

const programs = ['/usr/sbin/runc', '/usr/bin/runc'];
const busyboxes = ['/usr/bin/busybox', '/bin/busybox'];
const find = (paths: readonly string[]): string | undefined => paths.find((one) => existsSync(one));

export function missingRunc(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  if (find(programs) === undefined) return `no ${programs.join(' or ')}`;
  return find(busyboxes) === undefined ? `no ${busyboxes.join(' or ')}` : undefined;
}

function config(): object {
  const namespaces = ['pid', 'ipc', 'mount'].map((type) => ({ type }));
  const mount = (type: string, destination: string, options: readonly string[] = []) => ({
    type,
    source: type,
    destination,
    options,
  });
  return {
    ociVersion: '1.0.0',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/sleep', '100000'],
      env: ['PATH=/bin'],
      cwd: '/',
    },
    root: { path: 'root', readonly: true },
    mounts: [
      mount('proc', '/proc'),
      mount('tmpfs', '/dev', ['nosuid', 'mode=755']),
      mount('tmpfs', '/dev/shm', ['nosuid', 'nodev', 'noexec', 'mode=1777']),
    ],
    linux: {
      namespaces,
      resources: {
        cpu: { shares: 102 },
        memory: { limit: 32 * 1024 * 1024 },
        pids: { limit: 16_384 },
      },
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

/** Launches so many and destroys them again. */
export async function measureRunc(count: number): Promise<Measure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-bench-runc-'));
  const program = find(programs) ?? 'runc';
  mkdirSync(join(folder, 'root/bin'), { recursive: true });
  for (const path of ['proc', 'dev']) mkdirSync(join(folder, 'root', path));
  cpSync(find(busyboxes) ?? '', join(folder, 'root/bin/busybox'));
  symlinkSync('busybox', join(folder, 'root/bin/sleep'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config()));
  const state = ['--root', join(folder, 'state')];
  const ids = Array.from({ length: count }, (_, index) => `strata-bench-${process.pid}-${index}`);
  try {
    const started = performance.now();
    await all(ids, (id) => run(program, [...state, 'run', '-d', '--bundle', folder, id]));
    const launched = performance.now();
    await all(ids, (id) => run(program, [...state, 'delete', '-f', id]));
    return containerMeasures(started, launched, performance.now());
  } finally {
    await all(ids, (id) => run(program, [...state, 'delete', '-f', id]).catch(() => {}));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The goal: at most 1.5 times as long as the floor. */
export function containerMeasures(started: number, launched: number, ended: number): Measure[] {
  const lower = (name: string, ms: number): Measure => ({
    name,
    value: ms / 1000,
    unit: 's',
    better: 'lower',
    goal: 0.67,
  });
  return [
    lower('until all run', launched - started),
    lower('until all are gone', ended - launched),
    lower('both', ended - started),
  ];
}

async function all(ids: readonly string[], work: (id: string) => Promise<void>): Promise<void> {
  const left = ids.values();
  const worker = async (): Promise<void> => {
    for (const id of left) await work(id);
  };
  await Promise.all(Array.from({ length: availableParallelism() * 2 }, worker));
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => (words = (words + chunk.toString()).slice(-500)));
    child.once('error', fail);
    // A container keeps what it inherits open: its starter's end is what counts.
    child.once('exit', (code) => {
      child.stderr.destroy();
      if (code === 0) done();
      else fail(new Error(`${program} ${args.join(' ')} ended with ${code}: ${words}`));
    });
  });
}
