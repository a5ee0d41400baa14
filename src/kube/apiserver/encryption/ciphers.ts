// The providers of an EncryptionConfiguration that need nobody else: what each puts behind its prefix, as
// k8s.io/apiserver v0.37 does (storage/value/encrypt), so that either server reads what the other wrote.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { NONCE_BYTES, open, seal, TAG_BYTES } from './secretbox.ts';

export interface Transformer {
  /** Values of this provider and key begin with it; empty: plain values. */
  readonly prefix: Buffer;
  encrypt(data: Buffer, key: string): Buffer;
  /** Throws an Error in upstream's words. */
  decrypt(data: Buffer, key: string): Buffer;
  /** Before a value can be decrypted, or undefined when it can be. */
  prepare?(data: Buffer): Promise<void> | undefined;
  /** Whether a value of its own would be written in another way now. */
  isStale?(data: Buffer): boolean;
}

const GCM_NONCE_BYTES = 12;
const GCM_TAG_BYTES = 16;
const CBC_BLOCK_BYTES = 16;

const SHORT = 'the stored data was shorter than the required size';

/** Nonce, sealed data, tag; bound to where the value lies. */
export function sealGcm(secret: Buffer, data: Buffer, key: string): Buffer {
  const nonce = randomBytes(GCM_NONCE_BYTES);
  const cipher = createCipheriv(`aes-${(secret.length * 8) as 128 | 192 | 256}-gcm`, secret, nonce);
  cipher.setAAD(Buffer.from(key));
  return Buffer.concat([nonce, cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}

export function openGcm(secret: Buffer, data: Buffer, key: string): Buffer {
  if (data.length < GCM_NONCE_BYTES + GCM_TAG_BYTES) throw new Error(SHORT);
  const nonce = data.subarray(0, GCM_NONCE_BYTES);
  const size = `aes-${(secret.length * 8) as 128 | 192 | 256}-gcm` as const;
  const decipher = createDecipheriv(size, secret, nonce);
  decipher.setAAD(Buffer.from(key));
  decipher.setAuthTag(data.subarray(-GCM_TAG_BYTES));
  try {
    return Buffer.concat([
      decipher.update(data.subarray(GCM_NONCE_BYTES, -GCM_TAG_BYTES)),
      decipher.final(),
    ]);
  } catch (error) {
    throw new Error('cipher: message authentication failed', { cause: error });
  }
}

export function aesGcm(prefix: Buffer, secret: Buffer): Transformer {
  return {
    prefix,
    encrypt: (data, key) => sealGcm(secret, data, key),
    decrypt: (data, key) => openGcm(secret, data, key),
  };
}

export function aesCbc(prefix: Buffer, secret: Buffer): Transformer {
  const algorithm = `aes-${secret.length * 8}-cbc`;
  return {
    prefix,
    encrypt(data) {
      const iv = randomBytes(CBC_BLOCK_BYTES);
      const cipher = createCipheriv(algorithm, secret, iv);
      return Buffer.concat([iv, cipher.update(data), cipher.final()]);
    },
    decrypt(data) {
      if (data.length < CBC_BLOCK_BYTES) throw new Error(SHORT);
      const sealed = data.subarray(CBC_BLOCK_BYTES);
      if (sealed.length % CBC_BLOCK_BYTES !== 0) {
        throw new Error('the stored data is not a multiple of the block size');
      }
      const decipher = createDecipheriv(algorithm, secret, data.subarray(0, CBC_BLOCK_BYTES));
      try {
        return Buffer.concat([decipher.update(sealed), decipher.final()]);
      } catch (error) {
        throw new Error('invalid padding on input', { cause: error });
      }
    },
  };
}

export function secretbox(prefix: Buffer, secret: Buffer): Transformer {
  return {
    prefix,
    encrypt(data) {
      const nonce = randomBytes(NONCE_BYTES);
      return Buffer.concat([nonce, seal(data, nonce, secret)]);
    },
    decrypt(data) {
      if (data.length < NONCE_BYTES + TAG_BYTES) throw new Error(SHORT);
      const found = open(data.subarray(NONCE_BYTES), data.subarray(0, NONCE_BYTES), secret);
      if (found === undefined) throw new Error('output array was not large enough for encryption');
      return found;
    },
  };
}

const ENCRYPTED = Buffer.from('k8s:enc:');

/** Values as they are: written plainly, and read unless they are encrypted. */
export const identity: Transformer = {
  prefix: Buffer.alloc(0),
  encrypt: (data) => data,
  decrypt(data) {
    if (data.subarray(0, ENCRYPTED.length).equals(ENCRYPTED)) {
      throw new Error('identity transformer tried to read encrypted data');
    }
    return data;
  },
};
