// Volumes of CSI plugins (`--isolation=volume/csi`, `--csi_plugin_config_dir`): a plugin that somebody runs, and one that
// the agent runs, with volumes that are staged, published, used and taken back, whoever is killed meanwhile. As root.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { csiSocketFolder } from '#mesos/agent/csi.ts';
import type { TaskStatus, Volume, Volume_Source_CSIVolume } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { csiPlugin } from '#test/support/csi-plugin.ts';
import { type AskedTask, TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const built = await csiPlugin();
const notRoot = process.getuid?.() === 0 ? false : 'needs root';
const skip = built.ok ? notRoot : built.reason;
const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);

suite(`volumes of CSI plugins (${bestMaster} master)`, { skip }, () => {
  const machine = new AgentMachine(bestMaster);
  const at = (...names: string[]): string => join(machine.folder, ...names);
  const configFolder = at('plugins');
  const volumes = at('volumes');
  const calls = at('calls');
  const socket = at('plugin.sock');
  const flags = [
    '--flag',
    'isolation=filesystem/linux,volume/csi',
    '--flag',
    `csi_plugin_config_dir=${configFolder}`,
  ];
  let framework: TestFramework;
  let plugin: ChildProcess | undefined;

  const variables = { CALLS: calls, VOLUMES: volumes };
  function startPlugin(): void {
    const own = { ...process.env, ...variables, CSI_ENDPOINT: `unix://${socket}` };
    plugin = spawn(built.ok ? built.path : '', { env: own, stdio: 'ignore' });
  }

  before(async () => {
    for (const path of [configFolder, volumes]) mkdirSync(path, { recursive: true });
    for (const id of ['v1', 'v2', 'v3', 'v4', 'm1']) mkdirSync(join(volumes, id));
    const endpoints = [{ csi_service: 'NODE_SERVICE', endpoint: socket }];
    const folders = { type: 'org.test.folders', endpoints, target_path_root: at('mounts') };
    writeFileSync(join(configFolder, 'folders.json'), JSON.stringify(folders));
    const managed = {
      type: 'org.test.managed',
      containers: [
        {
          services: ['NODE_SERVICE'],
          command: {
            shell: false,
            value: built.ok ? built.path : '',
            environment: {
              variables: Object.entries({ ...variables, PLAIN: '1' }).map(([name, value]) => ({
                name,
                value,
              })),
            },
          },
          resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } }],
        },
      ],
    };
    writeFileSync(join(configFolder, 'managed.json'), JSON.stringify(managed));
    startPlugin();
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    // It is nobody's but its operator's.
    await endManaged().catch(() => {});
    if (plugin !== undefined) await stop(plugin, 'SIGKILL');
    await machine.close();
    rmSync(csiSocketFolder(at('agent')), { recursive: true, force: true });
  });

  function csi(
    volumeId: string,
    {
      plugin_name = 'org.test.folders',
      mode = 'RW' as Volume['mode'],
      what = '',
      access = 'MULTI_NODE_MULTI_WRITER' as const,
    } = {},
  ): Volume {
    const csi_volume: Volume_Source_CSIVolume = {
      plugin_name,
      static_provisioning: {
        volume_id: volumeId,
        volume_capability: {
          mount: { fs_type: 'ext4', mount_flags: ['noatime'] },
          access_mode: { mode: access },
        },
        node_stage_secrets: { key: { type: 'VALUE', value: { data: encoded('hush') } } },
        node_publish_secrets: { key: { type: 'VALUE', value: { data: encoded('quiet') } } },
        volume_context: { what },
      },
    };
    const source = { type: 'CSI_VOLUME', csi_volume } as const;
    return { mode, container_path: 'data', source };
  }

  function launch(id: string, script: string, used: readonly Volume[], more = {}): void {
    const container: AskedTask['container'] = { type: 'MESOS', volumes: [...used] };
    framework.launch([{ id, script, container, ...more }]);
  }

  const said = (): readonly string[] =>
    existsSync(calls)
      ? readFileSync(calls, 'utf8')
          .trim()
          .split('\n')
          .map((line) => line.trim())
      : [];
  const of = (id: string): readonly string[] => said().filter((line) => line.split(' ')[1] === id);
  const isMounted = (path: string): boolean =>
    readFileSync('/proc/self/mounts', 'utf8').includes(` ${path} `);

  /** Nothing of it is mounted, and its folder is gone. */
  async function takenBack(id: string): Promise<void> {
    await eventually(`${id} is taken back`, async () =>
      of(id).at(-1)?.startsWith('unstage') === true && !existsSync(at('mounts', id))
        ? true
        : undefined,
    );
    for (const name of ['staging', 'target']) assert.ok(!isMounted(at('mounts', id, name)));
  }

  async function failed(id: string): Promise<TaskStatus> {
    return framework.reached(id, 'TASK_FAILED');
  }

  async function endManaged(): Promise<void> {
    const container_id = { value: 'mesos-internal-csi-org-test-managed-default--NODE_SERVICE' };
    const headers = { 'content-type': 'application/json' };
    for (const type of ['KILL_CONTAINER', 'WAIT_CONTAINER']) {
      const body = JSON.stringify({ type, [type.toLowerCase()]: { container_id } });
      const answer = await fetch(`${machine.agentUrl}/api/v1`, { method: 'POST', headers, body });
      assert.equal(answer.status, 200);
    }
  }

  test('it is staged, published, used as its user and taken back', async () => {
    const command = { value: 'echo hello >data/file && ls data', user: 'daemon' };
    launch('one', command.value, [csi('v1', { what: 'it' })], { command });
    await framework.reached('one', 'TASK_FINISHED');
    await takenBack('v1');
    assert.equal(readFileSync(join(volumes, 'v1/file'), 'utf8'), 'hello\n');
    assert.notEqual(statSync(join(volumes, 'v1')).uid, 0);
    assert.deepEqual(of('v1'), [
      'stage v1 MULTI_NODE_MULTI_WRITER ext4 hush it',
      'publish v1 false quiet it',
      'unpublish v1',
      'unstage v1',
    ]);
  });

  test('two tasks share what is published once; a group finds it; the last takes it back', async () => {
    launch('a', 'until [ -e data/b ]; do sleep 0.05; done', [csi('v2')]);
    await framework.reached('a', 'TASK_RUNNING');
    const executor_id = { value: 'group' };
    const container: AskedTask['container'] = { type: 'MESOS', volumes: [csi('v2')] };
    framework.launchGroup({ type: 'DEFAULT', executor_id }, [
      { id: 'b', script: 'touch data/b; sleep 0.3; test -e data/b', container },
    ]);
    await framework.reached('a', 'TASK_FINISHED');
    await framework.reached('b', 'TASK_FINISHED');
    await takenBack('v2');
    assert.equal(of('v2').filter((line) => line.startsWith('publish')).length, 1);
  });

  test('read-only is read-only, for the plugin and in the container', async () => {
    launch('ro', 'touch data/no 2>&1; test ! -e data/no', [csi('v1', { mode: 'RO' })]);
    await framework.reached('ro', 'TASK_FINISHED');
    await takenBack('v1');
    assert.ok(of('v1').some((line) => line.startsWith('publish v1 true')));
  });

  test('what cannot be had fails the task in words, and leaves nothing', async () => {
    launch('reader', 'true', [csi('v3', { access: 'MULTI_NODE_READER_ONLY' as never })]);
    assert.match(
      (await failed('reader')).message ?? '',
      /read-only volume 'v3' in read-write mode/,
    );
    launch('twice', 'true', [csi('v3'), { ...csi('v3'), container_path: 'again' }]);
    assert.match((await failed('twice')).message ?? '', /Found duplicate CSI volume with plugin/);
    launch('none', 'true', [csi('v3', { plugin_name: 'org.test.none' })]);
    assert.match((await failed('none')).message ?? '', /No valid CSI plugin configurations found/);
    launch('absent', 'true', [csi('absent')]);
    assert.match((await failed('absent')).message ?? '', /there is no volume absent/);
    launch('refused', 'true', [csi('v3', { what: 'refuse' })]);
    assert.match((await failed('refused')).message ?? '', /it is refused/);
    await takenBack('v3');
    assert.deepEqual(
      of('v3').map((line) => line.split(' ')[0]),
      ['stage', 'publish', 'unpublish', 'unstage'],
    );
  });

  test('an agent that is killed knows what is published, and takes back what ended without it', async () => {
    launch('kept', 'until [ -e data/go ]; do sleep 0.05; done', [csi('v4')]);
    await framework.reached('kept', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    launch('beside', 'touch data/beside; until [ -e data/go ]; do sleep 0.05; done', [csi('v4')]);
    await framework.reached('beside', 'TASK_RUNNING');
    await stop(machine.agent, 'SIGKILL');
    writeFileSync(join(volumes, 'v4/go'), '');
    machine.startAgent(flags);
    await framework.reached('kept', 'TASK_FINISHED');
    await framework.reached('beside', 'TASK_FINISHED');
    await takenBack('v4');
    assert.equal(of('v4').filter((line) => line.startsWith('publish')).length, 1);
  });

  test('a plugin that dies and comes back finishes what was begun', async () => {
    launch('linger', 'true', [csi('v3', { what: 'linger' })]);
    await framework.reached('linger', 'TASK_FAILED');
    startPlugin();
    await takenBack('v3');
  });

  test('a plugin that the agent runs is started when it is needed, and again when it has died', async () => {
    const used = [csi('m1', { plugin_name: 'org.test.managed' })];
    launch('managed', 'echo hello >data/file', used);
    await framework.reached('managed', 'TASK_FINISHED');
    assert.equal(readFileSync(join(volumes, 'm1/file'), 'utf8'), 'hello\n');
    await eventually('it is unpublished', async () =>
      of('m1').includes('unpublish m1') ? true : undefined,
    );
    assert.ok(
      said().some((line) => /^Probe \S+-S\d+$/.test(line)),
      'it knows the agent',
    );
    const target = at('agent/csi/org.test.managed/default/mounts/m1/target');
    assert.ok(!isMounted(target));
    await endManaged();
    launch('again', 'grep hello data/file', used);
    await framework.reached('again', 'TASK_FINISHED');
    // The next life of the agent takes up the one that runs: its socket stays.
    const probes = (): number => said().filter((line) => line.startsWith('Probe ')).length;
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    const before = probes();
    launch('after', 'grep hello data/file', used);
    await framework.reached('after', 'TASK_FINISHED');
    assert.equal(probes(), before + 1);
    await eventually('all is unpublished', async () =>
      of('m1').filter((line) => line === 'unpublish m1').length === 3 ? true : undefined,
    );
  });
});
