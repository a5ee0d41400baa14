// An object of which a client wants the metadata alone.
import { TEMPLATE_GENERATION } from '#kube/meta/defaulting.ts';
import type { KubeObject, ObjectMeta } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';

/** Upstream makes the metadata out of its inner form, where this annotation is a field of the spec. */
function shownMetadata(info: ResourceInfo, metadata: ObjectMeta): ObjectMeta {
  if (info.group !== 'apps' || info.resource !== 'daemonsets') return metadata;
  const { annotations = {}, ...rest } = metadata;
  const { [TEMPLATE_GENERATION]: _count, ...others } = annotations;
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others };
}

/** `version`: of meta.k8s.io. */
export function partialObject(
  info: ResourceInfo,
  { metadata }: KubeObject,
  version = 'v1',
): KubeObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: shownMetadata(info, metadata),
  };
}
