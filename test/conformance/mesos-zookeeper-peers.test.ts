// Two masters of ours, elected in a real ZooKeeper, and real Mesos 1.11 on both sides of them: an agent that looks for
// its master there itself, the scheduler driver of libmesos, and pymesos. The leader dies; nobody loses anything.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Offer, TaskInfo } from '#wire/mesos/v1.ts';
import { eventually, root, run } from '#test/support/cluster.ts';
import { Masters } from '#test/support/elected-masters.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import {
  buildNativeDriver,
  buildZooKeeperAgent,
  NativeDriver,
} from '#test/support/native-driver.ts';
import { findPymesos } from '#test/support/pymesos.ts';
import { findZooKeeper, ZooKeeper } from '#test/support/zookeeper.ts';

const etcdBinary = findEtcd();
const jars = await findZooKeeper();
const native = await buildNativeDriver();
const pymesos = await findPymesos();
const preload = await buildZooKeeperAgent();

const missing = [etcdBinary, jars, native, preload, pymesos].find((one) => !one.ok);
const skip = missing === undefined || missing.ok ? false : missing.reason;

function task(id: string, value: string, offer: Offer): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    command: { value },
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
      { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
    ],
  };
}

interface Slave {
  readonly id: string;
  readonly active: boolean;
  readonly pid: string;
}

suite('a real agent and a real driver find our masters in ZooKeeper', { skip }, () => {
  const zookeeper = new ZooKeeper(jars.ok ? jars.classPath : '');
  let etcd: EtcdCluster;
  let masters: Masters;
  let driver: NativeDriver;

  before(async () => {
    etcd = await EtcdCluster.start(etcdBinary.ok ? etcdBinary.path : '', { size: 1 });
    await zookeeper.start();
    const where = `zk://${zookeeper.address}/mesos`;
    masters = new Masters(['--store', `etcd:${etcd.endpoints.join(',')}`, '--zk', where], where);
    masters.revives = true;
    await masters.start(2);
    await masters.addRealAgent(preload.ok ? preload.path : '');
    driver = new NativeDriver(native.ok ? native.path : '', where, {
      user: 'root',
      name: 'native',
      checkpoint: true,
      failover_timeout: 600,
    });
  });
  after(async () => {
    await driver?.close();
    await masters?.close();
    await zookeeper[Symbol.asyncDispose]();
    await etcd?.[Symbol.asyncDispose]();
  });

  async function slaves(): Promise<Slave[]> {
    const { port } = await masters.leader();
    const answer = await fetch(`http://127.0.0.1:${port}/slaves`);
    return ((await answer.json()) as { slaves: Slave[] }).slaves;
  }

  async function launch(id: string, command: string): Promise<void> {
    const offer = await driver.offer();
    driver.launch(offer, task(id, command, offer));
    await driver.reached(id, 'TASK_RUNNING');
  }

  test('its tasks live on, and what they do while nobody leads arrives', async () => {
    const sign = join(masters.folder, 'go');
    const ended = `while [ ! -e ${sign} ]; do sleep 0.05; done; exit 0`;
    await launch('long', 'sleep 600');
    await launch('ends meanwhile', ended);
    const [known] = await slaves();
    assert.match(known?.pid ?? '', /^slave\(1\)@/);
    const old = await masters.leader();
    await masters.kill(old);
    writeFileSync(sign, '');
    assert.notEqual((await masters.leader()).port, old.port);
    await eventually('the driver has found the standby', async () =>
      driver.lines.filter((line) => /^(re)?registered/.test(line)).length >= 2 ? true : undefined,
    );
    assert.ok(driver.lines.includes('disconnected'));
    await driver.reached('ends meanwhile', 'TASK_FINISHED');
    await eventually('the agent is back', () => masters.activeAgent());
    assert.deepEqual(
      (await slaves()).map(({ id }) => id),
      [known?.id],
    );
    driver.statuses.length = 0;
    driver.reconcile();
    const { source, reason } = await driver.reached('long', 'TASK_RUNNING');
    assert.deepEqual([source, reason], ['SOURCE_MASTER', 'REASON_RECONCILIATION']);
    await launch('after', 'sleep 600');
    for (const id of ['long', 'after']) {
      driver.kill(id);
      await driver.reached(id, 'TASK_KILLED');
    }
    // What it was offered is free for others.
    await driver.stop('teardown');
  });

  test('pymesos too: its tasks go on, and the standby tells it of their ends', async () => {
    await masters.add();
    const sign = join(masters.folder, 'go-python');
    const count = 5;
    const command = `while [ ! -e ${sign} ]; do sleep 0.05; done; exit 0`;
    const program = join(root, 'test/support/python/short_tasks.py');
    const python = pymesos.ok ? pymesos.python : '';
    const over = run([python, program, masters.where, String(count), command]);
    const running = async (): Promise<true | undefined> => {
      const { port } = await masters.leader();
      const answer = await fetch(`http://127.0.0.1:${port}/tasks`);
      const { tasks } = (await answer.json()) as { tasks: { name: string; state: string }[] };
      const own = tasks.filter(({ name }) => name.startsWith('short-'));
      return own.filter(({ state }) => state === 'TASK_RUNNING').length === count
        ? true
        : undefined;
    };
    await eventually('its tasks run', running);
    await masters.kill(await masters.leader());
    await eventually('its tasks are known again', running);
    writeFileSync(sign, '');
    const { status, stdout, stderr } = await over;
    assert.match(stdout, /finished 5 of 5\n$/, stderr);
    assert.equal(status, 0);
  });
});
