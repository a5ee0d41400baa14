// Durations as Go reads and writes them: `1m30s`, `500ms` (time.ParseDuration of Go 1.26).

const units: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

/** Of 63 bits and a sign. */
const SIZE_MAX = 2n ** 63n;
const FRACTION_MAX = (SIZE_MAX - 1n) / 10n;

/** The digits behind a point that Go reads: what more there are makes no difference to it. */
function fractionOf(digits: string): { readonly value: number; readonly scale: number } {
  let [value, scale] = [0n, 1];
  for (const digit of digits) {
    const next = value * 10n + BigInt(digit);
    if (value > FRACTION_MAX || next > SIZE_MAX) break;
    value = next;
    scale *= 10;
  }
  return { value: Number(value), scale };
}

/** As in Go's messages about durations: what is not plain ASCII byte by byte. */
function quoted(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) => {
    if (byte < 0x20 || byte >= 0x80) return `\\x${byte.toString(16).padStart(2, '0')}`;
    const character = String.fromCharCode(byte);
    return character === '"' || character === '\\' ? `\\${character}` : character;
  });
  return `"${bytes.join('')}"`;
}

/** Nanoseconds, or why it is none in Go's words. */
export function parseNanoseconds(text: string): bigint | { readonly why: string } {
  const invalid = { why: `time: invalid duration ${quoted(text)}` };
  const isNegative = text.startsWith('-');
  let rest = /^[-+]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0n;
  if (rest === '') return invalid;
  let sum = 0n;
  while (rest !== '') {
    const [number, whole = '', digits = ''] = /^(\d*)(?:\.(\d*))?/.exec(rest) ?? [''];
    if (whole === '' && digits === '') return invalid;
    const value = BigInt(whole);
    if (value > SIZE_MAX) return invalid;
    rest = rest.slice(number.length);
    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? '';
    if (unit === '') return { why: `time: missing unit in duration ${quoted(text)}` };
    const size = units.get(unit);
    if (size === undefined)
      return { why: `time: unknown unit ${quoted(unit)} in duration ${quoted(text)}` };
    rest = rest.slice(unit.length);
    const fraction = fractionOf(digits);
    sum += value * size + BigInt(Math.trunc(fraction.value * (Number(size) / fraction.scale)));
    if (sum > SIZE_MAX) return invalid;
  }
  if (isNegative) return -sum;
  return sum === SIZE_MAX ? invalid : sum;
}

/** Milliseconds, or why it is none in Go's words. */
export function parseDuration(text: string): number | { readonly why: string } {
  const found = parseNanoseconds(text);
  return typeof found === 'bigint' ? Number(found) / 1e6 : found;
}

/** Milliseconds; undefined for what is none. */
export function durationMs(text: string): number | undefined {
  const found = parseDuration(text);
  return typeof found === 'number' ? found : undefined;
}
