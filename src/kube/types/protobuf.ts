// Kubernetes protobuf (application/vnd.kubernetes.protobuf), both ways: the envelope with its magic
// number, single objects, lists joined from objects that are encoded already, and frames of watches.
import { protobufFault } from '#codec/protobuf.ts';
import { Reader } from '#codec/protobuf-reader.ts';
import { oddField } from './odd-field.ts';
import { JsonTranscoder } from './json-transcoder.ts';
import { MessageCodec, type Json } from './message-codec.ts';
import table from './generated/protobuf.json' with { type: 'json' };
import { typeNameOf } from './registry.ts';

const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
const META = 'apimachinery_pkg_apis_meta_v1';

const codec = new MessageCodec(table.messages);
const transcoder = new JsonTranscoder(table.messages, {
  encode: (message, value) => codec.encode(message, value as Json),
});

/** Of one kind, that are remembered. */
const VERSIONS_MAX = 8;

/** Types that no resource has, but that clients send or get. */
const metaKinds = new Set(
  'Status DeleteOptions PartialObjectMetadata APIVersions APIGroupList APIGroup APIResourceList'.split(
    ' ',
  ),
);
const AGGREGATED_DISCOVERY = 'APIGroupDiscoveryList';

/** By kind, and within that by version; built-in kinds only, of which there are not many. */
const messagesOfKinds = new Map<string, Map<string, string>>();

/** The message of a kind; undefined when it has none (custom resources, tables). */
export function messageOf(apiVersion: string, kind: string): string | undefined {
  const known = messagesOfKinds.get(kind)?.get(apiVersion);
  if (known !== undefined) return known;
  const found = findMessage(apiVersion, kind);
  if (found === undefined) return undefined;
  const versions = messagesOfKinds.get(kind);
  if (versions === undefined) messagesOfKinds.set(kind, new Map([[apiVersion, found]]));
  // Some kinds take any version for their own.
  else if (versions.size < VERSIONS_MAX) versions.set(apiVersion, found);
  return found;
}

function findMessage(apiVersion: string, kind: string): string | undefined {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const name = typeNameOf(group, apiVersion.slice(slash + 1), kind);
  if (name !== undefined) {
    const message = name.replace(/^io\.k8s\./, '').replaceAll(/[.-]/g, '_');
    if (codec.has(message)) return message;
  }
  if (kind === AGGREGATED_DISCOVERY) return `api_apidiscovery_v2_${kind}`;
  return metaKinds.has(kind) ? `${META}_${kind}` : undefined;
}

export function isProtobuf(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, index) => bytes[index] === byte);
}

interface Unknown {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

const unknownFields = ['TypeMeta', 'Raw', 'ContentEncoding', 'ContentType'].map((name, index) => ({
  name,
  tag: index + 1,
}));
const typeFields = [
  { name: 'APIVersion', tag: 1 },
  { name: 'Kind', tag: 2 },
];

/** The fields of runtime.Unknown: TypeMeta under 1, the bytes under 2. */
function readUnknown(bytes: Uint8Array): Unknown {
  const reader = new Reader(bytes);
  let apiVersion = '';
  let kind = '';
  let raw = new Uint8Array();
  while (reader.at < reader.end) {
    const key = reader.u();
    if (key === 18) raw = reader.b() as Uint8Array<ArrayBuffer>;
    else if (key === 26 || key === 34) reader.skip(2);
    else if (key === 10) {
      const end = reader.u() + reader.at;
      const whole = reader.end;
      if (end > whole) throw new RangeError('truncated type');
      reader.end = end;
      while (reader.at < end) {
        const inner = reader.u();
        if (inner === 10) apiVersion = reader.s();
        else if (inner === 18) kind = reader.s();
        else oddField('TypeMeta', typeFields, inner, reader);
      }
      reader.end = whole;
    } else oddField('Unknown', unknownFields, key, reader);
  }
  return { apiVersion, kind, raw };
}

interface ObjectType {
  readonly apiVersion: string;
  readonly kind: string;
}

/**
 * The object in an envelope, as JSON; `usual` is what it is when it does not say so, `current` gives the version that
 * is read for one that is no more. Fault `bad-protobuf`.
 */
export function decodeEnvelope(
  bytes: Uint8Array,
  usual?: ObjectType,
  current: (apiVersion: string, kind: string) => string = (apiVersion) => apiVersion,
): Json {
  if (!isProtobuf(bytes)) {
    throw protobufFault(
      'Unknown',
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  let unknown: Unknown;
  try {
    unknown = readUnknown(bytes.subarray(MAGIC.length));
  } catch (error) {
    throw protobufFault('Unknown', (error as Error).message);
  }
  const { raw } = unknown;
  const apiVersion = unknown.apiVersion || (usual?.apiVersion ?? '');
  const kind = unknown.kind || (usual?.kind ?? '');
  const message = messageOf(current(apiVersion, kind), kind);
  if (bytes.length === MAGIC.length) throw protobufFault('Unknown', 'empty body');
  if (message === undefined) throw protobufFault(`${apiVersion} ${kind}`, 'no such message');
  return { apiVersion, kind, ...codec.decode(message, raw) };
}

const LIST = 'List';

/** An answer in its envelope, of a list, too: its metadata are under 1, its items under 2. */
export function decodeAnswer(bytes: Uint8Array): Json {
  const { apiVersion, kind, raw } = readUnknown(bytes.subarray(MAGIC.length));
  const item = kind.endsWith(LIST) ? kind.slice(0, -LIST.length) : undefined;
  const message = item === undefined ? undefined : messageOf(apiVersion, item);
  if (message === undefined || messageOf(apiVersion, kind) !== undefined) {
    return decodeEnvelope(bytes);
  }
  const reader = new Reader(raw);
  const items: Json[] = [];
  let metadata: Json = {};
  while (reader.at < reader.end) {
    const key = reader.u();
    const part = reader.b();
    if (key === 10) metadata = codec.decode(`${META}_ListMeta`, part);
    else if (key === 18) items.push(codec.decode(message, part));
  }
  return { kind, apiVersion, metadata, items };
}

/** The bare message of an object; undefined when its kind has none. */
export function encodeObject(object: Json): Uint8Array | undefined {
  const message = messageOf(String(object['apiVersion'] ?? ''), String(object['kind']));
  return message === undefined ? undefined : codec.encode(message, object);
}

/**
 * The same of an object's JSON, with the version; undefined also when that is not written as transcode() reads it. A
 * view of memory that the next call writes to.
 */
export function transcodeObject(
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
  json: Buffer,
  version: string,
): Uint8Array | undefined {
  const message = messageOf(apiVersion, kind);
  return message === undefined ? undefined : transcoder.transcode(message, json, version);
}

export function decodeMessage(message: string, bytes: Uint8Array): Json {
  return codec.decode(message, bytes);
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

function putVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest > 127) {
    target[next++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  target[next++] = rest;
  return next;
}

function lengthDelimited(tag: number, bytes: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafe(1 + varintSize(bytes.length) + bytes.length);
  out[0] = (tag << 3) | 2;
  out.set(bytes, putVarint(out, 1, bytes.length));
  return out;
}

const heads = new Map<string, Uint8Array>();

/** Magic, type and the tag of the bytes that follow; the same for all objects of a kind. */
function headOf(apiVersion: string, kind: string): Uint8Array {
  const key = `${apiVersion} ${kind}`;
  let head = heads.get(key);
  if (head === undefined) {
    const type = Buffer.concat([
      lengthDelimited(1, Buffer.from(apiVersion)),
      lengthDelimited(2, Buffer.from(kind)),
    ]);
    head = Buffer.concat([MAGIC, lengthDelimited(1, type), Buffer.from([0x12])]);
    heads.set(key, head);
  }
  return head;
}

/** Encoding and type of the content, which nobody sets, are there all the same. */
const TAIL = Buffer.from([0x1a, 0x00, 0x22, 0x00]);

/** The parts of an envelope around bytes that are `size` long in all. */
export function envelopeAround(
  apiVersion: string,
  kind: string,
  size: number,
): { head: Uint8Array; tail: Uint8Array } {
  const fixed = headOf(apiVersion, kind);
  const head = Buffer.allocUnsafe(fixed.length + varintSize(size));
  head.set(fixed);
  putVarint(head, fixed.length, size);
  return { head, tail: TAIL };
}

export function envelope(apiVersion: string, kind: string, raw: Uint8Array): Buffer {
  const { head, tail } = envelopeAround(apiVersion, kind, raw.length);
  return Buffer.concat([head, raw, tail]);
}

/** An object in its envelope; undefined when its kind has no message. */
export function encodeEnvelope(object: Json): Buffer | undefined {
  const raw = encodeObject(object);
  if (raw === undefined) return undefined;
  return envelope(String(object['apiVersion'] ?? ''), String(object['kind']), raw);
}

/**
 * A message, or its bytes as characters of Latin-1: as a text a kept one is smaller, and less work for the collector.
 */
export type ListItem = Uint8Array | string;

/** What is before and behind the items (see listItems) of a list in its envelope: metadata is field 1. */
export function listEnds(
  list: { readonly apiVersion: string; readonly kind: string; readonly metadata: Json },
  items: Iterable<ListItem>,
): { before: Buffer; after: Buffer } {
  const metadata = lengthDelimited(1, codec.encode(`${META}_ListMeta`, list.metadata));
  let size = metadata.length;
  for (const { length } of items) size += 1 + varintSize(length) + length;
  const { head, tail } = envelopeAround(list.apiVersion, list.kind, size);
  return { before: Buffer.concat([head, metadata]), after: Buffer.from(tail) };
}

/** Items of a list, behind other bytes; every list type of Kubernetes has them under 2. */
export function listItems(
  items: readonly ListItem[],
  before: Buffer,
  allocate: (size: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  let size = before.length;
  for (const { length } of items) size += 1 + varintSize(length) + length;
  const out = allocate(size);
  let at = before.copy(out);
  for (const item of items) {
    out[at++] = 0x12;
    at = putVarint(out, at, item.length);
    if (typeof item === 'string') out.write(item, at, 'latin1');
    else out.set(item, at);
    at += item.length;
  }
  return out;
}

/** A list in its envelope. */
export function encodeList(
  list: { readonly apiVersion: string; readonly kind: string; readonly metadata: Json },
  items: readonly ListItem[],
): Buffer {
  const { before, after } = listEnds(list, items);
  return Buffer.concat([listItems(items, before), after]);
}

/** One frame of a watch: its length in four bytes, then a WatchEvent whose object is an envelope. */
export function watchFrame(type: string, object: Uint8Array): Buffer {
  const extension = lengthDelimited(1, object);
  const event = Buffer.concat([
    lengthDelimited(1, Buffer.from(type)),
    lengthDelimited(2, extension),
  ]);
  const frame = Buffer.allocUnsafe(4 + event.length);
  frame.writeUInt32BE(event.length);
  frame.set(event, 4);
  return frame;
}
