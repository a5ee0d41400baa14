// Values of expressions: JSON as CEL sees it when no schema is known, back again, equality and order over all
// kinds of values, and the types that values have.
import { CelFailure, Duration, Optional, Timestamp, TypeValue, Uint } from './core-values.ts';
import { isSchemaList } from './list-values.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  NULL,
  optionalOf,
  STRING,
  TIMESTAMP,
  TYPE,
  UINT,
  type CelType,
} from './types.ts';

type Json = Record<string, unknown>;

/** A value of a library's type: it says which, and which others it is equal to. */
export interface OpaqueValue {
  readonly celType: CelType;
  equals(other: unknown): boolean;
}

export const isOpaque = (value: unknown): value is OpaqueValue =>
  typeof value === 'object' &&
  value !== null &&
  !(value instanceof Map) &&
  (value as Partial<OpaqueValue>).celType !== undefined;

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
  if (value instanceof Map) return objectOf(value.entries());
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Uint) return Number(value.value);
  if (value instanceof Optional) {
    if (value.hasValue) return jsonValue(value.value);
    throw new CelFailure('unsupported conversion from optional.none()');
  }
  return String(value);
}

function objectOf(entries: Iterable<[unknown, unknown]>): Json {
  const out: Json = {};
  for (const [key, value] of entries) out[String(key)] = jsonValue(value);
  return out;
}

const simpleTypes: Readonly<Record<string, CelType>> = {
  string: STRING,
  bigint: INT,
  number: DOUBLE,
  boolean: BOOL,
};

const LIST = listOf(DYN);
const MAP = mapOf(DYN, DYN);
const OPTIONAL = optionalOf(DYN);

export function typeOfValue(value: unknown): CelType {
  const simple = simpleTypes[typeof value];
  if (simple !== undefined) return simple;
  if (value === null || value === undefined) return NULL;
  if (Array.isArray(value)) return LIST;
  const { celType } = value as Partial<OpaqueValue>;
  if (celType !== undefined) return celType;
  if (value instanceof Map) return MAP;
  if (value instanceof Uint8Array) return BYTES;
  if (value instanceof Uint) return UINT;
  if (value instanceof Timestamp) return TIMESTAMP;
  if (value instanceof Duration) return DURATION;
  if (value instanceof Optional) return OPTIONAL;
  return value instanceof TypeValue ? TYPE : DYN;
}

function numberOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  return value instanceof Uint ? value.value : undefined;
}

/** Equality as CEL has it: numbers by their worth, lists in order, maps by their keys. */
export function celEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'string' || typeof b === 'string') return false;
  const [x, y] = [numberOf(a), numberOf(b)];
  // eslint-disable-next-line eqeqeq
  if (x !== undefined && y !== undefined) return x == y;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (Array.isArray(b) && isSchemaList(a)) return a.isLike(b, celEquals);
    if (!Array.isArray(b) || a.length !== b.length) return false;
    return a.every((one, i) => celEquals(one, b[i]));
  }
  if (a instanceof Map) return b instanceof Map && mapsEqual(a, b);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional)
    return b instanceof Optional && a.hasValue === b.hasValue && celEquals(a.value, b.value);
  const { celType } = a as Partial<OpaqueValue>;
  if (celType === undefined || (b as Partial<OpaqueValue>).celType?.name !== celType.name)
    return false;
  return (a as OpaqueValue).equals(b);
}

/** Keys are equal if they are of equal worth, whatever kind of number they are. */
export function findKey(map: ReadonlyMap<unknown, unknown>, key: unknown): unknown {
  const found = map.get(key);
  if (found !== undefined || typeof key === 'string' || typeof key === 'boolean') return found;
  if (numberOf(key) === undefined) return undefined;
  for (const [one, value] of map) if (celEquals(one, key)) return value;
  return undefined;
}

function mapsEqual(a: Map<unknown, unknown>, b: Map<unknown, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = findKey(b, key);
    if (other === undefined || !celEquals(value, other)) return false;
  }
  return true;
}

const SURROGATE = /[\ud800-\udfff]/;

/** By code points, as Go orders bytes of UTF-8. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}

/** Negative, zero or positive; undefined for what has no order. Throws CelFailure. */
export function celCompare(a: unknown, b: unknown): number | undefined {
  if (typeof a === 'string') return typeof b === 'string' ? compareText(a, b) : undefined;
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) {
    if (Number.isNaN(x) || Number.isNaN(y)) throw new CelFailure('NaN values cannot be ordered');
    // eslint-disable-next-line eqeqeq
    return x < y ? -1 : x == y ? 0 : 1;
  }
  if (typeof a === 'boolean') return typeof b === 'boolean' ? Number(a) - Number(b) : undefined;
  if (a instanceof Timestamp) return b instanceof Timestamp ? sign(a.nanos - b.nanos) : undefined;
  if (a instanceof Duration) return b instanceof Duration ? sign(a.nanos - b.nanos) : undefined;
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? Buffer.compare(a, b) : undefined;
  return undefined;
}

const sign = (value: bigint): number => (value < 0n ? -1 : value > 0n ? 1 : 0);
