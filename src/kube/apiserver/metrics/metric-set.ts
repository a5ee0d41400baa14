// Counters, gauges and histograms as Prometheus knows them, for what the server tells of itself. Labels come as
// values in the order of their names, which is that of the alphabet.

function escaped(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

const SEPARATOR = '\u0000';

function shown(names: readonly string[], key: string, more = ''): string {
  const values = key.split(SEPARATOR);
  const pairs = names.map((name, i) => `${name}="${escaped(values[i] ?? '')}"`);
  const all = more === '' ? pairs : [...pairs, more];
  return all.length === 0 ? '' : `{${all.join(',')}}`;
}

export interface Metric {
  lines(): string[];
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
    const key = values.length === 1 ? (values[0] ?? '') : values.join(SEPARATOR);
    this.#values.set(key, (this.#values.get(key) ?? 0) + by);
  }

  lines(): string[] {
    if (this.#values.size === 0) return [];
    const each = [...this.#values].map(
      ([key, value]) => `${this.#name}${shown(this.#labels, key)} ${value}`,
    );
    return [`# TYPE ${this.#name} counter`, ...each];
  }
}

interface Counts {
  /** Of each bucket alone; one more for what is above all. */
  readonly buckets: Float64Array;
  sum: number;
}

export class Histogram implements Metric {
  readonly #name: string;
  readonly #labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #counts = new Map<string, Counts>();

  /** `bounds` go up. */
  constructor(name: string, labels: readonly string[], bounds: readonly number[]) {
    this.#name = name;
    this.#labels = labels;
    this.#bounds = bounds;
  }

  observe(values: readonly string[], amount: number): void {
    const key = values.join(SEPARATOR);
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      counts = { buckets: new Float64Array(this.#bounds.length + 1), sum: 0 };
      this.#counts.set(key, counts);
    }
    let at = 0;
    while (at < this.#bounds.length && amount > (this.#bounds[at] ?? 0)) at += 1;
    counts.buckets[at] = (counts.buckets[at] ?? 0) + 1;
    counts.sum += amount;
  }

  lines(): string[] {
    if (this.#counts.size === 0) return [];
    const lines = [`# TYPE ${this.#name} histogram`];
    for (const [key, { buckets, sum }] of this.#counts) {
      let below = 0;
      buckets.forEach((count, i) => {
        below += count;
        const bound = `le="${this.#bounds[i] ?? '+Inf'}"`;
        lines.push(`${this.#name}_bucket${shown(this.#labels, key, bound)} ${below}`);
      });
      const labels = shown(this.#labels, key);
      lines.push(`${this.#name}_sum${labels} ${sum}`, `${this.#name}_count${labels} ${below}`);
    }
    return lines;
  }
}

/** Values that are looked up when somebody asks. */
export class Gauge implements Metric {
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
      ([values, value]) => `${this.#name}${shown(this.#labels, values.join(SEPARATOR))} ${value}`,
    );
    return each.length === 0 ? [] : [`# TYPE ${this.#name} gauge`, ...each];
  }
}

/** Upper bounds of durations of requests, in seconds, as kube-apiserver has them. */
export const REQUEST_SECONDS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45,
  60,
] as const;
