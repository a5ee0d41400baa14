// Control groups on the machine's kernel: what a process is under, that lost ones are swept, and what
// version 2 is written where the kernel has version 1 only.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import type { ProcessLimits, ProcessSpec } from '#env/process.ts';
import { systemClock, systemTimers } from './clock.ts';
import {
  applyLimits,
  type CgroupRoots,
  cgroupsBelow,
  findCgroups,
  makeCgroup,
  removeCgroup,
} from './process-cgroup.ts';
import { createProcessHost } from './process-host.ts';

const env = { clock: systemClock, timers: systemTimers };
const roots = findCgroups();
const skip = roots === undefined ? 'needs root and cgroups' : false;
const folder = mkdtempSync(join(tmpdir(), 'strata-cgroup-'));
const top = `strata-test-${process.pid}`;
const keepAlive = skip === false ? setInterval(() => {}, 1000) : undefined;

suite('cgroups of the machine', { skip }, () => {
  const host = createProcessHost(env);
  after(() => {
    clearInterval(keepAlive);
    rmSync(folder, { recursive: true, force: true });
    if (roots !== undefined) removeCgroup(roots, top);
  });
  const spec = (name: string, script: string, limits: ProcessLimits): ProcessSpec => ({
    stateFolder: join(folder, name),
    argv: ['sh', '-c', script],
    env: { PATH: '/usr/bin:/bin' },
    cwd: folder,
    stdoutPath: join(folder, `${name}.out`),
    stderrPath: join(folder, `${name}.err`),
    cgroup: `${top}/${name}`,
    limits,
  });
  const outputOf = async (name: string, script: string, limits: ProcessLimits): Promise<string> => {
    const made = spec(name, script, limits);
    await (
      await host.launch(made)
    ).exited;
    const text = readFileSync(made.stdoutPath, 'utf8');
    await host.dispose(made.stateFolder);
    return text;
  };

  test('a process is under the controllers that are asked for', async () => {
    const controllers = ['cpuset', 'blkio'].filter((name) => host.controllers.has(name));
    const text = await outputOf('asked', 'cat /proc/self/cgroup', { cpus: 1, controllers });
    for (const name of controllers) assert.match(text, new RegExp(`${name}.*/${top}/asked`));
    const without = await outputOf('plain', 'cat /proc/self/cgroup', { cpus: 1 });
    if (roots?.version === 1) assert.doesNotMatch(without, new RegExp(`cpuset:/${top}`));
  });

  test('memory and swap are bound together, and may be raised', async (t) => {
    if (roots?.version !== 1) return t.skip('version 2 has a bound for swap alone');
    const memory = roots.roots.get('memory') ?? '';
    if (!existsSync(join(memory, 'memory.memsw.limit_in_bytes')))
      return t.skip('no accounting of swap');
    const made = spec('swap', 'sleep 600', { memoryBytesMax: 64 << 20, limitsSwap: true });
    await host.launch(made);
    const bound = (): string[] =>
      ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'].map((file) =>
        readFileSync(join(memory, top, 'swap', file), 'utf8').trim(),
      );
    assert.deepEqual(bound(), ['67108864', '67108864']);
    host.setLimits(made.stateFolder, { memoryBytesMax: 128 << 20, limitsSwap: true });
    assert.deepEqual(bound(), ['134217728', '134217728']);
    host.setLimits(made.stateFolder, { memoryBytesMax: 32 << 20, limitsSwap: true });
    assert.deepEqual(bound(), ['134217728', '134217728'], 'never lowered');
    await host.dispose(made.stateFolder);
  });

  test('once the host is settled nothing is left of the group of what has ended', async () => {
    assert.ok(roots !== undefined);
    // Of several some are not empty yet for the kernel when their end is told.
    const many = Array.from({ length: 20 }, (_, at) => spec(`settles-${at}`, 'true', {}));
    const ended = async (one: ProcessSpec): Promise<unknown> => (await host.launch(one)).exited;
    await Promise.all(many.map(ended));
    await host.settled();
    const paths = [...new Set(roots.roots.values())].map((root) => join(root, top));
    const names = paths.filter(existsSync).flatMap((path) => readdirSync(path));
    assert.deepEqual(
      names.filter((name) => name.startsWith('settles')),
      [],
    );
    for (const { stateFolder } of many) await host.dispose(stateFolder);
  });

  test('what held the groups goes with the last, not before', async () => {
    assert.ok(roots !== undefined);
    const above = `${top}/above`;
    const there = (): boolean => cgroupsBelow(roots, top).includes(above);
    const one = { ...spec('one', 'sleep 600', {}), cgroup: `${above}/one` };
    const running = await host.launch(one);
    await host.settled(above);
    assert.ok(there());
    running.kill('SIGKILL', 'group');
    await running.exited;
    await host.settled(above);
    assert.ok(!there());
    await host.dispose(one.stateFolder);
  });

  test('sweep() ends and removes what nobody knows, and nothing else', async () => {
    assert.ok(roots !== undefined);
    const known = spec('known', 'sleep 600', { cpus: 1 });
    const kept = await host.launch(known);
    makeCgroup(roots, `${top}/known/empty`, {});
    const [procs = ''] = makeCgroup(roots, `${top}/known/busy`, {});
    const busy = spawn('sleep', ['600']);
    writeFileSync(procs, String(busy.pid));
    const [lost = ''] = makeCgroup(roots, `${top}/lost/below`, { memoryBytesMax: 64 << 20 });
    const child = spawn('sleep', ['600']);
    const gone = new Promise((done) => child.once('exit', (_code, signal) => done(signal)));
    writeFileSync(lost, String(child.pid));
    await host.sweep(top);
    assert.equal(await gone, 'SIGKILL');
    for (const root of new Set(roots.roots.values())) {
      assert.ok(!existsSync(join(root, top, 'lost')), root);
      assert.ok(!existsSync(join(root, top, 'known/empty')), root);
    }
    assert.ok(existsSync(procs));
    process.kill(kept.pid, 0);
    const ended = new Promise((done) => busy.once('exit', done));
    await host.dispose(known.stateFolder);
    await ended;
    assert.ok(!existsSync(procs));
  });
});

test('limits in the files of version 2', () => {
  const root = mkdtempSync(join(tmpdir(), 'strata-cgroup2-'));
  const cgroups: CgroupRoots = { version: 2, roots: new Map([['unified', root]]) };
  const files = [
    'cpu.weight',
    'cpu.max',
    'memory.max',
    'memory.low',
    'memory.swap.max',
    'pids.max',
  ];
  const table: readonly (readonly [ProcessLimits, readonly string[]])[] = [
    [
      { cpus: 1, cpusMax: 0.5, memoryBytesMax: 1 << 26, memoryBytesLow: 1 << 25, pidsMax: 7 },
      ['39', '50000 100000', '67108864', '33554432', '', '7'],
    ],
    [{ memoryBytesMax: 1 << 26, limitsSwap: true }, ['', '', '67108864', '', '0', '']],
    [{ cpus: 0.001, cpusMax: 0.001 }, ['1', '1000 100000', '', '', '', '']],
    [{ memoryBytesMax: 1 }, ['', '', '4194304', '', '', '']],
  ];
  for (const [at, [limits, expected]] of table.entries()) {
    mkdirSync(join(root, String(at)));
    for (const file of files) writeFileSync(join(root, String(at), file), '');
    applyLimits(cgroups, String(at), limits);
    const found = files.map((file) => readFileSync(join(root, String(at), file), 'utf8'));
    assert.deepEqual(found, expected);
  }
  rmSync(root, { recursive: true });
});
