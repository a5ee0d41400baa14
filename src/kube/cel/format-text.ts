// `'…'.format([…])`: the verbs of cel-go's string formatting.
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { CelFailure } from './addresses.ts';
import { timestampText } from './values.ts';

function plain(value: unknown, isInside = false): string {
  if (typeof value === 'string') return isInside ? JSON.stringify(value) : value;
  if (typeof value === 'number') {
    if (Number.isNaN(value)) return 'NaN';
    if (Number.isFinite(value)) return isInside ? value.toFixed(6) : String(value);
    return value > 0 ? 'Infinity' : '-Infinity';
  }
  if (value === null) return 'null';
  if (value instanceof Date) return timestampText(value);
  if (Array.isArray(value)) return `[${value.map((one) => plain(one, true)).join(', ')}]`;
  if (value instanceof Map) {
    const entries = [...value].map(([key, one]) => [plain(key, true), plain(one, true)] as const);
    const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, one]) => `${key}:${one}`).join(', ')}}`;
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Duration || value instanceof UnsignedInt) return String(value);
  if (typeof value === 'object' && value.constructor === Object) {
    return plain(new Map(Object.entries(value)), isInside);
  }
  return String(value);
}

function integer(value: unknown, verb: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof UnsignedInt) return value.value;
  const why = `integer clause can only be used on integers, was given ${typeof value}`;
  throw new CelFailure(`error during formatting: could not convert argument to %${verb}: ${why}`);
}

function exponent(value: number, precision: number): string {
  return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2');
}

function hex(value: unknown, isUpper: boolean): string {
  const bytes =
    typeof value === 'string'
      ? Buffer.from(value)
      : value instanceof Uint8Array
        ? value
        : undefined;
  const text =
    bytes === undefined ? integer(value, 'x').toString(16) : Buffer.from(bytes).toString('hex');
  return isUpper ? text.toUpperCase() : text;
}

function formatted(verb: string, precision: number | undefined, value: unknown): string {
  switch (verb) {
    case 's':
      return plain(value);
    case 'd':
      return typeof value === 'number' ? plain(value) : String(integer(value, verb));
    case 'f':
      return Number(value).toFixed(precision ?? 6);
    case 'e':
      return exponent(Number(value), precision ?? 6);
    case 'b':
      return typeof value === 'boolean' ? (value ? '1' : '0') : integer(value, verb).toString(2);
    case 'o':
      return integer(value, verb).toString(8);
    case 'x':
    case 'X':
      return hex(value, verb === 'X');
    default:
      throw new CelFailure(
        `error during formatting: unrecognized formatting clause ${JSON.stringify(verb)}`,
      );
  }
}

/** Throws CelFailure when a verb has no argument, or does not fit it. */
export function formatText(text: string, args: readonly unknown[]): string {
  let used = 0;
  const made = text.replaceAll(/%(?:\.(\d+))?([\s\S]?)/g, (_whole, digits?: string, verb = '') => {
    if (verb === '%') return '%';
    if (used >= args.length) throw new CelFailure(`index ${used} out of range`);
    return formatted(verb, digits === undefined ? undefined : Number(digits), args[used++]);
  });
  if (used < args.length) {
    const why = `too many arguments supplied to string.format (expected ${used}, got ${args.length})`;
    throw new CelFailure(why);
  }
  return made;
}
