// Answers to the v1 operator calls that read (GET_*): shapes of mesos.v1.master.Response.
import { shownExecutor } from '#mesos/security/redaction.ts';
import type { MasterCall, MasterResponse, Offer, Task } from '#wire/mesos/v1.ts';
import { agentToWire, agentUrl } from './agent-wire.ts';
import type { MasterCore } from './core.ts';
import { Ledger } from './ledger.ts';
import { rolesWire } from './legacy-views.ts';
import type { MaintenanceDesk } from './maintenance.ts';
import { inverseOfferToWire } from './maintenance.ts';
import type { MasterState } from './state.ts';
import type { OfferRecord } from './offer-book.ts';
import type { AgentRecord, ExecutorRecord, FrameworkRecord } from './types.ts';
import { buildInfo } from './version.ts';

const time = (ms: number) => ({ nanoseconds: ms * 1e6 });

/** Lists that are empty are not written, as everywhere in Mesos' answers. */
function some<K extends string, T>(name: K, list: readonly T[]): { [P in K]?: T[] } {
  return (list.length === 0 ? {} : { [name]: list }) as { [P in K]?: T[] };
}

/** With what is held of it and offered. */
export function agentWire(state: MasterState, agent: AgentRecord) {
  return {
    ...agentToWire(state, agent),
    ...some('allocated_resources', state.holdings.usedOn(agent).toEndpoint()),
    ...some('offered_resources', state.holdings.offeredOn(agent).toEndpoint()),
  };
}

function getAgents(state: MasterState) {
  return {
    agents: [...state.agents.values()].map((agent) => agentWire(state, agent)),
    recovered_agents: [...state.recovered.values()],
  };
}

export function offerWire(
  maintenance: MaintenanceDesk,
  agent: AgentRecord,
  offer: OfferRecord,
): Offer {
  const { info } = agent;
  const unavailability = maintenance.unavailabilityOf(agent);
  const executors = [...(agent.executors.get(offer.frameworkId)?.keys() ?? [])];
  return {
    id: { value: offer.id },
    framework_id: { value: offer.frameworkId },
    agent_id: { value: agent.id },
    hostname: info.hostname,
    url: agentUrl(agent),
    ...(info.domain === undefined ? {} : { domain: info.domain }),
    resources: offer.resources.toWire(),
    ...some('attributes', info.attributes ?? []),
    ...some(
      'executor_ids',
      executors.map((value) => ({ value })),
    ),
    ...(unavailability === undefined ? {} : { unavailability }),
    allocation_info: { role: offer.role },
  };
}

/** Offers of what the framework has now. */
function offersWire({ state, maintenance }: MasterCore, framework: FrameworkRecord): Offer[] {
  const all: Offer[] = [];
  for (const offer of framework.offers.all()) {
    const agent = state.agents.get(offer.agentId);
    if (agent !== undefined) all.push(offerWire(maintenance, agent, offer));
  }
  return all;
}

function inverseOffersWire(
  state: MasterState,
  maintenance: MaintenanceDesk,
  framework: FrameworkRecord,
) {
  return [...maintenance.inverseOffers.values()].flatMap(({ id, frameworkId, agentId }) => {
    const agent = state.agents.get(agentId);
    const unavailability = agent === undefined ? undefined : maintenance.unavailabilityOf(agent);
    if (frameworkId !== framework.id || agent === undefined || unavailability === undefined) {
      return [];
    }
    return [inverseOfferToWire(id, frameworkId, agent, unavailability)];
  });
}

/** Without the offers that it has. */
export function frameworkWire({ state, maintenance }: MasterCore, framework: FrameworkRecord) {
  return {
    framework_info: framework.info,
    active: framework.isActive,
    connected: framework.connection !== undefined,
    recovered: framework.isRecovered,
    registered_time: time(framework.registeredAt),
    reregistered_time: time(framework.reregisteredAt),
    ...(framework.unregisteredAt === undefined
      ? {}
      : { unregistered_time: time(framework.unregisteredAt) }),
    ...some('inverse_offers', inverseOffersWire(state, maintenance, framework)),
    ...some('allocated_resources', framework.used.total().toEndpoint()),
    ...some('offered_resources', framework.offered.total().toEndpoint()),
    offer_constraints: framework.offerConstraints ?? {},
  };
}

function getFrameworks(core: MasterCore) {
  const { state } = core;
  const one = (framework: FrameworkRecord) => ({
    ...frameworkWire(core, framework),
    ...some('offers', offersWire(core, framework)),
  });
  return {
    frameworks: [...state.frameworks.values()].map(one),
    completed_frameworks: [...state.completedFrameworks.values()].map(one),
  };
}

export function executorWire({ info, agentId }: ExecutorRecord) {
  return { executor_info: shownExecutor(info), agent_id: { value: agentId } };
}

function getExecutors(state: MasterState) {
  const all = [...state.frameworks.values()].flatMap(({ executors }) => [...executors]);
  return { executors: all.map(executorWire) };
}

function getTasks(state: MasterState) {
  const tasks: Task[] = [];
  const unreachable_tasks: Task[] = [];
  const completed_tasks: Task[] = [];
  for (const framework of state.frameworks.values()) {
    for (const { task } of framework.tasks.values()) tasks.push(task);
  }
  const { frameworks, completedFrameworks } = state;
  for (const framework of [...frameworks.values(), ...completedFrameworks.values()]) {
    for (const task of framework.unreachableTasks.values()) unreachable_tasks.push(task);
    for (const task of framework.completedTasks) completed_tasks.push(task);
  }
  return { tasks, unreachable_tasks, completed_tasks };
}

function getOperations(state: MasterState) {
  const all = [...state.agents.values()].flatMap((agent) =>
    [...agent.operations.values()].map(({ operation }) => operation),
  );
  return some('operations', all);
}

export function getState(core: MasterCore) {
  const { state } = core;
  return {
    get_tasks: getTasks(state),
    get_executors: getExecutors(state),
    get_frameworks: getFrameworks(core),
    get_agents: getAgents(state),
  };
}

/** undefined for calls whose answers are not of the core (flags, metrics, files, logging). */
export function answer(core: MasterCore, call: MasterCall): MasterResponse | undefined {
  const { state, maintenance, quotas } = core;
  switch (call.type) {
    case 'GET_HEALTH':
      return { type: 'GET_HEALTH', get_health: { healthy: true } };
    case 'GET_VERSION': {
      const version_info = { version: state.options.version, ...buildInfo };
      return { type: 'GET_VERSION', get_version: { version_info } };
    }
    case 'GET_MASTER': {
      const started = state.startedAt / 1_000;
      const master_info = core.masterInfo();
      return {
        type: 'GET_MASTER',
        get_master: { master_info, start_time: started, elected_time: started },
      };
    }
    case 'GET_STATE':
      return { type: 'GET_STATE', get_state: getState(core) };
    case 'GET_AGENTS':
      return { type: 'GET_AGENTS', get_agents: getAgents(state) };
    case 'GET_FRAMEWORKS':
      return { type: 'GET_FRAMEWORKS', get_frameworks: getFrameworks(core) };
    case 'GET_EXECUTORS':
      return { type: 'GET_EXECUTORS', get_executors: getExecutors(state) };
    case 'GET_TASKS':
      return { type: 'GET_TASKS', get_tasks: getTasks(state) };
    case 'GET_ROLES':
      return { type: 'GET_ROLES', get_roles: rolesWire(state, quotas, new Ledger(state)) };
    case 'GET_OPERATIONS':
      return { type: 'GET_OPERATIONS', get_operations: getOperations(state) };
    case 'GET_QUOTA':
      return { type: 'GET_QUOTA', get_quota: { status: quotas.status() } };
    case 'GET_MAINTENANCE_STATUS': {
      const status = maintenance.status();
      return { type: 'GET_MAINTENANCE_STATUS', get_maintenance_status: { status } };
    }
    case 'GET_MAINTENANCE_SCHEDULE': {
      const { schedule } = maintenance;
      return { type: 'GET_MAINTENANCE_SCHEDULE', get_maintenance_schedule: { schedule } };
    }
    case 'GET_WEIGHTS': {
      const weight_infos = state.allocator.weights();
      if (weight_infos.length === 0) return { type: 'GET_WEIGHTS' };
      return { type: 'GET_WEIGHTS', get_weights: { weight_infos } };
    }
    default:
      return undefined;
  }
}
