// Objects that a store holds from earlier clusters in versions that are served no more: they are read as those of
// the version that has the same fields (kubernetes v1.37, pkg/apis: conversions of what is in no discovery).
import { same } from '#base/same.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { messageOf } from '#kube/types/protobuf.ts';

/** What was only renamed when it became v1. */
const renamed: Readonly<Record<string, string>> = {
  'batch/v1beta1': 'batch/v1',
  'coordination.k8s.io/v1beta1': 'coordination.k8s.io/v1',
  'node.k8s.io/v1beta1': 'node.k8s.io/v1',
  'policy/v1beta1': 'policy/v1',
  'rbac.authorization.k8s.io/v1beta1': 'rbac.authorization.k8s.io/v1',
  'scheduling.k8s.io/v1beta1': 'scheduling.k8s.io/v1',
  'storage.k8s.io/v1beta1': 'storage.k8s.io/v1',
};

/** The version that such an object is read in; its own where that is still there. */
export function currentVersion(apiVersion: string, kind: string): string {
  const current = renamed[apiVersion];
  return current === undefined || messageOf(apiVersion, kind) !== undefined ? apiVersion : current;
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

/** Changes the object, which is the caller's own, to what it is in the version that is there. */
export function inCurrentVersion(object: KubeObject): KubeObject {
  const { apiVersion, kind } = object;
  const current = currentVersion(apiVersion, kind);
  if (current === apiVersion) return object;
  object.apiVersion = current;
  const { spec } = object;
  if (apiVersion === 'policy/v1beta1' && kind === 'PodDisruptionBudget' && spec !== undefined) {
    turnSelector(spec);
  }
  return object;
}
