// Says what is wanted: by REQUEST exactly what waits, or, when that is not known or did not come, that
// whole offers are welcome.
import { noAmounts, type Amounts, type SchedulingNode } from '#kube/scheduler/types.ts';
import { demandOf, type DemandAgent } from './demand.ts';
import type { HeldOffers } from './held-offers.ts';
import type { KnownAgents } from './known-agents.ts';
import type { PodRecords } from './pod-records.ts';
import type { Agent, FrameworkEffect } from './types.ts';

export interface AskingParts {
  readonly pods: PodRecords;
  readonly agents: KnownAgents;
  readonly offers: HeldOffers;
  readonly executorOverhead: Amounts;
}

export class Asking {
  readonly #parts: AskingParts;
  /** The last REQUEST named what is wanted: offers are cut to that, and may fail to come. */
  isAsking = false;
  /** What was asked for did not come: whole offers show why. */
  isUnmet = false;
  #from = 0;

  constructor(parts: AskingParts) {
    this.#parts = parts;
  }

  /** The first offers are waited for even without demand: they tell what can be allocated. */
  get isInformed(): boolean {
    const { agents, offers } = this.#parts;
    for (const id of agents.ids) if (offers.last(id) === undefined) return false;
    return true;
  }

  /** Says what is wanted, or that anything is. */
  ask(): FrameworkEffect[] {
    const { pods } = this.#parts;
    if (!pods.isAnyPending) return [];
    const wanted =
      this.isUnmet || !this.isInformed
        ? undefined
        : demandOf(pods.charged(pods.pending()), this.#demandAgents(), this.#from++);
    if (wanted === undefined && !this.isAsking) return [];
    this.isAsking = wanted !== undefined;
    return [{ kind: 'request', wanted: wanted ?? [] }];
  }

  #demandAgents() {
    const all = this.#parts.agents.all();
    return { count: all.length, at: (index: number) => this.#demandAgent(all[index]) };
  }

  #demandAgent(agent: Agent | undefined): DemandAgent | undefined {
    const { agents, executorOverhead } = this.#parts;
    const view = agents.node(agent?.nodeName ?? '');
    if (agent === undefined || view === undefined || !agent.isReachable) return undefined;
    const isExecutorRunning = agents.isExecutorRunning(agent.id);
    const node: SchedulingNode = {
      ...view,
      agentId: agent.id,
      capacity: agent.capacity,
      free: agent.capacity,
      freePorts: agent.ports,
      usedHostPorts: [],
      spreadCounts: new Map(),
      executorOverhead: isExecutorRunning ? noAmounts : executorOverhead,
    };
    return { node, managedPorts: agent.ports, isExecutorRunning };
  }
}
