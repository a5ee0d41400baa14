// Bytes in parts that are shared by many ropes and never copied: an answer as it is sent.

/** Smaller parts are put together, so that an answer is not sent in thousands of them. */
const SMALL_BYTES = 16 * 1024;
const BLOCK_BYTES_MAX = 64 * 1024;

export class Rope {
  readonly parts: Uint8Array[] = [];
  length = 0;

  static of(parts: readonly Uint8Array[]): Rope {
    const rope = new Rope();
    for (const part of parts) rope.bytes(part);
    return rope;
  }

  text(text: string): this {
    return this.bytes(Buffer.from(text));
  }

  bytes(bytes: Uint8Array): this {
    if (bytes.length > 0) this.parts.push(bytes);
    this.length += bytes.length;
    return this;
  }

  rope(other: Rope): this {
    for (const part of other.parts) this.parts.push(part);
    this.length += other.length;
    return this;
  }

  /** Elements that each have a comma before them, as a JSON list. */
  list(elements: Rope): this {
    this.text('[');
    for (const [i, part] of elements.parts.entries()) this.bytes(i === 0 ? part.subarray(1) : part);
    return this.text(']');
  }

  /** The same bytes in fewer parts: each small one beside others copied into a block. */
  packed(): Rope {
    const packed = new Rope();
    let small: Uint8Array[] = [];
    let size = 0;
    const flush = (): void => {
      if (size > 0)
        packed.bytes(small.length === 1 ? (small[0] as Uint8Array) : Buffer.concat(small));
      small = [];
      size = 0;
    };
    for (const part of this.parts) {
      if (part.length > SMALL_BYTES) {
        flush();
        packed.bytes(part);
        continue;
      }
      small.push(part);
      size += part.length;
      if (size >= BLOCK_BYTES_MAX) flush();
    }
    flush();
    return packed;
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.parts, this.length);
  }
}
