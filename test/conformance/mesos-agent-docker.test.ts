// What only containers of type DOCKER have: their image's own words, user and folder, parameters, networks with ports, and what
// they are refused. By containerd; needs root, cgroups, docker-registry, busybox, and CNI plugins for the networks.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { CommandInfo, ContainerInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { findCniPlugins } from '#test/support/cni.ts';
import { eventually } from '#test/support/cluster.ts';
import { type ContainerdFixture, findContainerd } from '#test/support/containerd.ts';
import { canServeImages, DockerRegistry } from '#test/support/docker-registry.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const containerd = findContainerd();
const plugins = findCniPlugins();
const cannot = canServeImages ? false : 'needs docker-registry and busybox';
const skip = cannot !== false ? cannot : containerd.ok ? false : containerd.reason;
const noNetworks = 'folder' in plugins ? false : plugins.reason;
const bridge = `sd${process.pid % 100_000}`;
const subnet = `10.214.${process.pid % 256}`;
const PORT = 31_077;

const PROGRAMS = 'sh cat ls id echo env grep hostname nc ifconfig df sleep tail cut'.split(' ');
const BOX = {
  'bin/busybox': 'busybox',
  ...Object.fromEntries(PROGRAMS.map((name) => [`bin/${name}`, '->busybox'])),
  'etc/passwd': 'root:x:0:0::/:/bin/sh\napp:x:1234:2345::/:/bin/sh\n',
  'etc/group': 'root:x:0:\nextra:x:77:app\n',
  'work/file': 'here',
};

type Docker = NonNullable<ContainerInfo['docker']>;

suite(`containers of type DOCKER (${bestMaster} master)`, { skip }, () => {
  const registry = new DockerRegistry();
  const machine = new AgentMachine(bestMaster);
  const config = join(machine.folder, 'cni');
  let fixture: ContainerdFixture;
  let framework: TestFramework;
  before(async () => {
    if (!containerd.ok) return;
    await registry.start();
    const layers = [BOX];
    await registry.push('test/box', layers, { Env: ['PATH=/bin', 'OF=image'] });
    const app = { Env: ['PATH=/bin'], Entrypoint: ['/bin/echo', 'entry'], Cmd: ['cmd'] };
    await registry.push('test/app', layers, { ...app, User: 'app', WorkingDir: '/work' });
    fixture = await containerd.start();
    mkdirSync(config);
    const network = {
      cniVersion: '0.3.1',
      name: 'bridge',
      type: 'mesos-cni-port-mapper',
      excludeDevices: [],
      chain: 'TESTDOCKER',
      delegate: {
        type: 'bridge',
        bridge,
        isGateway: true,
        ipam: {
          type: 'host-local',
          subnet: `${subnet}.0/24`,
          dataDir: join(machine.folder, 'ips'),
        },
      },
    };
    writeFileSync(join(config, 'bridge.json'), JSON.stringify(network));
    const folder = 'folder' in plugins ? plugins.folder : '';
    const cni = [`network_cni_config_dir=${config}`, `network_cni_plugins_dir=${folder}`];
    const flags = ['containerizers=containerd,mesos', `containerd_socket=${fixture.socket}`];
    const all = noNetworks === false ? [...flags, ...cni] : flags;
    await machine.start(all.flatMap((one) => ['--flag', one]));
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    try {
      await machine.close();
      const left =
        fixture.ctr('mesos', 'leases', 'ls', '-q') + fixture.ctr('mesos', 'c', 'ls', '-q');
      assert.equal(left, '', 'nothing is left of them');
    } finally {
      await registry.close();
      await fixture?.stop();
      execFileSync('sh', ['-c', `ip link delete ${bridge} 2>/dev/null || true`]);
    }
  });

  let count = 0;
  function launch(command: CommandInfo | undefined, docker: Partial<Docker>): string {
    count += 1;
    const id = `docker${count}`;
    const image = `${registry.host}/test/${docker.image ?? 'box'}`;
    const container = { type: 'DOCKER' as const, docker: { ...docker, image } };
    const kill_policy = { grace_period: { nanoseconds: 1e8 } };
    const own = command === undefined ? { command: { shell: false } } : { command };
    framework.launch([{ id, mem: 32, container, kill_policy, ...own }]);
    return id;
  }

  async function ended(id: string): Promise<TaskStatus & { readonly output: string }> {
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED|ERROR/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    const end = framework.updates.find(isEnd) as TaskStatus;
    const frameworks = join(
      machine.folder,
      'agent/slaves',
      end.agent_id?.value ?? '',
      'frameworks',
    );
    const own = join(
      frameworks,
      framework.client.frameworkId ?? '',
      'executors',
      id,
      'runs/latest',
    );
    const path = join(own, 'stdout');
    return { ...end, output: existsSync(path) ? readFileSync(path, 'utf8') : '' };
  }

  /** What a script says. */
  async function says(value: string, docker: Partial<Docker> = {}): Promise<string> {
    const { output, message } = await ended(launch({ value }, docker));
    return output === '' ? (message ?? '') : output.trim();
  }

  const parameters = (...pairs: readonly [string, string][]) => ({
    parameters: pairs.map(([key, value]) => ({ key, value })),
  });

  test('the words, user, groups and folder of an image', async () => {
    assert.equal((await ended(launch(undefined, { image: 'app' }))).output, 'entry cmd\n');
    const given = { shell: false, value: 'x', arguments: ['y'] };
    assert.equal((await ended(launch(given, { image: 'app' }))).output, 'entry x y\n');
    const script =
      'id -u; id -g; id -G; cat file; echo; touch x 2>/dev/null; ls /mnt/mesos/sandbox';
    const lines = (await says(script, { image: 'app' })).split('\n');
    assert.deepEqual(lines.slice(0, 4), ['1234', '2345', '2345 77', 'here']);
    assert.equal(
      await says('id -u; pwd', parameters(['user', 'app'], ['workdir', '/etc'])),
      '1234\n/etc',
    );
  });

  test('parameters', async () => {
    const all = parameters(
      ['env', 'GIVEN=a b'],
      ['hostname', 'named'],
      ['ulimit', 'nofile=64:128'],
      ['cap-drop', 'ALL'],
      ['cap-add', 'CHOWN'],
      ['shm-size', '1m'],
      ['read-only', 'true'],
    );
    const script = [
      'echo "$GIVEN $OF"; hostname; ulimit -n; grep CapEff /proc/self/status',
      'df /dev/shm | tail -n 1 | grep -q " 1024 " && echo shm',
      'echo x 2>/dev/null >/file || echo kept; echo x >"$MESOS_SANDBOX/f" && echo sandbox',
    ].join('\n');
    const want = [
      'a b image',
      'named',
      '64',
      'CapEff:\t0000000000000001',
      'shm',
      'kept',
      'sandbox',
    ];
    assert.deepEqual((await says(script, all)).split('\n'), want);
  });

  test('privileged or not', async () => {
    const script =
      'grep CapEff /proc/self/status; (echo 1 >/proc/sys/vm/drop_caches) 2>/dev/null; echo $?';
    const plain = await says(script);
    assert.equal(plain, 'CapEff:\t00000000a80425fb\n1');
    const all = await says(script.replace('echo 1 >', 'cat '), { privileged: true });
    const mine = /^CapBnd:\t(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    assert.match(all, new RegExp(`^CapEff:\t${mine}\n`));
  });

  test('without a network there is a loopback only', async () => {
    const script = 'tail -n +3 /proc/net/dev | cut -d: -f1';
    assert.equal(await says(script, { network: 'NONE' }), 'lo');
  });

  test('in the bridged network, with a port of the machine', { skip: noNetworks }, async () => {
    const port_mappings = [{ host_port: PORT, container_port: 80, protocol: 'tcp' }];
    const value = 'while :; do echo hello | nc -l -p 80; done';
    const id = launch({ value }, { network: 'BRIDGE', port_mappings });
    const running = await framework.reached(id, 'TASK_RUNNING');
    const info = running.container_status?.network_infos?.[0];
    assert.equal(info?.name, 'bridge');
    const address = info?.ip_addresses?.[0]?.ip_address ?? '';
    assert.ok(address.startsWith(subnet));
    const rules = execFileSync('iptables-save', ['-t', 'nat'], { encoding: 'utf8' });
    assert.ok(rules.includes(`--to-destination ${address}:80`), rules);
    const text = await eventually('it answers', async () => {
      const script = `exec 3<>/dev/tcp/${address}/80 && cat <&3`;
      return execFileSync('bash', ['-c', script], { encoding: 'utf8', stdio: 'pipe' });
    });
    assert.equal(text, 'hello\n');
    framework.kill(id);
    assert.equal((await ended(id)).state, 'TASK_KILLED');
  });

  test('what is not supported is refused by name', async () => {
    assert.match(
      await says('true', parameters(['device', '/dev/x'])),
      /parameter 'device' is not supp/,
    );
    assert.match(await says('true', { network: 'USER' }), /No network name|network/);
    const user = parameters(['user', 'nobody-there']);
    assert.match(await says('true', user), /Failed to find user 'nobody-there' in the image/);
    const volume = {
      mode: 'RW' as const,
      container_path: '/v',
      source: { type: 'DOCKER_VOLUME' as const, docker_volume: { driver: 'd', name: 'v' } },
    };
    const docker = { image: `${registry.host}/test/box` };
    const container = { type: 'DOCKER' as const, docker, volumes: [volume] };
    framework.launch([{ id: 'volume', script: 'true', mem: 32, container }]);
    const end = await ended('volume');
    assert.match(end.message ?? '', /Volumes of type DOCKER_VOLUME are not supported/);
  });
});
