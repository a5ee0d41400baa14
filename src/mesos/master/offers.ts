// Offers on their way to frameworks. They are gathered over one whole run of the allocator, so that a
// framework gets many in one event, and made and sent in portions, so that nobody else waits long.
import type { Allocation } from '#mesos/allocator/allocator-core.ts';
import type { Unavailability } from '#wire/mesos/v1.ts';
import type { MasterState } from './state.ts';
import { ToldOffers } from './told-offers.ts';
import type { OfferRecord } from './offer-book.ts';
import type { AgentRecord, FrameworkRecord } from './types.ts';

/** Agents offered in one portion, those looked at, and offers sent in one: two or three milliseconds. */
const AGENTS_MAX = 128;
const AGENTS_SEEN_MAX = 1_024;
const OFFERS_MAX = 256;
/** So many for one framework are told before the run is over; answered together, they are no long work. */
const EVENT_OFFERS_MAX = 256;
/** Offers gathered before they are told, however long the run still takes. */
const GATHERED_MAX = 4_096;

export class OfferDesk {
  readonly #state: MasterState;
  readonly #unavailabilityOf: (agent: AgentRecord) => Unavailability | undefined;
  readonly #unsent = new Map<FrameworkRecord, OfferRecord[]>();
  #unsentCount = 0;
  /** Enough is gathered: telling comes first, until all is told. */
  #isTelling = false;

  constructor(
    state: MasterState,
    unavailabilityOf: (agent: AgentRecord) => Unavailability | undefined,
  ) {
    this.#state = state;
    this.#unavailabilityOf = unavailabilityOf;
  }

  /** A run has begun and is not over yet; `allocate` goes on with it. */
  get isMidway(): boolean {
    return this.#unsentCount > 0 || this.#state.allocator.isMidway;
  }

  allocate(now: number): void {
    const { allocator } = this.#state;
    if (!this.#isTelling) {
      // Looking at agents that nobody wants is short work.
      for (let seen = 0, found = 0; found < AGENTS_MAX && seen < AGENTS_SEEN_MAX;) {
        const given = this.#state.timed(() => allocator.allocate(now, AGENTS_MAX));
        for (const one of given) this.#add(one);
        if (!allocator.isMidway) break;
        seen += AGENTS_MAX;
        found += given.length;
      }
      this.#isTelling = !allocator.isMidway || this.#unsentCount >= GATHERED_MAX;
    }
    let left = OFFERS_MAX;
    for (const [framework, offers] of this.#unsent) {
      if (left <= 0) return;
      if (!this.#isTelling && offers.length < EVENT_OFFERS_MAX) continue;
      left -= offers.length;
      this.#unsent.delete(framework);
      this.#unsentCount -= offers.length;
      this.#send(framework, offers, now);
    }
    if (this.#unsentCount === 0) this.#isTelling = false;
  }

  #add({ frameworkId, role, agentId, resources }: Allocation): void {
    const state = this.#state;
    const framework = state.frameworks.get(frameworkId);
    if (framework === undefined) return;
    const number = state.nextOffer++;
    const agent = state.agents.get(agentId);
    const offer = state.offers.make({ number, framework, agent, agentId, role, resources });
    state.holdings.addOffer(offer);
    const mine = this.#unsent.get(framework);
    if (mine === undefined) this.#unsent.set(framework, [offer]);
    else mine.push(offer);
    this.#unsentCount += 1;
  }

  /** Without those that were taken back meanwhile. */
  #send(framework: FrameworkRecord, offers: readonly OfferRecord[], now: number): void {
    const state = this.#state;
    const told = new ToldOffers(framework);
    for (const offer of offers) {
      const { agent } = offer;
      if (agent === undefined || state.offers.at(offer.number) !== offer) continue;
      offer.isSent = true;
      told.add(offer, agent, this.#unavailabilityOf(agent));
    }
    // Whoever holds something of an agent that is to go is asked for it.
    if (told.hasUnavailable) state.isAskDue = true;
    const sent = told.offers();
    if (sent.length === 0) return;
    state.frameworkMetrics.count(framework.id, 'offers/sent', sent.length);
    state.tell(framework, { type: 'OFFERS', offers: { offers: sent } });
    state.onOffered(
      sent.map(({ id }) => id.value),
      now,
    );
  }
}
