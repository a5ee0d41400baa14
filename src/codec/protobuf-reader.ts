// Reads protobuf out of bytes; every bound is checked, so truncated or hostile input is an error.

// A byte order mark is text like any other: it must survive a round trip.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Texts read before, by a hash of their bytes: ids, names and roles come again and again, and the same
 * string for all of them costs neither time nor memory.
 */
const TEXTS = 8_192;
const TEXT_LENGTH_MAX = 64;
const texts: string[] = Array.from({ length: TEXTS }, () => '');

/** Little byte strings lie together in pages. */
const PAGE_BYTES = 8_192;
const PACKED_BYTES_MAX = 32;
let page = new ArrayBuffer(PAGE_BYTES);
let pageUsed = 0;

function packed(bytes: Uint8Array): Uint8Array {
  if (pageUsed + bytes.length > PAGE_BYTES) {
    page = new ArrayBuffer(PAGE_BYTES);
    pageUsed = 0;
  }
  const place = new Uint8Array(page, pageUsed, bytes.length);
  place.set(bytes);
  pageUsed += bytes.length;
  return place;
}

export class Reader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  at: number;
  end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.end = bytes.length;
  }

  /** Unsigned varint as a number; above 2^53 the low digits are rounded. */
  u(): number {
    let result = 0;
    let factor = 1;
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw new RangeError('truncated varint');
      const byte = this.#bytes[this.at++] ?? 0;
      result += (byte & 127) * factor;
      if (byte < 128) return result;
      factor *= 128;
    }
    throw new RangeError('varint of more than 10 bytes');
  }

  L(): number {
    return this.u();
  }

  l(): number {
    const start = this.at;
    const value = this.u();
    if (this.at - start < 10) return value;
    // Ten bytes: a negative number in two's complement.
    return Number(BigInt.asIntN(64, this.#bits(start)));
  }

  /** As l(), but a bigint where a number would not tell it from its neighbours. */
  exact(): number | bigint {
    const start = this.at;
    const value = this.u();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    const exact = BigInt.asIntN(64, this.#bits(start));
    const number = Number(exact);
    return Number.isSafeInteger(number) ? number : exact;
  }

  /** Of the varint from there to here. */
  #bits(start: number): bigint {
    let bits = 0n;
    for (let at = start, shift = 0n; at < this.at; at++, shift += 7n)
      bits |= BigInt((this.#bytes[at] ?? 0) & 127) << shift;
    return bits;
  }

  i(): number {
    return this.l() | 0;
  }

  B(): boolean {
    return this.u() !== 0;
  }

  #take(count: number): number {
    const start = this.at;
    if (count > this.end - start) throw new RangeError('truncated field');
    this.at = start + count;
    return start;
  }

  d(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  f(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  b(): Uint8Array {
    const length = this.u();
    const start = this.#take(length);
    // A copy of its own, and never a Buffer, whose `slice` shares memory and whose JSON differs.
    const bytes = this.#bytes.subarray(start, start + length);
    return length <= PACKED_BYTES_MAX ? packed(bytes) : new Uint8Array(bytes);
  }

  s(): string {
    const length = this.u();
    const start = this.#take(length);
    if (length <= TEXT_LENGTH_MAX) return this.#short(start, start + length);
    return decoder.decode(this.#bytes.subarray(start, start + length));
  }

  /** ASCII, the common case, without a call into the decoder. */
  #short(start: number, end: number): string {
    const bytes = this.#bytes;
    let hash = end - start;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] ?? 0;
      if (byte > 127) return decoder.decode(bytes.subarray(start, end));
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const slot = (hash ^ (hash >>> 15)) & (TEXTS - 1);
    const known = texts[slot] ?? '';
    if (known.length === end - start) {
      let at = start;
      while (at < end && known.charCodeAt(at - start) === bytes[at]) at++;
      if (at === end) return known;
    }
    const text = bytes.toString('latin1', start, end);
    texts[slot] = text;
    return text;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.u();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.#take(this.u());
    else if (wireType === 5) this.#take(4);
    else throw new RangeError(`wire type ${wireType}`);
  }
}
