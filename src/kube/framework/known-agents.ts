// The agents that the instance may use, the Node objects that stand for them, and on which of them its
// executor runs.
import type { Agent, NodeView, PortRange } from './types.ts';

export class KnownAgents {
  readonly #agents = new Map<string, Agent>();
  readonly #ports = new Map<string, readonly PortRange[]>();
  readonly #byNode = new Map<string, Map<string, Agent>>();
  readonly #nodes = new Map<string, NodeView>();
  readonly #executors = new Set<string>();
  /** By node: the agent that had it in an earlier life of the instance. */
  readonly #former = new Map<string, string>();

  get(agentId: string): Agent | undefined {
    return this.#agents.get(agentId);
  }

  get ids(): Iterable<string> {
    return this.#agents.keys();
  }

  all(): Agent[] {
    return [...this.#agents.values()];
  }

  /** Host ports that each agent manages. */
  get ports(): ReadonlyMap<string, readonly PortRange[]> {
    return this.#ports;
  }

  put(agent: Agent): void {
    this.#unlink(this.#agents.get(agent.id));
    this.#agents.set(agent.id, agent);
    this.#ports.set(agent.id, agent.ports);
    const there = this.#byNode.get(agent.nodeName) ?? new Map<string, Agent>();
    // The last of which there was news comes last.
    there.delete(agent.id);
    this.#byNode.set(agent.nodeName, there.set(agent.id, agent));
  }

  /** The agent left for good (its id never comes back). */
  delete(agentId: string): Agent | undefined {
    const agent = this.#agents.get(agentId);
    this.#unlink(agent);
    this.#agents.delete(agentId);
    this.#ports.delete(agentId);
    this.#executors.delete(agentId);
    return agent;
  }

  #unlink(agent: Agent | undefined): void {
    if (agent === undefined) return;
    const there = this.#byNode.get(agent.nodeName);
    there?.delete(agent.id);
    if (there?.size === 0) this.#byNode.delete(agent.nodeName);
  }

  ofNode(nodeName: string): Agent | undefined {
    let found: Agent | undefined;
    // An agent that came back under a new id may share the name with its unreachable past.
    for (const agent of this.#byNode.get(nodeName)?.values() ?? []) {
      if (found === undefined || agent.isReachable || !found.isReachable) found = agent;
    }
    return found;
  }

  /** Where a pod of the node runs, also while its agent is not to be seen. */
  idOfNode(nodeName: string | undefined): string | undefined {
    if (nodeName === undefined) return undefined;
    return this.ofNode(nodeName)?.id ?? this.#former.get(nodeName);
  }

  setFormer(nodeName: string, agentId: string): void {
    this.#former.set(nodeName, agentId);
  }

  node(nodeName: string): NodeView | undefined {
    return this.#nodes.get(nodeName);
  }

  /** False: it is as it was. */
  putNode(node: NodeView): boolean {
    const before = this.#nodes.get(node.name);
    this.#nodes.set(node.name, node);
    return before === undefined || JSON.stringify(before) !== JSON.stringify(node);
  }

  deleteNode(nodeName: string): void {
    this.#nodes.delete(nodeName);
  }

  setExecutor(agentId: string, isRunning: boolean): void {
    if (isRunning) this.#executors.add(agentId);
    else this.#executors.delete(agentId);
  }

  isExecutorRunning(agentId: string): boolean {
    return this.#executors.has(agentId);
  }
}
