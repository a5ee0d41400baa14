// How long something takes: the latest value and the distribution of the last ones, as Mesos' timers
// show it (`/count`, `/min`, `/max`, percentiles).

/** Mesos keeps a thousand values of two weeks. */
const KEPT_MAX = 1_000;
const percentiles: readonly (readonly [string, number])[] = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p95', 0.95],
  ['p99', 0.99],
  ['p999', 0.999],
  ['p9999', 0.9999],
];

export class Timings {
  readonly #values: number[] = [];
  #next = 0;
  total = 0;

  add(ms: number): void {
    this.#values[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT_MAX;
    this.total += 1;
  }

  /** Nothing but a 0 before the first. */
  summary(name: string): Record<string, number> {
    const last = this.#values.at(this.#next - 1);
    if (last === undefined) return { [name]: 0 };
    const sorted = this.#values.toSorted((a, b) => a - b);
    const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
    return {
      [name]: last,
      [`${name}/count`]: sorted.length,
      [`${name}/min`]: at(0),
      [`${name}/max`]: at(1),
      ...Object.fromEntries(percentiles.map(([label, part]) => [`${name}/${label}`, at(part)])),
    };
  }
}
