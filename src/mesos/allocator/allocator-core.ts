// Decides who is offered what: hierarchical DRF over roles with weights, quota, filters, constraints,
// suppression and stated demand. Event-driven: only what changed is looked at. Knows no network and
// no clock. Between two runs nobody who could be offered something on an agent is left without it.
import { applyConversions, type Conversion } from '#mesos/resources/conversions.ts';
import { Resources } from '#mesos/resources/resources.ts';
import {
  Decisions,
  type Agent,
  type AgentFacts,
  type FrameworkClient,
  type FrameworkSettings,
} from './decisions.ts';
import type { Wish } from './demand.ts';
import { BagBook } from './bag-facts.ts';
import { splitByRole } from './by-role.ts';
import { explain, type Explanation } from './explain.ts';
import { AgentPool, anyAgent } from './agent-pool.ts';
import { ClientPool } from './client-pool.ts';
import { OfferFilters, type Instant } from './offer-filters.ts';
import { minimumsDefault, type Minimums } from './minimums.ts';
import { lot, type Client, type Holding, type Quota } from './role-order.ts';
import { RoleTree } from './role-tree.ts';
import { ScalarNames, type Quantities } from './rows.ts';

export type { AgentFacts, Explanation, FrameworkSettings, Minimums, Quota, Wish };

export interface Allocation {
  readonly frameworkId: string;
  readonly role: string;
  readonly agentId: string;
  /** Allocated to the role. */
  readonly resources: Resources;
}

/** The master flags that concern allocation; what is left out is Mesos' default. */
export interface AllocatorOptions {
  /** --min_allocatable_resources, in thousandths; `[]`: everything is worth an offer. */
  readonly minimums?: Minimums | undefined;
  /** --filter_gpu_resources */
  readonly isGpuFiltered?: boolean | undefined;
  /** --fair_sharing_excluded_resource_names */
  readonly excludedNames?: readonly string[] | undefined;
  readonly roleSorter?: 'drf' | 'random' | undefined;
  readonly frameworkSorter?: 'drf' | 'random' | undefined;
  /** Of the master's own fault domain: agents elsewhere are for REGION_AWARE frameworks. */
  readonly region?: string | undefined;
  /** Seed of the random sorters. */
  readonly seed?: number | undefined;
}

/** What is to be looked at, and how far that is. */
interface Look {
  readonly agents: readonly Agent[];
  at: number;
  /** Undefined: all of them. */
  readonly clientsOf: (agent: Agent) => readonly FrameworkClient[] | undefined;
}

interface Grant {
  readonly client: FrameworkClient;
  readonly agent: Agent;
  resources: Resources;
  readonly holding: Holding;
}

/** Fewer than these are put in order by themselves; more are picked out of the whole order. */
const SORTED_CLIENTS_MAX = 8;

export class AllocatorCore {
  readonly #isWorthOffering: (free: Resources) => boolean;
  readonly #names = new ScalarNames();
  readonly #bags: BagBook;
  readonly #tree: RoleTree;
  readonly #pool: AgentPool;
  readonly #clients: ClientPool;
  readonly #filters = new OfferFilters<Agent, FrameworkClient>();
  readonly #decisions: Decisions;
  #surplusBefore = new Map<string, number>();
  #lastMark = 0;
  /** Looks under way: at agents that changed, for clients that changed, at filters that ended. */
  #pass: Look | undefined;
  #round: Look | undefined;
  #retries: Look | undefined;
  #given: Grant[] = [];
  /** The agent that is visited, in which stage, and what of it is given. */
  #visited: Agent | undefined;
  #isForGuarantees = false;
  readonly #grants: Grant[] = [];
  readonly #askOne = (client: Client): boolean => this.#ask(client as FrameworkClient);
  readonly #firstStage = new Map<Agent, Grant[]>();

  constructor(options: AllocatorOptions = {}) {
    this.#bags = new BagBook(this.#names, options.minimums ?? minimumsDefault);
    const random = lot(options.seed ?? 1);
    this.#tree = new RoleTree(this.#names, { ...options, random });
    this.#tree.onRoom = (client) => this.#clients.beEager(client as FrameworkClient);
    this.#clients = new ClientPool(this.#tree, this.#filters, () => this.#pool.lookAtAll());
    const isWorthOffering = (free: Resources): boolean =>
      this.#clients.ownMinimums > 0 ? !free.isEmpty : this.#bags.of(free).isEnough;
    const { region, isGpuFiltered = true } = options;
    const [tree, names, bags] = [this.#tree, this.#names, this.#bags];
    this.#pool = new AgentPool({ tree, names, bags, region, isWorthOffering });
    this.#isWorthOffering = isWorthOffering;
    this.#decisions = new Decisions(
      { isGpuFiltered },
      {
        tree: this.#tree,
        names: this.#names,
        bags: this.#bags,
        filters: this.#filters,
        headroom: this.#pool.headroom,
      },
    );
  }

  /** Something changed: `allocate` may have something to give. */
  get isDirty(): boolean {
    const { dirty, retried } = this.#pool;
    return dirty.size > 0 || this.#clients.eager.size > 0 || retried.size > 0 || this.isMidway;
  }

  /** Grows with everything that `allocate` is to look at from then on. */
  get news(): number {
    return this.#pool.news + this.#clients.news;
  }

  /** The last `allocate` stopped before its end. */
  get isMidway(): boolean {
    return this.#pass !== undefined || this.#round !== undefined || this.#retries !== undefined;
  }

  // ---- agents ----

  addAgent(id: string, total: Resources, facts: AgentFacts = anyAgent): void {
    this.#pool.add(id, total, facts);
  }

  updateAgent(id: string, total: Resources): void {
    const agent = this.#pool.byId.get(id);
    if (agent !== undefined) this.#pool.setTotal(agent, total);
  }

  /** Attributes, domain or capabilities: other attributes than before end all filters on the agent. */
  setAgentFacts(id: string, facts: AgentFacts): void {
    const agent = this.#pool.byId.get(id);
    if (agent === undefined || JSON.stringify(facts) === JSON.stringify(agent.facts)) return;
    const isOther = JSON.stringify(facts.attributes) !== JSON.stringify(agent.facts.attributes);
    this.#pool.setFacts(agent, facts);
    this.#clients.forgetVerdicts(agent);
    if (isOther) this.#filters.clearAgent(agent, (index) => this.#clients.all[index]);
    this.#pool.changed(agent);
  }

  removeAgent(id: string): void {
    const agent = this.#pool.byId.get(id);
    if (agent === undefined) return;
    this.#filters.clearAgent(agent, (index) => this.#clients.all[index]);
    this.#clients.forgetVerdicts(agent);
    this.#pool.remove(agent);
  }

  /** Inactive agents are not offered; they still count for shares. */
  setAgentActive(id: string, isActive: boolean): void {
    const agent = this.#pool.byId.get(id);
    if (agent !== undefined) this.#pool.setActive(agent, isActive);
  }

  /** Agents of other hosts are not offered; undefined: all are. What is offered stays so. */
  setWhitelist(hosts: ReadonlySet<string> | undefined): void {
    this.#pool.setWhitelist(hosts);
  }

  // ---- frameworks ----

  addFramework(id: string, settings: FrameworkSettings): void {
    this.#clients.add(id, settings);
  }

  updateFramework(id: string, settings: FrameworkSettings): void {
    this.#clients.update(id, settings);
  }

  removeFramework(id: string): void {
    this.#clients.remove(id);
  }

  setFrameworkActive(id: string, isActive: boolean): void {
    this.#clients.setActive(id, isActive);
  }

  /** Roles empty: all of them. Lifts suppression and filters. */
  revive(id: string, roles: readonly string[]): void {
    this.#clients.revive(id, roles);
  }

  suppress(id: string, roles: readonly string[]): void {
    this.#clients.suppress(id, roles);
  }

  /** REQUEST: from now on offers are cut to these wishes, each served once; empty: stock behaviour. */
  setWishes(id: string, wishes: readonly Wish[]): void {
    this.#clients.setWishes(id, wishes);
  }

  isSuppressed(id: string, role: string): boolean {
    return this.#clients.frameworks.get(id)?.suppressed.has(role) === true;
  }

  // ---- roles ----

  setWeight(role: string, weight: number): void {
    this.#tree.setWeight(role, weight);
  }

  weights(): { role: string; weight: number }[] {
    return this.#tree.weights();
  }

  weight(role: string): number {
    return this.#tree.weight(role);
  }

  /**
   * Undefined: none. Only quotas on roles at the top bind in Mesos 1.11, and not what is below them;
   * with a quota on a role below another one, quotas bind everything below them there.
   */
  setQuota(role: string, quota: Quota | undefined): void {
    this.#tree.setQuota(role, quota);
    // What it holds back or sets free concerns everybody.
    for (const client of this.#clients.all)
      if (client?.isActive === true) this.#clients.beEager(client);
  }

  /** While agents are missed whose tasks count against limits, limited roles are given nothing more. */
  awaitReturns(isAwaiting: boolean): void {
    this.#tree.awaitReturns(isAwaiting);
  }

  quota(role: string): Quota | undefined {
    return this.#tree.quota(role);
  }

  /** Thousandths of what counts against the quota of a role and of those below it. */
  consumedQuota(role: string): Quantities {
    return this.#tree.consumed(role);
  }

  /** Offers that are refused now in the role. */
  filterCount(role: string): number {
    let count = 0;
    for (const { clients } of this.#clients.byRole.get(role) ?? []) {
      count += clients.get(role)?.filterCount ?? 0;
    }
    return count;
  }

  /** Its part of the cluster, as the order of roles has it (weighted). */
  dominantShare(role: string): number {
    return this.#tree.shareOf(role);
  }

  /** Roles that a framework has or that something is held by or reserved for, and those above. */
  roles(): string[] {
    return this.#tree.roles();
  }

  /** Roles that the framework is subscribed to, suppressed or not. */
  rolesOf(frameworkId: string): readonly string[] {
    return this.#clients.frameworks.get(frameworkId)?.settings.roles ?? [];
  }

  frameworksOf(role: string): string[] {
    return [...(this.#clients.byRole.get(role) ?? [])].map(({ id }) => id);
  }

  // ---- allocations ----

  /** Resources in use that did not come from this allocator's own offers (a returning agent). */
  trackAllocated(frameworkId: string, agentId: string, resources: Resources): void {
    const agent = this.#pool.byId.get(agentId);
    if (agent === undefined || resources.isEmpty) return;
    agent.allocated = agent.allocated.add(resources.allocatedTo(undefined));
    this.#hold(frameworkId, agentId, resources, 1);
    this.#pool.refree(agent);
  }

  /** What the framework holds on the agent turns into something else (a reservation, a volume). */
  convertAllocated(frameworkId: string, agentId: string, conversion: Conversion): void {
    const agent = this.#pool.byId.get(agentId);
    if (agent === undefined) return;
    const { consumed, converted } = conversion;
    const [from, to] = [consumed.allocatedTo(undefined), converted.allocatedTo(undefined)];
    this.#hold(frameworkId, agentId, consumed, -1, true);
    agent.allocated = agent.allocated.subtract(from).add(to);
    this.#hold(frameworkId, agentId, converted, 1, true);
    this.updateAgent(agentId, agent.total.subtract(from).add(to));
  }

  /** The same for what nobody holds; an error says why it cannot be, and changes nothing. */
  convertAvailable(agentId: string, conversions: readonly Conversion[]): string | undefined {
    const agent = this.#pool.byId.get(agentId);
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
    this.#hold(frameworkId, agentId, resources, -1);
    const agent = this.#pool.byId.get(agentId);
    if (agent === undefined) return;
    const plain = resources.allocatedTo(undefined);
    agent.allocated = agent.allocated === plain ? Resources.none : agent.allocated.subtract(plain);
    this.#pool.refree(agent, plain);
    if (refusal === undefined || refusal.refuseMs <= 0) return;
    const role = resources.onlyRole ?? resources.kinds()[0]?.allocation_info?.role ?? '*';
    const client = this.#clients.frameworks.get(frameworkId)?.clients.get(role);
    if (client === undefined) return;
    this.#filters.add(client, agent, plain, refusal.now + refusal.refuseMs);
  }

  /** Filters that ended make their agents worth another look. Returns when the next one ends. */
  expireFilters(now: Instant): Instant | undefined {
    return this.#filters.expire(now, (agent, client) => {
      if (!this.#pool.withFree.has(agent) || this.#pool.dirty.has(agent) || !client.isActive)
        return;
      this.#pool.retry(agent, client);
    });
  }

  /**
   * Gives out what is free on the agents that changed, and to the frameworks that changed. Looks at
   * `agentsMax` agents of each kind at most: `isMidway` tells whether the rest is still to come.
   */
  allocate(now: Instant, agentsMax = Infinity): Allocation[] {
    this.expireFilters(now);
    this.#askHeldBack();
    this.#given = [];
    this.#firstStage.clear();
    this.#lookAgain();
    const parts = [this.#pass, this.#round, this.#retries].map((look) => take(look, agentsMax));
    // Thousands of agents are in no cache: here the processor waits for many at once, not for one after the other.
    for (const { agents } of parts)
      for (const agent of agents) this.#filters.glance(agent, agent.free);
    const stages = this.#tree.isHeadroomRequired ? [true, false] : [false];
    for (const isForGuarantees of stages) {
      for (const { agents, clientsOf } of parts) {
        for (const agent of agents) this.#visit(agent, clientsOf(agent), isForGuarantees);
      }
    }
    if (isDone(this.#pass)) this.#pass = undefined;
    if (isDone(this.#round)) this.#round = undefined;
    if (isDone(this.#retries)) this.#retries = undefined;
    if (this.#clients.heldByHeadroom.size > 0) this.#surplusBefore = this.#decisions.surplus();
    return this.#given.map(({ client, agent, resources }) => ({
      frameworkId: client.frameworkId,
      role: client.role,
      agentId: agent.id,
      resources: resources.allocatedTo(client.role),
    }));
  }

  /** What changed since the last look becomes a new one; one that is under way is ended first. */
  #lookAgain(): void {
    const { dirty, retried } = this.#pool;
    if (this.#pass === undefined && dirty.size > 0) {
      this.#pass = { agents: dirty.takeAll(), at: 0, clientsOf: everybody };
    }
    if (this.#round === undefined && this.#clients.eager.size > 0) {
      const clients = [...this.#clients.eager];
      this.#clients.eager.clear();
      const agents = this.#agentsFor(clients, this.#pass?.agents ?? []);
      this.#round = { agents, at: 0, clientsOf: () => clients };
    }
    if (this.#retries === undefined && retried.size > 0) {
      const agents = retried.takeAll();
      for (const agent of agents) {
        agent.asked = agent.retry;
        agent.retry = undefined;
      }
      this.#retries = { agents, at: 0, clientsOf: (agent) => agent.asked ?? [] };
    }
  }

  /** Sum of the scalars that all agents have, in thousandths. */
  totals(): Quantities {
    return this.#tree.totals();
  }

  available(agentId: string): Resources {
    return this.#pool.byId.get(agentId)?.free ?? Resources.none;
  }

  /** Agents that the framework's constraints exclude in a role. */
  excludedAgents(frameworkId: string, role: string): string[] {
    const condition = this.#clients.frameworks.get(frameworkId)?.clients.get(role)?.condition;
    if (condition === undefined) return [];
    const excluded: string[] = [];
    for (const { id, facts } of this.#pool.byId.values()) if (!condition(facts)) excluded.push(id);
    return excluded;
  }

  /** Why a framework has no offer in a role, agent by agent; undefined when it is not known. */
  explain(frameworkId: string, role: string, now: Instant): Explanation | undefined {
    const client = this.#clients.frameworks.get(frameworkId)?.clients.get(role);
    if (client === undefined) return undefined;
    return explain(client, {
      now,
      tree: this.#tree,
      decisions: this.#decisions,
      filters: this.#filters,
      agents: this.#pool.byId.values(),
    });
  }

  // ---- one run ----

  /** Those that eager clients are to be asked about and that are not looked at anyway. */
  #agentsFor(eager: readonly FrameworkClient[], dirty: readonly Agent[]): Agent[] {
    if (eager.length === 0) return [];
    const asked = new Set(dirty);
    const targets = new Set<Agent>();
    for (const { framework } of eager) {
      const only = framework.demand?.onlyAgents();
      if (only === undefined) return this.#pool.withFree.all().filter((agent) => !asked.has(agent));
      for (const id of only) {
        const agent = this.#pool.byId.get(id);
        if (agent !== undefined && this.#pool.withFree.has(agent) && !asked.has(agent))
          targets.add(agent);
      }
    }
    return [...targets];
  }

  /** More is free beyond guarantees than when they were denied: they are asked again. */
  #askHeldBack(): void {
    if (this.#clients.heldByHeadroom.size === 0) return;
    const surplus = this.#decisions.surplus();
    let isMore = false;
    for (const [name, milli] of surplus) isMore ||= milli > (this.#surplusBefore.get(name) ?? 0);
    this.#surplusBefore = surplus;
    if (!isMore) return;
    for (const client of this.#clients.heldByHeadroom) {
      client.isHeldByHeadroom = false;
      if (client.isActive) this.#clients.beEager(client);
    }
    this.#clients.heldByHeadroom.clear();
  }

  /** Offers what the agent has to everybody, or to some, in the order of the moment. */
  #visit(
    agent: Agent,
    clients: readonly FrameworkClient[] | undefined,
    isForGuarantees: boolean,
  ): void {
    if (!this.#pool.withFree.has(agent)) return;
    this.#visited = agent;
    this.#isForGuarantees = isForGuarantees;
    this.#inOrder(clients);
    if (this.#grants.length === 0) return;
    for (const grant of this.#grants) this.#give(grant, isForGuarantees);
    this.#grants.length = 0;
    this.#pool.settle(agent);
  }

  /** Whether there is something left for those who come after the client on the agent that is visited. */
  #ask(client: FrameworkClient): boolean {
    const agent = this.#visited as Agent;
    if (!client.isActive) return true;
    const { free } = agent;
    // What comes of all that is free is covered by a refusal of it.
    if (this.#filters.refuses(client, agent, free) && !this.#tree.hasQuotas) return true;
    const decision = this.#isForGuarantees
      ? this.#decisions.decideForGuarantee(client, agent, free)
      : this.#decisions.decide(client, agent, free);
    if (!this.#isForGuarantees) this.#noteHeldBack(client);
    if (typeof decision === 'string') return true;
    const resources = client.framework.demand?.serve(agent.id, decision) ?? decision;
    const holding = this.#bags.holding(agent.id, resources);
    // Quota counts at once, the order only changes for the next agent.
    this.#tree.consume(client.node, holding.common, 1);
    const consumed = this.#bags.of(resources).consumed ?? { ...holding, isConsumed: true };
    this.#grants.push({ client, agent, resources, holding: consumed });
    const left = free.subtract(resources);
    this.#pool.setFree(agent, left);
    return this.#isWorthOffering(left);
  }

  #inOrder(clients: readonly FrameworkClient[] | undefined): void {
    if (clients === undefined) {
      this.#tree.walk(this.#askOne);
    } else if (clients.length === 1) {
      this.#ask(clients[0] as FrameworkClient);
    } else if (clients.length <= SORTED_CLIENTS_MAX && !this.#tree.isRandom) {
      for (const client of this.#tree.sort([...clients])) if (!this.#ask(client)) return;
    } else {
      const mark = ++this.#lastMark;
      for (const client of clients) client.mark = mark;
      this.#tree.walk((one) => {
        const client = one as FrameworkClient;
        return client.mark !== mark || this.#ask(client);
      });
    }
  }

  #noteHeldBack(client: FrameworkClient): void {
    const { isCutByLimit, isCutByHeadroom } = this.#decisions;
    if (isCutByLimit) {
      for (let one = client.node; one.parent !== undefined; one = one.parent) {
        if (one.limits.columns.length > 0) one.isHeldByLimit = true;
      }
    }
    if (isCutByHeadroom && !client.isHeldByHeadroom) {
      client.isHeldByHeadroom = true;
      this.#clients.heldByHeadroom.add(client);
    }
  }

  #give(grant: Grant, isForGuarantees: boolean): void {
    const { client, agent, resources, holding } = grant;
    const { allocated } = agent;
    agent.allocated = allocated.isEmpty ? resources : allocated.add(resources);
    this.#tree.hold(client.role, client, holding, 1);
    // Both stages together make one offer.
    const first =
      this.#firstStage.size === 0
        ? undefined
        : this.#firstStage.get(agent)?.find((one) => one.client === client);
    if (first !== undefined) first.resources = first.resources.add(resources);
    else this.#given.push(grant);
    if (!isForGuarantees) return;
    const list = this.#firstStage.get(agent);
    if (list === undefined) this.#firstStage.set(agent, [grant]);
    else if (first === undefined) list.push(grant);
  }

  // ---- what is held ----

  #hold(
    frameworkId: string,
    agentId: string,
    resources: Resources,
    sign: 1 | -1,
    isConversion = false,
  ): void {
    const framework = this.#clients.frameworks.get(frameworkId);
    for (const [role, part] of splitByRole(resources)) {
      const client = framework?.clients.get(role);
      const holding = this.#bags.holding(agentId, part);
      this.#tree.hold(role, client, isConversion ? { ...holding, isConversion } : holding, sign);
      if (client?.isActive === false && sign === -1) this.#clients.dropRetired(client);
    }
  }
}

const everybody = (): undefined => undefined;

function take(look: Look | undefined, agentsMax: number): Omit<Look, 'at'> {
  if (look === undefined) return { agents: [], clientsOf: () => undefined };
  const end = Math.min(look.at + agentsMax, look.agents.length);
  const agents = look.agents.slice(look.at, end);
  look.at = end;
  return { agents, clientsOf: look.clientsOf };
}

function isDone(look: Look | undefined): boolean {
  return look !== undefined && look.at >= look.agents.length;
}
