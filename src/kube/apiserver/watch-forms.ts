// How events look on the wire: JSON lines or protobuf frames, of whole objects, metadata only, or tables.
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import { apiVersionOf, type KubeObject } from '#kube/meta/object.ts';
import type { Status } from '#kube/meta/status.ts';
import { encodeEnvelope, envelope, watchFrame } from '#kube/types/protobuf.ts';
import { toTable } from './printers/table.ts';
import { mediaTypes, type Accepted } from './negotiation.ts';
import { partialObject } from './metadata-only.ts';
import { jsonBytes, objectFor, protobufBytes } from './object-store.ts';
import type { WatchEvent } from './selection.ts';

type Json = Record<string, unknown>;

export interface WatchForm {
  /** Clients whose forms have one key are sent the same bytes. */
  readonly key: string;
  readonly contentType: string;
  event(event: WatchEvent): Buffer;
  /** BOOKMARK or ERROR. */
  other(type: 'BOOKMARK' | 'ERROR', object: Json): Buffer;
}

export type TableOptions = Parameters<typeof toTable>[2];

function jsonLine(type: string, object: unknown): Buffer {
  return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
}

function protobufFrame(type: string, object: Json): Buffer {
  return watchFrame(type, encodeEnvelope(object) ?? Buffer.from(JSON.stringify(object)));
}

function wholeJson(info: ResourceInfo): WatchForm {
  return {
    key: 'json',
    contentType: mediaTypes.json,
    event: ({ type, kv, revision }) =>
      jsonBytes(info, kv, { revision, before: `{"type":"${type}","object":`, after: '}\n' }),
    other: jsonLine,
  };
}

function wholeProtobuf(info: ResourceInfo): WatchForm {
  const apiVersion = apiVersionOf(info);
  return {
    key: 'protobuf',
    contentType: `${mediaTypes.protobuf};stream=watch`,
    event({ type, kv, revision }) {
      const raw = protobufBytes(info, kv, revision) ?? new Uint8Array();
      return watchFrame(type, envelope(apiVersion, info.kind, raw));
    },
    other: protobufFrame,
  };
}

function metadataOf(info: ResourceInfo, { kv, revision }: WatchEvent, version: string): Json {
  const shown = partialObject(info, objectFor(info, kv), version);
  return { ...shown, metadata: { ...shown.metadata, resourceVersion: String(revision) } };
}

function metadataOnly(info: ResourceInfo, { media, version }: Accepted): WatchForm {
  const frame = media === 'protobuf' ? protobufFrame : jsonLine;
  return {
    key: `metadata ${media} ${version}`,
    contentType: media === 'protobuf' ? `${mediaTypes.protobuf};stream=watch` : mediaTypes.json,
    event: (event) => frame(event.type, metadataOf(info, event, version)),
    other: (type, object) =>
      frame(
        type,
        type === 'ERROR'
          ? object
          : {
              ...object,
              kind: 'PartialObjectMetadata',
              apiVersion: `meta.k8s.io/${version}`,
            },
      ),
  };
}

let tables = 0;

/** Only the first table of a stream names its columns, so that every client has a stream of its own. */
function tableForm(
  info: ResourceInfo,
  options: (metadata: Json, withColumns: boolean) => TableOptions,
): WatchForm {
  let isFirst = true;
  tables += 1;
  return {
    key: `table ${tables}`,
    contentType: mediaTypes.json,
    event({ type, kv, revision }) {
      const object = objectFor(info, kv);
      const resourceVersion = String(revision);
      const at = { ...object, metadata: { ...object.metadata, resourceVersion } };
      const table = toTable(info, [at], options({ resourceVersion }, isFirst));
      isFirst = false;
      return jsonLine(type, table);
    },
    other(type, object) {
      if (type === 'ERROR') return jsonLine(type, object);
      const { metadata } = object as { metadata: Json };
      const table = toTable(info, [object as KubeObject], options(metadata, isFirst));
      isFirst = false;
      return jsonLine(type, table);
    },
  };
}

export function watchForm(
  info: ResourceInfo,
  accepted: Accepted,
  options: (metadata: Json, withColumns: boolean) => TableOptions,
): WatchForm {
  if (accepted.as === 'Table') return tableForm(info, options);
  if (accepted.as !== undefined) return metadataOnly(info, accepted);
  return accepted.media === 'protobuf' ? wholeProtobuf(info) : wholeJson(info);
}

/** An empty object that only tells a version. */
export function bookmark(info: ResourceInfo, revision: number, isInitialEnd: boolean): Json {
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  return {
    kind: info.kind,
    apiVersion: apiVersionOf(info),
    metadata: { resourceVersion: String(revision), ...annotations },
  };
}

export function errorFrame(form: WatchForm, status: Status): Buffer {
  return form.other('ERROR', status as unknown as Json);
}
