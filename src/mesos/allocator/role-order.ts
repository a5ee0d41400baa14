// Places in the order of roles and frameworks: who comes first among siblings, keeping lists sorted as
// shares change, walking them, and drawing lots instead.
import type { Amounts, Quantities } from './rows.ts';

/** Thousandths of each scalar. A limit that is not there is none. */
export interface Quota {
  readonly guarantees: Quantities;
  readonly limits: Quantities;
}

/** A place in the order of its siblings. */
export interface Ranked {
  readonly path: string;
  /** Row of what it (and what is below it) holds. */
  readonly held: number;
  share: number;
  /** How often it was given something: among equals the one with less goes first. */
  count: number;
  /** Copies of shared volumes; each volume is charged once. */
  shared: Map<string, number> | undefined;
  /** Taken out of the order for now: what it holds has become less. */
  isLifted: boolean;
}

/** One framework in one role. */
export interface Client extends Ranked {
  readonly frameworkId: string;
  readonly role: string;
  readonly node: RoleNode;
}

/** The frameworks of one role; a sibling of the role's children (Mesos' virtual leaf). */
export interface Leaf extends Ranked {
  readonly kind: 'leaf';
  /** Active ones, in order. */
  readonly clients: Client[];
}

export interface RoleNode extends Ranked {
  readonly kind: 'node';
  readonly name: string;
  readonly parent: RoleNode | undefined;
  readonly children: Map<string, RoleNode>;
  readonly order: (RoleNode | Leaf)[];
  readonly leaf: Leaf;
  /** Row of what counts against quota: used or offered, and all reservations (Mesos 1.11). */
  readonly consumed: number;
  /** Row of what must be kept free for guarantees here and below. */
  readonly required: number;
  /** Row of the sum of the children's `required`. */
  readonly requiredBelow: number;
  weight: number;
  guarantees: Amounts;
  limits: Amounts;
  /** Quotas set on roles below: then limits of this one bind those below, too. */
  quotasBelow: number;
  /** Active clients of the role and everything below it. */
  activeCount: number;
  /** Clients of the role, active or not. */
  clientCount: number;
  /** Somebody in it was denied something for its limit since it last had room. */
  isHeldByLimit: boolean;
}

/** A volume of which there may be many copies: charged once for each subtree that uses it. */
export interface SharedHold {
  readonly key: string;
  readonly copies: number;
  readonly amounts: Amounts;
}

export interface Holding {
  readonly amounts: Amounts;
  /** Neither reserved nor revocable: what quota counts. */
  readonly common: Amounts;
  readonly shared: readonly SharedHold[];
  /** The same in another form (a reservation, a volume): not one more allocation. */
  readonly isConversion?: boolean;
  /** Its `common` part has been counted already. */
  readonly isConsumed?: boolean;
}

/** How Mesos' flags have it: --role_sorter, --framework_sorter, --fair_sharing_excluded... */
export interface OrderOptions {
  readonly excludedNames?: readonly string[] | undefined;
  readonly roleSorter?: 'drf' | 'random' | undefined;
  readonly frameworkSorter?: 'drf' | 'random' | undefined;
  /** In [0, 1); needed by the random sorters. */
  readonly random?: (() => number) | undefined;
}

export function comesBefore(a: Ranked, b: Ranked): boolean {
  if (a.share !== b.share) return a.share < b.share;
  return a.count === b.count ? a.path < b.path : a.count < b.count;
}

export function placeOf<T extends Ranked>(list: readonly T[], one: T): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comesBefore(list[middle] as T, one)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function insert<T extends Ranked>(list: T[], one: T): void {
  list.splice(placeOf(list, one), 0, one);
}

/** By its place, or by looking for it when the order is out of date. */
export function remove<T extends Ranked>(list: T[], one: T): boolean {
  let at = placeOf(list, one);
  if (list[at] !== one) at = list.indexOf(one);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}

/**
 * Those that give something back are taken out of their lists, and put where they belong when the order is
 * looked at: many give back many things between two looks.
 */
export class LiftedPlaces {
  readonly #lifted: { readonly siblings: Ranked[]; readonly one: Ranked }[] = [];

  /** Before its share changes. One that is not in the list stays out of it. */
  lift(siblings: Ranked[], one: Ranked): void {
    if (one.isLifted) return;
    const at = placeOf(siblings, one);
    if (siblings[at] !== one) return;
    siblings.splice(at, 1);
    one.isLifted = true;
    this.#lifted.push({ siblings, one });
  }

  putBack(): void {
    for (const { siblings, one } of this.#lifted) {
      one.isLifted = false;
      insert(siblings, one);
    }
    this.#lifted.length = 0;
  }
}

/** Nearly sorted lists in linear time. */
export function resort<T extends Ranked>(list: T[]): void {
  for (let i = 1; i < list.length; i++) {
    if (!comesBefore(list[i] as T, list[i - 1] as T)) continue;
    list.sort((a, b) => (comesBefore(a, b) ? -1 : 1));
    return;
  }
}

export function leavesOf(node: RoleNode, found: Leaf[] = []): Leaf[] {
  for (const entry of node.order) {
    if (entry.kind === 'leaf') found.push(entry);
    else if (entry.activeCount > 0) leavesOf(entry, found);
  }
  return found;
}

/** Without replacement, in proportion to the weights: the largest u^(1/weight) first. */
export function shuffle<T>(
  weighted: readonly { readonly one: T; readonly weight: number }[],
  random: () => number,
): T[] {
  return weighted
    .map(({ one, weight }) => ({ one, key: random() ** (1 / weight) }))
    .toSorted((a, b) => b.key - a.key)
    .map(({ one }) => one);
}

export function walkNode(node: RoleNode, visit: (client: Client) => boolean): boolean {
  for (const entry of node.order) {
    if (entry.kind === 'node') {
      if (entry.activeCount > 0 && !walkNode(entry, visit)) return false;
    } else {
      for (const client of entry.clients) if (!visit(client)) return false;
    }
  }
  return true;
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function lot(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
