// Between the agent and the bytes of its messages: one place that knows the codec's names.
import { decode, encode } from '#wire/mesos/codec.ts';

const RECORD_HEADER_BYTES = 4;

/** A record of a checkpoint file: its length as a little-endian uint32, then the message. */
export function encodeCheckpoint(messageName: string, value: unknown): Uint8Array {
  const body = encode(messageName as never, value as never);
  const record = new Uint8Array(RECORD_HEADER_BYTES + body.length);
  new DataView(record.buffer).setUint32(0, body.length, true);
  record.set(body, RECORD_HEADER_BYTES);
  return record;
}

/** Every whole record; the last one may have been cut off by a crash and is left out. */
export function decodeCheckpoint<T>(messageName: string, bytes: Uint8Array): T[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: T[] = [];
  let at = 0;
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, true);
    const end = at + RECORD_HEADER_BYTES + length;
    if (end > bytes.length) break;
    const body = bytes.subarray(at + RECORD_HEADER_BYTES, end);
    values.push(decode(messageName as never, body) as T);
    at = end;
  }
  return values;
}
