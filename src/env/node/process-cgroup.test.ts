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
  cgroupPids,
  cgroupsBelow,
  cgroupUsage,
  findCgroups,
  makeCgroup,
  memoryPeak,
  oomKillCount,
  removeCgroup,
  removeEmptyCgroup,
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
    if (roots?.version === 1) {
      for (const name of controllers) assert.match(text, new RegExp(`${name}.*/${top}/asked`));
    } else {
      const file = join(roots?.roots.get('unified') ?? '', top, 'asked', 'cgroup.controllers');
      const names = await outputOf('asked', `cat ${file}`, { cpus: 1, controllers });
      assert.match(text, new RegExp(`^0::/${top}/asked/`));
      for (const name of controllers) {
        assert.ok(names.split(/\s+/).includes(name === 'blkio' ? 'io' : name), names);
      }
    }
    const without = await outputOf('plain', 'cat /proc/self/cgroup', { cpus: 1 });
    if (roots?.version === 1) assert.doesNotMatch(without, new RegExp(`cpuset:/${top}`));
  });

  test('all groups together weigh as much as many processes', async () => {
    await outputOf('heavy', 'true', { cpus: 1 });
    const file = roots?.version === 1 ? 'cpu.shares' : 'cpu.weight';
    const plain = roots?.version === 1 ? 1024 : 100;
    const root = roots?.roots.get(roots.version === 1 ? 'cpu' : 'unified') ?? '';
    assert.ok(Number(readFileSync(join(root, top, file), 'utf8')) > plain);
  });

  test('what is nested has a bound of its own, and its end is not that of what it is in', async () => {
    const outer = spec('outer', 'until [ -e "$0" ]; do sleep 0.02; done', {
      memoryBytesMax: 256 << 20,
    });
    const go = join(folder, 'go');
    const waits = await host.launch({ ...outer, argv: [...outer.argv, go] });
    const hungry = 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done';
    const inner = { ...spec('inner', hungry, { memoryBytesMax: 16 << 20, pidsMax: 10 }) };
    const nested = await host.launch({ ...inner, cgroup: `${top}/outer/inner` });
    const { oomKilled, memoryBytesPeak = 0 } = await nested.exited;
    assert.equal(oomKilled, true);
    assert.ok(memoryBytesPeak <= 16 << 20, String(memoryBytesPeak));
    writeFileSync(go, '');
    const end = await waits.exited;
    assert.deepEqual([end.kind === 'exited' && end.code, end.oomKilled], [0, undefined]);
    for (const one of [inner, outer]) await host.dispose(one.stateFolder);
    assert.ok(!cgroupsBelow(roots as CgroupRoots, top).includes(`${top}/outer`));
  });

  test('memory and swap are bound together, and may be raised', async (t) => {
    assert.ok(roots !== undefined);
    // Version 2 has a bound for swap alone.
    const isV2 = roots.version === 2;
    const files = isV2
      ? ['memory.max', 'memory.swap.max']
      : ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
    const memory = roots.roots.get(isV2 ? 'unified' : 'memory') ?? '';
    const made = spec('swap', 'sleep 600', { memoryBytesMax: 64 << 20, limitsSwap: true });
    await host.launch(made);
    const own = join(memory, top, 'swap');
    if (!existsSync(join(own, files[1] ?? ''))) {
      await host.dispose(made.stateFolder);
      return t.skip('no accounting of swap');
    }
    const bound = (): string[] => files.map((file) => readFileSync(join(own, file), 'utf8').trim());
    const bounds = (bytes: string): string[] => [bytes, isV2 ? '0' : bytes];
    assert.deepEqual(bound(), bounds('67108864'));
    host.setLimits(made.stateFolder, { memoryBytesMax: 128 << 20, limitsSwap: true });
    assert.deepEqual(bound(), bounds('134217728'));
    host.setLimits(made.stateFolder, { memoryBytesMax: 32 << 20, limitsSwap: true });
    assert.deepEqual(bound(), bounds('134217728'), 'never lowered');
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

  test('a host is settled when the last has left a group, however long that takes the kernel', async () => {
    assert.ok(roots !== undefined);
    const name = `${top}/slow`;
    const running = await host.launch({ ...spec('slow', 'sleep 600', {}), cgroup: name });
    // Stands for those that are killed and get no processor to end on.
    makeCgroup(roots, `${name}/below`, {});
    running.kill('SIGKILL', 'group');
    await running.exited;
    systemTimers.after(500, () => removeEmptyCgroup(roots, `${name}/below`));
    await host.settled();
    assert.ok(!cgroupsBelow(roots, top).includes(name));
    await host.dispose(join(folder, 'slow'));
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

test('in version 2 processes are in a leaf, and a group with processes of its own hands nothing down', () => {
  const root = mkdtempSync(join(tmpdir(), 'strata-cgroup2-'));
  const cgroups: CgroupRoots = { version: 2, roots: new Map([['unified', root]]) };
  writeFileSync(join(root, 'cgroup.controllers'), 'cpu io memory pids\n');
  writeFileSync(join(root, 'cgroup.procs'), '1\n');
  const table: readonly (readonly [string, string | undefined])[] = [
    ['', '+io'],
    ['7\n', undefined],
  ];
  for (const [at, [procs, handed]] of table.entries()) {
    const above = join(root, `above-${at}`);
    mkdirSync(above);
    writeFileSync(join(above, 'cgroup.type'), 'domain\n');
    writeFileSync(join(above, 'cgroup.procs'), procs);
    const entries = makeCgroup(cgroups, `above-${at}/a`, { controllers: ['blkio'] });
    assert.deepEqual(entries, [join(above, 'a/.own/cgroup.procs')]);
    const file = join(above, 'cgroup.subtree_control');
    assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : undefined, handed);
    assert.deepEqual(cgroupsBelow(cgroups, `above-${at}`), [`above-${at}/a`]);
    assert.equal(removeEmptyCgroup(cgroups, `above-${at}/a`), true);
    assert.deepEqual(cgroupsBelow(cgroups, `above-${at}`), []);
  }
  assert.equal(readFileSync(join(root, 'cgroup.subtree_control'), 'utf8'), '+io');
  rmSync(root, { recursive: true });
});

test('what is read from the files of version 2', () => {
  const root = mkdtempSync(join(tmpdir(), 'strata-cgroup2-'));
  const cgroups: CgroupRoots = { version: 2, roots: new Map([['unified', root]]) };
  mkdirSync(join(root, 'a/.own'), { recursive: true });
  const files: Readonly<Record<string, string>> = {
    'cpu.stat': 'usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\nnr_periods 9\n',
    'memory.current': '4096\n',
    'memory.peak': '8192\n',
    'memory.stat': 'anon 1024\nfile 2048\nfile_mapped 512\n',
    'memory.swap.current': '256\n',
    // Also those of nested containers.
    'memory.events': 'oom_kill 5\n',
    'memory.events.local': 'low 0\noom 3\noom_kill 2\noom_group_kill 0\n',
    '.own/memory.events.local': 'oom_kill 1\n',
    'cgroup.procs': '',
    '.own/cgroup.procs': '10\n11\n',
    'io.stat': '8:0 \n253:1 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n',
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(root, 'a', file), text);
  assert.equal(oomKillCount(cgroups, 'a'), 3);
  assert.equal(memoryPeak(cgroups, 'a'), 8192);
  assert.deepEqual([...cgroupPids(cgroups, 'a', 'own')], [10, 11]);
  assert.deepEqual(cgroupUsage(cgroups, 'a'), {
    cpuSeconds: 3,
    memoryBytes: 4096,
    processCount: 2,
    detail: {
      cpuUserSeconds: 2,
      cpuSystemSeconds: 1,
      quotaPeriods: 9,
      throttledPeriods: 0,
      throttledSeconds: 0,
      anonymousBytes: 1024,
      cacheBytes: 2048,
      mappedBytes: 512,
      swapBytes: 256,
      blockIo: [
        {
          major: 253,
          minor: 1,
          serviced: { Read: 1, Write: 2, Discard: 0, Total: 3 },
          bytes: { Read: 10, Write: 20, Discard: 0, Total: 30 },
        },
      ],
    },
  });
  rmSync(root, { recursive: true });
});
