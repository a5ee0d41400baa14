// Files of volumes that lie over each other: two keys at one path, or one below the other (kube-apiserver v1.37).
import { isObject, list, record, type Json } from './field-rules.ts';

interface Placed {
  readonly path: string;
  /** Empty in volumes of one source. */
  readonly source: string;
}

const shown = ({ path, source }: Placed): string =>
  source === '' ? JSON.stringify(path) : `${JSON.stringify(path)} (${source})`;

const isBelow = (a: string, b: string): boolean => `${a}/`.startsWith(`${b}/`);

function overlaps(all: readonly Placed[], known: Placed[]): string[] {
  return all.flatMap((given) => {
    const own = { ...given, path: given.path.replace(/\/+$/, '') };
    const found = known.filter(
      ({ path }) =>
        own.path !== '' && path !== '' && (isBelow(path, own.path) || isBelow(own.path, path)),
    );
    known.push(own);
    return found.map((other) => `${shown(own)} with ${shown(other)}`);
  });
}

function itemsOf(source: unknown, name: string): Placed[] {
  return list(record(source)['items']).map(({ path = '' }) => ({
    path: String(path),
    source: name,
  }));
}

const quoted = (value: unknown): string => JSON.stringify(value ?? '');

function projectedPaths(source: Json): Placed[] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  const { clusterTrustBundle, podCertificate } = source;
  if (isObject(configMap) && configMap['items'] !== undefined) {
    return itemsOf(configMap, `ConfigMap ${quoted(configMap['name'])}`);
  }
  if (isObject(secret) && secret['items'] !== undefined) {
    return itemsOf(secret, `Secret ${quoted(secret['name'])}`);
  }
  if (isObject(downwardAPI) && downwardAPI['items'] !== undefined) {
    return itemsOf(downwardAPI, 'DownwardAPI');
  }
  if (isObject(serviceAccountToken)) {
    return [{ path: String(serviceAccountToken['path'] ?? ''), source: 'ServiceAccountToken' }];
  }
  if (isObject(clusterTrustBundle)) {
    const { name, signerName, path = '' } = clusterTrustBundle;
    return [{ path: String(path), source: `ClusterTrustBundle ${quoted(name ?? signerName)}` }];
  }
  if (!isObject(podCertificate)) return [];
  const { certificateChainPath, keyPath, credentialBundlePath } = podCertificate;
  return [
    { path: certificateChainPath, source: 'PodCertificate chain' },
    { path: keyPath, source: 'PodCertificate key' },
    { path: credentialBundlePath, source: 'PodCertificate credential bundle' },
  ].flatMap(({ path, source: what }) => (path ? [{ path: String(path), source: what }] : []));
}

function projected(volume: Json): string[] {
  const name = JSON.stringify(volume['name']);
  const known: Placed[] = [];
  return list(record(volume['projected'])['sources']).flatMap((source) => {
    if (Object.keys(source).length === 0)
      return [`volume ${name} (Projected) has no sources provided`];
    return overlaps(projectedPaths(source), known).map(
      (text) => `volume ${name} (Projected): overlapping paths: ${text}`,
    );
  });
}

export function volumeOverlaps(volumes: readonly Json[]): string[] {
  return volumes.flatMap((volume) => {
    const { configMap, secret, downwardAPI, name } = volume;
    const plain = (source: unknown, what: string): string[] =>
      overlaps(itemsOf(source, ''), []).map(
        (text) => `volume ${JSON.stringify(name)} (${what}): overlapping paths: ${text}`,
      );
    return [
      ...plain(configMap, `ConfigMap ${quoted(record(configMap)['name'])}`),
      ...plain(secret, `Secret ${quoted(record(secret)['secretName'])}`),
      ...plain(downwardAPI, 'DownwardAPI'),
      ...projected(volume),
    ];
  });
}
