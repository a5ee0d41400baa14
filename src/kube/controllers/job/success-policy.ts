// Whether enough indexes of an Indexed job have succeeded for its success policy (batch/v1 of v1.37).
import type { KubeObject } from '#kube/meta/object.ts';
import { parseIndexes } from './indexes.ts';

interface Rule {
  readonly succeededIndexes?: string | null;
  readonly succeededCount?: number | null;
}

/** The place of the first rule that is met; undefined without one. */
export function matchedSuccessRule(
  job: KubeObject,
  completed: ReadonlySet<number>,
): number | undefined {
  const rules = (job['spec'].successPolicy?.rules ?? []) as readonly Rule[];
  if (job['spec'].completionMode !== 'Indexed') return undefined;
  const place = rules.findIndex((rule) => isMet(rule, completed));
  return place < 0 ? undefined : place;
}

/** A count alone is of all indexes; indexes alone are all of them. */
function isMet(
  { succeededIndexes, succeededCount }: Rule,
  completed: ReadonlySet<number>,
): boolean {
  const count = succeededCount ?? undefined;
  if (succeededIndexes === undefined || succeededIndexes === null) {
    return count !== undefined && completed.size >= count;
  }
  const wanted = parseIndexes(succeededIndexes);
  return completed.intersection(wanted).size >= (count ?? wanted.size);
}
