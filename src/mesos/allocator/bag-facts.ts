// What the allocator makes of a bag of resources again and again, made once for each bag: agents of one make
// share their bags, and the same ones are offered and given back all the time.
import type { Resources } from '#mesos/resources/resources.ts';
import { resourcesText } from '#mesos/resources/text.ts';
import { isEnough, type Minimums } from './minimums.ts';
import type { Holding, SharedHold } from './role-order.ts';
import { Amounts, type ScalarNames } from './rows.ts';

const noShared: readonly SharedHold[] = [];

export interface BagFacts {
  /** Of what is neither reserved nor revocable. */
  readonly common: Amounts;
  /** Whether it is worth an offer by the cluster's minimums. */
  readonly isEnough: boolean;
  /** What holding it means; undefined: that depends on the agent. */
  readonly holding: Holding | undefined;
  /** The same when its common part has been counted already. */
  readonly consumed: Holding | undefined;
}

export class BagBook {
  readonly #names: ScalarNames;
  readonly #minimums: Minimums;
  readonly #make = (bag: Resources): BagFacts => this.#factsOf(bag);

  constructor(names: ScalarNames, minimums: Minimums) {
    this.#names = names;
    this.#minimums = minimums;
  }

  of(bag: Resources): BagFacts {
    return bag.noted(this, this.#make);
  }

  /** What somebody holds who holds the bag on the agent. */
  holding(agentId: string, bag: Resources): Holding {
    const { common, holding } = this.of(bag);
    if (holding !== undefined) return holding;
    const amounts = Amounts.of(bag.nonShared().scalarQuantities(), this.#names);
    const shared = bag
      .shared()
      .copies()
      .map(({ resource, copies, milli }) => ({
        key: `${agentId}\n${resourcesText(resource.allocatedTo(undefined))}`,
        copies,
        amounts: Amounts.of(milli, this.#names),
      }));
    return { amounts, common, shared };
  }

  #factsOf(bag: Resources): BagFacts {
    const common = Amounts.of(bag.commonScalars(), this.#names);
    const enough = { isEnough: isEnough(bag, this.#minimums) };
    if (!bag.isCommon && !bag.shared().isEmpty) {
      return { common, ...enough, holding: undefined, consumed: undefined };
    }
    const amounts = bag.isCommon ? common : Amounts.of(bag.scalarQuantities(), this.#names);
    const holding: Holding = { amounts, common, shared: noShared };
    return { common, ...enough, holding, consumed: { ...holding, isConsumed: true } };
  }
}
