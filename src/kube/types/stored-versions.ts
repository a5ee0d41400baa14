// Kinds that kube-apiserver v1.37 serves in v1 and still stores in the version before, which its last release reads,
// too (pkg/kubeapiserver/default_storage_factory_builder.go). Their fields are the same in both.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ObjectCodec } from '#kube/meta/resource-info.ts';

const earlier: Readonly<Record<string, string>> = {
  'apiextensions.k8s.io/customresourcedefinitions': 'v1beta1',
  'autoscaling/horizontalpodautoscalers': 'v2',
  'certificates.k8s.io/clustertrustbundles': 'v1beta1',
  'certificates.k8s.io/podcertificaterequests': 'v1beta1',
  'resource.k8s.io/devicetaintrules': 'v1beta2',
  'storagemigration.k8s.io/storageversionmigrations': 'v1beta1',
};

/** One version of a group's resource is stored; the others are converted. */
export function storageVersionOf(group: string, resource: string, version: string): string {
  return earlier[`${group}/${resource}`] ?? version;
}

/** Between two versions that differ in nothing but their name. */
export function renamingCodec(
  group: string,
  { served, stored }: { readonly served: string; readonly stored: string },
): ObjectCodec {
  const as = (version: string, object: KubeObject): KubeObject => ({
    ...object,
    apiVersion: `${group}/${version}`,
  });
  return {
    mayCall: false,
    needsCall: () => false,
    read: (object) => as(served, object),
    readAll: async (objects) => objects.map((one) => as(served, one)),
    write: async (object) => as(stored, object),
  };
}
