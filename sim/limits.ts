// Whether offers keep within the limits of roles, by what tasks, executors and offers really hold: the
// rule of the allocator, computed the long way, and with what runs where the master cannot look yet.
import type { MasterCore } from '#mesos/master/core.ts';
import { isReserved, isWithin, reservationRole } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Offer, QuotaConfig, Resource } from '#wire/mesos/v1.ts';
import type { World } from './world.ts';

type Scalars = Map<string, number>;

/** What counts against quota: neither revocable nor reserved; reservations count by themselves. */
const isCommon = (kind: Resource): boolean => !isReserved(kind) && kind.revocable === undefined;

function add(sums: Scalars, resources: Resources): void {
  for (const [name, milli] of resources.scalarsWhere(isCommon)) {
    sums.set(name, (sums.get(name) ?? 0) + milli);
  }
}

function roleOf(resources: Resources): string {
  let role = '*';
  resources.every((kind) => {
    role = kind.allocation_info?.role ?? role;
    return true;
  });
  return role;
}

/** Offers are numbered in the order in which they were decided on. */
function numberOf(offerId: string): number {
  return Number(offerId.slice(offerId.lastIndexOf('O') + 1));
}

/**
 * Thousandths that the role and those below it hold, also on agents that are still missing, with
 * offers up to number `last`: roles below that are not bound may have been given more afterwards.
 */
function heldBy(world: World, { state }: MasterCore, role: string, last: number): Scalars {
  const sums: Scalars = new Map();
  const count = (resources: Resources): void => {
    if (isWithin(roleOf(resources), role)) add(sums, resources);
  };
  for (const { tasks } of state.frameworks.values()) {
    for (const { resources, isReleased } of tasks.values()) if (!isReleased) count(resources);
  }
  for (const agent of state.agents.values()) {
    for (const executors of agent.executors.values()) {
      for (const { resources } of executors.values()) count(resources);
    }
    const reserved = agent.total.filter(
      (kind) => isReserved(kind) && isWithin(reservationRole(kind), role),
    );
    for (const [name, milli] of reserved.scalarQuantities()) {
      sums.set(name, (sums.get(name) ?? 0) + milli);
    }
  }
  for (const { id, resources } of state.offers.values()) {
    if (numberOf(id) <= last) count(resources);
  }
  for (const machine of world.machines) {
    if (!state.recovered.has(machine.disk.agentId ?? '')) continue;
    for (const { plan, frameworkId = '' } of world.frameworks) {
      if (!isWithin(plan.role, role)) continue;
      const used = machine.used((one) => one === plan.name || one === frameworkId);
      add(sums, used);
    }
  }
  return sums;
}

/** Undefined where nobody knows for certain what the limits are. */
function limitsOf(world: World, role: string): QuotaConfig['limits'] {
  return world.operator.decided.quotas.get(role)?.only?.limits;
}

/** Limits of a role bind it; those above bind it as well once there are quotas on roles below them. */
function bindingRoles(world: World, core: MasterCore, role: string): string[] {
  const { allocator } = core.state;
  const all = [...world.operator.decided.quotas.keys()].filter(
    (one) => allocator.quota(one) !== undefined,
  );
  return all.filter(
    (one) =>
      one === role ||
      (isWithin(role, one) && all.some((below) => below !== one && isWithin(below, one))),
  );
}

/** What is wrong with offers that are just being made. */
export function brokenLimits(world: World, core: MasterCore, offers: readonly Offer[]): string[] {
  if (world.operator.decided.quotas.size === 0) return [];
  const wrong: string[] = [];
  /** By role and name of a resource: the number of the last offer with some of it. */
  const offered = new Map<string, Map<string, number>>();
  for (const { id, allocation_info, resources } of offers) {
    const role = allocation_info?.role ?? '*';
    const lasts = offered.get(role) ?? new Map<string, number>();
    offered.set(role, lasts);
    const sums: Scalars = new Map();
    add(sums, Resources.of(resources));
    for (const [name, milli] of sums) {
      if (milli > 0) lasts.set(name, Math.max(lasts.get(name) ?? 0, numberOf(id.value)));
    }
  }
  for (const [role, lasts] of offered) {
    for (const binding of bindingRoles(world, core, role)) {
      const limits = limitsOf(world, binding) ?? {};
      for (const [name, { value }] of Object.entries(limits)) {
        const last = lasts.get(name);
        if (last === undefined) continue;
        const has = (heldBy(world, core, binding, last).get(name) ?? 0) / 1_000;
        if (has <= value) continue;
        wrong.push(`${role} is offered ${name} so that ${binding} has ${has}, of at most ${value}`);
      }
    }
  }
  return wrong;
}
