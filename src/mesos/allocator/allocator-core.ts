// Decides who is offered what: hierarchical DRF over roles with weights, offer filters,
// suppression, stated demand. Event-driven: only what changed is looked at. Knows no network and no
// clock.
import { assert } from '#base/assert.ts';
import { mayUse, reservationRole } from '#mesos/resources/kinds.ts';
import { applyConversions, type Conversion } from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import { OfferFilters, type Filter, type Instant } from './offer-filters.ts';
import { RoleTree, type Client, type Quantities } from './role-tree.ts';

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

/** One thing that a framework asked for: so much at once, on a certain agent or on any. */
export interface Wish {
  readonly agentId: string | undefined;
  readonly resources: readonly Resource[];
}

/** Thousandths of each scalar. A limit that is not there is none. */
export interface Quota {
  readonly guarantees: Quantities;
  readonly limits: Quantities;
}

interface FrameworkClient extends Client {
  readonly framework: Framework;
  readonly filters: Map<string, Filter[]>;
  isActive: boolean;
}

interface Framework {
  readonly id: string;
  settings: FrameworkSettings;
  isActive: boolean;
  readonly suppressed: Set<string>;
  readonly clients: Map<string, FrameworkClient>;
  /** Undefined: takes whatever there is, as in stock Mesos. Otherwise only this is offered. */
  wishes: Wish[] | undefined;
}

/** What is to be looked at, and how far that is. */
interface Look {
  readonly agents: readonly Agent[];
  at: number;
  /** Undefined: all of them. */
  readonly clients: Set<FrameworkClient> | undefined;
}

interface Agent {
  readonly id: string;
  total: Resources;
  allocated: Resources;
  free: Resources;
  hasGpus: boolean;
  isActive: boolean;
}

/** `cpus:0.01|mem:32`: less than both is not worth an offer (Mesos' --min_allocatable_resources). */
const CPUS_MILLI_MIN = 10;
const MEM_MILLI_MIN = 32_000;

export function isAllocatable(resources: Resources): boolean {
  const scalars = resources.scalarQuantities();
  return (scalars.get('cpus') ?? 0) >= CPUS_MILLI_MIN || (scalars.get('mem') ?? 0) >= MEM_MILLI_MIN;
}

export class AllocatorCore {
  readonly #agents = new Map<string, Agent>();
  readonly #frameworks = new Map<string, Framework>();
  readonly #quotas = new Map<string, Quota>();
  readonly #totals = new Map<string, number>();
  readonly #tree = new RoleTree(this.#totals);
  readonly #filters = new OfferFilters();
  /** Frameworks of each role, active or not. */
  readonly #byRole = new Map<string, Set<Framework>>();
  /** Agents that every framework is worth asking about. */
  readonly #dirty = new Set<Agent>();
  /** Active agents that have something worth offering. */
  readonly #withFree = new Set<Agent>();
  /** Something changed for them alone: agents that others left are worth another look. */
  readonly #eager = new Set<FrameworkClient>();
  /** A look at all of them, while it is under way. What changes meanwhile is for the next one. */
  #pass: Look | undefined;
  #round: Look | undefined;

  /** Something changed: `allocate` may have something to give. */
  get isDirty(): boolean {
    return this.#dirty.size > 0 || this.#eager.size > 0 || this.isMidway;
  }

  /** The last `allocate` stopped before its end. */
  get isMidway(): boolean {
    return this.#pass !== undefined || this.#round !== undefined;
  }

  // ---- agents ----

  addAgent(id: string, total: Resources): void {
    assert(!this.#agents.has(id), `Agent ${id} is already known to the allocator`);
    const allocated = Resources.none;
    const hasGpus = total.scalar('gpus') > 0;
    const agent: Agent = { id, total, allocated, free: total, hasGpus, isActive: true };
    this.#agents.set(id, agent);
    this.#countTotal(total, 1);
    this.#freeChanged(agent);
  }

  updateAgent(id: string, total: Resources): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    this.#countTotal(agent.total, -1);
    this.#countTotal(total, 1);
    agent.total = total;
    agent.hasGpus = total.scalar('gpus') > 0;
    agent.free = freeOf(total, agent.allocated);
    this.#freeChanged(agent);
  }

  removeAgent(id: string): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    this.#countTotal(agent.total, -1);
    this.#agents.delete(id);
    this.#dirty.delete(agent);
    this.#withFree.delete(agent);
    for (const { clients } of this.#frameworks.values()) {
      for (const { filters } of clients.values()) this.#filters.forgetAgent(filters, id);
    }
  }

  setAgentActive(id: string, isActive: boolean): void {
    const agent = this.#agents.get(id);
    if (agent === undefined) return;
    agent.isActive = isActive;
    this.#freeChanged(agent);
  }

  // ---- frameworks ----

  addFramework(id: string, settings: FrameworkSettings): void {
    const framework: Framework = {
      id,
      settings,
      isActive: true,
      suppressed: new Set(settings.suppressedRoles),
      clients: new Map(),
      wishes: undefined,
    };
    this.#frameworks.set(id, framework);
    for (const role of settings.roles) this.#addClient(framework, role);
    this.#settle(framework);
  }

  updateFramework(id: string, settings: FrameworkSettings): void {
    const framework = this.#known(id);
    for (const role of framework.settings.roles) {
      if (!settings.roles.includes(role)) this.#retireClient(framework, role);
    }
    framework.settings = settings;
    for (const role of settings.roles) this.#addClient(framework, role);
    framework.suppressed.clear();
    for (const role of settings.suppressedRoles) framework.suppressed.add(role);
    this.#settle(framework);
  }

  removeFramework(id: string): void {
    const framework = this.#frameworks.get(id);
    if (framework === undefined) return;
    for (const role of framework.clients.keys()) {
      this.#retireClient(framework, role);
      framework.clients.delete(role);
    }
    this.#frameworks.delete(id);
  }

  setFrameworkActive(id: string, isActive: boolean): void {
    const framework = this.#known(id);
    framework.isActive = isActive;
    if (!isActive) {
      framework.wishes = undefined;
      for (const { filters } of framework.clients.values()) this.#filters.clear(filters);
    }
    this.#settle(framework);
  }

  /** Roles empty: all of them. Lifts suppression and filters. */
  revive(id: string, roles: readonly string[]): void {
    const framework = this.#known(id);
    for (const role of roles.length === 0 ? framework.settings.roles : roles) {
      framework.suppressed.delete(role);
      const client = framework.clients.get(role);
      if (client !== undefined) this.#filters.clear(client.filters);
    }
    this.#settle(framework);
  }

  suppress(id: string, roles: readonly string[]): void {
    const framework = this.#known(id);
    for (const role of roles.length === 0 ? framework.settings.roles : roles) {
      framework.suppressed.add(role);
    }
    this.#settle(framework);
  }

  /** REQUEST: from now on offers are cut to these wishes, each served once; empty: stock behaviour. */
  setWishes(id: string, wishes: readonly Wish[]): void {
    const framework = this.#known(id);
    framework.wishes = wishes.length === 0 ? undefined : [...wishes];
    for (const { filters } of framework.clients.values()) this.#filters.clear(filters);
    this.#settle(framework);
  }

  setWeight(role: string, weight: number): void {
    this.#tree.setWeight(role, weight);
    for (const agent of this.#withFree) this.#dirty.add(agent);
  }

  /** Undefined: none. */
  setQuota(role: string, quota: Quota | undefined): void {
    if (quota === undefined) this.#quotas.delete(role);
    else this.#quotas.set(role, quota);
  }

  /** Thousandths of what counts against the quota of a role and of those below it. */
  consumedQuota(role: string): Quantities {
    return this.#tree.held(role);
  }

  weights(): { role: string; weight: number }[] {
    return this.#tree.weights();
  }

  weight(role: string): number {
    return this.#tree.weight(role);
  }

  /** Roles that a framework has or that hold something, and the roles above them. */
  roles(): string[] {
    const found = new Set(this.#tree.roles());
    for (const role of this.#byRole.keys()) {
      const parts = role.split('/');
      for (let i = 1; i <= parts.length; i++) found.add(parts.slice(0, i).join('/'));
    }
    return [...found];
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
    agent.free = freeOf(agent.total, agent.allocated);
    this.#hold(frameworkId, resources, 1);
    this.#freeChanged(agent);
  }

  /** What the framework holds on the agent turns into something else (a reservation, a volume). */
  convertAllocated(
    frameworkId: string,
    agentId: string,
    { consumed, converted }: Conversion,
  ): void {
    const agent = this.#agents.get(agentId);
    if (agent === undefined) return;
    const [from, to] = [consumed.allocatedTo(undefined), converted.allocatedTo(undefined)];
    this.#hold(frameworkId, consumed, -1);
    agent.allocated = agent.allocated.subtract(from).add(to);
    this.#hold(frameworkId, converted, 1);
    this.updateAgent(agentId, agent.total.subtract(from).add(to));
  }

  /** The same for what nobody holds; an error says why it cannot be, and changes nothing. */
  convertAvailable(agentId: string, conversions: readonly Conversion[]): string | undefined {
    const agent = this.#agents.get(agentId);
    if (agent === undefined) return `Agent ${agentId} is not known`;
    const available = applyConversions(agent.free, conversions);
    if (!available.ok) return available.error;
    const total = applyConversions(agent.total, conversions);
    if (!total.ok) return total.error;
    this.updateAgent(agentId, total.value);
    return undefined;
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
    const plain = resources.allocatedTo(undefined);
    agent.allocated = agent.allocated.subtract(plain);
    // The same bag as before it was offered: filters then recognise it at once.
    const free = freeOf(agent.total, agent.allocated);
    agent.free = free.equals(plain) ? plain : free;
    this.#freeChanged(agent);
    if (refusal === undefined || refusal.refuseMs <= 0) return;
    const role = resources.toWire()[0]?.allocation_info?.role ?? '*';
    const client = this.#frameworks.get(frameworkId)?.clients.get(role);
    if (client === undefined) return;
    const until = refusal.now + refusal.refuseMs;
    this.#filters.add(client.filters, agentId, { refused: plain, until });
  }

  /** Filters that ended make their agents worth another look. Returns when the next one ends. */
  expireFilters(now: Instant): Instant | undefined {
    return this.#filters.expire(now, (agentId) => {
      const agent = this.#agents.get(agentId);
      if (agent !== undefined && this.#withFree.has(agent)) this.#dirty.add(agent);
    });
  }

  /**
   * Gives out what is free on the agents that changed, and to the frameworks that changed. Looks at
   * `agentsMax` agents of each kind at most: `isMidway` tells whether the rest is still to come.
   */
  allocate(now: Instant, agentsMax = Infinity): Allocation[] {
    this.expireFilters(now);
    const given: Allocation[] = [];
    if (this.#pass === undefined && this.#dirty.size > 0) {
      this.#pass = { agents: [...this.#dirty], at: 0, clients: undefined };
      this.#dirty.clear();
    }
    if (this.#pass !== undefined) this.#go(this.#pass, agentsMax, given);
    if (this.#round === undefined && this.#eager.size > 0) {
      this.#round = { agents: [...this.#withFree], at: 0, clients: new Set(this.#eager) };
      this.#eager.clear();
    }
    if (this.#round !== undefined) this.#go(this.#round, agentsMax, given);
    if (this.#pass?.at === this.#pass?.agents.length) this.#pass = undefined;
    const { agents, at, clients } = this.#round ?? { agents: [], at: 0 };
    if (at === agents.length || clients?.size === 0) this.#round = undefined;
    return given;
  }

  #go(look: Look, agentsMax: number, given: Allocation[]): void {
    const end = Math.min(look.at + agentsMax, look.agents.length);
    for (; look.at < end; look.at++) {
      const agent = look.agents[look.at] as Agent;
      if (this.#withFree.has(agent)) this.#allocateAgent(agent, look.clients, given);
    }
  }

  /** Sum of the scalars that all agents have, in thousandths. */
  totals(): Quantities {
    return this.#totals;
  }

  available(agentId: string): Resources {
    return this.#agents.get(agentId)?.free ?? Resources.none;
  }

  /** `only`: these clients, and not all. */
  #allocateAgent(
    agent: Agent,
    only: ReadonlySet<FrameworkClient> | undefined,
    given: Allocation[],
  ): void {
    if (!this.#withFree.has(agent)) return;
    let free = agent.free;
    const grants: { client: FrameworkClient; resources: Resources }[] = [];
    const ask = (client: FrameworkClient): boolean => {
      if (only !== undefined && !only.has(client)) return true;
      const usable = this.#offerable(client, agent, free);
      if (usable === undefined) return true;
      grants.push({ client, resources: usable.allocatedTo(client.role) });
      free = free.subtract(usable);
      return isAllocatable(free);
    };
    const [single] = only?.size === 1 ? only : [];
    if (single !== undefined) ask(single);
    else this.#tree.walk((client) => ask(client as FrameworkClient));
    for (const { client, resources } of grants) {
      const { frameworkId, role } = client;
      given.push({ frameworkId, role, agentId: agent.id, resources });
      agent.allocated = agent.allocated.add(resources.allocatedTo(undefined));
      this.#tree.hold(role, client, resources.scalarQuantities(), 1);
    }
    if (grants.length === 0) return;
    agent.free = free;
    if (!isAllocatable(free)) this.#withFree.delete(agent);
  }

  /** What of the free resources may go to the client now. */
  #offerable(client: FrameworkClient, agent: Agent, free: Resources): Resources | undefined {
    const { framework, role } = client;
    const { isGpuAware, isRevocable } = framework.settings;
    if (agent.hasGpus && !isGpuAware) return undefined;
    const isUsable = (kind: Resource): boolean =>
      mayUse(role, reservationRole(kind)) && (isRevocable || kind.revocable === undefined);
    let usable = free.every(isUsable) ? free : free.filter(isUsable);
    if (!isAllocatable(usable)) return undefined;
    if (this.#filters.refuses(client.filters, agent.id, usable)) return undefined;
    if (framework.wishes === undefined) return usable;
    usable = grant(framework.wishes, agent.id, usable);
    return usable.isEmpty ? undefined : usable;
  }

  #hold(frameworkId: string, resources: Resources, sign: 1 | -1): void {
    const framework = this.#frameworks.get(frameworkId);
    for (const [role, part] of splitByRole(resources)) {
      const client = framework?.clients.get(role);
      this.#tree.hold(role, client, part.scalarQuantities(), sign);
    }
  }

  #addClient(framework: Framework, role: string): void {
    const known = this.#byRole.get(role) ?? new Set();
    known.add(framework);
    this.#byRole.set(role, known);
    if (framework.clients.has(role)) return;
    framework.clients.set(role, {
      path: framework.id,
      frameworkId: framework.id,
      role,
      held: new Map(),
      share: 0,
      count: 0,
      framework,
      filters: new Map(),
      isActive: false,
    });
  }

  /** The framework left the role; what it still holds there stays charged to it. */
  #retireClient(framework: Framework, role: string): void {
    const known = this.#byRole.get(role);
    known?.delete(framework);
    if (known?.size === 0) this.#byRole.delete(role);
    const client = framework.clients.get(role);
    if (client === undefined) return;
    this.#filters.clear(client.filters);
    this.#setClientActive(client, false);
    if (client.held.size === 0) framework.clients.delete(role);
  }

  /** Puts each role's client into the order or takes it out, as the framework's state says. */
  #settle(framework: Framework): void {
    for (const role of framework.settings.roles) {
      const client = framework.clients.get(role);
      if (client === undefined) continue;
      this.#setClientActive(client, framework.isActive && !framework.suppressed.has(role));
    }
  }

  #setClientActive(client: FrameworkClient, isActive: boolean): void {
    if (isActive !== client.isActive) {
      client.isActive = isActive;
      if (isActive) this.#tree.activate(client);
      else this.#tree.deactivate(client);
    }
    if (isActive) {
      this.#eager.add(client);
      return;
    }
    this.#eager.delete(client);
    this.#round?.clients?.delete(client);
  }

  #freeChanged(agent: Agent): void {
    if (agent.isActive && isAllocatable(agent.free)) {
      this.#withFree.add(agent);
      this.#dirty.add(agent);
    } else {
      this.#withFree.delete(agent);
      this.#dirty.delete(agent);
    }
  }

  #countTotal(total: Resources, sign: 1 | -1): void {
    for (const [name, amount] of total.scalarQuantities()) {
      this.#totals.set(name, (this.#totals.get(name) ?? 0) + sign * amount);
    }
    this.#tree.totalsChanged();
  }

  #known(id: string): Framework {
    const framework = this.#frameworks.get(id);
    assert(framework !== undefined, `Framework ${id} is not known to the allocator`);
    return framework;
  }
}

/** Shared volumes are there for everybody, whoever uses them already. */
function freeOf(total: Resources, allocated: Resources): Resources {
  if (allocated.isEmpty) return total;
  return total.nonShared().subtract(allocated).add(total.shared());
}

/** Serves the wishes that fit on the agent and strikes them off the list. */
function grant(wishes: Wish[], agentId: string, usable: Resources): Resources {
  let left = usable;
  let granted = Resources.none;
  for (let i = 0; i < wishes.length;) {
    const wish = wishes[i] as Wish;
    const isHere = wish.agentId === undefined || wish.agentId === agentId;
    const part = isHere ? left.take(wish.resources) : undefined;
    if (part === undefined) {
      i++;
      continue;
    }
    wishes.splice(i, 1);
    left = left.subtract(part);
    granted = granted.add(part);
  }
  return granted;
}

function splitByRole(resources: Resources): [string, Resources][] {
  const roles = new Set(resources.toWire().map((one) => one.allocation_info?.role ?? '*'));
  if (roles.size === 1) return [[[...roles][0] ?? '*', resources]];
  return [...roles].map((role): [string, Resources] => [
    role,
    resources.filter((kind) => (kind.allocation_info?.role ?? '*') === role),
  ]);
}
