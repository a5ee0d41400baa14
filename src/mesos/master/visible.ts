// What of an operator's answer or event a caller may see (access control lists, Mesos 1.11): things
// that are hidden are left out, never refused. Answers are built whole and cut down here, so callers who may see
// everything pay nothing.
import { conversionsOf, takenBy } from '#mesos/resources/conversions.ts';
import {
  mayViewExecutor,
  mayViewFramework,
  mayViewResource,
  mayViewTask,
  type Approvers,
} from '#mesos/security/authorizer.ts';
import type {
  AgentInfo,
  FrameworkInfo,
  MasterEvent,
  MasterResponse,
  MasterResponse_GetAgents,
  MasterResponse_GetAgents_Agent,
  MasterResponse_GetExecutors,
  MasterResponse_GetFrameworks,
  MasterResponse_GetState,
  MasterResponse_GetTasks,
  Operation,
  QuotaStatus,
  Resource,
  Task,
} from '#wire/mesos/v1.ts';
import type { MasterState } from './state.ts';

/** Lists that are empty are not written, as everywhere in Mesos' answers. */
function some<K extends string, T>(name: K, list: readonly T[]): { [P in K]?: T[] } {
  return (list.length === 0 ? { [name]: undefined } : { [name]: list }) as { [P in K]?: T[] };
}

export class Visible {
  readonly #state: MasterState;
  readonly #approvers: Approvers;

  constructor(state: MasterState, approvers: Approvers) {
    this.#state = state;
    this.#approvers = approvers;
  }

  response(response: MasterResponse): MasterResponse {
    if (this.#approvers.seesAll) return response;
    const { get_state, get_tasks, get_executors, get_frameworks, get_agents } = response;
    return {
      ...response,
      ...(get_state && { get_state: this.state(get_state) }),
      ...(get_tasks && { get_tasks: this.#tasks(get_tasks) }),
      ...(get_executors && { get_executors: this.#executors(get_executors) }),
      ...(get_frameworks && { get_frameworks: this.#frameworks(get_frameworks) }),
      ...(get_agents && { get_agents: this.#agents(get_agents) }),
      ...this.#others(response),
    };
  }

  #others(response: MasterResponse): Partial<MasterResponse> {
    const { get_roles, get_weights, get_quota, get_operations } = response;
    const { get_maintenance_schedule: schedule, get_maintenance_status: status } = response;
    const sees = (action: 'VIEW_ROLE' | 'GET_QUOTA', role = '*') =>
      this.#approvers.may(action, role);
    return {
      ...(get_roles && {
        get_roles: some(
          'roles',
          (get_roles.roles ?? []).filter(({ name }) => sees('VIEW_ROLE', name)),
        ),
      }),
      ...(get_weights && {
        get_weights: withoutEmpty(
          (get_weights.weight_infos ?? []).filter(({ role }) => sees('VIEW_ROLE', role)),
        ),
      }),
      ...(get_quota && { get_quota: { status: this.quota(get_quota.status) } }),
      ...(get_operations && {
        get_operations: some(
          'operations',
          (get_operations.operations ?? []).filter((one) => this.#isOperation(one)),
        ),
      }),
      ...(schedule &&
        !this.#approvers.may('GET_MAINTENANCE_SCHEDULE') && {
          get_maintenance_schedule: { schedule: {} },
        }),
      ...(status &&
        !this.#approvers.may('GET_MAINTENANCE_STATUS') && {
          get_maintenance_status: { status: {} },
        }),
    };
  }

  state(state: MasterResponse_GetState): MasterResponse_GetState {
    if (this.#approvers.seesAll) return state;
    const { get_tasks, get_executors, get_frameworks, get_agents } = state;
    return {
      ...(get_tasks && { get_tasks: this.#tasks(get_tasks) }),
      ...(get_executors && { get_executors: this.#executors(get_executors) }),
      ...(get_frameworks && { get_frameworks: this.#frameworks(get_frameworks) }),
      ...(get_agents && { get_agents: this.#agents(get_agents) }),
    };
  }

  /** Undefined: it is not for this caller. `task`: of which TASK_UPDATED tells. */
  event(event: MasterEvent, task: Task | undefined): MasterEvent | undefined {
    if (this.#approvers.seesAll) return event;
    const approvers = this.#approvers;
    switch (event.type) {
      case 'TASK_ADDED':
      case 'TASK_UPDATED': {
        const about = event.task_added?.task ?? task;
        return about === undefined || this.#isTask(about) ? event : undefined;
      }
      case 'FRAMEWORK_ADDED':
      case 'FRAMEWORK_UPDATED':
      case 'FRAMEWORK_REMOVED': {
        const info =
          event.framework_added?.framework.framework_info ??
          event.framework_updated?.framework.framework_info ??
          event.framework_removed?.framework_info;
        return info === undefined || mayViewFramework(approvers, info) ? event : undefined;
      }
      case 'AGENT_ADDED': {
        const agent = event.agent_added?.agent;
        return agent === undefined
          ? event
          : { ...event, agent_added: { agent: this.#agent(agent) } };
      }
      default:
        return event;
    }
  }

  quota(status: QuotaStatus): QuotaStatus {
    const sees = ({ role = '*' }: { role?: string | undefined }) =>
      this.#approvers.may('GET_QUOTA', role);
    return {
      ...some('infos', (status.infos ?? []).filter(sees)),
      ...some('configs', (status.configs ?? []).filter(sees)),
    };
  }

  /** Of frameworks that are known, and of those that are completed. */
  infoOf(frameworkId: string): FrameworkInfo | undefined {
    const { frameworks, completedFrameworks } = this.#state;
    return (frameworks.get(frameworkId) ?? completedFrameworks.get(frameworkId))?.info;
  }

  #isTask(task: Task): boolean {
    const info = this.infoOf(task.framework_id.value);
    if (info === undefined) return false;
    return mayViewFramework(this.#approvers, info) && mayViewTask(this.#approvers, task, info);
  }

  #tasks({ tasks, unreachable_tasks, completed_tasks }: MasterResponse_GetTasks) {
    const seen = (list: Task[] | undefined): Task[] =>
      (list ?? []).filter((task) => this.#isTask(task));
    return {
      tasks: seen(tasks),
      unreachable_tasks: seen(unreachable_tasks),
      completed_tasks: seen(completed_tasks),
    };
  }

  #executors({ executors = [] }: MasterResponse_GetExecutors): MasterResponse_GetExecutors {
    const seen = executors.filter(({ executor_info }) => {
      const info = this.infoOf(executor_info.framework_id?.value ?? '');
      if (info === undefined || !mayViewFramework(this.#approvers, info)) return false;
      return mayViewExecutor(this.#approvers, executor_info, info);
    });
    return { executors: seen };
  }

  #frameworks(all: MasterResponse_GetFrameworks): MasterResponse_GetFrameworks {
    const seen = (list: MasterResponse_GetFrameworks['frameworks']) =>
      (list ?? []).filter((one) => mayViewFramework(this.#approvers, one.framework_info));
    return {
      frameworks: seen(all.frameworks),
      completed_frameworks: seen(all.completed_frameworks),
    };
  }

  #agents({ agents = [], recovered_agents = [] }: MasterResponse_GetAgents) {
    return {
      agents: agents.map((agent) => this.#agent(agent)),
      recovered_agents: recovered_agents.map((info) => this.#agentInfo(info)),
    };
  }

  #agent(agent: MasterResponse_GetAgents_Agent): MasterResponse_GetAgents_Agent {
    return {
      ...agent,
      agent_info: this.#agentInfo(agent.agent_info),
      ...some('total_resources', this.#resources(agent.total_resources)),
      ...some('allocated_resources', this.#resources(agent.allocated_resources)),
      ...some('offered_resources', this.#resources(agent.offered_resources)),
    };
  }

  #agentInfo(info: AgentInfo): AgentInfo {
    return { ...info, ...some('resources', this.#resources(info.resources)) };
  }

  #resources(list: readonly Resource[] | undefined): Resource[] {
    return (list ?? []).filter((one) => mayViewResource(this.#approvers, one));
  }

  /** Who may see what it works on may see it. */
  #isOperation({ info }: Operation): boolean {
    const taken = [takenBy(info), ...conversionsOf(info).map(({ consumed }) => consumed)];
    return taken.every((bag) => bag.toWire().every((one) => mayViewResource(this.#approvers, one)));
  }
}

function withoutEmpty<T>(weight_infos: readonly T[]): { weight_infos: T[] } | undefined {
  return weight_infos.length === 0 ? undefined : { weight_infos: [...weight_infos] };
}
