// Why a framework has no offer in a role: its place in the order, its quota, and for every agent the
// first thing that stands in the way. The same decisions as for offers, asked without consequences.
import type { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import type { Agent, Decisions, Denial, FrameworkClient } from './decisions.ts';
import type { Instant, OfferFilters } from './offer-filters.ts';
import type { Client } from './role-order.ts';
import type { RoleTree } from './role-tree.ts';
import type { Quantities } from './rows.ts';

/** Agents and competitors that are named one by one; counts are of all. */
const NAMED_MAX = 100;

export interface AgentReason {
  readonly agentId: string;
  readonly hostname: string;
  /** `would-be-offered`: nothing but the next run stands between. */
  readonly reason: Denial | 'would-be-offered';
  /** What is free there, as text. */
  readonly free: string;
  /** Of a refusal: when it ends, in milliseconds since the Unix epoch. */
  readonly until?: number;
}

export interface Level {
  readonly path: string;
  readonly share: number;
  readonly weight: number;
  /** From 1, among its siblings. */
  readonly position: number;
  readonly siblings: number;
}

export interface QuotaView {
  readonly role: string;
  readonly guarantees: Record<string, number>;
  readonly limits: Record<string, number>;
  readonly consumed: Record<string, number>;
}

export interface Explanation {
  readonly frameworkId: string;
  readonly role: string;
  readonly isActive: boolean;
  readonly isSuppressed: boolean;
  /** Wishes of REQUEST that are still to be served; absent when it made none. */
  readonly openWishes?: number;
  readonly holds: Record<string, number>;
  readonly order: {
    /** From 1, among all active frameworks of all roles; 0 when it is not in the order. */
    readonly position: number;
    readonly of: number;
    /** Those before it, the first ones. */
    readonly before: readonly { readonly frameworkId: string; readonly role: string }[];
    /** From the top role down to the framework itself. */
    readonly levels: readonly Level[];
  };
  readonly quota: {
    /** Of the role and of those above that bind it. */
    readonly roles: readonly QuotaView[];
    /** Free beyond what guarantees of others need. */
    readonly surplus: Record<string, number>;
  };
  readonly filters: {
    /** In force now, on all agents. */
    readonly count: number;
    /** When the first of those that stand in the way ends, in milliseconds since the Unix epoch. */
    readonly nextEnd?: number;
  };
  readonly agents: {
    readonly total: number;
    readonly byReason: Record<string, number>;
    readonly named: readonly AgentReason[];
  };
}

interface Sources {
  readonly now: Instant;
  readonly tree: RoleTree;
  readonly decisions: Decisions;
  readonly filters: OfferFilters<Agent, FrameworkClient>;
  readonly agents: Iterable<Agent>;
}

/** Whole units, as callers wrote them. */
function units(quantities: Quantities): Record<string, number> {
  return Object.fromEntries([...quantities].map(([name, milli]) => [name, milli / 1_000]));
}

function orderOf(client: FrameworkClient, tree: RoleTree): Explanation['order'] {
  const all: Client[] = [];
  tree.walk((one) => all.push(one) > 0);
  const at = all.indexOf(client);
  const before = (at < 0 ? all : all.slice(0, at)).slice(0, NAMED_MAX);
  return {
    position: at + 1,
    of: all.length,
    before: before.map(({ frameworkId, role }) => ({ frameworkId, role })),
    levels: tree.levels(client),
  };
}

function quotaOf({ role }: FrameworkClient, tree: RoleTree): QuotaView[] {
  const parts = role.split('/');
  const paths = parts.map((_, i) => parts.slice(0, parts.length - i).join('/'));
  const bound = paths.filter((path) => path === role || (tree.find(path)?.quotasBelow ?? 0) > 0);
  return bound.flatMap((path) => {
    const quota = tree.quota(path);
    if (quota === undefined) return [];
    const { guarantees, limits } = quota;
    const consumed = units(tree.consumed(path));
    return [{ role: path, guarantees: units(guarantees), limits: units(limits), consumed }];
  });
}

function reasonOn(client: FrameworkClient, agent: Agent, sources: Sources): AgentReason {
  const { decisions, filters } = sources;
  const named = (reason: AgentReason['reason'], until?: number): AgentReason => ({
    agentId: agent.id,
    hostname: agent.facts.hostname,
    reason,
    free: resourcesText(agent.free),
    ...(until === undefined ? {} : { until }),
  });
  if (!client.isActive) return named('suppressed-or-inactive');
  if (!agent.isActive) return named(agent.isWanted ? 'not-whitelisted' : 'agent-inactive');
  if (agent.free.isEmpty) return named('nothing-free');
  const decision: Resources | Denial = decisions.decide(client, agent, agent.free);
  if (typeof decision !== 'string') return named('would-be-offered');
  if (decision === 'quota-limit' || decision === 'quota-headroom') {
    const granted = decisions.decideForGuarantee(client, agent, agent.free);
    return named(typeof granted === 'string' ? decision : 'would-be-offered');
  }
  if (decision !== 'filtered') return named(decision);
  return named(decision, filters.refusedUntil(client, agent, decisions.lastOffer));
}

export function explain(client: FrameworkClient, sources: Sources): Explanation {
  const { tree, decisions } = sources;
  const { framework, role } = client;
  const counts = new Map<string, number>();
  const named: AgentReason[] = [];
  let total = 0;
  let nextEnd = Infinity;
  for (const agent of sources.agents) {
    const reason = reasonOn(client, agent, sources);
    total++;
    nextEnd = Math.min(nextEnd, reason.until ?? Infinity);
    counts.set(reason.reason, (counts.get(reason.reason) ?? 0) + 1);
    if (named.length < NAMED_MAX) named.push(reason);
  }
  return {
    frameworkId: framework.id,
    role,
    isActive: framework.isActive,
    isSuppressed: framework.suppressed.has(role),
    ...(framework.demand === undefined ? {} : { openWishes: framework.demand.size }),
    holds: units(tree.heldBy(client)),
    order: orderOf(client, tree),
    quota: { roles: quotaOf(client, tree), surplus: units(decisions.surplus()) },
    filters: { count: client.filterCount, ...(nextEnd === Infinity ? {} : { nextEnd }) },
    agents: { total, byReason: Object.fromEntries(counts), named },
  };
}
