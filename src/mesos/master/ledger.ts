// Who holds what at one moment, added up once for an answer that shows many agents and frameworks.
import { Resources } from '#mesos/resources/resources.ts';
import type { MasterState } from './state.ts';

function put<T>(lists: Map<string, T[]>, key: string, one: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [one]);
  else list.push(one);
}

export class Ledger {
  readonly #byAgent = new Map<string, Resources[]>();
  readonly #byFramework = new Map<string, Resources[]>();
  readonly #offeredOn = new Map<string, Resources[]>();
  readonly #offeredTo = new Map<string, Resources[]>();

  constructor(state: MasterState) {
    for (const { id, tasks } of state.frameworks.values()) {
      for (const { task, resources, isReleased } of tasks.values()) {
        if (!isReleased) this.#use(id, task.agent_id.value, resources);
      }
    }
    for (const agent of state.agents.values()) {
      for (const [frameworkId, executors] of agent.executors) {
        for (const { resources } of executors.values()) this.#use(frameworkId, agent.id, resources);
      }
    }
    for (const { agentId, frameworkId, resources } of state.offers.values()) {
      put(this.#offeredOn, agentId, resources);
      put(this.#offeredTo, frameworkId, resources);
    }
  }

  /** Held by tasks and executors. */
  usedOn(agentId: string): Resources {
    return Resources.sum(this.#byAgent.get(agentId) ?? []);
  }

  usedBy(frameworkId: string): Resources {
    return Resources.sum(this.#byFramework.get(frameworkId) ?? []);
  }

  usedByAll(): Resources {
    return Resources.sum([...this.#byFramework.values()].flat());
  }

  offeredOn(agentId: string): Resources {
    return Resources.sum(this.#offeredOn.get(agentId) ?? []);
  }

  offeredTo(frameworkId: string): Resources {
    return Resources.sum(this.#offeredTo.get(frameworkId) ?? []);
  }

  #use(frameworkId: string, agentId: string, resources: Resources): void {
    put(this.#byAgent, agentId, resources);
    put(this.#byFramework, frameworkId, resources);
  }
}

/** What tasks and executors of each framework hold on one agent. */
export function usedOn(state: MasterState, agentId: string): Resources[] {
  const used: Resources[] = [];
  for (const { id, tasks } of state.frameworks.values()) {
    const mine: Resources[] = [];
    for (const { task, resources, isReleased } of tasks.values()) {
      if (!isReleased && task.agent_id.value === agentId) mine.push(resources);
    }
    for (const { resources } of state.agents.get(agentId)?.executors.get(id)?.values() ?? []) {
      mine.push(resources);
    }
    if (mine.length > 0) used.push(Resources.sum(mine));
  }
  return used;
}
