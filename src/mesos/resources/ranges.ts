// Sets of whole numbers as sorted, disjoint, inclusive ranges.

export interface Range {
  readonly begin: number;
  readonly end: number;
}

export type Ranges = readonly Range[];

/** Sorted, overlapping and touching ranges joined, empty ones left out. */
export function normalizeRanges(ranges: Ranges): Ranges {
  const sorted = ranges
    .filter(({ begin, end }) => begin <= end)
    .toSorted((a, b) => a.begin - b.begin);
  const joined: Range[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && range.begin <= last.end + 1) {
      joined[joined.length - 1] = { begin: last.begin, end: Math.max(last.end, range.end) };
    } else joined.push({ begin: range.begin, end: range.end });
  }
  return joined;
}

export function addRanges(a: Ranges, b: Ranges): Ranges {
  return normalizeRanges([...a, ...b]);
}

export function subtractRanges(a: Ranges, b: Ranges): Ranges {
  let rest = normalizeRanges(a);
  for (const cut of b) {
    rest = rest.flatMap((range) => {
      if (cut.end < range.begin || cut.begin > range.end) return [range];
      return [
        { begin: range.begin, end: cut.begin - 1 },
        { begin: cut.end + 1, end: range.end },
      ].filter(({ begin, end }) => begin <= end);
    });
  }
  return rest;
}

export function containsRanges(a: Ranges, b: Ranges): boolean {
  return subtractRanges(b, a).length === 0;
}

export function intersectsRanges(a: Ranges, b: Ranges): boolean {
  return a.some((one) => b.some((other) => one.begin <= other.end && other.begin <= one.end));
}

export function sizeOfRanges(ranges: Ranges): number {
  return ranges.reduce((sum, { begin, end }) => sum + end - begin + 1, 0);
}
