// One gzip stream (RFC 1952) of many parts, each of them packed by itself: what an answer has in common
// with the one before (pages of kept texts) is packed once, however many read it.
import { constants, crc32, deflateRaw } from 'node:zlib';

interface Packed {
  /** Whole deflate blocks, none of them the last; they refer to nothing before them. */
  readonly bytes: Uint8Array;
  readonly crc: number;
}

/** Fast: it is for answers that are read once. */
const LEVEL = 1;
/** Of smaller ones more is kept than is gained. */
const KEPT_BYTES_MIN = 16 * 1024;
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3);
/** An empty block that is the last one. */
const LAST_BLOCK = [3, 0];

/** They go when the parts do. */
const kept = new WeakMap<Uint8Array, Promise<Packed>>();

function pack(part: Uint8Array): Promise<Packed> {
  return new Promise((done, fail) => {
    const options = { level: LEVEL, finishFlush: constants.Z_FULL_FLUSH };
    deflateRaw(part, options, (error, bytes) => {
      if (error === null) done({ bytes, crc: crc32(part) });
      else fail(error);
    });
  });
}

function packed(part: Uint8Array): Promise<Packed> {
  if (part.length < KEPT_BYTES_MIN) return pack(part);
  const known = kept.get(part);
  if (known !== undefined) return known;
  const made = pack(part);
  kept.set(part, made);
  made.catch(() => kept.delete(part));
  return made;
}

/** The bytes of the stream, part by part. Nothing of a part is packed before it is wanted. */
export async function* gzipped(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  let sum = 0;
  let length = 0;
  yield HEADER;
  for (const part of parts) {
    const { bytes, crc } = await packed(part);
    sum = combined(sum, crc, part.length);
    length += part.length;
    yield bytes;
  }
  const end = Buffer.alloc(LAST_BLOCK.length + 8);
  end.set(LAST_BLOCK);
  end.writeUInt32LE(sum, LAST_BLOCK.length);
  end.writeUInt32LE(length % 2 ** 32, LAST_BLOCK.length + 4);
  yield end;
}

// ---- the check sum of two texts out of theirs: shifting by so many zero bytes is a matrix over GF(2) ----

type Matrix = readonly number[];

function times(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let bit = 0, left = vector; left !== 0; bit += 1, left >>>= 1) {
    if ((left & 1) === 1) sum ^= matrix[bit] ?? 0;
  }
  return sum;
}

const squared = (matrix: Matrix): Matrix => matrix.map((row) => times(matrix, row));

/** The polynomial of CRC-32, reflected; one zero bit. */
const oneBit: Matrix = [0xedb88320, ...Array.from({ length: 31 }, (_, bit) => 1 << bit)];
/** One zero byte, two, four … */
const shifts: Matrix[] = [squared(squared(squared(oneBit)))];

function shiftOf(power: number): Matrix {
  for (let at = shifts.length; at <= power; at++) shifts.push(squared(shifts[at - 1] ?? oneBit));
  return shifts[power] ?? oneBit;
}

/** Of a text with the sum `first`, followed by one of `length` bytes with the sum `second`. */
function combined(first: number, second: number, length: number): number {
  let sum = first;
  for (let power = 0, left = length; left > 0; power += 1, left = Math.floor(left / 2)) {
    if (left % 2 === 1) sum = times(shiftOf(power), sum);
  }
  return (sum ^ second) >>> 0;
}
