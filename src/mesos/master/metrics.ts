// The master's metrics under the names of Mesos 1.11 (inventory 10.6): a flat object of numbers.
import type { TaskState } from '#wire/mesos/v1.ts';
import { Ledger } from './ledger.ts';
import type { MasterState } from './state.ts';

const liveStates: readonly TaskState[] = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
];
const endStates = [
  'finished',
  'failed',
  'killed',
  'lost',
  'error',
  'dropped',
  'gone',
  'gone_by_operator',
];

export function metricsOf(state: MasterState, now: number): Record<string, number> {
  const agents = [...state.agents.values()];
  const frameworks = [...state.frameworks.values()];
  const connected = agents.filter(({ isConnected }) => isConnected);
  const metrics: Record<string, number> = {
    'master/elected': 1,
    'master/uptime_secs': (now - state.startedAt) / 1_000,
    'master/slaves_active': connected.length,
    'master/slaves_connected': connected.length,
    'master/slaves_disconnected': agents.length - connected.length,
    'master/slaves_inactive': agents.length - connected.length,
    'master/slaves_unreachable': state.unreachable.size,
    'master/frameworks_active': frameworks.filter(({ isActive }) => isActive).length,
    'master/frameworks_inactive': frameworks.filter(({ isActive }) => !isActive).length,
    'master/frameworks_connected': frameworks.filter(({ connection }) => connection !== undefined)
      .length,
    'master/frameworks_disconnected': frameworks.filter(
      ({ connection }) => connection === undefined,
    ).length,
    'master/outstanding_offers': state.offers.size,
  };
  for (const name of liveStates)
    metrics[`master/${name.toLowerCase().replace('task_', 'tasks_')}`] = 0;
  for (const { tasks } of frameworks) {
    for (const { task } of tasks.values()) {
      const key = `master/${task.state.toLowerCase().replace('task_', 'tasks_')}`;
      if (liveStates.includes(task.state)) metrics[key] = (metrics[key] ?? 0) + 1;
    }
  }
  for (const name of endStates)
    metrics[`master/tasks_${name}`] = state.counters.get(`tasks_${name}`) ?? 0;
  for (const [name, value] of state.counters) metrics[`master/${name}`] = value;
  const used = new Ledger(state).usedByAll().scalarQuantities();
  for (const name of ['cpus', 'mem', 'disk', 'gpus']) {
    const total = (state.allocator.totals().get(name) ?? 0) / 1_000;
    const taken = (used.get(name) ?? 0) / 1_000;
    metrics[`master/${name}_total`] = total;
    metrics[`master/${name}_used`] = taken;
    metrics[`master/${name}_percent`] = total === 0 ? 0 : taken / total;
  }
  return metrics;
}
