// The agents as the allocator sees them: what each has, what is free on it, which of them have to be
// looked at again. Sums over all of them (totals, reservations, headroom) are kept as they change.
import { assert } from '#base/assert.ts';
import { isReserved, reservationRole } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type { Agent, AgentFacts, FrameworkClient } from './decisions.ts';
import { AgentList } from './agent-list.ts';
import type { BagBook } from './bag-facts.ts';
import { AgentFilters } from './offer-filters.ts';
import type { RoleTree } from './role-tree.ts';
import { Amounts, Rows, type Quantities, type ScalarNames } from './rows.ts';

/** Agents of equal make share one bag of resources, and what is derived from it. */
const EQUAL_BAGS_MAX = 4_096;

export const anyAgent: AgentFacts = { hostname: '', isMultiRole: true, isHierarchical: true };

export class AgentPool {
  readonly byId = new Map<string, Agent>();
  /** Agents that every framework is worth asking about. */
  readonly dirty = new AgentList();
  /** Agents that somebody's filter ended on. */
  readonly retried = new AgentList();
  /** Active agents that have something worth offering. */
  readonly withFree = new AgentList();
  /** Grows whenever there is another reason to look. */
  news = 0;
  /** Row 0: what is free, unreserved and not revocable on all agents together. */
  readonly headroom: Rows;
  readonly #tree: RoleTree;
  readonly #names: ScalarNames;
  readonly #bags: BagBook;
  readonly #region: string | undefined;
  readonly #isWorthOffering: (free: Resources) => boolean;
  readonly #equalBags = new Map<string, Resources>();
  #nextIndex = 0;
  /** Of agents that are gone. */
  readonly #freeIndexes: number[] = [];
  /** Hosts; undefined: all. */
  #whitelist: ReadonlySet<string> | undefined;

  constructor(of: {
    readonly tree: RoleTree;
    readonly names: ScalarNames;
    readonly bags: BagBook;
    readonly region: string | undefined;
    readonly isWorthOffering: (free: Resources) => boolean;
  }) {
    this.#tree = of.tree;
    this.#names = of.names;
    this.#bags = of.bags;
    this.#region = of.region;
    this.#isWorthOffering = of.isWorthOffering;
    this.headroom = new Rows(of.names);
    this.headroom.make();
  }

  add(id: string, total: Resources, facts: AgentFacts): void {
    assert(!this.byId.has(id), `Agent ${id} is already known to the allocator`);
    const bag = this.#equal(total);
    const agent: Agent = {
      id,
      index: this.#freeIndexes.pop() ?? this.#nextIndex++,
      facts,
      total: bag,
      allocated: Resources.none,
      free: Resources.none,
      settled: bag,
      hasGpus: bag.scalar('gpus') > 0,
      isMultiRole: facts.isMultiRole,
      isHierarchical: facts.isHierarchical,
      isRemote: this.#isRemote(facts),
      isListed: this.#isListed(facts),
      isWanted: true,
      isActive: this.#isListed(facts),
      filters: new AgentFilters(),
      retry: undefined,
      asked: undefined,
    };
    this.byId.set(id, agent);
    this.#countTotal(bag, 1);
    this.refree(agent);
  }

  setTotal(agent: Agent, total: Resources): void {
    const before = agent.total;
    agent.total = this.#equal(total);
    if (agent.total !== before) {
      this.#countTotal(agent.total, 1);
      this.#countTotal(before, -1);
      agent.hasGpus = total.scalar('gpus') > 0;
    }
    this.refree(agent);
  }

  setWhitelist(hosts: ReadonlySet<string> | undefined): void {
    this.#whitelist = hosts;
    for (const agent of this.byId.values()) {
      if (agent.isListed === this.#isListed(agent.facts)) continue;
      this.setActive(agent, agent.isWanted);
    }
  }

  /** Everybody is worth asking about it again. */
  setActive(agent: Agent, isWanted: boolean): void {
    agent.isWanted = isWanted;
    agent.isListed = this.#isListed(agent.facts);
    agent.isActive = isWanted && agent.isListed;
    this.changed(agent);
  }

  setFacts(agent: Agent, facts: AgentFacts): void {
    agent.facts = facts;
    agent.isMultiRole = facts.isMultiRole;
    agent.isHierarchical = facts.isHierarchical;
    agent.isListed = this.#isListed(facts);
    agent.isActive = agent.isWanted && agent.isListed;
    agent.isRemote = this.#isRemote(facts);
  }

  remove(agent: Agent): void {
    this.#countTotal(agent.total, -1);
    this.headroom.add(0, this.#bags.of(agent.free).common, -1);
    this.byId.delete(agent.id);
    this.dirty.delete(agent);
    this.retried.delete(agent);
    this.withFree.delete(agent);
    this.#freeIndexes.push(agent.index);
  }

  /** Computes what is free anew; the same bag as before comes back if it is equal. */
  refree(agent: Agent, returned?: Resources): void {
    let free = freeOf(agent);
    if (free !== agent.settled && free.equals(agent.settled)) free = agent.settled;
    else if (returned !== undefined && free !== returned && free.equals(returned)) free = returned;
    agent.settled = free;
    this.setFree(agent, free);
    this.changed(agent);
  }

  /** What is left on it at the end of a visit. */
  settle(agent: Agent): void {
    this.setFree(agent, freeOf(agent));
    if (!this.#isWorthOffering(agent.free)) this.withFree.delete(agent);
  }

  setFree(agent: Agent, free: Resources): void {
    if (free === agent.free) return;
    this.headroom.add(0, this.#bags.of(agent.free).common, -1);
    this.headroom.add(0, this.#bags.of(free).common, 1);
    agent.free = free;
  }

  /** Everybody is worth asking about it again, if there is something to offer. */
  changed(agent: Agent): void {
    agent.retry = undefined;
    this.retried.delete(agent);
    if (agent.isActive && this.#isWorthOffering(agent.free)) {
      this.withFree.add(agent);
      this.dirty.add(agent);
      this.news += 1;
    } else {
      this.withFree.delete(agent);
      this.dirty.delete(agent);
    }
  }

  /** It is worth asking these about it again. */
  retry(agent: Agent, client: FrameworkClient): void {
    (agent.retry ??= []).push(client);
    this.retried.add(agent);
    this.news += 1;
  }

  /** What is worth offering changed: little things count from now on. */
  lookAtAll(): void {
    for (const agent of this.byId.values()) {
      if (agent.isActive && this.#isWorthOffering(agent.free)) this.withFree.add(agent);
    }
  }

  #equal(total: Resources): Resources {
    const key = resourcesText(total);
    const known = this.#equalBags.get(key);
    if (known !== undefined && known.equals(total)) return known;
    if (this.#equalBags.size >= EQUAL_BAGS_MAX) this.#equalBags.clear();
    this.#equalBags.set(key, total);
    return total;
  }

  #countTotal(total: Resources, sign: 1 | -1): void {
    this.#tree.addTotal(this.#amounts(total.scalarQuantities()), sign);
    if (total.isCommon) return;
    const roles = new Set(total.kinds().filter(isReserved).map(reservationRole));
    for (const role of roles) {
      const reserved = total.scalarsWhere((kind) => reservationRole(kind) === role);
      this.#tree.reserve(role, this.#amounts(reserved), sign);
    }
  }

  #amounts(quantities: Quantities): Amounts {
    return Amounts.of(quantities, this.#names);
  }

  #isListed({ hostname }: AgentFacts): boolean {
    return this.#whitelist?.has(hostname) !== false;
  }

  #isRemote({ domain }: AgentFacts): boolean {
    const region = domain?.fault_domain?.region.name;
    return this.#region !== undefined && region !== undefined && region !== this.#region;
  }
}

/** Shared volumes are there for everybody, whoever uses them already. */
function freeOf({ total, allocated }: Agent): Resources {
  if (allocated.isEmpty) return total;
  if (total.isCommon) return total.subtract(allocated);
  return total.nonShared().subtract(allocated).add(total.shared());
}
