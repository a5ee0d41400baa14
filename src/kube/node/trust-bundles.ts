// ClusterTrustBundle sources of projected volumes (certificates.k8s.io/v1): the certificates of one bundle by name,
// or of all bundles of a signer that a selector picks, as one file. Pure, given the bundles.
import { certificatesOf } from '#base/pem.ts';
import type { KubeObject } from '#kube/meta/object.ts';
import { labelSelectorFromObject, matchesLabels } from '#kube/meta/selectors.ts';
import type { ProjectedSource } from './pod-spec.ts';
import { volumeFault } from './volume-fault.ts';

export type TrustBundleSource = NonNullable<ProjectedSource['clusterTrustBundle']>;

/** PEM blocks, each certificate once, without what stands between them. */
export function trustAnchors(source: TrustBundleSource, bundles: readonly KubeObject[]): string {
  const found = bundles.filter((bundle) => isMeant(source, bundle));
  if (found.length === 0 && source.optional !== true) throw volumeFault(absence(source));
  const blocks = found.flatMap((bundle) =>
    certificatesOf(String(bundle['spec']?.trustBundle ?? '')),
  );
  return [...new Set(blocks)].join('');
}

function isMeant(
  { name, signerName, labelSelector }: TrustBundleSource,
  bundle: KubeObject,
): boolean {
  if (name !== undefined) return bundle.metadata.name === name;
  const selector = labelSelectorFromObject(labelSelector);
  if (selector === undefined || bundle['spec']?.signerName !== signerName) return false;
  return matchesLabels(selector, bundle.metadata.labels);
}

function absence({ name, signerName, labelSelector }: TrustBundleSource): string {
  if (name !== undefined) return `clustertrustbundle "${name}" not found`;
  const wanted = JSON.stringify(labelSelector ?? null);
  return `no ClusterTrustBundle of signer "${signerName ?? ''}" matches ${wanted}`;
}
