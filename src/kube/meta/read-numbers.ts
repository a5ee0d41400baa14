// What Go makes of a number in a field of a type: as JSON has it, or as one of the values (int64 and float64) that maps
// without types hold, which are converted. As encoding/json and apimachinery v0.37.
import { INT64_MAX, INT64_MIN, isNumber, plainest } from './exact-numbers.ts';
import type { Schema } from './schema.ts';
import { WrittenNumber } from './written-numbers.ts';

/**
 * How the numbers of a value came here: `plain` as JSON, odd ones known by their holders; `written` as JSON, odd ones
 * told by WrittenNumber; `values` as Go's int64 and float64.
 */
export type NumberForm = 'plain' | 'written' | 'values';

const INT32_BITS = 32;

/** Nearly all there are; no zero is negative after `| 0`. */
const isShort = (value: number | bigint): value is number =>
  typeof value === 'number' && (value | 0) === value;

/** The whole number of a JSON text that is one, when it is in the range of the format; undefined otherwise. */
export function wholeNumber(
  value: number | bigint,
  format: string | undefined,
): number | bigint | undefined {
  if (isShort(value)) return value | 0;
  if (format !== 'int64') return undefined;
  if (typeof value === 'bigint')
    return value <= INT64_MAX && value >= INT64_MIN ? value : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** As the processor converts it: what is out of range is the least of all. */
function toInt64(value: number): bigint {
  const whole = BigInt(value);
  return whole <= INT64_MAX && whole >= INT64_MIN ? whole : INT64_MIN;
}

/** The value, which is whole, as Go converts it to the format. */
export function convertedNumber(
  value: number | bigint,
  format: string | undefined,
): number | bigint {
  if (isShort(value)) return value | 0;
  if (format === 'int64' && Number.isSafeInteger(value)) return value;
  const whole = typeof value === 'bigint' ? value : toInt64(value);
  return plainest(format === 'int64' ? whole : BigInt.asIntN(INT32_BITS, whole));
}

/** Without numbers that say how they are written. */
export function plainNumbers(value: unknown): unknown {
  if (value instanceof WrittenNumber) return Number(value.source);
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plainNumbers(one)]));
}

/** As %v prints it, which has an exponent of a float64 from a million on; what is safe is most often an int64. */
export function goNumber(value: number | bigint): string {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** Go's word for what a value without a type is. */
function goKind(value: unknown): string {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'int64' : 'float64';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'slice';
  return typeof value === 'object' ? 'map' : 'string';
}

/** What apimachinery says of a value that it cannot convert; `goType` is that of scalars. */
export function conversionFault(schema: Schema, value: unknown, goType: string): string {
  const kind = goKind(value);
  if (goType.startsWith('[]')) return `cannot restore slice from ${kind}`;
  if (schema.type === 'map') return `cannot restore map from ${kind}`;
  if (schema.type === 'object') return `cannot restore struct from: ${kind}`;
  const isNumeric = schema.type === 'integer' || schema.type === 'number';
  const isConvertible = isNumber(value) && (isNumeric || (goType === 'string' && kind === 'int64'));
  return isConvertible ? `cannot convert ${kind} to ${goType}` : `unrecognized type: ${goType}`;
}
