// The sum of many bags out of which each can be taken again, at the cost of that one bag: what a
// framework holds, for endpoints that show it while tasks come and go.
import { isIndivisible } from './kinds.ts';
import { normalizeRanges } from './ranges.ts';
import { Resources, type Entry } from './resources.ts';

interface Sum {
  readonly kind: Entry['kind'];
  /** Bags that have something of it. */
  parts: number;
  milli: number;
  count: number;
  /** Value -> how many more ranges begin at it than have ended before it. */
  readonly edges: Map<number, number>;
  readonly items: Map<string, number>;
}

function addTo<K>(counts: Map<K, number>, key: K, by: number): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}

/** The values that at least one range holds. */
function covered(edges: ReadonlyMap<number, number>): { begin: number; end: number }[] {
  const ranges: { begin: number; end: number }[] = [];
  let depth = 0;
  let begin = 0;
  for (const [at, change] of [...edges].toSorted(([a], [b]) => a - b)) {
    if (depth === 0) begin = at;
    depth += change;
    if (depth === 0) ranges.push({ begin, end: at - 1 });
  }
  return ranges;
}

/** Bags of which it is only counted so far how often they came and left. */
const UNCOUNTED_MAX = 32;

export class Tally {
  readonly #sums = new Map<string, Sum>();
  /** The same few bags come and go again and again before anybody asks for the sum. */
  readonly #uncounted = new Map<Resources, number>();
  #total: Resources | undefined;

  add(bag: Resources): void {
    this.#change(bag, 1);
  }

  /** A bag that was added before. */
  remove(bag: Resources): void {
    this.#change(bag, -1);
  }

  /** As `Resources.join` of the bags, but for the order of the kinds. */
  total(): Resources {
    this.#countAll();
    this.#total ??= Resources.ofEntries(
      new Map([...this.#sums].map(([key, sum]) => [key, entryOf(sum)])),
    );
    return this.#total;
  }

  #change(bag: Resources, by: 1 | -1): void {
    if (bag.isEmpty) return;
    addTo(this.#uncounted, bag, by);
    if (this.#uncounted.size > UNCOUNTED_MAX) this.#countAll();
  }

  #countAll(): void {
    if (this.#uncounted.size === 0) return;
    this.#total = undefined;
    for (const [bag, by] of this.#uncounted) this.#count(bag, by);
    this.#uncounted.clear();
  }

  #count(bag: Resources, by: number): void {
    for (const [key, entry] of bag.entries()) {
      let sum = this.#sums.get(key);
      if (sum === undefined) {
        sum = {
          kind: entry.kind,
          parts: 0,
          milli: 0,
          count: 0,
          edges: new Map(),
          items: new Map(),
        };
        this.#sums.set(key, sum);
      }
      put(sum, entry, by);
      if (sum.parts === 0) this.#sums.delete(key);
    }
  }
}

function put(sum: Sum, { kind, milli, count, ranges, items }: Entry, by: number): void {
  sum.parts += by;
  // Of indivisible things the amount is part of the key, and they are counted.
  if (kind.disk !== undefined && isIndivisible(kind)) {
    sum.milli = milli;
    sum.count += by * count;
  } else {
    sum.milli += by * milli;
    sum.count = 1;
  }
  for (const { begin, end } of ranges) {
    addTo(sum.edges, begin, by);
    addTo(sum.edges, end + 1, -by);
  }
  for (const item of items) addTo(sum.items, item, by);
}

function entryOf({ kind, milli, count, edges, items }: Sum): Entry {
  return {
    kind,
    milli,
    count,
    ranges: normalizeRanges(covered(edges)),
    items: [...items.keys()].toSorted(),
  };
}
