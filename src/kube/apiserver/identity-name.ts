// By what API servers of one cluster tell each other apart: a name made of that of the machine.
import { createHash } from 'node:crypto';

export const COMPONENT = 'kube-apiserver';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Without padding. */
function base32(bytes: Uint8Array): string {
  let [text, rest, bits] = ['', 0, 0];
  for (const byte of bytes) {
    rest = (rest << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(rest >> (bits - 5)) & 31] ?? '';
    rest &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + (ALPHABET[(rest << (5 - bits)) & 31] ?? '');
}

/** As upstream's: another start on the same machine takes up the same lease. */
export function identityName(host: string): string {
  const hash = createHash('sha256');
  for (const part of [host, COMPONENT]) {
    const bytes = Buffer.from(part);
    hash.update(Buffer.from([bytes.length >> 8, bytes.length & 255])).update(bytes);
  }
  return `apiserver-${base32(hash.digest().subarray(0, 16))}`;
}
