// What several processes use together, for a container that has one for each of its tasks.
import type { ProcessUsage } from '#env/process.ts';

export function sumOfUsages(
  one: ProcessUsage | undefined,
  other: ProcessUsage | undefined,
): ProcessUsage | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const { detail: a } = one;
  const { detail: b } = other;
  return {
    cpuSeconds: one.cpuSeconds + other.cpuSeconds,
    memoryBytes: one.memoryBytes + other.memoryBytes,
    processCount: one.processCount + other.processCount,
    detail:
      a === undefined || b === undefined
        ? undefined
        : {
            cpuUserSeconds: a.cpuUserSeconds + b.cpuUserSeconds,
            cpuSystemSeconds: a.cpuSystemSeconds + b.cpuSystemSeconds,
            quotaPeriods: a.quotaPeriods + b.quotaPeriods,
            throttledPeriods: a.throttledPeriods + b.throttledPeriods,
            throttledSeconds: a.throttledSeconds + b.throttledSeconds,
            anonymousBytes: a.anonymousBytes + b.anonymousBytes,
            cacheBytes: a.cacheBytes + b.cacheBytes,
            mappedBytes: a.mappedBytes + b.mappedBytes,
            swapBytes: a.swapBytes + b.swapBytes,
          },
  };
}
