// What values are converted to, `int("1")`, as cel-go's common/types does: by Go's ways of reading and writing
// numbers, and within 64 bits.
import { CelFailure, Duration, Timestamp, Uint } from './core-values.ts';
import { int, uint } from './operators.ts';
import { parseDuration, parseTimestamp, timestampOf } from './times.ts';

const INT_MAX = 2n ** 63n - 1n;
const INT_MIN = -(2n ** 63n);
const UINT_MAX = 2n ** 64n - 1n;
const SECOND = 1_000_000_000n;
const EXPONENT_MIN = 6;

const fault = (from: string, to: string): CelFailure =>
  new CelFailure(`type conversion error from '${from}' to '${to}'`);

/** As Go's fmt does with `%g`: of the shortest digits, with an exponent from a million on. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [digits = '0', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (value === 0 || (exponent >= -4 && exponent < EXPONENT_MIN))
    return plainText(digits, exponent);
  const sign = exponent < 0 ? '-' : '+';
  return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Without an exponent. */
function plainText(digits: string, exponent: number): string {
  const sign = digits.startsWith('-') ? '-' : '';
  const all = digits.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${all}`;
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = all.slice(exponent + 1);
  return sign + whole + (fraction === '' ? '' : `.${fraction}`);
}

function shortText(value: number): string {
  const [digits = '0', power = '0'] = value.toExponential().split('e');
  return value === 0 ? '0' : plainText(digits, Number(power));
}

export function toInt(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return int(value.value);
  if (typeof value === 'number') {
    const isIn = Number.isFinite(value) && value > Number(INT_MIN) && value < Number(INT_MAX);
    if (!isIn) throw new CelFailure('integer overflow');
    return BigInt(Math.trunc(value));
  }
  if (value instanceof Duration) return value.nanos;
  if (value instanceof Timestamp)
    return value.nanos / SECOND - (value.nanos % SECOND < 0n ? 1n : 0n);
  const text = String(value);
  const found = /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined;
  if (found === undefined || found > INT_MAX || found < INT_MIN) throw fault('string', 'int');
  return found;
}

export function toUint(value: unknown): Uint {
  if (value instanceof Uint) return value;
  if (typeof value === 'bigint') return uint(value);
  if (typeof value === 'number') {
    if (!(value >= 0 && value < Number(UINT_MAX)))
      throw new CelFailure('unsigned integer overflow');
    return new Uint(BigInt(Math.trunc(value)));
  }
  const text = String(value);
  const found = /^\d+$/.test(text) ? BigInt(text) : undefined;
  if (found === undefined || found > UINT_MAX) throw fault('string', 'uint');
  return new Uint(found);
}

const SPECIAL: Readonly<Record<string, number>> = {
  inf: Infinity,
  infinity: Infinity,
  nan: NaN,
};

export function toDouble(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint) return Number(value.value);
  const text = String(value);
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  const special = SPECIAL[rest.toLowerCase()];
  if (special !== undefined) return sign === '-' ? -special : special;
  // Underscores may be between digits.
  const plain = rest.replaceAll(/(?<=\d)_(?=\d)/g, '');
  const hex = /^0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?\d+)$/.exec(plain);
  if (hex !== null && `${hex[1]}${hex[2]}` !== '') {
    const whole = Number.parseInt(`${hex[1]}${hex[2]}`, 16);
    return (sign === '-' ? -1 : 1) * whole * 2 ** (Number(hex[3]) - 4 * (hex[2] ?? '').length);
  }
  const isDecimal = /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(plain);
  const found = isDecimal ? Number(sign + plain) : NaN;
  if (!Number.isFinite(found)) throw fault('string', 'double');
  return found;
}

export function toBool(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  const text = String(value);
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw fault('string', 'bool');
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return doubleText(value);
  if (value instanceof Duration)
    return `${shortText(Number(value.nanos / SECOND) + Number(value.nanos % SECOND) / 1e9)}s`;
  if (!(value instanceof Uint8Array)) return String(value);
  try {
    return strict.decode(value);
  } catch (error) {
    const why = 'invalid UTF-8 in bytes, cannot convert to string';
    throw new CelFailure(why, { cause: error });
  }
}

export function toBytes(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : encoder.encode(String(value));
}

/** What no text of a duration is, is no span of time either: of the reasons none is told. */
function read<T>(text: string, to: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof CelFailure) || error.message === 'timestamp overflow') throw error;
    throw fault('string', to);
  }
}

export function toDuration(value: unknown): Duration {
  return value instanceof Duration
    ? value
    : read(String(value), 'google.protobuf.Duration', parseDuration);
}

export function toTimestamp(value: unknown): Timestamp {
  if (value instanceof Timestamp) return value;
  if (typeof value === 'bigint') return timestampOf(value * SECOND);
  return read(String(value), 'google.protobuf.Timestamp', parseTimestamp);
}
