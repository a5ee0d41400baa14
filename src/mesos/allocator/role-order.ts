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
  /** Of those that are lifted it is computed when they are put back. */
  share: number;
  /** By which what it holds is divided before it is compared; only roles have another than 1. */
  weight: number;
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
  return placeBetween(list, one, 0, list.length);
}

/** The first place, from `low` to `high`, whose occupant does not come before it. */
function placeBetween<T extends Ranked>(
  list: readonly T[],
  one: T,
  low: number,
  high: number,
): number {
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

/** Where it is in a list that is in order; -1 when it is not there. */
export function whereIs<T extends Ranked>(list: readonly T[], one: T): number {
  // Who was given something just now was the first of all, mostly.
  if (list[0] === one) return 0;
  const at = placeOf(list, one);
  return list[at] === one ? at : -1;
}

/** So far is moved one by one; farther in one piece. */
const STEPS_MAX = 64;

/** Moves the one at the place, whose share or count has changed, to where it belongs among the others. */
export function move<T extends Ranked>(list: T[], from: number): void {
  const one = list[from] as T;
  const last = list.length - 1;
  let to = from;
  if (from < last && comesBefore(list[from + 1] as T, one)) {
    to = placeBetween(list, one, from + 2, last + 1) - 1;
  } else if (from > 0 && comesBefore(one, list[from - 1] as T)) {
    to = placeBetween(list, one, 0, from - 1);
  }
  if (to === from) return;
  if (Math.abs(to - from) > STEPS_MAX) {
    list.splice(from, 1);
    list.splice(to, 0, one);
    return;
  }
  for (let at = from; at < to; at++) list[at] = list[at + 1] as T;
  for (let at = from; at > to; at--) list[at] = list[at - 1] as T;
  list[to] = one;
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
 * looked at: many give back many things between two looks. Only then their shares are computed.
 */
export class LiftedPlaces {
  readonly #shareOf: (row: number, weight: number) => number;
  readonly #insert: (siblings: Ranked[], one: Ranked) => void;
  readonly #lifted: { readonly siblings: Ranked[]; readonly one: Ranked }[] = [];

  constructor(
    shareOf: (row: number, weight: number) => number,
    insertAmong: (siblings: Ranked[], one: Ranked) => void,
  ) {
    this.#shareOf = shareOf;
    this.#insert = insertAmong;
  }

  /** Before its share changes. One that is not in the list stays out of it. */
  lift(siblings: Ranked[], one: Ranked): void {
    if (one.isLifted) return;
    const at = whereIs(siblings, one);
    if (at < 0) return;
    siblings.splice(at, 1);
    one.isLifted = true;
    this.#lifted.push({ siblings, one });
  }

  putBack(): void {
    if (this.#lifted.length === 0) return;
    for (const { siblings, one } of this.#lifted) {
      one.isLifted = false;
      one.share = this.#shareOf(one.held, one.weight);
      this.#insert(siblings, one);
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
