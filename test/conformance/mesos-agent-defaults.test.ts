// What an operator sets for containers that say nothing themselves (--default_container_info), for command
// tasks and custom executors; who names a container gets nothing of it.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

suite(`containers by default (${bestMaster} master)`, () => {
  const machine = new AgentMachine(bestMaster);
  const shared = join(machine.folder, 'shared');
  let flags: string[] = [];
  let framework: TestFramework;
  before(async () => {
    mkdirSync(shared);
    writeFileSync(join(shared, 'greeting'), 'hello');
    const volume = { host_path: shared, container_path: 'shared', mode: 'RW' };
    const info = join(machine.folder, 'container.json');
    writeFileSync(info, JSON.stringify({ type: 'MESOS', volumes: [volume] }));
    flags = ['--flag', `default_container_info=file://${info}`];
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  const code = async (id: string): Promise<string> => {
    await framework.until(`${id} ended`, () =>
      framework.statesOf(id).some((one) => /FINISHED|FAILED/.test(one)),
    );
    return framework.statesOf(id).at(-1) ?? '';
  };

  test('a task that names no container gets it, one that does gets its own', async () => {
    const script = '[ "$(cat shared/greeting)" = hello ]';
    framework.launch([{ id: 'plain', script }]);
    framework.launch([{ id: 'own', script, container: { type: 'MESOS' } }]);
    assert.equal(await code('plain'), 'TASK_FINISHED');
    assert.equal(await code('own'), 'TASK_FAILED');
  });

  test('it is the same for a task that lives through a restart of the agent', async () => {
    const script = 'until [ -e shared/go ]; do sleep 0.05; done; echo done >shared/end';
    framework.launch([{ id: 'long', script }]);
    await framework.reached('long', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    writeFileSync(join(shared, 'go'), '');
    assert.equal(await code('long'), 'TASK_FINISHED');
    assert.equal(readFileSync(join(shared, 'end'), 'utf8'), 'done\n');
  });

  test('what is no container ends the start', async () => {
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(['--flag', 'default_container_info={"type":"NONSENSE"}']);
    const ended = await new Promise<number | null>((done) => machine.agent.once('exit', done));
    assert.equal(ended, 1);
    machine.startAgent(flags);
    await machine.agentActive();
  });
});
