// Who holds what at one moment, added up once for an answer that shows many agents and frameworks.
import { isReserved, isWithin, reservationRole } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import { rolesOf } from './roles.ts';
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
  readonly #state: MasterState;
  readonly #sums = new Map<Resources[], Resources>();
  #usedByFrameworks: readonly Resources[] | undefined;
  #offeredToFrameworks: readonly Resources[] | undefined;
  #reserved: Resources | undefined;

  constructor(state: MasterState) {
    this.#state = state;
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
    return this.#sum(this.#byAgent.get(agentId));
  }

  usedBy(frameworkId: string): Resources {
    return this.#sum(this.#byFramework.get(frameworkId));
  }

  usedByAll(): Resources {
    return Resources.join(this.#used());
  }

  offeredOn(agentId: string): Resources {
    return this.#sum(this.#offeredOn.get(agentId));
  }

  offeredTo(frameworkId: string): Resources {
    return this.#sum(this.#offeredTo.get(frameworkId));
  }

  // ---- by role ----

  /** Roles that a framework is subscribed to, or still holds something in. */
  trackedRoles(): { id: string; roles: Set<string> }[] {
    return [...this.#state.frameworks.values()].map(({ id, info }) => {
      const roles = new Set(rolesOf(info));
      for (const { allocation_info } of this.usedBy(id).kinds()) {
        if (allocation_info?.role !== undefined) roles.add(allocation_info.role);
      }
      return { id, roles };
    });
  }

  allocatedIn(role: string): Resources {
    return within(this.#used(), role);
  }

  offeredIn(role: string): Resources {
    this.#offeredToFrameworks ??= [...this.#offeredTo.keys()].map((id) => this.offeredTo(id));
    return within(this.#offeredToFrameworks, role);
  }

  /** Thousandths of what agents have reserved for the role. */
  reservedFor(role: string): Map<string, number> {
    return this.#reservations()
      .filter((kind) => reservationRole(kind) === role)
      .quantities();
  }

  reservationRoles(): Set<string> {
    return new Set(this.#reservations().kinds().map(reservationRole));
  }

  /** Thousandths of what counts against a quota: held there and below, and all reservations there. */
  consumedIn(role: string): Map<string, number> {
    return this.#consumed((one) => isWithin(one, role));
  }

  consumedInAll(): Map<string, number> {
    return this.#consumed(() => true);
  }

  #consumed(isThere: (role: string) => boolean): Map<string, number> {
    const isCounted = (kind: Resource): boolean =>
      !isReserved(kind) &&
      kind.revocable === undefined &&
      isThere(kind.allocation_info?.role ?? '*');
    const held = Resources.join(this.#used().map((bag) => bag.filter(isCounted)));
    const reserved = this.#reservations().filter((kind) => isThere(reservationRole(kind)));
    return held.add(reserved).quantities();
  }

  #used(): readonly Resources[] {
    this.#usedByFrameworks ??= [...this.#byFramework.keys()].map((id) => this.usedBy(id));
    return this.#usedByFrameworks;
  }

  /** Of all agents. */
  #reservations(): Resources {
    this.#reserved ??= Resources.join(
      [...this.#state.agents.values()]
        .filter(({ total }) => !total.isCommon)
        .map(({ total }) => total.filter(isReserved)),
    );
    return this.#reserved;
  }

  #sum(parts: Resources[] | undefined): Resources {
    if (parts === undefined) return Resources.none;
    const known = this.#sums.get(parts);
    if (known !== undefined) return known;
    const sum = Resources.join(parts);
    this.#sums.set(parts, sum);
    return sum;
  }

  #use(frameworkId: string, agentId: string, resources: Resources): void {
    put(this.#byAgent, agentId, resources);
    put(this.#byFramework, frameworkId, resources);
  }
}

function within(bags: readonly Resources[], role: string): Resources {
  return Resources.join(
    bags.map((bag) => bag.filter((kind) => kind.allocation_info?.role === role)),
  );
}

/** What tasks and executors of each framework hold on one agent. */
export function usedOn(state: MasterState, agentId: string): Resources[] {
  return allocatedOn(state, agentId).map((bag) => bag.allocatedTo(undefined));
}

/** The same, with the roles to which it is allocated. */
export function allocatedOn(state: MasterState, agentId: string): Resources[] {
  const used: Resources[] = [];
  for (const { id, tasks } of state.frameworks.values()) {
    const mine: Resources[] = [];
    for (const { task, resources, isReleased } of tasks.values()) {
      if (!isReleased && task.agent_id.value === agentId) mine.push(resources);
    }
    for (const { resources } of state.agents.get(agentId)?.executors.get(id)?.values() ?? []) {
      mine.push(resources);
    }
    if (mine.length > 0) used.push(Resources.join(mine));
  }
  return used;
}
