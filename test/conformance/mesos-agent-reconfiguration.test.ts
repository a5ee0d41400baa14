// An agent of Strata's that is started again with another configuration, with a real Mesos 1.11 master
// where there is one: refused with the difference, or taken over with what runs on it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually, run } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const MORE = 'cpus:16;mem:4096;disk:1000;ports:[31000-31100]';
const LESS = 'cpus:2;mem:4096;disk:1000;ports:[31000-31100]';

suite(`an agent that is configured anew (${bestMaster} master)`, () => {
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  interface Slave {
    readonly id: string;
    readonly active: boolean;
    readonly resources: { readonly cpus: number };
  }
  async function slaves(): Promise<readonly Slave[]> {
    const answer = await fetch(`${machine.masterUrl}/slaves`);
    return ((await answer.json()) as { slaves: Slave[] }).slaves;
  }
  const log = (): string => readFileSync(join(machine.folder, 'agent.log'), 'utf8');
  const ended = async (): Promise<number | null> =>
    await new Promise((done) => machine.agent.once('exit', done));

  test('changes are refused with the difference; more is taken by the policy that allows it', async () => {
    framework.launch([{ id: 'long', command: { value: 'sleep 600' } }]);
    await framework.reached('long', 'TASK_RUNNING');
    const [before] = await slaves();
    await stop(machine.agent, 'SIGKILL');

    machine.startAgent(['--resources', MORE]);
    assert.equal(await ended(), 1);
    assert.match(
      log(),
      /resources changed from .*cpus:8.* to .*cpus:16.*reconfiguration_policy=equal/,
    );
    const additive = ['--flag', 'reconfiguration_policy=additive'];
    machine.startAgent(['--resources', LESS, ...additive]);
    assert.equal(await ended(), 1);
    assert.match(log(), /resource cpus:8 is not in .*cpus:2/);

    machine.startAgent(['--resources', MORE, ...additive]);
    await eventually('the master knows of more', async () => {
      const [now] = await slaves();
      return now?.active === true && now.resources.cpus === 16 ? true : undefined;
    });
    const [after] = await slaves();
    assert.equal(after?.id, before?.id);
    framework.kill('long');
    await framework.reached('long', 'TASK_KILLED');
    assert.deepEqual(framework.statesOf('long'), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLED']);
  });

  test('recover=cleanup ends what an earlier life left running, and the agent with it', async () => {
    const left = `sleep ${100_000 + process.pid}`;
    framework.launch([{ id: 'left', command: { value: `echo $$ > pid; exec ${left}` } }]);
    await framework.reached('left', 'TASK_RUNNING');
    const isAlive = async (): Promise<boolean> =>
      (await run(['pgrep', '-f', `^${left}$`])).status === 0;
    await eventually('it runs', async () => ((await isAlive()) ? true : undefined));
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent([
      '--resources',
      MORE,
      '--flag',
      'recover=cleanup',
      'reconfiguration_policy=any',
    ]);
    assert.equal(await ended(), 0);
    assert.equal(await isAlive(), false);
    machine.startAgent(['--resources', MORE]);
    await machine.agentActive();
  });

  test('after a reboot a changed agent is a new one', async () => {
    const [before] = await slaves();
    await stop(machine.agent, 'SIGKILL');
    writeFileSync(
      join(machine.folder, 'agent', 'meta', 'boot_id'),
      'another start of the machine\n',
    );
    machine.startAgent(['--resources', LESS]);
    await eventually('a new agent is there', async () =>
      (await slaves()).some(({ id, active }) => active && id !== before?.id) ? true : undefined,
    );
  });
});
