// Bytes that are kept for long are to be alone in their memory. Node cuts small buffers (`Buffer.from`, `concat`,
// `allocUnsafe`) out of pools of 64 KiB, and one of them that is kept keeps its whole pool.

/** The bytes themselves when their memory is theirs alone, else a copy of the same class. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength === bytes.buffer.byteLength) return bytes;
  if (!Buffer.isBuffer(bytes)) return bytes.slice();
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}
