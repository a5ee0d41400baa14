// Ports of tasks (network/ports): who listens on one that it does not have is ended with Mesos' reason, who
// listens on its own is left alone. Root with cgroups.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { findCgroups } from '#env/node/process-cgroup.ts';
import type { Resource, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const skip = findCgroups() === undefined ? 'no cgroups of this user' : false;

suite(`ports of tasks (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    await machine.start([
      '--flag',
      'isolation=network/ports',
      'enforce_container_ports=true',
      'container_ports_watch_interval=100ms',
    ]);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  const allocation_info = { role: '*' };
  function resources(port?: number): Resource[] {
    const scalars = Object.entries({ cpus: 0.01, mem: 64 }).map(([name, value]) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
      allocation_info,
    }));
    if (port === undefined) return scalars;
    const ranges = { range: [{ begin: port, end: port }] };
    return [...scalars, { name: 'ports', type: 'RANGES', ranges, allocation_info }];
  }
  const listens = (port: number, host: string): string =>
    `exec '${process.execPath}' -e "require('net').createServer().listen(${port}, '${host}')"`;
  async function ended(id: string): Promise<TaskStatus> {
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  function isPortsEnd(end: TaskStatus, port: number): void {
    assert.equal(`${end.state} ${end.reason}`, 'TASK_FAILED REASON_CONTAINER_LIMITATION');
    assert.equal(end.source, 'SOURCE_AGENT');
    const text = `is listening on unallocated port(s): [${port}-${port}]`;
    assert.ok((end.message ?? '').endsWith(text), end.message ?? 'no message');
    const limited = end.limitation?.resources?.map((one) => [one.name, one.ranges?.range]);
    assert.deepEqual(limited, [['ports', [{ begin: port, end: port }]]]);
  }

  test('a task on a port of its own lives, one on another is ended', async () => {
    const foreign = await freePort();
    framework.launch([
      { id: 'honest', script: listens(31_017, '127.0.0.1'), resources: resources(31_017) },
    ]);
    framework.launch([
      { id: 'foreign', script: listens(foreign, '127.0.0.1'), resources: resources() },
    ]);
    isPortsEnd(await ended('foreign'), foreign);
    assert.equal(framework.statesOf('honest').at(-1), 'TASK_RUNNING');
    framework.kill('honest');
    assert.equal((await ended('honest')).state, 'TASK_KILLED');
  });

  test('a group is ended as one for a port of one of its tasks, of version 6 too', async () => {
    const foreign = await freePort();
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'pod' } }, [
      { id: 'one', script: listens(foreign, '::'), resources: resources() },
      { id: 'other', script: 'sleep 600', resources: resources() },
    ]);
    for (const id of ['one', 'other']) isPortsEnd(await ended(id), foreign);
  });
});
