// Buffers for the pieces of long answers, used again as soon as a piece has been written: a list of a hundred megabytes
// would otherwise make the collector look through all objects there are, more than once.

/** A piece of a list (list-pieces.ts) fits in; what is longer has a buffer of its own. */
const BUFFER_BYTES = 256 * 1024;
/** As many as wait for one client (slow-client.ts); others that list at the same time make theirs, which go. */
const KEPT_MAX = 8;

export class PieceBuffers {
  readonly #free: ArrayBuffer[] = [];

  take(size: number): Buffer {
    if (size > BUFFER_BYTES) return Buffer.allocUnsafeSlow(size);
    const memory = this.#free.pop() ?? (Buffer.allocUnsafeSlow(BUFFER_BYTES).buffer as ArrayBuffer);
    return Buffer.from(memory, 0, size);
  }

  /** Only of take(), once, and when nobody reads it any more: its bytes become those of another answer. */
  giveBack({ buffer }: Buffer): void {
    if (buffer.byteLength !== BUFFER_BYTES || this.#free.length >= KEPT_MAX) return;
    this.#free.push(buffer as ArrayBuffer);
  }
}
