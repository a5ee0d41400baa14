// Decides who is offered what: hierarchical DRF over roles with weights, offer filters, suppression.
// Event-driven: only agents on which something changed are looked at. Knows no network and no clock.
import { assert } from '#base/assert.ts';
import type { Instant } from '#env/env.ts';
import { reservationRole, type Resources } from '#mesos/resources/resources.ts';
import { Resources as ResourceSet } from '#mesos/resources/resources.ts';
import { dominantShare, RoleTree, type Quantities } from './role-tree.ts';

export interface Allocation {
  readonly frameworkId: string;
  readonly role: string;
  readonly agentId: string;
  /** Allocated to the role. */
  readonly resources: Resources;
}

export interface FrameworkSettings {
  readonly roles: readonly string[];
  readonly suppressedRoles: readonly string[];
  readonly isRevocable: boolean;
  readonly isGpuAware: boolean;
}

interface Filter {
  readonly refused: Resources;
  readonly until: Instant;
}

interface Framework {
  readonly id: string;
  settings: FrameworkSettings;
  isActive: boolean;
  readonly suppressed: Set<string>;
  /** role -> agent -> what was refused there. */
  readonly filters: Map<string, Map<string, Filter[]>>;
  /** role -> what it holds. */
  readonly held: Map<string, Map<string, number>>;
}

interface Agent {
  readonly id: string;
  total: Resources;
  allocated: Resources;
  isActive: boolean;
}

/** `cpus:0.01|mem:32`: less than both is not worth an offer (Mesos' --min_allocatable_resources). */
const CPUS_MIN = 0.01;
const MEM_MB_MIN = 32;

function isAllocatable(resources: Resources): boolean {
  return resources.scalar('cpus') >= CPUS_MIN || resources.scalar('mem') >= MEM_MB_MIN;
}

/** A role may use what is unreserved and what is reserved for it or for an ancestor of it. */
function mayUse(role: string, reservedFor: string): boolean {
  return reservedFor === '*' || role === reservedFor || role.startsWith(`${reservedFor}/`);
}

export class AllocatorCore {
  readonly #agents = new Map<string, Agent>();
  readonly #frameworks = new Map<string, Framework>();
  readonly #roles = new RoleTree();
  readonly #byRole = new Map<string, Set<Framework>>();
  readonly #dirty = new Set<string>();
  readonly #totals = new Map<string, number>();

  /** Something changed: `allocate` may have something to give. */
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  // ---- agents ----

  addAgent(id: string, total: Resources): void {
    assert(!this.#agents.has(id), `Agent ${id} is already known to the allocator`);
    this.#agents.set(id, { id, total, allocated: ResourceSet.none, isActive: true });
    this.#countTotal(total, 1);
    this.#dirty.add(id);
  }

  updateAgent(id: string, total: Resources): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    this.#countTotal(agent.total, -1);
    this.#countTotal(total, 1);
    agent.total = total;
    this.#dirty.add(id);
  }

  removeAgent(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    this.#countTotal(agent.total, -1);
    this.#agents.delete(id);
    this.#dirty.delete(id);
    for (const framework of this.#frameworks.values()) {
      for (const filters of framework.filters.values()) filters.delete(id);
    }
  }

  setAgentActive(id: string, isActive: boolean): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    agent.isActive = isActive;
    if (isActive) this.#dirty.add(id);
  }

  // ---- frameworks ----

  addFramework(id: string, settings: FrameworkSettings): void {
    const framework: Framework = {
      id,
      settings,
      isActive: true,
      suppressed: new Set(settings.suppressedRoles),
      filters: new Map(),
      held: new Map(),
    };
    this.#frameworks.set(id, framework);
    for (const role of settings.roles) this.#track(framework, role);
    this.#markAll();
  }

  updateFramework(id: string, settings: FrameworkSettings): void {
    const framework = this.#known(id);
    for (const role of framework.settings.roles) {
      if (!settings.roles.includes(role)) {
        this.#untrack(framework, role);
        framework.filters.delete(role);
      }
    }
    for (const role of settings.roles) {
      if (!framework.settings.roles.includes(role)) this.#track(framework, role);
    }
    framework.settings = settings;
    framework.suppressed.clear();
    for (const role of settings.suppressedRoles) framework.suppressed.add(role);
    this.#markAll();
  }

  removeFramework(id: string): void {
    const framework = this.#frameworks.get(id);
    if (framework === undefined) return;
    for (const role of framework.settings.roles) this.#untrack(framework, role);
    this.#frameworks.delete(id);
  }

  setFrameworkActive(id: string, isActive: boolean): void {
    const framework = this.#known(id);
    framework.isActive = isActive;
    if (isActive) this.#markAll();
    else framework.filters.clear();
  }

  /** Roles empty: all of them. Lifts suppression and filters. */
  revive(id: string, roles: readonly string[]): void {
    const framework = this.#known(id);
    for (const role of roles.length === 0 ? framework.settings.roles : roles) {
      framework.suppressed.delete(role);
      framework.filters.delete(role);
    }
    this.#markAll();
  }

  suppress(id: string, roles: readonly string[]): void {
    const framework = this.#known(id);
    for (const role of roles.length === 0 ? framework.settings.roles : roles) {
      framework.suppressed.add(role);
    }
  }

  setWeight(role: string, weight: number): void {
    this.#roles.setWeight(role, weight);
    this.#markAll();
  }

  weights(): { role: string; weight: number }[] {
    return this.#roles.weights();
  }

  weight(role: string): number {
    return this.#roles.weight(role);
  }

  roles(): string[] {
    return this.#roles.roles();
  }

  frameworksOf(role: string): string[] {
    return [...(this.#byRole.get(role) ?? [])].map(({ id }) => id);
  }

  // ---- allocations ----

  /** Resources in use that did not come from this allocator's own offers (a returning agent). */
  trackAllocated(frameworkId: string, agentId: string, resources: Resources): void {
    const agent = this.#agents.get(agentId);
    if (agent === undefined) return;
    agent.allocated = agent.allocated.add(resources.allocatedTo(undefined));
    this.#hold(frameworkId, resources, 1);
  }

  /** Declined, unused or ended. `refuseMs` undefined or 0 sets no filter. */
  recover(
    frameworkId: string,
    agentId: string,
    resources: Resources,
    refusal?: { readonly refuseMs: number; readonly now: Instant },
  ): void {
    if (resources.isEmpty) return;
    this.#hold(frameworkId, resources, -1);
    const agent = this.#agents.get(agentId);
    if (agent === undefined) return;
    agent.allocated = agent.allocated.subtract(resources.allocatedTo(undefined));
    this.#dirty.add(agentId);
    const framework = this.#frameworks.get(frameworkId);
    if (framework === undefined || refusal === undefined || refusal.refuseMs <= 0) return;
    const role = resources.toWire()[0]?.allocation_info?.role ?? '*';
    const byAgent = framework.filters.get(role) ?? new Map<string, Filter[]>();
    framework.filters.set(role, byAgent);
    const filters = byAgent.get(agentId) ?? [];
    byAgent.set(agentId, filters);
    filters.push({
      refused: resources.allocatedTo(undefined),
      until: refusal.now + refusal.refuseMs,
    });
  }

  /** Filters that ended make their agents worth another look. Returns when the next one ends. */
  expireFilters(now: Instant): Instant | undefined {
    let next: Instant | undefined;
    for (const framework of this.#frameworks.values()) {
      for (const byAgent of framework.filters.values()) {
        for (const [agentId, filters] of byAgent) {
          const left = filters.filter(({ until }) => until > now);
          if (left.length < filters.length) this.#dirty.add(agentId);
          if (left.length === 0) byAgent.delete(agentId);
          else byAgent.set(agentId, left);
          for (const { until } of left) next = next === undefined ? until : Math.min(next, until);
        }
      }
    }
    return next;
  }

  /** Gives out what is free on the agents that changed. */
  allocate(now: Instant): Allocation[] {
    this.expireFilters(now);
    const agents = [...this.#dirty]
      .map((id) => this.#agents.get(id))
      .filter((one) => one !== undefined);
    this.#dirty.clear();
    const given: Allocation[] = [];
    for (const agent of agents) {
      if (!agent.isActive) continue;
      let free = agent.total.subtract(agent.allocated);
      if (!isAllocatable(free)) continue;
      for (const role of this.#roles.order(this.#totals)) {
        for (const framework of this.#frameworksInOrder(role)) {
          const allocation = this.#offerable(framework, role, agent, free);
          if (allocation === undefined) continue;
          given.push(allocation);
          free = free.subtract(allocation.resources.allocatedTo(undefined));
          agent.allocated = agent.allocated.add(allocation.resources.allocatedTo(undefined));
          this.#hold(framework.id, allocation.resources, 1);
        }
        if (!isAllocatable(free)) break;
      }
    }
    return given;
  }

  /** Sum of what all agents have, in thousandths. */
  totals(): Quantities {
    return this.#totals;
  }

  available(agentId: string): Resources {
    const agent = this.#agents.get(agentId);
    return agent === undefined ? ResourceSet.none : agent.total.subtract(agent.allocated);
  }

  #offerable(
    framework: Framework,
    role: string,
    agent: Agent,
    free: Resources,
  ): Allocation | undefined {
    if (!framework.isActive || framework.suppressed.has(role)) return undefined;
    if (!framework.settings.isGpuAware && agent.total.scalar('gpus') > 0) return undefined;
    const usable = free.filter(
      (kind) =>
        mayUse(role, reservationRole(kind)) &&
        (framework.settings.isRevocable || kind.revocable === undefined),
    );
    if (!isAllocatable(usable)) return undefined;
    const filters = framework.filters.get(role)?.get(agent.id) ?? [];
    if (filters.some(({ refused }) => refused.contains(usable))) return undefined;
    return {
      frameworkId: framework.id,
      role,
      agentId: agent.id,
      resources: usable.allocatedTo(role),
    };
  }

  #frameworksInOrder(role: string): Framework[] {
    const all = [...(this.#byRole.get(role) ?? [])];
    if (all.length < 2) return all;
    const share = new Map(
      all.map((one) => [one, dominantShare(one.held.get(role) ?? new Map(), this.#totals, 1)]),
    );
    return all.sort((a, b) => (share.get(a) ?? 0) - (share.get(b) ?? 0) || (a.id < b.id ? -1 : 1));
  }

  #hold(frameworkId: string, resources: Resources, sign: 1 | -1): void {
    const framework = this.#frameworks.get(frameworkId);
    for (const [role, part] of splitByRole(resources)) {
      const quantities = part.quantities();
      this.#roles.hold(role, quantities, sign);
      if (framework === undefined) continue;
      const held = framework.held.get(role) ?? new Map<string, number>();
      framework.held.set(role, held);
      for (const [name, amount] of quantities)
        held.set(name, (held.get(name) ?? 0) + sign * amount);
    }
  }

  #track(framework: Framework, role: string): void {
    const known = this.#byRole.get(role) ?? new Set();
    known.add(framework);
    this.#byRole.set(role, known);
    this.#roles.countFrameworks(role, 1);
  }

  #untrack(framework: Framework, role: string): void {
    const known = this.#byRole.get(role);
    known?.delete(framework);
    if (known?.size === 0) this.#byRole.delete(role);
    this.#roles.countFrameworks(role, -1);
  }

  #countTotal(total: Resources, sign: 1 | -1): void {
    for (const [name, amount] of total.quantities()) {
      this.#totals.set(name, (this.#totals.get(name) ?? 0) + sign * amount);
    }
  }

  #markAll(): void {
    for (const id of this.#agents.keys()) this.#dirty.add(id);
  }

  #known(id: string): Framework {
    const framework = this.#frameworks.get(id);
    assert(framework !== undefined, `Framework ${id} is not known to the allocator`);
    return framework;
  }
}

function splitByRole(resources: Resources): [string, Resources][] {
  const roles = new Set(resources.toWire().map((one) => one.allocation_info?.role ?? '*'));
  if (roles.size === 1) return [[[...roles][0] ?? '*', resources]];
  return [...roles].map((role): [string, Resources] => [
    role,
    resources.filter((kind) => (kind.allocation_info?.role ?? '*') === role),
  ]);
}
