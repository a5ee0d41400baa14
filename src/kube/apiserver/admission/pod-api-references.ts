// Which objects of the API a pod cannot be without: mirror pods name none (HasAPIObjectReference of
// kubernetes v1.37).
import { podConfigMaps, podSecrets } from '#kube/meta/pod-references.ts';
import type { KubeObject } from '#kube/meta/object.ts';

type Json = Record<string, unknown>;

const ofVolumes: readonly (readonly [field: string, what: string])[] = [
  ['configMap', 'configmaps (via configmap volumes)'],
  ['secret', 'secrets (via secret volumes)'],
  ['csi', 'csidrivers (via CSI volumes)'],
  ['glusterfs', 'endpoints (via glusterFS volumes)'],
  ['persistentVolumeClaim', 'persistentvolumeclaims'],
  ['ephemeral', 'persistentvolumeclaims (via ephemeral volumes)'],
  ['azureFile', 'secrets (via azureFile volumes)'],
];

const ofSources: readonly (readonly [field: string, what: string])[] = [
  ['configMap', 'configmaps (via projected volumes)'],
  ['secret', 'secrets (via projected volumes)'],
  ['serviceAccountToken', 'serviceaccounts (via projected volumes)'],
  ['clusterTrustBundle', 'clustertrustbundles'],
  ['podCertificate', 'podcertificates'],
];

function named(object: Json, table: readonly (readonly [string, string])[]): string | undefined {
  return table.find(([field]) => object[field] !== undefined)?.[1];
}

/** What the pod names, in upstream's words; undefined when it names nothing. */
export function apiReferenceOf(pod: KubeObject): string | undefined {
  const spec = (pod['spec'] ?? {}) as Json;
  if ((spec['serviceAccountName'] ?? '') !== '') return 'serviceaccounts';
  if (podSecrets(pod).length > 0) return 'secrets';
  if (podConfigMaps(pod).length > 0) return 'configmaps';
  if (((spec['resourceClaims'] ?? []) as unknown[]).length > 0) return 'resourceclaims';
  for (const volume of (spec['volumes'] ?? []) as Json[]) {
    const own = named(volume, ofVolumes);
    if (own !== undefined) return own;
    const sources = ((volume['projected'] as Json | undefined)?.['sources'] ?? []) as Json[];
    for (const source of sources) {
      const what = named(source, ofSources);
      if (what !== undefined) return what;
    }
  }
  return undefined;
}
