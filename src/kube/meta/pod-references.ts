// What objects a pod or a volume names: secrets, config maps, claims, its account. A node may read these
// for the pods that are placed on it (podutil and persistentvolume of kubernetes v1.37).
import type { KubeObject } from '#kube/meta/object.ts';

type Json = Record<string, unknown>;

interface Named {
  readonly name?: string;
  readonly namespace?: string;
}

interface Source {
  readonly secret?: Named;
  readonly configMap?: Named;
}

const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const nameOf = (value: unknown): string => (value as Named | undefined)?.name ?? '';

function containersOf(spec: Json): readonly Json[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((one) => list(spec[one]));
}

function fromContainers(spec: Json, field: 'secret' | 'configMap'): string[] {
  return containersOf(spec).flatMap((container) => [
    ...list(container['envFrom']).map((one) => nameOf(one[`${field}Ref`])),
    ...list(container['env']).map((one) =>
      nameOf((one['valueFrom'] as Json | undefined)?.[`${field}KeyRef`]),
    ),
  ]);
}

/** Volumes that have their secret under the same field. */
const withSecretRef = ['cephfs', 'cinder', 'flexVolume', 'rbd', 'scaleIO', 'iscsi', 'storageos'];

function secretsOfVolume(volume: Json): string[] {
  const part = (name: string): Json => (volume[name] ?? {}) as Json;
  return [
    String(part('azureFile')['secretName'] ?? ''),
    String(part('secret')['secretName'] ?? ''),
    nameOf(part('csi')['nodePublishSecretRef']),
    ...withSecretRef.map((one) => nameOf(part(one)['secretRef'])),
    ...list(part('projected')['sources']).map((one) => nameOf((one as Source).secret)),
  ];
}

function configMapsOfVolume(volume: Json): string[] {
  const sources = list((volume['projected'] as Json | undefined)?.['sources']);
  return [nameOf(volume['configMap']), ...sources.map((one) => nameOf((one as Source).configMap))];
}

const unique = (names: readonly string[]): string[] => [...new Set(names)].filter(Boolean);
const specOf = (object: KubeObject): Json => (object['spec'] ?? {}) as Json;

export function podSecrets(pod: KubeObject): string[] {
  const spec = specOf(pod);
  return unique([
    ...list(spec['imagePullSecrets']).map(nameOf),
    ...fromContainers(spec, 'secret'),
    ...list(spec['volumes']).flatMap(secretsOfVolume),
  ]);
}

export function podConfigMaps(pod: KubeObject): string[] {
  const spec = specOf(pod);
  return unique([
    ...fromContainers(spec, 'configMap'),
    ...list(spec['volumes']).flatMap(configMapsOfVolume),
  ]);
}

/** Claims of storage, those that are made for the pod included. */
export function podClaims(pod: KubeObject): string[] {
  return unique(
    list(specOf(pod)['volumes']).map((volume) => {
      if (volume['persistentVolumeClaim'] !== undefined) {
        return String((volume['persistentVolumeClaim'] as Json)['claimName'] ?? '');
      }
      return volume['ephemeral'] === undefined ? '' : ephemeralClaimName(pod, volume);
    }),
  );
}

export function ephemeralClaimName(pod: KubeObject, volume: Json): string {
  return `${pod.metadata.name}-${String(volume['name'])}`;
}

/** ResourceClaims that exist for the pod, by its own name or by its status. */
export function podResourceClaims(pod: KubeObject): string[] {
  const status = (pod['status'] ?? {}) as Json;
  const made = new Map(
    list(status['resourceClaimStatuses']).map((one) => [one['name'], one['resourceClaimName']]),
  );
  const own = list(specOf(pod)['resourceClaims']).map((one) =>
    String(one['resourceClaimName'] ?? made.get(one['name']) ?? ''),
  );
  const extended = (status['extendedResourceClaimStatus'] ?? {}) as Json;
  return unique([...own, String(extended['resourceClaimName'] ?? '')]);
}

export const MIRROR_POD = 'kubernetes.io/config.mirror';

export function isMirrorPod({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[MIRROR_POD] !== undefined;
}

/** Secrets of a volume that a node needs, as `namespace/name`. */
export function volumeSecrets(volume: KubeObject): string[] {
  const spec = specOf(volume);
  const part = (name: string): Json | undefined => spec[name] as Json | undefined;
  const claimPlace = (spec['claimRef'] as Named | undefined)?.namespace ?? '';
  const found: string[] = [];
  const add = (namespace: string | undefined, name: string | undefined): void => {
    if (name !== undefined && name !== '') found.push(`${namespace ?? ''}/${name}`);
  };
  const azure = part('azureFile');
  if (azure !== undefined) {
    const place = String(azure['secretNamespace'] ?? '') || claimPlace;
    add(place, String(azure['secretName'] ?? ''));
  }
  for (const one of withSecretRef) {
    const ref = part(one)?.['secretRef'] as Named | undefined;
    const isStrict = one === 'cinder' || one === 'storageos';
    if (ref !== undefined) add(isStrict ? ref.namespace : ref.namespace || claimPlace, ref.name);
  }
  for (const one of ['nodePublishSecretRef', 'nodeStageSecretRef', 'nodeExpandSecretRef']) {
    const ref = part('csi')?.[one] as Named | undefined;
    if (ref !== undefined) add(ref.namespace, ref.name);
  }
  return found;
}
