// Follows the agents of the cluster: the operator's event stream of whoever leads, begun again when it ends.
import type { Env, Timer } from '#env/env.ts';
import type { Access } from '#mesos/client/access.ts';
import { callMaster, subscribeToMaster } from '#mesos/client/operator-client.ts';
import type { MasterEvent } from '#wire/mesos/v1.ts';
import { agentFromWire } from './wire.ts';
import type { Agent } from './types.ts';

const RESUBSCRIBE_MS = 500;

export interface AgentFollowerOptions {
  /** `http://HOST:PORT` of the leading master; undefined while nobody leads. */
  readonly masterUrl: () => string | undefined;
  readonly access: Access;
  readonly executorId: string;
  onAgent(agent: Agent): void;
  onAgentGone(agentId: string): void;
  onExecutorRunning(agentId: string): void;
  /** All agents there are have been told. */
  onSynced(): void;
}

export class AgentFollower {
  readonly #options: AgentFollowerOptions;
  readonly #env: Env;
  #stream: { close(): void } | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: AgentFollowerOptions, env: Env) {
    this.#options = options;
    this.#env = env;
  }

  start(): void {
    void this.#follow();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#stream?.close();
  }

  /** After an agent failure the master is asked who is still there. */
  refresh(): void {
    const url = this.#options.masterUrl();
    // Whoever leads next tells all agents.
    if (url === undefined) return;
    callMaster({ url, ...this.#options.access }, { type: 'GET_AGENTS' })
      .then(({ get_agents }) => {
        for (const agent of get_agents?.agents ?? []) this.#options.onAgent(agentFromWire(agent));
      })
      .catch((error: unknown) => this.#env.log.debug('Cannot list agents', { error }));
  }

  async #follow(): Promise<void> {
    if (this.#isClosed) return;
    const url = this.#options.masterUrl();
    if (url === undefined) {
      this.#followLater();
      return;
    }
    try {
      this.#stream = await subscribeToMaster(
        { url, ...this.#options.access },
        { onEvent: (event) => this.#onEvent(event), onEnd: () => this.#followLater() },
        this.#env,
      );
      if (this.#isClosed) this.#stream.close();
    } catch (error) {
      this.#env.log.debug('Cannot follow the agents', { error });
      this.#followLater();
    }
  }

  #followLater(): void {
    if (this.#isClosed) return;
    this.#timer = this.#env.timers.after(RESUBSCRIBE_MS, () => void this.#follow());
  }

  #onEvent(event: MasterEvent): void {
    const { executorId, onAgent, onAgentGone, onExecutorRunning, onSynced } = this.#options;
    if (event.type === 'SUBSCRIBED') {
      const state = event.subscribed?.get_state;
      for (const agent of state?.get_agents?.agents ?? []) onAgent(agentFromWire(agent));
      for (const { executor_info, agent_id } of state?.get_executors?.executors ?? []) {
        if (executor_info.executor_id.value === executorId) onExecutorRunning(agent_id.value);
      }
      onSynced();
    } else if (event.type === 'AGENT_ADDED' && event.agent_added !== undefined) {
      onAgent(agentFromWire(event.agent_added.agent));
    } else if (event.type === 'AGENT_REMOVED' && event.agent_removed !== undefined) {
      onAgentGone(event.agent_removed.agent_id.value);
    }
  }
}
