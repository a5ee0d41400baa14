// The agent's metrics under Mesos' names (inventory 10.6).
import type { Instant } from '#env/env.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import { systemMetrics } from '#mesos/libprocess/system-metrics.ts';
import { resourcesOf } from './agent-state.ts';
import type { AgentCore } from './core.ts';
import type { Containers } from './containers.ts';

export function scalarSum(resources: readonly Resource[], name: string): number {
  return resources
    .filter((one) => one.name === name)
    .reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
}

type Measured = Pick<
  Containers,
  'gc' | 'fetcher' | 'nested' | 'destroyErrors' | 'recoveryMs' | 'quotas' | 'gids'
>;

export function metricsOf(
  core: AgentCore,
  containers: Measured,
  now: Instant,
): Record<string, number> {
  const { gc, fetcher, nested, destroyErrors, recoveryMs, quotas, gids } = containers;
  const executors = core.workloads.executors();
  const live = executors.filter((one) => one.state !== 'terminated');
  const total = core.info.resources ?? [];
  const all = live.flatMap(resourcesOf);
  const used = all.filter((one) => one.revocable === undefined);
  const revocable = all.filter((one) => one.revocable !== undefined);
  const states = executors.flatMap((one) => [...one.launched.values()].map((task) => task.state));
  const count = (state: string): number => states.filter((one) => one === state).length;
  const metrics: Record<string, number> = {
    'slave/uptime_secs': core.registeredAt === undefined ? 0 : (now - core.registeredAt) / 1000,
    'slave/registered': core.master.kind === 'registered' ? 1 : 0,
    'slave/recovery_errors': 0,
    ...(recoveryMs === undefined ? {} : { 'slave/recovery_time_secs': recoveryMs / 1000 }),
    'slave/executor_directory_max_allowed_age_secs': gc.allowedAgeMs / 1000,
    ...core.workloads.tallies.metrics(),
    ...systemMetrics(),
    'containerizer/mesos/container_destroy_errors': destroyErrors,
    'containerizer/mesos/provisioner/remove_container_errors': nested.removeErrors,
    // There is no backend that binds.
    'containerizer/mesos/provisioner/bind/remove_rootfs_errors': 0,
    'resource_provider_manager/subscribed': core.providers.subscribed.size,
    'resource_provider_manager/events/subscribe': core.providers.subscriptions,
    'resource_provider_manager/events/disconnect': core.providers.disconnections,
    'gc/path_removals_pending': gc.pending,
    'gc/path_removals_succeeded': gc.removed,
    'gc/path_removals_failed': gc.failed,
    'containerizer/fetcher/cache_size_total_bytes': fetcher.cache.bytesMax,
    'containerizer/fetcher/cache_size_used_bytes': fetcher.cache.bytesUsed,
    'containerizer/fetcher/task_fetches_succeeded': fetcher.succeeded,
    'containerizer/fetcher/task_fetches_failed': fetcher.failed,
    'slave/frameworks_active': core.workloads.frameworks.size,
    'slave/executors_registering': live.filter((one) => one.state === 'registering').length,
    'slave/executors_running': live.filter((one) => one.state === 'running').length,
    'slave/executors_preempted': core.workloads.preempted,
    'slave/executors_terminating': live.filter((one) => one.state === 'terminating').length,
    'slave/tasks_staging':
      count('TASK_STAGING') + executors.reduce((sum, one) => sum + one.queued.length, 0),
    'slave/tasks_starting': count('TASK_STARTING'),
    'slave/tasks_running': count('TASK_RUNNING'),
    'slave/tasks_killing': count('TASK_KILLING'),
  };
  if (quotas !== undefined) {
    metrics['containerizer/mesos/disk/project_ids_total'] = quotas.total;
    metrics['containerizer/mesos/disk/project_ids_free'] = quotas.free;
  }
  if (gids !== undefined) {
    metrics['volume_gid_manager/volume_gids_total'] = gids.total;
    metrics['volume_gid_manager/volume_gids_free'] = gids.free;
  }
  for (const name of ['cpus', 'mem', 'disk', 'gpus']) {
    const there = scalarSum(total, name);
    const taken = scalarSum(used, name);
    metrics[`slave/${name}_total`] = there;
    metrics[`slave/${name}_used`] = taken;
    metrics[`slave/${name}_percent`] = there === 0 ? 0 : taken / there;
    const again = scalarSum(core.oversubscribed, name);
    const takenAgain = scalarSum(revocable, name);
    metrics[`slave/${name}_revocable_total`] = again;
    metrics[`slave/${name}_revocable_used`] = takenAgain;
    metrics[`slave/${name}_revocable_percent`] = again === 0 ? 0 : takenAgain / again;
  }
  return metrics;
}
