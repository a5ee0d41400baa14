// GPUs: a framework with GPU_RESOURCES asks for `gpus` and its container may open that device and no other;
// whoever asked for none may open none. The devices are any that the kernel has. Root with cgroups.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { controllersOf, findCgroups } from '#env/node/process-cgroup.ts';
import type { ContainerID, ExecutorInfo, Resource, TaskStatus } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually, root } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const cgroups = findCgroups();
const isBound = cgroups !== undefined && controllersOf(cgroups).has('devices');
const skip = isBound ? false : 'no device cgroups of this user';

suite(`gpus of tasks (${bestMaster} master)`, { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-gpus-'));
  // Numbers that containers may not open otherwise: kmsg and loop-control, and urandom's for the shared one.
  const [one, two, control] = ['gpu0', 'gpu1', 'gpuctl'].map((name) => join(folder, name));
  const flags = ['--flag', `gpu_devices=${one},${two}`, `gpu_shared_devices=${control}`];
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    for (const [path = '', minor] of [
      [one, ['1', '11']],
      [two, ['10', '237']],
      [control, ['1', '9']],
    ] as const) {
      execFileSync('mknod', ['-m', '666', path, 'c', ...minor]);
    }
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env, {
      capabilities: [
        { type: 'MULTI_ROLE' },
        { type: 'PARTITION_AWARE' },
        { type: 'GPU_RESOURCES' },
      ],
    });
  });
  after(async () => {
    await framework?.close();
    await machine.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const resources = (gpus: number): Resource[] =>
    Object.entries({ cpus: 0.01, mem: 32, ...(gpus > 0 ? { gpus } : {}) }).map(([name, value]) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
      allocation_info: { role: '*' },
    }));
  /** Its exit code has a bit for each of the devices that it can open. */
  const opens = `n=0; (: <${one}) 2>/dev/null && n=$((n+1)); (: <${two}) 2>/dev/null && n=$((n+2))
(: <${control}) 2>/dev/null && n=$((n+4))`;
  async function ended(id: string): Promise<TaskStatus> {
    const isEnd = (it: TaskStatus): boolean =>
      it.task_id.value === id && /FINISHED|FAILED|KILLED/.test(it.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  async function opened(id: string, gpus: number, rest = 'exit $n'): Promise<number> {
    framework.launch([{ id, script: `${opens}; ${rest}`, resources: resources(gpus) }]);
    const { message = '' } = await ended(id);
    return Number(/exited with status (\d+)/.exec(message)?.[1]);
  }

  test('the agent offers as many as it has devices', async () => {
    const state = (await (await fetch(`${machine.agentUrl}/state`)).json()) as {
      resources: { gpus: number };
    };
    assert.equal(state.resources.gpus, 2);
  });

  test('a task may open the one that it asked for, or both, or none', async () => {
    assert.equal(await opened('none', 0), 4);
    assert.equal(await opened('single', 1), 1 + 4);
    assert.equal(await opened('both', 2), 1 + 2 + 4);
  });

  test('one that is held is not given again, after the agent was killed neither', async () => {
    const script = `${opens}; [ $n = 5 ] && exec sleep 600`;
    framework.launch([{ id: 'holder', script, resources: resources(1) }]);
    await framework.reached('holder', 'TASK_RUNNING');
    assert.equal(await opened('beside', 1), 2 + 4);
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    assert.equal(await opened('again', 1), 2 + 4);
    framework.kill('holder');
    assert.equal((await ended('holder')).state, 'TASK_KILLED');
    assert.equal(await opened('first', 1), 1 + 4);
  });

  test('each task of a group has its own', async () => {
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'pod' } }, [
      {
        id: 'g1',
        script: `${opens}; sleep 0.2; [ $n != 4 ] && [ $n != 7 ]`,
        resources: resources(1),
      },
      {
        id: 'g2',
        script: `${opens}; sleep 0.2; [ $n != 4 ] && [ $n != 7 ]`,
        resources: resources(1),
      },
    ]);
    for (const id of ['g1', 'g2']) assert.equal((await ended(id)).state, 'TASK_FINISHED');
  });

  test('those of a task that could not be started are free again, though its executor lives on', async () => {
    const executor = { type: 'DEFAULT' as const, executor_id: { value: 'lasting' } };
    const idle = { script: 'sleep 600', resources: resources(0) };
    framework.launchGroup(executor, [{ id: 'lasts', ...idle }]);
    await framework.reached('lasts', 'TASK_RUNNING');
    const command = { value: 'true', uris: [{ value: '/no/such/file' }] };
    framework.launchGroup(executor, [{ id: 'never', command, resources: resources(2) }]);
    assert.equal((await ended('never')).state, 'TASK_FAILED');
    assert.equal(await opened('after', 2), 1 + 2 + 4);
    framework.kill('lasts');
    await ended('lasts');
  });

  test('a custom executor has the devices of its tasks while they run, and so has what is nested', async () => {
    const program = join(root, 'test/support/durable-executor.ts');
    const probe = `while :; do ${opens}; echo $n >n.new; mv n.new n; sleep 0.05; done &`;
    const executor: ExecutorInfo = {
      type: 'CUSTOM',
      executor_id: { value: 'gpu-user' },
      command: { value: `${probe} exec "${process.execPath}" "${program}"` },
    };
    framework.launch([{ id: 'plain', executor, resources: resources(0) }]);
    const { container_status } = await framework.reached('plain', 'TASK_RUNNING');
    const parent = container_status?.container_id as ContainerID;
    const folder = await eventually('the sandbox', async () => {
      const state = (await (await fetch(`${machine.agentUrl}/state`)).json()) as {
        frameworks: { executors: { id: string; directory: string }[] }[];
      };
      const executors = state.frameworks.flatMap((one) => one.executors);
      return executors.find(({ id }) => id === 'gpu-user')?.directory;
    });
    const now = () => readFileSync(join(folder, 'n'), 'utf8').trim();
    await eventually('none', async () => (now() === '4' ? true : undefined));
    framework.launch([{ id: 'more', executor, resources: resources(1) }]);
    await framework.reached('more', 'TASK_RUNNING');
    const one = await eventually('one', async () => (/^[56]$/.test(now()) ? now() : undefined));
    const container_id = { value: 'looks', parent };
    const command = { value: `${opens}; exit $n` };
    const session = { container_id, command };
    await callAgent(machine.agentUrl, {
      type: 'LAUNCH_NESTED_CONTAINER',
      launch_nested_container: session,
    });
    const end = await callAgent(machine.agentUrl, {
      type: 'WAIT_NESTED_CONTAINER',
      wait_nested_container: { container_id },
    });
    assert.equal(end.body.wait_nested_container?.exit_status, Number(one) << 8);
    framework.kill('more');
    await framework.reached('more', 'TASK_KILLED');
    await eventually('none again', async () => (now() === '4' ? true : undefined));
    framework.kill('plain');
    await framework.reached('plain', 'TASK_KILLED');
  });

  test('a standalone container has its own until it ends', async () => {
    const launched = async (id: string): Promise<number | undefined> => {
      const container_id = { value: id };
      const command = { value: `${opens}; exit $n` };
      const own = resources(2).map(({ allocation_info: _none, ...rest }) => rest);
      const launch_container = { container_id, command, resources: own };
      const answer = await callAgent(machine.agentUrl, {
        type: 'LAUNCH_CONTAINER',
        launch_container,
      });
      assert.equal(answer.status, 200, answer.text);
      const wait_container = { container_id };
      const end = await callAgent(machine.agentUrl, { type: 'WAIT_CONTAINER', wait_container });
      return end.body.wait_container?.exit_status;
    };
    assert.equal(await launched('alone'), (1 + 2 + 4) << 8);
    assert.equal(await launched('alone-again'), (1 + 2 + 4) << 8);
  });
});
