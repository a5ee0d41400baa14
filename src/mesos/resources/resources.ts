// The algebra of Mesos resources: immutable bags of scalars, ranges and sets, told apart by what
// they are reserved for, allocated to, and so on. Scalars are whole thousandths, as in Mesos 1.11.
import type { Resource, Value_Type } from '#wire/mesos/v1.ts';
import {
  isIndivisible,
  isReserved,
  keyOf,
  popReservation,
  toEndpointForm,
  toPostRefinement,
  toPreRefinement,
} from './kinds.ts';
import {
  addRanges,
  containsRanges,
  normalizeRanges,
  sizeOfRanges,
  subtractRanges,
  type Ranges,
} from './ranges.ts';

/** One kind of thing in a bag, with how much there is of it. */
export interface Entry {
  /** The resource without its amount; what makes two entries the same kind of thing. */
  readonly kind: Resource;
  readonly milli: number;
  readonly ranges: Ranges;
  readonly items: readonly string[];
  /** More than one only of indivisible things: equal volumes, copies of a shared one. */
  readonly count: number;
}

function entryKey(entry: Entry): string {
  const key = keyOf(entry.kind);
  return entry.kind.disk !== undefined && isIndivisible(entry.kind) ? `${key}#${entry.milli}` : key;
}

function isEmptyEntry(entry: Entry): boolean {
  if (entry.count <= 0) return true;
  return entry.milli <= 0 && entry.ranges.length === 0 && entry.items.length === 0;
}

function toWire({ kind, milli, ranges, items }: Entry): Resource {
  if (kind.type === 'SCALAR') return { ...kind, scalar: { value: milli / 1_000 } };
  if (kind.type === 'RANGES')
    return { ...kind, ranges: { range: ranges.map((one) => ({ ...one })) } };
  return { ...kind, set: { item: [...items] } };
}

const noRanges: Ranges = [];
const noItems: readonly string[] = [];

function fromWire(resource: Resource): Entry {
  const { scalar, ranges, set, ...kind } = toPostRefinement(resource);
  return {
    kind,
    milli: kind.type === 'SCALAR' ? Math.round((scalar?.value ?? 0) * 1_000) : 0,
    ranges: ranges === undefined ? noRanges : normalizeRanges(ranges.range ?? []),
    items: set === undefined ? noItems : [...new Set(set.item ?? [])].toSorted(),
    count: 1,
  };
}

/** How many times the amount of an entry counts: copies of a shared volume are one volume. */
function timesOf({ kind, count }: Entry): number {
  return kind.shared === undefined ? count : 1;
}

/** Kinds are in many bags, and are made plain again and again. */
const plainKinds = new WeakMap<Resource, Resource>();

function plainKind(kind: Resource): Resource {
  if (kind.allocation_info === undefined) return kind;
  let plain = plainKinds.get(kind);
  if (plain === undefined) {
    const { allocation_info: _old, ...rest } = kind;
    plain = rest;
    plainKinds.set(kind, plain);
  }
  return plain;
}

/** So many sums and differences of two bags are kept, those of late. */
const RECENT = 512;
const ID_MAX = 0x3fff_ffff;

interface Recent {
  readonly one: Resources;
  readonly other: Resources;
  readonly outcome: Resources;
}

/**
 * What became of pairs of bags, by their numbers; a later pair takes the place of an earlier one. Agents of one
 * make are taken from and given back to alike: then they share the bags, and all that is derived from them.
 */
class RecentPairs {
  readonly #pairs: (Recent | undefined)[] = Array.from({ length: RECENT });

  find(at: number, one: Resources, other: Resources): Resources | undefined {
    const found = this.#pairs[at % RECENT];
    return found?.one === one && found.other === other ? found.outcome : undefined;
  }

  keep(at: number, pair: Recent): Resources {
    this.#pairs[at % RECENT] = pair;
    return pair.outcome;
  }
}

const recentSums = new RecentPairs();
const recentDifferences = new RecentPairs();
let lastId = 0;

/** Derived bags kept with the one they come from; more are made anew each time. */
const ALLOCATED_KEPT_MAX = 32;

const keptBags = new WeakMap<readonly Resource[], Resources>();

export class Resources {
  static readonly none = new Resources(new Map());
  readonly #entries: ReadonlyMap<string, Entry>;
  /** Of few others at a time. */
  readonly #id = (lastId = (lastId + 1) & ID_MAX);
  /** Derived values, made once: bags are immutable and the same one is offered again and again. */
  #wire: Resource[] | undefined;
  #preRefinement: Resource[] | undefined;
  #scalars: ReadonlyMap<string, number> | undefined;
  #common: ReadonlyMap<string, number> | undefined;
  #isCommon: boolean | undefined;
  #plain: Resources | undefined;
  #allocated: Map<string, Resources> | undefined;
  #onlyRole: string | null | undefined;
  #noteBy: object | undefined;
  #note: unknown;

  private constructor(entries: ReadonlyMap<string, Entry>) {
    this.#entries = entries;
  }

  static of(resources: readonly Resource[] | undefined): Resources {
    if (resources === undefined || resources.length === 0) return Resources.none;
    const kept = keptBags.get(resources);
    if (kept !== undefined) return kept;
    const entries = new Map<string, Entry>();
    for (const resource of resources) addEntry(entries, fromWire(resource));
    return new Resources(entries);
  }

  /** The bag of a list that is kept and never changes: from now on `of` gives the same one. */
  static keep(resources: readonly Resource[], bag = Resources.of(resources)): Resources {
    keptBags.set(resources, bag);
    return bag;
  }

  /** `entries`: by their keys, as `entries()` of other bags gives them. */
  static ofEntries(entries: ReadonlyMap<string, Entry>): Resources {
    return entries.size === 0 ? Resources.none : new Resources(entries);
  }

  /** All together, as what they are and not to whom they are allocated. */
  static sum(parts: Iterable<Resources>): Resources {
    const entries = new Map<string, Entry>();
    for (const part of parts) {
      for (const entry of part.allocatedTo(undefined).#entries.values()) addEntry(entries, entry);
    }
    return new Resources(entries);
  }

  /** All together, each part still allocated to whom it is. */
  static join(parts: readonly Resources[]): Resources {
    const [only = Resources.none] = parts;
    if (parts.length <= 1) return only;
    const entries = new Map<string, Entry>();
    for (const part of parts) {
      for (const entry of part.#entries.values()) addEntry(entries, entry);
    }
    return new Resources(entries);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Number of different things in it. */
  get size(): number {
    return this.#entries.size;
  }

  entries(): ReadonlyMap<string, Entry> {
    return this.#entries;
  }

  kinds(): Resource[] {
    return [...this.#entries.values()].map(({ kind }) => kind);
  }

  add(other: Resources): Resources {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const at = this.#with(other);
    const known = recentSums.find(at, this, other);
    if (known !== undefined) return known;
    const entries = new Map(this.#entries);
    for (const entry of other.#entries.values()) addEntry(entries, entry);
    return recentSums.keep(at, { one: this, other, outcome: new Resources(entries) });
  }

  #with(other: Resources): number {
    return this.#id * 31 + other.#id;
  }

  /** What is left; amounts that are not there are not owed. */
  subtract(other: Resources): Resources {
    if (other.isEmpty || this.isEmpty) return this;
    if (other === this) return Resources.none;
    const at = this.#with(other);
    const known = recentDifferences.find(at, this, other);
    if (known !== undefined) return known;
    const entries = new Map(this.#entries);
    for (const [key, entry] of other.#entries) {
      const mine = entries.get(key);
      if (mine === undefined) continue;
      const left = less(mine, entry);
      if (isEmptyEntry(left)) entries.delete(key);
      else entries.set(key, left);
    }
    return recentDifferences.keep(at, { one: this, other, outcome: new Resources(entries) });
  }

  contains(other: Resources): boolean {
    if (other === this) return true;
    for (const [key, entry] of other.#entries) {
      const mine = this.#entries.get(key);
      if (mine === undefined || mine.count < entry.count) return false;
      if (mine.milli < entry.milli || !containsRanges(mine.ranges, entry.ranges)) return false;
      if (!entry.items.every((item) => mine.items.includes(item))) return false;
    }
    return true;
  }

  equals(other: Resources): boolean {
    return this === other || (this.contains(other) && other.contains(this));
  }

  filter(keep: (kind: Resource) => boolean): Resources {
    const entries = [...this.#entries].filter(([, { kind }]) => keep(kind));
    if (entries.length === this.size) return this;
    return entries.length === 0 ? Resources.none : new Resources(new Map(entries));
  }

  /** Whether every entry passes; then `filter` would change nothing. */
  every(test: (kind: Resource) => boolean): boolean {
    for (const { kind } of this.#entries.values()) if (!test(kind)) return false;
    return true;
  }

  some(test: (kind: Resource) => boolean): boolean {
    for (const { kind } of this.#entries.values()) if (test(kind)) return true;
    return false;
  }

  shared(): Resources {
    if (!this.some(({ shared }) => shared !== undefined)) return Resources.none;
    return this.filter(({ shared }) => shared !== undefined);
  }

  nonShared(): Resources {
    if (!this.some(({ shared }) => shared !== undefined)) return this;
    return this.filter(({ shared }) => shared === undefined);
  }

  /** Each different thing by itself, and how many there are of it. */
  copies(): { resource: Resources; copies: number; milli: ReadonlyMap<string, number> }[] {
    return [...this.#entries].map(([key, entry]) => {
      const resource = new Resources(new Map([[key, { ...entry, count: 1 }]]));
      return { resource, copies: entry.count, milli: resource.scalarQuantities() };
    });
  }

  /** The same resources, allocated to a role (or to none). */
  allocatedTo(role: string | undefined): Resources {
    if (role === undefined) {
      this.#plain ??= this.#isAllocated() ? this.#withRole(undefined) : this;
      return this.#plain;
    }
    const known = this.#allocated?.get(role);
    if (known !== undefined) return known;
    const made = this.#withRole(role);
    // Given back, it is the very bag that was given out: comparisons by identity then suffice.
    if (!this.#isAllocated()) made.#plain = this;
    made.#onlyRole = role;
    this.#allocated ??= new Map();
    if (this.#allocated.size < ALLOCATED_KEPT_MAX) this.#allocated.set(role, made);
    return made;
  }

  /** The role that all of it is allocated to, `*` where none is said; undefined: not one alone. */
  get onlyRole(): string | undefined {
    if (this.#onlyRole === undefined) {
      const [first, ...others] = this.kinds().map((kind) => kind.allocation_info?.role ?? '*');
      const isOne = first !== undefined && others.every((role) => role === first);
      this.#onlyRole = isOne ? first : null;
    }
    return this.#onlyRole ?? undefined;
  }

  /** What somebody makes of the bag again and again: kept with it, for the one who asked last. */
  noted<T>(by: object, make: (bag: Resources) => T): T {
    if (this.#noteBy !== by) {
      this.#note = make(this);
      this.#noteBy = by;
    }
    return this.#note as T;
  }

  /** For the role where no role is said yet: what clients without MULTI_ROLE leave out. */
  injectedWith(role: string): Resources {
    return this.#map((kind) =>
      kind.allocation_info === undefined ? { ...kind, allocation_info: { role } } : kind,
    );
  }

  /** As if nobody had reserved it. */
  toUnreserved(): Resources {
    if (!this.some(isReserved)) return this;
    return this.#map(({ reservations: _all, ...kind }) => kind);
  }

  popReservation(): Resources {
    return this.#map(popReservation);
  }

  #map(change: (kind: Resource) => Resource): Resources {
    const entries = new Map<string, Entry>();
    for (const entry of this.#entries.values()) {
      addEntry(entries, { ...entry, kind: change(entry.kind) });
    }
    return new Resources(entries);
  }

  #isAllocated(): boolean {
    return this.some(({ allocation_info }) => allocation_info !== undefined);
  }

  #withRole(role: string | undefined): Resources {
    if (role === undefined) return this.#map(plainKind);
    return this.#map((kind) => ({ ...plainKind(kind), allocation_info: { role } }));
  }

  /** Sum of each scalar in thousandths, whatever it is reserved for. */
  scalarQuantities(): ReadonlyMap<string, number> {
    if (this.#scalars !== undefined) return this.#scalars;
    this.#scalars = this.scalarsWhere(() => true);
    return this.#scalars;
  }

  /** Nothing in it is reserved, revocable or shared: every framework may use all of it. */
  get isCommon(): boolean {
    this.#isCommon ??= this.every(
      (kind) => !isReserved(kind) && kind.revocable === undefined && kind.shared === undefined,
    );
    return this.#isCommon;
  }

  /** Sum of each scalar in thousandths over what is neither reserved nor revocable. */
  commonScalars(): ReadonlyMap<string, number> {
    if (this.isCommon) return this.scalarQuantities();
    this.#common ??= this.scalarsWhere((kind) => !isReserved(kind) && kind.revocable === undefined);
    return this.#common;
  }

  /** Sum of each scalar in thousandths over what passes the test. */
  scalarsWhere(test: (kind: Resource) => boolean): Map<string, number> {
    const sums = new Map<string, number>();
    this.addScalarsTo(sums, test);
    return sums;
  }

  /** The same, added to sums that there are: of many together. */
  addScalarsTo(sums: Map<string, number>, test: (kind: Resource) => boolean): void {
    for (const entry of this.#entries.values()) {
      const { kind, milli } = entry;
      if (kind.type !== 'SCALAR' || !test(kind)) continue;
      sums.set(kind.name, (sums.get(kind.name) ?? 0) + milli * timesOf(entry));
    }
  }

  /**
   * Scalars cut down to so many thousandths of each name; what cannot be divided is left out when it
   * is too much, and so is what is cut to nothing. Other types stay as they are.
   */
  shrink(most: (name: string) => number): Resources {
    const left = new Map<string, number>();
    const entries = new Map<string, Entry>();
    for (const [key, entry] of this.#entries) {
      const { kind, milli, count } = entry;
      if (kind.type !== 'SCALAR') {
        entries.set(key, entry);
        continue;
      }
      const may = left.get(kind.name) ?? most(kind.name);
      const times = isIndivisible(kind)
        ? milli <= 0
          ? 0
          : Math.min(count, Math.floor(may / milli))
        : 1;
      const part = isIndivisible(kind) ? milli : Math.min(milli, may);
      if (times <= 0 || part <= 0) {
        left.set(kind.name, may);
        continue;
      }
      left.set(kind.name, may - part * times);
      entries.set(
        key,
        part === milli && times === count ? entry : { ...entry, milli: part, count: times },
      );
    }
    return new Resources(entries);
  }

  /**
   * The part of this bag that serves a wish for so much of each name: scalars by amount and ranges
   * by value, reserved ones first. Undefined when it cannot be served in full.
   */
  take(wanted: readonly Resource[]): Resources | undefined {
    const taken = new Map<string, Entry>();
    for (const wish of wanted) {
      let milli = Math.round((wish.scalar?.value ?? 0) * 1_000);
      let ranges: Ranges = normalizeRanges(wish.ranges?.range ?? []);
      const isRevocable = wish.revocable !== undefined;
      const mine = [...this.#entries.values()]
        .filter(({ kind }) => kind.name === wish.name && kind.type === wish.type)
        .filter(
          ({ kind }) => !isIndivisible(kind) && (kind.revocable !== undefined) === isRevocable,
        )
        .toSorted(
          (a, b) => (b.kind.reservations?.length ?? 0) - (a.kind.reservations?.length ?? 0),
        );
      for (const { kind, milli: has, ranges: hasRanges } of mine) {
        const left = subtractRanges(ranges, hasRanges);
        const part = { milli: Math.min(milli, has), ranges: subtractRanges(ranges, left) };
        addEntry(taken, { kind, items: noItems, count: 1, ...part });
        milli -= part.milli;
        ranges = left;
      }
      if (milli > 0 || ranges.length > 0) return undefined;
    }
    return new Resources(taken);
  }

  /** Total of each name: scalars in thousandths, ranges by the number of values, sets by items. */
  quantities(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const entry of this.#entries.values()) {
      const { kind, milli, ranges, items } = entry;
      const amount =
        kind.type === 'SCALAR'
          ? milli * timesOf(entry)
          : (sizeOfRanges(ranges) + items.length) * 1_000;
      sums.set(kind.name, (sums.get(kind.name) ?? 0) + amount);
    }
    return sums;
  }

  scalar(name: string): number {
    return (this.scalarQuantities().get(name) ?? 0) / 1_000;
  }

  ranges(name: string): Ranges {
    const all = [...this.#entries.values()].filter(({ kind }) => kind.name === name);
    return all.map(({ ranges }) => ranges).reduce<Ranges>(addRanges, noRanges);
  }

  /** Post-refinement form, as it is kept inside; of a shared volume one copy. */
  toWire(): Resource[] {
    this.#wire ??= [...this.#entries.values()].flatMap((entry) =>
      Array.from({ length: timesOf(entry) }, () => toWire(entry)),
    );
    return this.#wire;
  }

  /** For clients without RESERVATION_REFINEMENT: `role` (and `reservation`) instead of a stack. */
  toPreRefinement(): Resource[] {
    this.#preRefinement ??= this.toWire().map(toPreRefinement);
    return this.#preRefinement;
  }

  toEndpoint(): Resource[] {
    return this.toWire().map(toEndpointForm);
  }
}

function less(mine: Entry, entry: Entry): Entry {
  if (mine.kind.disk !== undefined && isIndivisible(mine.kind)) {
    return { ...mine, count: mine.count - entry.count };
  }
  return {
    kind: mine.kind,
    milli: mine.milli - entry.milli,
    ranges: entry.ranges.length === 0 ? mine.ranges : subtractRanges(mine.ranges, entry.ranges),
    items:
      entry.items.length === 0
        ? mine.items
        : mine.items.filter((item) => !entry.items.includes(item)),
    count: 1,
  };
}

function addEntry(entries: Map<string, Entry>, entry: Entry): void {
  if (isEmptyEntry(entry)) return;
  const key = entryKey(entry);
  const mine = entries.get(key);
  if (mine === undefined) {
    entries.set(key, entry);
    return;
  }
  if (entry.kind.disk !== undefined && isIndivisible(entry.kind)) {
    entries.set(key, { ...mine, count: mine.count + entry.count });
    return;
  }
  entries.set(key, {
    kind: mine.kind,
    milli: mine.milli + entry.milli,
    ranges: entry.ranges.length === 0 ? mine.ranges : addRanges(mine.ranges, entry.ranges),
    items:
      entry.items.length === 0
        ? mine.items
        : [...new Set([...mine.items, ...entry.items])].toSorted(),
    count: 1,
  });
}

export function scalarResource(name: string, value: number): Resource {
  return { name, type: 'SCALAR' satisfies Value_Type, scalar: { value } };
}
