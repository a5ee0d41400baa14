// Affinities and spreads of a pod that name keys of its own labels: the values are written into their selectors
// when the pod is made, so that whoever schedules reads selectors alone (registry/core/pod of kubernetes v1.37).
import { list, record, type Json } from '#kube/meta/field-rules.ts';
import type { KubeObject } from '#kube/meta/object.ts';

const affinities = ['podAffinity', 'podAntiAffinity'];

/** Keys that the pod has no label of say nothing. */
function merge(term: Json, labels: Readonly<Record<string, string>>): void {
  const selector = term['labelSelector'] as Json | undefined;
  const added = (['matchLabelKeys', 'mismatchLabelKeys'] as const).flatMap((name) => {
    const operator = name === 'matchLabelKeys' ? 'In' : 'NotIn';
    const keys = list(term[name]) as unknown as string[];
    return keys
      .filter((key) => Object.hasOwn(labels, key))
      .map((key) => ({ key, operator, values: [labels[key]] }));
  });
  // Without a selector nothing is chosen whatever its labels are.
  if (selector === undefined || added.length === 0) return;
  selector['matchExpressions'] = [...list(selector['matchExpressions']), ...added];
}

export function mergeLabelKeys({ metadata, ...pod }: KubeObject): void {
  const { labels = {} } = metadata;
  const spec = record(pod['spec']);
  for (const kind of affinities) {
    const affinity = record(record(spec['affinity'])[kind]);
    for (const one of list(affinity['preferredDuringSchedulingIgnoredDuringExecution']))
      merge(record(one['podAffinityTerm']), labels);
    for (const one of list(affinity['requiredDuringSchedulingIgnoredDuringExecution']))
      merge(one, labels);
  }
  for (const one of list(spec['topologySpreadConstraints']))
    merge({ ...one, mismatchLabelKeys: [] }, labels);
}
