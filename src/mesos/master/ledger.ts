// Who holds what at one moment, by agent, framework and role, for one answer that shows many of them.
import { isReserved, isWithin, reservationRole } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import { rolesOf } from './roles.ts';
import type { MasterState } from './state.ts';

export class Ledger {
  readonly #state: MasterState;
  #used: readonly Resources[] | undefined;
  #offered: readonly Resources[] | undefined;
  #reserved: Resources | undefined;

  constructor(state: MasterState) {
    this.#state = state;
  }

  /** Held by tasks and executors. */
  usedOn(agentId: string): Resources {
    const agent = this.#state.agents.get(agentId);
    return agent === undefined ? Resources.none : this.#state.holdings.usedOn(agent);
  }

  usedBy(frameworkId: string): Resources {
    return this.#state.frameworks.get(frameworkId)?.used.total() ?? Resources.none;
  }

  usedByAll(): Resources {
    return Resources.join(this.#usedByFrameworks());
  }

  offeredOn(agentId: string): Resources {
    const agent = this.#state.agents.get(agentId);
    return agent === undefined ? Resources.none : this.#state.holdings.offeredOn(agent);
  }

  offeredTo(frameworkId: string): Resources {
    return this.#state.frameworks.get(frameworkId)?.offered.total() ?? Resources.none;
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

  /** Thousandths of what frameworks hold in the role and in those below. */
  allocatedIn(role: string): Map<string, number> {
    return within(this.#usedByFrameworks(), role);
  }

  offeredIn(role: string): Map<string, number> {
    this.#offered ??= [...this.#state.frameworks.values()].map(({ offered }) => offered.total());
    return within(this.#offered, role);
  }

  /** Thousandths of what agents have reserved for the role and for those below. */
  reservedFor(role: string): Map<string, number> {
    return this.#reservations()
      .filter((kind) => isWithin(reservationRole(kind), role))
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
    const held = Resources.join(this.#usedByFrameworks().map((bag) => bag.filter(isCounted)));
    const reserved = this.#reservations().filter((kind) => isThere(reservationRole(kind)));
    return held.add(reserved).quantities();
  }

  #usedByFrameworks(): readonly Resources[] {
    this.#used ??= [...this.#state.frameworks.values()].map(({ used }) => used.total());
    return this.#used;
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
}

/** Bag by bag: two frameworks that have the same ports, on two agents, have twice as many, as in Mesos. */
function within(bags: readonly Resources[], role: string): Map<string, number> {
  const sum = new Map<string, number>();
  for (const bag of bags) {
    const mine = bag.filter((kind) => isWithin(kind.allocation_info?.role ?? '*', role));
    for (const [name, milli] of mine.quantities()) sum.set(name, (sum.get(name) ?? 0) + milli);
  }
  return sum;
}
