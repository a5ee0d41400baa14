// A master whose machine's clock is set while it runs: nobody's time is up for that, and nothing waits for it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { AgentMachine, stop } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { TestFramework } from '#test/support/framework.ts';
import { runMaster } from './master.ts';

const DAY_MS = 86_400_000;
const given = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

test('its clock is set forward and back: it goes on to offer, and tasks of who is away live on', async (t) => {
  let apartMs = 0;
  const now = (): number => given.clock.now() + apartMs;
  const home = mkdtempSync(join(tmpdir(), 'strata-master-'));
  const env = { ...given, clock: { ...given.clock, now } };
  const master = await runMaster({ home, host: '127.0.0.1', port: 0 }, env);
  const machine = new AgentMachine('own');
  machine.masterPort = Number(new URL(master.url).port);
  machine.agentPort = await freePort();
  machine.startAgent();
  const away = new TestFramework(master.url, given, { name: 'away' });
  const here = new TestFramework(master.url, given, { name: 'here' });
  t.after(async () => {
    for (const one of [away, here]) one.client.close();
    await stop(machine.agent, 'SIGUSR1');
    await master.close();
    for (const folder of [machine.folder, home]) rmSync(folder, { recursive: true, force: true });
  });
  await machine.agentActive();
  away.launch([{ id: 'stays', script: 'sleep 600' }]);
  await away.reached('stays', 'TASK_RUNNING');
  away.client.close();
  here.launch([{ id: 'before', script: 'true' }]);
  await here.reached('before', 'TASK_FINISHED');
  for (const setMs of [DAY_MS, -DAY_MS]) {
    apartMs = setMs;
    // What it has refused before and since is offered again.
    for (const id of [`first ${setMs}`, `second ${setMs}`]) {
      here.launch([{ id, script: 'true' }]);
      await here.reached(id, 'TASK_FINISHED');
    }
    const answer = (await (await machine.ask('/tasks')).json()) as {
      readonly tasks: readonly { readonly id: string; readonly state: string }[];
    };
    assert.equal(answer.tasks.find(({ id }) => id === 'stays')?.state, 'TASK_RUNNING');
  }
});
