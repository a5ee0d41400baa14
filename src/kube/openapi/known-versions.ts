// The groups and versions whose types upstream's programs know, served or not: OpenAPI says of the few types that every
// group has in which of them they are.

type Json = Record<string, unknown>;

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

const known: Readonly<Record<string, string>> = {
  '': 'v1',
  'admission.k8s.io': 'v1 v1beta1',
  'admissionregistration.k8s.io': 'v1 v1alpha1 v1beta1',
  'apiextensions.k8s.io': 'v1 v1beta1',
  'apiregistration.k8s.io': 'v1 v1beta1',
  apps: 'v1 v1beta1 v1beta2',
  'authentication.k8s.io': 'v1 v1alpha1 v1beta1',
  'authorization.k8s.io': 'v1 v1beta1',
  autoscaling: 'v1 v2',
  batch: 'v1 v1beta1',
  'certificates.k8s.io': 'v1 v1alpha1 v1beta1',
  'coordination.k8s.io': 'v1 v1alpha2 v1beta1',
  'discovery.k8s.io': 'v1 v1beta1',
  'events.k8s.io': 'v1 v1beta1',
  extensions: 'v1beta1',
  'flowcontrol.apiserver.k8s.io': 'v1 v1beta1 v1beta2 v1beta3',
  'imagepolicy.k8s.io': 'v1alpha1',
  'internal.apiserver.k8s.io': 'v1alpha1',
  'lifecycle.k8s.io': 'v1alpha1',
  'networking.k8s.io': 'v1 v1beta1',
  'node.k8s.io': 'v1 v1alpha1 v1beta1',
  policy: 'v1 v1beta1',
  'rbac.authorization.k8s.io': 'v1 v1alpha1 v1beta1',
  'resource.k8s.io': 'v1 v1alpha3 v1beta1 v1beta2',
  'scheduling.k8s.io': 'v1 v1alpha3 v1beta1',
  'storage.k8s.io': 'v1 v1alpha1 v1beta1',
  'storagemigration.k8s.io': 'v1 v1beta1',
};

/** Known to the server alone, and not to what describes custom resources. */
const serverOnly = new Set([
  'admission.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'imagepolicy.k8s.io',
]);

const all: readonly GroupVersion[] = Object.entries(known).flatMap(([group, versions]) =>
  versions.split(' ').map((version) => ({ group, version })),
);

/** Every document of a version knows the oldest group as well. */
const core: GroupVersion = { group: '', version: 'v1' };

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const everywhere = new Set(['DeleteOptions', 'WatchEvent'].map((kind) => `${meta}${kind}`));

/** What a document is about: all that is served, a built-in version, or custom resources. */
export type Scope = 'everything' | 'custom' | GroupVersion;

/** In which groups a type is that every group has; undefined: it is no such type. */
export function kindsEverywhere(name: string, scope: Scope): Json[] | undefined {
  if (!everywhere.has(name)) return undefined;
  const kind = name.slice(meta.length);
  return versionsOf(scope).map(({ group, version }) => ({ group, version, kind }));
}

function versionsOf(scope: Scope): readonly GroupVersion[] {
  if (scope === 'everything') return all;
  if (scope === 'custom') return all.filter(({ group }) => !serverOnly.has(group));
  return scope.group === '' ? [core] : [core, scope];
}
