// One question, asked for offers and for explanations alike: what of an agent's free resources may
// one framework be offered in one role now, or why not. The order of the tests is that of Mesos 1.11.
import { isRefined, isReserved, mayUse, reservationRole } from '#mesos/resources/kinds.ts';
import { Resources } from '#mesos/resources/resources.ts';
import type { Resource } from '#wire/mesos/v1.ts';
import type { ConstrainedAgent, RoleCondition } from './constraints.ts';
import type { BagBook } from './bag-facts.ts';
import type { Demand } from './demand.ts';
import { isEnough, type Minimums } from './minimums.ts';
import type { AgentFilters, OfferFilters } from './offer-filters.ts';
import type { Client } from './role-order.ts';
import type { RoleTree } from './role-tree.ts';
import type { Rows, ScalarNames } from './rows.ts';

export interface AgentFacts extends ConstrainedAgent {
  readonly isMultiRole: boolean;
  readonly isHierarchical: boolean;
}

export interface FrameworkSettings {
  readonly roles: readonly string[];
  readonly suppressedRoles: readonly string[];
  readonly isRevocable: boolean;
  readonly isGpuAware: boolean;
  readonly isShared?: boolean;
  readonly isRefining?: boolean;
  readonly isRegionAware?: boolean;
  readonly isMultiRole?: boolean;
  readonly conditions?: ReadonlyMap<string, RoleCondition>;
  /** For roles in which the framework wants other offers than the cluster's minimum. */
  readonly minimums?: ReadonlyMap<string, Minimums>;
}

export interface Agent {
  readonly id: string;
  /** Dense; that of one that is gone is given to another. */
  readonly index: number;
  facts: AgentFacts;
  total: Resources;
  allocated: Resources;
  free: Resources;
  /** The last free bag of which nothing had changed hands; equal ones become this one. */
  settled: Resources;
  hasGpus: boolean;
  /** As its facts say. */
  isMultiRole: boolean;
  isHierarchical: boolean;
  isRemote: boolean;
  /** Its host is on the list of those that are offered, if there is one. */
  isListed: boolean;
  /** The master wants it offered, and it is listed. */
  isActive: boolean;
  isWanted: boolean;
  readonly filters: AgentFilters;
  /** Clients whose filter ended here; nobody else has to be asked. */
  retry: FrameworkClient[] | undefined;
  /** Those of them that are being asked. */
  asked: readonly FrameworkClient[] | undefined;
}

export interface Framework {
  readonly id: string;
  settings: FrameworkSettings;
  isActive: boolean;
  readonly suppressed: Set<string>;
  readonly clients: Map<string, FrameworkClient>;
  /** Undefined: takes whatever there is, as in stock Mesos. Otherwise only this is offered. */
  demand: Demand | undefined;
}

export interface FrameworkClient extends Client {
  readonly framework: Framework;
  readonly index: number;
  epoch: number;
  filterCount: number;
  readonly isNestedRole: boolean;
  condition: RoleCondition | undefined;
  /** By index of the agent: 0 not known, 1 holds, 2 does not. Only with a condition. */
  verdicts: Uint8Array;
  minimums: Minimums | undefined;
  isActive: boolean;
  /** Something changed for it alone: agents that others left are worth another look. */
  isEager: boolean;
  /** It was denied something because guarantees of others need it. */
  isHeldByHeadroom: boolean;
  /** Of the visit that is to ask it. */
  mark: number;
}

export type Denial =
  | 'suppressed-or-inactive'
  | 'agent-inactive'
  | 'not-whitelisted'
  | 'nothing-free'
  | 'constraints'
  | 'too-little'
  | 'gpus'
  | 'other-region'
  | 'quota-limit'
  | 'quota-headroom'
  | 'agent-not-multi-role'
  | 'agent-not-hierarchical'
  | 'filtered'
  | 'no-wish-fits';

export type Decision = Resources | Denial;

export interface DecisionOptions {
  readonly isGpuFiltered: boolean;
}

const isCommonScalar = (kind: Resource): boolean =>
  kind.type === 'SCALAR' && !isReserved(kind) && kind.revocable === undefined;

export class Decisions {
  readonly #options: DecisionOptions;
  readonly #tree: RoleTree;
  readonly #names: ScalarNames;
  readonly #bags: BagBook;
  readonly #filters: OfferFilters<Agent, FrameworkClient>;
  /** Row 0: what is free, unreserved and not revocable on all agents together. */
  readonly #headroom: Rows;
  /** Of the last decision: it is less than it would be without quota. */
  isCutByLimit = false;
  isCutByHeadroom = false;
  /** What the last decision was about when it came to filters. */
  lastOffer = Resources.none;

  constructor(
    options: DecisionOptions,
    of: {
      readonly tree: RoleTree;
      readonly names: ScalarNames;
      /** By the minimums of the options. */
      readonly bags: BagBook;
      readonly filters: OfferFilters<Agent, FrameworkClient>;
      readonly headroom: Rows;
    },
  ) {
    this.#options = options;
    this.#tree = of.tree;
    this.#names = of.names;
    this.#bags = of.bags;
    this.#filters = of.filters;
    this.#headroom = of.headroom;
  }

  #isEnough(bag: Resources, { minimums }: FrameworkClient): boolean {
    return minimums === undefined ? this.#bags.of(bag).isEnough : isEnough(bag, minimums);
  }

  /** What the client may get of what is free, beyond anybody's guarantee. */
  decide(client: FrameworkClient, agent: Agent, free: Resources): Decision {
    this.isCutByLimit = false;
    this.isCutByHeadroom = false;
    const { demand } = client.framework;
    if (demand?.isServed === true) return 'no-wish-fits';
    const usable = this.#usable(client, agent, free);
    if (typeof usable === 'string') return usable;
    let offer = usable;
    if (this.#tree.hasQuotas) {
      offer = this.#withinQuota(client, usable);
      if (offer !== usable && !this.#isEnough(offer, client)) {
        return this.isCutByLimit ? 'quota-limit' : 'quota-headroom';
      }
    }
    return this.#refused(client, agent, offer) ?? fitting(client, agent, offer);
  }

  /** Stage one: only as a step towards a guarantee that is not met; plus what belongs to it. */
  decideForGuarantee(client: FrameworkClient, agent: Agent, free: Resources): Decision {
    const missing = this.#tree.missingOf(client.node);
    if (missing === undefined) return 'nothing-free';
    if (client.framework.demand?.isServed === true) return 'no-wish-fits';
    const usable = this.#usable(client, agent, free);
    if (typeof usable === 'string') return usable;
    const common = usable.filter(isCommonScalar);
    const step = common.shrink((name) =>
      Math.min(
        missing.get(this.#names.column(name)) ?? 0,
        this.#tree.roomOf(client.node, this.#names.column(name)),
      ),
    );
    if (step.isEmpty) return 'nothing-free';
    const { role } = client;
    const own = usable.filter(
      (kind) =>
        kind.type !== 'SCALAR' ||
        kind.revocable !== undefined ||
        (isReserved(kind) && reservationRole(kind) === role),
    );
    const granted = step.scalarQuantities();
    const isHeadroom = this.#tree.isHeadroomRequired;
    const more = common.subtract(step).shrink((name) => {
      const column = this.#names.column(name);
      const room = this.#tree.roomOf(client.node, column) - (granted.get(name) ?? 0);
      return Math.max(0, isHeadroom ? Math.min(room, this.#surplus(column)) : room);
    });
    const offer = own.add(step).add(more);
    if (!this.#isEnough(offer, client)) return 'too-little';
    return this.#refused(client, agent, offer) ?? fitting(client, agent, offer);
  }

  /** Free for everybody: not needed to meet guarantees. Never negative. */
  #surplus(column: number): number {
    return Math.max(0, this.#headroom.at(0, column) - this.#tree.required(column));
  }

  surplus(): Map<string, number> {
    return new Map(this.#names.names.map((name, column) => [name, this.#surplus(column)]));
  }

  /** Visible to the role, enough, and what the framework and the agent can deal with. */
  #usable(client: FrameworkClient, agent: Agent, free: Resources): Decision {
    const { settings } = client.framework;
    if (client.condition !== undefined && !this.#satisfies(client, agent)) return 'constraints';
    if (agent.hasGpus && !settings.isGpuAware && this.#options.isGpuFiltered) return 'gpus';
    if (agent.isRemote && settings.isRegionAware !== true) return 'other-region';
    const usable = free.isCommon ? free : free.filter((kind) => isUsable(kind, client, settings));
    return this.#isEnough(usable, client) ? usable : 'too-little';
  }

  #satisfies(client: FrameworkClient, agent: Agent): boolean {
    const { index } = agent;
    if (index >= client.verdicts.length) {
      const grown = new Uint8Array(Math.max(64, 2 * index));
      grown.set(client.verdicts);
      client.verdicts = grown;
    }
    client.verdicts[index] ||= client.condition?.(agent.facts) === false ? 2 : 1;
    return client.verdicts[index] === 1;
  }

  #withinQuota(client: FrameworkClient, usable: Resources): Resources {
    const isLimited = this.#tree.isLimited(client.node);
    const isHeadroom = this.#tree.isHeadroomRequired;
    if (!isLimited && !isHeadroom) return usable;
    let isCut = false;
    for (const [name, milli] of usable.commonScalars()) {
      const column = this.#names.column(name);
      if (isLimited && milli > this.#tree.roomOf(client.node, column)) {
        this.isCutByLimit = true;
        isCut = true;
      }
      if (isHeadroom && milli > this.#surplus(column)) {
        this.isCutByHeadroom = true;
        isCut = true;
      }
    }
    if (!isCut) return usable;
    const most = (name: string): number => {
      const column = this.#names.column(name);
      const room = isLimited ? this.#tree.roomOf(client.node, column) : Infinity;
      return isHeadroom ? Math.min(room, this.#surplus(column)) : room;
    };
    const rest = usable.filter((kind) => !isCommonScalar(kind));
    return rest.add(usable.filter(isCommonScalar).shrink(most));
  }

  #refused(client: FrameworkClient, agent: Agent, offer: Resources): Denial | undefined {
    this.lastOffer = offer;
    if (client.framework.settings.isMultiRole === true && !agent.isMultiRole)
      return 'agent-not-multi-role';
    if (client.isNestedRole && !agent.isHierarchical) return 'agent-not-hierarchical';
    return this.#filters.refusedUntil(client, agent, offer) === undefined ? undefined : 'filtered';
  }
}

/** Of a framework that said what it wants, only that. */
function fitting(client: FrameworkClient, agent: Agent, offer: Resources): Decision {
  const { demand } = client.framework;
  if (demand === undefined) return offer;
  const part = demand.fitting(agent.id, offer);
  return part.isEmpty ? 'no-wish-fits' : part;
}

function isUsable(kind: Resource, client: FrameworkClient, settings: FrameworkSettings): boolean {
  if (!mayUse(client.role, reservationRole(kind))) return false;
  if (kind.revocable !== undefined && !settings.isRevocable) return false;
  if (kind.shared !== undefined && settings.isShared !== true) return false;
  return !isRefined(kind) || settings.isRefining === true;
}
