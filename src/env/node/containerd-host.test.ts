// The host of containerd's containers against a real containerd: the port's conformance suite, and what only it has. Needs root,
// cgroups, and containerd with runc (Debian's packages).
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ContainerdClient } from '#containerd/containerd-client.ts';
import { processConformance } from '#env/conformance/process.ts';
import type { ProcessSpec } from '#env/process.ts';
import { eventually, isWritten } from '#test/support/cluster.ts';
import { type ContainerdFixture, findContainerd } from '#test/support/containerd.ts';
import { temporaryFolders } from '#test/support/temporary-folders.ts';
import { ContainerdHost } from './containerd-host.ts';
import { createEnv } from './env.ts';
import { createProcessHost } from './process-host.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const found = findContainerd();
/** Before and after each of the calls by which one is made, its task is made, and it starts; and one more. */
const MOMENTS = 7;
const skip = found.ok ? false : found.reason;

suite('processes as containers of containerd', { skip }, () => {
  let containerd: ContainerdFixture;
  const hosts: ContainerdHost[] = [];
  before(async () => {
    if (found.ok) containerd = await found.start();
  });
  after(async () => {
    for (const host of hosts) host.close();
    await containerd?.stop();
  });

  const newHost = (): ContainerdHost => {
    const client = new ContainerdClient(containerd.socket, 'mesos');
    const made = new ContainerdHost({ ...env, client, plain: createProcessHost(env) });
    hosts.push(made);
    return made;
  };
  const folderOf = temporaryFolders('strata-containerd-');
  const inTree = (spec: ProcessSpec): ProcessSpec => ({
    ...spec,
    cwd: '/',
    root: '/root-of-it',
    mounts: [{ source: containerd.tree, target: '/root-of-it', readOnly: false }],
    containerd: { image: 'tree', snapshotter: '', snapshotKey: '' },
  });

  processConformance('host of containerd', async () => ({
    host: newHost(),
    folder: folderOf(),
    successor: newHost,
    killShim: (stateFolder) => process.kill(shimPid(stateFolder), 'SIGKILL'),
    elapse: (ms) => new Promise((done) => env.timers.after(ms, done)),
    complete: inTree,
    isDeaf: ({ stdoutPath }) => isWritten(stdoutPath),
    commands: {
      exitsWith: (code) => ['sh', '-c', `exit ${code}`],
      sleepsMs: (ms) => ['sleep', String(ms / 1000)],
      ignoresTerm: () => ['sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 60; done'],
      cannotStart: () => ({
        mounts: [
          { source: containerd.tree, target: '/root-of-it', readOnly: false },
          { source: '/no/such/folder', target: '/root-of-it/there', readOnly: false },
        ],
      }),
    },
  }));

  const specOf = (folder: string, id: string, script: string, more = {}): ProcessSpec =>
    inTree({
      stateFolder: join(folder, id),
      argv: ['sh', '-c', script],
      env: { PATH: '/bin' },
      cwd: '/',
      stdoutPath: join(folder, `${id}.out`),
      stderrPath: join(folder, `${id}.err`),
      ...more,
    });
  /** Containers and tasks, by containerd's own tool. */
  const left = (): readonly string[] =>
    ['containers', 'tasks'].flatMap((kind) =>
      containerd.ctr('mesos', kind, 'ls', '-q').split('\n').filter(Boolean),
    );
  const groupOf = (name: string): string => `strata-test-${process.pid}/${name}`;
  const groups = (top = `*/${groupOf('*')}`): readonly string[] => {
    const words = ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', top];
    // It fails for a group of somebody else's that goes while it looks; ours it has found.
    return spawnSync('find', words, { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  };
  after(() => {
    for (const path of [...groups(), ...groups(`*/strata-test-${process.pid}`)]) rmdirSync(path);
  });

  test('a starter killed before and after each call leaves containers to its successor, or none', async () => {
    const program = `
      import { ContainerdClient } from '#containerd/containerd-client.ts';
      import { ContainerdHost } from '#env/node/containerd-host.ts';
      import { createEnv } from '#env/node/env.ts';
      import { createProcessHost } from '#env/node/process-host.ts';
      const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
      const [socket, specs, moment] = process.argv.slice(1);
      const client = new ContainerdClient(socket, 'mesos');
      const call = client.call.bind(client);
      let moments = 0;
      const pass = () => {
        if (moments === Number(moment)) process.kill(process.pid, 'SIGKILL');
        moments += 1;
      };
      client.call = async (...words) => {
        pass();
        const answer = await call(...words);
        pass();
        return answer;
      };
      const host = new ContainerdHost({ ...env, client, plain: createProcessHost(env) });
      for (const spec of JSON.parse(specs)) await host.launch(spec);`;
    const folder = folderOf();
    const adopted: number[] = [];
    for (let moment = 0; moment < MOMENTS; moment++) {
      const specs = [0, 1].map((at) => {
        const name = `${moment}-${at}`;
        return specOf(folder, name, 'echo up; sleep 600', { cgroup: groupOf(name) });
      });
      const words = ['--input-type=module-typescript', '-e', program, '--', containerd.socket];
      const starter = spawn(process.execPath, [...words, JSON.stringify(specs), String(moment)], {
        stdio: 'inherit',
        cwd: import.meta.dirname,
      });
      const gone = new Promise((done) => starter.once('exit', (_code, signal) => done(signal)));
      assert.equal(await gone, 'SIGKILL');
      adopted.push(0);
      const host = newHost();
      for (const { stateFolder } of specs) {
        const process = await host.adopt(stateFolder);
        if (process !== undefined) {
          adopted[moment] = (adopted[moment] ?? 0) + 1;
          assert.ok(process.pid > 0);
          process.kill('SIGKILL', 'group');
          assert.equal((await process.exited).kind, 'signaled');
        }
        await host.dispose(stateFolder);
        assert.ok(!existsSync(stateFolder));
      }
      await host.sweep(groupOf(''));
      assert.deepEqual([...left(), ...groups()], []);
    }
    // Only who has been started is adopted.
    assert.deepEqual(adopted, [0, 0, 0, 0, 0, 1, 1]);
  });

  test('what nobody has adopted is swept away, what is known stays', async () => {
    const [folder, host] = [folderOf(), newHost()];
    const lost = specOf(folder, 'lost', 'sleep 600', { cgroup: groupOf('sweep/lost') });
    await host.launch(lost);
    rmSync(lost.stateFolder, { recursive: true });
    const successor = newHost();
    const known = specOf(folder, 'known', 'sleep 600', { cgroup: groupOf('sweep/known') });
    await successor.launch(known);
    await successor.sweep(groupOf('sweep'));
    assert.equal(left().length, 2, 'one container with its task');
    await successor.dispose(known.stateFolder);
    assert.deepEqual([...left(), ...groups()], []);
  });

  test('a signal reaches its container though containerd is away', async () => {
    const [folder, host] = [folderOf(), newHost()];
    const spec = specOf(folder, 'a', 'sleep 600');
    const started = await host.launch(spec);
    containerd.halt();
    started.kill('SIGKILL', 'group');
    await containerd.restart();
    const status = await started.exited;
    assert.deepEqual({ ...status, at: 0 }, { kind: 'signaled', signal: 9, at: 0 });
    await host.dispose(spec.stateFolder);
    assert.deepEqual(left(), []);
  });

  test('what ends while containerd is away is told as it was, or as killed by one that forgets it', async () => {
    const [folder, host] = [folderOf(), newHost()];
    const spec = specOf(folder, 'a', 'until [ -e /ends ]; do sleep 0.05; done; exit 6');
    const started = await host.launch(spec);
    // What has ended without it is nothing for the second version when it starts.
    const forgets = /Version: *v?2/.test(containerd.ctr('mesos', 'version'));
    containerd.halt();
    writeFileSync(join(containerd.tree, 'ends'), '');
    const isGone = async () => !existsSync(`/proc/${started.pid}`) || undefined;
    await eventually('it has ended', isGone);
    rmSync(join(containerd.tree, 'ends'));
    await containerd.restart();
    const status = await started.exited;
    const told = status.kind === 'exited' ? `exit ${status.code}` : `signal ${status.signal}`;
    assert.equal(told, forgets ? 'signal 9' : 'exit 6');
    await host.dispose(spec.stateFolder);
    assert.deepEqual(left(), []);
  });

  /** Containerd goes away when it has started one, before it has said so. */
  const dyingHost = (more = {}): ContainerdHost => {
    const client = new ContainerdClient(containerd.socket, 'mesos');
    const call = client.call.bind(client);
    client.call = async (method, ...words) => {
      const answer = await call(method, ...words);
      if (method !== 'tasks.v1.Tasks/Start') return answer;
      containerd.halt();
      await assert.rejects(async () => {
        for (;;) await call('version.v1.Version/Version');
      });
      return call('version.v1.Version/Version');
    };
    const made = new ContainerdHost({ ...env, ...more, client, plain: createProcessHost(env) });
    hosts.push(made);
    return made;
  };

  test('what was started by a containerd that went away is started', async () => {
    const [folder, host] = [folderOf(), dyingHost()];
    const spec = specOf(folder, 'a', 'until [ -e /go ]; do sleep 0.05; done; exit 7');
    const launched = host.launch(spec);
    await eventually('containerd is away', async () => {
      try {
        return void containerd.ctr('mesos', 'version');
      } catch {
        return true;
      }
    });
    await containerd.restart();
    const { exited } = await launched;
    // containerd 2 does not tell the end of what has ended while it was away.
    writeFileSync(join(containerd.tree, 'go'), '');
    const status = await exited;
    rmSync(join(containerd.tree, 'go'));
    assert.equal(status.kind === 'exited' && status.code, 7);
    await host.dispose(spec.stateFolder);
    assert.deepEqual(left(), []);
  });

  test('what may have been started by a containerd that stays away fails, and goes once it is back', async () => {
    const folder = folderOf();
    let now = 0;
    const host = dyingHost({ clock: { now: () => (now += 60_000) } });
    const spec = specOf(folder, 'a', 'sleep 600');
    await assert.rejects(host.launch(spec), /Cannot start "sh"/);
    await containerd.restart();
    await eventually('it is gone', async () => left().length === 0 || undefined);
    await eventually('and its folder', async () => !existsSync(spec.stateFolder) || undefined);
  });

  test('its use is counted, its limits hold, and what ended for memory is told', async () => {
    const [folder, host] = [folderOf(), newHost()];
    const limits = { cpus: 0.5, memoryBytesMax: 16 << 20, pidsMax: 32 };
    const hungry = 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done';
    const own = { cgroup: groupOf('memory'), limits };
    const spec = specOf(folder, 'a', hungry, own);
    const waits = specOf(folder, 'b', 'echo up; exec sleep 600', {
      ...own,
      cgroup: groupOf('waits'),
    });
    await host.launch(waits);
    const isUp = async () => readFileSync(waits.stdoutPath, 'utf8') === 'up\n' || undefined;
    await eventually('it has come to its last program', isUp);
    const usage = await host.usage(waits.stateFolder);
    assert.ok((usage?.processCount ?? 0) > 0 && (usage?.memoryBytes ?? 0) > 0);
    assert.equal(host.members(groupOf('waits')).length, usage?.processCount);
    const status = await (await host.launch(spec)).exited;
    assert.equal(status.oomKilled, true);
    assert.equal(status.kind === 'signaled' && status.signal, 9);
    for (const one of [spec, waits]) await host.dispose(one.stateFolder);
    assert.equal(await host.usage(waits.stateFolder), undefined);
    assert.deepEqual([...left(), ...groups()], []);
  });

  test('what it says is kept below a size, by whoever writes it', async () => {
    const [folder, host] = [folderOf(), newHost()];
    const rotation = { stdout: { bytesMax: 4096, filesMax: 2, compresses: false } };
    const script = 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo err >&2';
    const spec = specOf(folder, 'a', script, { rotation });
    await (
      await host.launch(spec)
    ).exited;
    const last = async () =>
      readFileSync(spec.stdoutPath, 'utf8').endsWith('line 2999\n') || undefined;
    await eventually('all is written', last);
    const sizes = ['', '.1', '.2'].map((end) => readFileSync(spec.stdoutPath + end).length);
    assert.ok(sizes.every((size) => size <= 4096) && sizes[1] === 4096, sizes.join());
    assert.equal(readFileSync(spec.stderrPath, 'utf8'), 'err\n');
    await host.dispose(spec.stateFolder);
  });

  test('what it cannot do it refuses, and leaves nothing of it', async () => {
    const [folder, host] = [folderOf(), newHost()];
    const refused: readonly [object, RegExp][] = [
      [{ seccomp: new Uint8Array(8) }, /has not a compiled seccomp program/],
    ];
    for (const [more, why] of refused) {
      const spec = specOf(folder, 'a', 'true', more);
      await assert.rejects(host.launch(spec), why);
      assert.ok(!existsSync(spec.stateFolder));
    }
    const plain = { ...specOf(folder, 'b', 'exit 3'), root: undefined, mounts: [] };
    await assert.rejects(host.launch(plain), /a root of their own only/);
    assert.deepEqual(left(), []);
  });
});

function shimPid(stateFolder: string): number {
  const { id } = JSON.parse(readFileSync(join(stateFolder, 'containerd.json'), 'utf8')) as {
    id: string;
  };
  const pid = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
        return words[0]?.includes('containerd-shim') === true && words.includes(id);
      } catch {
        return false;
      }
    });
  return Number(pid);
}
