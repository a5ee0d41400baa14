// Makes inputs out of good ones: bytes turned, pieces moved, words of the language put in, depth and length
// driven up. The same seed makes the same inputs.

export type Random = () => number;

const below = (random: Random, max: number): number => Math.floor(random() * max);

const odd: readonly string[] = [
  '\u0000',
  '\ufffd',
  '\ud800',
  '"',
  "'",
  '\\',
  '\\u0000',
  '\\ud800',
  '{}',
  '[]',
  '[[[[[[[[',
  '}}}}',
  'null',
  'true',
  '-0',
  '1e400',
  '-9223372036854775809',
  '18446744073709551616',
  '0.1.2',
  'NaN',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '$patch',
  '$retainKeys',
  '$deleteFromPrimitiveList/',
  '$setElementOrder/containers',
  '~1~0~2',
  '/-',
  '&a *a',
  '<<: *a',
  '!!binary',
  '? :',
  '---',
  '...',
  '\t',
  '\r\n',
  '%',
  '%zz',
  '9'.repeat(400),
  'a'.repeat(70_000),
];

/** Nesting: as deep as parsers are seldom asked for. */
function deep(random: Random): Buffer {
  const depth = 10 ** (1 + below(random, 5));
  const kinds: readonly (readonly [string, string])[] = [
    ['[', ']'],
    ['{"a":', '}'],
    ['(', ')'],
    ['- ', ''],
    ['!', ''],
    ['-', ''],
    ['a.', ''],
    ['a[', ']'],
    ['a?b:', ''],
    ['{"metadata":', '}'],
    ['{"spec":{"template":', '}}'],
  ];
  const [open, close] = kinds[below(random, kinds.length)] ?? ['[', ']'];
  const isClosed = random() < 0.7;
  return Buffer.from(`${open.repeat(depth)}1${isClosed ? close.repeat(depth) : ''}`);
}

function splice(bytes: Buffer, at: number, remove: number, put: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + remove)]);
}

function once(
  random: Random,
  bytes: Buffer,
  others: readonly Buffer[],
  words: readonly string[],
): Buffer {
  const at = below(random, bytes.length + 1);
  const length = below(random, 1 + Math.min(64, bytes.length - at));
  const drawn = below(random, 9);
  switch (drawn) {
    case 0: {
      const copy = Buffer.from(bytes);
      if (copy.length > 0) copy[at % copy.length] = below(random, 256);
      return copy;
    }
    case 1:
      return splice(bytes, at, length, Buffer.alloc(0));
    case 2:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    case 3: {
      const other = others[below(random, others.length)] ?? bytes;
      const from = below(random, other.length + 1);
      return splice(bytes, at, length, other.subarray(from, from + below(random, 200)));
    }
    case 4:
      return splice(bytes, at, length, Buffer.from(odd[below(random, odd.length)] ?? ''));
    case 5:
    case 6:
      return splice(bytes, at, length, Buffer.from(words[below(random, words.length)] ?? ''));
    case 7:
      return splice(
        bytes,
        at,
        0,
        Buffer.from([0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80].slice(0, 1 + below(random, 6))),
      );
    default:
      return bytes.subarray(0, at);
  }
}

/** `words`: of the language of the target. */
export function mutated(
  random: Random,
  seeds: readonly Buffer[],
  words: readonly string[],
): Buffer {
  if (random() < 0.03) return deep(random);
  let bytes = seeds[below(random, seeds.length)] ?? Buffer.alloc(0);
  const times = 1 + below(random, 6);
  for (let i = 0; i < times; i++) bytes = once(random, bytes, seeds, words);
  return bytes;
}
