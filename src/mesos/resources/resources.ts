// The algebra of Mesos resources: immutable bags of scalars, ranges and sets, told apart by what
// they are reserved for, allocated to, and so on. Scalars are whole thousandths, as in Mesos 1.11.
import type { Resource, Value_Type } from '#wire/mesos/v1.ts';
import {
  addRanges,
  containsRanges,
  normalizeRanges,
  sizeOfRanges,
  subtractRanges,
  type Ranges,
} from './ranges.ts';

interface Entry {
  /** The resource without its amount; what makes two entries the same kind of thing. */
  readonly kind: Resource;
  readonly milli: number;
  readonly ranges: Ranges;
  readonly items: readonly string[];
}

/** Role of the innermost reservation, `*` when unreserved. */
export function reservationRole(resource: Resource): string {
  const last = resource.reservations?.at(-1);
  if (last !== undefined) return last.role ?? '*';
  return resource.role ?? '*';
}

/** Post-refinement form: a stack of reservations, never `role` or `reservation`. */
function toPostRefinement(resource: Resource): Resource {
  const { role, reservation, ...rest } = resource;
  if (rest.reservations !== undefined && rest.reservations.length > 0) return rest;
  delete rest.reservations;
  if (role === undefined || role === '*') return rest;
  const type = reservation === undefined ? 'STATIC' : 'DYNAMIC';
  return { ...rest, reservations: [{ type, role, ...reservation }] };
}

function kindOf(resource: Resource): Resource {
  const { scalar: _scalar, ranges: _ranges, set: _set, ...kind } = toPostRefinement(resource);
  return kind;
}

function keyOf(kind: Resource): string {
  // Most resources are plain; their key needs no serialisation.
  const { name, type, allocation_info: allocation, ...rest } = kind;
  const special = Object.keys(rest).length === 0 ? '' : JSON.stringify(rest);
  return `${name}|${type}|${allocation?.role ?? ''}|${special}`;
}

function isEmptyEntry(entry: Entry): boolean {
  return entry.milli <= 0 && entry.ranges.length === 0 && entry.items.length === 0;
}

function toWire({ kind, milli, ranges, items }: Entry): Resource {
  if (kind.type === 'SCALAR') return { ...kind, scalar: { value: milli / 1_000 } };
  if (kind.type === 'RANGES')
    return { ...kind, ranges: { range: ranges.map((one) => ({ ...one })) } };
  return { ...kind, set: { item: [...items] } };
}

function fromWire(resource: Resource): Entry {
  return {
    kind: kindOf(resource),
    milli: Math.round((resource.scalar?.value ?? 0) * 1_000),
    ranges: normalizeRanges(resource.ranges?.range ?? []),
    items: [...new Set(resource.set?.item ?? [])].toSorted(),
  };
}

export class Resources {
  static readonly none = new Resources(new Map());
  readonly #entries: ReadonlyMap<string, Entry>;
  /** Derived values, made once: bags are immutable and the same one is offered again and again. */
  #wire: Resource[] | undefined;
  #preRefinement: Resource[] | undefined;
  #scalars: ReadonlyMap<string, number> | undefined;
  #plain: Resources | undefined;
  #allocated: Map<string, Resources> | undefined;

  private constructor(entries: ReadonlyMap<string, Entry>) {
    this.#entries = entries;
  }

  static of(resources: readonly Resource[] | undefined): Resources {
    if (resources === undefined || resources.length === 0) return Resources.none;
    const entries = new Map<string, Entry>();
    for (const resource of resources) addEntry(entries, fromWire(resource));
    return new Resources(entries);
  }

  /** All together, as what they are and not to whom they are allocated. */
  static sum(parts: Iterable<Resources>): Resources {
    const entries = new Map<string, Entry>();
    for (const part of parts) {
      for (const entry of part.allocatedTo(undefined).#entries.values()) addEntry(entries, entry);
    }
    return new Resources(entries);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  add(other: Resources): Resources {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const entries = new Map(this.#entries);
    for (const entry of other.#entries.values()) addEntry(entries, entry);
    return new Resources(entries);
  }

  /** What is left; amounts that are not there are not owed. */
  subtract(other: Resources): Resources {
    if (other.isEmpty || this.isEmpty) return this;
    if (other === this) return Resources.none;
    const entries = new Map(this.#entries);
    for (const [key, entry] of other.#entries) {
      const mine = entries.get(key);
      if (mine === undefined) continue;
      const left: Entry = {
        kind: mine.kind,
        milli: mine.milli - entry.milli,
        ranges: subtractRanges(mine.ranges, entry.ranges),
        items: mine.items.filter((item) => !entry.items.includes(item)),
      };
      if (isEmptyEntry(left)) entries.delete(key);
      else entries.set(key, left);
    }
    return new Resources(entries);
  }

  contains(other: Resources): boolean {
    if (other === this) return true;
    for (const [key, entry] of other.#entries) {
      const mine = this.#entries.get(key);
      if (mine === undefined) return false;
      if (mine.milli < entry.milli || !containsRanges(mine.ranges, entry.ranges)) return false;
      if (!entry.items.every((item) => mine.items.includes(item))) return false;
    }
    return true;
  }

  equals(other: Resources): boolean {
    return this.contains(other) && other.contains(this);
  }

  filter(keep: (kind: Resource) => boolean): Resources {
    return new Resources(new Map([...this.#entries].filter(([, { kind }]) => keep(kind))));
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
    this.#allocated ??= new Map();
    this.#allocated.set(role, made);
    return made;
  }

  #isAllocated(): boolean {
    for (const { kind } of this.#entries.values()) {
      if (kind.allocation_info !== undefined) return true;
    }
    return false;
  }

  #withRole(role: string | undefined): Resources {
    const entries = new Map<string, Entry>();
    for (const entry of this.#entries.values()) {
      const { allocation_info: _old, ...kind } = entry.kind;
      const next = role === undefined ? kind : { ...kind, allocation_info: { role } };
      addEntry(entries, { ...entry, kind: next });
    }
    return new Resources(entries);
  }

  /** Whether every entry passes; then `filter` would change nothing. */
  every(test: (kind: Resource) => boolean): boolean {
    for (const { kind } of this.#entries.values()) if (!test(kind)) return false;
    return true;
  }

  /** Sum of each scalar in thousandths, whatever it is reserved for. */
  scalarQuantities(): ReadonlyMap<string, number> {
    if (this.#scalars !== undefined) return this.#scalars;
    const sums = new Map<string, number>();
    for (const { kind, milli } of this.#entries.values()) {
      if (kind.type === 'SCALAR') sums.set(kind.name, (sums.get(kind.name) ?? 0) + milli);
    }
    this.#scalars = sums;
    return sums;
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
      const mine = [...this.#entries.values()]
        .filter(({ kind }) => kind.name === wish.name && kind.type === wish.type)
        .toSorted(
          (a, b) => (b.kind.reservations?.length ?? 0) - (a.kind.reservations?.length ?? 0),
        );
      for (const { kind, milli: has, ranges: hasRanges } of mine) {
        const left = subtractRanges(ranges, hasRanges);
        const part = { milli: Math.min(milli, has), ranges: subtractRanges(ranges, left) };
        addEntry(taken, { kind, items: [], ...part });
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
    for (const { kind, milli, ranges, items } of this.#entries.values()) {
      const amount = kind.type === 'SCALAR' ? milli : (sizeOfRanges(ranges) + items.length) * 1_000;
      sums.set(kind.name, (sums.get(kind.name) ?? 0) + amount);
    }
    return sums;
  }

  scalar(name: string): number {
    let sum = 0;
    for (const { kind, milli } of this.#entries.values()) if (kind.name === name) sum += milli;
    return sum / 1_000;
  }

  ranges(name: string): Ranges {
    const all = [...this.#entries.values()].filter(({ kind }) => kind.name === name);
    return all.map(({ ranges }) => ranges).reduce<Ranges>(addRanges, []);
  }

  /** Post-refinement form, as it is kept inside. */
  toWire(): Resource[] {
    this.#wire ??= [...this.#entries.values()].map(toWire);
    return this.#wire;
  }

  /** For clients without RESERVATION_REFINEMENT: `role` (and `reservation`) instead of a stack. */
  toPreRefinement(): Resource[] {
    this.#preRefinement ??= this.toWire().map((resource) => {
      const { reservations, ...rest } = resource;
      const only = reservations?.at(-1);
      if (only === undefined) return { ...rest, role: '*' };
      const { type, role = '*', ...reservation } = only;
      return type === 'STATIC' ? { ...rest, role } : { ...rest, role, reservation };
    });
    return this.#preRefinement;
  }

  /** For endpoints: both forms, as long as there is at most one reservation. */
  toEndpoint(): Resource[] {
    return this.toWire().map((resource) => {
      const count = resource.reservations?.length ?? 0;
      if (count === 0) return { ...resource, role: '*' };
      if (count > 1) return resource;
      const { type, role = '*', ...reservation } = resource.reservations?.[0] ?? {};
      return { ...resource, role, ...(type === 'DYNAMIC' ? { reservation } : {}) };
    });
  }
}

function addEntry(entries: Map<string, Entry>, entry: Entry): void {
  const key = keyOf(entry.kind);
  const mine = entries.get(key);
  if (isEmptyEntry(entry)) return;
  if (mine === undefined) {
    entries.set(key, entry);
    return;
  }
  entries.set(key, {
    kind: mine.kind,
    milli: mine.milli + entry.milli,
    ranges: addRanges(mine.ranges, entry.ranges),
    items: [...new Set([...mine.items, ...entry.items])].toSorted(),
  });
}

export function scalarResource(name: string, value: number): Resource {
  return { name, type: 'SCALAR' satisfies Value_Type, scalar: { value } };
}
