// Ranges of sizes and costs, as cel-go's estimator counts them: unsigned 64-bit numbers that stop at the
// largest one instead of running over.

export interface Range {
  readonly min: bigint;
  readonly max: bigint;
}

export const MOST = 2n ** 64n - 1n;
const TWO_TO_64 = 2 ** 64;

export const NOTHING: Range = { min: 0n, max: 0n };
export const UNKNOWN: Range = { min: 0n, max: MOST };

export const fixed = (size: bigint | number): Range => ({ min: BigInt(size), max: BigInt(size) });

const cut = (value: bigint): bigint => (value > MOST ? MOST : value);

export function plus(...ranges: readonly Range[]): Range {
  let [min, max] = [0n, 0n];
  for (const one of ranges) {
    min = cut(min + one.min);
    max = cut(max + one.max);
  }
  return { min, max };
}

export function times(a: Range, b: Range): Range {
  return { min: cut(a.min * b.min), max: cut(a.max * b.max) };
}

function scaledOne(value: bigint, factor: number): bigint {
  const product = Math.ceil(Number(value) * factor);
  return product >= TWO_TO_64 ? MOST : BigInt(product);
}

/** Rounded up. */
export function scaled(range: Range, factor: number): Range {
  return { min: scaledOne(range.min, factor), max: scaledOne(range.max, factor) };
}

export function union(a: Range, b: Range): Range {
  return { min: a.min < b.min ? a.min : b.min, max: a.max > b.max ? a.max : b.max };
}
