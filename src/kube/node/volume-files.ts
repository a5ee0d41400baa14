// What files a configMap, secret, downwardAPI or projected volume holds. Pure, given the objects.
import type { KubeObject } from '#kube/meta/object.ts';
import { fieldValue, resourceValue, stringMap } from './container-env.ts';
import type { EnvSources } from './container-env.ts';
import { certificateKey, type Certificates, type CredentialBundle } from './pod-certificates.ts';
import { trustAnchors } from './trust-bundles.ts';
import { volumeFault } from './volume-fault.ts';
import { allContainers } from './pod-spec.ts';
import type { DownwardItem, KeyToPath, Pod, ProjectedSource, Volume } from './pod-spec.ts';

export interface VolumeFile {
  /** Relative, without `..`. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
}

export interface FileSources extends EnvSources {
  /** Issued beforehand for each serviceAccountToken source, by its path. */
  readonly tokens: ReadonlyMap<string, string>;
  /** Those that the pod's volumes may mean. */
  readonly trustBundles: readonly KubeObject[];
  readonly certificates: Certificates;
}

export interface NeededObjects {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
  readonly hasTrustBundles: boolean;
}

/** Names of all ConfigMaps and Secrets that a pod's volumes and environments mention, and what else they need. */
export function neededObjects(pod: Pod): NeededObjects {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  let hasTrustBundles = false;
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name !== undefined && name !== '') set.add(name);
  };
  for (const volume of pod.spec.volumes ?? []) {
    add(configMaps, volume.configMap?.name);
    add(secrets, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.name);
      hasTrustBundles ||= source.clusterTrustBundle !== undefined;
    }
  }
  for (const container of allContainers(pod)) {
    for (const source of container.envFrom ?? []) {
      add(configMaps, source.configMapRef?.name);
      add(secrets, source.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(configMaps, valueFrom?.configMapKeyRef?.name);
      add(secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  for (const { name } of pod.spec.imagePullSecrets ?? []) add(secrets, name);
  return { configMaps, secrets, hasTrustBundles };
}

/** Undefined for volumes that are folders only. */
export function volumeFiles(
  pod: Pod,
  volume: Volume,
  sources: FileSources,
): VolumeFile[] | undefined {
  const mode = 0o644;
  if (volume.configMap !== undefined) {
    const { name = '', defaultMode } = volume.configMap;
    return objectFiles(volume.configMap, {
      kind: 'configmap',
      name,
      object: sources.configMap(name),
      mode: defaultMode ?? mode,
    });
  }
  if (volume.secret !== undefined) {
    const { secretName: name = '', defaultMode } = volume.secret;
    return objectFiles(volume.secret, {
      kind: 'secret',
      name,
      object: sources.secret(name),
      mode: defaultMode ?? mode,
    });
  }
  if (volume.downwardAPI !== undefined) {
    const { items, defaultMode } = volume.downwardAPI;
    return downwardFiles(pod, items ?? [], { mode: defaultMode ?? mode, sources });
  }
  if (volume.projected !== undefined) {
    const { sources: list, defaultMode } = volume.projected;
    const context = { mode: defaultMode ?? mode, sources };
    return (list ?? []).flatMap((source, index) => {
      if (source.podCertificate === undefined) return projectedFiles(pod, source, context);
      const found = sources.certificates.get(certificateKey(volume.name, index));
      return certificateFiles(pod, source.podCertificate, found, context.mode);
    });
  }
  return undefined;
}

interface FileContext {
  readonly mode: number;
  readonly sources: FileSources;
}

function projectedFiles(pod: Pod, source: ProjectedSource, context: FileContext): VolumeFile[] {
  const { mode, sources } = context;
  if (source.configMap !== undefined) {
    const { name = '' } = source.configMap;
    const object = sources.configMap(name);
    return objectFiles(source.configMap, { kind: 'configmap', name, object, mode });
  }
  if (source.secret !== undefined) {
    const { name = '' } = source.secret;
    const object = sources.secret(name);
    return objectFiles(source.secret, { kind: 'secret', name, object, mode });
  }
  if (source.downwardAPI !== undefined) {
    return downwardFiles(pod, source.downwardAPI.items ?? [], context);
  }
  if (source.serviceAccountToken !== undefined) {
    const { path } = source.serviceAccountToken;
    const token = sources.tokens.get(path);
    if (token === undefined) throw volumeFault(`no service account token for "${path}"`);
    return [{ path: checkedPath(path), bytes: new TextEncoder().encode(token), mode: 0o600 }];
  }
  if (source.clusterTrustBundle !== undefined) {
    const text = trustAnchors(source.clusterTrustBundle, sources.trustBundles);
    const path = checkedPath(source.clusterTrustBundle.path);
    return [{ path, bytes: new TextEncoder().encode(text), mode }];
  }
  const kind = Object.keys(source)[0] ?? 'unknown';
  throw volumeFault(`projected volumes of ${kind} are not supported on this node`);
}

/** With a group that owns the pod's volumes they are its user's alone before the group is added. */
function certificateFiles(
  pod: Pod,
  source: NonNullable<ProjectedSource['podCertificate']>,
  found: CredentialBundle | string | undefined,
  defaultMode: number,
): VolumeFile[] {
  if (found === undefined || typeof found === 'string') {
    throw volumeFault(found ?? 'there are no credentials');
  }
  const mode = pod.spec.securityContext?.fsGroup === undefined ? defaultMode : 0o600;
  const texts = [
    [source.credentialBundlePath, `${found.key}${found.chain}`],
    [source.keyPath, found.key],
    [source.certificateChainPath, found.chain],
  ] as const;
  return texts.flatMap(([path = '', text]) =>
    path === '' ? [] : [{ path: checkedPath(path), bytes: new TextEncoder().encode(text), mode }],
  );
}

interface ObjectContext {
  readonly kind: 'configmap' | 'secret';
  readonly name: string;
  readonly object: KubeObject | undefined;
  readonly mode: number;
}

function objectFiles(
  source: { readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
  { kind, name, object, mode }: ObjectContext,
): VolumeFile[] {
  if (object === undefined) {
    if (source.optional === true) return [];
    throw volumeFault(`${kind} "${name}" not found`);
  }
  const data = objectData(kind, object);
  if (source.items === undefined || source.items.length === 0) {
    return [...data].map(([path, bytes]) => ({ path: checkedPath(path), bytes, mode }));
  }
  const files: VolumeFile[] = [];
  for (const item of source.items) {
    const bytes = data.get(item.key);
    if (bytes !== undefined) {
      files.push({ path: checkedPath(item.path), bytes, mode: item.mode ?? mode });
    } else if (source.optional !== true) {
      throw volumeFault(`references non-existent ${kind} key: ${item.key}`);
    }
  }
  return files;
}

function objectData(kind: 'configmap' | 'secret', object: KubeObject): Map<string, Uint8Array> {
  const data = new Map<string, Uint8Array>();
  const encoder = new TextEncoder();
  for (const [key, text] of Object.entries(stringMap(object['data']))) {
    data.set(key, kind === 'secret' ? fromBase64(text) : encoder.encode(text));
  }
  for (const [key, text] of Object.entries(stringMap(object['binaryData']))) {
    data.set(key, fromBase64(text));
  }
  return data;
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

function downwardFiles(
  pod: Pod,
  items: readonly DownwardItem[],
  { mode, sources }: FileContext,
): VolumeFile[] {
  return items.map((item) => {
    let text = '';
    if (item.fieldRef !== undefined) text = fieldValue(pod, item.fieldRef, sources);
    else if (item.resourceFieldRef !== undefined) {
      text = resourceValue(pod, item.resourceFieldRef, { sources });
    }
    const bytes = new TextEncoder().encode(text);
    return { path: checkedPath(item.path), bytes, mode: item.mode ?? mode };
  });
}

function checkedPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw volumeFault(`path "${path}" must not contain ".."`);
  return parts.join('/');
}
