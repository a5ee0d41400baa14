// Agents that are unreachable or gone are not remembered for ever: the oldest leave the registry when they
// are too old or too many (inventory section 6, "Registry GC"). Their tasks are then unknown.
import type { MasterState } from './state.ts';

export interface CollectionOptions {
  /** --registry_gc_interval, --registry_max_agent_age, --registry_max_agent_count */
  readonly intervalMs: number;
  readonly ageMsMax: number;
  readonly countMax: number;
}

const DAY_MS = 86_400_000;

/** Mesos' defaults. */
const defaults: CollectionOptions = {
  intervalMs: 900_000,
  ageMsMax: 14 * DAY_MS,
  countMax: 102_400,
};

export class RegistryCollector {
  readonly #state: MasterState;
  readonly #options: CollectionOptions;
  #nextAt: number;

  constructor(state: MasterState, now: number) {
    this.#state = state;
    this.#options = state.options.collection ?? defaults;
    this.#nextAt = now + this.#options.intervalMs;
  }

  onTick(now: number): void {
    if (now < this.#nextAt) return;
    this.#nextAt = now + this.#options.intervalMs;
    const { unreachable, gone } = this.#state;
    for (const list of [unreachable, gone]) {
      for (const agentId of this.#overdue(list, now)) this.#forget(list, agentId);
    }
  }

  nextDeadline(): number {
    const { unreachable, gone } = this.#state;
    return unreachable.size + gone.size === 0 ? Infinity : this.#nextAt;
  }

  #overdue(list: ReadonlyMap<string, number>, now: number): string[] {
    const { ageMsMax, countMax } = this.#options;
    const oldestFirst = [...list].toSorted(([, a], [, b]) => a - b);
    const surplus = oldestFirst.length - countMax;
    return oldestFirst
      .filter(([, at], i) => i < surplus || now - at > ageMsMax)
      .map(([agentId]) => agentId);
  }

  /** It may have come back while this was written. */
  #forget(list: Map<string, number>, agentId: string): void {
    const at = list.get(agentId);
    this.#state.persist({ kind: 'forget-agent', agentId }, () => {
      if (list.get(agentId) !== at) return;
      list.delete(agentId);
      this.#state.standings.delete(agentId);
    });
  }
}
