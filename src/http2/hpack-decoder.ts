// Header blocks out of their compressed form (HPACK, RFC 7541), with the table that a connection's blocks fill.
import { decodeHuffman } from './huffman.ts';
import { staticTable } from './hpack-tables.ts';

/** What an entry costs beside its octets (RFC 7541, section 4.1). */
const ENTRY_BYTES = 32;
const INTEGER_MAX = 2 ** 28;

/** Flat: name, value, name, value. Octets are Latin-1 characters. */
export type HeaderList = string[];

/** The block cannot be read, and none after it: the connection has to end (COMPRESSION_ERROR). */
export class CompressionError extends Error {}

interface Entry {
  readonly name: string;
  readonly value: string;
}

export class HpackDecoder {
  /** What this side has told the other that it may fill. */
  readonly #sizeAllowed: number;
  #sizeMax: number;
  #size = 0;
  /** The newest is the last; those before `#oldest` are gone. */
  #entries: Entry[] = [];
  #oldest = 0;

  constructor(sizeAllowed = 4_096) {
    this.#sizeAllowed = sizeAllowed;
    this.#sizeMax = sizeAllowed;
  }

  /**
   * Throws CompressionError. A list that is longer than `bytesMax` (counted as entries of the table are) is
   * undefined; the table is as if it had been read.
   */
  decode(block: Buffer, bytesMax: number): HeaderList | undefined {
    const reader = new Reader(block);
    const list: HeaderList = [];
    let bytes = 0;
    let isBegun = false;
    while (!reader.isAtEnd) {
      const first = reader.peek();
      if ((first & 0xe0) === 0x20) {
        if (isBegun) throw new CompressionError('the size of the table changes within a block');
        this.#resize(reader.integer(5));
        continue;
      }
      isBegun = true;
      const { name, value } = this.#field(reader, first);
      bytes += name.length + value.length + ENTRY_BYTES;
      if (bytes <= bytesMax) list.push(name, value);
    }
    return bytes <= bytesMax ? list : undefined;
  }

  #field(reader: Reader, first: number): Entry {
    if (first >= 0x80) return this.#at(reader.integer(7));
    const isKept = first >= 0x40;
    const index = reader.integer(isKept ? 6 : 4);
    const name = index === 0 ? reader.text() : this.#at(index).name;
    const entry = { name, value: reader.text() };
    if (isKept) this.#keep(entry);
    return entry;
  }

  #at(index: number): Entry {
    const known = staticTable[index - 1];
    if (known !== undefined) return { name: known[0], value: known[1] };
    const at = this.#entries.length - (index - staticTable.length);
    const entry = index === 0 || at < this.#oldest ? undefined : this.#entries[at];
    if (entry === undefined) throw new CompressionError(`the table has no entry ${index}`);
    return entry;
  }

  #keep(entry: Entry): void {
    const size = sizeOf(entry);
    this.#evict(this.#sizeMax - size);
    if (size > this.#sizeMax) return;
    this.#entries.push(entry);
    this.#size += size;
  }

  #resize(sizeMax: number): void {
    if (sizeMax > this.#sizeAllowed) throw new CompressionError('the table is made too large');
    this.#sizeMax = sizeMax;
    this.#evict(sizeMax);
  }

  #evict(sizeMax: number): void {
    while (this.#size > Math.max(0, sizeMax)) {
      this.#size -= sizeOf(this.#entries[this.#oldest] as Entry);
      this.#oldest += 1;
    }
    if (this.#oldest < 256) return;
    this.#entries = this.#entries.slice(this.#oldest);
    this.#oldest = 0;
  }
}

const sizeOf = ({ name, value }: Entry): number => name.length + value.length + ENTRY_BYTES;

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  /** In the last `prefix` bits of an octet, and in those that follow. */
  integer(prefix: number): number {
    const most = (1 << prefix) - 1;
    let value = this.#octet() & most;
    if (value < most) return value;
    for (let factor = 1; ; factor *= 128) {
      const octet = this.#octet();
      value += (octet & 127) * factor;
      if (value > INTEGER_MAX) throw new CompressionError('an integer is too large');
      if (octet < 128) return value;
      if (factor > INTEGER_MAX) throw new CompressionError('an integer is too long');
    }
  }

  text(): string {
    const isCoded = this.peek() >= 128;
    const length = this.integer(7);
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new CompressionError('a text is cut off');
    if (!isCoded) return this.#bytes.toString('latin1', from, this.#at);
    const text = decodeHuffman(this.#bytes.subarray(from, this.#at));
    if (text === undefined) throw new CompressionError('a text is not in the code');
    return text;
  }

  #octet(): number {
    const octet = this.#bytes[this.#at];
    if (octet === undefined) throw new CompressionError('the block is cut off');
    this.#at += 1;
    return octet;
  }
}
