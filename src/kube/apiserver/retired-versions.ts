// Objects that a store holds in versions that are served no more, from earlier clusters or because a kind is stored
// that way: they are read as those of the version that has the same fields (kubernetes v1.37, pkg/apis: conversions
// of what is in no discovery).
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { servedDefinition } from '#kube/types/definition-codec.ts';
import { messageOf } from '#kube/types/protobuf.ts';

/** What was only renamed when it became v1. */
const renamed: Readonly<Record<string, string>> = {
  'admissionregistration.k8s.io/v1beta1': 'admissionregistration.k8s.io/v1',
  'batch/v1beta1': 'batch/v1',
  'certificates.k8s.io/v1beta1': 'certificates.k8s.io/v1',
  'coordination.k8s.io/v1beta1': 'coordination.k8s.io/v1',
  'networking.k8s.io/v1beta1': 'networking.k8s.io/v1',
  'node.k8s.io/v1beta1': 'node.k8s.io/v1',
  'policy/v1beta1': 'policy/v1',
  'rbac.authorization.k8s.io/v1beta1': 'rbac.authorization.k8s.io/v1',
  'resource.k8s.io/v1beta2': 'resource.k8s.io/v1',
  'scheduling.k8s.io/v1beta1': 'scheduling.k8s.io/v1',
  'storage.k8s.io/v1beta1': 'storage.k8s.io/v1',
  'storagemigration.k8s.io/v1beta1': 'storagemigration.k8s.io/v1',
};

/** Where others of the group had other fields. */
const onlyKinds: Readonly<Record<string, readonly string[]>> = {
  'networking.k8s.io/v1beta1': ['IPAddress', 'IngressClass', 'ServiceCIDR'],
};

/** The version that such an object is read in; its own where that is still there. */
export function currentVersion(apiVersion: string, kind: string): string {
  const current = renamed[apiVersion];
  if (current === undefined || messageOf(apiVersion, kind) !== undefined) return apiVersion;
  return onlyKinds[apiVersion]?.includes(kind) === false ? apiVersion : current;
}

const EMPTY_MATCH = 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match';

/** An empty selector was for no pod in v1beta1, and is for all since. */
function turnSelector(spec: { selector?: unknown }): void {
  const expressions = (operator: string) => ({
    matchExpressions: [{ key: EMPTY_MATCH, operator }],
  });
  const { selector } = spec;
  if (same(selector, {})) spec.selector = expressions('Exists');
  else if (same(selector, expressions('DoesNotExist'))) spec.selector = {};
}

/** The object, which is the caller's own and may be changed, in the version that is there. */
export function inCurrentVersion(object: KubeObject): KubeObject {
  const { apiVersion, kind } = object;
  if (kind === 'CustomResourceDefinition') return servedDefinition(object);
  const current = currentVersion(apiVersion, kind);
  if (current === apiVersion) return object;
  object.apiVersion = current;
  const { spec } = object;
  if (apiVersion === 'policy/v1beta1' && kind === 'PodDisruptionBudget' && spec !== undefined) {
    turnSelector(spec);
  }
  return object;
}
