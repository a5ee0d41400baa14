// The real scheduler driver of libmesos 1.11 (protocol v0) with a real master, which shows that the test
// is right, and with Strata's, on an agent of Strata's.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { FrameworkInfo, Offer, TaskInfo } from '#wire/mesos/v1.ts';
import { AgentMachine } from '#test/support/agent-machine.ts';
import { eventually, root } from '#test/support/cluster.ts';
import { buildNativeDriver, NativeDriver } from '#test/support/native-driver.ts';
import { findPymesos } from '#test/support/pymesos.ts';

const program = await buildNativeDriver();
const pymesos = await findPymesos();
const path = program.ok ? program.path : '';

interface FrameworkView {
  readonly id: string;
  readonly pid?: string;
  readonly active: boolean;
  readonly connected: boolean;
  readonly completed_tasks: readonly { readonly id: string; readonly state: string }[];
}

for (const kind of ['real', 'own'] as const) {
  suite(`a native driver (${kind} master)`, { skip: program.ok ? false : program.reason }, () => {
    const machine = new AgentMachine(kind);
    const drivers: NativeDriver[] = [];
    before(() => machine.start());
    after(async () => {
      for (const driver of drivers) await driver.close();
      await machine.close();
    });

    function begin(more: Partial<FrameworkInfo> = {}): NativeDriver {
      const driver = new NativeDriver(path, `127.0.0.1:${machine.masterPort}`, {
        user: 'root',
        name: 'native',
        checkpoint: true,
        failover_timeout: 600,
        ...more,
      });
      drivers.push(driver);
      return driver;
    }

    async function viewOf(id: string): Promise<FrameworkView | undefined> {
      const answer = await fetch(`${machine.masterUrl}/frameworks`);
      const { frameworks } = (await answer.json()) as { frameworks: FrameworkView[] };
      return frameworks.find((one) => one.id === id);
    }

    function task(id: string, offer: Offer, command: string): TaskInfo {
      return {
        name: id,
        task_id: { value: id },
        agent_id: offer.agent_id,
        command: { value: command },
        resources: [
          { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
          { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
        ],
      };
    }

    test('registers, launches, is told, acknowledges by itself', async () => {
      const driver = begin();
      await driver.said('registered');
      const offer = await driver.offer();
      assert.equal(offer.framework_id.value, driver.frameworkId);
      driver.launch(offer, task('short', offer, 'exit 0'));
      await driver.reached('short', 'TASK_RUNNING');
      await driver.reached('short', 'TASK_FINISHED');
      await eventually('the end is acknowledged', async () =>
        (await viewOf(driver.frameworkId))?.completed_tasks.find(({ id }) => id === 'short'),
      );
      const view = await viewOf(driver.frameworkId);
      assert.match(view?.pid ?? '', /^scheduler-.*@127\.0\.0\.1:\d+$/);
      assert.ok(view?.active === true && view.connected);
      await driver.stop('teardown');
      await eventually('it is torn down', async () =>
        (await viewOf(driver.frameworkId)) === undefined ? true : undefined,
      );
    });

    test('an offer that is declined comes back after its filter, or by revive', async () => {
      const driver = begin();
      driver.decline(await driver.offer(), 3600);
      driver.suppress();
      driver.revive();
      await driver.offer();
      await driver.stop('teardown');
    });

    test('kills and reconciles', async () => {
      const driver = begin();
      const offer = await driver.offer();
      driver.launch(offer, task('long', offer, 'sleep 600'));
      const running = await driver.reached('long', 'TASK_RUNNING');
      driver.statuses.length = 0;
      driver.reconcile({ ...running, state: 'TASK_STAGING' });
      const known = await driver.reached('long', 'TASK_RUNNING');
      assert.equal(known.reason, 'REASON_RECONCILIATION');
      driver.kill('long');
      await driver.reached('long', 'TASK_KILLED');
      driver.reconcile({
        task_id: { value: 'nobody' },
        state: 'TASK_STAGING',
        agent_id: offer.agent_id,
      });
      // It is not PARTITION_AWARE: what is not known is lost.
      await driver.reached('nobody', 'TASK_LOST');
      await driver.stop('teardown');
    });

    test('another process takes over by its id; tasks go on', async () => {
      const first = begin();
      const offer = await first.offer();
      first.launch(offer, task('survivor', offer, 'sleep 600'));
      const before = await first.reached('survivor', 'TASK_RUNNING');
      await first.stop('failover');
      const second = begin({ id: { value: first.frameworkId } });
      await second.said('registered');
      assert.equal(second.frameworkId, first.frameworkId);
      second.reconcile();
      const after = await second.reached('survivor', 'TASK_RUNNING');
      assert.deepEqual(after.agent_id, before.agent_id);
      const third = begin({ id: { value: first.frameworkId } });
      await third.said('registered');
      await second.said('error Framework failed over');
      third.kill('survivor');
      await third.reached('survivor', 'TASK_KILLED');
      await third.stop('teardown');
    });

    test('a driver that is gone leaves its framework disconnected, until its time is over', async () => {
      const driver = begin({ failover_timeout: 1 });
      await driver.said('registered');
      driver.child.kill('SIGKILL');
      await eventually('it is removed', async () =>
        (await viewOf(driver.frameworkId)) === undefined ? true : undefined,
      );
    });

    test('a driver that aborts gets nothing more', async () => {
      const driver = begin();
      await driver.offer();
      await driver.abort();
      await eventually('it is not active', async () =>
        (await viewOf(driver.frameworkId))?.active === false ? true : undefined,
      );
      await driver.close();
      await eventually('it is not connected', async () =>
        (await viewOf(driver.frameworkId))?.connected === false ? true : undefined,
      );
    });

    const noExecutor = pymesos.ok ? false : pymesos.reason;
    test('speaks with an executor both ways', { skip: noExecutor }, async () => {
      const driver = begin();
      const offer = await driver.offer();
      const script = join(root, 'test/support/python/echo_executor.py');
      assert.ok(existsSync(script));
      const { command: _command, ...rest } = task('echo', offer, '');
      driver.launch(offer, {
        ...rest,
        data: Buffer.from('by launch'),
        executor: {
          executor_id: { value: 'echo' },
          command: { value: `${pymesos.ok ? pymesos.python : ''} ${script}` },
        },
      });
      await driver.reached('echo', 'TASK_FINISHED');
      await eventually('its data', async () =>
        driver.messages.includes('by launch') ? true : undefined,
      );
      driver.message('echo', offer.agent_id.value, 'by message');
      await eventually('its answer', async () =>
        driver.messages.includes('by message') ? true : undefined,
      );
      await driver.stop('teardown');
    });
  });
}
