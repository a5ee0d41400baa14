// What lies in the store for a value that is encrypted by a KMS v2 plugin: the message EncryptedObject of
// k8s.io/apiserver v0.37, read by hand because it is the only one.
import { bytesPart, countPart, message, textPart } from '#kube/types/protobuf-parts.ts';

export interface Envelope {
  readonly data: Buffer;
  readonly keyId: string;
  readonly encryptedSource: Buffer;
  readonly annotations: Readonly<Record<string, Buffer>>;
  /** Else it is the key itself. */
  readonly isSeed: boolean;
}

export function encodeEnvelope(envelope: Envelope): Buffer {
  const { data, keyId, encryptedSource, annotations, isSeed } = envelope;
  return message(
    bytesPart(1, data),
    textPart(2, keyId),
    bytesPart(3, encryptedSource),
    ...Object.entries(annotations).map(([key, value]) =>
      bytesPart(4, message(textPart(1, key), bytesPart(2, value))),
    ),
    ...(isSeed ? [countPart(5, 1)] : []),
  );
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('unexpected EOF');
  }

  bytes(): Buffer {
    const length = this.varint();
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    if (value.length !== length) throw new Error('unexpected EOF');
    this.#at += length;
    return value;
  }
}

/** Calls back with each field: its tag and its value. */
function fields(bytes: Buffer, on: (tag: number, value: Buffer | number) => void): void {
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const key = reader.varint();
    const wire = key & 7;
    if (wire === 2) on(key >>> 3, reader.bytes());
    else if (wire === 0) on(key >>> 3, reader.varint());
    else throw new Error(`cannot parse invalid wire-format data: wire type ${wire}`);
  }
}

/** Throws an Error for what is no such message. */
export function decodeEnvelope(bytes: Buffer): Envelope {
  let data: Buffer = Buffer.alloc(0);
  let keyId = '';
  let encryptedSource: Buffer = Buffer.alloc(0);
  let isSeed = false;
  const annotations: Record<string, Buffer> = {};
  fields(bytes, (tag, value) => {
    if (tag === 5) isSeed = value === 1;
    if (!Buffer.isBuffer(value)) return;
    if (tag === 1) data = value;
    else if (tag === 2) keyId = value.toString();
    else if (tag === 3) encryptedSource = value;
    else if (tag === 4) {
      let name = '';
      let own: Buffer = Buffer.alloc(0);
      fields(value, (inner, part) => {
        if (inner === 1) name = part.toString();
        else if (Buffer.isBuffer(part)) own = part;
      });
      annotations[name] = own;
    }
  });
  if (keyId === '') throw new Error('failed to validate key id: keyID is empty');
  if (encryptedSource.length === 0) {
    throw new Error('failed to validate encrypted DEK source: encrypted DEK source is empty');
  }
  return { data, keyId, encryptedSource, annotations, isSeed };
}
