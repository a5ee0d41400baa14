// Fields that a message does not have, or not in that form: passed over, or told as the Go code made by gogo/protobuf
// tells them.
import type { Reader } from '#codec/protobuf-reader.ts';

interface Known {
  readonly name: string;
  readonly tag: number;
}

const GROUP_START = 3;
const GROUP_END = 4;

/** Groups, which nobody sends any more, are passed over whole. */
export function skipField(reader: Reader, first: number): void {
  let depth = 0;
  for (let wire = first; ; wire = reader.u() % 8) {
    if (wire === GROUP_START) depth += 1;
    else if (wire === GROUP_END) {
      if (depth === 0) throw new RangeError('proto: unexpected end of group');
      depth -= 1;
    } else if (wire > 5) throw new RangeError(`proto: illegal wireType ${wire}`);
    else reader.skip(wire);
    if (depth === 0) return;
  }
}

const goName = (name: string): string =>
  name === 'metadata' ? 'ObjectMeta' : name.charAt(0).toUpperCase() + name.slice(1);

/** `short`: the message's name in Go. Throws RangeError for what is none. */
export function oddField(
  short: string,
  fields: readonly Known[],
  key: number,
  reader: Reader,
): void {
  const [wire, tag] = [key % 8, Math.floor(key / 8) | 0];
  if (wire === GROUP_END) throw new RangeError(`proto: ${short}: wiretype end group for non-group`);
  if (tag <= 0) throw new RangeError(`proto: ${short}: illegal tag ${tag} (wire type ${key})`);
  const known = fields.find((one) => one.tag === tag);
  if (known === undefined) return skipField(reader, wire);
  throw new RangeError(`proto: wrong wireType = ${wire} for field ${goName(known.name)}`);
}
