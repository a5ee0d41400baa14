// What every process host must do; run for the real and for the simulated one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultCode } from '#base/fault.ts';
import type { ExitStatus, ProcessHost, ProcessSpec } from '#env/process.ts';

export interface ProcessHostUnderTest {
  readonly host: ProcessHost;
  /** An existing, empty folder. */
  readonly folder: string;
  /** The same machine as a new process sees it, after the first one was killed. */
  successor(): ProcessHost;
  /** Kills the shim of a state folder behind the host's back. */
  killShim(stateFolder: string): void;
  /** Lets at least that much time pass. */
  elapse(ms: number): Promise<void>;
  /** The command of `ignoresTerm()` that was launched so ignores it by now. */
  isDeaf(spec: ProcessSpec): Promise<void>;
  /** What this host needs beside what every one does; absent: nothing. */
  complete?(spec: ProcessSpec): ProcessSpec;
  readonly commands: {
    exitsWith(code: number): readonly string[];
    sleepsMs(ms: number): readonly string[];
    ignoresTerm(): readonly string[];
    cannotStart(): Partial<ProcessSpec>;
  };
}

function ending(status: ExitStatus): string {
  return status.kind === 'exited' ? `exited ${status.code}` : `signaled ${status.signal}`;
}

export function processConformance(name: string, make: () => Promise<ProcessHostUnderTest>): void {
  const story = (what: string, run: (under: ProcessHostUnderTest) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      await run(await make());
    });
  };
  const spec = (under: ProcessHostUnderTest, id: string, argv: readonly string[]): ProcessSpec => {
    const made: ProcessSpec = {
      stateFolder: `${under.folder}/${id}`,
      argv,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: under.folder,
      stdoutPath: `${under.folder}/${id}.out`,
      stderrPath: `${under.folder}/${id}.err`,
    };
    return under.complete?.(made) ?? made;
  };
  const LONG_MS = 600_000;
  exitStories(story, spec);
  adoptionStories(story, spec, LONG_MS);

  story('kill() ends it, a signal that is ignored does not', async (under) => {
    const long = await under.host.launch(spec(under, 'a', under.commands.sleepsMs(LONG_MS)));
    const deafSpec = spec(under, 'b', under.commands.ignoresTerm());
    const deaf = await under.host.launch(deafSpec);
    await under.isDeaf(deafSpec);
    long.kill('SIGTERM');
    deaf.kill('SIGTERM');
    assert.equal(ending(await long.exited), 'signaled 15');
    await under.elapse(50);
    deaf.kill('SIGKILL', 'group');
    assert.equal(ending(await deaf.exited), 'signaled 9');
    deaf.kill('SIGKILL', 'group');
    await under.host.dispose(`${under.folder}/a`);
    await under.host.dispose(`${under.folder}/b`);
  });

  story('a state folder belongs to one process until it is disposed of', async (under) => {
    const one = spec(under, 'a', under.commands.sleepsMs(LONG_MS));
    const first = await under.host.launch(one);
    await assert.rejects(under.host.launch(one), (e) => faultCode(e) === 'process-exists');
    await under.host.dispose(one.stateFolder);
    assert.equal(ending(await first.exited), 'signaled 9');
    await under.host.dispose(one.stateFolder);
    assert.equal(await under.host.adopt(one.stateFolder), undefined);
    const second = await under.host.launch(one);
    assert.notEqual(second.pid, first.pid);
    await under.host.dispose(one.stateFolder);
  });

  story(
    'launch() of what cannot start is a process-launch fault, leaving nothing',
    async (under) => {
      const bad = { ...spec(under, 'a', ['x']), ...under.commands.cannotStart() };
      await assert.rejects(under.host.launch(bad), (e) => faultCode(e) === 'process-launch');
      assert.equal(await under.host.adopt(bad.stateFolder), undefined);
      const good = spec(under, 'a', under.commands.exitsWith(0));
      const started = await under.host.launch(good);
      await under.elapse(50);
      assert.equal(ending(await started.exited), 'exited 0');
      await under.host.dispose(good.stateFolder);
    },
  );
}

type Story = (what: string, run: (under: ProcessHostUnderTest) => Promise<void>) => void;
type Spec = (under: ProcessHostUnderTest, id: string, argv: readonly string[]) => ProcessSpec;

function exitStories(story: Story, spec: Spec): void {
  for (const code of [0, 1, 127, 130, 137, 255]) {
    story(`an exit with ${code} is told as that, not as a signal`, async (under) => {
      const process = await under.host.launch(spec(under, 'a', under.commands.exitsWith(code)));
      await under.elapse(50);
      const status = await process.exited;
      assert.equal(ending(status), `exited ${code}`);
      assert.ok(status.at >= process.startedAt - 20);
      const again = await under.host.adopt(`${under.folder}/a`);
      assert.deepEqual(await again?.exited, status);
      await under.host.dispose(`${under.folder}/a`);
    });
  }
}

function adoptionStories(story: Story, spec: Spec, longMs: number): void {
  story('adopt() where nothing was started is undefined', async (under) => {
    assert.equal(await under.host.adopt(`${under.folder}/none`), undefined);
    await under.host.dispose(`${under.folder}/none`);
  });

  story('a successor adopts what runs, kills it and hears its end', async (under) => {
    const first = await under.host.launch(spec(under, 'a', under.commands.sleepsMs(longMs)));
    const successor = under.successor();
    const adopted = await successor.adopt(`${under.folder}/a`);
    assert.ok(adopted !== undefined);
    assert.equal(adopted.pid, first.pid);
    assert.ok(Math.abs(adopted.startedAt - first.startedAt) < 50);
    adopted.kill('SIGKILL', 'group');
    assert.equal(ending(await adopted.exited), 'signaled 9');
    await successor.dispose(`${under.folder}/a`);
  });

  story('a successor hears what had ended meanwhile', async (under) => {
    const first = await under.host.launch(spec(under, 'a', under.commands.exitsWith(3)));
    await under.elapse(50);
    const status = await first.exited;
    const adopted = await under.successor().adopt(`${under.folder}/a`);
    assert.equal(ending((await adopted?.exited) ?? status), 'exited 3');
    await under.host.dispose(`${under.folder}/a`);
  });

  story('when the shim is killed the command goes with it, for every watcher', async (under) => {
    const first = await under.host.launch(spec(under, 'a', under.commands.sleepsMs(longMs)));
    const adopted = await under.successor().adopt(`${under.folder}/a`);
    under.killShim(`${under.folder}/a`);
    assert.equal(ending(await first.exited), 'signaled 9');
    assert.equal(ending((await adopted?.exited) ?? (await first.exited)), 'signaled 9');
    const late = await under.successor().adopt(`${under.folder}/a`);
    assert.equal(ending((await late?.exited) ?? (await first.exited)), 'signaled 9');
    await under.host.dispose(`${under.folder}/a`);
  });
}
