// The real process host: the port's conformance suite, and what only a real machine can show.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { processConformance } from '#env/conformance/process.ts';
import { eventually, isWritten } from '#test/support/cluster.ts';
import { temporaryFolders } from '#test/support/temporary-folders.ts';
import type { ProcessSpec } from '#env/process.ts';
import { systemClock, systemTimers } from './clock.ts';
import { psPlatform } from './platform.ts';
import { cgroupsBelow, findCgroups, removeCgroup } from './process-cgroup.ts';
import { createProcessHost } from './process-host.ts';

const env = { clock: systemClock, timers: systemTimers };
const temporary = temporaryFolders('strata-process-');
// A host keeps no event loop alive by itself: its processes outlive their starter.
const keepAlive = setInterval(() => {}, 1000);
after(() => clearInterval(keepAlive));

function shimPid(stateFolder: string): number {
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const words = (() => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      } catch {
        return [];
      }
    })();
    if (words[3] === 'strata-shim' && words[4] === stateFolder) return Number(name);
  }
  throw new Error(`No shim of ${stateFolder}`);
}

// That of macOS and the BSDs, with nothing that only Linux has.
const byPs = { ...env, useCgroups: false, platform: psPlatform };
for (const [name, options] of [
  ['node process host', env],
  ['node process host by ps', byPs],
] as const)
  processConformance(name, async () => ({
    host: createProcessHost(options),
    folder: temporary(),
    successor: () => createProcessHost(options),
    killShim: (stateFolder) => process.kill(shimPid(stateFolder), 'SIGKILL'),
    elapse: (ms) => new Promise((done) => systemTimers.after(ms, done)),
    isDeaf: ({ stdoutPath }) => isWritten(stdoutPath),
    commands: {
      exitsWith: (code) => ['sh', '-c', `exit ${code}`],
      sleepsMs: (ms) => ['sleep', String(ms / 1000)],
      ignoresTerm: () => ['sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 60; done'],
      cannotStart: () => ({ cwd: '/no/such/folder' }),
    },
  }));

function aSpec(folder: string, id: string, script: string): ProcessSpec {
  return {
    stateFolder: join(folder, id),
    argv: ['sh', '-c', script],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ONE: 'a b', 'dotted.name': 'kept' },
    cwd: folder,
    stdoutPath: join(folder, `${id}.out`),
    stderrPath: join(folder, `${id}.err`),
  };
}

test('launch() gives the command its folder, environment, output and input', async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  await writeFile(join(folder, 'in'), 'from input\n');
  const script =
    'pwd; echo "$ONE"; grep -azo dotted.name=kept /proc/$$/environ; echo; cat; echo problem >&2; echo $$; env | wc -l';
  const spec = { ...aSpec(folder, 'a', script), stdinPath: join(folder, 'in') };
  const started = await host.launch(spec);
  assert.equal((await started.exited).kind, 'exited');
  const lines = (await readFile(spec.stdoutPath, 'utf8')).replace('\0', '').split('\n');
  const want = [folder, 'a b', 'dotted.name=kept', 'from input', String(started.pid)];
  assert.deepEqual(lines.slice(0, 5), want);
  assert.ok(Number(lines[5]) <= 6, 'nothing is inherited');
  assert.equal(await readFile(spec.stderrPath, 'utf8'), 'problem\n');
  await host.dispose(spec.stateFolder);
});

test('launch() leaves every signal at its default, SIGINT too', async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGQUIT', 3],
    ['SIGPIPE', 13],
  ] as const) {
    const spec = aSpec(folder, signal, 'echo runs; exec sleep 600');
    const started = await host.launch(spec);
    await isWritten(spec.stdoutPath);
    started.kill(signal, 'group');
    const status = await started.exited;
    assert.deepEqual({ ...status, at: 0 }, { kind: 'signaled', signal: number, at: 0 });
    await host.dispose(spec.stateFolder);
  }
});

test('what the command left in the background ends with it', async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  const spec = aSpec(folder, 'a', 'sleep 600 & echo $!; exit 4');
  const status = await (await host.launch(spec)).exited;
  assert.equal(status.kind === 'exited' && status.code, 4);
  const pid = Number(await readFile(spec.stdoutPath, 'utf8'));
  while (!/^(gone|Z|X)/.test(stateOf(pid))) {
    await new Promise<void>((done) => systemTimers.after(5, done));
  }
  await host.dispose(spec.stateFolder);
});

function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? 'gone';
  } catch {
    return 'gone';
  }
}

test('a starter killed with SIGKILL leaves its processes to a successor', async () => {
  const folder = temporary();
  const program = `
    import { createProcessHost } from '#env/node/process-host.ts';
    import { systemClock, systemTimers } from '#env/node/clock.ts';
    const host = createProcessHost({ clock: systemClock, timers: systemTimers });
    const spec = JSON.parse(process.argv[1]);
    await host.launch(spec);
    process.kill(process.pid, 'SIGKILL');`;
  const spec = aSpec(folder, 'a', 'read line <go; exit 9');
  await new Promise((done) => spawn('mkfifo', [join(folder, 'go')]).once('exit', done));
  const starter = spawn(
    process.execPath,
    ['--input-type=module-typescript', '-e', program, '--', JSON.stringify(spec)],
    { stdio: 'inherit', cwd: import.meta.dirname },
  );
  await new Promise((done) => starter.once('exit', done));
  const adopted = await createProcessHost(env).adopt(spec.stateFolder);
  assert.ok(adopted !== undefined);
  await writeFile(join(folder, 'go'), 'x\n');
  const status = await adopted.exited;
  assert.equal(status.kind === 'exited' && status.code, 9);
});

const isRoot = process.getuid?.() === 0;
test('whoever adopts a process after the clock was set knows how long it runs', async (t) => {
  if (process.platform !== 'linux') return t.skip('only Linux tells it');
  const folder = temporary();
  const spec = aSpec(folder, 'a', 'sleep 600');
  const host = createProcessHost(env);
  const { startedAt } = await host.launch(spec);
  for (const byMs of [86_400_000, -86_400_000]) {
    const clock = { ...systemClock, now: () => systemClock.now() + byMs };
    const adopted = await createProcessHost({ ...env, clock }).adopt(spec.stateFolder);
    // The kernel counts in hundredths of a second.
    const apart = (adopted?.startedAt ?? 0) - byMs - startedAt;
    assert.ok(Math.abs(apart) < 2_000, `${apart} ms`);
  }
  await host.dispose(spec.stateFolder);
});

const rootOnly = { skip: isRoot ? false : 'needs root' };

test('launch() as root: identity, namespaces, mounts', rootOnly, async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  await writeFile(join(folder, 'secret'), 'mounted\n');
  const spec: ProcessSpec = {
    ...aSpec(folder, 'a', 'id -u; id -g; id -G; hostname; echo $$; cat target; echo x >target'),
    uid: 65_534,
    gid: 65_534,
    groups: [1234],
    hostname: 'pod-1',
    namespaces: { pid: 'new', ipc: 'new', uts: 'new', mount: 'new' },
    mounts: [{ source: join(folder, 'secret'), target: join(folder, 'target'), readOnly: true }],
    cwd: folder,
  };
  await chmod(folder, 0o755);
  await chmod(join(folder, 'secret'), 0o666);
  const started = await host.launch(spec);
  const status = await started.exited;
  const text = await readFile(spec.stdoutPath, 'utf8');
  assert.equal(text, '65534\n65534\n65534 1234\npod-1\n1\nmounted\n');
  assert.match(await readFile(spec.stderrPath, 'utf8'), /Read-only/);
  assert.equal(status.kind === 'exited' && status.code, 2);
  await host.dispose(spec.stateFolder);
});

test('launch() with rlimits: soft, hard and none', async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  const rlimits = [
    { name: 'nofile', soft: 64, hard: 128 },
    { name: 'core', soft: 0, hard: 0 },
  ];
  const spec = { ...aSpec(folder, 'a', 'ulimit -n; ulimit -Hn; ulimit -c'), rlimits };
  await (
    await host.launch(spec)
  ).exited;
  assert.equal(await readFile(spec.stdoutPath, 'utf8'), '64\n128\n0\n');
  await host.dispose(spec.stateFolder);
});

test('launch() as root: new file systems, and only such capabilities', rootOnly, async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  const target = join(folder, 'scratch');
  const script =
    'echo x >scratch/f && stat -f -c %T scratch; stat -c %a scratch; chown 1 /; grep CapEff /proc/self/status';
  const spec: ProcessSpec = {
    ...aSpec(folder, 'a', script),
    mounts: [
      { type: 'tmpfs', source: 'tmpfs', target, readOnly: false, options: 'size=64k,mode=711' },
    ],
    capabilities: { bounding: ['kill'], effective: ['kill'] },
  };
  await (
    await host.launch(spec)
  ).exited;
  const text = await readFile(spec.stdoutPath, 'utf8');
  assert.equal(text, 'tmpfs\n711\nCapEff:\t0000000000000020\n');
  assert.deepEqual(readdirSync(target), [], 'nothing of it outside');
  await host.dispose(spec.stateFolder);
});

test('launch() as root: in the namespaces of another process', rootOnly, async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  const target = join(folder, 'scratch');
  const first: ProcessSpec = {
    ...aSpec(folder, 'a', 'echo inside >scratch/f; echo ready; exec sleep 600'),
    namespaces: { pid: 'new', mount: 'new' },
    mounts: [{ type: 'tmpfs', source: 'tmpfs', target, readOnly: false }],
    hostname: 'first',
  };
  const process = await host.launch(first);
  while ((await readFile(first.stdoutPath, 'utf8')) === '') await new Promise(setImmediate);
  const second: ProcessSpec = {
    ...aSpec(folder, 'b', 'cat scratch/f; hostname; cat /proc/1/comm; pwd'),
    namespaces: { of: process.pid },
  };
  await (
    await host.launch(second)
  ).exited;
  const text = await readFile(second.stdoutPath, 'utf8');
  assert.equal(text, `inside\nfirst\nsleep\n${folder}\n`);
  await host.dispose(second.stateFolder);
  await host.dispose(first.stateFolder);
});

test(
  'launch() as root: no variable of the command steers what runs before it',
  rootOnly,
  async () => {
    const folder = temporary();
    const host = createProcessHost(env);
    const evil = join(folder, 'evil');
    await mkdir(evil);
    const trap = `#!/bin/sh\nid -u >>${join(folder, 'ran')}\n`;
    for (const name of ['mount', 'mkdir', 'setpriv', 'mkfifo', 'shell']) {
      await writeFile(join(evil, name), trap, { mode: 0o755 });
    }
    await writeFile(join(evil, 'Evil.pm'), `open(F,'>>','${join(folder, 'ran')}');print F $<;1`);
    const variables = {
      PATH: `${evil}:/usr/bin:/bin`,
      SHELL: join(evil, 'shell'),
      LD_PRELOAD: join(evil, 'none.so'),
      PERL5OPT: '-MEvil',
      PERL5LIB: evil,
      LANG: 'xx_XX.UTF-8',
    };
    const spec: ProcessSpec = {
      ...aSpec(folder, 'a', 'echo "$PATH $LD_PRELOAD $PERL5OPT $SHELL [$PERL_BADLANG]"'),
      env: variables,
      uid: 65534,
      gid: 65534,
      mounts: [{ source: '/usr/lib', target: join(folder, 'lib'), readOnly: true }],
    };
    const { PATH, LD_PRELOAD, PERL5OPT, SHELL } = variables;
    for (const [at, more] of [{}, { capabilities: { bounding: [] } }].entries()) {
      const stdoutPath = join(folder, `out${at}`);
      const one = { ...spec, ...more, stdoutPath, stateFolder: join(folder, `s${at}`) };
      await (
        await host.launch(one)
      ).exited;
      const text = await readFile(one.stdoutPath, 'utf8');
      assert.equal(text, `${PATH} ${LD_PRELOAD} ${PERL5OPT} ${SHELL} []\n`);
      await host.dispose(one.stateFolder);
    }
    assert.ok(!existsSync(join(folder, 'ran')), 'nothing of the command ran before it');
    assert.ok(!(await readFile(spec.stderrPath, 'utf8')).includes('locale'));
  },
);

test(
  'launch() as root: a seccomp program holds for all that the command starts',
  rootOnly,
  async () => {
    const folder = temporary();
    const host = createProcessHost(env);
    // uname, which is 63 on x86-64 and 160 on arm64, fails with 99.
    const number = process.arch === 'arm64' ? 160 : 63;
    const instructions = [
      [0x20, 0, 0, 0, 0, 0, 0, 0],
      [0x15, 0, 0, 1, number, 0, 0, 0],
      [0x06, 0, 0, 0, 99, 0, 0x05, 0],
      [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f],
    ];
    const program = Uint8Array.from(instructions.flat());
    const script = 'uname || sh -c "uname || id -u; grep Seccomp: /proc/self/status"';
    for (const [at, identity] of [{}, { uid: 65534, gid: 65534 }].entries()) {
      const spec: ProcessSpec = {
        ...aSpec(folder, `a${at}`, script),
        ...identity,
        seccomp: program,
      };
      await (
        await host.launch(spec)
      ).exited;
      const text = await readFile(spec.stdoutPath, 'utf8');
      assert.equal(text, `${identity.uid ?? 0}\nSeccomp:\t2\n`);
      await host.dispose(spec.stateFolder);
    }
  },
);

test('launch() with a terminal and an input that nobody has opened', async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  const spec: ProcessSpec = {
    ...aSpec(folder, 'a', `stty size; read -r line; echo "got $line"; echo "it's" >&2; exit 5`),
    terminal: { rows: 7, columns: 33 },
    stdinPath: join(folder, 'in'),
    stdinStaysOpen: true,
  };
  const started = await host.launch(spec);
  await writeFile(join(folder, 'in'), 'hello\n');
  const status = await started.exited;
  assert.equal(status.kind === 'exited' && status.code, 5);
  const lines = (await readFile(spec.stdoutPath, 'utf8')).split('\r\n');
  assert.ok(lines.includes('7 33') && lines.includes('got hello') && lines.includes("it's"));
  await host.dispose(spec.stateFolder);
});

test('launch() as root: a bind mount has the options that are said of it', rootOnly, async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  const target = join(folder, 'bound');
  await mkdir(target);
  const spec: ProcessSpec = {
    ...aSpec(folder, 'a', `grep " ${target} " /proc/self/mountinfo; ! touch ${target}/file`),
    namespaces: { mount: 'new' },
    mounts: [{ source: folder, target, readOnly: true, options: 'nosuid,nodev,noexec' }],
  };
  const status = await (await host.launch(spec)).exited;
  const said = await readFile(spec.stdoutPath, 'utf8');
  assert.equal(status.kind === 'exited' && status.code, 0, said);
  for (const word of ['ro', 'nosuid', 'nodev', 'noexec'])
    assert.match(said, new RegExp(`[ ,]${word},`));
  await host.dispose(spec.stateFolder);
});

test('a command on a terminal ends by its signal, not as what holds the terminal', async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  const waiting = 'echo up; exec sleep 600';
  const deaf = `trap 'echo asked; exit 4' TERM; echo up; while :; do sleep 0.05; done`;
  for (const scope of ['process', 'group'] as const) {
    for (const [name, script, end] of [
      // script(1) tells it as shells do.
      ['waits', waiting, { kind: 'exited', code: 128 + 15 }],
      ['ends', deaf, { kind: 'exited', code: 4 }],
    ] as const) {
      const spec = {
        ...aSpec(folder, `${name}-${scope}`, script),
        terminal: { rows: 7, columns: 33 },
      };
      const started = await host.launch(spec);
      const said = async (): Promise<string> => readFile(spec.stdoutPath, 'utf8');
      await eventually('it is up', async () => (await said()).includes('up') || undefined);
      started.kill('SIGTERM', scope);
      const { at: _, ...status } = await started.exited;
      assert.deepEqual(status, end, `${name} ${scope}: ${await said()}`);
      await host.dispose(spec.stateFolder);
    }
  }
});

test('launch() as root: a cgroup limits memory and tells of it', rootOnly, async (t) => {
  const folder = temporary();
  const host = createProcessHost(env);
  if (!host.hasCgroups) return t.skip('no cgroup controllers on this machine');
  const top = `strata-test-${process.pid}`;
  const cgroup = `${top}/a`;
  const cgroups = findCgroups();
  assert.ok(cgroups !== undefined);
  // What was in it may take the kernel a moment longer.
  t.after(() => eventually('its groups are gone', async () => removeCgroup(cgroups, top)));
  const hungry = 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done';
  const spec: ProcessSpec = {
    ...aSpec(folder, 'a', hungry),
    cgroup,
    limits: { cpus: 0.5, cpusMax: 1, memoryBytesMax: 16 << 20, pidsMax: 32 },
  };
  const status = await (await host.launch(spec)).exited;
  assert.equal(status.oomKilled, true);
  // Its group is gone before anybody asks for it to be forgotten.
  while (cgroupsBelow(cgroups, top).length > 0) {
    await new Promise<void>((done) => systemTimers.after(5, done));
  }
  await host.dispose(spec.stateFolder);
  const long = { ...spec, argv: ['sh', '-c', 'setsid sleep 600 & wait'] };
  await host.launch(long);
  const usage = await eventually('what it starts is counted', async () => {
    const counted = await host.usage(long.stateFolder);
    return counted !== undefined && counted.processCount >= 2 ? counted : undefined;
  });
  assert.ok(usage.memoryBytes > 0);
  await host.dispose(long.stateFolder);
});

test('dispose() takes away a folder in which a shim that came too late still makes files', async () => {
  const folder = temporary();
  const host = createProcessHost(env);
  for (let round = 0; round < 10; round++) {
    const state = join(folder, `a${round}`);
    await mkdir(state);
    const late = 'i=0; while [ $i -lt 300 ]; do : > "$0/$i" || exit; i=$((i+1)); done';
    const writer = spawn('sh', ['-c', late, state], { stdio: 'ignore' });
    const ended = new Promise((done) => writer.once('close', done));
    while (readdirSync(state).length < 20) {
      await new Promise<void>((done) => setImmediate(done));
    }
    await host.dispose(state);
    assert.equal(existsSync(state), false);
    await ended;
  }
});
