// The older endpoints' JSON (/state, /slaves, /frameworks, /tasks, /roles, /state-summary): shapes
// of Mesos 1.11 (inventory 1.4). Built from the master's state; nothing is decided here.
import { Resources } from '#mesos/resources/resources.ts';
import type { Resource, Task, TaskState } from '#wire/mesos/v1.ts';
import { Ledger } from './ledger.ts';
import { rolesOf, hasCapability } from './roles.ts';
import type { MasterState } from './state.ts';
import type { AgentRecord, FrameworkRecord, OfferRecord } from './types.ts';

type Json = Record<string, unknown>;

/** cpus, gpus, mem and disk always; ranges and sets as text; revocable ones under a name of their own. */
export function resourcesJson(resources: Resources): Json {
  const out: Json = { disk: 0, mem: 0, gpus: 0, cpus: 0 };
  for (const resource of resources.toWire()) {
    const name = resource.revocable === undefined ? resource.name : `${resource.name}_revocable`;
    if (resource.type === 'SCALAR') {
      out[name] =
        Math.round((Number(out[name] ?? 0) + (resource.scalar?.value ?? 0)) * 1_000) / 1_000;
    } else out[name] = rangesText(resource);
  }
  return out;
}

function rangesText(resource: Resource): string {
  if (resource.type === 'SET') return `{${(resource.set?.item ?? []).join(', ')}}`;
  const ranges = (resource.ranges?.range ?? []).map(({ begin, end }) => `${begin}-${end}`);
  return `[${ranges.join(', ')}]`;
}

export function taskJson(task: Task): Json {
  const agentId = task.agent_id.value;
  return {
    id: task.task_id.value,
    name: task.name,
    framework_id: task.framework_id.value,
    executor_id: task.executor_id?.value ?? '',
    slave_id: agentId,
    state: task.state,
    resources: resourcesJson(Resources.of(task.resources)),
    role: task.resources?.[0]?.allocation_info?.role ?? '*',
    statuses: (task.statuses ?? []).map((status) => ({
      state: status.state,
      timestamp: status.timestamp,
      ...(status.labels === undefined ? {} : { labels: status.labels.labels }),
      ...(status.container_status === undefined
        ? {}
        : { container_status: status.container_status }),
      ...(status.healthy === undefined ? {} : { healthy: status.healthy }),
    })),
    ...(task.user === undefined ? {} : { user: task.user }),
    ...(task.labels === undefined ? {} : { labels: task.labels.labels }),
    ...(task.discovery === undefined ? {} : { discovery: task.discovery }),
    ...(task.container === undefined ? {} : { container: task.container }),
    ...(task.health_check === undefined ? {} : { health_check: task.health_check }),
  };
}

function attributesJson(agent: AgentRecord): Json {
  const entries = (agent.info.attributes ?? []).map((attribute): [string, unknown] => [
    attribute.name,
    attribute.type === 'SCALAR'
      ? attribute.scalar?.value
      : attribute.type === 'TEXT'
        ? attribute.text?.value
        : attribute.type === 'SET'
          ? `{${(attribute.set?.item ?? []).join(', ')}}`
          : rangesText({ name: '', type: 'RANGES', ranges: attribute.ranges }),
  ]);
  return Object.fromEntries(entries);
}

export function agentJson(ledger: Ledger, agent: AgentRecord): Json {
  const reserved: Json = {};
  const unreserved = agent.total.filter((kind) => kind.reservations === undefined);
  for (const resource of agent.total.toWire()) {
    const role = resource.reservations?.at(-1)?.role;
    if (role === undefined || reserved[role] !== undefined) continue;
    const mine = agent.total.filter((kind) => kind.reservations?.at(-1)?.role === role);
    reserved[role] = resourcesJson(mine);
  }
  return {
    id: agent.id,
    hostname: agent.info.hostname,
    port: agent.info.port ?? 5051,
    attributes: attributesJson(agent),
    ...(agent.info.domain === undefined ? {} : { domain: agent.info.domain }),
    pid: agent.pid,
    registered_time: agent.registeredAt / 1_000,
    ...(agent.reregisteredAt === undefined
      ? {}
      : { reregistered_time: agent.reregisteredAt / 1_000 }),
    resources: resourcesJson(agent.total),
    used_resources: resourcesJson(ledger.usedOn(agent.id)),
    offered_resources: resourcesJson(ledger.offeredOn(agent.id)),
    reserved_resources: reserved,
    unreserved_resources: resourcesJson(unreserved),
    active: agent.isConnected,
    deactivated: false,
    version: agent.version,
    capabilities: agent.capabilities.map(({ type }) => type),
  };
}

function offerJson(offer: OfferRecord): Json {
  return {
    id: offer.id,
    framework_id: offer.frameworkId,
    allocation_info: { role: offer.role },
    slave_id: offer.agentId,
    resources: resourcesJson(offer.resources.allocatedTo(undefined)),
  };
}

/** A framework without what it runs and is offered. */
function frameworkSummary(ledger: Ledger, framework: FrameworkRecord): Json {
  const { info } = framework;
  const used = ledger.usedBy(framework.id);
  const offered = ledger.offeredTo(framework.id);
  const roles = rolesOf(info);
  return {
    id: framework.id,
    name: info.name,
    ...(framework.pid === undefined ? {} : { pid: framework.pid }),
    used_resources: resourcesJson(used),
    offered_resources: resourcesJson(offered),
    capabilities: (info.capabilities ?? []).map(({ type }) => type),
    hostname: info.hostname ?? '',
    webui_url: info.webui_url ?? '',
    active: framework.isActive,
    connected: framework.connection !== undefined,
    recovered: framework.isRecovered,
    user: info.user,
    failover_timeout: info.failover_timeout ?? 0,
    checkpoint: info.checkpoint ?? false,
    registered_time: framework.registeredAt / 1_000,
    unregistered_time: (framework.unregisteredAt ?? 0) / 1_000,
    ...(info.principal === undefined ? {} : { principal: info.principal }),
    resources: resourcesJson(used.add(offered)),
    ...(framework.reregisteredAt === framework.registeredAt
      ? {}
      : { reregistered_time: framework.reregisteredAt / 1_000 }),
    ...(hasCapability(info, 'MULTI_ROLE') ? { roles } : { role: roles[0] ?? '*' }),
    ...(info.labels === undefined ? {} : { labels: info.labels.labels }),
  };
}

function executorsJson(state: MasterState, framework: FrameworkRecord): Json[] {
  return [...state.agents.values()].flatMap((agent) =>
    [...(agent.executors.get(framework.id)?.values() ?? [])].map(({ info, resources }) => ({
      executor_id: info.executor_id.value,
      name: info.name ?? '',
      framework_id: framework.id,
      source: info.source ?? '',
      slave_id: agent.id,
      resources: resourcesJson(resources),
      type: info.type ?? 'CUSTOM',
    })),
  );
}

export function frameworkJson(
  state: MasterState,
  ledger: Ledger,
  framework: FrameworkRecord,
): Json {
  return {
    ...frameworkSummary(ledger, framework),
    tasks: [...framework.tasks.values()].map(({ task }) => taskJson(task)),
    unreachable_tasks: [...framework.unreachableTasks.values()].map(taskJson),
    completed_tasks: framework.completedTasks.map(taskJson),
    offers: [...framework.offers]
      .map((id) => state.offers.get(id))
      .filter((one) => one !== undefined)
      .map(offerJson),
    executors: executorsJson(state, framework),
  };
}

export function stateJson(state: MasterState): Json {
  const { options } = state;
  const ledger = new Ledger(state);
  const agents = [...state.agents.values()];
  return {
    version: options.version,
    build_date: '',
    build_time: 0,
    build_user: '',
    start_time: state.startedAt / 1_000,
    elected_time: state.startedAt / 1_000,
    id: options.masterId,
    pid: options.pid,
    hostname: options.hostname,
    capabilities: ['AGENT_UPDATE'],
    activated_slaves: agents.filter(({ isConnected }) => isConnected).length,
    deactivated_slaves: agents.filter(({ isConnected }) => !isConnected).length,
    unreachable_slaves: state.unreachable.size,
    leader: options.pid,
    leader_info: {
      id: options.masterId,
      pid: options.pid,
      port: options.port,
      hostname: options.hostname,
    },
    flags: {},
    slaves: agents.map((agent) => agentJson(ledger, agent)),
    recovered_slaves: [...state.recovered.values()].map((info) => ({
      id: info.id?.value,
      hostname: info.hostname,
      port: info.port ?? 5051,
    })),
    frameworks: [...state.frameworks.values()].map((one) => frameworkJson(state, ledger, one)),
    completed_frameworks: [...state.completedFrameworks.values()].map((one) =>
      frameworkJson(state, ledger, one),
    ),
    orphan_tasks: [],
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

export function tasksJson(state: MasterState, query: TasksQuery): Json {
  const all: Task[] = [];
  for (const framework of [...state.frameworks.values(), ...state.completedFrameworks.values()]) {
    if (query.frameworkId !== undefined && framework.id !== query.frameworkId) continue;
    for (const { task } of framework.tasks.values()) all.push(task);
    all.push(...framework.unreachableTasks.values(), ...framework.completedTasks);
  }
  const sign = query.order === 'asc' ? 1 : -1;
  const first = (task: Task): number => task.statuses?.[0]?.timestamp ?? 0;
  const chosen = all
    .filter((task) => query.taskId === undefined || task.task_id.value === query.taskId)
    .sort((a, b) => sign * (first(a) - first(b)))
    .slice(query.offset, query.offset + query.limit);
  return { tasks: chosen.map(taskJson) };
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

export function summaryJson(state: MasterState): Json {
  const frameworks = [...state.frameworks.values()];
  const ledger = new Ledger(state);
  const byAgent = Map.groupBy(frameworks.flatMap(tasksOf), (task) => task.agent_id.value);
  return {
    hostname: state.options.hostname,
    cluster: '',
    slaves: [...state.agents.values()].map((agent) => {
      const mine = byAgent.get(agent.id) ?? [];
      const framework_ids = [...new Set(mine.map((task) => task.framework_id.value))];
      return { ...agentJson(ledger, agent), ...taskCounts(mine), framework_ids };
    }),
    frameworks: frameworks.map((framework) => {
      const mine = tasksOf(framework);
      return {
        ...frameworkSummary(ledger, framework),
        ...taskCounts(mine),
        slave_ids: [...new Set(mine.map((task) => task.agent_id.value))],
      };
    }),
  };
}

export function rolesJson(state: MasterState): Json[] {
  const ledger = new Ledger(state);
  const names = new Set(state.allocator.roles());
  return [...names].sort().map((name) => {
    const frameworks = state.allocator.frameworksOf(name);
    const allocated = Resources.sum(frameworks.map((id) => ledger.usedBy(id)));
    const offered = Resources.sum(frameworks.map((id) => ledger.offeredTo(id)));
    return {
      name,
      weight: state.allocator.weight(name),
      frameworks,
      resources: resourcesJson(allocated.add(offered)),
      allocated: resourcesJson(allocated),
      offered: resourcesJson(offered),
      reserved: resourcesJson(Resources.none),
    };
  });
}
