// The pods and claims of a StatefulSet: their names, identities and revisions. Pure.
import { podFromTemplate } from '#kube/controllers/pod-facts.ts';
import { HASH_LABEL } from '#kube/controllers/revisions.ts';
import { ownerReference } from '#kube/controllers/owners.ts';
import type { KubeObject } from '#kube/meta/object.ts';

const NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** -1 for a pod that is none of the set's by its name. */
export function ordinalOf(set: KubeObject, pod: KubeObject): number {
  const { name = '' } = pod.metadata;
  const prefix = `${set.metadata.name}-`;
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^\d+$/.test(rest) ? Number(rest) : -1;
}

/** The name of its revision; pods that an earlier version of this program made have the hash alone. */
export function revisionOf(set: KubeObject, pod: KubeObject): string {
  const label = pod.metadata.labels?.[HASH_LABEL] ?? '';
  const prefix = `${set.metadata.name}-`;
  return label === '' || label.startsWith(prefix) ? label : prefix + label;
}

/** The set as it was at a revision. */
export function atRevision(set: KubeObject, revision: KubeObject): KubeObject {
  const { $patch: _patch, ...template } = revision['data']?.spec?.template ?? {};
  return { ...set, spec: { ...set['spec'], template } };
}

interface ClaimTemplate {
  readonly metadata: KubeObject['metadata'];
  readonly spec: unknown;
}

function claimTemplates(set: KubeObject): readonly ClaimTemplate[] {
  return (set['spec'].volumeClaimTemplates ?? []) as readonly ClaimTemplate[];
}

export function claimName(set: KubeObject, template: string, ordinal: number): string {
  return `${template}-${set.metadata.name}-${ordinal}`;
}

/** What a pod needs before it can start; claims outlive their pods. */
export function claimsFor(set: KubeObject, ordinal: number): KubeObject[] {
  const { namespace } = set.metadata;
  const policy = set['spec'].persistentVolumeClaimRetentionPolicy?.whenDeleted;
  return claimTemplates(set).map(({ metadata, spec }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...metadata,
      name: claimName(set, metadata.name ?? '', ordinal),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...metadata.labels, ...set['spec'].selector.matchLabels },
      ...(policy === 'Delete' ? { ownerReferences: [ownerReference(set)] } : {}),
    },
    spec,
  }));
}

export function podFor(set: KubeObject, ordinal: number, revision: string): KubeObject {
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate({
    template: set['spec'].template,
    owner: set,
    name,
    labels: { [NAME_LABEL]: name, [INDEX_LABEL]: String(ordinal), [HASH_LABEL]: revision },
  });
  const spec = pod['spec'];
  spec.hostname = name;
  if (set['spec'].serviceName) spec.subdomain = set['spec'].serviceName;
  const claimed = claimTemplates(set).map(({ metadata }) => ({
    name: metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, metadata.name ?? '', ordinal) },
  }));
  const names = new Set(claimed.map((one) => one.name));
  const others = ((spec.volumes ?? []) as { name: string }[]).filter(
    ({ name: of }) => !names.has(of),
  );
  if (claimed.length + others.length > 0) spec.volumes = [...claimed, ...others];
  return pod;
}
