// What the older endpoints answer as a whole (/state-summary, /tasks, /roles, /quota …): shapes of
// Mesos 1.11 (inventory 1.4). Built from the master's state; nothing is decided here.
import { ancestorsOf } from '#mesos/resources/role-names.ts';
import { scalarResource } from '#mesos/resources/resources.ts';
import { toJson } from '#wire/mesos/codec.ts';
import type { Task, TaskState } from '#wire/mesos/v1.ts';
import { Ledger } from './ledger.ts';
import {
  agentJson,
  frameworkJson,
  frameworkSummary,
  recoveredAgentJson,
  taskJson,
} from './legacy-json.ts';
import { masterCapabilities } from './master-info.ts';
import { milliOf, plus, type QuotaDesk } from './quotas.ts';
import { quantitiesJson, type Json } from './resource-json.ts';
import type { MasterState } from './state.ts';
import type { AgentRecord, FrameworkRecord } from './types.ts';
import { buildInfo } from './version.ts';

export function versionJson(version: string): Json {
  return { ...buildInfo, version };
}

/** /state before the lists of agents and frameworks. */
export function stateHead(state: MasterState, flags: Readonly<Record<string, string>>): Json {
  const { options } = state;
  const agents = [...state.agents.values()];
  const active = agents.filter((agent) => state.isActive(agent)).length;
  const { version, masterId: id, pid, hostname, port } = options;
  const domain =
    options.domain === undefined ? {} : { domain: toJson('DomainInfo', options.domain) };
  const { git_sha, git_tag, build_date, build_time, build_user } = buildInfo;
  return {
    version,
    git_sha,
    git_tag,
    build_date,
    build_time,
    build_user,
    start_time: state.startedAt / 1_000,
    elected_time: state.startedAt / 1_000,
    id,
    pid,
    hostname,
    capabilities: masterCapabilities,
    activated_slaves: active,
    deactivated_slaves: agents.length - active,
    unreachable_slaves: state.unreachable.size,
    ...domain,
    leader: pid,
    leader_info: { id, pid, port, hostname, ...domain },
    ...(flags['cluster'] === undefined ? {} : { cluster: flags['cluster'] }),
    ...(flags['log_dir'] === undefined ? {} : { log_dir: flags['log_dir'] }),
    ...(flags['external_log_file'] === undefined
      ? {}
      : { external_log_file: flags['external_log_file'] }),
    flags,
  };
}

export function stateJson(state: MasterState, flags: Readonly<Record<string, string>>): Json {
  const ledger = new Ledger(state);
  const frameworkOf = (one: FrameworkRecord): Json => frameworkJson(state, ledger, one);
  return {
    ...stateHead(state, flags),
    slaves: [...state.agents.values()].map((agent) => agentJson(state, ledger, agent)),
    recovered_slaves: recoveredJson(state),
    frameworks: [...state.frameworks.values()].map(frameworkOf),
    completed_frameworks: [...state.completedFrameworks.values()].map(frameworkOf),
    orphan_tasks: [],
    unregistered_frameworks: [],
  };
}

export function recoveredJson(state: MasterState): Json[] {
  return [...state.recovered.values()].map(recoveredAgentJson);
}

export function agentsJson(state: MasterState, id: string | null): Json {
  const ledger = new Ledger(state);
  const chosen = [...state.agents.values()].filter((one) => id === null || one.id === id);
  const recovered = [...state.recovered.values()].filter(
    (one) => id === null || one.id?.value === id,
  );
  return {
    slaves: chosen.map((one) => agentJson(state, ledger, one, { isFull: true })),
    recovered_slaves: recovered.map(recoveredAgentJson),
  };
}

export function frameworksJson(state: MasterState, id: string | null): Json {
  const ledger = new Ledger(state);
  const chosen = (all: ReadonlyMap<string, FrameworkRecord>) =>
    [...all.values()]
      .filter((one) => id === null || one.id === id)
      .map((one) => frameworkJson(state, ledger, one));
  return {
    frameworks: chosen(state.frameworks),
    completed_frameworks: chosen(state.completedFrameworks),
    unregistered_frameworks: [],
  };
}

export interface TasksQuery {
  readonly limit: number;
  readonly offset: number;
  readonly order: 'asc' | 'desc';
  readonly frameworkId?: string | undefined;
  readonly taskId?: string | undefined;
}

/** Seconds; by it /tasks are in order. */
export function firstStatusAt({ statuses }: Task): number {
  return statuses?.[0]?.timestamp ?? 0;
}

export function tasksJson(state: MasterState, query: TasksQuery): Json {
  const all: Task[] = [];
  for (const framework of [...state.frameworks.values(), ...state.completedFrameworks.values()]) {
    if (query.frameworkId !== undefined && framework.id !== query.frameworkId) continue;
    for (const { task } of framework.tasks.values()) all.push(task);
    all.push(...framework.unreachableTasks.values(), ...framework.completedTasks);
  }
  const sign = query.order === 'asc' ? 1 : -1;
  const chosen = all
    .filter((task) => query.taskId === undefined || task.task_id.value === query.taskId)
    .sort((a, b) => sign * (firstStatusAt(a) - firstStatusAt(b)))
    .slice(query.offset, query.offset + query.limit);
  return { tasks: chosen.map((task) => taskJson(task)) };
}

const counted: readonly TaskState[] = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
  'TASK_FINISHED',
  'TASK_KILLED',
  'TASK_FAILED',
  'TASK_LOST',
  'TASK_ERROR',
  'TASK_UNREACHABLE',
];

function taskCounts(tasks: readonly Task[]): Json {
  const counts: Record<string, number> = Object.fromEntries(counted.map((name) => [name, 0]));
  for (const { state } of tasks) if (state in counts) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function tasksOf(framework: FrameworkRecord): Task[] {
  const live = [...framework.tasks.values()].map(({ task }) => task);
  return [...live, ...framework.unreachableTasks.values(), ...framework.completedTasks];
}

/** An agent of /state-summary; `tasks`: those of all frameworks that are there, past ones as well. */
export function summaryAgentJson(
  state: MasterState,
  ledger: Ledger,
  agent: AgentRecord,
  tasks: readonly Task[],
): Json {
  const framework_ids = [...new Set(tasks.map((task) => task.framework_id.value))].toSorted();
  return { ...agentJson(state, ledger, agent), ...taskCounts(tasks), framework_ids };
}

export function summaryFrameworkJson(ledger: Ledger, framework: FrameworkRecord): Json {
  const tasks = tasksOf(framework);
  const slave_ids = [...new Set(tasks.map((task) => task.agent_id.value))];
  return { ...frameworkSummary(ledger, framework), ...taskCounts(tasks), slave_ids };
}

/** /state-summary before its lists. */
export function summaryHead(state: MasterState, cluster: string | undefined): Json {
  return { hostname: state.options.hostname, ...(cluster === undefined ? {} : { cluster }) };
}

export function summaryJson(state: MasterState, cluster: string | undefined): Json {
  const frameworks = [...state.frameworks.values()];
  const ledger = new Ledger(state);
  const byAgent = Map.groupBy(frameworks.flatMap(tasksOf), (task) => task.agent_id.value);
  return {
    ...summaryHead(state, cluster),
    slaves: [...state.agents.values()].map((agent) =>
      summaryAgentJson(state, ledger, agent, byAgent.get(agent.id) ?? []),
    ),
    frameworks: frameworks.map((framework) => summaryFrameworkJson(ledger, framework)),
  };
}

/** Roles with a framework, something held or reserved, a weight or a quota, and those above. */
export function usedRoles(state: MasterState, quotas: QuotaDesk, ledger: Ledger): string[] {
  const names = ledger.reservationRoles();
  for (const { roles } of ledger.trackedRoles()) for (const role of roles) names.add(role);
  for (const { role } of state.allocator.weights()) names.add(role);
  for (const { role } of quotas.status().configs ?? []) names.add(role);
  return withAncestors(names);
}

/** Those of --roles, when there is such a list; those in use otherwise. */
function roleNames(state: MasterState, quotas: QuotaDesk, ledger: Ledger): string[] {
  const listed = state.options.roleWhitelist;
  return listed === undefined
    ? usedRoles(state, quotas, ledger)
    : withAncestors(new Set(['*', ...listed]));
}

function withAncestors(names: ReadonlySet<string>): string[] {
  return [...new Set([...names, ...[...names].flatMap(ancestorsOf)])].sort();
}

function limitsOf(scalars: Parameters<typeof milliOf>[0]): Record<string, number> {
  return Object.fromEntries([...milliOf(scalars)].map(([name, milli]) => [name, milli / 1_000]));
}

export function rolesJson(state: MasterState, quotas: QuotaDesk, ledger: Ledger): Json[] {
  const frameworks = new Map<string, string[]>();
  for (const { id, roles } of ledger.trackedRoles()) {
    for (const role of roles) frameworks.set(role, [...(frameworks.get(role) ?? []), id]);
  }
  return roleNames(state, quotas, ledger).map((name) => {
    const config = quotas.configOf(name);
    const allocated = ledger.allocatedIn(name);
    const offered = ledger.offeredIn(name);
    return {
      name,
      weight: state.allocator.weight(name),
      quota: {
        role: name,
        guarantee: quantitiesJson(milliOf(config?.guarantees)),
        limit: limitsOf(config?.limits),
        consumed: quantitiesJson(ledger.consumedIn(name)),
      },
      resources: quantitiesJson(plus(allocated, offered)),
      allocated: quantitiesJson(allocated),
      offered: quantitiesJson(offered),
      reserved: quantitiesJson(ledger.reservedFor(name)),
      frameworks: frameworks.get(name) ?? [],
    };
  });
}

/** GET_ROLES: only amounts of the four scalars that every agent has. */
export function rolesWire(state: MasterState, quotas: QuotaDesk, ledger: Ledger) {
  const roles = rolesJson(state, quotas, ledger).map((role) => {
    const amounts = role['resources'] as Record<string, number>;
    const resources = ['cpus', 'disk', 'gpus', 'mem']
      .filter((name) => (amounts[name] ?? 0) > 0)
      .map((name) => scalarResource(name, amounts[name] ?? 0));
    const frameworks = (role['frameworks'] as string[]).map((value) => ({ value }));
    return {
      name: String(role['name']),
      weight: Number(role['weight']),
      ...(frameworks.length === 0 ? {} : { frameworks }),
      ...(resources.length === 0 ? {} : { resources }),
    };
  });
  return roles.length === 0 ? {} : { roles };
}
