// Local disk as a resource provider of an agent: configured by files and by calls, in the answers of Mesos 1.11;
// its volumes hold no more than their size.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { callMaster } from '#mesos/client/operator-client.ts';
import type { Resource, ResourceProviderInfo } from '#wire/mesos/v1.ts';
import { callAgent } from '#test/support/agent-calls.ts';
import { AgentMachine, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const TYPE = 'strata.rp.local.disk';

/** Root alone does not say whether there are loop devices. */
function mayLoop(): boolean {
  const folder = join(tmpdir(), `strata-loop-${process.pid}`);
  mkdirSync(join(folder, 'at'), { recursive: true });
  const file = join(folder, 'file');
  writeFileSync(file, '');
  truncateSync(file, 4 * 1024 * 1024);
  const run = (name: string, ...options: string[]) => spawnSync(name, options).status === 0;
  const isMounted =
    run('mkfs.ext4', '-q', '-F', file) && run('mount', '-o', 'loop', file, join(folder, 'at'));
  if (isMounted) run('umount', join(folder, 'at'));
  rmSync(folder, { recursive: true, force: true });
  return isMounted;
}

suite('local disk of an agent', () => {
  const machine = new AgentMachine('own');
  const config = join(machine.folder, 'providers');
  const canLoop = mayLoop();
  const folder = join(machine.folder, 'disk');
  let framework: TestFramework;

  const info = (size: number, more: Partial<ResourceProviderInfo> = {}): ResourceProviderInfo => ({
    type: TYPE,
    name: 'ssd',
    attributes: [
      { name: 'folder', type: 'TEXT', text: { value: folder } },
      { name: 'size', type: 'SCALAR', scalar: { value: size } },
      { name: 'profile', type: 'TEXT', text: { value: 'fast' } },
      { name: 'volumes', type: 'TEXT', text: { value: canLoop ? 'ext4' : 'folder' } },
    ],
    ...more,
  });
  const add = (one: ResourceProviderInfo) =>
    callAgent(machine.agentUrl, {
      type: 'ADD_RESOURCE_PROVIDER_CONFIG',
      add_resource_provider_config: { info: one },
    });
  const update = (one: ResourceProviderInfo) =>
    callAgent(machine.agentUrl, {
      type: 'UPDATE_RESOURCE_PROVIDER_CONFIG',
      update_resource_provider_config: { info: one },
    });
  const disks = async (): Promise<string[]> => {
    const answer = await callMaster({ url: machine.masterUrl }, { type: 'GET_AGENTS' });
    const [agent] = answer.get_agents?.agents ?? [];
    return (agent?.resource_providers ?? [])
      .flatMap(({ total_resources = [] }) => total_resources)
      .map(({ disk, scalar }) => `${disk?.source?.type} ${scalar?.value}`)
      .toSorted();
  };
  const has = (...want: string[]) =>
    eventually(`the master has ${want.join(', ')}`, async () =>
      JSON.stringify(await disks()) === JSON.stringify(want) ? true : undefined,
    );

  before(async () => {
    machine.agentFlags = { resource_provider_config_dir: config };
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env, {
      roles: ['r'],
      principal: 'p',
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
    });
  });
  after(async () => {
    await framework.close();
    await machine.close();
  });

  test('a call adds it, as a file; again is the same, other than it is not', async () => {
    assert.equal((await add(info(64))).status, 200);
    await has('RAW 64');
    const [file = ''] = readdirSync(config);
    assert.match(file, /^strata\.rp\.local\.disk\.ssd\.[-0-9a-f]{36}\.json$/);
    assert.equal((await add(info(64))).status, 200);
    const other = await add(info(65));
    assert.equal(other.status, 409);
    const text = `Resource provider with type '${TYPE}' and name 'ssd' already exists`;
    assert.equal(other.text, text);
  });

  test('another size is offered at once; who is not there cannot be changed', async () => {
    assert.equal((await update(info(100))).status, 200);
    await has('RAW 100');
    const absent = await update(info(1, { name: 'hdd' }));
    assert.equal(absent.status, 409);
    const text = `Resource provider with type '${TYPE}' and name 'hdd' does not exist`;
    assert.equal(absent.text, text);
  });

  test('what makes no sense is refused', async () => {
    const attribute = (name: string, value: string) => ({
      name,
      type: 'TEXT' as const,
      text: { value },
    });
    const cases: [Partial<ResourceProviderInfo>, string][] = [
      [{ type: 'a.b' }, "Unknown local resource provider type 'a.b'"],
      [
        { name: 'a/b' },
        "Resource provider name 'a/b' does not follow Java package naming convention",
      ],
      [{ attributes: [] }, "Attribute 'folder' must be the text of an absolute path"],
      [
        { attributes: [attribute('folder', '/x')] },
        "Attribute 'size' must be a scalar, in megabytes",
      ],
      [{ attributes: [attribute('colour', 'red')] }, "Attribute 'colour' is not known"],
    ];
    for (const [more, why] of cases) {
      const asked = info(1, more);
      const { status, text } = await add(asked);
      assert.equal(status, 400);
      const what = `type '${asked.type}' and name '${asked.name}'`;
      assert.equal(text, `Failed to validate resource provider config with ${what}: ${why}`);
    }
    const { status, text } = await add(info(1, { id: { value: 'x' } }));
    const why = "Expecting 'add_resource_provider_config.info.id' to be unset";
    assert.deepEqual([status, text], [400, `Failed to validate agent::Call: ${why}`]);
  });

  test('a task finds its volume, and no more room in it than it has', async () => {
    const reservations = [{ type: 'DYNAMIC' as const, role: 'r', principal: 'p' }];
    const find = (resources: Resource[], type: string) =>
      resources.find(({ disk }) => disk?.source?.type === type);
    framework.operate(({ resources = [] }) => {
      const raw = find(resources, 'RAW');
      if (raw === undefined) return undefined;
      const source = { ...raw, scalar: { value: 16 } };
      const create_disk = { source, target_type: 'MOUNT' as const };
      return [{ type: 'CREATE_DISK', id: { value: 'make' }, create_disk }];
    });
    await framework.operated('make', 'OPERATION_FINISHED');
    framework.operate(({ resources = [], agent_id }) => {
      const disk = find(resources, 'MOUNT');
      const scalar = (name: string, value: number): Resource => ({
        name,
        type: 'SCALAR',
        scalar: { value },
        allocation_info: { role: 'r' },
      });
      if (disk === undefined || !resources.some(({ name }) => name === 'cpus')) return undefined;
      const volume = {
        ...disk,
        reservations,
        disk: {
          ...disk.disk,
          persistence: { id: 'v', principal: 'p' },
          volume: { container_path: 'data', mode: 'RW' as const },
        },
      };
      const task = (id: string, script: string) => ({
        name: id,
        task_id: { value: id },
        agent_id,
        resources: [scalar('cpus', 0.1), scalar('mem', 64), volume],
        command: { value: script },
      });
      return [
        { type: 'RESERVE', reserve: { resources: [{ ...disk, reservations }] } },
        { type: 'CREATE', create: { volumes: [volume] } },
        {
          type: 'LAUNCH',
          launch: {
            task_infos: [
              task('fills', 'echo kept > data/file; head -c 32000000 /dev/zero > data/big'),
            ],
          },
        },
      ];
    });
    await framework.reached('fills', canLoop ? 'TASK_FAILED' : 'TASK_FINISHED');
    await has('MOUNT 16', 'RAW 84');
  });

  test('an agent that was killed has it again, with what is on it', async () => {
    await stop(machine.agent, 'SIGKILL');
    await eventually('the master misses it', async () => {
      const answer = await machine.ask('/slaves');
      const { slaves } = (await answer.json()) as { slaves: { active: boolean }[] };
      return slaves.every((one) => !one.active) ? true : undefined;
    });
    machine.startAgent();
    await machine.agentActive();
    await has('MOUNT 16', 'RAW 84');
    const [id = ''] = readdirSync(join(folder, 'volumes'));
    assert.equal(readFileSync(join(folder, 'volumes', id, 'target', 'file'), 'utf8'), 'kept\n');
  });

  test('a call removes it, and again is the same', async () => {
    const remove = () =>
      callAgent(machine.agentUrl, {
        type: 'REMOVE_RESOURCE_PROVIDER_CONFIG',
        remove_resource_provider_config: { type: TYPE, name: 'ssd' },
      });
    assert.equal((await remove()).status, 200);
    await has();
    assert.deepEqual(readdirSync(config), []);
    assert.equal((await remove()).status, 200);
    for (const id of readdirSync(join(folder, 'volumes'))) {
      spawnSync('umount', [join(folder, 'volumes', id, 'target')]);
    }
  });
});
