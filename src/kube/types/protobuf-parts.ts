// Protobuf messages put together out of parts, for documents whose shape is known only while they are read:
// each part is a field with its tag. Where the shape is fixed, codec/protobuf-writer.ts is faster.
import { Reader } from '#codec/protobuf-reader.ts';

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

const tag = (field: number, wire: number): Buffer => varint(field * 8 + wire);

export const message = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);

/** A message or bytes. */
export const bytesPart = (field: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([tag(field, 2), varint(bytes.length), bytes]);

export const textPart = (field: number, text: string): Buffer =>
  bytesPart(field, Buffer.from(text));

/** Not negative, below 2^53. */
export const countPart = (field: number, value: number): Buffer =>
  Buffer.concat([tag(field, 0), varint(value)]);

export function doublePart(field: number, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), bytes]);
}

/** After its length, as streams of messages have it. */
export const delimited = (bytes: Uint8Array): Buffer =>
  Buffer.concat([varint(bytes.length), bytes]);

/** Calls back with each field of a message that is in no table: its tag and its value. Throws for what is none. */
export function eachField(
  bytes: Uint8Array,
  on: (tag: number, value: Buffer | number) => void,
): void {
  const reader = new Reader(bytes);
  while (reader.at < reader.end) {
    const key = reader.u();
    const wire = key & 7;
    if (wire === 2) on(key >>> 3, Buffer.from(reader.b()));
    else if (wire === 0) on(key >>> 3, reader.u());
    else throw new Error(`cannot parse invalid wire-format data: wire type ${wire}`);
  }
}
