// Huffman-coded texts of HPACK (RFC 7541, section 5.2): read by a table of eight bits, longer codes bit by bit.
import { huffmanLengths } from './hpack-tables.ts';

const LENGTH_MAX = 30;
const TABLE_BITS = 8;

interface Level {
  /** The first code of this length, how many there are, and where their octets begin in `ordered`. */
  first: number;
  count: number;
  start: number;
}

const ordered = [...huffmanLengths.keys()].sort(
  (a, b) => (huffmanLengths[a] ?? 0) - (huffmanLengths[b] ?? 0) || a - b,
);

/** Length of a code in bits -> its codes, which follow each other (the code is canonical). */
function makeLevels(): Level[] {
  const levels = Array.from({ length: LENGTH_MAX + 1 }, () => ({ first: 0, count: 0, start: 0 }));
  for (const length of huffmanLengths) (levels[length] as Level).count += 1;
  let code = 0;
  let start = 0;
  for (const level of levels) {
    code *= 2;
    level.first = code;
    level.start = start;
    code += level.count;
    start += level.count;
  }
  return levels;
}

const levels = makeLevels();

/** The next eight bits -> octet and length of its code (256 * length + octet); 0: the code is longer. */
function makeTable(): Uint16Array {
  const table = new Uint16Array(1 << TABLE_BITS);
  for (let length = 1; length <= TABLE_BITS; length += 1) {
    const { first, count, start } = levels[length] as Level;
    for (let index = 0; index < count; index += 1) {
      const from = (first + index) << (TABLE_BITS - length);
      const to = from + (1 << (TABLE_BITS - length));
      table.fill(length * 256 + (ordered[start + index] ?? 0), from, to);
    }
  }
  return table;
}

const table = makeTable();

/** Of codes that are longer than the table's. */
function longCode(bits: number, count: number): { octet: number; length: number } | undefined {
  for (let length = TABLE_BITS + 1; length <= Math.min(count, LENGTH_MAX); length += 1) {
    const code = Math.floor(bits / 2 ** (count - length));
    const level = levels[length] as Level;
    const index = code - level.first;
    if (index >= 0 && index < level.count)
      return { octet: ordered[level.start + index] ?? 0, length };
  }
  return undefined;
}

/** The octets as Latin-1; undefined: this is no text in the code (or its padding is none). */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  const octets: number[] = [];
  // At most 29 bits wait when another octet comes: beyond 32, so numbers and no shifts.
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = bits * 256 + byte;
    count += 8;
    while (count >= TABLE_BITS) {
      const entry = table[Math.floor(bits / 2 ** (count - TABLE_BITS))] ?? 0;
      let length = entry >> 8;
      let octet = entry & 255;
      if (entry === 0) {
        const found = longCode(bits, count);
        if (found === undefined) {
          if (count >= LENGTH_MAX) return undefined;
          break;
        }
        ({ octet, length } = found);
      }
      octets.push(octet);
      count -= length;
      bits %= 2 ** count;
    }
  }
  // The rest is shorter than eight bits, or an unfinished code.
  while (count > 0) {
    const entry = count < TABLE_BITS ? (table[bits * 2 ** (TABLE_BITS - count)] ?? 0) : 0;
    const length = entry >> 8;
    if (entry === 0 || length > count) break;
    octets.push(entry & 255);
    count -= length;
    bits %= 2 ** count;
  }
  // Padding is shorter than an octet and all ones.
  if (count >= 8 || bits !== 2 ** count - 1) return undefined;
  return Buffer.from(octets).toString('latin1');
}
