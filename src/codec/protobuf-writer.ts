// Writes protobuf into one growing buffer; lengths of nested messages are put in afterwards.

export class Writer {
  #bytes = Buffer.allocUnsafe(1024);
  #size = 0;

  #need(count: number): void {
    if (this.#size + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#size + count));
    this.#bytes.copy(grown, 0, 0, this.#size);
    this.#bytes = grown;
  }

  /** Begins anew; the buffer is kept. */
  reset(): void {
    this.#size = 0;
  }

  /** A copy of what was written since the last reset; small ones share memory, thousands of them are kept. */
  take(): Uint8Array {
    const copy = Buffer.allocUnsafe(this.#size);
    this.#bytes.copy(copy, 0, 0, this.#size);
    return copy;
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  /** The same out of the pool: many small ones share memory. */
  copy(): Uint8Array {
    const copy = Buffer.allocUnsafe(this.#size);
    this.#bytes.copy(copy, 0, 0, this.#size);
    return copy;
  }

  tag(value: number): void {
    if (value > 127) return this.u(value);
    this.#need(1);
    this.#bytes[this.#size++] = value;
  }

  /** Unsigned, up to 2^53. */
  u(value: number): void {
    this.#need(10);
    if (value < 128) {
      this.#bytes[this.#size++] = value;
      return;
    }
    let rest = value;
    while (rest > 0x7fff_ffff) {
      this.#bytes[this.#size++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.#bytes[this.#size++] = (rest & 127) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#size++] = rest;
  }

  L(value: number): void {
    this.u(value);
  }

  i(value: number): void {
    this.l(value);
  }

  /** Exactly where it is a bigint. */
  l(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) {
      this.u(value);
      return;
    }
    this.#need(10);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#bytes[this.#size++] = Number(rest & 127n) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#size++] = Number(rest);
  }

  B(value: boolean): void {
    this.#need(1);
    this.#bytes[this.#size++] = value ? 1 : 0;
  }

  d(value: number): void {
    this.#need(8);
    this.#bytes.writeDoubleLE(value, this.#size);
    this.#size += 8;
  }

  f(value: number): void {
    this.#need(4);
    this.#bytes.writeFloatLE(value, this.#size);
    this.#size += 4;
  }

  s(value: string): void {
    const { length } = value;
    // Worst case three bytes for each UTF-16 unit; short strings have a one-byte length.
    this.#need(length * 3 + 10);
    const bytes = this.#bytes;
    if (length < 48) {
      // Short ASCII, the common case, without a call into the encoder.
      const start = this.#size + 1;
      let at = 0;
      for (; at < length; at++) {
        const code = value.charCodeAt(at);
        if (code > 127) break;
        bytes[start + at] = code;
      }
      if (at === length) {
        bytes[this.#size] = length;
        this.#size = start + length;
        return;
      }
    }
    if (length * 3 < 128) {
      const written = bytes.write(value, this.#size + 1);
      bytes[this.#size] = written;
      this.#size += 1 + written;
      return;
    }
    const size = Buffer.byteLength(value);
    this.u(size);
    bytes.write(value, this.#size);
    this.#size += size;
  }

  b(value: Uint8Array): void {
    this.u(value.length);
    this.#need(value.length);
    this.#bytes.set(value, this.#size);
    this.#size += value.length;
  }

  /** Begins a nested message; give the result to `close`. */
  open(): number {
    this.#need(1);
    this.#size += 1;
    return this.#size;
  }

  close(start: number): void {
    const length = this.#size - start;
    if (length < 128) {
      this.#bytes[start - 1] = length;
      return;
    }
    let extra = 0;
    for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) extra += 1;
    this.#need(extra);
    this.#bytes.copyWithin(start + extra, start, this.#size);
    this.#size = start - 1;
    this.u(length);
    this.#size = start + extra + length;
  }
}
