// Checks, health checks, kill policies, time limits and rlimits of tasks, as a framework sees them:
// an agent of Strata's with a real Mesos 1.11 master where there is one.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { CheckInfo, HealthCheck, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { eventually, run } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const soon = { delay_seconds: 0, interval_seconds: 0.05 } as const;
const HEALTH = 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED';
const CHECK = 'REASON_TASK_CHECK_STATUS_UPDATED';

suite(`checks of tasks (${bestMaster} master)`, () => {
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

  const of = (id: string): TaskStatus[] =>
    framework.updates.filter((one) => one.task_id.value === id);
  const command = (value: string): HealthCheck => ({
    type: 'COMMAND',
    command: { value },
    grace_period_seconds: 0,
    ...soon,
  });
  const healthOf = (id: string): unknown[] =>
    of(id)
      .filter((one) => one.reason === HEALTH)
      .map((one) => one.healthy);

  test('a COMMAND health check sees the sandbox and environment of its task', async () => {
    const variables = [{ name: 'MARK', value: 'here' }];
    framework.launch([
      {
        id: 'sees',
        command: { value: 'touch $MARK; sleep 600', environment: { variables } },
        health_check: command('test -e "$MESOS_SANDBOX/$MARK" && test -e $MARK'),
      },
    ]);
    await framework.until('healthy', () => healthOf('sees').includes(true));
    framework.kill('sees');
    const end = await framework.reached('sees', 'TASK_KILLED');
    assert.equal(end.healthy, undefined);
  });

  test('an unhealthy task is killed after so many failures in a row', async () => {
    framework.launch([
      {
        id: 'sick',
        script: 'sleep 600',
        health_check: { ...command('exit 1'), consecutive_failures: 2 },
      },
    ]);
    const end = await framework.reached('sick', 'TASK_KILLED');
    assert.equal(end.healthy, false);
    assert.equal(end.message, 'Command terminated with signal Terminated');
    assert.deepEqual(healthOf('sick'), [false, false]);
  });

  test('a COMMAND check that takes too long is ended and has no value', async () => {
    const leftover = join(machine.folder, 'leftover');
    const slow = join(machine.folder, 'slow');
    const check: CheckInfo = {
      type: 'COMMAND',
      command: { command: { value: `[ -e ${slow} ] && sleep 600; exit 7` } },
      ...soon,
      timeout_seconds: 0.5,
    };
    framework.launch([{ id: 'slow', script: `sleep 600; touch ${leftover}`, check }]);
    const codes = (): unknown[] =>
      of('slow')
        .filter((one) => one.reason === CHECK)
        .map((one) => one.check_status?.command?.exit_code);
    // On a busy machine one may take too long before.
    await framework.until('a value', () => codes().includes(7));
    await run(['touch', slow]);
    await framework.until('no value', () => codes().at(-1) === undefined);
    const first = of('slow').find((one) => one.state === 'TASK_RUNNING');
    assert.deepEqual(first?.check_status, { type: 'COMMAND', command: {} });
    framework.kill('slow');
    await framework.reached('slow', 'TASK_KILLED');
    const { stdout } = await run(['pgrep', '-f', `^sleep 600; touch ${leftover}`]);
    assert.equal(stdout, '');
  });

  test('HTTP and TCP checks follow the server of a task', async () => {
    let answer = 200;
    const server = createServer((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { Location: '/new' }).end();
      else response.writeHead(request.url === '/new' ? answer : 404).end();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const shut = await freePort();
    framework.launch([
      {
        id: 'web',
        script: 'sleep 600',
        check: { type: 'HTTP', http: { port, path: '/moved' }, ...soon },
        health_check: {
          type: 'HTTP',
          http: { port, path: '/new' },
          ...soon,
          consecutive_failures: 1000,
          grace_period_seconds: 0,
        },
      },
      {
        id: 'tcp',
        script: 'sleep 600',
        check: { type: 'TCP', tcp: { port }, ...soon },
        health_check: {
          type: 'TCP',
          tcp: { port: shut },
          ...soon,
          consecutive_failures: 2,
          grace_period_seconds: 0,
        },
      },
    ]);
    const values = (): unknown[] =>
      of('web')
        .filter((one) => one.reason === CHECK)
        .map((one) => one.check_status?.http?.status_code);
    await framework.until('200', () => values().includes(200));
    await framework.until('healthy', () => healthOf('web').includes(true));
    answer = 503;
    await framework.until('503', () => values().includes(503));
    await framework.until('unhealthy', () => healthOf('web').includes(false));
    assert.deepEqual(values(), [200, 503]);
    const end = await framework.reached('tcp', 'TASK_KILLED');
    assert.equal(end.healthy, false);
    assert.ok(of('tcp').some((one) => one.check_status?.tcp?.succeeded === true));
    framework.kill('web');
    await framework.reached('web', 'TASK_KILLED');
    server.closeAllConnections();
    server.close();
  });

  test('an unhealthy task of a group takes the group with it', async () => {
    framework.launchGroup({ type: 'DEFAULT', executor_id: { value: 'checked' } }, [
      { id: 'g-well', script: 'sleep 600', health_check: command('exit 0') },
      {
        id: 'g-sick',
        script: 'sleep 600',
        health_check: { ...command('exit 1'), consecutive_failures: 1 },
      },
    ]);
    const sick = await framework.reached('g-sick', 'TASK_KILLED');
    assert.equal(sick.healthy, false);
    assert.ok(sick.container_status?.container_id?.parent !== undefined, 'a nested container');
    await framework.reached('g-well', 'TASK_KILLED');
  });

  test('checks go on after kill -9 of the agent, and the grace does not begin anew', async () => {
    const sick = join(machine.folder, 'sick-now');
    framework.launch([
      {
        id: 'goes-on',
        script: 'sleep 600',
        health_check: {
          ...command(`test ! -e ${sick}`),
          grace_period_seconds: 600,
          consecutive_failures: 1,
        },
      },
    ]);
    await framework.until('healthy', () => healthOf('goes-on').includes(true));
    // At moments that differ: a check may be about to be started, running, or over.
    for (let i = 0; i < 5; i++) {
      await stop(machine.agent, 'SIGKILL');
      machine.startAgent();
      await eventually('the agent is back', async () =>
        (await fetch(`${machine.agentUrl}/health`)).ok ? true : undefined,
      );
    }
    await run(['touch', sick]);
    const end = await framework.reached('goes-on', 'TASK_KILLED');
    assert.equal(end.healthy, false);
    assert.deepEqual(healthOf('goes-on'), [true, false]);
  });

  test('a task that runs for too long is killed without grace', async () => {
    framework.launch([
      {
        id: 'long',
        script: 'trap "" TERM; while :; do sleep 60; done',
        max_completion_time: { nanoseconds: 300e6 },
      },
    ]);
    const end = await framework.reached('long', 'TASK_FAILED');
    assert.equal(end.reason, 'REASON_MAX_COMPLETION_TIME_REACHED');
    assert.equal(end.message, 'Command terminated with signal Killed');
  });

  test('rlimits hold, and wrong ones are refused', async () => {
    const limited = (rlimits: object[]) => ({ type: 'MESOS' as const, rlimit_info: { rlimits } });
    framework.launch([
      {
        id: 'rlimits',
        script: '[ "$(ulimit -n) $(ulimit -Hn) $(ulimit -c)" = "64 128 unlimited" ]',
        container: limited([{ type: 'RLMT_NOFILE', soft: 64, hard: 128 }, { type: 'RLMT_CORE' }]),
      },
      {
        id: 'half',
        script: 'exit 0',
        container: limited([{ type: 'RLMT_NOFILE', soft: 64 }]),
      },
    ]);
    await framework.reached('rlimits', 'TASK_FINISHED');
    const half = await framework.reached('half', 'TASK_FAILED');
    assert.match(half.message ?? '', /^Failed to launch container: Invalid rlimit/);
    assert.equal(half.reason, 'REASON_CONTAINER_LAUNCH_FAILED');
  });
});
