// Everything that can have an image: executors, tasks of groups, nested and standalone containers, volumes; and what
// enters them: sessions, terminals, checks. By the agent's own launcher and by containerd. Needs root, docker-registry
// and busybox.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { AgentCall, ContainerID, ContainerInfo, TaskStatus, Volume } from '#wire/mesos/v1.ts';
import { callAgent, InputStream, OutputStream } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { type ContainerdFixture, findContainerd } from '#test/support/containerd.ts';
import { canServeImages, DockerRegistry } from '#test/support/docker-registry.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const isRoot = process.getuid?.() === 0;
const cannot = isRoot && canServeImages ? false : 'needs root, docker-registry and busybox';
const found = findContainerd();

const PROGRAMS = 'sh cat ls id sleep stty wget grep tty echo test'.split(' ');
const BOX = {
  'bin/busybox': 'busybox',
  ...Object.fromEntries(PROGRAMS.map((name) => [`bin/${name}`, '->busybox'])),
  'only-in-image': 'yes',
};

/** An executor in the shell of its image: subscribes, runs nothing, says that its task has finished. */
const EXECUTOR = `
post() { wget -q -O "$1" --header 'Content-Type: application/json' --post-data "$2" \\
  "http://$MESOS_AGENT_ENDPOINT/api/v1/executor"; }
ids='"framework_id":{"value":"'$MESOS_FRAMEWORK_ID'"},"executor_id":{"value":"'$MESOS_EXECUTOR_ID'"}'
post events '{"type":"SUBSCRIBE",'"$ids"',"subscribe":{}}' &
until grep -q '"LAUNCH"' events; do sleep 0.1; done
echo "$(cat /only-in-image) $PWD $MESOS_SANDBOX" >seen
state() { post /dev/null '{"type":"UPDATE",'"$ids"',"update":{"status":{"task_id":{"value":"custom"},
  "state":"'$1'","source":"SOURCE_EXECUTOR","uuid":"'$2'QAGAAQEBAQEBAQ=="}}}'; }
state TASK_RUNNING AQEBAQEB; state TASK_FINISHED AgICAgIB
until grep -q ACKNOWLEDGED events; do sleep 0.1; done`;

function containersWithImages(by: 'mesos' | 'containerd'): void {
  let containerd: ContainerdFixture | undefined;
  let flags: readonly string[] = ['--flag', 'image_providers=docker'];
  const registry = new DockerRegistry();
  const machine = new AgentMachine(bestMaster);
  const host = mkdtempSync(join(tmpdir(), 'strata-volume-'));
  let framework: TestFramework;
  before(async () => {
    await registry.start();
    await registry.push('test/box', [BOX], {
      Env: ['FROM_IMAGE=yes', 'PATH=/bin'],
      Entrypoint: ['/bin/echo', 'entry'],
    });
    await registry.push('test/files', [{ 'a/file': 'from image' }], {});
    if (by === 'containerd' && found.ok) {
      containerd = await found.start();
      const more = ['containerizers=containerd,mesos', `containerd_socket=${containerd.socket}`];
      flags = [...flags, ...more.flatMap((one) => ['--flag', one])];
    }
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
    await registry.close();
    await containerd?.stop();
    rmSync(host, { recursive: true });
  });

  const imageOf = (name: string) => ({
    type: 'DOCKER' as const,
    docker: { name: `${registry.host}/test/${name}` },
  });
  const box = (more: Partial<ContainerInfo> = {}): ContainerInfo => ({
    type: 'MESOS',
    mesos: { image: imageOf('box') },
    ...more,
  });
  const TERMINAL = { tty_info: { window_size: { rows: 20, columns: 70 } } };
  const call = (it: AgentCall) => callAgent(machine.agentUrl, it);
  const wait = async (container_id: ContainerID) =>
    (await call({ type: 'WAIT_CONTAINER', wait_container: { container_id } })).body.wait_container;

  async function ended(id: string): Promise<TaskStatus> {
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED|ERROR/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }

  async function containerOf(id: string): Promise<ContainerID> {
    const { container_status } = await framework.reached(id, 'TASK_RUNNING');
    assert.ok(container_status?.container_id !== undefined);
    return container_status.container_id;
  }

  function session(container_id: ContainerID, value: string, container?: ContainerInfo) {
    return new OutputStream(machine.agentUrl, {
      type: 'LAUNCH_NESTED_CONTAINER_SESSION',
      launch_nested_container_session: { container_id, command: { value }, container },
    });
  }

  function sandboxOf(executorId: string): string {
    const agentId = framework.updates[0]?.agent_id?.value ?? '';
    const frameworks = join(machine.folder, 'agent/slaves', agentId, 'frameworks');
    const id = framework.client.frameworkId ?? '';
    return join(frameworks, id, 'executors', executorId, 'runs/latest');
  }

  function roots(): readonly string[] {
    if (containerd !== undefined) {
      // One lease each.
      return containerd.ctr('mesos', 'leases', 'ls', '-q').split('\n').filter(Boolean);
    }
    const containers = join(machine.folder, 'agent/run/containers');
    return readdirSync(containers).flatMap((name) => {
      const folder = join(containers, name, 'roots');
      return existsSync(folder) ? readdirSync(folder) : [];
    });
  }

  test('a custom executor runs in its image and speaks to its agent', async () => {
    const command = { value: EXECUTOR };
    const executor_id = { value: 'in-image' };
    const executor = { type: 'CUSTOM' as const, executor_id, command, container: box() };
    framework.launch([{ id: 'custom', executor: executor as never }]);
    assert.equal((await ended('custom')).state, 'TASK_FINISHED');
    const seen = readFileSync(join(sandboxOf('in-image'), 'seen'), 'utf8');
    assert.equal(seen, 'yes /mnt/mesos/sandbox /mnt/mesos/sandbox\n');
  });

  test('tasks of a group: volumes of their executor, a health check in the image, sessions', async () => {
    const shared: Volume = {
      mode: 'RW',
      container_path: '/shared',
      source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'PARENT', path: 'common' } },
    };
    const check = {
      type: 'COMMAND' as const,
      command: { value: '[ "$FROM_IMAGE" = yes ] && [ -e /only-in-image ] && cat /shared/up' },
      delay_seconds: 0,
      interval_seconds: 0.1,
      grace_period_seconds: 60,
    };
    const script = 'echo >/shared/up; while [ ! -e /shared/end ]; do sleep 0.1; done';
    const executor = { type: 'DEFAULT' as const, executor_id: { value: 'group' } };
    framework.launchGroup(executor, [
      { id: 'one', script, mem: 32, container: box({ volumes: [shared] }), health_check: check },
      {
        id: 'two',
        script: 'until [ -e /shared/now ]; do sleep 0.1; done; echo >/shared/end',
        mem: 32,
        user: 'nobody',
        container: box({ volumes: [shared] }),
      } as never,
    ]);
    await framework.until('one is healthy', () =>
      framework.updates.some((one) => one.task_id.value === 'one' && one.healthy === true),
    );
    const id = { value: randomUUID(), parent: await containerOf('one') };
    const output = session(id, 'echo "$FROM_IMAGE $(cat /only-in-image) $PWD"; echo >/shared/now');
    await output.ended;
    assert.equal(output.stdout, 'yes yes /mnt/mesos/sandbox\n');
    for (const task of ['one', 'two']) assert.equal((await ended(task)).state, 'TASK_FINISHED');
    await eventually('the roots of ended tasks are gone', async () =>
      roots().every((name) => name === 'executor') ? true : undefined,
    );
  });

  test('a terminal in an image: attached, resized, and entered by its own user', async () => {
    const script = 'stty size; tty; id -u; cat; stty size; echo end';
    const command = { value: script, user: 'nobody' };
    framework.launch([{ id: 'terminal', command, mem: 32, container: box(TERMINAL) }]);
    const parent = await containerOf('terminal');
    const inner = session({ value: randomUUID(), parent }, 'id -u; cat /only-in-image; stty size', {
      type: 'MESOS',
      ...TERMINAL,
    });
    await inner.ended;
    assert.match(inner.stdout, /^65534\r\nyes20 70\r\n/);
    const input = new InputStream(machine.agentUrl, parent);
    input.resize(33, 99);
    input.write('typed\n');
    input.write('');
    assert.equal((await ended('terminal')).state, 'TASK_FINISHED');
    await input.end();
    const stdout = readFileSync(join(sandboxOf('terminal'), 'stdout'), 'utf8');
    assert.match(stdout, /^20 70\r\n.*65534\r\n.*typed.*33 99\r\nend\r\n/s);
  });

  test('nested and standalone containers have images, and lose them at their end', async () => {
    framework.launch([{ id: 'plain', script: 'sleep 600' }]);
    const parent = await containerOf('plain');
    for (const id of [{ value: 'nested', parent }, { value: 'standalone' }]) {
      const launch = {
        container_id: id,
        container: box({
          volumes: [{ mode: 'RO', container_path: '/host', host_path: host }],
        }),
        command: { value: '[ -e /only-in-image ] && [ ! -e /usr ] && sleep 600' },
      };
      const answer = await call({ type: 'LAUNCH_CONTAINER', launch_container: launch });
      assert.equal(`${answer.status}${answer.text}`, '200');
      writeFileSync(join(host, 'told'), id.value);
      const below = session({ value: randomUUID(), parent: id }, 'cat /host/told; ! echo >/host/x');
      await below.ended;
      assert.equal(below.stdout, id.value, below.stderr);
      await call({ type: 'KILL_CONTAINER', kill_container: { container_id: id } });
      assert.equal((await wait(id))?.exit_status, 9);
      await call({ type: 'REMOVE_CONTAINER', remove_container: { container_id: id } });
    }
    framework.kill('plain');
    await framework.reached('plain', 'TASK_KILLED');
    await eventually('no root is left', async () => (roots().length === 0 ? true : undefined));
  });

  test('without a command, a standalone container runs that of its image', async () => {
    const container_id = { value: 'entry' };
    const command = { shell: false, arguments: ['given'] };
    const launch = { container_id, container: box(), command };
    const answer = await call({ type: 'LAUNCH_CONTAINER', launch_container: launch });
    assert.equal(`${answer.status}${answer.text}`, '200');
    assert.equal((await wait(container_id))?.exit_status, 0);
    const stdout = join(machine.folder, 'agent/containers/entry/stdout');
    assert.equal(readFileSync(stdout, 'utf8'), 'entry given\n');
    await call({ type: 'REMOVE_CONTAINER', remove_container: { container_id } });
  });

  test('an image is a volume, in a container with and without one of its own', async () => {
    const image = imageOf('files');
    const volume = (mode: 'RO' | 'RW', container_path: string): Volume => ({
      mode,
      container_path,
      image,
    });
    const script = [
      '[ "$(cat in/a/file)" = "from image" ]',
      '! echo >in/x',
      'echo mine >own/a/file && [ "$(cat own/a/file)" = mine ]',
      '[ "$(cat in/a/file)" = "from image" ]',
    ].join(' && ');
    const volumes = [volume('RO', 'in'), volume('RW', 'own')];
    framework.launch([
      { id: 'volumes', script, container: { type: 'MESOS', volumes } },
      { id: 'both', script, mem: 32, container: box({ volumes }) },
      {
        id: 'beside',
        script: '[ "$(cat /opt/image/a/file)" = "from image" ]',
        mem: 32,
        container: box({ volumes: [volume('RO', '/opt/image')] }),
      },
    ]);
    for (const id of ['volumes', 'both', 'beside']) {
      assert.equal((await ended(id)).message, 'Command exited with status 0', id);
    }
  });

  test('PRUNE_IMAGES takes what nobody uses, also after kill -9; a pulled image comes again', async () => {
    framework.launch([{ id: 'holds', script: 'sleep 600', mem: 32, container: box() }]);
    await framework.reached('holds', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    const own = join(machine.folder, 'agent/run/images/images');
    // Volumes of images are the agent's own, whoever runs the container.
    const images = () => [
      ...(existsSync(own) ? readdirSync(own) : []),
      ...(containerd?.ctr('mesos', 'images', 'ls', '-q').split('\n').filter(Boolean) ?? []),
    ];
    assert.equal(images().length, 2);
    const prune = (excluded_images: ContainerInfo['mesos'][]) =>
      call({
        type: 'PRUNE_IMAGES',
        prune_images: { excluded_images: excluded_images.map((one) => one?.image as never) },
      });
    assert.equal((await prune([{ image: imageOf('files') }])).status, 200);
    assert.equal(images().length, 2);
    assert.equal((await prune([])).status, 200);
    assert.equal(images().length, 1);
    const inside = session(
      { value: randomUUID(), parent: await containerOf('holds') },
      'cat /only-in-image',
    );
    await inside.ended;
    assert.equal(inside.stdout, 'yes', inside.stderr);
    framework.kill('holds');
    await framework.reached('holds', 'TASK_KILLED');
    await eventually('the last image goes', async () => {
      await prune([]);
      return images().length === 0 ? true : undefined;
    });
    framework.launch([{ id: 'again', script: 'cat /only-in-image', mem: 32, container: box() }]);
    assert.equal((await ended('again')).state, 'TASK_FINISHED');
  });
}

suite(`containers with images (${bestMaster} master)`, { skip: cannot }, () =>
  containersWithImages('mesos'),
);
const skip = cannot !== false ? cannot : found.ok ? false : found.reason;
suite(`containers with images, by containerd (${bestMaster} master)`, { skip }, () =>
  containersWithImages('containerd'),
);
