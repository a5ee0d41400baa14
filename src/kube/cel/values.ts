// Values of expressions: JSON as CEL sees it when no schema is known, back again, and equality over all
// kinds of values.
import { Optional } from '@marcbachmann/cel-js';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { CelFailure, Cidr, IpAddress } from './addresses.ts';
import { QuantityValue } from './quantities.ts';
import { Semver } from './semver.ts';

type Json = Record<string, unknown>;

/** Whole numbers are ints, others doubles; objects are maps. Absent fields are left out. */
export function dynValue(json: unknown): unknown {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : json;
  if (Array.isArray(json)) return json.map(dynValue);
  if (typeof json !== 'object' || json === null) return json;
  const out = new Map<string, unknown>();
  for (const [key, value] of Object.entries(json)) {
    if (value !== undefined) out.set(key, dynValue(value));
  }
  return out;
}

/** What an expression made, as JSON. Throws CelFailure for what JSON has no form for. */
export function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
      ? Number(value)
      : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(jsonValue);
  if (value instanceof Set) return [...value].map(jsonValue);
  if (value instanceof Map) return objectOf(value.entries());
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Date) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof UnsignedInt) return Number(value.value);
  if (value instanceof Optional) {
    if (value.hasValue()) return jsonValue(value.value());
    throw new CelFailure('unsupported conversion from optional.none()');
  }
  if (value.constructor === Object || value.constructor === undefined) {
    return objectOf(Object.entries(value));
  }
  return String(value);
}

function objectOf(entries: Iterable<[unknown, unknown]>): Json {
  const out: Json = {};
  for (const [key, value] of entries) out[String(key)] = jsonValue(value);
  return out;
}

export function timestampText(value: Date): string {
  return value.toISOString().replace(/\.?0*Z$/, 'Z');
}

export function durationText(value: Duration): string {
  const nanos = value.seconds * 1_000_000_000n + BigInt(value.nanos);
  const [sign, size] = nanos < 0n ? ['-', -nanos] : ['', nanos];
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${sign}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`;
}

function entriesOf(value: object): Map<unknown, unknown> {
  return value instanceof Map ? value : new Map(Object.entries(value));
}

function numberOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  return value instanceof UnsignedInt ? value.value : undefined;
}

const listOf = (value: object): readonly unknown[] | undefined =>
  Array.isArray(value) ? value : value instanceof Set ? [...value] : undefined;

/** Equality as CEL has it: numbers by their worth, lists in order, maps by their keys. */
export function celEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const [x, y] = [numberOf(a), numberOf(b)];
  // eslint-disable-next-line eqeqeq
  if (x !== undefined && y !== undefined) return x == y;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [left, right] = [listOf(a), listOf(b)];
  if (left !== undefined || right !== undefined) {
    if (left === undefined || right === undefined || left.length !== right.length) return false;
    return left.every((one, i) => celEquals(one, right[i]));
  }
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (a instanceof Duration) return b instanceof Duration && String(a) === String(b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof IpAddress) return b instanceof IpAddress && a.equals(b);
  if (a instanceof Cidr) return b instanceof Cidr && a.equals(b);
  if (a instanceof Semver) return b instanceof Semver && a.equals(b);
  if (a instanceof QuantityValue) return b instanceof QuantityValue && a.equals(b);
  if (a instanceof Optional) return b instanceof Optional && celEquals(inner(a), inner(b));
  return mapsEqual(entriesOf(a), entriesOf(b));
}

const inner = (value: Optional): unknown => (value.hasValue() ? value.value() : undefined);

function mapsEqual(a: Map<unknown, unknown>, b: Map<unknown, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    if (!b.has(key) || !celEquals(value, b.get(key))) return false;
  }
  return true;
}

/** Negative, zero or positive; undefined for what has no order. */
export function celCompare(a: unknown, b: unknown): number | undefined {
  const [x, y] = [orderOf(a), orderOf(b)];
  if (x === undefined || y === undefined) return undefined;
  return x < y ? -1 : x > y ? 1 : 0;
}

function orderOf(value: unknown): string | number | bigint | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  if (value instanceof Duration) return value.valueOf();
  return numberOf(value);
}
