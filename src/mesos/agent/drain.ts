// Draining, part of the agent core: everything that runs is killed, nothing new is taken, until nothing is
// left (inventory 3 and 10.2; slave.cpp of Mesos 1.11). The configuration outlives a restart of the agent.
import type { Instant } from '#env/env.ts';
import type { DrainConfig, KillPolicy } from '#wire/mesos/v1.ts';
import type { AgentResources } from './agent-resources.ts';
import type { AgentEffect } from './types.ts';
import type { Workloads } from './workloads.ts';

export class Drain {
  readonly #work: Workloads;
  readonly #resources: AgentResources;
  readonly #out: AgentEffect[];
  #startedAt: Instant | undefined;

  constructor(work: Workloads, resources: AgentResources, out: AgentEffect[]) {
    this.#work = work;
    this.#resources = resources;
    this.#out = out;
  }

  get config(): DrainConfig | undefined {
    return this.#work.draining;
  }

  get startedAt(): Instant | undefined {
    return this.#startedAt;
  }

  begin(config: DrainConfig, now: Instant): void {
    if (this.#isEmpty()) return;
    this.#out.push({ kind: 'checkpoint', record: { kind: 'drain', config } });
    this.#killAll(config, now);
  }

  /** Found on disk: the kills are told to executors when they are back. */
  recover(config: DrainConfig, now: Instant): void {
    this.#killAll(config, now);
    this.settle(now);
  }

  /**
   * draining -> drained. An executor that waits for tasks would wait for ever, and what was launched after
   * the agent is reactivated would be refused.
   */
  settle(now: Instant): void {
    if (this.#work.draining === undefined) return;
    for (const { key, launched, queued } of this.#work.executors()) {
      if (launched.size === 0 && queued.length === 0) this.#work.shutdownExecutor(key, now);
    }
    if (!this.#isEmpty()) return;
    this.#work.draining = undefined;
    this.#startedAt = undefined;
    this.#out.push({ kind: 'checkpoint', record: { kind: 'drain', config: undefined } });
  }

  #isEmpty(): boolean {
    return this.#work.frameworks.size === 0 && this.#resources.operations.length === 0;
  }

  #killAll(config: DrainConfig, now: Instant): void {
    this.#work.draining = config;
    this.#startedAt = now;
    for (const executor of this.#work.executors()) {
      const { frameworkId } = executor.key;
      const launched = [...executor.launched.values()];
      const queued = executor.queued.flatMap(({ tasks }) => tasks);
      for (const { task_id, kill_policy } of [...launched, ...queued]) {
        this.#work.killTask(frameworkId, task_id.value, shortened(kill_policy, config), now);
      }
    }
  }
}

/** The task's own policy, unless the drain allows less time; undefined: the task's own. */
function shortened(own: KillPolicy | undefined, config: DrainConfig): KillPolicy | undefined {
  const most = config.max_grace_period;
  const graceNs = own?.grace_period?.nanoseconds;
  if (most === undefined || (graceNs !== undefined && graceNs <= most.nanoseconds)) {
    return undefined;
  }
  return { grace_period: most };
}
