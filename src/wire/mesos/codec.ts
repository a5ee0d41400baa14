// Bytes and JSON to and from the messages of v1.ts, by message name.
import { Codec } from '#codec/protobuf-codec.ts';
import { JsonMapping } from '#codec/proto-json.ts';
import { Schema } from '#codec/protobuf.ts';
import { descriptors, type Messages } from './v1.ts';

export type MessageName = keyof Messages & string;

const schema = new Schema(descriptors);
const codec = new Codec(schema);
const mapping = new JsonMapping(schema);

export function encode<N extends MessageName>(name: N, value: Messages[N]): Uint8Array {
  return codec.encode(name, value);
}

/** Fault `bad-protobuf`. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): Messages[N] {
  return codec.decode(name, bytes) as unknown as Messages[N];
}

/** A plain JSON value: bytes as base64. */
export function toJson<N extends MessageName>(name: N, value: Messages[N]): object {
  return JSON.parse(mapping.stringify(name, value)) as object;
}

export function stringify<N extends MessageName>(name: N, value: Messages[N]): string {
  return mapping.stringify(name, value);
}

/** Fault `bad-json` with the path of the first wrong field. */
export function fromJson<N extends MessageName>(name: N, json: unknown): Messages[N] {
  return mapping.fromJson(name, json) as unknown as Messages[N];
}

export function parseJson<N extends MessageName>(name: N, text: string): Messages[N] {
  return mapping.parse(name, text) as unknown as Messages[N];
}

/** The number of a field, for messages that are put together out of parts. */
export function tagOf(message: MessageName, field: string): number {
  const found = schema.fields(message).find(({ name }) => name === field);
  if (found === undefined) throw new Error(`No field ${field} in ${message}`);
  return found.tag;
}

/** The wire number of an enum value, e.g. for the legacy endpoints; undefined when unknown. */
export function enumNumber(enumeration: string, value: string): number | undefined {
  return schema.enumeration(enumeration).byName.get(value);
}
