// API objects in the store: keys as kube-apiserver has them, each object serialised once. The stored
// text has no resourceVersion; it is put in where the text is sent, so that bytes are never re-encoded.
import type { KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { KeyValue } from '#store/store.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const METADATA = '"metadata":{';

const texts = new WeakMap<KeyValue, string>();
const objects = new WeakMap<KeyValue, KubeObject>();

export function resourcePrefix(info: { group: string; resource: string }): string {
  return info.group === ''
    ? `/registry/${info.resource}/`
    : `/registry/${info.resource}.${info.group}/`;
}

export function collectionPrefix(info: ResourceInfo, namespace: string | undefined): string {
  const prefix = resourcePrefix(info);
  return info.namespaced && namespace !== undefined && namespace !== ''
    ? `${prefix}${namespace}/`
    : prefix;
}

export function objectKey(info: ResourceInfo, namespace: string | undefined, name: string): string {
  return `${collectionPrefix(info, info.namespaced ? (namespace ?? '') : undefined)}${name}`;
}

/** The bytes to be stored; metadata comes early, where the version is put in later. */
export function serialize(object: KubeObject): Uint8Array {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _version, ...meta } = metadata;
  return encoder.encode(JSON.stringify({ apiVersion, kind, metadata: meta, ...rest }));
}

function withVersion(text: string, revision: number): string {
  const at = text.indexOf(METADATA) + METADATA.length;
  const comma = text[at] === '}' ? '' : ',';
  return `${text.slice(0, at)}"resourceVersion":"${revision}"${comma}${text.slice(at)}`;
}

/** JSON of the object as clients get it; made once for each stored version. */
export function textOf(kv: KeyValue): string {
  let text = texts.get(kv);
  if (text === undefined) {
    text = withVersion(decoder.decode(kv.value), kv.modRevision);
    texts.set(kv, text);
  }
  return text;
}

/** The object as it was when it was deleted, with the revision of its deletion. */
export function deletedText(kv: KeyValue, revision: number): string {
  return withVersion(decoder.decode(kv.value), revision);
}

/** Parsed once for each stored version; read-only, shared. */
export function objectOf(kv: KeyValue): KubeObject {
  let object = objects.get(kv);
  if (object === undefined) {
    object = JSON.parse(textOf(kv)) as KubeObject;
    objects.set(kv, object);
  }
  return object;
}
