// What an agent's /metrics/snapshot tells: every name that a real Mesos 1.11 agent has with the posix
// isolators, and what is counted behind them. The web UI of Mesos and exporters read them.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createEnv } from '#env/node/env.ts';
import { AgentMachine, bestMaster } from '#test/support/agent-machine.ts';
import { eventually } from '#test/support/cluster.ts';
import { TestFramework } from '#test/support/framework.ts';

const env = createEnv({ component: 'test', logLevel: 'error', logFormat: 'text' });

/** As a real agent answered on 2026-11-29 with `posix/cpu,posix/mem,filesystem/posix`. */
const NAMES = `
containerizer/fetcher/cache_size_total_bytes
containerizer/fetcher/cache_size_used_bytes
containerizer/fetcher/task_fetches_failed
containerizer/fetcher/task_fetches_succeeded
containerizer/mesos/container_destroy_errors
containerizer/mesos/provisioner/bind/remove_rootfs_errors
containerizer/mesos/provisioner/remove_container_errors
gc/path_removals_failed
gc/path_removals_pending
gc/path_removals_succeeded
resource_provider_manager/events/disconnect
resource_provider_manager/events/subscribe
resource_provider_manager/subscribed
slave/container_launch_errors
slave/cpus_percent
slave/cpus_revocable_percent
slave/cpus_revocable_total
slave/cpus_revocable_used
slave/cpus_total
slave/cpus_used
slave/disk_percent
slave/disk_revocable_percent
slave/disk_revocable_total
slave/disk_revocable_used
slave/disk_total
slave/disk_used
slave/executor_directory_max_allowed_age_secs
slave/executors_preempted
slave/executors_registering
slave/executors_running
slave/executors_terminated
slave/executors_terminating
slave/frameworks_active
slave/gpus_percent
slave/gpus_revocable_percent
slave/gpus_revocable_total
slave/gpus_revocable_used
slave/gpus_total
slave/gpus_used
slave/invalid_framework_messages
slave/invalid_status_updates
slave/mem_percent
slave/mem_revocable_percent
slave/mem_revocable_total
slave/mem_revocable_used
slave/mem_total
slave/mem_used
slave/recovery_errors
slave/recovery_time_secs
slave/registered
slave/tasks_failed
slave/tasks_finished
slave/tasks_gone
slave/tasks_killed
slave/tasks_killing
slave/tasks_lost
slave/tasks_running
slave/tasks_staging
slave/tasks_starting
slave/uptime_secs
slave/valid_framework_messages
slave/valid_status_updates
system/cpus_total
system/load_15min
system/load_1min
system/load_5min
system/mem_free_bytes
system/mem_total_bytes
`
  .trim()
  .split('\n');

suite(`metrics of the agent (${bestMaster} master)`, () => {
  const machine = new AgentMachine(bestMaster);
  let framework: TestFramework;
  before(async () => {
    await machine.start();
    framework = new TestFramework(machine.masterUrl, env);
  });
  after(async () => {
    await framework?.close();
    await machine.close();
  });

  const metrics = async (): Promise<Record<string, number>> =>
    (await (await fetch(`${machine.agentUrl}/metrics/snapshot`)).json()) as Record<string, number>;

  test('every name of a real agent', async () => {
    const told = Object.keys(await metrics());
    assert.deepEqual(
      NAMES.filter((name) => !told.includes(name)),
      [],
    );
  });

  test('statistics of an executor have its limits under both names', async () => {
    framework.launch([{ id: 'measured', script: 'sleep 600', cpus: 0.5, mem: 64 }]);
    await framework.reached('measured', 'TASK_RUNNING');
    const answer = await fetch(`${machine.agentUrl}/monitor/statistics`);
    const [first] = (await answer.json()) as { statistics: Record<string, number> }[];
    const { statistics } = first ?? assert.fail('nothing runs');
    assert.equal(statistics['cpus_soft_limit'], statistics['cpus_limit']);
    assert.equal(statistics['mem_soft_limit_bytes'], statistics['mem_limit_bytes']);
    assert.ok((statistics['cpus_soft_limit'] ?? 0) >= 0.5);
    assert.ok((statistics['mem_rss_bytes'] ?? 0) > 0);
    framework.kill('measured');
    await framework.reached('measured', 'TASK_KILLED');
  });

  test('ends of tasks, updates, executors and launches that failed are counted', async () => {
    framework.launch([
      { id: 'finishes', script: 'true' },
      { id: 'fails', script: 'exit 1' },
      { id: 'is-killed', script: 'sleep 600' },
    ]);
    await framework.reached('finishes', 'TASK_FINISHED');
    await framework.reached('fails', 'TASK_FAILED');
    await framework.reached('is-killed', 'TASK_RUNNING');
    framework.kill('is-killed');
    await framework.reached('is-killed', 'TASK_KILLED');
    const told = await eventually('all executors have ended', async () => {
      const now = await metrics();
      return now['slave/executors_terminated'] === 4 ? now : undefined;
    });
    assert.equal(told['slave/tasks_finished'], 1);
    assert.equal(told['slave/tasks_failed'], 1);
    assert.equal(told['slave/tasks_killed'], 2);
    assert.equal(told['slave/tasks_lost'], 0);
    // STARTING, RUNNING and the end of each.
    assert.equal(told['slave/valid_status_updates'], 12);
    assert.equal(told['slave/invalid_status_updates'], 0);
    assert.equal(told['slave/tasks_running'], 0);
    assert.ok((told['slave/executor_directory_max_allowed_age_secs'] ?? -1) >= 0);
    assert.ok((told['slave/recovery_time_secs'] ?? -1) >= 0);
  });

  test('a task that may use more than it asked for has its limits told', async () => {
    const limits = { cpus: { value: 1 }, mem: { value: 128 } };
    framework.launch([{ id: 'may-more', script: 'sleep 600', cpus: 0.5, mem: 64, limits }]);
    await framework.reached('may-more', 'TASK_RUNNING');
    const answer = await fetch(`${machine.agentUrl}/monitor/statistics`);
    const [first] = (await answer.json()) as { statistics: Record<string, number> }[];
    const { statistics } = first ?? assert.fail('nothing runs');
    const over = (limit: string, soft: string): number =>
      (statistics[limit] ?? 0) - (statistics[soft] ?? 0);
    assert.equal(over('cpus_limit', 'cpus_soft_limit').toFixed(3), '0.500');
    assert.equal(over('mem_limit_bytes', 'mem_soft_limit_bytes'), 64 << 20);
    framework.kill('may-more');
    await framework.reached('may-more', 'TASK_KILLED');
  });
});
