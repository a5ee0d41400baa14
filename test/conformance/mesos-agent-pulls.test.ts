// Images that take long to come: a kill of who waits for one does not wait for it, ends the pull unless others want
// it, too, and leaves nothing half done. By the agent's own launcher and by containerd; from a registry that stalls
// and from archives. Needs root and busybox; containerd where it can be had.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import type { ContainerInfo } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import type { ContainerdFixture } from '#test/support/containerd.ts';
import { CONTAINERIZERS, startContainerd } from '#test/support/containerizers.ts';
import { type AskedTask, TestFramework } from '#test/support/framework.ts';
import { StallingRegistry } from '#test/support/stalling-registry.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const BOX = { 'bin/busybox': 'busybox', 'bin/sh': '->busybox', 'bin/cat': '->busybox' };

const ofImage = (name: string): ContainerInfo => ({
  type: 'MESOS',
  mesos: { image: { type: 'DOCKER', docker: { name } } },
});

/** An agent, and what of images that come it and its containerd have. */
class World {
  readonly machine = new AgentMachine(bestMaster);
  containerd: ContainerdFixture | undefined;
  framework!: TestFramework;

  async start(of: (typeof CONTAINERIZERS)[number], more: readonly string[] = []): Promise<void> {
    const flags = [...of.flags, ...more];
    if (of.needsContainerd) {
      this.containerd = await startContainerd();
      flags.push(`containerd_socket=${this.containerd.socket}`);
    }
    await this.machine.start(flags.flatMap((one) => ['--flag', one]));
    this.framework = new TestFramework(this.machine.masterUrl, env);
  }

  async close(): Promise<void> {
    await this.framework?.close();
    try {
      await this.machine.close();
    } finally {
      await this.containerd?.stop();
    }
  }

  launch(id: string, image: string, more: Partial<AskedTask> = {}): void {
    const container = ofImage(image);
    this.framework.launch([{ id, script: 'cat /second', mem: 32, container, ...more }]);
  }

  /** What is on its way, and layers that are not whole. */
  get half(): readonly string[] {
    const run = join(this.machine.folder, 'agent/run');
    const names = (folder: string): readonly string[] =>
      existsSync(folder) ? readdirSync(folder) : [];
    const store = join(run, 'images');
    const layers = names(join(store, 'layers'));
    const lines = (...words: readonly string[]): readonly string[] =>
      this.containerd
        ?.ctr('mesos', ...words)
        .trim()
        .split('\n')
        .slice(1) ?? [];
    return [
      ...names(join(store, 'staging')),
      ...names(join(store, 'images')),
      ...layers.filter((one) => !one.endsWith('.json') && !layers.includes(`${one}.json`)),
      ...names(join(run, 'to-containerd')),
      ...lines('content', 'active'),
      ...lines('leases', 'ls'),
      ...lines('images', 'ls'),
      ...lines('snapshots', 'ls'),
      ...names(join(run, 'containers')),
    ];
  }

  /** Those of the containers that there are. */
  get roots(): readonly string[] {
    const containers = join(this.machine.folder, 'agent/run/containers');
    const roots = readdirSync(containers).map((id) => join(containers, id, 'roots'));
    return roots.filter(existsSync).flatMap((folder) => readdirSync(folder));
  }

  async leavesNothing(): Promise<void> {
    const isEmpty = async () => this.half.length === 0 || undefined;
    await eventually('nothing half done is left', isEmpty).catch((cause: unknown) => {
      throw new Error(`These are left: ${this.half.join()}`, { cause });
    });
  }
}

function ofRegistry(of: (typeof CONTAINERIZERS)[number]): void {
  const registry = new StallingRegistry(BOX, { second: 'whole' });
  const world = new World();
  before(async () => {
    await registry.start();
    await world.start(of);
  });
  after(async () => {
    await world.close();
    registry.close();
  });
  const stalls = (count: number) =>
    eventually(
      `the pull has ${count === 0 ? 'ended' : 'begun'}`,
      async () => registry.stalled.size === count || undefined,
    );

  test('a kill of a task ends the pull of its image', async () => {
    world.launch('task', registry.image);
    await stalls(1);
    world.framework.kill('task');
    const end = await world.framework.reached('task', 'TASK_KILLED');
    assert.equal(end.message, 'Task was killed before it started');
    await stalls(0);
    await world.leavesNothing();
  });

  test('a kill ends the pull of the image of an executor', async () => {
    const container = ofImage(registry.image);
    const custom = { type: 'CUSTOM' as const, executor_id: { value: 'pulls' } };
    const executor = { ...custom, container, command: { value: 'cat /second' } };
    world.framework.launch([{ id: 'of-executor', mem: 32, executor }]);
    await stalls(1);
    world.framework.kill('of-executor');
    await world.framework.reached('of-executor', 'TASK_KILLED');
    await stalls(0);
    await world.leavesNothing();
  });

  test('who is not killed gets what all have waited for', async () => {
    const asked = registry.asked;
    world.launch('leaves', registry.image);
    world.launch('stays', registry.image);
    await stalls(1);
    await world.framework.reached('stays', 'TASK_STARTING');
    world.framework.kill('leaves');
    await world.framework.reached('leaves', 'TASK_KILLED');
    registry.goOn();
    await world.framework.reached('stays', 'TASK_FINISHED');
    assert.equal(registry.asked, asked + 1);
    registry.stall();
  });

  test('what a task of a group has got before it was killed goes, though its executor lives on', async () => {
    const executor = { type: 'DEFAULT' as const, executor_id: { value: 'two groups' } };
    world.framework.launchGroup(executor, [{ id: 'first', script: 'sleep 600', mem: 32 }]);
    await world.framework.reached('first', 'TASK_RUNNING');
    await pruned(world);
    const container = ofImage(registry.image);
    const second = { id: 'second', script: 'cat /second', mem: 32, container };
    world.framework.launchGroup(executor, [second]);
    await stalls(1);
    world.framework.kill('second');
    await world.framework.reached('second', 'TASK_KILLED');
    await stalls(0);
    const roots = world.roots;
    await eventually('its root is gone', async () => world.roots.length === 0 || undefined).catch(
      (cause: unknown) => {
        throw new Error(`Roots are left: ${roots.join()}`, { cause });
      },
    );
    assert.deepEqual(world.framework.statesOf('first').at(-1), 'TASK_RUNNING');
    world.framework.kill('first');
    await world.framework.reached('first', 'TASK_KILLED');
    await world.leavesNothing();
  });

  test('a nested container that is killed does not wait for its image', async () => {
    const { agentUrl } = world.machine;
    const executor = { type: 'DEFAULT' as const, executor_id: { value: 'parent' } };
    world.framework.launchGroup(executor, [{ id: 'lives', script: 'sleep 600', mem: 32 }]);
    const { container_status } = await world.framework.reached('lives', 'TASK_RUNNING');
    const parent = container_status?.container_id;
    const container_id = { value: randomUUID(), ...(parent === undefined ? {} : { parent }) };
    const image = { type: 'DOCKER' as const, docker: { name: registry.image }, cached: false };
    const container = { type: 'MESOS' as const, mesos: { image } };
    await pruned(world);
    const launched = callAgent(agentUrl, {
      type: 'LAUNCH_CONTAINER',
      launch_container: { container_id, command: { value: 'cat /second' }, container },
    });
    await stalls(1);
    await callAgent(agentUrl, { type: 'KILL_CONTAINER', kill_container: { container_id } });
    const answer = await launched;
    assert.notEqual(answer.status, 200);
    await stalls(0);
    world.framework.kill('lives');
    await world.framework.reached('lives', 'TASK_KILLED');
    await world.leavesNothing();
  });
}

async function pruned({ machine }: World): Promise<void> {
  const answer = await callAgent(machine.agentUrl, { type: 'PRUNE_IMAGES', prune_images: {} });
  assert.equal(answer.status, 200, answer.text);
}

function ofArchive(of: (typeof CONTAINERIZERS)[number]): void {
  const store = mkdtempSync(join(tmpdir(), 'strata-slow-archives-'));
  const world = new World();
  before(async () => {
    // Who reads it waits for who writes it, for ever.
    execFileSync('mkfifo', [join(store, 'slow.tar')]);
    await world.start(of, [`docker_registry=${store}`]);
  });
  after(async () => {
    await world.close();
    rmSync(store, { recursive: true });
  });
  const readers = (): readonly string[] =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => names(pid, join(store, 'slow.tar')));

  test('a kill of a task ends the unpacking of its archive', async () => {
    world.launch('slow', 'slow');
    await eventually('it is being unpacked', async () => readers().length > 0 || undefined);
    world.framework.kill('slow');
    await world.framework.reached('slow', 'TASK_KILLED');
    await eventually('nobody unpacks it any more', async () => readers().length === 0 || undefined);
    await world.leavesNothing();
  });
}

/** Whether a process has it in its command line. */
function names(pid: string, path: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(path);
  } catch {
    return false;
  }
}

for (const of of CONTAINERIZERS.filter((one) => one.can.has('images') && one.isVariant !== true)) {
  const { name, skip } = of;
  suite(`pulls from a registry, ${name} (${bestMaster} master)`, { skip }, () => ofRegistry(of));
  suite(`pulls from an archive, ${name} (${bestMaster} master)`, { skip }, () => ofArchive(of));
}
