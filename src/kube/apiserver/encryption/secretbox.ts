// NaCl's secretbox (XSalsa20 and Poly1305), which node:crypto has not: what upstream's provider of that
// name writes. D. J. Bernstein: "Extending the Salsa20 nonce" and "The Poly1305-AES message-authentication
// code".
import { timingSafeEqual } from 'node:crypto';

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const TAG_BYTES = 16;

const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

/** Twenty rounds on sixteen words, in place. */
function rounds(x: Int32Array): void {
  const quarter = (a: number, b: number, c: number, d: number): void => {
    x[b] = (x[b] as number) ^ rotate(((x[a] as number) + (x[d] as number)) | 0, 7);
    x[c] = (x[c] as number) ^ rotate(((x[b] as number) + (x[a] as number)) | 0, 9);
    x[d] = (x[d] as number) ^ rotate(((x[c] as number) + (x[b] as number)) | 0, 13);
    x[a] = (x[a] as number) ^ rotate(((x[d] as number) + (x[c] as number)) | 0, 18);
  };
  for (let i = 0; i < 10; i++) {
    quarter(0, 4, 8, 12);
    quarter(5, 9, 13, 1);
    quarter(10, 14, 2, 6);
    quarter(15, 3, 7, 11);
    quarter(0, 1, 2, 3);
    quarter(5, 6, 7, 4);
    quarter(10, 11, 8, 9);
    quarter(15, 12, 13, 14);
  }
}

/** Salsa20's matrix of a key and 16 bytes of nonce and counter. */
function matrix(key: Buffer, input: Buffer): Int32Array {
  const x = new Int32Array(16);
  [0, 5, 10, 15].forEach((at, i) => (x[at] = SIGMA[i] as number));
  for (let i = 0; i < 4; i++) {
    x[1 + i] = key.readInt32LE(4 * i);
    x[11 + i] = key.readInt32LE(16 + 4 * i);
    x[6 + i] = input.readInt32LE(4 * i);
  }
  return x;
}

function hsalsa20(key: Buffer, input: Buffer): Buffer {
  const x = matrix(key, input);
  rounds(x);
  const out = Buffer.alloc(KEY_BYTES);
  [0, 5, 10, 15, 6, 7, 8, 9].forEach((at, i) => out.writeInt32LE(x[at] as number, 4 * i));
  return out;
}

/** The key stream of `length` bytes. */
function xsalsa20(key: Buffer, nonce: Buffer, length: number): Buffer {
  const subkey = hsalsa20(key, nonce.subarray(0, 16));
  const out = Buffer.alloc(Math.ceil(length / 64) * 64);
  const input = Buffer.alloc(16);
  nonce.copy(input, 0, 16, 24);
  for (let block = 0; block * 64 < length; block++) {
    input.writeUInt32LE(block, 8);
    const start = matrix(subkey, input);
    const x = start.slice();
    rounds(x);
    for (let i = 0; i < 16; i++) {
      out.writeInt32LE(((x[i] as number) + (start[i] as number)) | 0, 64 * block + 4 * i);
    }
  }
  return out.subarray(0, length);
}

const LIMBS = 10;
const LIMB_BITS = 13;
const LIMB = 0x1fff;

/** 130 bits in limbs of 13; `top`: what is behind the last byte. */
function limbsOf(bytes: Buffer, top: number): Int32Array {
  const limbs = new Int32Array(LIMBS);
  let at = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < LIMBS; i++) {
    while (bits < LIMB_BITS && at <= 16) {
      held |= (at === 16 ? top : (bytes[at] ?? 0)) << bits;
      at += 1;
      bits += 8;
    }
    limbs[i] = held & LIMB;
    held >>>= LIMB_BITS;
    bits -= LIMB_BITS;
  }
  return limbs;
}

/** h = (h + block) * r mod 2^130 - 5 */
function absorb(h: Int32Array, block: Int32Array, r: Int32Array): void {
  for (let i = 0; i < LIMBS; i++) h[i] = (h[i] as number) + (block[i] as number);
  const product = new Float64Array(LIMBS);
  for (let i = 0; i < LIMBS; i++) {
    for (let j = 0; j < LIMBS; j++) {
      const value = (h[i] as number) * (r[j] as number);
      if (i + j < LIMBS) product[i + j] = (product[i + j] as number) + value;
      else product[i + j - LIMBS] = (product[i + j - LIMBS] as number) + 5 * value;
    }
  }
  let carry = 0;
  for (let i = 0; i < LIMBS; i++) {
    const value = (product[i] as number) + carry;
    h[i] = value % (LIMB + 1);
    carry = Math.floor(value / (LIMB + 1));
  }
  const first = (h[0] as number) + 5 * carry;
  h[0] = first & LIMB;
  h[1] = (h[1] as number) + (first >>> LIMB_BITS);
}

function poly1305(message: Buffer, key: Buffer): Buffer {
  const clamped = Buffer.from(key.subarray(0, 16));
  for (const i of [3, 7, 11, 15]) clamped[i] = (clamped[i] as number) & 15;
  for (const i of [4, 8, 12]) clamped[i] = (clamped[i] as number) & 252;
  const r = limbsOf(clamped, 0);
  const h = new Int32Array(LIMBS);
  for (let at = 0; at < message.length; at += 16) {
    const part = message.subarray(at, at + 16);
    if (part.length === 16) absorb(h, limbsOf(part, 1), r);
    else absorb(h, limbsOf(Buffer.concat([part, Buffer.of(1)], 16), 0), r);
  }
  let value = 0n;
  for (let i = LIMBS - 1; i >= 0; i--) value = (value << 13n) + BigInt(h[i] as number);
  const prime = (1n << 130n) - 5n;
  const pad = key.readBigUInt64LE(16) | (key.readBigUInt64LE(24) << 64n);
  const sum = ((value % prime) + pad) & ((1n << 128n) - 1n);
  const tag = Buffer.alloc(TAG_BYTES);
  tag.writeBigUInt64LE(sum & 0xffff_ffff_ffff_ffffn, 0);
  tag.writeBigUInt64LE(sum >> 64n, 8);
  return tag;
}

function crossed(data: Buffer, stream: Buffer): Buffer {
  const out = Buffer.alloc(data.length);
  for (let i = 0; i < data.length; i++) out[i] = (data[i] as number) ^ (stream[i] as number);
  return out;
}

/** The tag and the sealed message. */
export function seal(message: Buffer, nonce: Buffer, key: Buffer): Buffer {
  const stream = xsalsa20(key, nonce, 32 + message.length);
  const sealed = crossed(message, stream.subarray(32));
  return Buffer.concat([poly1305(sealed, stream.subarray(0, 32)), sealed]);
}

/** undefined when the key is another one, or anything was changed. */
export function open(box: Buffer, nonce: Buffer, key: Buffer): Buffer | undefined {
  if (box.length < TAG_BYTES) return undefined;
  const [tag, sealed] = [box.subarray(0, TAG_BYTES), box.subarray(TAG_BYTES)];
  const stream = xsalsa20(key, nonce, 32 + sealed.length);
  if (!timingSafeEqual(tag, poly1305(sealed, stream.subarray(0, 32)))) return undefined;
  return crossed(sealed, stream.subarray(32));
}
