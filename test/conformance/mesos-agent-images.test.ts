// Tasks with images: pulled from a real registry, each in a root of its own that it cannot leave.
// Needs root, docker-registry and a static busybox.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { ImageStore } from '#mesos/agent/image-store.ts';
import { NO_LOGINS } from '#mesos/agent/registry-auth.ts';
import type { CommandInfo, TaskStatus, Volume } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { canServeImages, DockerRegistry } from '#test/support/docker-registry.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const isRoot = process.getuid?.() === 0;
const skip = isRoot && canServeImages ? false : 'needs root, docker-registry and busybox';

const FLAGS = ['--flag', 'image_providers=docker'];

const BASE = {
  'bin/busybox': 'busybox',
  ...Object.fromEntries(
    ['sh', 'cat', 'ls', 'grep', 'id', 'test', 'head', 'sleep'].map((name) => [
      `bin/${name}`,
      '->busybox',
    ]),
  ),
  'data/gone': 'below',
  'data/kept': 'kept',
  // Where the agent mounts: links of an image must lead it nowhere.
  mnt: '->/tmp',
  sys: '->/etc',
  linked: '->/strata-image-target',
};

suite(`images of tasks (${bestMaster} master)`, { skip }, () => {
  const registry = new DockerRegistry();
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    await registry.start();
    await registry.push('test/box', [BASE, { 'data/.wh.gone': '', 'data/new': 'above' }], {
      Entrypoint: ['/bin/cat'],
      Cmd: ['/data/new'],
      Env: ['FROM_IMAGE=yes', 'PATH=/bin'],
    });
    await machine.start(FLAGS);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
    await registry.close();
  });

  async function ended(
    id: string,
    command: CommandInfo,
    name: string,
    volumes: Volume[] = [],
  ): Promise<TaskStatus> {
    const image = { type: 'DOCKER' as const, docker: { name } };
    const container = { type: 'MESOS' as const, mesos: { image }, volumes };
    framework.launch([{ id, command, mem: 32, ...({ container } as object) }]);
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED|ERROR/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  const box = (): string => `${registry.host}/test/box`;
  async function finishes(id: string, command: CommandInfo): Promise<void> {
    const { state, message } = await ended(id, command, box());
    assert.equal(`${state} ${message}`, 'TASK_FINISHED Command exited with status 0');
  }

  test('it sees its layers, what they take away, its variables and its sandbox', async () => {
    const value = [
      '[ "$(cat /data/new)$(cat /data/kept)" = abovekept ]',
      '[ ! -e /data/gone ]',
      '[ "$FROM_IMAGE" = yes ]',
      '[ "$PWD" = /mnt/mesos/sandbox ] && [ "$MESOS_SANDBOX" = "$PWD" ]',
      '[ -z "$(ls /dev/shm)" ] && echo x >/dev/shm/own',
      'echo x >out && [ -e stderr ] && head -c 1 /dev/urandom >/dev/null',
    ].join(' && ');
    await finishes('sees', { value });
  });

  test('it neither sees nor reaches the machine', async () => {
    const value = [
      `! test -e ${machine.folder} && ! test -e ../../../../../../..${machine.folder}`,
      '! test -e /usr/bin/env && ! test -e /proc/1/root/usr/bin/env',
      '[ "$(ls /proc | grep -c "^[0-9]")" -le 6 ]',
      '! echo 1 >/proc/sys/vm/overcommit_memory',
      '! ls /sys/passwd && ! ls /mnt/../tmp/mesos',
      'echo mine >/data/kept',
    ].join(' && ');
    await finishes('inside', { value });
    assert.ok(!existsSync('/tmp/mesos/sandbox'), 'no link of the image was followed');
    await finishes('another', { value: '[ "$(cat /data/kept)" = kept ]' });
  });

  test('volumes in its sandbox and beside it are there, none takes its root or sandbox away', async () => {
    const script: CommandInfo = { value: '[ "$(cat given/in)" = host ] && ! echo x >given/in' };
    const host = mkdtempSync(join(tmpdir(), 'strata-volume-'));
    writeFileSync(join(host, 'in'), 'host');
    const mode = 'RO' as const;
    const inside = { mode, container_path: 'given', host_path: host };
    const good = await ended('volume', script, box(), [inside]);
    assert.equal(good.message, 'Command exited with status 0');
    const script2: CommandInfo = {
      value: '[ "$(cat /run/new/in)" = host ] && echo back >/linked/out && [ ! -e /tmp/mine ]',
    };
    const writable = { mode: 'RW' as const, host_path: host };
    const beside = await ended('beside', script2, box(), [
      { ...writable, container_path: '/run/new' },
      // A link of the image leads to where it leads within the image.
      { ...writable, container_path: '/linked' },
    ]);
    assert.equal(beside.message, 'Command exited with status 0');
    assert.equal(readFileSync(join(host, 'out'), 'utf8'), 'back\n');
    assert.ok(!existsSync('/strata-image-target'), 'nothing is made on the machine');
    for (const container_path of ['/', '/mnt', '/mnt/mesos/sandbox', '/mnt/x/../mesos']) {
      const id = `taking ${container_path.replaceAll('/', '-')}`;
      const bad = await ended(id, { value: 'true' }, box(), [{ ...writable, container_path }]);
      assert.match(bad.message ?? '', /A volume cannot take the place of/);
    }
    rmSync(host, { recursive: true });
  });

  test('it runs as its user', async () => {
    await finishes('as-nobody', {
      value: '[ "$(id -u)" = 65534 ] && ! echo >/data/x',
      user: 'nobody',
    });
  });

  test('without a command that of the image runs; with arguments, they go to it', async () => {
    await finishes('entrypoint', { shell: false });
    const end = await ended('arguments', { shell: false, arguments: ['/not/there'] }, box());
    assert.equal(end.message, 'Command exited with status 1');
  });

  test('an image that is not there ends the task with the reason', async () => {
    const end = await ended('missing', { value: 'true' }, `${registry.host}/test/none`);
    assert.equal(end.state, 'TASK_FAILED');
    assert.match(end.message ?? '', /Failed to pull image '.*none': .* was answered with 404/);
  });

  test('it lives on when its agent is killed; its root goes when it has ended', async () => {
    const image = { type: 'DOCKER' as const, docker: { name: box() } };
    const container = { type: 'MESOS' as const, mesos: { image } };
    const command = { value: 'while cat /data/new >/dev/null; do sleep 1; done' };
    framework.launch([{ id: 'lives', command, mem: 32, ...({ container } as object) }]);
    await framework.reached('lives', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(FLAGS);
    await machine.agentActive();
    assert.ok(existsSync(join(machine.folder, 'agent/run/images/layers')));
    framework.kill('lives');
    await framework.reached('lives', 'TASK_KILLED');
    const containers = join(machine.folder, 'agent/run/containers');
    const roots = (): boolean =>
      readdirSync(containers).some((name) => existsSync(join(containers, name, 'roots')));
    await eventually('no root is left', async () => !roots() || undefined);
    assert.doesNotMatch(readFileSync('/proc/self/mounts', 'utf8'), /strata-agent-.*overlay/);
  });

  test('nothing of a layer is kept whose bytes are not those of its digest', async () => {
    await registry.push('test/bad', [{ 'file-of-bad': 'x' }], {});
    const manifest = await fetch(`http://${registry.host}/v2/test/bad/manifests/own`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    const { layers } = (await manifest.json()) as { layers: { digest: string; size: number }[] };
    const [layer] = layers;
    assert.ok(layer !== undefined);
    writeFileSync(registry.blobPath(layer.digest), Buffer.alloc(layer.size, 1));
    const folder = mkdtempSync(join(tmpdir(), 'strata-images-'));
    const store = new ImageStore({ folder, registry: 'http://127.0.0.1:1', logins: NO_LOGINS });
    const image = { type: 'DOCKER' as const, docker: { name: `${registry.host}/test/bad` } };
    const { signal } = new AbortController();
    await assert.rejects(store.get(image, 'somebody', signal), /Content is sha256:/);
    assert.deepEqual(
      [readdirSync(join(folder, 'layers')), readdirSync(join(folder, 'staging'))],
      [[], []],
    );
    rmSync(folder, { recursive: true });
  });
});
