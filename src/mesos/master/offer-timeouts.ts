// --offer_timeout: offers and inverse offers that nobody has answered in time are rescinded. All have
// the same time, so those that were sent first are due first.
import type { MaintenanceDesk } from './maintenance.ts';
import type { MasterState } from './state.ts';

interface Deadline {
  readonly id: string;
  readonly at: number;
}

export class OfferTimeouts {
  readonly #state: MasterState;
  readonly #maintenance: MaintenanceDesk;
  readonly #timeoutMs: number | undefined;
  #deadlines: Deadline[] = [];
  /** Those before it have passed. */
  #next = 0;

  constructor(state: MasterState, maintenance: MaintenanceDesk) {
    this.#state = state;
    this.#maintenance = maintenance;
    this.#timeoutMs = state.options.offerTimeoutMs;
    if (this.#timeoutMs === undefined) return;
    state.onOffered = (ids, now) => this.#watch(ids, now);
  }

  nextDeadline(): number {
    return this.#deadlines[this.#next]?.at ?? Infinity;
  }

  onTick(now: number): void {
    for (; ; this.#next++) {
      const due = this.#deadlines[this.#next];
      if (due === undefined || due.at > now) break;
      this.#rescind(due.id);
    }
    if (this.#next * 2 < this.#deadlines.length) return;
    this.#deadlines = this.#deadlines.slice(this.#next);
    this.#next = 0;
  }

  #watch(ids: readonly string[], now: number): void {
    const at = now + (this.#timeoutMs ?? Infinity);
    if (this.nextDeadline() === Infinity) this.#state.emit({ kind: 'wake-at', at });
    for (const id of ids) this.#deadlines.push({ id, at });
  }

  /** Without a filter: it may be offered to the same framework again, as in Mesos. */
  #rescind(id: string): void {
    const offer = this.#state.offers.get(id);
    if (offer === undefined) {
      this.#maintenance.rescind(id);
      return;
    }
    this.#state.dropOffer(offer, { rescind: true });
    this.#state.allocator.recover(offer.frameworkId, offer.agentId, offer.resources);
  }
}
