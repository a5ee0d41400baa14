// Header blocks of answers (HPACK, RFC 7541): names by their number, values as they are. No table is filled, so
// that the blocks of one connection do not depend on each other.
import { staticTable } from './hpack-tables.ts';

const nameNumbers = new Map<string, number>();
const statusNumbers = new Map<number, number>();
for (const [index, [name, value]] of staticTable.entries()) {
  if (!nameNumbers.has(name)) nameNumbers.set(name, index + 1);
  if (name === ':status') statusNumbers.set(Number(value), index + 1);
}

function integerBytes(value: number, prefix: number, flags: number): number[] {
  const most = (1 << prefix) - 1;
  if (value < most) return [flags | value];
  const bytes = [flags | most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return bytes;
}

/** The beginning of a field that is not kept: its name, by number or in full. */
function nameBytes(name: string): Buffer {
  const number = nameNumbers.get(name);
  if (number !== undefined) return Buffer.from(integerBytes(number, 4, 0));
  return Buffer.concat([
    Buffer.from([0, ...integerBytes(name.length, 7, 0)]),
    Buffer.from(name, 'latin1'),
  ]);
}

/** Names are few: those of the answers of one server. */
const NAMES_MAX = 512;
const encodedNames = new Map<string, Buffer>();

function encodedName(name: string): Buffer {
  const known = encodedNames.get(name);
  if (known !== undefined) return known;
  const bytes = nameBytes(name);
  if (encodedNames.size < NAMES_MAX) encodedNames.set(name, bytes);
  return bytes;
}

/** `headers`: lower-case names and values in Latin-1, one after the other. */
export function encodeHeaders(status: number, headers: readonly string[]): Buffer {
  const number = statusNumbers.get(status);
  const statusName = encodedName(':status');
  let size = statusName.length + 4;
  for (let index = 0; index < headers.length; index += 2) {
    size += encodedName(headers[index] ?? '').length + 5 + (headers[index + 1] ?? '').length;
  }
  const block = Buffer.allocUnsafe(size);
  let at = 0;
  const text = (value: string): void => {
    if (value.length < 127) {
      block[at] = value.length;
      at += 1;
    } else {
      for (const byte of integerBytes(value.length, 7, 0)) {
        block[at] = byte;
        at += 1;
      }
    }
    at += block.write(value, at, 'latin1');
  };
  if (number === undefined) {
    at += statusName.copy(block, at);
    text(String(status));
  } else {
    block[at] = 0x80 | number;
    at += 1;
  }
  for (let index = 0; index < headers.length; index += 2) {
    at += encodedName(headers[index] ?? '').copy(block, at);
    text(headers[index + 1] ?? '');
  }
  return block.subarray(0, at);
}
