// The helper that forks shims: used when it is there, missed by nobody when it is not.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { HostProcess, ProcessSpec } from '#env/process.ts';
import { systemClock, systemTimers } from './clock.ts';
import { createProcessHost } from './process-host.ts';

const isLinux = process.platform === 'linux';
const folder = await mkdtemp(join(tmpdir(), 'strata-starter-'));
// A host keeps no event loop alive by itself: its processes outlive their starter.
const keepAlive = setInterval(() => {}, 1000);
after(async () => {
  clearInterval(keepAlive);
  await rm(folder, { recursive: true, force: true });
});
const host = createProcessHost({ clock: systemClock, timers: systemTimers, useCgroups: false });
let count = 0;

function aSpec(argv: readonly string[], env: Readonly<Record<string, string>> = {}): ProcessSpec {
  count += 1;
  return {
    stateFolder: join(folder, String(count)),
    argv,
    env: { PATH: '/usr/bin:/bin', ...env },
    cwd: folder,
    stdoutPath: join(folder, `${count}.out`),
    stderrPath: join(folder, `${count}.err`),
  };
}

function statOf(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** Our child that is perl; undefined when there is none, or it has ended. */
function helperPid(): number | undefined {
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      const [state, parent] = statOf(Number(name));
      if (Number(parent) !== process.pid || state === 'Z') continue;
      if (readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('POSIX::mkfifo')) {
        return Number(name);
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return undefined;
}

const starterOf = (started: HostProcess): number => {
  const shim = Number(statOf(started.pid)[1]);
  return Number(statOf(shim)[1]);
};

/** Starts processes until the helper has started one; answers that. */
async function helped(spec: () => ProcessSpec): Promise<HostProcess & { readonly folder: string }> {
  for (let tries = 0; tries < 200; tries += 1) {
    const asked = spec();
    const started = await host.launch(asked);
    if (starterOf(started) === helperPid())
      return Object.assign(started, { folder: asked.stateFolder });
    await host.dispose(asked.stateFolder);
    await new Promise((done) => systemTimers.after(20, () => done(undefined)));
  }
  throw new Error('The helper never starts one');
}

const sleeper = (): ProcessSpec => aSpec(['sleep', '600']);

test(
  'once it is there the helper starts shims; what it started outlives it',
  { skip: !isLinux },
  async () => {
    const started = await helped(sleeper);
    process.kill(helperPid() ?? 0, 'SIGKILL');
    const next = await host.launch(sleeper());
    started.kill('SIGTERM');
    assert.equal((await started.exited).kind, 'signaled');
    next.kill('SIGKILL');
    assert.deepEqual({ ...(await next.exited), at: 0 }, { kind: 'signaled', signal: 9, at: 0 });
  },
);

test('a helper that dies with a launch in hand is not missed', { skip: !isLinux }, async () => {
  await host.dispose((await helped(sleeper)).folder);
  const helper = helperPid() ?? 0;
  process.kill(helper, 'SIGSTOP');
  const launch = host.launch(sleeper());
  process.kill(helper, 'SIGKILL');
  const started = await launch;
  assert.notEqual(starterOf(started), helper);
  started.kill('SIGTERM');
  assert.equal((await started.exited).kind, 'signaled');
});

test(
  'variables and arguments come as they are; what ends at once is told',
  { skip: !isLinux },
  async () => {
    await host.dispose((await helped(sleeper)).folder);
    const odd = 'a=b\nzwölf "x" \'y\' $z \\';
    const spec = aSpec(['sh', '-c', 'printf %s "$ODD$1"; exit 7', 'sh', `${odd}2`], { ODD: odd });
    const { exited } = await host.launch(spec);
    assert.deepEqual({ ...(await exited), at: 0 }, { kind: 'exited', code: 7, at: 0 });
    assert.equal(readFileSync(spec.stdoutPath, 'utf8'), `${odd}${odd}2`);
  },
);

test('a command line that is too long is a fault that says so', { skip: !isLinux }, async () => {
  await host.dispose((await helped(sleeper)).folder);
  const spec = aSpec(['true', 'x'.repeat(200_000)]);
  await assert.rejects(host.launch(spec), /Cannot start "true": .*Argument list too long/);
  assert.equal(existsSync(spec.stateFolder), false);
});
