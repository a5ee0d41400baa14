// The agent with a real Mesos 1.11 master: it registers, runs tasks, survives kill -9, and custom
// executors of pymesos work with it. The same stories run with Strata's own master.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { ExecutorInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, realMaster, stop } from '#test/support/agent-machine.ts';
import { eventually, root, run } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';
import { findPymesos } from '#test/support/pymesos.ts';
import {
  type AwaitedStream,
  awaitedStream,
  processData,
  returnCode,
  signalData,
  textOf,
} from '#test/support/pymesos-processes.ts';

const PROCESS_EXECUTOR = 'pymesos.subprocess.executor';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

function stories(kind: 'real' | 'own'): void {
  const machine = new AgentMachine(kind);
  let framework: TestFramework;
  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  test('command tasks end as their commands do, in order and in Mesos words', async () => {
    framework.launch([
      { id: 'ok', script: 'exit 0' },
      { id: 'bad', script: 'exit 3' },
      { id: 'hit', script: 'kill -9 $$' },
      { id: 'nothing', command: { shell: false, value: '/no/such/program' } },
    ]);
    assert.equal(
      (await framework.reached('ok', 'TASK_FINISHED')).message,
      'Command exited with status 0',
    );
    assert.equal(
      (await framework.reached('bad', 'TASK_FAILED')).message,
      'Command exited with status 3',
    );
    const hit = await framework.reached('hit', 'TASK_FAILED');
    assert.equal(hit.message, 'Command terminated with signal Killed');
    await framework.reached('nothing', 'TASK_FAILED');
    assert.deepEqual(framework.statesOf('ok'), ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED']);
  });

  test('KILL ends a task, one that ignores SIGTERM too', async () => {
    const isDeaf = join(machine.folder, 'deaf');
    const deaf = `trap "" TERM; touch ${isDeaf}; while :; do sleep 60; done`;
    const kill_policy = { grace_period: { nanoseconds: 300e6 } };
    framework.launch([
      { id: 'long', script: 'sleep 600' },
      { id: 'deaf', script: deaf, kill_policy },
    ]);
    await framework.reached('long', 'TASK_RUNNING');
    await framework.reached('deaf', 'TASK_RUNNING');
    // A task runs before its shell has come to the trap.
    await eventually('the trap is set', async () => existsSync(isDeaf) || undefined);
    framework.kill('long');
    framework.kill('deaf');
    await framework.reached('long', 'TASK_KILLED');
    const killed = await framework.reached('deaf', 'TASK_KILLED');
    assert.equal(killed.message, 'Command terminated with signal Killed');
  });

  test('a task group ends whole when one of its tasks fails', async () => {
    const executor = { type: 'DEFAULT', executor_id: { value: 'default-1' } } as const;
    framework.launchGroup(executor, [
      { id: 'g1', script: 'sleep 600' },
      { id: 'g2', script: 'sleep 0.3; exit 5' },
    ]);
    await framework.reached('g2', 'TASK_FAILED');
    await framework.reached('g1', 'TASK_KILLED');
  });

  test('kill -9 of the agent: tasks live, ends meanwhile are told once', async () => {
    const go = join(machine.folder, 'go');
    framework.launch([
      { id: 'lives', script: 'echo $$; sleep 600' },
      { id: 'ends', script: `while [ ! -e ${go} ]; do sleep 0.05; done; exit 4` },
    ]);
    const before = await framework.reached('lives', 'TASK_RUNNING');
    await framework.reached('ends', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    await run(['touch', go]);
    await run(['sleep', '0.3']);
    machine.startAgent();
    const ended = await framework.reached('ends', 'TASK_FAILED');
    assert.equal(ended.message, 'Command exited with status 4');
    process.kill(before.container_status?.executor_pid ?? 0, 0);
    framework.kill('lives');
    await framework.reached('lives', 'TASK_KILLED');
    const want = ['TASK_STARTING', 'TASK_RUNNING'];
    assert.deepEqual(framework.statesOf('lives'), [...want, 'TASK_KILLED']);
    assert.deepEqual(framework.statesOf('ends'), [...want, 'TASK_FAILED']);
  });

  test('kill -9 of the agent at any moment: every task runs once and is told of once', async () => {
    // Before its id is on disk an agent that is killed comes back as another.
    framework.launch([{ id: 'first', script: 'exit 0' }]);
    await framework.reached('first', 'TASK_FINISHED');
    const ids = Array.from({ length: 50 }, (_, index) => `crash-${index}`);
    const log = join(machine.folder, 'starts');
    const tasks = ids.map((id, index) => ({
      id,
      script: `echo ${id} >>${log}; sleep 0.${index % 10}; exit ${index % 3}`,
      mem: 4,
    }));
    for (let from = 0; from < tasks.length; from += 10) {
      framework.launch(tasks.slice(from, from + 10));
      await run(['sleep', `0.0${from / 10 + 1}`]);
      await stop(machine.agent, 'SIGKILL');
      machine.startAgent();
      await machine.agentActive();
    }
    const terminal = new Set(['TASK_FINISHED', 'TASK_FAILED', 'TASK_DROPPED']);
    const ends = (id: string): string[] =>
      framework.statesOf(id).filter((state) => terminal.has(state));
    await framework.until('all ended', () => ids.every((id) => ends(id).length > 0));
    const { stdout } = await run(['cat', log]);
    const starts = stdout.trim().split('\n');
    for (const [index, id] of ids.entries()) {
      const [end, ...more] = ends(id);
      // Each life of an agent answers the master's question after a task that it does not know, and
      // Mesos passes every answer on: until one is acknowledged, TASK_DROPPED may be told again.
      const others = more.filter((one) => one !== 'TASK_DROPPED' || end !== 'TASK_DROPPED');
      assert.deepEqual(others, [], `${id} ended once`);
      const count = starts.filter((one) => one === id).length;
      // Killed before the agent had the task on disk, it was never there: that is told, too.
      // Killed between noting the launch and the process's first step, it never ran, and has failed.
      if (end === 'TASK_DROPPED') assert.equal(count, 0, `${id} never ran`);
      else if (count === 0) assert.equal(end, 'TASK_FAILED', `${id} never ran`);
      else {
        assert.equal(count, 1, `${id} ran once`);
        assert.equal(end, index % 3 === 0 ? 'TASK_FINISHED' : 'TASK_FAILED', id);
      }
    }
  });

  test('an update that nobody acknowledged is told again by the next agent', async () => {
    framework.holdsAcknowledgements = true;
    framework.launch([{ id: 'held', script: 'exit 0' }]);
    await framework.reached('held', 'TASK_STARTING');
    await stop(machine.agent, 'SIGKILL');
    framework.holdsAcknowledgements = false;
    machine.startAgent();
    await framework.reached('held', 'TASK_FINISHED');
    const want = ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED'];
    assert.deepEqual(framework.statesOf('held'), want);
  });

  test('a master that restarts gets agent and tasks back within seconds', async () => {
    framework.launch([{ id: 'stays', script: 'sleep 600' }]);
    await framework.reached('stays', 'TASK_RUNNING');
    await stop(machine.master, 'SIGKILL');
    machine.startMaster();
    await machine.agentActive();
    await framework.until('subscribed again', () => framework.client.frameworkId !== undefined);
    await eventually('the task is known again', async () => {
      const answer = await fetch(`${machine.masterUrl}/tasks`);
      const { tasks } = (await answer.json()) as { tasks: { id: string; state: string }[] };
      const found = tasks.find((one) => one.id === 'stays');
      return found?.state === 'TASK_RUNNING' ? true : undefined;
    });
    await eventually('the kill arrives', async () => {
      framework.kill('stays');
      await run(['sleep', '0.2']);
      return framework.statesOf('stays').includes('TASK_KILLED') ? true : undefined;
    });
  });

  test("a custom executor keeps its tasks through its own death and the agent's", async () => {
    const program = join(root, 'test/support/durable-executor.ts');
    const data = new TextEncoder().encode('s3cr3t');
    const executor: ExecutorInfo = {
      type: 'CUSTOM',
      executor_id: { value: 'durable' },
      command: {
        value: `while :; do "${process.execPath}" "${program}"; [ $? = 137 ] || exit; done`,
        environment: {
          variables: [{ name: 'KEY', type: 'SECRET', secret: { type: 'VALUE', value: { data } } }],
        },
      },
    };
    framework.launch([{ id: 'c1', executor }]);
    const first = await framework.reached('c1', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent();
    await machine.agentActive();
    framework.launch([{ id: 'c2', executor }]);
    await framework.reached('c2', 'TASK_RUNNING');
    const { agent_id } = first;
    const say = (text: string): void => {
      const data = new TextEncoder().encode(text);
      if (agent_id === undefined) return;
      const message = { agent_id, executor_id: executor.executor_id, data };
      framework.call({ type: 'MESSAGE', message });
    };
    say('hello');
    await framework.until('the secret', () => framework.messages.includes('secret s3cr3t'));
    const state = await (await fetch(`http://127.0.0.1:${machine.agentPort}/state`)).text();
    assert.ok(!state.includes(Buffer.from('s3cr3t').toString('base64')), 'no secret is shown');
    say('die');
    framework.launch([{ id: 'c3', executor }]);
    await framework.reached('c3', 'TASK_RUNNING');
    for (const id of ['c1', 'c2', 'c3']) framework.kill(id);
    for (const id of ['c1', 'c2', 'c3']) {
      await framework.reached(id, 'TASK_KILLED');
      assert.deepEqual(framework.statesOf(id), ['TASK_RUNNING', 'TASK_KILLED']);
    }
  });

  test('an executor of pymesos runs tasks', async (t) => {
    const pymesos = await findPymesos();
    if (!pymesos.ok) return t.skip(pymesos.reason);
    const script = join(root, 'test/support/python/echo_executor.py');
    framework.launch([
      {
        id: 'by-pymesos',
        data: new TextEncoder().encode('hello'),
        executor: {
          type: 'CUSTOM',
          executor_id: { value: 'py-1' },
          command: { shell: false, value: pymesos.python, arguments: ['python', script] },
        },
      },
    ]);
    await framework.reached('by-pymesos', 'TASK_RUNNING');
    await framework.reached('by-pymesos', 'TASK_FINISHED');
    await framework.until('its message', () => framework.messages.includes('hello'));
  });

  test('the process executor of pymesos runs processes with their streams and signals', async (t) => {
    const pymesos = await findPymesos();
    if (!pymesos.ok) return t.skip(pymesos.reason);
    const { python } = pymesos;
    const executor: ExecutorInfo = {
      type: 'CUSTOM',
      executor_id: { value: 'processes' },
      command: { shell: false, value: python, arguments: ['python', '-m', PROCESS_EXECUTOR] },
    };
    const launch = async (id: string, script: string): Promise<readonly AwaitedStream[]> => {
      const streams = await Promise.all([awaitedStream(), awaitedStream(), awaitedStream()]);
      const data = await processData(python, ['sh', '-c', script], streams);
      framework.launch([{ id, data, executor }]);
      return streams;
    };
    const [input, output, error] = await launch('1', 'cat; echo no >&2; exit 5');
    assert.ok(input !== undefined && output !== undefined && error !== undefined);
    (await input.connected).end('typed');
    assert.deepEqual([await textOf(output), await textOf(error)], ['typed', 'no\n']);
    const ended = await framework.reached('1', 'TASK_FINISHED');
    assert.equal(await returnCode(python, ended.data), 5);
    // It says that a process runs before it has started it, and hears of nothing for one that it has not.
    const killedBy = async (id: string, kill: (running: TaskStatus) => void): Promise<number> => {
      await launch(id, 'exec sleep 600');
      const running = await framework.reached(id, 'TASK_RUNNING');
      await eventually(`${id} has ended`, async () => {
        kill(running);
        return framework.statesOf(id).includes('TASK_KILLED') ? true : undefined;
      });
      return returnCode(python, (await framework.reached(id, 'TASK_KILLED')).data);
    };
    const data = await signalData(python, '2', 15);
    const { executor_id } = executor;
    const signal = ({ agent_id }: TaskStatus): void => {
      if (agent_id === undefined) return;
      framework.call({ type: 'MESSAGE', message: { agent_id, executor_id, data } });
    };
    assert.equal(await killedBy('2', signal), -15);
    assert.equal(await killedBy('3', () => framework.kill('3')), -9);
  });
}

const noReal = existsSync(realMaster) ? false : `no real Mesos master at ${realMaster}`;
suite('agent with a real Mesos master', { skip: noReal }, () => stories('real'));
suite("agent with Strata's master", () => stories('own'));
