// Containers with images are confined as others are: capabilities, system calls, networks, devices, and what joins
// them. By the agent's own launcher and by containerd. Needs root, docker-registry and busybox.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { ContainerInfo, LinuxInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { findCniPlugins } from '#test/support/cni.ts';
import { eventually } from '#test/support/cluster.ts';
import { type ContainerdFixture, findContainerd } from '#test/support/containerd.ts';
import { canServeImages, DockerRegistry } from '#test/support/docker-registry.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const plugins = findCniPlugins();
const isRoot = process.getuid?.() === 0;
const cannot = isRoot && canServeImages ? false : 'needs root, docker-registry and busybox';
const PROGRAMS = 'sh cat ls id sleep grep mkdir touch hostname chown mount head'.split(' ');
const BOX = {
  'bin/busybox': 'busybox',
  ...Object.fromEntries(PROGRAMS.map((name) => [`bin/${name}`, '->busybox'])),
};
const bridge = `sc${process.pid % 100_000}`;
const found = findContainerd();

function confinement(by: 'mesos' | 'containerd'): void {
  let containerd: ContainerdFixture | undefined;
  const registry = new DockerRegistry();
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    await registry.start();
    await registry.push('test/box', [BOX], { Env: ['PATH=/bin'] });
    const [profiles, config] = [join(machine.folder, 'profiles'), join(machine.folder, 'cni')];
    for (const folder of [profiles, config]) mkdirSync(folder);
    const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }];
    const profile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
    writeFileSync(join(profiles, 'no-folders.json'), JSON.stringify(profile));
    const dataDir = join(machine.folder, 'leases');
    const ipam = { type: 'host-local', subnet: `10.214.${process.pid % 256}.0/24`, dataDir };
    const network = { cniVersion: '0.3.1', name: 'plain', type: 'bridge', bridge, ipam };
    writeFileSync(join(config, 'plain.json'), JSON.stringify(network));
    const devices = {
      allowed_devices: [{ device: { path: '/dev/kmsg' }, access: { read: true } }],
    };
    const flags = [
      'image_providers=docker',
      'isolation=linux/seccomp,linux/devices',
      `seccomp_config_dir=${profiles}`,
      `allowed_devices=${JSON.stringify(devices)}`,
      ...('folder' in plugins
        ? [`network_cni_config_dir=${config}`, `network_cni_plugins_dir=${plugins.folder}`]
        : []),
    ];
    if (by === 'containerd' && found.ok) {
      containerd = await found.start();
      flags.push('containerizers=containerd,mesos', `containerd_socket=${containerd.socket}`);
    }
    await machine.start(['--flag', ...flags]);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
    await registry.close();
    await containerd?.stop();
    execFileSync('sh', ['-c', `ip link delete ${bridge} 2>/dev/null || true`]);
  });

  const inBox = (more: Partial<ContainerInfo>): ContainerInfo => ({
    type: 'MESOS',
    mesos: { image: { type: 'DOCKER', docker: { name: `${registry.host}/test/box` } } },
    ...more,
  });
  async function ended(id: string, script: string, more: Partial<ContainerInfo>, user = 'root') {
    const command = { value: script, user };
    framework.launch([{ id, command, mem: 32, container: inBox(more) }]);
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  const finishes = async (...given: Parameters<typeof ended>): Promise<void> => {
    const { state, message } = await ended(...given);
    assert.equal(`${state} ${message}`, 'TASK_FINISHED Command exited with status 0');
  };
  const linux = (linux_info: LinuxInfo) => ({ linux_info });

  test('capabilities, of root and of another user', async () => {
    const effective_capabilities = { capabilities: ['NET_RAW' as const] };
    const script =
      'grep -q "CapEff:.0000000000002000" /proc/self/status && ! chown 1 /bin && ! mount -t tmpfs t /bin';
    await finishes('capable', script, linux({ effective_capabilities }));
    await finishes('capable-nobody', script, linux({ effective_capabilities }), 'nobody');
    const bounding_capabilities = { capabilities: ['CHOWN' as const] };
    const bound = 'grep -q "CapBnd:.0000000000000001" /proc/self/status && touch /f && chown 1 /f';
    await finishes('bound', bound, linux({ bounding_capabilities }));
  });

  test('a profile, no new privileges for who joins, and devices of the operator', async () => {
    const seccomp = { profile_name: 'no-folders.json' };
    await finishes('profile', '! mkdir /x && touch /y && [ ! -e /x ]', linux({ seccomp }));
    await finishes('profile-nobody', '! mkdir /tmp/x', linux({ seccomp }), 'nobody');
    await finishes('device', '[ -c /dev/kmsg ] && [ ! -e /dev/vda ] && [ ! -e /dev/sda ]', {});
    const look = 'mkdir /x; grep -E "CapBnd|Seccomp:" /proc/self/status >looked';
    const command = { value: look };
    const linux_info = { seccomp, bounding_capabilities: { capabilities: ['KILL' as const] } };
    const check = { type: 'COMMAND' as const, command: { command }, delay_seconds: 0 };
    framework.launch([
      { id: 'joined', script: 'sleep 600', mem: 32, container: inBox({ linux_info }), check },
    ]);
    await framework.reached('joined', 'TASK_RUNNING');
    const state = (await (await fetch(`${machine.agentUrl}/state`)).json()) as {
      frameworks: { executors: { id: string; directory: string }[] }[];
    };
    const executors = state.frameworks.flatMap((one) => one.executors);
    const sandbox = executors.find((one) => one.id === 'joined')?.directory ?? '';
    const told = await eventually('the check has looked', async () => {
      const text = readFileSync(join(sandbox, 'looked'), 'utf8');
      return text.includes('Seccomp') ? text : undefined;
    });
    assert.equal(told, 'CapBnd:\t0000000000000020\nSeccomp:\t2\n');
    framework.kill('joined');
    await framework.reached('joined', 'TASK_KILLED');
  });

  const noNetworks = { skip: 'folder' in plugins ? false : plugins.reason };

  test('a network of its own, with the names of it', noNetworks, async () => {
    const more = { network_infos: [{ name: 'plain' }], hostname: 'boxed' };
    const script =
      'grep -q " boxed" /etc/hosts && [ "$(cat /etc/hostname)" = boxed ] && [ "$(hostname)" = boxed ] && ' +
      '[ "$(ls /sys/class/net | head -n 1)" = eth0 ] && ! touch /etc/hosts';
    await finishes('networked', script, more);
  });
}

suite(`confinement of containers with images (${bestMaster} master)`, { skip: cannot }, () =>
  confinement('mesos'),
);
const skip = cannot !== false ? cannot : found.ok ? false : found.reason;
suite(`confinement of containers of containerd (${bestMaster} master)`, { skip }, () =>
  confinement('containerd'),
);
