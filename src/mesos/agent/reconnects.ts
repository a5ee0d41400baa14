// Which drivers of executors of before this start of the agent are asked to come back, and how often.
import type { Instant } from '#env/env.ts';
import type { Executor } from './agent-state.ts';
import type { AgentEffect } from './types.ts';

export class Reconnects {
  readonly #retryMs: number;
  readonly #out: AgentEffect[];
  /** Those that are asked again, and when. */
  readonly #waiting = new Map<Executor, Instant>();

  /** `retryMs`: undefined when one is asked once. */
  constructor(retryMs: number | undefined, out: AgentEffect[]) {
    this.#retryMs = retryMs ?? Infinity;
    this.#out = out;
  }

  begin(executor: Executor, now: Instant): void {
    if (executor.driver === undefined) return;
    this.#ask(executor.driver);
    if (this.#retryMs < Infinity) this.#waiting.set(executor, now + this.#retryMs);
  }

  /** It is back, or will not come. */
  done(executor: Executor): void {
    this.#waiting.delete(executor);
  }

  nextAt(): Instant {
    return Math.min(Infinity, ...this.#waiting.values());
  }

  onTick(now: Instant): void {
    for (const [executor, at] of this.#waiting) {
      if (at > now || executor.driver === undefined) continue;
      this.#waiting.set(executor, now + this.#retryMs);
      this.#ask(executor.driver);
    }
  }

  #ask(upid: string): void {
    this.#out.push({ kind: 'reconnect-executor', upid });
  }
}
