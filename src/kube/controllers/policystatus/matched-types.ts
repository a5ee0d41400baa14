// Which types a policy's rules match, as far as that can be told before a request comes: upstream's bounds and order
// (k8s.io/apiserver, policy/validating/typechecking.go; KindsFor of client-go's mapper).
import type { DiscoveredResource } from '#kube/client/discovery.ts';
import type { GroupVersionKind, KubeObject } from '#kube/meta/object.ts';

/** Of one rule; rules behind the one that has so many are not looked at. */
const TYPES_MAX = 10;

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
}

interface Wanted {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

const keyOf = ({ group, version, kind }: GroupVersionKind): string =>
  `${group}\n${version}\n${kind}`;

/** Kinds of a resource: with the group that has no name, those of any group. */
function kindsFor(
  { group, version, resource }: Wanted,
  known: readonly DiscoveredResource[],
): GroupVersionKind[] {
  const name = resource.toLowerCase();
  const found = new Map<string, GroupVersionKind>();
  for (const one of known) {
    if (one.version !== version || (group !== '' && one.group !== group)) continue;
    if (one.resource !== name && (one.singular || one.kind.toLowerCase()) !== name) continue;
    const kind = { group: one.group, version, kind: one.kind };
    found.set(keyOf(kind), kind);
  }
  return [...found.values()];
}

const withoutWildcards = (names: readonly string[] = []): readonly string[] =>
  names.some((one) => one.includes('*')) ? [] : names.toSorted();

function wantedOf({ apiGroups, apiVersions, resources = [] }: Rule): Wanted[] {
  const plain = resources.filter((one) => !/[*/]/.test(one)).toSorted();
  return withoutWildcards(apiGroups).flatMap((group) =>
    withoutWildcards(apiVersions).flatMap((version) =>
      plain.map((resource) => ({ group, version, resource })),
    ),
  );
}

/** In the order of groups, versions and kinds. */
export function matchedTypes(
  policy: KubeObject,
  known: readonly DiscoveredResource[],
): GroupVersionKind[] {
  const rules = (policy['spec']?.matchConstraints?.resourceRules ?? []) as readonly Rule[];
  const found = new Map<string, GroupVersionKind>();
  for (const rule of rules) {
    const kinds = wantedOf(rule)
      .flatMap((wanted) => kindsFor(wanted, known))
      .slice(0, TYPES_MAX);
    for (const kind of kinds) found.set(keyOf(kind), kind);
    if (kinds.length === TYPES_MAX) break;
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, kind]) => kind);
}
