// Divides the server's seats among its priority levels: what each has by its shares, and how seats that
// one level does not need are lent to others (conc_alloc.go of k8s.io/apiserver v0.37).

export interface Share {
  readonly lower: number;
  readonly upper: number;
  readonly target: number;
}

const TARGET_MIN = 0.001;
const EPSILON = 1e-7;

export interface Division {
  readonly seats: readonly number[];
  /** Of its target, what every level gets that no bound stops. */
  readonly fairFraction: number;
}

/**
 * The one division that sums to `total`, keeps every bound, and gives each level the same fraction of its
 * target unless a bound stops it. undefined when the bounds leave none.
 */
export function divide(total: number, shares: readonly Share[]): Division | undefined {
  const lowSum = shares.reduce((sum, { lower }) => sum + lower, 0);
  const highSum = shares.reduce((sum, { upper }) => sum + upper, 0);
  if (lowSum - total > EPSILON || total - highSum > EPSILON) return undefined;
  const targets = shares.map(({ target }) => Math.max(target, TARGET_MIN));
  const at = (fraction: number): number[] =>
    shares.map(({ lower, upper }, i) =>
      Math.max(lower, Math.min(upper, fraction * (targets[i] as number))),
    );
  const sumAt = (fraction: number): number => at(fraction).reduce((sum, one) => sum + one, 0);
  // Between two neighbouring bounds the sum grows in a straight line.
  const bounds = shares
    .flatMap(({ lower, upper }, i) => [
      lower / (targets[i] as number),
      upper / (targets[i] as number),
    ])
    .sort((a, b) => a - b);
  let [from = 0] = bounds;
  if (sumAt(from) >= total - EPSILON) return { seats: at(from), fairFraction: from };
  for (const to of bounds) {
    const [low, high] = [sumAt(from), sumAt(to)];
    if (high >= total - EPSILON && high > low) {
      const fairFraction = from + ((to - from) * (total - low)) / (high - low);
      return { seats: at(fairFraction), fairFraction };
    }
    from = to;
  }
  return { seats: at(from), fairFraction: from };
}

export interface LevelShares {
  readonly shares: number;
  readonly lendablePercent: number;
  /** undefined: as much as there is. */
  readonly borrowingLimitPercent: number | undefined;
}

export interface Limits {
  readonly nominal: number;
  readonly min: number;
  readonly max: number;
}

export function limitsOf(level: LevelShares, total: number, shareSum: number): Limits {
  const nominal = shareSum === 0 ? 0 : Math.ceil((total * level.shares) / shareSum);
  const lendable = Math.round((nominal * level.lendablePercent) / 100);
  const { borrowingLimitPercent: percent } = level;
  const borrowing = percent === undefined ? total : Math.round((nominal * percent) / 100);
  return { nominal, min: nominal - lendable, max: nominal + borrowing };
}
