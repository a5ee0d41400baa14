// The isolator disk/xfs on a kernel that has quotas of projects: what a task may write, what becomes of who
// writes more, persistent volumes, ids over restarts. Where the kernel has none: docs/internals/mesos-tests.md.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { linuxProjects } from '#mesos/agent/project-kernel.ts';
import type { Resource, TaskStatus } from '#wire/mesos/v1.ts';
import { AgentMachine, bestMaster, stop } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';
import { xfsFolder } from '#test/support/xfs.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });
const MB = 1024 * 1024;
const xfs = xfsFolder();
const skip = typeof xfs === 'string' ? xfs : false;
after(() => typeof xfs !== 'string' && xfs.close());

const allocation_info = { role: 'r' };
const scalar = (name: string, value: number): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  allocation_info,
});
const resources = (diskMb: number) => [
  scalar('cpus', 0.01),
  scalar('mem', 32),
  scalar('disk', diskMb),
];

function stories(kills: boolean): void {
  const machine = new AgentMachine(bestMaster);
  const own = [
    '--resources',
    'cpus:2;mem:1024;disk:300',
    '--flag',
    'isolation=disk/xfs',
    'enforce_container_disk_quota=true',
    `xfs_kill_containers=${kills}`,
    'xfs_quota_headroom=2MB',
    'xfs_project_range=[7000-7003]',
    'container_disk_watch_interval=200ms',
    'disk_watch_interval=200ms',
    'gc_delay=0secs',
  ];
  const home = join(typeof xfs === 'string' ? '' : xfs.folder, kills ? 'kills' : 'refuses');
  const flags = ['--home', home, ...own];
  let framework: TestFramework;
  before(async () => {
    await machine.start(flags);
    framework = new TestFramework(machine.masterUrl, env, { roles: ['r'], principal: 'p' });
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });
  async function ended(id: string): Promise<TaskStatus> {
    const isEnd = (one: TaskStatus): boolean =>
      one.task_id.value === id && /FINISHED|FAILED|KILLED/.test(one.state);
    await framework.until(`${id} ended`, () => framework.updates.some(isEnd));
    return framework.updates.find(isEnd) as TaskStatus;
  }
  const metric = async (name: string): Promise<number> => {
    const answer = await fetch(`${machine.agentUrl}/metrics/snapshot`);
    const all = (await answer.json()) as Record<string, number>;
    return all[`containerizer/mesos/disk/${name}`] ?? -1;
  };
  const writes = (mb: number, file = 'f'): string => `head -c ${mb * MB} /dev/zero >${file}`;

  test('who writes less than it has is left alone, who writes more is not', async () => {
    framework.launch([{ id: 'frugal', script: writes(3), resources: resources(4) }]);
    assert.equal((await ended('frugal')).state, 'TASK_FINISHED');
    const script = `${writes(5)} && sync f; r=$?; [ $r = 0 ] && sleep 600; exit 9`;
    framework.launch([{ id: 'greedy', script, resources: resources(4) }]);
    const end = await ended('greedy');
    if (!kills) {
      assert.match(end.message ?? '', /exited with status 9/, 'it cannot write so much');
      return;
    }
    assert.equal(`${end.state} ${end.reason}`, 'TASK_FAILED REASON_CONTAINER_LIMITATION_DISK');
    assert.match(end.message ?? '', /^Disk usage \(\d+[KM]?B\) exceeded quota \(4MB\)$/);
    assert.deepEqual(
      end.limitation?.resources?.map((one) => [one.name, one.scalar?.value]),
      [['disk', 5]],
    );
  });

  test('a persistent volume has a quota of its own, with the same id after a restart', async () => {
    const reservation = { type: 'DYNAMIC' as const, role: 'r', principal: 'p' };
    const reserved = { ...scalar('disk', 6), reservations: [reservation] };
    const volume: Resource = {
      ...reserved,
      disk: {
        persistence: { id: 'v', principal: 'p' },
        volume: { container_path: 'v', mode: 'RW' },
      },
    };
    framework.operate(() => [
      { type: 'RESERVE', reserve: { resources: [reserved] } },
      { type: 'CREATE', create: { volumes: [volume] } },
    ]);
    const folder = join(home, 'volumes/roles/r/v');
    const has = async (id: string, script: string): Promise<TaskStatus> => {
      framework.operate((offer) => {
        const isThere = offer.resources?.some((one) => one.disk?.persistence?.id === 'v');
        if (isThere !== true) return undefined;
        const { agent_id } = offer;
        const command = { value: script };
        const all = [...resources(4), volume];
        const task = { name: id, task_id: { value: id }, agent_id, resources: all, command };
        return [{ type: 'LAUNCH', launch: { task_infos: [task] } }];
      });
      return ended(id);
    };
    assert.equal((await has('fits', writes(5, 'v/f'))).state, 'TASK_FINISHED');
    const [project = 0] = await linuxProjects.projectsOf([folder]);
    assert.ok(project >= 7000 && project <= 7003, `project ${project}`);
    const usage = await linuxProjects.usage(linuxProjects.deviceOf(folder), project);
    assert.equal(usage.softBytes, 6 * MB);
    assert.ok(usage.usedBytes >= 5 * MB);
    await stop(machine.agent, 'SIGKILL');
    machine.startAgent(flags);
    await machine.agentActive();
    const end = await has('more', `${writes(2, 'v/g')} || exit 9; sync v/g; sleep 600`);
    assert.deepEqual(await linuxProjects.projectsOf([folder]), [project]);
    if (!kills) assert.match(end.message ?? '', /exited with status 9/);
    else assert.match(end.message ?? '', /exceeded quota \(6MB\) for volume 'v'$/);
  });

  test('ids come back with the sandboxes that go', async () => {
    assert.equal(await metric('project_ids_total'), 4);
    // One for the volume.
    await eventually('the others are free', async () =>
      (await metric('project_ids_free')) === 3 ? true : undefined,
    );
    for (const id of ['t1', 't2', 't3', 't4', 't5', 't6']) {
      framework.launch([{ id, script: writes(1), resources: resources(4) }]);
      assert.equal((await ended(id)).state, 'TASK_FINISHED');
    }
  });
}

suite('disk/xfs that refuses', { skip }, () => stories(false));
suite('disk/xfs that kills', { skip }, () => stories(true));
