// What lies in the store for a value that is encrypted by a KMS v2 plugin: the message EncryptedObject of
// k8s.io/apiserver v0.37; it is in no table of messages.
import { bytesPart, countPart, eachField, message, textPart } from '#kube/types/protobuf-parts.ts';

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

/** Throws an Error for what is no such message. */
export function decodeEnvelope(bytes: Buffer): Envelope {
  let data: Buffer = Buffer.alloc(0);
  let keyId = '';
  let encryptedSource: Buffer = Buffer.alloc(0);
  let isSeed = false;
  const annotations: Record<string, Buffer> = {};
  eachField(bytes, (tag, value) => {
    if (tag === 5) isSeed = value === 1;
    if (!Buffer.isBuffer(value)) return;
    if (tag === 1) data = value;
    else if (tag === 2) keyId = value.toString();
    else if (tag === 3) encryptedSource = value;
    else if (tag === 4) {
      let name = '';
      let own: Buffer = Buffer.alloc(0);
      eachField(value, (inner, part) => {
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
