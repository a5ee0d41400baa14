// API objects in the store: keys as kube-apiserver has them, each object serialised once. The stored
// bytes have no resourceVersion; it is put in where they are sent, so that nothing is encoded again.
import { ownBytes } from '#base/own-bytes.ts';
import { parseExact } from '#kube/meta/exact-numbers.ts';
import { apiVersionOf, type KubeObject } from '#kube/meta/object.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { currentVersion, inCurrentVersion } from './retired-versions.ts';
import { isWhole, withStoredDefaults } from './stored-defaults.ts';
import { decodeEnvelope, encodeObject, isProtobuf, transcodeObject } from '#kube/types/protobuf.ts';
import type { KeyValue } from '#store/store.ts';
import { TOLD_MAX, Unreadable, unreadable } from './unreadable.ts';

const decoder = new TextDecoder();

/** Where upstream keeps what does not lie under the resource's own name. */
const prefixes: Readonly<Record<string, string>> = {
  '/endpoints': 'services/endpoints',
  '/nodes': 'minions',
  '/replicationcontrollers': 'controllers',
  '/services': 'services/specs',
  'apiextensions.k8s.io/customresourcedefinitions':
    'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices': 'apiregistration.k8s.io/apiservices',
  'networking.k8s.io/ingresses': 'ingress',
};

const builtInGroups = new Set([
  '',
  'admissionregistration.k8s.io',
  'apps',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'internal.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
  'storagemigration.k8s.io',
]);

/** As kube-apiserver's keys: groups show only where their resources are not built in. */
export function resourcePrefix({ group, resource }: { group: string; resource: string }): string {
  const known = prefixes[`${group}/${resource}`];
  if (known !== undefined) return `/registry/${known}/`;
  return builtInGroups.has(group) ? `/registry/${resource}/` : `/registry/${group}/${resource}/`;
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
  return Buffer.from(JSON.stringify({ kind, apiVersion, metadata: meta, ...rest }));
}

/** What selectors may ask of an object, without the rest of it. */
export type Facts = KubeObject;

/** What was made of a value, kept as long as the value is. */
interface Memo {
  /** That an object can be made of it. */
  isReadable?: boolean;
  /** Whether the value has its defaults. */
  isWhole?: boolean;
  facts?: Facts;
  /** The message, as of the value's own revision: its bytes as characters. */
  protobuf?: string;
  /** The version of the resource that the message is of. */
  protobufInfo?: ResourceInfo;
  /** JSON in our layout, where the stored bytes are not. */
  json?: Buffer;
  /** The object in versions that are not just its bytes. */
  forms?: WeakMap<ResourceInfo, Form>;
}

/** All that is known of most values, which share it. */
const WHOLE: Memo = Object.freeze({ isWhole: true });

function memoOf(kv: KeyValue): Memo {
  if (kv.memo === WHOLE) kv.memo = { isWhole: true } satisfies Memo;
  kv.memo ??= {};
  return kv.memo as Memo;
}

function hasDefaults(kv: KeyValue): boolean {
  const memo = kv.memo as Memo | undefined;
  if (memo?.isWhole !== undefined) return memo.isWhole;
  if (kv.unreadable !== undefined) throw unreadable(kv);
  const found = !isProtobuf(kv.value) && isWhole(kv.value, () => parseStored(kv));
  if (found && memo === undefined) kv.memo = WHOLE;
  else memoOf(kv).isWhole = found;
  return found;
}

function parse(kv: KeyValue): KubeObject {
  const object = parseStored(kv);
  return hasDefaults(kv) ? object : withStoredDefaults(object);
}

/** Throws Unreadable. */
function parseStored(kv: KeyValue): KubeObject {
  const { value } = kv;
  if (kv.unreadable !== undefined) throw unreadable(kv);
  let object: unknown;
  try {
    object = isProtobuf(value)
      ? decodeEnvelope(value, undefined, currentVersion)
      : parseExact(Buffer.isBuffer(value) ? value.toString() : decoder.decode(value));
  } catch (error) {
    throw unreadable(kv, error);
  }
  if (typeof (object as KubeObject | null)?.metadata !== 'object') throw unreadable(kv);
  return inCurrentVersion(object as KubeObject);
}

/** Throws Unreadable. JSON that this server wrote is known by how it begins and ends, and not parsed. */
export function checkReadable(kvs: readonly KeyValue[]): void {
  for (const kv of kvs) if (kv.memo !== WHOLE) checkOne(kv);
}

function checkOne(kv: KeyValue): void {
  if ((kv.memo as Memo | undefined)?.isReadable === true) return;
  if (!hasDefaults(kv)) parseStored(kv);
  if (kv.memo !== WHOLE) memoOf(kv).isReadable = true;
}

/** Those of which no object can be made, up to as many as a list tells of. */
export function allUnreadable(kvs: readonly KeyValue[]): Unreadable[] {
  const found: Unreadable[] = [];
  for (const kv of kvs) {
    const fault = faultOf(kv);
    if (fault !== undefined && found.push(fault) === TOLD_MAX) break;
  }
  return found;
}

/** Why no object can be made of it; undefined when one can. */
export function faultOf(kv: KeyValue): Unreadable | undefined {
  try {
    parseStored(kv);
    return undefined;
  } catch (error) {
    if (error instanceof Unreadable) return error;
    throw error;
  }
}

/** Objects that were parsed lately: two generations, so that no more than twice as many are kept. */
const GENERATION_MAX = 1_024;
let young = new Map<KeyValue, KubeObject>();
let old = new Map<KeyValue, KubeObject>();

/** The object with its version; read-only, shared. Objects in use are parsed once. */
export function objectOf(kv: KeyValue): KubeObject {
  let object = young.get(kv);
  if (object !== undefined) return object;
  object = old.get(kv) ?? parsed(kv);
  young.set(kv, object);
  if (young.size >= GENERATION_MAX) {
    old = young;
    young = new Map();
  }
  return object;
}

function parsed(kv: KeyValue): KubeObject {
  const object = parse(kv);
  object.metadata.resourceVersion = String(kv.modRevision);
  return object;
}

/** The object in the version of the resource; read-only, shared. What needs a call has been prepared. */
export function objectFor(info: ResourceInfo, kv: KeyValue): KubeObject {
  return info.codec === undefined ? objectOf(kv) : formOf(info, kv).object;
}

interface Form {
  readonly object: KubeObject;
  json?: Buffer;
}

function formOf(info: ResourceInfo, kv: KeyValue): Form {
  const memo = memoOf(kv);
  memo.forms ??= new WeakMap();
  let form = memo.forms.get(info);
  if (form === undefined) {
    const object = parsed(kv);
    form = { object: info.codec?.read(object) ?? object };
    memo.forms.set(info, form);
  }
  return form;
}

/** Reads what needs a conversion by a webhook, so that it is there from then on. Throws ApiError. */
export async function prepareObjects(info: ResourceInfo, kvs: readonly KeyValue[]): Promise<void> {
  const { codec } = info;
  if (codec === undefined) return;
  const wanted = kvs
    .filter((kv) => memoOf(kv).forms?.has(info) !== true)
    .map((kv) => ({ kv, object: parsed(kv) }))
    .filter(({ object }) => codec.needsCall(object));
  if (wanted.length === 0) return;
  const found = await codec.readAll(wanted.map(({ object }) => object));
  for (const [i, { kv }] of wanted.entries()) {
    const object = found[i];
    const memo = memoOf(kv);
    memo.forms ??= new WeakMap();
    if (object !== undefined) memo.forms.set(info, { object });
  }
}

/** For selectors: labels, name, namespace and the selectable fields only, so that all of them may be kept. */
export function factsOf(info: ResourceInfo, kv: KeyValue): Facts {
  if (info.codec !== undefined) return formOf(info, kv).object;
  const memo = memoOf(kv);
  if (memo.facts === undefined) {
    const object = young.get(kv) ?? parse(kv);
    const { name, namespace, labels } = object.metadata;
    const facts: Facts = {
      apiVersion: '',
      kind: '',
      metadata: {
        ...(name === undefined ? {} : { name }),
        ...(namespace === undefined ? {} : { namespace }),
        ...(labels === undefined ? {} : { labels }),
      },
    };
    for (const path of info.selectableFields) copyField(object, facts, path.split('.'));
    memo.facts = facts;
  }
  return memo.facts;
}

function copyField(from: unknown, to: Record<string, unknown>, path: readonly string[]): void {
  const [key = '', ...rest] = path;
  if (typeof from !== 'object' || from === null) return;
  const value = (from as Record<string, unknown>)[key];
  if (value === undefined) return;
  if (rest.length === 0) {
    to[key] = value;
    return;
  }
  const inner = (to[key] ?? {}) as Record<string, unknown>;
  to[key] = inner;
  copyField(value, inner, rest);
}

// ---- JSON ----

const layouts = new WeakMap<ResourceInfo, { head: Buffer; kindSize: number }>();

/** How the bytes of each object of the resource begin. */
function layoutOf(info: ResourceInfo): { head: Buffer; kindSize: number } {
  let layout = layouts.get(info);
  if (layout === undefined) {
    const kind = `"kind":${JSON.stringify(info.kind)},"apiVersion":${JSON.stringify(apiVersionOf(info))},`;
    const head = Buffer.from(`{${kind}"metadata":{`);
    layout = { head, kindSize: Buffer.byteLength(kind) };
    layouts.set(info, layout);
  }
  return layout;
}

const CLOSING = 0x7d;
const OPENING = 0x7b;
const COMMA = 0x2c;

/** The object's JSON in its own layout: as stored, unless somebody else or another version wrote it. */
function jsonOf(info: ResourceInfo, kv: KeyValue): Buffer {
  if (info.codec !== undefined) {
    const form = formOf(info, kv);
    form.json ??= ownBytes(serialize(form.object)) as Buffer;
    return form.json;
  }
  const { value } = kv;
  const bytes = Buffer.isBuffer(value)
    ? value
    : Buffer.from(value.buffer, value.byteOffset, value.length);
  const { head } = layoutOf(info);
  const isOurs =
    bytes.length > head.length && bytes.compare(head, 0, head.length, 0, head.length) === 0;
  if (isOurs && hasDefaults(kv)) return bytes;
  const memo = memoOf(kv);
  const { kind } = info;
  memo.json ??= ownBytes(
    serialize({ ...parse(kv), kind, apiVersion: apiVersionOf(info) }),
  ) as Buffer;
  return memo.json;
}

const VERSION = '"resourceVersion":"';

/** The text that is put in behind the head. */
function versionText(json: Buffer, head: Buffer, revision: number): string {
  return `${VERSION}${revision}"${json[head.length] === CLOSING ? '' : ','}`;
}

/** JSON of the object as clients get it, between two texts. */
export function jsonBytes(
  info: ResourceInfo,
  kv: KeyValue,
  options: { readonly revision?: number; readonly before?: string; readonly after?: string } = {},
): Buffer {
  const { revision = kv.modRevision, before = '', after = '' } = options;
  const json = jsonOf(info, kv);
  const { head } = layoutOf(info);
  const version = versionText(json, head, revision);
  const size = before.length + json.length + version.length + after.length;
  const out = Buffer.allocUnsafe(size);
  let at = before === '' ? 0 : out.write(before, 0, 'latin1');
  at += json.copy(out, at, 0, head.length);
  at += out.write(version, at, 'latin1');
  at += json.copy(out, at, head.length);
  if (after !== '') out.write(after, at, 'latin1');
  return out;
}

/**
 * The items of a list, with commas between them, behind other bytes and before a text. Items of built-in
 * types have no kind in a list, as upstream; custom resources have.
 */
export function jsonItems(
  info: ResourceInfo,
  items: readonly KeyValue[],
  before: Buffer,
  after: string,
  allocate: (size: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  const { head, kindSize } = layoutOf(info);
  const start = info.customResourceDefinition === undefined ? kindSize : 0;
  const found = items.map((kv) => jsonOf(info, kv));
  const versions = items.map((kv, index) =>
    versionText(found[index] as Buffer, head, kv.modRevision),
  );
  let size = before.length + after.length + Math.max(0, items.length - 1);
  for (let i = 0; i < found.length; i++)
    size += (found[i] as Buffer).length - start + (versions[i] as string).length;
  const out = allocate(size);
  let at = before.copy(out);
  for (let i = 0; i < found.length; i++) {
    const json = found[i] as Buffer;
    if (i > 0) out[at++] = COMMA;
    out[at++] = OPENING;
    at += json.copy(out, at, 1 + start, head.length);
    at += out.write(versions[i] as string, at, 'latin1');
    at += json.copy(out, at, head.length);
  }
  out.write(after, at, 'latin1');
  return out;
}

// ---- protobuf ----

/** Whether the object's message, as of its own revision, has been made before. */
export function hasProtobuf(info: ResourceInfo, kv: KeyValue): boolean {
  const memo = kv.memo as Memo | undefined;
  return memo?.protobuf !== undefined && memo.protobufInfo === info;
}

/**
 * The bare message of the object for a list, its bytes as characters of Latin-1, kept as long as the object is;
 * undefined for kinds that have none (custom resources).
 */
export function protobufText(info: ResourceInfo, kv: KeyValue): string | undefined {
  if (hasProtobuf(info, kv)) return (kv.memo as Memo).protobuf;
  if (info.customResourceDefinition !== undefined) return undefined;
  const version = String(kv.modRevision);
  const bytes = transcoded(info, kv, version) ?? encoded(info, kv, version);
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const memo = memoOf(kv);
  memo.protobuf = text;
  memo.protobufInfo = info;
  return text;
}

/** The same as bytes, and of any revision. */
export function protobufBytes(
  info: ResourceInfo,
  kv: KeyValue,
  revision = kv.modRevision,
): Uint8Array | undefined {
  if (revision === kv.modRevision) {
    const text = protobufText(info, kv);
    return text === undefined ? undefined : Buffer.from(text, 'latin1');
  }
  if (info.customResourceDefinition !== undefined) return undefined;
  const version = String(revision);
  const bytes = transcoded(info, kv, version);
  return bytes === undefined ? encoded(info, kv, version) : Buffer.from(bytes);
}

/** What is not parsed for anything else is not parsed for this; undefined when it has to be. */
function transcoded(info: ResourceInfo, kv: KeyValue, version: string): Uint8Array | undefined {
  const { value } = kv;
  if (info.codec !== undefined || !Buffer.isBuffer(value) || !hasDefaults(kv)) return undefined;
  return transcodeObject({ apiVersion: apiVersionOf(info), kind: info.kind }, value, version);
}

function encoded(info: ResourceInfo, kv: KeyValue, version: string): Uint8Array | undefined {
  const object = info.codec === undefined ? (young.get(kv) ?? parsed(kv)) : objectFor(info, kv);
  const shown = {
    ...object,
    apiVersion: apiVersionOf(info),
    kind: info.kind,
    metadata: { ...object.metadata, resourceVersion: version },
  };
  return encodeObject(shown);
}
