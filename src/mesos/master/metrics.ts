// The master's metrics under the names of Mesos 1.11 (inventory 10.6): a flat object of numbers.
import type { Resource, TaskState } from '#wire/mesos/v1.ts';
import { MetricList } from '#mesos/libprocess/metric-list.ts';
import { Ledger } from './ledger.ts';
import { usedRoles } from './legacy-views.ts';
import type { MasterCore } from './core.ts';
import { isUnreachable } from './framework-metrics.ts';
import type { MasterState } from './state.ts';

const liveStates: readonly TaskState[] = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
];
const operationTypes = [
  'create',
  'create_disk',
  'destroy',
  'destroy_disk',
  'grow_volume',
  'reserve',
  'shrink_volume',
  'unreserve',
];
const operationStates = [
  'dropped',
  'error',
  'failed',
  'finished',
  'gone_by_operator',
  'pending',
  'recovering',
  'total',
  'unreachable',
];
const messages = [
  'authenticate',
  'deactivate_framework',
  'decline_offers',
  'executor_to_framework',
  'exited_executor',
  'framework_to_executor',
  'kill_task',
  'launch_tasks',
  'operation_status_update',
  'operation_status_update_acknowledgement',
  'reconcile_operations',
  'reconcile_tasks',
  'register_framework',
  'register_slave',
  'reregister_framework',
  'reregister_slave',
  'resource_request',
  'revive_offers',
  'status_update',
  'status_update_acknowledgement',
  'suppress_offers',
  'unregister_framework',
  'unregister_slave',
  'update_slave',
];
const judged = [
  'executor_to_framework_messages',
  'framework_to_executor_messages',
  'operation_status_update_acknowledgements',
  'operation_status_updates',
  'status_update_acknowledgements',
  'status_updates',
];
const ends = [
  'finished',
  'failed',
  'killed',
  'lost',
  'error',
  'dropped',
  'gone',
  'gone_by_operator',
];
const slaves = [
  'registrations',
  'reregistrations',
  'removals',
  'removals/reason_registered',
  'removals/reason_unhealthy',
  'removals/reason_unregistered',
  'shutdowns_canceled',
  'shutdowns_completed',
  'shutdowns_scheduled',
  'unreachable_canceled',
  'unreachable_completed',
  'unreachable_scheduled',
];

/** Counters that are there from the start, at 0. */
const zeros: readonly string[] = [
  ...operationStates.map((state) => `operations/${state}`),
  ...operationTypes.flatMap((type) =>
    operationStates.map((state) => `operations/${type}/${state}`),
  ),
  ...messages.map((name) => `messages_${name}`),
  ...judged.flatMap((name) => [`valid_${name}`, `invalid_${name}`]),
  ...ends.map((name) => `tasks_${name}`),
  ...slaves.map((name) => `slave_${name}`),
  'dropped_messages',
  'recovery_slave_removals',
  'http_cache_hits',
];

/** Sums over few kinds of agents and frameworks. */
function putResources(metrics: Record<string, number>, state: MasterState, ledger: Ledger): void {
  const totals = new Map<string, number>();
  const revocableTotals = new Map<string, number>();
  const isRevocable = (kind: Resource): boolean => kind.revocable !== undefined;
  const isPlain = (kind: Resource): boolean => kind.revocable === undefined;
  for (const { total } of state.agents.values()) {
    total.addScalarsTo(totals, isPlain);
    if (!total.isCommon) total.addScalarsTo(revocableTotals, isRevocable);
  }
  const used = ledger.usedByAll();
  const usedPlain = used.scalarsWhere(isPlain);
  const usedRevocable = used.scalarsWhere(isRevocable);
  const put = (name: string, total: number, taken: number): void => {
    metrics[`master/${name}_total`] = total / 1_000;
    metrics[`master/${name}_used`] = taken / 1_000;
    metrics[`master/${name}_percent`] = total === 0 ? 0 : taken / total;
  };
  for (const name of ['cpus', 'gpus', 'mem', 'disk']) {
    put(name, totals.get(name) ?? 0, usedPlain.get(name) ?? 0);
    const revocable = [revocableTotals.get(name) ?? 0, usedRevocable.get(name) ?? 0] as const;
    put(`${name}_revocable`, ...revocable);
  }
}

function putTasks(metrics: Record<string, number>, state: MasterState): void {
  const counts = new Map<string, number>(liveStates.map((name) => [name, 0]));
  let unreachable = 0;
  for (const { states, unreachableTasks } of state.frameworks.values()) {
    for (const task of unreachableTasks.values()) if (isUnreachable(task)) unreachable += 1;
    for (const name of liveStates) {
      counts.set(name, (counts.get(name) ?? 0) + (states.get(name) ?? 0));
    }
  }
  for (const [name, count] of counts) {
    metrics[`master/tasks_${name.slice('TASK_'.length).toLowerCase()}`] = count;
  }
  metrics['master/tasks_unreachable'] = unreachable;
}

function putConsumed(
  metrics: Record<string, number>,
  role: string,
  consumed: ReadonlyMap<string, number>,
): void {
  for (const name of ['cpus', 'disk', 'gpus', 'mem']) {
    const milli = consumed.get(name) ?? 0;
    if (milli === 0) continue;
    metrics[`allocator/mesos/quota/roles/${role}/resources/${name}/consumed`] = milli / 1_000;
  }
}

function putAllocator(metrics: Record<string, number>, core: MasterCore, ledger: Ledger): void {
  const { allocator } = core.state;
  const totals = allocator.totals();
  const offered = new Map(ledger.usedByAll().scalarQuantities());
  for (const framework of core.state.frameworks.values()) {
    for (const [name, milli] of framework.offered.total().scalarQuantities()) {
      offered.set(name, (offered.get(name) ?? 0) + milli);
    }
  }
  for (const name of new Set(['cpus', 'mem', 'disk', ...totals.keys()])) {
    const prefix = `allocator/mesos/resources/${name}`;
    metrics[`${prefix}/total`] = (totals.get(name) ?? 0) / 1_000;
    metrics[`${prefix}/offered_or_allocated`] = (offered.get(name) ?? 0) / 1_000;
  }
  // The root of the roles has no name.
  putConsumed(metrics, '', ledger.consumedInAll());
  const withFrameworks = new Set(ledger.trackedRoles().flatMap(({ roles }) => [...roles]));
  for (const role of usedRoles(core.state, core.quotas, ledger)) {
    metrics[`allocator/mesos/offer_filters/roles/${role}/active`] = allocator.filterCount(role);
    if (withFrameworks.has(role)) {
      metrics[`allocator/mesos/roles/${role}/shares/dominant`] = allocator.dominantShare(role);
    }
    const config = core.quotas.configOf(role);
    putConsumed(metrics, role, ledger.consumedIn(role));
    for (const [name, { value }] of Object.entries(config?.guarantees ?? {})) {
      metrics[`allocator/mesos/quota/roles/${role}/resources/${name}/guarantee`] = value;
    }
    for (const [name, { value }] of Object.entries(config?.limits ?? {})) {
      metrics[`allocator/mesos/quota/roles/${role}/resources/${name}/limit`] = value;
    }
  }
}

function putPrincipals(metrics: Record<string, number>, state: MasterState): void {
  for (const { info } of [...state.frameworks.values(), ...state.completedFrameworks.values()]) {
    if (info.principal === undefined) continue;
    const { received, processed } = state.principalMessages.get(info.principal) ?? {
      received: 0,
      processed: 0,
    };
    metrics[`frameworks/${info.principal}/messages_received`] = received;
    metrics[`frameworks/${info.principal}/messages_processed`] = processed;
  }
}

function putMembers(metrics: Record<string, number>, state: MasterState): void {
  const agents = [...state.agents.values()];
  const frameworks = [...state.frameworks.values()];
  const put = (name: string, yes: number, all: number, [is, isNot]: [string, string]): void => {
    metrics[`master/${name}_${is}`] = yes;
    metrics[`master/${name}_${isNot}`] = all - yes;
  };
  const connected = agents.filter(({ isConnected }) => isConnected).length;
  put('slaves', connected, agents.length, ['connected', 'disconnected']);
  const active = agents.filter((agent) => state.isActive(agent)).length;
  put('slaves', active, agents.length, ['active', 'inactive']);
  metrics['master/slaves_unreachable'] = state.unreachable.size;
  const speaking = frameworks.filter(({ connection }) => connection !== undefined).length;
  put('frameworks', speaking, frameworks.length, ['connected', 'disconnected']);
  const offered = frameworks.filter(({ isActive }) => isActive).length;
  put('frameworks', offered, frameworks.length, ['active', 'inactive']);
  metrics['master/outstanding_offers'] = state.offers.size;
}

/** What the core knows, and what else is told of its program, in the order of the names. */
export function metricsOf(
  core: MasterCore,
  now: number,
  others: Readonly<Record<string, number>>,
): MetricList {
  const { state } = core;
  const own = MetricList.of({ ...clusterMetrics(core, now), ...others });
  if (state.options.hidesFrameworkMetrics === true) return own;
  const frameworks = [...state.frameworks.values(), ...state.completedFrameworks.values()];
  const inner = state.frameworkMetrics.list(frameworks, ({ id }, role) => {
    return state.allocator.isSuppressed(id, role);
  });
  return own.with(inner);
}

function clusterMetrics(core: MasterCore, now: number): Record<string, number> {
  const { state } = core;
  const metrics: Record<string, number> = {
    'master/elected': 1,
    'master/uptime_secs': (now - state.startedAt) / 1_000,
  };
  for (const name of zeros) metrics[`master/${name}`] = 0;
  for (const [name, value] of state.counters) metrics[`master/${name}`] = value;
  putPrincipals(metrics, state);
  const ledger = new Ledger(state);
  putMembers(metrics, state);
  putTasks(metrics, state);
  putResources(metrics, state, ledger);
  putAllocator(metrics, core, ledger);
  return metrics;
}
