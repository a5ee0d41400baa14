// An agent whose disk is full, or turns read-only: it says so and stops, its tasks run on, and when there is
// room again the next one tells how they ended. Root, who may mount.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const skip = process.getuid?.() === 0 ? false : 'not root';

suite(`disks that fail (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const home = join(machine.folder, 'agent');
  const outside = join(machine.folder, 'outside');
  let framework: TestFramework;
  before(async () => {
    mkdirSync(home);
    mkdirSync(outside);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', home]);
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await stop(machine.agent, 'SIGUSR1');
    const isMounted = (): boolean => readFileSync('/proc/self/mounts', 'utf8').includes(home);
    while (isMounted()) execFileSync('umount', ['-l', home]);
    await machine.close();
  });

  const endedBySelf = (): Promise<void> =>
    eventually('the agent stops', async () =>
      machine.agent.exitCode === null ? undefined : true,
    ).then(() => {});
  /** Its output is elsewhere: its own disk is what fails. */
  const waits = (id: string): string =>
    `until [ -e ${outside}/${id} ]; do sleep 0.05; done; exit 0`;

  async function survives(id: string, breaks: () => void, mends: () => void, says: RegExp) {
    framework.launch([{ id, script: waits(id) }]);
    await framework.reached(id, 'TASK_RUNNING');
    breaks();
    // What comes now cannot be written.
    framework.launch([{ id: `${id}-late`, script: 'exit 0' }]);
    await endedBySelf();
    assert.notEqual(machine.agent.exitCode, 0);
    assert.match(readFileSync(join(machine.folder, 'agent.log'), 'utf8'), says);
    writeFileSync(join(outside, id), '');
    mends();
    machine.startAgent();
    await framework.reached(id, 'TASK_FINISHED');
    await machine.agentActive();
    const states = framework.statesOf(id);
    assert.deepEqual(states, [...new Set(states)], 'nothing is told twice');
    await framework.until('the late one has one end', () =>
      /FINISHED|DROPPED|LOST|FAILED/.test(framework.statesOf(`${id}-late`).at(-1) ?? ''),
    );
  }

  test('a full disk', async () => {
    const filler = join(home, 'filler');
    const fill = (): void => {
      try {
        writeFileSync(filler, Buffer.alloc(33 << 20));
      } catch {
        // That is how full it gets; small files find no room either.
      }
      assert.throws(() => writeFileSync(join(home, 'more'), Buffer.alloc(8192)), /ENOSPC/);
      rmSync(join(home, 'more'), { force: true });
    };
    await survives('full', fill, () => rmSync(filler), /cannot write its state .*ENOSPC/);
  });

  test('a disk that turned read-only', async () => {
    // What tasks have open for writing would keep the mount from it: another, of the same, lies above.
    const freeze = (): void => {
      execFileSync('mount', ['--bind', home, home]);
      execFileSync('mount', ['-o', 'remount,bind,ro', home]);
    };
    const thaw = (): void => void execFileSync('umount', ['-l', home]);
    await survives('frozen', freeze, thaw, /cannot write its state .*EROFS/);
  });
});
