// The offers that the instance holds at this moment, and what it was last offered of each agent.
import { addAmounts, noAmounts, type Amounts } from '#kube/scheduler/types.ts';
import type { FrameworkEffect, Offer } from './types.ts';

export class HeldOffers {
  /** How long agents whose offers fit no waiting pod are not offered again. */
  readonly #refuseSeconds: number;
  readonly #offers = new Map<string, Offer>();
  readonly #lastOffered = new Map<string, Amounts>();

  constructor(refuseSeconds: number) {
    this.#refuseSeconds = refuseSeconds;
  }

  get isEmpty(): boolean {
    return this.#offers.size === 0;
  }

  byAgent(): Map<string, Offer[]> {
    return Map.groupBy(this.#offers.values(), ({ agentId }) => agentId);
  }

  /** `isCut`: to what is wanted, so that it says nothing of what else there is. */
  add(offer: Offer, isCut: boolean): void {
    const { agentId } = offer;
    this.#offers.set(offer.id, offer);
    const offered = this.#offeredOn(agentId);
    const before = isCut ? this.#lastOffered.get(agentId) : undefined;
    this.#lastOffered.set(agentId, before === undefined ? offered : most(offered, before));
  }

  drop(offerId: string): void {
    this.#offers.delete(offerId);
  }

  clear(): void {
    this.#offers.clear();
  }

  /** Gives back all that pass. */
  decline(isUnwanted: (offer: Offer) => boolean = () => true): FrameworkEffect[] {
    const offerIds = [...this.#offers.values()].filter(isUnwanted).map(({ id }) => id);
    for (const id of offerIds) this.#offers.delete(id);
    const refuseSeconds = this.#refuseSeconds;
    return offerIds.length === 0 ? [] : [{ kind: 'decline', offerIds, refuseSeconds }];
  }

  last(agentId: string): Amounts | undefined {
    return this.#lastOffered.get(agentId);
  }

  forgetAgent(agentId: string): void {
    this.#lastOffered.delete(agentId);
  }

  #offeredOn(agentId: string): Amounts {
    let sum = noAmounts;
    for (const offer of this.#offers.values()) {
      if (offer.agentId === agentId) sum = addAmounts(sum, offer.amounts);
    }
    return sum;
  }
}

function most(a: Amounts, b: Amounts): Amounts {
  return {
    cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
    memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
    ephemeralStorageBytes: Math.max(a.ephemeralStorageBytes, b.ephemeralStorageBytes),
    gpus: Math.max(a.gpus, b.gpus),
  };
}
