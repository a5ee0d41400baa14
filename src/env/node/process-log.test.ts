// Rotation of a process's output: bound, in order, without a byte lost, and after its starter is gone.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdir, symlink, chown } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { LogRotation, ProcessSpec } from '#env/process.ts';
import { systemClock, systemTimers } from './clock.ts';
import { createProcessHost } from './process-host.ts';

const env = { clock: systemClock, timers: systemTimers };
const folder = mkdtempSync(join(tmpdir(), 'strata-log-'));
const keepAlive = setInterval(() => {}, 1000);
after(() => {
  clearInterval(keepAlive);
  rmSync(folder, { recursive: true, force: true });
});
const hasPerl = spawnSync('perl', ['-e', '1']).status === 0;
const options = { skip: hasPerl ? false : 'the machine has no perl' };
const rootOnly = { skip: process.getuid?.() === 0 ? options.skip : 'needs root' };

const specOf = (name: string, script: string, stdout: LogRotation): ProcessSpec => ({
  stateFolder: join(folder, name),
  argv: ['sh', '-c', script],
  env: { PATH: '/usr/bin:/bin' },
  cwd: folder,
  stdoutPath: join(folder, `${name}.out`),
  stderrPath: join(folder, `${name}.err`),
  rotation: { stdout },
});

async function settled(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isTrue()) {
    assert.ok(performance.now() < deadline, `it came true: ${isTrue}`);
    await new Promise<void>((done) => env.timers.after(10, done));
  }
}

test('full files are kept in their order, and no byte is lost', options, async () => {
  const host = createProcessHost(env);
  const script = 'seq 1 5000; echo err >&2';
  const spec = specOf('order', script, { bytesMax: 5000, filesMax: 9, compresses: false });
  const whole = execFileSync('seq', ['1', '5000'], { encoding: 'utf8' });
  await (
    await host.launch(spec)
  ).exited;
  const name = (at: number): string => (at === 0 ? spec.stdoutPath : `${spec.stdoutPath}.${at}`);
  const parts = (): string[] =>
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
      .map(name)
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, 'utf8'));
  await settled(() => parts().join('').length === whole.length);
  assert.equal(parts().join(''), whole);
  assert.equal(parts().length, Math.ceil(whole.length / 5000));
  assert.ok(parts().every((part) => part.length <= 5000));
  assert.equal(readFileSync(spec.stderrPath, 'utf8'), 'err\n');
  await host.dispose(spec.stateFolder);
});

test('of what is not kept the last remains; kept files may be compressed', options, async () => {
  const host = createProcessHost(env);
  const none = specOf('none', 'seq 1 5000', { bytesMax: 4096, filesMax: 0, compresses: false });
  const some = specOf('some', 'seq 1 5000', { bytesMax: 4096, filesMax: 2, compresses: true });
  for (const spec of [none, some]) {
    await (
      await host.launch(spec)
    ).exited;
    await settled(() => readFileSync(spec.stdoutPath, 'utf8').endsWith('5000\n'));
    assert.ok(statSync(spec.stdoutPath).size <= 4096);
    await host.dispose(spec.stateFolder);
  }
  const files = readdirSync(folder).filter((name) => /^(none|some)\.out/.test(name));
  assert.deepEqual(files.toSorted(), ['none.out', 'some.out', 'some.out.1.gz', 'some.out.2.gz']);
  const last = execFileSync('gzip', ['-dc', `${some.stdoutPath}.1.gz`], { encoding: 'utf8' });
  assert.equal(last.length, 4096);
});

test('it goes on when the starter is killed, and ends with the process', options, async () => {
  const spec = specOf('alone', 'sleep 0.5; seq 1 5000; sleep 600', {
    bytesMax: 4096,
    filesMax: 0,
    compresses: false,
  });
  const starter = `
    const { createProcessHost } = await import('${join(import.meta.dirname, 'process-host.ts')}');
    const { systemClock: clock, systemTimers: timers } = await import('${join(import.meta.dirname, 'clock.ts')}');
    setInterval(() => {}, 1000);
    await createProcessHost({ clock, timers }).launch(${JSON.stringify(spec)});
    process.kill(process.pid, 'SIGKILL');`;
  const killed = spawnSync(process.execPath, ['--input-type=module', '-e', starter]);
  assert.equal(killed.signal, 'SIGKILL', String(killed.stderr));
  await settled(() => readFileSync(spec.stdoutPath, 'utf8').endsWith('5000\n'));
  assert.ok(statSync(spec.stdoutPath).size <= 4096);
  const loggers = (): number =>
    readdirSync('/proc').filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('alone.out');
      } catch {
        return false;
      }
    }).length;
  assert.equal(loggers(), 1);
  await createProcessHost(env).dispose(spec.stateFolder);
  await settled(() => loggers() === 0);
});

test('a user leads the logger nowhere where that user may not write', rootOnly, async () => {
  const host = createProcessHost(env);
  const own = join(folder, 'own');
  await mkdir(own);
  await chown(own, 65534, 65534);
  const target = join(folder, 'target');
  await symlink(target, join(own, 'out.1'));
  const stdout = { bytesMax: 4096, filesMax: 1, compresses: false };
  const spec: ProcessSpec = {
    ...specOf('user', 'seq 1 5000', stdout),
    stdoutPath: join(own, 'out'),
    uid: 65534,
    gid: 65534,
  };
  await (
    await host.launch(spec)
  ).exited;
  await settled(() => readFileSync(spec.stdoutPath, 'utf8').endsWith('5000\n'));
  assert.ok(!existsSync(target));
  await host.dispose(spec.stateFolder);
});
