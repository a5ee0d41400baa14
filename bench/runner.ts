// Runs benchmarks: both sides in every round, their order alternating, a side that is absent named.
import { compare, type Benchmark, type Measure, type Side, type Size } from './benchmark.ts';
import type { Outcome } from './report.ts';

export interface RunOptions {
  readonly size: Size;
  readonly rounds: number;
  readonly sides?: readonly Side[];
  readonly tell?: (line: string) => void;
}

/** A side that is there and fails is noted with its error, and `failed` is true. */
export async function runBenchmark(
  benchmark: Benchmark,
  { size, rounds, sides = ['strata', 'peer'], tell = () => {} }: RunOptions,
): Promise<Outcome & { readonly failed: boolean }> {
  const measured: Record<Side, Measure[][]> = { strata: [], peer: [] };
  const notes: string[] = [];
  let failed = false;
  const present = sides.filter((side) => {
    const why = benchmark.missing(side);
    if (why !== undefined) notes.push(`Not measured: ${side}: ${why}`);
    return why === undefined;
  });
  for (let round = 0; round < rounds; round += 1) {
    for (const side of round % 2 === 0 ? present : present.toReversed()) {
      try {
        measured[side].push(await benchmark.measure(side, size));
        tell(`${benchmark.name}: ${side} ${round + 1}/${rounds} done`);
      } catch (error) {
        failed = true;
        const text = error instanceof Error ? error.message : String(error);
        notes.push(`Failed: ${side}, round ${round + 1}: ${text}`);
        tell(`${benchmark.name}: ${side} failed: ${text}`);
      }
    }
  }
  return { benchmark, rounds: measured, comparisons: compare(measured), notes, failed };
}
