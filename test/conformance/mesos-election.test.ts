// Several masters, one leader: elected in a real etcd or a real ZooKeeper, with an agent and a framework
// that look for it there, and the real driver of libmesos that finds it in ZooKeeper by itself.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { stop } from '#test/support/agent-machine.ts';
import { freePort } from '#test/support/free-port.ts';
import { eventually, root, run } from '#test/support/cluster.ts';
import { Masters } from '#test/support/elected-masters.ts';
import { EtcdCluster, findEtcd } from '#test/support/etcd.ts';
import { TestFramework } from '#test/support/framework.ts';
import { buildNativeDriver, NativeDriver } from '#test/support/native-driver.ts';
import { findZooKeeper, ZooKeeper } from '#test/support/zookeeper.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const etcdBinary = findEtcd();
const jars = await findZooKeeper();
const native = await buildNativeDriver();
const strata = [process.execPath, join(root, 'src/bin/strata.ts')];
/** The promise; on a busy machine the rest is the machine's. */
const FAILOVER_MS = 2_000;

function stories(begin: () => Promise<{ masters: Masters; end: () => Promise<void> }>): void {
  let masters: Masters;
  let end: () => Promise<void>;
  let framework: TestFramework;
  const leaderUrl = (): string | undefined => {
    const { address } = masters.detector;
    return address === undefined ? undefined : `http://${address}`;
  };
  before(async () => {
    ({ masters, end } = await begin());
    await masters.start(3);
    await masters.addAgent();
    framework = new TestFramework(leaderUrl, env);
  });
  after(async () => {
    await framework?.close();
    await masters?.close();
    await end?.();
  });

  test('one leads; the others say where it is, and are healthy', async () => {
    const leader = await masters.leader();
    const { port } = await masters.standby();
    const ask = async (path: string, method = 'GET') =>
      await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual', method });
    const there = `//localhost:${leader.port}`;
    for (const [path, location] of [
      ['/state?jsonp=x', `${there}/state?jsonp=x`],
      ['/master/slaves', `${there}/master/slaves`],
      ['/redirect', there],
      ['/master/redirect', there],
    ] as const) {
      const answer = await ask(path);
      assert.equal(answer.status, 307, path);
      assert.equal(answer.headers.get('location'), location);
    }
    const call = await ask('/api/v1/scheduler', 'POST');
    assert.equal(call.headers.get('location'), `${there}/api/v1/scheduler`);
    assert.equal((await ask('/redirect/x')).status, 404);
    assert.equal((await ask('/health')).status, 200);
    assert.equal(((await (await ask('/version')).json()) as { version: string }).version, '1.11.0');
  });

  test('a master of another region than the leader ends', async () => {
    const folder = mkdtempSync(join(masters.folder, 'elsewhere-'));
    const child = masters.spawn(masters.master(folder, await freePort(), 'two'), 'elsewhere');
    const status = await new Promise((done) => child.once('exit', done));
    assert.equal(status, 0);
    const log = readFileSync(join(masters.folder, 'elsewhere.log'), 'utf8');
    assert.match(
      log,
      /all masters in the same cluster must use the same region.*theirs=one own=two/,
    );
  });

  test('a plain framework follows the redirect of a standby', async () => {
    const { port } = await masters.standby();
    const plain = new TestFramework(`http://127.0.0.1:${port}`, env);
    plain.launch([{ id: 'redirected', command: { value: 'exit 0' } }]);
    await plain.reached('redirected', 'TASK_FINISHED');
    await plain.close();
  });

  test('the leader is killed: another one leads within two seconds, and tasks go on', async () => {
    framework.launch([{ id: 'survivor', command: { value: 'sleep 600' } }]);
    await framework.reached('survivor', 'TASK_RUNNING');
    const old = await masters.leader();
    const killedAt = performance.now();
    await masters.kill(old);
    await masters.leader();
    const tookMs = performance.now() - killedAt;
    assert.ok(tookMs < FAILOVER_MS, `it took ${tookMs} ms`);
    await eventually('the agent is back', () => masters.activeAgent());
    framework.launch([{ id: 'after', command: { value: 'exit 0' } }]);
    await framework.reached('after', 'TASK_FINISHED');
    framework.call({
      type: 'RECONCILE',
      reconcile: { tasks: [{ task_id: { value: 'survivor' } }] },
    });
    await framework.until('it is still running', () =>
      framework.updates.some(
        ({ task_id, state, reason }) =>
          task_id.value === 'survivor' &&
          state === 'TASK_RUNNING' &&
          reason === 'REASON_RECONCILIATION',
      ),
    );
    framework.kill('survivor');
    await framework.reached('survivor', 'TASK_KILLED');
    assert.deepEqual(
      framework.statesOf('after').filter((state) => state === 'TASK_FINISHED'),
      ['TASK_FINISHED'],
    );
  });

  test('`strata run` finds the leader', async () => {
    const command = ['run', '--master', masters.where, '--', 'sh', '-c', 'echo found; exit 3'];
    const { status, stdout } = await run([...strata, ...command]);
    assert.equal(stdout, 'found\n');
    assert.equal(status, 3);
  });

  test('a leader that is stopped loses its turn, and ends when it goes on', async () => {
    await masters.add();
    const old = await masters.leader();
    old.child.kill('SIGSTOP');
    const at = masters.nodes.indexOf(old);
    masters.nodes.splice(at, 1);
    const next = await masters.leader();
    assert.notEqual(next.port, old.port);
    const gone = new Promise((done) => old.child.once('exit', done));
    old.child.kill('SIGCONT');
    await gone;
    await eventually('the agent is back', () => masters.activeAgent());
  });

  test('a leader that is asked to end leaves at once', async () => {
    const old = await masters.leader();
    const askedAt = performance.now();
    await stop(old.child, 'SIGTERM');
    masters.nodes.splice(masters.nodes.indexOf(old), 1);
    await masters.leader();
    const tookMs = performance.now() - askedAt;
    assert.ok(tookMs < FAILOVER_MS, `it took ${tookMs} ms`);
  });
}

suite('masters elected in etcd', { skip: etcdBinary.ok ? false : etcdBinary.reason }, () => {
  stories(async () => {
    const etcd = await EtcdCluster.start(etcdBinary.ok ? etcdBinary.path : '', { size: 1 });
    const where = `etcd:${etcd.endpoints.join(',')}?prefix=/test`;
    const masters = new Masters(['--store', where], where);
    return { masters, end: async () => await etcd[Symbol.asyncDispose]() };
  });
});

const noZooKeeper = jars.ok ? (etcdBinary.ok ? false : etcdBinary.reason) : jars.reason;
suite('masters elected in ZooKeeper, their registry in etcd', { skip: noZooKeeper }, () => {
  stories(async () => {
    const etcd = await EtcdCluster.start(etcdBinary.ok ? etcdBinary.path : '', { size: 1 });
    const zookeeper = new ZooKeeper(jars.ok ? jars.classPath : '');
    await zookeeper.start();
    const where = `zk://someone:secret@${zookeeper.address}/mesos/test`;
    const store = `etcd:${etcd.endpoints.join(',')}`;
    const masters = new Masters(['--store', store, '--zk', where], where);
    const end = async (): Promise<void> => {
      await zookeeper[Symbol.asyncDispose]();
      await etcd[Symbol.asyncDispose]();
    };
    return { masters, end };
  });
});

const noDriver = jars.ok ? (native.ok ? false : native.reason) : jars.reason;
suite('a native driver with ZooKeeper', { skip: noDriver }, () => {
  const zookeeper = new ZooKeeper(jars.ok ? jars.classPath : '');
  let masters: Masters;
  let driver: NativeDriver;
  before(async () => {
    await zookeeper.start();
    const where = `zk://${zookeeper.address}/mesos`;
    masters = new Masters(['--zk', where], where);
    await masters.start(1);
    await masters.addAgent();
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
  });

  test('finds the master, and the next life of it', async () => {
    const offer = await driver.offer();
    driver.launch(offer, {
      name: 'long',
      task_id: { value: 'long' },
      agent_id: offer.agent_id,
      command: { value: 'sleep 600' },
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
        { name: 'mem', type: 'SCALAR', scalar: { value: 32 } },
      ],
    });
    await driver.reached('long', 'TASK_RUNNING');
    const old = await masters.leader();
    await stop(old.child, 'SIGTERM');
    await driver.said('disconnected');
    masters.nodes.length = 0;
    // Its registry is in its home: the next life is of the same master.
    await masters.again(old.port);
    await eventually('it is registered again', async () =>
      driver.lines.filter((line) => /^(re)?registered/.test(line)).length === 2 ? true : undefined,
    );
    await eventually('the agent is back', () => masters.activeAgent());
    driver.statuses.length = 0;
    driver.reconcile();
    await driver.reached('long', 'TASK_RUNNING');
    driver.kill('long');
    await driver.reached('long', 'TASK_KILLED');
  });
});
