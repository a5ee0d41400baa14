// Flags of a Mesos 1.11 agent about how executors reach it and what their containers leave: sockets in the file
// system, shared memory, signs of life to who is attached, sandboxes of nested containers.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { ContainerInfo, LinuxInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { callAgent, OutputStream } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually, isWritten, root } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const skip = process.getuid?.() === 0 ? false : 'needs root';
const linux = (linux_info: LinuxInfo): ContainerInfo => ({ type: 'MESOS', linux_info });

suite(`executors by a socket (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const socket = join(machine.folder, 'agent.sock');
  const flags = Object.entries({
    isolation: 'filesystem/linux,namespaces/ipc',
    http_executor_domain_sockets: 'true',
    domain_socket_location: socket,
    default_container_shm_size: '2MB',
    disallow_sharing_agent_ipc_namespace: 'true',
    http_heartbeat_interval: '100ms',
    gc_non_executor_container_sandboxes: 'true',
    gc_delay: '1ms',
    disk_watch_interval: '50ms',
  }).flatMap(([name, value]) => ['--flag', `${name}=${value}`]);
  let framework: TestFramework;
  before(async () => {
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  async function asked(path: string): Promise<{ status: number | undefined; body: string }> {
    const body = JSON.stringify({ type: 'GET_VERSION' });
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const sent = request({ socketPath: socket, path, method: 'POST', headers });
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof asked>>>();
    sent.once('error', reject);
    sent.once('response', (response) => {
      text(response).then((it) => resolve({ status: response.statusCode, body: it }), reject);
    });
    sent.end(body);
    return promise;
  }

  async function sandboxOf(id: string): Promise<string> {
    const found = readdirSync(join(machine.folder, 'agent', 'slaves'), {
      recursive: true,
      withFileTypes: true,
    }).find((one) => one.isDirectory() && one.parentPath.endsWith(`/executors/${id}/runs`));
    assert.ok(found !== undefined);
    return join(found.parentPath, found.name);
  }

  const containerOf = ({ container_status }: TaskStatus): string => {
    assert.ok(container_status?.container_id !== undefined);
    return container_status.container_id.value;
  };

  test('it answers for the executor API and the operator API, and for nothing else', async () => {
    assert.equal(statSync(socket).mode & 0o777, 0o666);
    const { status, body } = await asked('/slave(1)/api/v1');
    assert.deepEqual([status, /"version":"1\.11\.0"/.test(body)], [200, true], body);
    for (const path of ['/api/v1', '/slave(1)/state', '/slave(1)/api/v1/resource_provider', '/']) {
      assert.deepEqual(await asked(path), { status: 403, body: '' }, path);
    }
  });

  test('an executor of ours uses it, and finds the next life of the agent there', async () => {
    const program = join(root, 'test/support/durable-executor.ts');
    const command = { value: `exec "${process.execPath}" "${program}"` };
    const executor = { type: 'CUSTOM', executor_id: { value: 'own' }, command } as const;
    framework.launch([{ id: 'o1', executor }]);
    await framework.reached('o1', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    framework.launch([{ id: 'o2', executor }]);
    await framework.reached('o2', 'TASK_RUNNING');
    for (const id of ['o1', 'o2']) framework.kill(id);
    for (const id of ['o1', 'o2']) await framework.reached(id, 'TASK_KILLED');
  });

  test('private shared memory has the size that the operator has set', async () => {
    const script =
      '! head -c 3000000 /dev/zero >/dev/shm/f && [ "$(stat -c %s /dev/shm/f)" = 2097152 ]';
    framework.launch([{ id: 'shm', script, container: linux({ ipc_mode: 'PRIVATE' }) }]);
    await framework.reached('shm', 'TASK_FINISHED');
    const larger = 'head -c 3000000 /dev/zero >/dev/shm/f';
    const container = linux({ ipc_mode: 'PRIVATE', shm_size: 4 });
    framework.launch([{ id: 'larger', script: larger, container }]);
    await framework.reached('larger', 'TASK_FINISHED');
  });

  test("the machine's IPC namespace is not shared", async () => {
    const container = linux({ ipc_mode: 'SHARE_PARENT' });
    framework.launch([{ id: 'shares', script: 'true', container }]);
    const refused = await framework.reached('shares', 'TASK_FAILED');
    assert.match(refused.message ?? '', /Sharing agent IPC namespace with top-level container/);
    const sized = linux({ shm_size: 4 });
    framework.launch([{ id: 'sized', script: 'true', container: sized }]);
    const words = /Only support specifying the size of \/dev\/shm when the IPC mode is `PRIVATE`/;
    assert.match((await framework.reached('sized', 'TASK_FAILED')).message ?? '', words);
  });

  test('who is attached hears as often as the operator has set', async () => {
    const container = { type: 'MESOS', tty_info: {} } as const;
    framework.launch([{ id: 'quiet', script: 'echo up; exec sleep 600', container }]);
    const running = await framework.reached('quiet', 'TASK_RUNNING');
    const attach_container_output = { container_id: { value: containerOf(running) } };
    const output = new OutputStream(machine.agentUrl, {
      type: 'ATTACH_CONTAINER_OUTPUT',
      attach_container_output,
    });
    await output.until('two signs of life', ({ heartbeats }) => heartbeats.length >= 2);
    // Until the command is there, what holds its terminal would be asked to end in its place.
    await isWritten(join(await sandboxOf('quiet'), 'stdout'));
    output.close();
    assert.deepEqual(output.heartbeats[0], { interval: { nanoseconds: 100e6 } });
    framework.kill('quiet');
    await framework.reached('quiet', 'TASK_KILLED');
  });

  test('sandboxes of nested containers go while their executor lives', async () => {
    const executor_id = { value: 'group' };
    framework.launchGroup({ type: 'DEFAULT', executor_id }, [
      { id: 'ends', script: 'echo x >file; until [ -e ../../go ]; do sleep 0.05; done' },
      { id: 'stays', script: 'sleep 600' },
    ]);
    const running = await framework.reached('ends', 'TASK_RUNNING');
    await framework.reached('stays', 'TASK_RUNNING');
    const parent = running.container_status?.container_id;
    assert.ok(parent?.parent !== undefined);
    const container_id = { value: randomUUID(), parent };
    const launch_nested_container = { container_id, command: { value: 'echo x >file' } };
    const launched = { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container } as const;
    assert.equal((await callAgent(machine.agentUrl, launched)).status, 200);
    const executorSandbox = await sandboxOf('group');
    const task = join(executorSandbox, 'containers', parent.value);
    const gone = (path: string) =>
      eventually(`${path} is gone`, async () => (existsSync(path) ? undefined : true));
    await gone(join(task, 'containers', container_id.value));
    assert.ok(existsSync(join(task, 'file')), 'that of what runs stays');
    writeFileSync(join(executorSandbox, 'go'), '');
    await framework.until('it has ended', () =>
      framework.statesOf('ends').some((state) => /FINISHED/.test(state)),
    );
    await gone(task);
    assert.ok(existsSync(executorSandbox));
    framework.kill('stays');
    await framework.reached('stays', 'TASK_KILLED');
  });
});
