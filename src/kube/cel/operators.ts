// What the operators of CEL do with values, as cel-go's common/types does: numbers are of 64 bits, and what
// does not fit fails.
import { CelFailure, Duration, Timestamp, Uint } from './core-values.ts';
import { isSchemaList } from './list-values.ts';
import type { CelType } from './types.ts';
import { timestampOf } from './times.ts';
import { celCompare, findKey, typeOfValue } from './values.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

export const noOverload = (): CelFailure => new CelFailure('no such overload');

/** What has no such operator at all is told with its name. */
const unfit = (name: string, value: unknown, kinds: string): CelFailure =>
  kinds.split(' ').includes(typeOfValue(value).kind)
    ? noOverload()
    : new CelFailure(`no such overload: ${name}`);

// Texts, spans and points of time may have methods of any name, as far as cel-go knows.
const ADDABLE = 'int uint double string bytes list duration timestamp';
const SUBTRACTABLE = 'int uint double string duration timestamp';
const MULTIPLIABLE = 'int uint double string duration timestamp';
const COMPARABLE = 'int uint double string bytes bool duration timestamp';

export function int(value: bigint): bigint {
  if (value > INT_MAX || value < INT_MIN) throw new CelFailure('integer overflow');
  return value;
}

export function uint(value: bigint): Uint {
  if (value > UINT_MAX || value < 0n) throw new CelFailure('unsigned integer overflow');
  return new Uint(value);
}

export function duration(nanos: bigint): Duration {
  if (nanos > INT_MAX || nanos < INT_MIN) throw new CelFailure('integer overflow');
  return new Duration(nanos);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

export function add(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(a + b);
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return isSchemaList(a) ? a.joined(b) : [...a, ...b];
  if (a instanceof Uint && b instanceof Uint) return uint(a.value + b.value);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return joined(a, b);
  if (a instanceof Duration) {
    if (b instanceof Duration) return duration(a.nanos + b.nanos);
    if (b instanceof Timestamp) return timestampOf(a.nanos + b.nanos, b.offset);
  }
  if (a instanceof Timestamp && b instanceof Duration)
    return timestampOf(a.nanos + b.nanos, a.offset);
  throw unfit('_+_', a, ADDABLE);
}

export function subtract(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(a - b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value - b.value);
  if (a instanceof Duration && b instanceof Duration) return duration(a.nanos - b.nanos);
  if (a instanceof Timestamp) {
    if (b instanceof Duration) return timestampOf(a.nanos - b.nanos, a.offset);
    if (b instanceof Timestamp) return duration(a.nanos - b.nanos);
  }
  throw unfit('_-_', a, SUBTRACTABLE);
}

export function multiply(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return int(a * b);
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value * b.value);
  throw unfit('_*_', a, MULTIPLIABLE);
}

function divided<T>(a: bigint, b: bigint, made: (value: bigint) => T): T {
  if (b === 0n) throw new CelFailure('division by zero');
  return made(a / b);
}

export function divide(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return divided(a, b, int);
  if (typeof a === 'number' && typeof b === 'number') return a / b;
  if (a instanceof Uint && b instanceof Uint) return divided(a.value, b.value, uint);
  throw unfit('_/_', a, MULTIPLIABLE);
}

function remainder<T>(a: bigint, b: bigint, made: (value: bigint) => T): T {
  if (b === 0n) throw new CelFailure('modulus by zero');
  if (a === INT_MIN && b === -1n) throw new CelFailure('integer overflow');
  return made(a % b);
}

export function modulo(a: unknown, b: unknown): unknown {
  if (typeof a === 'bigint' && typeof b === 'bigint') return remainder(a, b, int);
  if (a instanceof Uint && b instanceof Uint) return remainder(a.value, b.value, uint);
  throw unfit('_%_', a, 'int uint string duration timestamp');
}

export function negate(value: unknown): unknown {
  if (typeof value === 'bigint') return int(-value);
  if (typeof value === 'number') return -value;
  if (value instanceof Duration) return duration(-value.nanos);
  if (typeof value === 'boolean') return !value;
  throw unfit('-_', value, 'int double duration bool string timestamp');
}

export function compare(a: unknown, b: unknown, name?: string): number {
  const found = celCompare(a, b);
  if (found === undefined) throw name === undefined ? noOverload() : unfit(name, a, COMPARABLE);
  return found;
}

/** How a value is shown within a message. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint) return String(value.value);
  return String(value);
}

export const isKey = (key: unknown): boolean =>
  ['string', 'bigint', 'boolean', 'number'].includes(typeof key) || key instanceof Uint;

/** What Go calls the kinds of values that are no keys. */
const goNames: Readonly<Partial<Record<CelType['kind'], string>>> = {
  bool: 'types.Bool',
  bytes: 'types.Bytes',
  double: 'types.Double',
  duration: 'types.Duration',
  int: 'types.Int',
  list: '*types.baseList',
  map: '*types.baseMap',
  null: 'types.Null',
  timestamp: 'types.Timestamp',
  string: 'types.String',
  type: '*types.Type',
  uint: 'types.Uint',
};

/** Throws CelFailure for what can be no key, of whatever. */
export function checkKey(key: unknown): void {
  if (isKey(key)) return;
  throw new CelFailure(`invalid qualifier type: ${goNameOf(key)}`);
}

export function goNameOf(value: unknown): string {
  const { kind, name } = typeOfValue(value);
  const own = name === 'optional_type' ? '*types.Optional' : `cel.${name.replace(/^.*\./, '')}`;
  return goNames[kind] ?? own;
}

/** Of a list, which item a key means. Throws CelFailure. */
function indexOf(key: unknown): number {
  if (typeof key === 'bigint') return Number(key);
  if (key instanceof Uint && key.value <= INT_MAX) return Number(key.value);
  if (typeof key === 'number' && Number.isInteger(key)) return key;
  if (typeof key === 'number' || key instanceof Uint)
    throw new CelFailure(`unsupported index value ${shownValue(key)} in list`);
  const kind = key === null ? 'null_type' : typeof key === 'boolean' ? 'bool' : typeof key;
  throw new CelFailure(`unsupported index type '${kind}' in list`);
}

/** undefined: there is none. Throws CelFailure for what is no key of it. */
export function find(container: unknown, key: unknown): unknown {
  if (container instanceof Map) {
    if (typeof key === 'string') return container.get(key);
    return findKey(container, key);
  }
  if (Array.isArray(container)) return container[indexOf(key)];
  return undefined;
}

/** Throws CelFailure when there is none. */
export function get(container: unknown, key: unknown): unknown {
  const found = find(container, key);
  if (found !== undefined) return found;
  const what = Array.isArray(container) ? 'index out of bounds' : 'no such key';
  throw new CelFailure(`${what}: ${shownValue(key)}`);
}
