// What probes took, by window and over the whole: quantiles of milliseconds, and what failed.
import { quantile } from '#test/support/quantile.ts';

export interface Quantiles {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
}

export function quantilesOf(values: readonly number[]): Quantiles {
  const at = (part: number): number => quantile(values, part) ?? 0;
  return { count: values.length, median: at(0.5), p99: at(0.99), longest: at(1) };
}

export class Latencies {
  readonly #all = new Map<string, number[]>();
  #window = new Map<string, number[]>();
  readonly failures: string[] = [];

  add(name: string, ms: number): void {
    for (const one of [this.#all, this.#window]) {
      const list = one.get(name);
      if (list === undefined) one.set(name, [ms]);
      else list.push(ms);
    }
  }

  /** Times one piece of work; what fails is told by name and goes on. */
  async time(name: string, work: () => Promise<unknown>): Promise<void> {
    const from = performance.now();
    try {
      await work();
      this.add(name, performance.now() - from);
    } catch (error) {
      this.failures.push(`${name}: ${String(error)}`);
    }
  }

  /** Since the last call. */
  window(): Map<string, Quantiles> {
    const window = this.#window;
    this.#window = new Map();
    return new Map([...window].map(([name, values]) => [name, quantilesOf(values)]));
  }

  whole(): Map<string, Quantiles> {
    return new Map([...this.#all].map(([name, values]) => [name, quantilesOf(values)]));
  }
}
