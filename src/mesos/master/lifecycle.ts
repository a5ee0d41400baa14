// What operators decide of one agent: drained, deactivated, reactivated, gone (inventory 10.2). Each
// decision is durable before it takes effect; it outlives the agent's absence and the master.
import type { AgentStanding } from '#mesos/registry/registry.ts';
import type { DrainConfig } from '#wire/mesos/v1.ts';
import type { AgentDesk } from './agents.ts';
import type { MaintenanceDesk } from './maintenance.ts';
import type { MasterState } from './state.ts';
import type { Refusal } from '#mesos/libprocess/refusal.ts';
import type { AgentRecord } from './types.ts';

const unknown: Refusal = { status: 400, message: 'Unknown agent' };

export class LifecycleDesk {
  readonly #state: MasterState;
  readonly #agents: AgentDesk;
  readonly #maintenance: MaintenanceDesk;
  /** Marked gone, not durable yet. */
  readonly #leaving = new Set<string>();
  /** Something was drained or deactivated: a master that does not know of it may not take over. */
  isUsed = false;
  /** Found empty, not durable yet. */
  readonly #drained = new Set<string>();

  constructor(state: MasterState, agents: AgentDesk, maintenance: MaintenanceDesk) {
    this.#state = state;
    this.#agents = agents;
    this.#maintenance = maintenance;
  }

  /** No offers any more, and the agent kills what it runs; DRAINED when nothing is left. */
  drain(agentId: string, config: DrainConfig): Refusal | undefined {
    const agent = this.#state.agents.get(agentId);
    const machine = agent === undefined ? undefined : this.#maintenance.machineOf(agent);
    if (machine !== undefined) {
      const { hostname, ip } = machine.id;
      const message = `Agent ${agentId} is part of a maintenance schedule under Machine ${hostname} (${ip})`;
      return { status: 400, message };
    }
    if (!this.#isKnown(agentId)) return unknown;
    if (this.#leaving.has(agentId)) {
      return { status: 409, message: `Agent ${agentId} is currently being marked gone` };
    }
    if (agent?.capabilities.some(({ type }) => type === 'AGENT_DRAINING') === false) {
      return { status: 400, message: `Agent ${agentId} is not capable of draining` };
    }
    const standing: AgentStanding = { deactivated: true, drain: { state: 'DRAINING', config } };
    this.#decide(agentId, standing, (now) => {
      const registered = this.#state.agents.get(agentId);
      if (registered === undefined) return;
      registered.drainStartedAt = now;
      this.#sendDrain(registered);
      this.#state.eased.add(agentId);
    });
    return undefined;
  }

  deactivate(agentId: string): Refusal | undefined {
    if (!this.#isKnown(agentId)) return unknown;
    const { drain } = this.#state.standings.get(agentId) ?? {};
    this.#decide(agentId, { deactivated: true, drain });
    return undefined;
  }

  reactivate(agentId: string): Refusal | undefined {
    const standing = this.#state.standings.get(agentId);
    if (standing?.deactivated !== true) return { status: 400, message: 'Agent is not deactivated' };
    if (standing.drain?.state === 'DRAINING') {
      return { status: 400, message: 'Agent is still in the DRAINING state' };
    }
    this.#decide(agentId, { deactivated: false }, () => {
      const agent = this.#state.agents.get(agentId);
      if (agent !== undefined) agent.drainStartedAt = undefined;
    });
    return undefined;
  }

  markGone(agentId: string, now: number): Refusal | undefined {
    if (this.#state.gone.has(agentId)) return undefined;
    if (!this.#isKnown(agentId)) return { status: 404, message: `Agent '${agentId}' not found` };
    if (this.#leaving.has(agentId)) {
      const message = `Agent ${agentId} is already being transitioned to gone`;
      return { status: 503, message };
    }
    this.#leaving.add(agentId);
    this.#state.persist({ kind: 'mark-gone', agentId, at: now }, (later) => {
      this.#leaving.delete(agentId);
      this.#drained.delete(agentId);
      this.#state.gone.set(agentId, now);
      this.#state.standings.delete(agentId);
      this.#agents.leave(agentId, later);
    });
    return undefined;
  }

  /** An agent that is back is told again what was decided of it. */
  onReturn(agent: AgentRecord): void {
    const standing = this.#state.standings.get(agent.id);
    if (standing === undefined) return;
    this.#state.allocator.setAgentActive(agent.id, this.#state.isActive(agent));
    if (standing.drain?.state === 'DRAINING') this.#sendDrain(agent);
    this.#state.eased.add(agent.id);
  }

  /** draining -> drained, of those agents that may have become empty. */
  settle(now: number): void {
    const eased = [...this.#state.eased];
    this.#state.eased.clear();
    for (const id of eased) {
      const agent = this.#state.agents.get(id);
      const { drain } = this.#state.standings.get(id) ?? {};
      if (agent === undefined || !agent.isConnected || drain?.state !== 'DRAINING') continue;
      if (!this.#isEmpty(agent) || this.#drained.has(id)) continue;
      if (drain.config.mark_gone === true) {
        this.markGone(id, now);
        continue;
      }
      this.#drained.add(id);
      this.#decide(id, { deactivated: true, drain: { ...drain, state: 'DRAINED' } }, () => {
        this.#drained.delete(id);
      });
    }
  }

  /** Not even an end that is still to be acknowledged is left. */
  #isEmpty(agent: AgentRecord): boolean {
    return agent.operations.size === 0 && agent.tasks.size === 0;
  }

  #isKnown(agentId: string): boolean {
    const { agents, recovered, unreachable } = this.#state;
    return agents.has(agentId) || recovered.has(agentId) || unreachable.has(agentId);
  }

  #decide(agentId: string, standing: AgentStanding, then: (now: number) => void = () => {}): void {
    this.#state.persist({ kind: 'set-standing', agentId, standing }, (now) => {
      if (standing.deactivated) this.isUsed = true;
      if (standing.deactivated) this.#state.standings.set(agentId, standing);
      else this.#state.standings.delete(agentId);
      if (this.#state.standings.size === 0) this.isUsed = false;
      const agent = this.#state.agents.get(agentId);
      if (agent !== undefined) {
        this.#state.allocator.setAgentActive(agentId, this.#state.isActive(agent));
        if (standing.deactivated) this.#agents.rescindOffers(agent);
      }
      then(now);
      if (agent !== undefined) this.#state.watcher.onAgent(agent, 'changed');
    });
  }

  #sendDrain(agent: AgentRecord): void {
    const config = this.#state.standings.get(agent.id)?.drain?.config;
    if (config === undefined || !agent.isConnected) return;
    const message = { name: 'DrainSlaveMessage' as const, body: { config } };
    this.#state.emit({ kind: 'send', to: agent.pid, message });
  }
}
