// What a quota's status says: the limits of its spec, and how much of each the namespace uses.
import type { KubeObject } from '#kube/meta/object.ts';
import {
  exceeding,
  masked,
  matchingNames,
  plus,
  quotaMatches,
  usageOf,
  type Amounts,
  type Kind,
} from '#kube/meta/quota.ts';
import { resourceQuotas } from '#kube/client/resources.ts';
import { statusUpdate, type Decision } from '#kube/controllers/effects.ts';

export interface Counted extends Kind {
  readonly objects: readonly KubeObject[];
}

/** Usage goes down by nothing but looking again, for what is not followed by events. */
const AGAIN_MS = 5_000;
/** An API server stores what it has charged a quota for within this time. */
const CHARGED_MS = 1_000;

/** `isCharged`: the quota has changed since the last look. What it was charged for may not be told of yet. */
export function reconcileQuota(
  quota: KubeObject,
  kinds: readonly Counted[],
  isCharged: boolean,
): Decision {
  const hard = (quota['spec']?.hard ?? {}) as Amounts;
  let used: Record<string, string> = Object.fromEntries(
    Object.keys(hard).map((name) => [name, '0']),
  );
  for (const kind of kinds) {
    const names = matchingNames(kind, Object.keys(hard));
    if (names.length === 0) continue;
    for (const object of kind.objects) {
      if (!quotaMatches(quota, kind, object, hard)) continue;
      used = plus(used, masked(usageOf(kind, object), names));
    }
  }
  const before = (quota['status']?.used ?? {}) as Amounts;
  if (isCharged && exceeding(masked(before, Object.keys(used)), used).length > 0) {
    return { effects: [], againInMs: CHARGED_MS };
  }
  return { effects: statusUpdate(resourceQuotas, quota, { hard, used }), againInMs: AGAIN_MS };
}
