// Tasks in CNI networks, by the plugins that everybody uses; and that nothing of a network is left of
// a container that is gone, however it and its agent went.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { ContainerInfo, NetworkInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { findCniPlugins } from '#test/support/cni.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const plugins = findCniPlugins();
const skip = 'folder' in plugins ? false : plugins.reason;
const bridge = `sn${process.pid % 100_000}`;
const subnet = `10.213.${process.pid % 256}`;

suite(`networks of tasks (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const config = join(machine.folder, 'cni');
  const leases = join(machine.folder, 'leases');
  let framework: TestFramework;
  let flags: string[] = [];

  before(async () => {
    mkdirSync(config);
    const folder = 'folder' in plugins ? plugins.folder : '';
    const ipam = { type: 'host-local', subnet: `${subnet}.0/24`, dataDir: leases };
    const plain = {
      cniVersion: '0.3.1',
      name: 'plain',
      type: 'bridge',
      bridge,
      isGateway: true,
      ipam: { ...ipam, routes: [{ dst: '0.0.0.0/0' }] },
      dns: { nameservers: [`${subnet}.1`], search: ['example.test'] },
    };
    const mapped = {
      name: 'mapped',
      type: 'mesos-cni-port-mapper',
      excludeDevices: [],
      chain: 'TEST',
      delegate: { ...plain, name: undefined, dns: undefined },
    };
    const broken = { ...plain, name: 'broken', bridge: 'a-name-that-is-too-long-for-a-bridge' };
    for (const one of [plain, mapped, broken]) {
      writeFileSync(join(config, `${one.name}.json`), JSON.stringify(one));
    }
    writeFileSync(join(config, 'nonsense.json'), '{');
    const dns = { nameservers: [`${subnet}.9`], options: ['timeout:3'] };
    const forMapped = { network_mode: 'CNI', network_name: 'mapped', dns };
    flags = [
      '--flag',
      `network_cni_config_dir=${config}`,
      `network_cni_plugins_dir=${folder}`,
      `default_container_dns=${JSON.stringify({ mesos: [forMapped] })}`,
    ];
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
    execFileSync('sh', ['-c', `ip link delete ${bridge} 2>/dev/null || true`]);
  });

  const networks = (...network_infos: NetworkInfo[]): ContainerInfo => ({
    type: 'MESOS',
    network_infos,
  });
  const leased = (): string[] =>
    (existsSync(leases) ? readdirSync(leases) : [])
      .flatMap((name) => readdirSync(join(leases, name)))
      .filter((name) => /^\d/.test(name));
  const ports = (): string[] => {
    const folder = `/sys/class/net/${bridge}/brif`;
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  const mounts = (): string[] =>
    readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(machine.folder));
  const kept = (): string[] => {
    const folder = join(machine.folder, 'agent/run/network');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  const nothingIsLeft = (): Promise<true> =>
    eventually('nothing of a network is left', async () => {
      const left = [...leased(), ...ports(), ...mounts(), ...kept()];
      return left.length === 0 ? true : undefined;
    });
  async function ended(id: string): Promise<TaskStatus> {
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  const addressOf = (status: TaskStatus): string =>
    status.container_status?.network_infos?.[0]?.ip_addresses?.[0]?.ip_address ?? '';

  test('a task has an address of its network, which its status tells, and names for it', async () => {
    const labels = { labels: [{ key: 'tier', value: 'front' }] };
    const script = [
      '[ "$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " | sort | tr "\\n" " ")" = "eth0 lo " ]',
      'grep -q "$(hostname)" /etc/hosts',
      '[ "$(cat /etc/hostname)" = web-1 ] && [ "$(hostname)" = web-1 ]',
      `grep -q "nameserver ${subnet}.1" /etc/resolv.conf`,
      'grep -q "search example.test" /etc/resolv.conf',
      '! echo x >>/etc/hosts',
    ].join(' && ');
    const container = { ...networks({ name: 'plain', labels }), hostname: 'web-1' };
    framework.launch([{ id: 'looks', script: `${script} && sleep 600`, container }]);
    const running = await framework.reached('looks', 'TASK_RUNNING');
    const [info] = running.container_status?.network_infos ?? [];
    assert.equal(info?.name, 'plain');
    assert.deepEqual(info?.labels, labels);
    assert.ok(addressOf(running).startsWith(`${subnet}.`), addressOf(running));
    assert.notEqual(readFileSync('/etc/hostname', 'utf8').trim(), 'web-1');
    const asked = { type: 'GET_CONTAINERS', get_containers: {} } as const;
    const answer = await callAgent(machine.agentUrl, asked);
    assert.match(answer.text, new RegExp(addressOf(running).replaceAll('.', '\\.')));
    await eventually('its lease', async () => leased().length > 0 || undefined);
    framework.kill('looks');
    assert.equal((await ended('looks')).state, 'TASK_KILLED');
    await nothingIsLeft();
  });

  test('tasks of a group share the network of their executor; a check reaches it', async () => {
    const executor = {
      type: 'DEFAULT' as const,
      executor_id: { value: 'pod' },
      container: networks({ name: 'plain' }),
    };
    const listen =
      "require('net').createServer(s=>s.end('hi')).listen(8080,()=>require('fs').writeFileSync('up',''))";
    const ask = "require('net').connect(8080,'127.0.0.1').on('data',()=>process.exit(0))";
    const node = (code: string): string => `${process.execPath} -e "${code}"`;
    framework.launchGroup(executor, [
      {
        id: 'listens',
        script: node(listen),
        mem: 128,
        check: { type: 'TCP', tcp: { port: 8080 }, interval_seconds: 0.1, delay_seconds: 0 },
      },
      {
        id: 'asks',
        script: `until [ -e ../*/up ]; do sleep 0.05; done; echo $MESOS_CONTAINER_IP >ip; ${node(ask)} && sleep 600`,
        mem: 128,
      },
    ]);
    const running = await framework.reached('listens', 'TASK_RUNNING');
    const other = await framework.reached('asks', 'TASK_RUNNING');
    assert.ok(addressOf(running).startsWith(`${subnet}.`));
    assert.equal(addressOf(running), addressOf(other));
    await framework.until('the check succeeds', () =>
      framework.updates.some((one) => one.check_status?.tcp?.succeeded === true),
    );
    framework.kill('listens');
    await ended('listens');
    await ended('asks');
    await nothingIsLeft();
  });

  test('a port of the host leads to the task that asked for it', async () => {
    const info = { name: 'mapped', port_mappings: [{ host_port: 31_234, container_port: 80 }] };
    const names = "require('fs').readFileSync('/etc/resolv.conf')";
    const serve = `require('http').createServer((q,s)=>s.end(${names})).listen(80)`;
    const script = `${process.execPath} -e "${serve}"`;
    framework.launch([{ id: 'mapped', script, mem: 128, container: networks(info) }]);
    const running = await framework.reached('mapped', 'TASK_RUNNING');
    assert.deepEqual(
      running.container_status?.network_infos?.[0]?.port_mappings,
      info.port_mappings,
    );
    const text = await eventually('it answers', async () => {
      const answer = await fetch(`http://${subnet}.1:31234/`).catch(() => undefined);
      return answer?.text();
    });
    // Its plugin tells of no name servers: the operator's are there.
    assert.equal(text, `options timeout:3\nnameserver ${subnet}.9\n`);
    framework.kill('mapped');
    await ended('mapped');
    await nothingIsLeft();
    const rules = execFileSync('iptables-save', ['-t', 'nat'], { encoding: 'utf8' });
    assert.ok(!rules.includes('31234'), rules);
  });

  test('a network that is not there, or fails, is told; nothing is left', async () => {
    framework.launch([{ id: 'unknown', script: 'true', container: networks({ name: 'nowhere' }) }]);
    assert.match((await ended('unknown')).message ?? '', /Unknown CNI network 'nowhere'/);
    const twice = networks({ name: 'plain' }, { name: 'plain' });
    framework.launch([{ id: 'twice', script: 'true', container: twice }]);
    assert.match((await ended('twice')).message ?? '', /join CNI network 'plain' multiple times/);
    framework.launch([{ id: 'broken', script: 'true', container: networks({ name: 'broken' }) }]);
    const end = await ended('broken');
    assert.match(end.message ?? '', /The CNI plugin '.*bridge' failed to attach container/);
    assert.equal(end.reason, 'REASON_CONTAINER_LAUNCH_FAILED');
    await nothingIsLeft();
  });

  test('a restarted agent knows the networks of its tasks and takes them back', async () => {
    const container = networks({ name: 'plain' });
    framework.launch([{ id: 'stays', script: 'sleep 600', container }]);
    const address = addressOf(await framework.reached('stays', 'TASK_RUNNING'));
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    const found = await eventually('the task is known', async () => {
      const answer = await callAgent(machine.agentUrl, {
        type: 'GET_CONTAINERS',
        get_containers: {},
      });
      return answer.text.includes(address) || undefined;
    });
    assert.ok(found);
    framework.kill('stays');
    const end = await ended('stays');
    assert.equal(end.state, 'TASK_KILLED');
    assert.equal(addressOf(end), address);
    await nothingIsLeft();
  });

  test('of a task that died with its agent nothing is left, nor after a reboot', async () => {
    for (const how of ['killed', 'rebooted']) {
      const id = `lost-${how}`;
      framework.launch([{ id, script: 'sleep 600', container: networks({ name: 'plain' }) }]);
      const running = await framework.reached(id, 'TASK_RUNNING');
      const pid = running.container_status?.executor_pid ?? 0;
      assert.ok(leased().length > 0 && ports().length > 0 && mounts().length > 0);
      await stop(machine.agent, 'SIGKILL');
      const shim = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      process.kill(Number(shim), 'SIGKILL');
      process.kill(pid, 'SIGKILL');
      if (how === 'rebooted') {
        for (const line of mounts()) execFileSync('umount', [line.split(' ')[1] ?? '']);
        writeFileSync(join(machine.folder, 'agent/meta/boot_id'), 'another');
      }
      machine.startAgent(flags);
      await machine.agentActive();
      await nothingIsLeft();
    }
  });
});
