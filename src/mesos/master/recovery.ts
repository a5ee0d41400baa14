// Agents of the registry that do not come back to a new master in time: they are marked unreachable, as
// fast as is allowed; or, when they are too many, the master ends and changes nothing (inventory 6).
import type { MasterState } from './state.ts';

export class RecoveryDesk {
  readonly #state: MasterState;
  /** It has come back, and the registry is being told. */
  readonly #isReturning: (agentId: string) => boolean;
  readonly #total: number;
  readonly #endsAt: number;
  #isOver = false;
  /** Those that did not come back, in the order in which they are to be marked. */
  readonly #missing = new Set<string>();
  #markableAt = -Infinity;

  constructor(state: MasterState, isReturning: (agentId: string) => boolean) {
    this.#state = state;
    this.#isReturning = isReturning;
    this.#total = state.recovered.size;
    this.#endsAt = state.startedAt + state.options.agentReregisterTimeoutMs;
  }

  nextDeadline(): number {
    if (this.#missing.size > 0) return this.#markableAt;
    return this.#isOver || this.#state.recovered.size === 0 ? Infinity : this.#endsAt;
  }

  onTick(now: number): void {
    if (!this.#isOver && now >= this.#endsAt) {
      this.#isOver = true;
      this.#judge();
    }
    this.#markMissing(now);
  }

  #judge(): void {
    const { recovered, options } = this.#state;
    if (recovered.size === 0) return;
    const { recoveryRemovalLimit: limit = 1 } = options;
    const ids = [...recovered.keys()];
    if (ids.length / this.#total > limit) {
      const percent = (ids.length / this.#total) * 100;
      const message =
        `Post-recovery agent removal limit exceeded! After ${options.agentReregisterTimeoutMs} ms ` +
        `there were ${ids.length} (${percent}%) agents recovered from the registry that did not ` +
        `reregister: ${ids.join(', ')}. The configured removal limit is ${limit * 100}%. ` +
        'Please investigate or increase this limit to proceed further';
      this.#state.emit({ kind: 'fail', message });
      return;
    }
    for (const id of ids) {
      if (this.#isReturning(id)) continue;
      this.#missing.add(id);
      this.#state.count('slave_unreachable_scheduled');
    }
  }

  #markMissing(now: number): void {
    const rate = this.#state.options.agentRemovalRate;
    for (const id of this.#missing) {
      const isBack = !this.#state.recovered.has(id) || this.#isReturning(id);
      if (!isBack && rate !== undefined) {
        if (this.#markableAt > now) {
          this.#state.emit({ kind: 'wake-at', at: this.#markableAt });
          return;
        }
        this.#markableAt = Math.max(this.#markableAt, now) + rate.perMs / rate.count;
      }
      this.#missing.delete(id);
      this.#state.count(`slave_unreachable_${isBack ? 'canceled' : 'completed'}`);
      if (!isBack) this.#mark(id, now);
    }
  }

  #mark(id: string, now: number): void {
    const state = this.#state;
    state.noLongerRecovered(id);
    state.unreachable.set(id, now);
    state.persist({ kind: 'mark-unreachable', agentId: id, at: now }, () => {
      state.count('slave_removals');
      state.count('slave_removals/reason_unhealthy');
      state.count('recovery_slave_removals');
      for (const framework of state.frameworks.values()) {
        state.tell(framework, { type: 'FAILURE', failure: { agent_id: { value: id } } });
      }
    });
  }
}
