// Decides how far the emptying of a namespace has come, in the words of its conditions. Pure.
import { conditionsOf, timestamp, withCondition, type Condition } from '#kube/meta/conditions.ts';
import type { KubeObject } from '#kube/meta/object.ts';

export interface Remaining {
  /** `pods.` or `widgets.example.com` -> how many objects there still are. */
  readonly counts: ReadonlyMap<string, number>;
  /** Finalizer -> on how many objects it is. */
  readonly finalizers: ReadonlyMap<string, number>;
  readonly discoveryFailure?: string | undefined;
  readonly deletionFailure?: string | undefined;
}

function verdict(
  type: string,
  of: { isBad: boolean; bad: readonly [string, string]; good: readonly [string, string] },
): Condition {
  const [reason, message] = of.isBad ? of.bad : of.good;
  return { type, status: of.isBad ? 'True' : 'False', reason, message };
}

function listed(counts: ReadonlyMap<string, number>, word: string): string {
  return [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${word} ${count} resource instances`)
    .join(', ');
}

export function emptyingConditions(
  namespace: KubeObject,
  remaining: Remaining,
  now: number,
): readonly Condition[] {
  const { counts, finalizers, discoveryFailure, deletionFailure } = remaining;
  const wanted = [
    verdict('NamespaceDeletionDiscoveryFailure', {
      isBad: discoveryFailure !== undefined,
      bad: ['DiscoveryFailed', `Discovery failed for some groups: ${discoveryFailure}`],
      good: ['ResourcesDiscovered', 'All resources successfully discovered'],
    }),
    verdict('NamespaceDeletionGroupVersionParsingFailure', {
      isBad: false,
      bad: ['GroupVersionParsingFailed', ''],
      good: ['ParsedGroupVersions', 'All legacy kube types successfully parsed'],
    }),
    verdict('NamespaceDeletionContentFailure', {
      isBad: deletionFailure !== undefined,
      bad: ['ContentDeletionFailed', `Failed to delete all resource types: ${deletionFailure}`],
      good: ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
    }),
    verdict('NamespaceContentRemaining', {
      isBad: counts.size > 0,
      bad: ['SomeResourcesRemain', `Some resources are remaining: ${listed(counts, 'has')}`],
      good: ['ContentRemoved', 'All content successfully removed'],
    }),
    verdict('NamespaceFinalizersRemaining', {
      isBad: finalizers.size > 0,
      bad: [
        'SomeFinalizersRemain',
        `Some content in the namespace has finalizers remaining: ${listed(finalizers, 'in')}`,
      ],
      good: ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    }),
  ];
  let conditions = conditionsOf(namespace);
  const time = timestamp(now);
  for (const one of wanted) conditions = withCondition(conditions, one, time);
  return conditions;
}
