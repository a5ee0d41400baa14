// What a text or bytes that are written out stand for, by cel-go's rules (parser/unescape.go).
const encoder = new TextEncoder();

const plain: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
  '?': '?',
};

/** A text that stands for none; told at its place. */
export class EscapeFault extends Error {}

function inner(text: string): { readonly body: string; readonly isRaw: boolean } {
  const normal = text.replaceAll(/\r\n?/g, '\n');
  const isRaw = /^[rR]/.test(normal);
  const quoted = isRaw ? normal.slice(1) : normal;
  const width = quoted.length >= 6 && /^(?:"""|''')/.test(quoted) ? 3 : 1;
  return { body: quoted.slice(width, -width), isRaw };
}

const ESCAPE =
  /\\(?:x|X)([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\([0-3][0-7]{2})|\\([^])/g;

/** Throws EscapeFault. */
export function textOf(literal: string): string {
  const { body, isRaw } = inner(literal);
  if (isRaw) return body;
  return body.replaceAll(ESCAPE, (_, hex, short, long, octal, letter: string | undefined) => {
    if (letter !== undefined) {
      const found = plain[letter];
      if (found === undefined) throw new EscapeFault('unable to unescape string');
      return found;
    }
    const code =
      octal === undefined ? Number.parseInt(hex ?? short ?? long, 16) : Number.parseInt(octal, 8);
    if (code > 0x10_ff_ff || (code >= 0xd8_00 && code <= 0xdf_ff))
      throw new EscapeFault('invalid unicode code point');
    return String.fromCodePoint(code);
  });
}

/** Of what stands after the `b`. Throws EscapeFault. */
export function bytesOf(literal: string): Uint8Array {
  const { body, isRaw } = inner(literal);
  if (isRaw) return encoder.encode(body);
  const out: number[] = [];
  let at = 0;
  for (const match of body.matchAll(ESCAPE)) {
    const [whole, hex, , , octal, letter] = match;
    out.push(...encoder.encode(body.slice(at, match.index)));
    at = match.index + whole.length;
    const found = letter === undefined ? undefined : plain[letter];
    if (found !== undefined) out.push(found.charCodeAt(0));
    else if (hex !== undefined) out.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) out.push(Number.parseInt(octal, 8) & 0xff);
    else throw new EscapeFault('unable to unescape string');
  }
  out.push(...encoder.encode(body.slice(at)));
  return Uint8Array.from(out);
}
