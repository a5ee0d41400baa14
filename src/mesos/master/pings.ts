// When each agent is to be pinged next. All wait equally long, so the order in which they were scheduled is
// the order in which they are due: a tick costs what is due, not the number of agents.
import type { MasterState } from './state.ts';
import type { AgentRecord } from './types.ts';

/** Pings due within so long of each other go out in one tick. */
const TOGETHER_MS = 20;
/** More in one tick would keep others waiting, and be due together ever after. */
const DUE_MAX = 256;
/** Entries dealt with are cut off only when there are many of them. */
const CUT_MIN = 1_024;

interface Entry {
  readonly agent: AgentRecord;
  readonly at: number;
}

export class PingQueue {
  readonly #state: MasterState;
  #entries: Entry[] = [];
  #head = 0;

  constructor(state: MasterState) {
    this.#state = state;
  }

  /** A ping timeout from now; what was scheduled for the agent before no longer counts. */
  schedule(agent: AgentRecord, now: number): void {
    agent.nextPingAt = now + this.#state.options.agentPingTimeoutMs;
    this.#entries.push({ agent, at: agent.nextPingAt });
    this.#state.emit({ kind: 'wake-at', at: agent.nextPingAt });
  }

  /** Those whose time has come, taken off, the rest of many next time; nobody when the first one's has not. */
  due(now: number): AgentRecord[] {
    const found: AgentRecord[] = [];
    if (this.nextAt() > now) return found;
    while (found.length < DUE_MAX && this.nextAt() <= now + TOGETHER_MS) {
      const entry = this.#entries[this.#head++];
      if (entry === undefined) break;
      found.push(entry.agent);
      // Scheduled twice for the same moment, it is due once.
      entry.agent.nextPingAt = Infinity;
    }
    return found;
  }

  /** Infinity when there is no agent. */
  nextAt(): number {
    for (; this.#head < this.#entries.length; this.#head += 1) {
      const entry = this.#entries[this.#head];
      if (entry === undefined || !this.#isCurrent(entry)) continue;
      this.#cut();
      return entry.at;
    }
    this.#cut();
    return Infinity;
  }

  #isCurrent({ agent, at }: Entry): boolean {
    return agent.nextPingAt === at && this.#state.agents.get(agent.id) === agent;
  }

  #cut(): void {
    if (this.#head < CUT_MIN || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}
