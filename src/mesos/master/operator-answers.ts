// Answers to the v1 operator calls that read (GET_*): shapes of mesos.v1.master.Response.
import type { MasterCall, MasterInfo, MasterResponse, Resource } from '#wire/mesos/v1.ts';
import { agentToWire } from './agent-wire.ts';
import { Ledger } from './ledger.ts';
import { rolesJson } from './legacy-json.ts';
import { metricsOf } from './metrics.ts';
import type { MasterState } from './state.ts';
import { scalarResource } from '#mesos/resources/resources.ts';

const time = (ms: number) => ({ nanoseconds: ms * 1e6 });

function getAgents(state: MasterState, ledger: Ledger) {
  return {
    agents: [...state.agents.values()].map((agent) => ({
      ...agentToWire(agent),
      allocated_resources: ledger.usedOn(agent.id).toEndpoint(),
      offered_resources: ledger.offeredOn(agent.id).toEndpoint(),
    })),
    recovered_agents: [...state.recovered.values()],
  };
}

function getFrameworks(state: MasterState, ledger: Ledger) {
  const one = (framework: typeof state.frameworks extends Map<string, infer F> ? F : never) => ({
    framework_info: framework.info,
    active: framework.isActive,
    connected: framework.connection !== undefined,
    recovered: framework.isRecovered,
    registered_time: time(framework.registeredAt),
    reregistered_time: time(framework.reregisteredAt),
    ...(framework.unregisteredAt === undefined
      ? {}
      : { unregistered_time: time(framework.unregisteredAt) }),
    allocated_resources: ledger.usedBy(framework.id).toEndpoint(),
    offered_resources: ledger.offeredTo(framework.id).toEndpoint(),
  });
  return {
    frameworks: [...state.frameworks.values()].map(one),
    completed_frameworks: [...state.completedFrameworks.values()].map(one),
  };
}

/** Secrets of executors and tasks never leave by an endpoint. */
function withoutSecrets<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) =>
      key === 'secret' || (key === 'data' && typeof inner === 'object') ? undefined : inner,
    ),
  ) as T;
}

function getExecutors(state: MasterState) {
  const executors = [...state.agents.values()].flatMap((agent) =>
    [...agent.executors.values()].flatMap((byId) =>
      [...byId.values()].map(({ info }) => ({
        executor_info: withoutSecrets(info),
        agent_id: { value: agent.id },
      })),
    ),
  );
  return { executors };
}

function getTasks(state: MasterState) {
  const active = [...state.frameworks.values()];
  const all = [...active, ...state.completedFrameworks.values()];
  return {
    tasks: active.flatMap(({ tasks }) => [...tasks.values()].map(({ task }) => task)),
    unreachable_tasks: active.flatMap(({ unreachableTasks }) => [...unreachableTasks.values()]),
    completed_tasks: all.flatMap(({ completedTasks }) => completedTasks),
  };
}

export function getState(state: MasterState) {
  const ledger = new Ledger(state);
  return {
    get_tasks: getTasks(state),
    get_executors: getExecutors(state),
    get_frameworks: getFrameworks(state, ledger),
    get_agents: getAgents(state, ledger),
  };
}

function getRoles(state: MasterState) {
  const roles = rolesJson(state).map((role) => {
    const amounts = role['resources'] as Record<string, number>;
    const resources: Resource[] = ['cpus', 'mem', 'disk', 'gpus']
      .filter((name) => (amounts[name] ?? 0) > 0)
      .map((name) => scalarResource(name, amounts[name] ?? 0));
    const frameworks = (role['frameworks'] as string[]).map((value) => ({ value }));
    return { name: String(role['name']), weight: Number(role['weight']), frameworks, resources };
  });
  return { roles };
}

/** undefined for calls that this master does not serve. */
export function answer(
  state: MasterState,
  call: MasterCall,
  master: MasterInfo,
  now: number,
): MasterResponse | undefined {
  const { version } = state.options;
  switch (call.type) {
    case 'GET_HEALTH':
      return { type: 'GET_HEALTH', get_health: { healthy: true } };
    case 'GET_FLAGS':
      return { type: 'GET_FLAGS', get_flags: { flags: [] } };
    case 'GET_VERSION':
      return { type: 'GET_VERSION', get_version: { version_info: { version } } };
    case 'GET_LOGGING_LEVEL':
      return { type: 'GET_LOGGING_LEVEL', get_logging_level: { level: 0 } };
    case 'GET_METRICS': {
      const metrics = Object.entries(metricsOf(state, now)).map(([name, value]) => ({
        name,
        value,
      }));
      return { type: 'GET_METRICS', get_metrics: { metrics } };
    }
    case 'GET_MASTER': {
      const started = state.startedAt / 1_000;
      const get_master = { master_info: master, start_time: started, elected_time: started };
      return { type: 'GET_MASTER', get_master };
    }
    case 'GET_STATE':
      return { type: 'GET_STATE', get_state: getState(state) };
    case 'GET_AGENTS':
      return { type: 'GET_AGENTS', get_agents: getAgents(state, new Ledger(state)) };
    case 'GET_FRAMEWORKS':
      return { type: 'GET_FRAMEWORKS', get_frameworks: getFrameworks(state, new Ledger(state)) };
    case 'GET_EXECUTORS':
      return { type: 'GET_EXECUTORS', get_executors: getExecutors(state) };
    case 'GET_TASKS':
      return { type: 'GET_TASKS', get_tasks: getTasks(state) };
    case 'GET_ROLES':
      return { type: 'GET_ROLES', get_roles: getRoles(state) };
    // What cannot be set yet is answered as what is not set.
    case 'GET_OPERATIONS':
      return { type: 'GET_OPERATIONS', get_operations: {} };
    case 'GET_MAINTENANCE_STATUS':
      return { type: 'GET_MAINTENANCE_STATUS', get_maintenance_status: { status: {} } };
    case 'GET_MAINTENANCE_SCHEDULE':
      return { type: 'GET_MAINTENANCE_SCHEDULE', get_maintenance_schedule: { schedule: {} } };
    case 'GET_WEIGHTS': {
      const weight_infos = state.allocator.weights();
      return { type: 'GET_WEIGHTS', get_weights: { weight_infos } };
    }
    default:
      return undefined;
  }
}
