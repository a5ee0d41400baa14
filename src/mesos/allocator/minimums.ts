// How much is worth an offer: what a flag of the master, or a framework for one of its roles, says.
import type { Resources } from '#mesos/resources/resources.ts';

/** Any of these alone is worth an offer; none at all: everything is. */
export type Minimums = readonly ReadonlyMap<string, number>[];

export const minimumsDefault: Minimums = [new Map([['cpus', 10]]), new Map([['mem', 32_000]])];

export function isEnough(resources: Resources, minimums: Minimums): boolean {
  if (resources.isEmpty) return false;
  if (minimums.length === 0) return true;
  const has = resources.scalarQuantities();
  for (const minimum of minimums) {
    let isMet = true;
    for (const [name, milli] of minimum) isMet &&= (has.get(name) ?? 0) >= milli;
    if (isMet) return true;
  }
  return false;
}
