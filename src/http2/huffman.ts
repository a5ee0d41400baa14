// Huffman-coded texts of HPACK (RFC 7541, section 5.2): read four bits at a time, by a table of where each four lead
// from within a code.
import { huffmanLengths } from './hpack-tables.ts';

/** A code that is begun: where a bit more leads. Below `LEAF` another one of these, else an octet is whole. */
type Node = [zero: number, one: number];

const LEAF = 1 << 16;
/** The code of the end, which no text has in it: the last one of the longest. */
const END = 256;
const END_BITS = 30;
const lengths = [...huffmanLengths, END_BITS];
/** Padding is shorter than an octet, and ones. */
const PADDING_BITS_MAX = 7;

/** The code is canonical: codes of one length follow each other, and those of the next length follow them. */
function makeNodes(): Node[] {
  const nodes: Node[] = [[0, 0]];
  const byLength = [...lengths.keys()].sort(
    (a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b,
  );
  let code = 0;
  let before = 0;
  for (const octet of byLength) {
    const length = lengths[octet] ?? 0;
    code *= 2 ** (length - before);
    before = length;
    let node = nodes[0] as Node;
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const side = Math.floor(code / 2 ** bit) % 2;
      if (node[side] === 0) node[side] = nodes.push([0, 0]) - 1;
      node = nodes[node[side] as number] as Node;
    }
    node[code % 2] = LEAF + octet;
    code += 1;
  }
  return nodes;
}

const nodes = makeNodes();

const NONE = -1;
/** Bit of an entry: its lowest eight are an octet. */
const HAS_OCTET = 1 << 8;
const NODE_SHIFT = 9;

/** 16 * node + four bits -> node that they lead to, and the octet on the way; no code has fewer than five bits. */
function makeSteps(): Int32Array {
  const steps = new Int32Array(nodes.length * 16);
  for (let at = 0; at < steps.length; at += 1) {
    let node = at >> 4;
    let octet = 0;
    for (let bit = 3; bit >= 0 && node !== NONE; bit -= 1) {
      const next = (nodes[node] as Node)[(at >> bit) & 1] as number;
      if (next === LEAF + END) node = NONE;
      else if (next < LEAF) node = next;
      else {
        octet = HAS_OCTET | (next - LEAF);
        node = 0;
      }
    }
    steps[at] = node === NONE ? NONE : (node << NODE_SHIFT) | octet;
  }
  return steps;
}

const steps = makeSteps();

/** Where a text may end: between two codes, or within padding. */
function makeEnds(): Set<number> {
  const ends = new Set([0]);
  let node = 0;
  for (let bits = 1; bits <= PADDING_BITS_MAX; bits += 1) {
    node = (nodes[node] as Node)[1];
    ends.add(node);
  }
  return ends;
}

const ends = makeEnds();

/** The octets as Latin-1; undefined: this is no text in the code (or its padding is none). */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  const octets = Buffer.allocUnsafe(Math.floor((bytes.length * 8) / 5));
  let count = 0;
  let node = 0;
  for (let at = 0; at < bytes.length * 2; at += 1) {
    const byte = bytes[at >> 1] as number;
    const four = (at & 1) === 0 ? byte >> 4 : byte & 15;
    const step = steps[(node << 4) | four] as number;
    if (step === NONE) return undefined;
    if ((step & HAS_OCTET) !== 0) octets[count++] = step & 255;
    node = step >> NODE_SHIFT;
  }
  return ends.has(node) ? octets.toString('latin1', 0, count) : undefined;
}
