// What of many measurements is told beside their median.

/** `part` 0.99: the value that one in a hundred is above; undefined of nothing. */
export function quantile(values: readonly number[], part: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}
