// Nested and standalone containers, sessions and attached terminals over the agent's HTTP API, as
// executors, operators and the Mesos CLI (`task attach`, `task exec`) use it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { AgentCall, CommandInfo, ContainerID } from '#wire/mesos/v1.ts';
import { callAgent, InputStream, OutputStream } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually, run } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const TERMINAL = { type: 'MESOS', tty_info: { window_size: { rows: 20, columns: 70 } } } as const;
const EXIT_3 = 3 << 8;

suite(`containers over the agent's API (${bestMaster} master)`, () => {
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

  const call = (it: AgentCall) => callAgent(machine.agentUrl, it);
  const launch = (container_id: ContainerID, command: CommandInfo) =>
    call({ type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id, command } });
  const wait = (container_id: ContainerID) =>
    call({ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } });
  const kill = (container_id: ContainerID, signal?: number) =>
    call({ type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id, signal } });
  const remove = (container_id: ContainerID) =>
    call({ type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id } });
  const session = (container_id: ContainerID, command: CommandInfo, container?: typeof TERMINAL) =>
    new OutputStream(machine.agentUrl, {
      type: 'LAUNCH_NESTED_CONTAINER_SESSION',
      launch_nested_container_session: { container_id, command, container },
    });

  /** A running task, and its container as the Mesos CLI finds it in the master's answer. */
  async function taskContainer(id: string, script: string, tty = false): Promise<ContainerID> {
    const container = tty ? { container: TERMINAL } : {};
    framework.launch([{ id, script, ...container }]);
    await framework.reached(id, 'TASK_RUNNING');
    return eventually(`the container of ${id}`, async () => {
      const answer = await fetch(`${machine.masterUrl}/tasks?task_id=${id}`);
      const { tasks } = (await answer.json()) as {
        tasks: {
          id: string;
          statuses: { state: string; container_status?: { container_id: ContainerID } }[];
        }[];
      };
      const statuses = tasks.find((one) => one.id === id)?.statuses ?? [];
      const running = statuses.find((one) => one.state === 'TASK_RUNNING');
      return running?.container_status?.container_id;
    });
  }

  test('a nested container is launched, waited for, killed and removed', async () => {
    const parent = await taskContainer('parent', 'sleep 600');
    const first = { value: randomUUID(), parent };
    assert.equal((await launch(first, { value: 'echo hi; exit 3' })).status, 200);
    assert.equal((await launch(first, { value: 'echo hi' })).status, 202, 'already launched');
    const end = (await wait(first)).body.wait_nested_container;
    assert.equal(end?.exit_status, EXIT_3);
    const second = { value: 'second', parent };
    assert.equal((await launch(second, { value: 'sleep 600' })).status, 200);
    assert.equal((await remove(second)).status, 500, 'it runs');
    const below = { value: 'below', parent: second };
    assert.equal((await launch(below, { value: 'sleep 600' })).status, 200);
    const listed = await call({ type: 'GET_CONTAINERS', get_containers: { show_nested: true } });
    const names = (listed.body.get_containers?.containers ?? []).map(
      (one) => one.container_id.value,
    );
    assert.ok(names.includes('second') && names.includes('below'));
    const plain = await call({ type: 'GET_CONTAINERS', get_containers: {} });
    const tops = (plain.body.get_containers?.containers ?? []).map((one) => one.container_id.value);
    assert.ok(tops.includes(parent.value) && !tops.includes('second'));
    assert.equal((await kill(second, 15)).status, 200);
    assert.equal((await wait(second)).body.wait_nested_container?.exit_status, 15);
    assert.equal((await wait(below)).body.wait_nested_container?.exit_status, 9, 'with its parent');
    assert.equal((await kill(second)).status, 404, 'it has ended');
    assert.equal((await remove(second)).status, 200);
    assert.equal((await remove(second)).status, 200, 'again');
    assert.equal((await wait(second)).status, 404);
    const third = { value: 'third', parent };
    await launch(third, { value: 'sleep 600' });
    const waiting = wait(third);
    framework.kill('parent');
    await framework.reached('parent', 'TASK_KILLED');
    assert.equal((await waiting).body.wait_nested_container?.exit_status, 9);
  });

  test('what is wrong is refused', async () => {
    const parent = await taskContainer('refusing', 'sleep 600');
    const cases: [ContainerID, RegExp, number][] = [
      [{ value: '', parent }, /ID must not be empty/, 400],
      [{ value: 'a.b', parent }, /contains invalid characters/, 400],
      [{ value: 'x'.repeat(243), parent }, /exceeds the maximum length \(242\)/, 400],
      [{ value: 'a' }, /'launch_nested_container.container_id.parent' to be present/, 400],
      [
        { value: 'a', parent: { value: 'nobody' } },
        /^Parent container nobody does not exist$/,
        400,
      ],
    ];
    for (const [id, text, status] of cases) {
      const answer = await launch(id, { value: 'true' });
      assert.equal(answer.status, status);
      assert.match(answer.text, text);
    }
    const missing = { value: 'm', parent };
    const command = { value: '/no/such/folder/program', shell: false, user: 'nobody-there' };
    assert.match((await launch(missing, command)).text, /Failed to find user 'nobody-there'/);
    assert.equal((await wait({ value: 'nobody', parent })).status, 404);
    framework.kill('refusing');
  });

  test('task exec: a session has the environment of its task, input, output and an end', async () => {
    const parent = await taskContainer('exec', 'export FOO=bar; exec sleep 600');
    const id = { value: randomUUID(), parent };
    const script = 'echo "$FOO"; pwd; echo problem >&2; cat; exit 3';
    const output = session(id, {
      shell: false,
      value: '/bin/sh',
      arguments: ['/bin/sh', '-c', script],
    });
    await output.until('its start', (one) => one.stderr === 'problem\n');
    const input = new InputStream(machine.agentUrl, id);
    input.write('one\n');
    await output.until('the echo', (one) => one.stdout.endsWith('one\n'));
    const other = new InputStream(machine.agentUrl, id);
    assert.equal(await other.end(), 409, 'one input at a time');
    input.write('two\n');
    input.write('');
    await output.ended;
    assert.equal(await input.end(), 200);
    const [foo, folder, ...rest] = output.stdout.split('\n');
    assert.equal(foo, 'bar');
    assert.match(folder ?? '', /\/executors\/exec\/runs\//);
    assert.deepEqual(rest, ['one', 'two', '']);
    assert.equal((await wait(id)).body.wait_nested_container?.exit_status, EXIT_3);
  });

  test('a session ends with its connection', async () => {
    const parent = await taskContainer('dropped', 'sleep 600');
    const id = { value: randomUUID(), parent };
    const output = session(id, { value: 'echo up; sleep 600' });
    await output.until('it runs', (one) => one.stdout === 'up\n');
    output.close();
    assert.equal((await wait(id)).body.wait_nested_container?.exit_status, 9);
  });

  test('task exec -it: a terminal of the given size, resized, with control characters', async () => {
    const parent = await taskContainer('terminal', 'sleep 600');
    const id = { value: randomUUID(), parent };
    const output = session(id, { value: 'stty size; cat; stty size; echo end' }, TERMINAL);
    await output.until('its size', (one) => one.stdout.includes('20 70\r\n'));
    const input = new InputStream(machine.agentUrl, id);
    input.resize(30, 90);
    input.write('typed\n');
    await output.until('the echo', (one) => one.stdout.includes('typed\r\ntyped\r\n'));
    input.write('');
    await output.ended;
    assert.match(output.stdout, /30 90\r\nend\r\n$/);
    assert.equal(output.stderr, '');
    assert.equal(await input.end(), 200);
  });

  test('task attach: a task with a terminal, also after kill -9 of the agent', async () => {
    const script = 'while read -r line; do echo "<$line>"; [ "$line" = q ] && exit 4; done';
    const id = await taskContainer('attached', script, true);
    const attach = (): OutputStream =>
      new OutputStream(machine.agentUrl, {
        type: 'ATTACH_CONTAINER_OUTPUT',
        attach_container_output: { container_id: id },
      });
    const output = attach();
    await output.until('attached', (one) => one.status === 200);
    const input = new InputStream(machine.agentUrl, id);
    input.write('a\n');
    await output.until('its answer', (one) => one.stdout.includes('<a>'));
    await input.end();
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent();
    await machine.agentActive();
    const again = attach();
    await again.until('attached', (one) => one.status === 200);
    const more = new InputStream(machine.agentUrl, id);
    more.write('b\n');
    await again.until('its answer', (one) => one.stdout.includes('<b>'));
    more.write('q\n');
    await again.ended;
    await more.end();
    const end = await framework.reached('attached', 'TASK_FAILED');
    assert.equal(end.message, 'Command exited with status 4');
  });

  test('task attach: the end of a task of a group is told after its executor has gone', async () => {
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'asked-late' } }, [
      { id: 'ends-late', script: 'read -r line; exit 3', container: TERMINAL },
    ]);
    const running = await framework.reached('ends-late', 'TASK_RUNNING');
    const id = running.container_status?.container_id ?? { value: '' };
    const output = new OutputStream(machine.agentUrl, {
      type: 'ATTACH_CONTAINER_OUTPUT',
      attach_container_output: { container_id: id },
    });
    await output.until('attached', (one) => one.status === 200);
    const input = new InputStream(machine.agentUrl, id);
    input.write('go\n');
    await output.ended;
    await input.end();
    await framework.reached('ends-late', 'TASK_FAILED');
    await eventually('its executor has gone', async () => {
      const show = { show_nested: true };
      const listed = await call({ type: 'GET_CONTAINERS', get_containers: show });
      const all = listed.body.get_containers?.containers ?? [];
      return all.some((one) => one.executor_id?.value === 'asked-late') ? undefined : true;
    });
    assert.equal((await wait(id)).body.wait_nested_container?.exit_status, EXIT_3);
    await remove(id);
    assert.equal((await wait(id)).status, 404, 'it was removed');
  });

  test('task attach: a task without a terminal is refused in the words that the CLI knows', async () => {
    const id = await taskContainer('without-terminal', 'sleep 600');
    const attached = await call({
      type: 'ATTACH_CONTAINER_OUTPUT',
      attach_container_output: { container_id: id },
    });
    assert.equal(attached.status, 500);
    assert.equal(attached.text, 'I/O switchboard server was disabled for this container');
    assert.equal(await new InputStream(machine.agentUrl, id).end(), 500);
    framework.kill('without-terminal');
  });

  test('nested containers outlive kill -9 of the agent, sessions do not', async () => {
    const parent = await taskContainer('survivor', 'sleep 600');
    const lives = { value: 'lives', parent };
    const ended = { value: 'ended', parent };
    const held = { value: 'held', parent };
    await launch(lives, { value: 'sleep 600' });
    await launch(ended, { value: 'exit 3' });
    await wait(ended);
    const output = session(held, { value: 'echo up; sleep 600' });
    await output.until('it runs', (one) => one.stdout === 'up\n');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent();
    await machine.agentActive();
    assert.equal((await wait(ended)).body.wait_nested_container?.exit_status, EXIT_3);
    assert.equal((await wait(held)).body.wait_nested_container?.exit_status, 9);
    assert.equal((await launch(lives, { value: 'true' })).status, 202);
    assert.equal((await kill(lives)).status, 200);
    assert.equal((await wait(lives)).body.wait_nested_container?.exit_status, 9);
  });

  test('a task of a group is a nested container that can be waited for and entered', async () => {
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'grouped' } }, [
      { id: 'in-group', script: 'sleep 600' },
    ]);
    const running = await framework.reached('in-group', 'TASK_RUNNING');
    const id = running.container_status?.container_id;
    assert.ok(id?.parent !== undefined);
    const inner = { value: randomUUID(), parent: id };
    const output = session(inner, { value: 'echo $MESOS_SANDBOX' });
    await output.ended;
    assert.match(output.stdout, new RegExp(`/containers/${id.value}\n$`));
    const waiting = wait(id);
    framework.kill('in-group');
    assert.equal((await waiting).body.wait_nested_container?.exit_status, 15);
    await framework.reached('in-group', 'TASK_KILLED');
  });

  test('a standalone container has its own sandbox and outlives the agent', async () => {
    const container_id = { value: 'alone' };
    const resources = [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
    ] as const;
    const command = { value: 'pwd > here; sleep 600' };
    const launched = await call({
      type: 'LAUNCH_CONTAINER',
      launch_container: { container_id, command, resources: [...resources] },
    });
    assert.equal(launched.status, 200, launched.text);
    const sandbox = join(machine.folder, 'agent/containers/alone');
    await eventually('it runs', async () => existsSync(join(sandbox, 'here')) || undefined);
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent();
    await machine.agentActive();
    const show = { show_standalone: true };
    const listed = await call({ type: 'GET_CONTAINERS', get_containers: show });
    const names = (listed.body.get_containers?.containers ?? []).map((o) => o.container_id.value);
    assert.ok(names.includes('alone'));
    await call({ type: 'KILL_CONTAINER', kill_container: { container_id } });
    const end = await call({ type: 'WAIT_CONTAINER', wait_container: { container_id } });
    assert.equal(end.body.wait_container?.exit_status, 9);
    await call({ type: 'REMOVE_CONTAINER', remove_container: { container_id } });
    assert.ok(!existsSync(sandbox));
    const { stdout } = await run(['ls', join(machine.folder, 'agent/run/containers')]);
    assert.ok(!stdout.includes('alone'));
  });
});
