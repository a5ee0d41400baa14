// What a benchmark is: named measures of one side, each with its better direction and its goal as a
// ratio to the peer. For the runner, the report and every file that measures.

/** `strata` is this program; `peer` is the real Mesos master or the real Kubernetes control plane. */
export type Side = 'strata' | 'peer';

/** `small` proves in seconds that the benchmark works; `full` is what the goals speak of. */
export type Size = 'small' | 'full';

export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** How many times better than the peer this side is to be. */
  readonly goal?: number;
  /** What it is to be at most, whatever the peer does. */
  readonly atMost?: number;
}

export interface Benchmark {
  readonly name: string;
  /** One line for people: what is loaded, and how much of it at full size. */
  readonly about: string;
  readonly peer: 'Mesos' | 'Kubernetes' | 'runc';
  /** Why this side cannot be measured on this machine; undefined when it can. */
  missing(side: Side): string | undefined;
  /** Starts the side afresh, loads it, stops it. Rejects when the load did not succeed. */
  measure(side: Side, size: Size): Promise<Measure[]>;
}

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  readonly goal: number | undefined;
  readonly atMost: number | undefined;
  /** Medians over the rounds. */
  readonly strata: number | undefined;
  readonly peer: number | undefined;
  /** Above 1 this program is the better one; undefined when one side was not measured. */
  readonly ratio: number | undefined;
}

export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.floor(sorted.length / 2)];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

/** Puts the rounds of both sides beside each other, in the order of the first side's measures. */
export function compare(rounds: Readonly<Record<Side, readonly Measure[][]>>): Comparison[] {
  const kinds = new Map<string, Measure>();
  for (const measure of [...rounds.strata, ...rounds.peer].flat()) {
    if (!kinds.has(measure.name)) kinds.set(measure.name, measure);
  }
  return [...kinds.values()].map(({ name, unit, better, goal, atMost }) => {
    const of = (side: Side): number | undefined =>
      median(
        rounds[side]
          .flat()
          .filter((one) => one.name === name)
          .map((one) => one.value),
      );
    const [strata, peer] = [of('strata'), of('peer')];
    let ratio: number | undefined;
    if (strata !== undefined && peer !== undefined) {
      const [more, less] = better === 'higher' ? [strata, peer] : [peer, strata];
      // Nothing is so many times nothing: what is below the clock's step has no ratio.
      ratio = less === 0 ? undefined : more / less;
    }
    return { name, unit, better, goal, atMost, strata, peer, ratio };
  });
}
