// All metrics of a program at one moment, in the order of their names. With many frameworks there are ten thousands
// of them, and whoever watches a cluster asks every few seconds: names are made once, and nothing is sorted again.

/** A name, and as it stands in JSON. */
export interface MetricName {
  readonly name: string;
  /** With the colon behind it. */
  readonly key: string;
}

export interface Metric {
  readonly name: string;
  readonly value: number;
}

export function metricName(name: string): MetricName {
  return { name, key: `${JSON.stringify(name)}:` };
}

export class MetricList {
  readonly #names: MetricName[] = [];
  readonly #values: number[] = [];

  /** Of some that are in no order. */
  static of(metrics: Readonly<Record<string, number>>): MetricList {
    const list = new MetricList();
    const names = Object.keys(metrics).toSorted();
    for (const name of names) list.add(metricName(name), metrics[name] ?? 0);
    return list;
  }

  get length(): number {
    return this.#names.length;
  }

  /** Behind all that it has: names come in their order. */
  add(name: MetricName, value: number): void {
    this.#names.push(name);
    this.#values.push(value);
  }

  /** This one with all of another, whose names lie between two of this one. */
  with(inner: MetricList): MetricList {
    const first = inner.#names[0];
    if (first === undefined) return this;
    const at = this.#names.findIndex(({ name }) => name > first.name);
    const cut = at < 0 ? this.length : at;
    const whole = new MetricList();
    for (const [list, from, to] of [
      [this, 0, cut],
      [inner, 0, inner.length],
      [this, cut, this.length],
    ] as const) {
      for (let i = from; i < to; i++) {
        whole.add(list.#names[i] as MetricName, list.#values[i] as number);
      }
    }
    return whole;
  }

  toArray(): Metric[] {
    return this.#names.map(({ name }, i) => ({ name, value: this.#values[i] as number }));
  }

  /** One object, as /metrics/snapshot has it. */
  toJson(): string {
    const fields = this.#names.map(({ key }, i) => {
      const value = this.#values[i] as number;
      return key + (Number.isFinite(value) ? String(value) : 'null');
    });
    return `{${fields.join(',')}}`;
  }
}
