// Counters, gauges and histograms as Prometheus knows them, for what the server tells of itself. Labels come as
// values in the order of their names, which is that of the alphabet.
import { NativeBuckets } from './native-buckets.ts';

/** Of a value between quotes. */
export function escaped(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

const SEPARATOR = '\u0000';

export const keyOfLabels = (values: readonly string[]): string => values.join(SEPARATOR);

function labelled(names: readonly string[], key: string): string {
  const values = key.split(SEPARATOR);
  return names.map((name, i) => `${name}="${escaped(values[i] ?? '')}"`).join(',');
}

/** Begins a line that text has no place for (page.ts): a native histogram, as JSON. */
export const NATIVE = '\u0000';

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

export interface Metric {
  lines(): string[];
  /** As if nothing had been counted. */
  reset(): void;
}

export class Counter implements Metric {
  readonly #name: string;
  readonly #labels: readonly string[];
  readonly #values = new Map<string, number>();

  constructor(name: string, labels: readonly string[] = []) {
    this.#name = name;
    this.#labels = labels;
    if (labels.length === 0) this.#values.set('', 0);
  }

  add(values: readonly string[] = [], by = 1): void {
    this.addAt(values.length === 1 ? (values[0] ?? '') : values.join(SEPARATOR), by);
  }

  /** `key` of keyOfLabels(), for labels that are counted often. */
  addAt(key: string, by = 1): void {
    this.#values.set(key, (this.#values.get(key) ?? 0) + by);
  }

  reset(): void {
    this.#values.clear();
    if (this.#labels.length === 0) this.#values.set('', 0);
  }

  lines(): string[] {
    if (this.#values.size === 0) return [];
    const each = [...this.#values].map(
      ([key, value]) => `${this.#name}${braced(labelled(this.#labels, key))} ${value}`,
    );
    return [`# TYPE ${this.#name} counter`, ...each];
  }
}

/** How often amounts were up to each of some bounds. */
export class Distribution {
  readonly #bounds: readonly number[];
  /** Of each bucket alone; one more for what is above all. */
  readonly #buckets: Float64Array;
  readonly #native = new NativeBuckets();
  #sum = 0;

  /** `bounds` go up. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#buckets = new Float64Array(bounds.length + 1);
  }

  observe(amount: number): void {
    let at = 0;
    while (at < this.#bounds.length && amount > (this.#bounds[at] ?? 0)) at += 1;
    this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
    this.#sum += amount;
    this.#native.observe(amount);
  }

  /** Of a histogram with these labels: `NAME="VALUE",…`. */
  lines(name: string, labels: string): string[] {
    const before = labels === '' ? '' : `${labels},`;
    const lines: string[] = [];
    let below = 0;
    for (const [i, count] of this.#buckets.entries()) {
      below += count;
      lines.push(`${name}_bucket{${before}le="${this.#bounds[i] ?? '+Inf'}"} ${below}`);
    }
    const own = braced(labels);
    lines.push(`${name}_sum${own} ${this.#sum}`, `${name}_count${own} ${below}`);
    lines.push(`${NATIVE}${name}${own} ${JSON.stringify(this.#native.told())}`);
    return lines;
  }
}

export class Histogram implements Metric {
  readonly #name: string;
  readonly #labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #all = new Map<string, Distribution>();

  constructor(name: string, labels: readonly string[], bounds: readonly number[]) {
    this.#name = name;
    this.#labels = labels;
    this.#bounds = bounds;
  }

  observe(values: readonly string[], amount: number): void {
    this.observeAt(keyOfLabels(values), amount);
  }

  /** `key` of keyOfLabels(), for labels that are observed often. */
  observeAt(key: string, amount: number): void {
    let found = this.#all.get(key);
    if (found === undefined) this.#all.set(key, (found = new Distribution(this.#bounds)));
    found.observe(amount);
  }

  reset(): void {
    this.#all.clear();
  }

  lines(): string[] {
    if (this.#all.size === 0) return [];
    const each = [...this.#all].flatMap(([key, distribution]) =>
      distribution.lines(this.#name, labelled(this.#labels, key)),
    );
    return [`# TYPE ${this.#name} histogram`, ...each];
  }
}

/** Values that are looked up when somebody asks. */
export class Gauge {
  readonly #name: string;
  readonly #labels: readonly string[];
  readonly #read: () => Iterable<readonly [values: readonly string[], value: number]>;

  constructor(
    name: string,
    labels: readonly string[],
    read: () => Iterable<readonly [values: readonly string[], value: number]>,
  ) {
    this.#name = name;
    this.#labels = labels;
    this.#read = read;
  }

  lines(): string[] {
    const each = [...this.#read()].map(
      ([values, value]) =>
        `${this.#name}${braced(labelled(this.#labels, values.join(SEPARATOR)))} ${value}`,
    );
    return each.length === 0 ? [] : [`# TYPE ${this.#name} gauge`, ...each];
  }
}

/** Upper bounds of durations of requests, in seconds, as kube-apiserver has them. */
export const REQUEST_SECONDS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45,
  60,
] as const;
