// The language itself: its types, operators and functions, in the order in which cel-go declares them
// (common/stdlib), and optional values.
import {
  toBool,
  toBytes,
  toDouble,
  toDuration,
  toInt,
  toText,
  toTimestamp,
  toUint,
} from './conversions.ts';
import { CelFailure, Duration, Optional, type Timestamp, TypeValue, Uint } from './core-values.ts';
import type { Environment, Handler } from './environment.ts';
import { goRegExp } from './go-regexp.ts';
import * as types from './types.ts';
import { typeOfValue } from './values.ts';

const DURATION = 'google.protobuf.Duration';
const TIMESTAMP = 'google.protobuf.Timestamp';

function declareTypes(env: Environment): void {
  const { BOOL, BYTES, DOUBLE, DURATION: span, DYN, INT, NULL, STRING, TIMESTAMP: point } = types;
  for (const type of [BOOL, BYTES, DOUBLE, span, INT, NULL, STRING, point]) env.typeName(type);
  for (const type of [types.TYPE, types.UINT]) env.typeName(type);
  env.typeName(types.listOf(DYN));
  env.typeName(types.mapOf(DYN, DYN));
  env.typeName(types.optionalOf(DYN));
}

function declareArithmetic(env: Environment): void {
  const same = (name: string, all: readonly string[]): void => {
    for (const type of all) env.func(`${name}(${type}, ${type}): ${type}`);
  };
  same('_+_', ['bytes', 'double', DURATION]);
  env.func(`_+_(${DURATION}, ${TIMESTAMP}): ${TIMESTAMP}`);
  env.func(`_+_(${TIMESTAMP}, ${DURATION}): ${TIMESTAMP}`);
  same('_+_', ['int', 'list(A)', 'string', 'uint']);
  same('_-_', ['double', DURATION, 'int']);
  env.func(`_-_(${TIMESTAMP}, ${DURATION}): ${TIMESTAMP}`);
  env.func(`_-_(${TIMESTAMP}, ${TIMESTAMP}): ${DURATION}`);
  same('_-_', ['uint']);
  same('_*_', ['double', 'int', 'uint']);
  same('_/_', ['double', 'int', 'uint']);
  same('_%_', ['int', 'uint']);
  env.func('-_(double): double');
  env.func('-_(int): int');
  env.func('!_(bool): bool');
}

const NUMBERS = ['int', 'double', 'uint'];

function declareRelations(env: Environment): void {
  env.func('_==_(A, A): bool');
  env.func('_!=_(A, A): bool');
  for (const name of ['_<_', '_<=_', '_>_', '_>=_']) {
    for (const type of ['bool', 'string', 'bytes', TIMESTAMP, DURATION])
      env.func(`${name}(${type}, ${type}): bool`);
    for (const a of NUMBERS) for (const b of NUMBERS) env.func(`${name}(${a}, ${b}): bool`);
  }
  for (const name of ['@in', 'in', '_in_']) {
    env.func(`${name}(A, list(A)): bool`);
    env.func(`${name}(A, map(A, B)): bool`);
  }
  env.func('_&&_(bool, bool): bool');
  env.func('_||_(bool, bool): bool');
  env.func('_?_:_(bool, A, A): A');
  env.func('@not_strictly_false(bool): bool');
  env.func('__not_strictly_false__(bool): bool');
}

function declareIndexes(env: Environment): void {
  env.func('_[_](list(A), int): A');
  env.func('_[_](map(A, B), A): B');
  env.func('_[_](optional_type(list(V)), int): optional_type(V)');
  env.func('_[_](optional_type(map(K, V)), K): optional_type(V)');
  env.func('_?._(dyn, string): optional_type(V)');
  env.func('_[?_](list(V), int): optional_type(V)');
  env.func('_[?_](optional_type(list(V)), int): optional_type(V)');
  env.func('_[?_](map(K, V), K): optional_type(V)');
  env.func('_[?_](optional_type(map(K, V)), K): optional_type(V)');
  env.func('cel.@mapInsert(map(K, V), K, V): map(K, V)');
  env.func('cel.@mapInsert(map(K, V), map(K, V)): map(K, V)');
}

/** Of what is optional not of what. */
function bareType(value: unknown): types.CelType {
  const type = typeOfValue(value);
  return type.kind === 'opaque' ? types.opaque(type.name) : type;
}

function declareConversions(env: Environment): void {
  const to = (name: string, from: readonly string[], run: Handler, result = name): void => {
    for (const type of from) env.func(`${name}(${type}): ${result}`, run);
  };
  to('bool', ['bool', 'string'], toBool);
  to('bytes', ['bytes', 'string'], toBytes);
  to('double', ['double', 'int', 'string', 'uint'], toDouble);
  to('duration', [DURATION, 'string'], toDuration, DURATION);
  to('int', ['int', 'double', DURATION, 'string', TIMESTAMP, 'uint'], toInt);
  const texts = ['string', 'bool', 'bytes', 'double', DURATION, 'int', TIMESTAMP, 'uint'];
  to('string', texts, toText);
  to('timestamp', [TIMESTAMP, 'int', 'string'], toTimestamp, TIMESTAMP);
  to('uint', ['uint', 'double', 'int', 'string'], toUint);
  to('dyn', ['A'], (value: unknown) => value);
  env.func('type(A): type(A)', (value: unknown) => new TypeValue(bareType(value)));
}

function sizeOf(value: unknown): bigint {
  if (typeof value === 'string') return BigInt([...value].length);
  if (value instanceof Map) return BigInt(value.size);
  return BigInt((value as ArrayLike<unknown>).length);
}

function declareTexts(env: Environment): void {
  for (const type of ['bytes', 'list(A)', 'map(A, B)', 'string']) {
    env.func(`size(${type}): int`, sizeOf, 'named');
    env.method(`${type}.size(): int`, sizeOf, 'named');
  }
  const method = (name: string, run: (text: string, other: string) => boolean): void =>
    env.method(`string.${name}(string): bool`, run, 'plain');
  method('contains', (text, other) => text.includes(other));
  method('endsWith', (text, other) => text.endsWith(other));
  method('startsWith', (text, other) => text.startsWith(other));
  const matches = (text: string, pattern: string): boolean => goRegExp(pattern).test(text);
  env.func('matches(string, string): bool', matches, 'plain');
  env.method('string.matches(string): bool', matches, 'plain');
}

const DAY_MS = 86_400_000;

const fields: Readonly<Record<string, (time: Date, point: Timestamp) => number>> = {
  getDate: (time) => time.getUTCDate(),
  getDayOfMonth: (time) => time.getUTCDate() - 1,
  getDayOfWeek: (time) => time.getUTCDay(),
  getDayOfYear: (time) => {
    const day = Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate());
    return Math.floor((day - Date.UTC(time.getUTCFullYear(), 0, 1)) / DAY_MS);
  },
  getFullYear: (time) => time.getUTCFullYear(),
  getHours: (time) => time.getUTCHours(),
  getMilliseconds: (_, point) => Number(point.fraction / 1_000_000n),
  getMinutes: (time) => time.getUTCMinutes(),
  getMonth: (time) => time.getUTCMonth(),
  getSeconds: (time) => time.getUTCSeconds(),
};

const units: Readonly<Record<string, bigint>> = {
  getHours: 3_600_000_000_000n,
  getMilliseconds: 1_000_000n,
  getMinutes: 60_000_000_000n,
  getSeconds: 1_000_000_000n,
};

const ATOI = /^[+-]?\d+$/;

function atoi(text: string): number {
  if (ATOI.test(text)) return Number(text);
  throw new CelFailure(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Minutes east of Greenwich, of `+05:30` or the name of a zone at that time. Throws CelFailure. */
function offsetOf(zone: string, point: Timestamp): number {
  const colon = zone.indexOf(':');
  if (colon < 0) return namedOffset(zone, point);
  const [hours, minutes] = [atoi(zone.slice(0, colon)), atoi(zone.slice(colon + 1))];
  return zone.startsWith('-') ? hours * 60 - minutes : hours * 60 + minutes;
}

function namedOffset(zone: string, point: Timestamp): number {
  if (zone === '' || zone === 'UTC') return 0;
  const name = zone === 'Local' ? 'UTC' : zone;
  const unknown = (cause?: unknown): CelFailure =>
    new CelFailure(`unknown time zone ${zone}`, { cause });
  // Go takes names of files alone, with their own letters.
  if (!/^[A-Za-z][\w+/-]*$/.test(name)) throw unknown();
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
    const part = format.formatToParts(point.local(0)).find(({ type }) => type === 'timeZoneName');
    const match = /([+-])(\d\d):(\d\d)/.exec(part?.value ?? '');
    if (match === null) return 0;
    const size = Number(match[2]) * 60 + Number(match[3]);
    return match[1] === '-' ? -size : size;
  } catch (error) {
    if (error instanceof RangeError) throw unknown(error);
    throw error;
  }
}

function declareTimes(env: Environment): void {
  for (const [name, field] of Object.entries(fields)) {
    const at = (point: Timestamp, offset: number): bigint =>
      BigInt(field(point.local(offset), point));
    env.method(`${TIMESTAMP}.${name}(): int`, (point: Timestamp) => at(point, 0));
    env.method(`${TIMESTAMP}.${name}(string): int`, (point: Timestamp, zone: string) =>
      at(point, offsetOf(zone, point)),
    );
    const unit = units[name];
    if (unit !== undefined)
      env.method(`${DURATION}.${name}(): int`, (span: Duration) => span.nanos / unit);
  }
}

/** What is as good as nothing: empty, zero, false, null. */
function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === false || value === 0 || value === 0n) return true;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  if (value instanceof Uint) return value.value === 0n;
  return value instanceof Duration && value.nanos === 0n;
}

function valueOf(optional: Optional): unknown {
  if (optional.hasValue) return optional.value;
  throw new CelFailure('optional.none() dereference');
}

function unwrapped(list: readonly unknown[]): unknown[] {
  return list.flatMap((one) => {
    if (!(one instanceof Optional)) throw new CelFailure(`value ${String(one)} is not optional`);
    return one.hasValue ? [one.value] : [];
  });
}

function declareOptionals(env: Environment): void {
  env.func('optional.of(V): optional_type(V)', Optional.of);
  env.func('optional.ofNonZeroValue(V): optional_type(V)', (value: unknown) =>
    isZero(value) ? Optional.NONE : Optional.of(value),
  );
  env.func('optional.none(): optional_type(V)', Optional.none);
  env.func('optional.unwrap(list(optional_type(V))): list(V)', unwrapped);
  env.method('list(optional_type(V)).unwrapOpt(): list(V)', unwrapped);
  env.method('optional_type(V).value(): V', valueOf);
  env.method('optional_type(V).hasValue(): bool', (one: Optional) => one.hasValue);
  env.method('optional_type(V).or(optional_type(V)): optional_type(V)');
  env.method('optional_type(V).orValue(V): V');
  const at = (list: readonly unknown[], index: number): Optional =>
    list.length === 0 ? Optional.NONE : Optional.of(list.at(index));
  env.method('list(V).first(): optional_type(V)', (list: unknown[]) => at(list, 0));
  env.method('list(V).last(): optional_type(V)', (list: unknown[]) => at(list, -1));
}

export function registerStandard(env: Environment): void {
  declareTypes(env);
  declareArithmetic(env);
  declareRelations(env);
  declareIndexes(env);
  declareConversions(env);
  declareTexts(env);
  declareTimes(env);
  declareOptionals(env);
}
