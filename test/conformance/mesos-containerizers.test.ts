// What every containerizer of an agent does, run over all of them: as processes, by the agent's own launcher
// on Linux with images and without, and by containerd. What one cannot it refuses in words.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { ContainerInfo, TaskStatus } from '#wire/mesos/v1.ts';
import { OutputStream } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import type { ContainerdFixture } from '#test/support/containerd.ts';
import { type Ability, type Containerizer, CONTAINERIZERS } from '#test/support/containerizers.ts';
import { startContainerd } from '#test/support/containerizers.ts';
import { canServeImages, DockerRegistry } from '#test/support/docker-registry.ts';
import { type AskedTask, TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const PROGRAMS = 'sh cat ls id sleep stty wget grep tty echo test env mknod dd'.split(' ');
const BOX = {
  'bin/busybox': 'busybox',
  ...Object.fromEntries(PROGRAMS.map((name) => [`bin/${name}`, '->busybox'])),
  'only-in-image': 'yes',
  'etc/passwd': 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n',
};
/** In the environment of what is to be gone at the end. */
const MARK = `mark-${process.pid}`;

/** An agent with one containerizer, and what its tasks do. */
class World {
  readonly of: Containerizer;
  readonly machine = new AgentMachine(bestMaster);
  readonly registry = new DockerRegistry();
  readonly volume = mkdtempSync(join(tmpdir(), 'strata-volume-'));
  containerd: ContainerdFixture | undefined;
  framework!: TestFramework;
  #flags: readonly string[] = [];

  constructor(of: Containerizer) {
    this.of = of;
  }

  get image(): string {
    return `${this.registry.host}/test/box`;
  }

  async start(): Promise<void> {
    const { of, machine } = this;
    if (canServeImages) {
      await this.registry.start();
      await this.registry.push('test/box', [BOX], { Env: ['FROM_IMAGE=yes', 'PATH=/bin'] });
    }
    const flags = [...of.flags];
    if (of.needsContainerd) {
      this.containerd = await startContainerd();
      flags.push(`containerd_socket=${this.containerd.socket}`);
    }
    of.prepare(machine);
    this.#flags = flags.flatMap((one) => ['--flag', one]);
    await machine.start(this.#flags);
    this.framework = new TestFramework(machine.masterUrl, env);
  }

  async close(): Promise<void> {
    await this.framework?.close();
    try {
      await this.machine.close();
    } finally {
      await this.registry.close();
      await this.containerd?.stop();
      rmSync(this.volume, { recursive: true });
    }
  }

  /** `flags`: other ones than it had. */
  async restartAgent(
    meanwhile: () => void | Promise<void>,
    flags: readonly string[] = this.#flags,
  ): Promise<void> {
    await stop(this.machine.agent, 'SIGKILL');
    await meanwhile();
    this.machine.startAgent(flags);
    await this.machine.agentActive();
  }

  launch(task: AskedTask, more?: Partial<ContainerInfo>): void {
    const kill_policy = SHORT;
    const container = this.of.container(this.image, more);
    this.framework.launch([{ mem: 32, kill_policy, ...(container && { container }), ...task }]);
  }

  async ended(id: string): Promise<TaskStatus> {
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED|ERROR|LOST/.test(one.state);
    await this.framework.until(`${id} ended`, () => this.framework.updates.some(isEnd));
    return this.framework.updates.find(isEnd) as TaskStatus;
  }

  /** A task that runs to its end. */
  async run(task: AskedTask, more?: Partial<ContainerInfo>): Promise<TaskStatus> {
    this.launch(task, more);
    return this.ended(task.id);
  }

  sandbox(executorId: string): string {
    const agentId = this.framework.updates[0]?.agent_id?.value ?? '';
    const frameworks = join(this.machine.folder, 'agent/slaves', agentId, 'frameworks');
    const id = this.framework.client.frameworkId ?? '';
    return join(frameworks, id, 'executors', executorId, 'runs/latest');
  }

  output(executorId: string, file = 'stdout'): string {
    const path = join(this.sandbox(executorId), file);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  async says(id: string, text: string): Promise<void> {
    const says = async () => this.output(id).includes(text) || undefined;
    await eventually(`${id} says ${text}`, says);
  }
}

function marked(mark: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`MARK=${mark}\0`);
      } catch {
        return false;
      }
    });
}

const marking = (mark: string) => ({ variables: [{ name: 'MARK', value: mark }] });
/** The first process of a pid namespace hears only what it asks for. */
const SHORT = { grace_period: { nanoseconds: 2e8 } };
const FOREVER = 'while :; do sleep 0.1; done';

function behaves(of: Containerizer): void {
  const world = new World(of);
  before(() => world.start());
  after(() => world.close());

  /** What is refused is told, and leaves nothing; what one can is shown. */
  function able(
    ability: Ability,
    what: string,
    refused: AskedTask,
    run: () => Promise<void>,
  ): void {
    const why = of.refuses[ability];
    if (of.can.has(ability)) test(what, run);
    else if (why !== undefined) {
      test(`refused: ${what}`, async () => {
        world.framework.launch([{ mem: 32, ...refused }]);
        const { state, message } = await world.ended(refused.id);
        assert.equal(state, 'TASK_FAILED');
        assert.match(message ?? '', why);
      });
    }
  }

  startsAndEnds(world);
  kills(world);
  sees(world, able);
  limits(world, able);
  joins(world);
  if (of.isVariant !== true) recovers(world);
  leavesNothing(world);
}

type Able = (ability: Ability, what: string, refused: AskedTask, run: () => Promise<void>) => void;

function startsAndEnds(world: World): void {
  const { of } = world;

  test('a command says what it says into the sandbox, and how it ends is told', async () => {
    const end = await world.run({ id: 'says', script: 'echo out; echo err >&2; exit 3' });
    assert.equal(end.state, 'TASK_FAILED');
    assert.equal(end.message, 'Command exited with status 3');
    assert.equal(world.output('says'), 'out\n');
    assert.equal(world.output('says', 'stderr'), 'err\n');
    assert.equal((await world.run({ id: 'good', script: 'true' })).state, 'TASK_FINISHED');
  });

  test('a code above 128 is told as a code', async () => {
    const end = await world.run({ id: 'code', script: 'exit 137' });
    assert.equal(end.message, 'Command exited with status 137');
  });

  test('words are no shell command, and a program that is not there is told', async () => {
    const end = await world.run({ id: 'words', command: of.words('/bin/echo', 'a  b', '$HOME') });
    assert.equal(end.state, 'TASK_FINISHED', end.message ?? '');
    assert.equal(world.output('words'), 'a  b $HOME\n');
    const none = await world.run({ id: 'nobody', command: of.words('/no/such/program') });
    assert.equal(none.message, 'Command exited with status 127');
  });

  test('it has its environment and its sandbox', async () => {
    const environment = { variables: [{ name: 'GIVEN', value: 'x y' }] };
    const value = 'echo "$GIVEN"; echo "$MESOS_SANDBOX"; pwd; echo kept >"$MESOS_SANDBOX/file"';
    const end = await world.run({ id: 'env', command: { value, environment } });
    assert.equal(end.state, 'TASK_FINISHED', end.message ?? '');
    const lines = world.output('env').trim().split('\n');
    const own = lines[1] ?? '';
    assert.deepEqual(lines, ['x y', of.inside?.sandbox ?? own, of.inside?.folder ?? own]);
    assert.equal(readFileSync(join(world.sandbox('env'), 'file'), 'utf8'), 'kept\n');
  });

  test('what a task has left in the background ends with it', async () => {
    const mark = `${MARK}-background`;
    const command = { value: 'sleep 600 & exit 0', environment: marking(mark) };
    assert.equal((await world.run({ id: 'leaves', command })).state, 'TASK_FINISHED');
    await eventually('all are gone', async () => marked(mark).length === 0 || undefined);
  });
}

function kills(world: World): void {
  test('a kill asks first', async () => {
    const kill_policy = { grace_period: { nanoseconds: 60e9 } };
    const script = `trap "echo bye; exit 7" TERM; echo up; ${FOREVER}`;
    world.launch({ id: 'asked', script, kill_policy });
    await world.says('asked', 'up');
    world.framework.kill('asked');
    assert.equal((await world.ended('asked')).state, 'TASK_KILLED');
    assert.equal(world.output('asked'), 'up\nbye\n');
  });

  test('a kill that is not heard ends it after its grace', async () => {
    world.launch({ id: 'deaf', script: `trap "" TERM; echo up; ${FOREVER}` });
    await world.says('deaf', 'up');
    world.framework.kill('deaf');
    assert.equal((await world.ended('deaf')).state, 'TASK_KILLED');
  });
}

function sees(world: World, able: Able): void {
  const { of } = world;
  const inside = of.inside === undefined ? 'data' : '/data';
  const volume = { mode: 'RO' as const, container_path: inside, host_path: world.volume };
  const script = `cat ${inside}/file && ! echo x 2>/dev/null >${inside}/other`;
  const refused = { type: 'MESOS' as const, volumes: [volume] };
  able(
    'mounts',
    'a volume of the machine, to be read only',
    { id: 'v', script, container: refused },
    async () => {
      writeFileSync(join(world.volume, 'file'), 'of the machine\n');
      const end = await world.run({ id: 'volume', script }, { volumes: [volume] });
      assert.equal(end.state, 'TASK_FINISHED', world.output('volume', 'stderr') + end.message);
      assert.equal(world.output('volume'), 'of the machine\n');
    },
  );

  able('users', 'another user', { id: 'u' }, async () => {
    // The agent's own folder is shut to others: from the machine's root the sandbox is where they start.
    const place = of.inside === undefined ? '.' : of.inside.sandbox;
    const value = `id -u; echo mine >${place}/mine`;
    const end = await world.run({ id: 'user', command: { value, user: 'nobody' } });
    assert.equal(end.state, 'TASK_FINISHED', world.output('user', 'stderr') + end.message);
    assert.equal(world.output('user'), '65534\n');
  });

  const image = { type: 'DOCKER' as const, docker: { name: 'box' } };
  const ofImage = { type: 'MESOS' as const, mesos: { image } };
  able('images', 'an image', { id: 'i', script: 'true', container: ofImage }, async () => {
    const value = 'cat /only-in-image; echo " $FROM_IMAGE"; [ ! -e /usr ]';
    const end = await world.run({ id: 'image', script: value });
    assert.equal(end.state, 'TASK_FINISHED', end.message ?? '');
    assert.equal(world.output('image'), 'yes yes\n');
  });

  const docker = { type: 'DOCKER' as const, docker: { image: 'box' } };
  able(
    'docker',
    'a container of type DOCKER',
    { id: 'd', script: 'true', container: docker },
    async () => {
      const container = { ...docker, docker: { image: world.image, force_pull_image: true } };
      world.framework.launch([{ id: 'docker', script: 'cat /only-in-image', mem: 32, container }]);
      const end = await world.ended('docker');
      assert.equal(end.state, 'TASK_FINISHED', end.message ?? '');
      assert.equal(world.output('docker'), 'yes');
    },
  );

  if (!of.can.has('walls')) return;
  test('it sees no process, file or device but its own', async () => {
    const tries = [
      '[ "$(ls -d /proc/[0-9]* | wc -l)" -lt 8 ] || echo processes',
      `[ ! -e ${world.machine.folder} ] || echo files`,
      '! echo x 2>/dev/null >/proc/sys/kernel/hostname || echo kernel',
      '! echo x 2>/dev/null >/sys/kernel/profiling || echo sys',
      '{ mknod /disk b 7 0 && dd if=/disk of=/dev/null count=1; } 2>/dev/null && echo devices',
      'cat /proc/kcore 2>/dev/null | dd bs=1 count=1 2>/dev/null',
      'echo end',
    ];
    const end = await world.run({ id: 'walls', script: tries.join('\n') });
    assert.equal(world.output('walls'), 'end\n', end.message ?? '');
  });
}

function limits(world: World, able: Able): void {
  able('limits', 'too much memory ends it, and is told as that', { id: 'm' }, async () => {
    const script = 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done';
    const end = await world.run({ id: 'hungry', script });
    assert.equal(end.state, 'TASK_FAILED');
    assert.equal(end.reason, 'REASON_CONTAINER_LIMITATION_MEMORY');
    assert.equal(end.limitation?.resources?.[0]?.name, 'mem');
  });

  able('limits', 'no more processes than it may have', { id: 'p' }, async () => {
    const script = 'i=0; while [ $i -lt 100 ]; do sleep 600 & i=$((i+1)); echo $i; done';
    const end = await world.run({ id: 'forks', script });
    assert.notEqual(end.state, 'TASK_FINISHED');
    assert.ok(world.output('forks').split('\n').length < 60);
  });

  test('what it uses is told', async () => {
    world.launch({ id: 'used', script: FOREVER });
    await world.framework.reached('used', 'TASK_RUNNING');
    const statistics = await eventually('statistics of the task', async () => {
      const answer = await fetch(`${world.machine.agentUrl}/monitor/statistics`);
      const all = (await answer.json()) as {
        executor_id: string;
        statistics: Record<string, number>;
      }[];
      const own = all.find((one) => one.executor_id === 'used')?.statistics;
      return (own?.['mem_rss_bytes'] ?? 0) > 0 ? own : undefined;
    });
    const { cpus_user_time_secs: user = -1, cpus_system_time_secs: system = -1 } = statistics;
    assert.ok(user >= 0 && system >= 0);
    world.framework.kill('used');
    await world.ended('used');
  });
}

function joins(world: World): void {
  test('a check runs in it, and so does a session', async () => {
    const check = {
      type: 'COMMAND' as const,
      command: { value: '[ "$IN" = task ] && cat /proc/1/comm && [ -e "$MESOS_SANDBOX/up" ]' },
      delay_seconds: 0,
      interval_seconds: 0.1,
      grace_period_seconds: 60,
    };
    const environment = { variables: [{ name: 'IN', value: 'task' }] };
    const value = `echo >"$MESOS_SANDBOX/up"; ${FOREVER}`;
    world.launch({ id: 'joined', command: { value, environment }, health_check: check });
    await world.framework.until('it is healthy', () =>
      world.framework.updates.some((one) => one.task_id.value === 'joined' && one.healthy === true),
    );
    const { container_status } = await world.framework.reached('joined', 'TASK_RUNNING');
    const output = new OutputStream(world.machine.agentUrl, {
      type: 'LAUNCH_NESTED_CONTAINER_SESSION',
      launch_nested_container_session: {
        container_id: { value: randomUUID(), parent: container_status?.container_id as never },
        command: { value: 'cd "$MESOS_SANDBOX" && ls up; echo "$IN"' },
      },
    });
    await output.ended;
    assert.equal(output.stdout, 'up\ntask\n', output.stderr);
    world.framework.kill('joined');
    await world.ended('joined');
  });

  if (!world.of.can.has('groups')) return;
  test('tasks of a group end together when one fails', async () => {
    const container = world.of.container(world.image);
    const own = container === undefined ? {} : { container };
    const executor = { type: 'DEFAULT' as const, executor_id: { value: 'group' } };
    world.framework.launchGroup(executor, [
      { id: 'one', script: FOREVER, mem: 32, kill_policy: SHORT, ...own },
      { id: 'two', script: 'exit 5', mem: 32, ...own },
    ]);
    assert.equal((await world.ended('two')).message, 'Command exited with status 5');
    assert.equal((await world.ended('one')).state, 'TASK_KILLED');
  });
}

function recovers(world: World): void {
  test('tasks outlive their agent: what ends meanwhile is told, what goes on can be killed', async () => {
    const waits = 'until [ -e "$MESOS_SANDBOX/go" ]; do sleep 0.05; done; exit 4';
    world.launch({ id: 'lives', script: `echo up; ${FOREVER}` });
    world.launch({ id: 'ends', script: `echo up; ${waits}` });
    for (const id of ['lives', 'ends']) await world.says(id, 'up');
    for (const id of ['lives', 'ends']) await world.framework.reached(id, 'TASK_RUNNING');
    await world.restartAgent(() => writeFileSync(join(world.sandbox('ends'), 'go'), ''));
    assert.equal((await world.ended('ends')).message, 'Command exited with status 4');
    assert.deepEqual(world.framework.statesOf('lives').at(-1), 'TASK_RUNNING');
    world.framework.kill('lives');
    assert.equal((await world.ended('lives')).state, 'TASK_KILLED');
  });

  if (world.of.needsContainerd) {
    test('tasks outlive containerd, and their ends are heard when it is back', async () => {
      const waits = 'until [ -e "$MESOS_SANDBOX/go" ]; do sleep 0.05; done; exit 6';
      world.launch({ id: 'stays', script: `echo up; ${waits}` });
      await world.says('stays', 'up');
      await world.containerd?.restart();
      writeFileSync(join(world.sandbox('stays'), 'go'), '');
      assert.equal((await world.ended('stays')).message, 'Command exited with status 6');
    });

    test('an agent that makes no more of them keeps and ends those that it has', async () => {
      world.launch({ id: 'kept', script: `echo up; ${FOREVER}` });
      await world.says('kept', 'up');
      await world.framework.reached('kept', 'TASK_RUNNING');
      await world.restartAgent(() => {}, []);
      assert.deepEqual(world.framework.statesOf('kept').at(-1), 'TASK_RUNNING');
      world.framework.kill('kept');
      assert.equal((await world.ended('kept')).state, 'TASK_KILLED');
      await eventually('nothing is left', async () => left(world).length === 0 || undefined);
      await world.restartAgent(() => {});
    });
  }

  test('what nobody knows any more is ended', async () => {
    const mark = `${MARK}-orphan`;
    const command = { value: `echo up; ${FOREVER}`, environment: marking(mark) };
    world.launch({ id: 'orphan', command });
    await world.says('orphan', 'up');
    assert.ok(marked(mark).length > 0 && left(world).length > 0);
    await world.restartAgent(() => {
      rmSync(join(world.machine.folder, 'agent/meta'), { recursive: true });
    });
    await eventually('it is gone', async () => marked(mark).length === 0 || undefined);
    await eventually('nothing is left', async () => left(world).length === 0 || undefined);
  });
}

function leavesNothing(world: World): void {
  test('nothing is left of what has ended', async () => {
    await eventually('nothing is left', async () => left(world).length === 0 || undefined).catch(
      (cause: unknown) => {
        throw new Error(`These are left: ${left(world).join()}`, { cause });
      },
    );
  });
}

/** Of containers that have ended, whoever has run them. */
function left({ machine, containerd }: World): readonly string[] {
  const containers = join(machine.folder, 'agent/run/containers');
  const folders = existsSync(containers) ? readdirSync(containers) : [];
  const lines = (...words: readonly string[]): readonly string[] =>
    containerd
      ?.ctr('mesos', ...words)
      .trim()
      .split('\n')
      .slice(1) ?? [];
  return [
    ...folders,
    ...lines('containers', 'ls'),
    ...lines('tasks', 'ls'),
    ...lines('leases', 'ls'),
    ...lines('snapshots', 'ls').filter((line) => !line.includes('Committed')),
  ];
}

for (const containerizer of CONTAINERIZERS) {
  const { name, skip } = containerizer;
  suite(`containerizer ${name} (${bestMaster} master)`, { skip }, () => behaves(containerizer));
}
