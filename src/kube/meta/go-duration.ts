// Durations as Go reads and writes them: `1m30s`, `500ms` (time.ParseDuration of Go 1.26).

const unitsMs: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Of 63 bits of nanoseconds. */
const MS_MAX = 2 ** 63 / 1e6;

/** As in Go's messages about durations: what is not plain ASCII byte by byte. */
function quoted(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) => {
    if (byte < 0x20 || byte >= 0x80) return `\\x${byte.toString(16).padStart(2, '0')}`;
    const character = String.fromCharCode(byte);
    return character === '"' || character === '\\' ? `\\${character}` : character;
  });
  return `"${bytes.join('')}"`;
}

/** Milliseconds, or why it is none in Go's words. */
export function parseDuration(text: string): number | { readonly why: string } {
  const invalid = { why: `time: invalid duration ${quoted(text)}` };
  const isNegative = text.startsWith('-');
  let rest = /^[-+]/.test(text) ? text.slice(1) : text;
  if (rest === '0') return 0;
  if (rest === '') return invalid;
  let sum = 0;
  while (rest !== '') {
    const value = /^(?:\d+\.?\d*|\.\d+)/.exec(rest)?.[0];
    if (value === undefined) return invalid;
    rest = rest.slice(value.length);
    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? '';
    if (unit === '') return { why: `time: missing unit in duration ${quoted(text)}` };
    const ms = unitsMs.get(unit);
    if (ms === undefined)
      return { why: `time: unknown unit ${quoted(unit)} in duration ${quoted(text)}` };
    rest = rest.slice(unit.length);
    sum += Number(value) * ms;
    if (sum > MS_MAX) return invalid;
  }
  return isNegative ? -sum : sum;
}

/** Milliseconds; undefined for what is none. */
export function durationMs(text: string): number | undefined {
  const found = parseDuration(text);
  return typeof found === 'number' ? found : undefined;
}
