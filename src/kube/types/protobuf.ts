// Kubernetes protobuf (application/vnd.kubernetes.protobuf): the envelope, and messages to the JSON
// form in which everything else works. Times, quantities and the like become their JSON text.
import { Codec } from '#codec/protobuf-codec.ts';
import { protobufFault, Schema as Descriptors } from '#codec/protobuf.ts';
import { Fault } from '#base/fault.ts';
import table from './generated/protobuf.json' with { type: 'json' };

type Json = Record<string, unknown>;

const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const envelope = {
  Unknown: 'typeMeta 1:TypeMeta,raw 2:b,contentEncoding 3:s,contentType 4:s',
  TypeMeta: 'apiVersion 1:s,kind 2:s',
};

const descriptors = new Descriptors({ ...(table.messages as Record<string, string>), ...envelope });
const codec = new Codec(descriptors);
const pointers = table.pointers as Readonly<Record<string, readonly string[]>>;

const META = 'apimachinery_pkg_apis_meta_v1';

function rfc3339(value: Json, digits: number): string | undefined {
  const seconds = Number(value['seconds'] ?? 0);
  const nanos = Number(value['nanos'] ?? 0);
  if (value['seconds'] === undefined && nanos === 0) return undefined;
  const text = new Date(seconds * 1_000).toISOString().slice(0, 19);
  if (digits === 0) return `${text}Z`;
  return `${text}.${String(Math.floor(nanos / 1_000)).padStart(6, '0')}Z`;
}

function durationText(nanoseconds: number): string {
  return `${nanoseconds / 1e9}s`;
}

const decoder = new TextDecoder();

/** Messages that are a scalar, or any value, in JSON. */
const specials: Readonly<Record<string, (value: Json) => unknown>> = {
  [`${META}_Time`]: (value) => rfc3339(value, 0),
  [`${META}_MicroTime`]: (value) => rfc3339(value, 6),
  [`${META}_Duration`]: (value) => durationText(Number(value['duration'] ?? 0)),
  [`${META}_FieldsV1`]: (value) => JSON.parse(decoder.decode(value['Raw'] as Uint8Array)),
  apimachinery_pkg_api_resource_Quantity: (value) => String(value['string'] ?? '0'),
  apimachinery_pkg_util_intstr_IntOrString: (value) =>
    Number(value['type'] ?? 0) === 1 ? String(value['strVal'] ?? '') : Number(value['intVal'] ?? 0),
  apimachinery_pkg_runtime_RawExtension: (value) => {
    const raw = value['raw'] as Uint8Array | undefined;
    return raw === undefined || raw.length === 0 ? undefined : JSON.parse(decoder.decode(raw));
  },
  apiextensions_apiserver_pkg_apis_apiextensions_v1_JSON: (value) =>
    JSON.parse(decoder.decode(value['raw'] as Uint8Array)),
  apiextensions_apiserver_pkg_apis_apiextensions_v1_JSONSchemaPropsOrBool: (value) =>
    value['schema'] === undefined
      ? value['allows'] === true
      : toJson(
          'apiextensions_apiserver_pkg_apis_apiextensions_v1_JSONSchemaProps',
          value['schema'] as Json,
        ),
  apiextensions_apiserver_pkg_apis_apiextensions_v1_JSONSchemaPropsOrArray: (value) =>
    toJson(
      'apiextensions_apiserver_pkg_apis_apiextensions_v1_JSONSchemaProps',
      (value['schema'] ?? {}) as Json,
    ),
};

/** Messages that stand for a bare list. */
const lists: ReadonlySet<string> = new Set(['api_core_v1_List']);

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}

/** Go embeds these structs, so that their fields are their parent's in JSON. */
const inlined: ReadonlySet<string> = new Set([
  'volumeSource',
  'persistentVolumeSource',
  'handler',
  'localObjectReference',
  'ephemeralContainerCommon',
]);

function isInline(message: string, field: string): boolean {
  if (!inlined.has(field)) return false;
  // A few fields of these names are real: only embedded ones have no JSON name of their own.
  return !(field === 'handler' && !message.endsWith('Probe'));
}

function convert(kind: string, type: string, value: unknown): unknown {
  if (kind === 'message') {
    const special = specials[type];
    return special === undefined ? toJson(type, value as Json) : special(value as Json);
  }
  return kind === 'b' ? Buffer.from(value as Uint8Array).toString('base64') : value;
}

function toJson(message: string, value: Json): Json {
  const out: Json = {};
  const keepsZero = pointers[message] ?? [];
  for (const { name, label, kind, type } of descriptors.fields(message)) {
    const one = value[name];
    if (one === undefined) continue;
    if (label === '+') {
      const items = (one as unknown[]).map((item) => convert(kind, type, item));
      if (items.length > 0) out[name] = items;
    } else if (label === '%') {
      const entries = Object.entries(one as Json).map(([key, item]) => [
        key,
        convert(kind, type, item),
      ]);
      if (entries.length > 0) out[name] = Object.fromEntries(entries);
    } else {
      const converted = convert(kind, type, one);
      if (isInline(message, name)) Object.assign(out, converted);
      else if (converted === undefined) continue;
      // Without a pointer in Go, zero is how "not set" looks on the wire.
      else if (!isZero(converted) || keepsZero.includes(name)) out[name] = converted;
    }
  }
  return out;
}

/** A struct that is not a pointer comes as an empty message when nothing in it is set. */
function withoutEmpty(value: unknown, isRoot: boolean): unknown {
  if (Array.isArray(value)) return value.map((one) => withoutEmpty(one, true));
  if (typeof value !== 'object' || value === null) return value;
  const out: Json = {};
  for (const [key, one] of Object.entries(value)) {
    const inner = withoutEmpty(one, keepsEmpty.has(key));
    if (inner !== undefined) out[key] = inner;
  }
  return Object.keys(out).length === 0 && !isRoot ? undefined : out;
}

/** Fields whose empty value says something. */
const keepsEmpty: ReadonlySet<string> = new Set([
  'emptyDir',
  'selector',
  'podSelector',
  'namespaceSelector',
  'labelSelector',
  'resources',
  'securityContext',
  'status',
  'scale',
  'metadata',
  'strategy',
]);

function messageOf(apiVersion: string, kind: string): string {
  const [group = '', version = ''] = apiVersion.includes('/')
    ? apiVersion.split('/')
    : ['', apiVersion];
  const suffix = `_${version}_${kind}`;
  const short = group.split('.')[0] ?? '';
  const wanted = group === '' ? `api_core${suffix}` : `api_${short}${suffix}`;
  const all = table.messages as Record<string, string>;
  if (all[wanted] !== undefined) return wanted;
  const found = Object.keys(all).find((name) => name.endsWith(suffix) && name.includes(short));
  const metaOwn = `${META}_${kind}`;
  if (found !== undefined) return found;
  if (all[metaOwn] !== undefined) return metaOwn;
  throw protobufFault(`${apiVersion} ${kind}`, 'no such message');
}

/** The object in an envelope, as JSON. Fault `bad-protobuf`. */
export function decodeEnvelope(bytes: Uint8Array): Json {
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    throw protobufFault(
      'Unknown',
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  const unknown = codec.decode('Unknown', bytes.subarray(MAGIC.length));
  const { apiVersion = '', kind = '' } = (unknown['typeMeta'] ?? {}) as {
    apiVersion?: string;
    kind?: string;
  };
  const message = messageOf(apiVersion, kind);
  if (lists.has(message)) throw new Fault({ code: 'bad-protobuf' }, 'Cannot decode a list');
  const raw = (unknown['raw'] ?? new Uint8Array()) as Uint8Array;
  const json = withoutEmpty(toJson(message, codec.decode(message, raw)), true) as Json;
  return { apiVersion, kind, ...json };
}
