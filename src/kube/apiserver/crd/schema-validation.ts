// Checks a value by a structural schema, keyword by keyword, with the errors of kube-openapi's validator.
// With an old value, what has not changed is not held against the object (ratcheting).
import { CelFailure } from '#kube/cel/core-values.ts';
import { goRegExp } from '#kube/cel/go-regexp.ts';
import { same } from '#base/same.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { isUnchangedBy, oldItemFor } from './correlation.ts';
import { hasFormat, isKnownFormat } from './formats.ts';
import { isObject, join, valuesOf, type JsonSchema } from './json-schema.ts';

/** The value that stood in the same place before; undefined when there is none to compare with. */
export interface Old {
  readonly value: unknown;
}

interface Result {
  readonly causes: StatusCause[];
  /** How many checks passed: of several alternatives the closest one is told. */
  matches: number;
}

/** Go's %v of a number. */
export function goNumber(value: number | bigint): string {
  if (typeof value === 'bigint') return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 53) return String(value);
  const size = Math.abs(value);
  if (size >= 1e21 || size < 1e-4) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return String(value);
}

function shown(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint'
    ? goNumber(value)
    : JSON.stringify(value ?? '');
}

/** Larger ones, where they are no bigints, were written as numbers with a point. */
const isWhole = (value: number): boolean => Number.isSafeInteger(value);

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  if (typeof value === 'number') return isWhole(value) ? 'integer' : 'number';
  if (typeof value === 'bigint') return 'integer';
  return typeof value;
}

class Check {
  readonly result: Result = { causes: [], matches: 0 };
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  merge(other: Result): void {
    this.result.causes.push(...other.causes);
    this.result.matches += other.matches;
  }

  /** A check of one keyword: passed, or why not. */
  #judge(isOk: boolean, cause: () => StatusCause): void {
    if (isOk) this.result.matches += 1;
    else this.result.causes.push(cause());
  }

  invalid(isOk: boolean, value: unknown, why: string, reason = 'FieldValueInvalid'): void {
    this.#judge(isOk, () => {
      const text = `${this.#path} in body ${why}`;
      return {
        reason,
        message: `Invalid value: ${shown(value)}: ${text}`,
        field: place(this.#path),
      };
    });
  }

  tooLong(isOk: boolean, most: number): void {
    const message = `Too long: may not be more than ${most} bytes`;
    this.#judge(isOk, () => ({ reason: 'FieldValueTooLong', message, field: place(this.#path) }));
  }

  tooMany(isOk: boolean, count: number, most: number): void {
    const items = most === 1 ? 'item' : 'items';
    const message = `Too many: ${count}: must have at most ${most} ${items}`;
    this.#judge(isOk, () => ({ reason: 'FieldValueTooMany', message, field: place(this.#path) }));
  }

  /** About the whole value, told at no field. */
  composite(isOk: boolean, why: string): void {
    const message = `Invalid value: "": ${JSON.stringify(this.#path)} ${why}`;
    this.#judge(isOk, () => ({ reason: 'FieldValueInvalid', message, field: '<nil>' }));
  }

  add(cause: StatusCause): void {
    this.result.causes.push(cause);
  }
}

const place = (path: string): string =>
  path.replace(/^\./, '') === '' ? '<nil>' : path.replace(/^\./, '');

const INT32_END = 2 ** 31;
const INT64_END = 2 ** 63;
const FLOAT32_MAX = 3.4028234663852886e38;

/** What kube-openapi calls the formats of the numbers that it has. */
const goFormats: Readonly<Record<string, string>> = { integer: 'int64', number: 'float64' };

function typesOf(schema: JsonSchema): readonly string[] {
  if (schema['x-kubernetes-int-or-string'] === true) return ['integer', 'string'];
  return schema.type === undefined || schema.type === '' ? [] : [schema.type];
}

function formatOf({ type, format = '' }: JsonSchema, { hasAllFormats }: Place): string {
  return hasAllFormats || isKnownFormat(type, format) ? format : '';
}

/** Where a type has a format, the format stands for it in what is said of numbers, truths and objects. */
function checkType(check: Check, schema: JsonSchema, value: unknown, at: Place): void {
  const types = typesOf(schema);
  const format = formatOf(schema, at);
  if (types.length === 0 && format === '') return;
  const is = typeOf(value);
  const refuse = (isOk: boolean, wanted: string, given: string): void =>
    check.invalid(isOk, given, `must be of type ${wanted}: "${given}"`, 'FieldValueTypeInvalid');
  if (is === 'null')
    return refuse(schema.nullable === true || types.length === 0, types.join(','), is);
  const isOk = types.includes(is) || (is === 'integer' && types.includes('number'));
  const isHeld = typeof value === 'string' || Array.isArray(value);
  const own = goFormats[is] ?? '';
  if (format !== '' && !isHeld && !isOk && own !== format) return refuse(false, format, own);
  const isOfNumber = types.includes('number') || types.includes('integer');
  const isUnchecked = format !== '' && isHeld && !isOfNumber;
  refuse(isOk || isUnchecked, types.join(','), is);
}

/** Whether a number, or a bound of one, is in the range of its type. */
function isInRange(value: number | bigint, type: string, format: string): boolean {
  // It is one of int64.
  if (typeof value === 'bigint') return type !== 'integer' || format !== 'int32';
  if (type !== 'integer') return format !== 'float' || Math.abs(value) <= FLOAT32_MAX;
  const end = format === 'int32' ? INT32_END : INT64_END;
  return Number.isInteger(value) && value < end && value >= -end;
}

function checkNumber(check: Check, schema: JsonSchema, value: number | bigint, path: string): void {
  const { minimum, maximum, multipleOf, exclusiveMinimum, exclusiveMaximum } = schema;
  const [type = '', ...more] = typesOf(schema);
  const isNumber = more.length === 0 && (type === 'integer' || type === 'number');
  const format = isKnownFormat(type, schema.format ?? '') ? (schema.format ?? '') : '';
  const inRange = (what: string, number: number | bigint): void => {
    if (!isNumber || isInRange(number, type, format)) return;
    const shown = format === '' ? '(default format)' : `with format ${format}`;
    const message = `Invalid value: "": ${what} must be of type ${type} ${shown} in ${path}`;
    check.add({ reason: 'FieldValueInvalid', message, field: '<nil>' });
  };
  inRange('Checked value', value);
  if (multipleOf !== undefined) {
    inRange('MultipleOf value', multipleOf);
    const isMultiple =
      typeof value === 'bigint' && Number.isSafeInteger(multipleOf) && multipleOf !== 0
        ? value % BigInt(multipleOf) === 0n
        : Number.isInteger(Number(value) / multipleOf);
    check.invalid(isMultiple, value, `should be a multiple of ${goNumber(multipleOf)}`);
  }
  const bound = (limit: number): string =>
    goNumber(typeof value === 'bigint' || Number.isInteger(value) ? Math.trunc(limit) : limit);
  if (maximum !== undefined) {
    inRange('Maximum boundary value', maximum);
    const isOk = exclusiveMaximum === true ? value < maximum : value <= maximum;
    check.invalid(
      isOk,
      value,
      `should be less than ${exclusiveMaximum === true ? '' : 'or equal to '}${bound(maximum)}`,
    );
  }
  if (minimum !== undefined) {
    inRange('Minimum boundary value', minimum);
    const isOk = exclusiveMinimum === true ? value > minimum : value >= minimum;
    check.invalid(
      isOk,
      value,
      `should be greater than ${exclusiveMinimum === true ? '' : 'or equal to '}${bound(minimum)}`,
    );
  }
}

function matchesPattern(pattern: string, value: string): boolean {
  try {
    return goRegExp(pattern).test(value);
  } catch (error) {
    if (error instanceof CelFailure) return false;
    throw error;
  }
}

function checkString(check: Check, schema: JsonSchema, value: string, at: Place): void {
  const { minLength, maxLength, pattern } = schema;
  const format = formatOf(schema, at);
  const length = maxLength === undefined && minLength === undefined ? 0 : [...value].length;
  // The first that is wrong is told, as upstream.
  if (maxLength !== undefined && length > maxLength) check.tooLong(false, maxLength);
  else if (minLength !== undefined && length < minLength)
    check.invalid(false, value, `should be at least ${minLength} chars long`);
  else if (pattern !== undefined)
    check.invalid(matchesPattern(pattern, value), value, `should match '${pattern}'`);
  if (format !== '') {
    const why = `must be of type ${format}: ${JSON.stringify(value)}`;
    check.invalid(hasFormat(format, value), value, why, 'FieldValueTypeInvalid');
  }
}

function checkArray(check: Check, schema: JsonSchema, value: readonly unknown[], at: Place): void {
  const { items, minItems, maxItems } = schema;
  if (items !== undefined) {
    value.forEach((one, i) => {
      const old = oldItemFor(schema, at.old?.value, one, i);
      check.merge(node(items, one, { ...at, path: `${at.path}[${i}]`, old }));
    });
  }
  const count = value.length;
  if (minItems !== undefined)
    check.invalid(count >= minItems, count, `should have at least ${minItems} items`);
  if (maxItems !== undefined) check.tooMany(count <= maxItems, count, maxItems);
}

function checkEnum(check: Check, schema: JsonSchema, value: unknown, path: string): void {
  if (schema.enum === undefined) return;
  if (schema.enum.some((one) => same(one, value))) {
    check.result.matches += 1;
    return;
  }
  const names = schema.enum.map((one) =>
    JSON.stringify(typeof one === 'string' ? one : JSON.stringify(one)),
  );
  const message = `Unsupported value: ${shown(value)}: supported values: ${names.join(', ')}`;
  check.add({ reason: 'FieldValueNotSupported', message, field: place(path) });
}

function oldField(at: Place, key: string): Old | undefined {
  if (at.path === '' && (key === 'apiVersion' || key === 'kind')) return undefined;
  const before = at.old?.value;
  return isObject(before) && before[key] !== undefined ? { value: before[key] } : undefined;
}

function checkObject(
  check: Check,
  schema: JsonSchema,
  value: Record<string, unknown>,
  at: Place,
): void {
  const { properties = {}, required = [], minProperties, maxProperties } = schema;
  const keys = Object.keys(value);
  const count = keys.length;
  if (minProperties !== undefined) {
    check.invalid(
      count >= minProperties,
      count,
      `should have at least ${minProperties} properties`,
    );
  }
  if (maxProperties !== undefined) check.tooMany(count <= maxProperties, count, maxProperties);
  const values = valuesOf(schema);
  for (const key of keys) {
    const field = Object.hasOwn(properties, key) ? properties[key] : undefined;
    const old = oldField(at, key);
    if (field !== undefined)
      check.merge(node(field, value[key], { ...at, path: join(at.path, key), old }));
    else if (schema.additionalProperties === false) {
      check.invalid(false, key, `${at.path}.${key} is a forbidden property`);
    } else if (values !== undefined)
      check.merge(node(values, value[key], { ...at, path: `${at.path}.${key}`, old }));
  }
  for (const key of required) {
    if (value[key] !== undefined) check.result.matches += 1;
    else {
      check.add({
        reason: 'FieldValueRequired',
        message: 'Required value',
        field: place(join(at.path, key)),
      });
    }
  }
}

/** The result of the alternative that fits best. */
function closest(results: readonly Result[]): Result | undefined {
  let best: Result | undefined;
  for (const one of results) if (best === undefined || one.matches > best.matches) best = one;
  return best;
}

const isValid = (result: Result): boolean => result.causes.length === 0;

function checkCombinations(check: Check, schema: JsonSchema, value: unknown, at: Place): void {
  const judge = (one: JsonSchema): Result => bare(one, value, at);
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) {
    const results = schema.anyOf.map(judge);
    const valid = results.find(isValid);
    check.composite(valid !== undefined, 'must validate at least one schema (anyOf)');
    const told = valid ?? closest(results);
    if (told !== undefined) check.merge(told);
  }
  if (schema.oneOf !== undefined && schema.oneOf.length > 0) {
    const results = schema.oneOf.map(judge);
    const valid = results.filter(isValid);
    const found =
      valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`;
    check.composite(valid.length === 1, `must validate one and only one schema (oneOf). ${found}`);
    const told = valid.length === 0 ? closest(results) : undefined;
    if (told !== undefined) check.merge(told);
  }
  if (schema.allOf !== undefined && schema.allOf.length > 0) {
    const results = schema.allOf.map(judge);
    for (const one of results) check.merge(one);
    const none = results.some(isValid) ? '' : '. None validated';
    check.composite(results.every(isValid), `must validate all the schemas (allOf)${none}`);
  }
  if (schema.not !== undefined) {
    check.composite(!isValid(judge(schema.not)), 'must not validate the schema (not)');
  }
}

interface Place {
  readonly path: string;
  readonly old: Old | undefined;
  /** Whether formats count that are none of the type's: so it is for defaults, not for objects. */
  readonly hasAllFormats: boolean;
}

function bare(schema: JsonSchema, value: unknown, at: Place): Result {
  const check = new Check(at.path);
  checkType(check, schema, value, at);
  if (value === null) {
    checkEnum(check, schema, value, at.path);
    return check.result;
  }
  checkCombinations(check, schema, value, at);
  if (typeof value === 'string') checkString(check, schema, value, at);
  if (typeof value === 'number' || typeof value === 'bigint')
    checkNumber(check, schema, value, at.path);
  if (Array.isArray(value)) checkArray(check, schema, value, at);
  checkEnum(check, schema, value, at.path);
  if (isObject(value)) checkObject(check, schema, value, at);
  return check.result;
}

function node(schema: JsonSchema, value: unknown, at: Place): Result {
  const result = bare(schema, value, at);
  if (result.causes.length === 0 || at.old === undefined) return result;
  if (!isUnchangedBy(schema, at.old.value, value)) return result;
  return { causes: [], matches: result.matches };
}

/** `path` is where the value stands; with `old`, errors of unchanged parts are left out. */
export function validateBySchema(
  schema: JsonSchema,
  value: unknown,
  options: {
    readonly path?: string;
    readonly old?: Old | undefined;
    readonly hasAllFormats?: boolean;
  } = {},
): StatusCause[] {
  const { path = '', old, hasAllFormats = false } = options;
  const { causes } = node(schema, value, { path: '', old, hasAllFormats });
  if (path === '') return causes;
  return causes.map((cause) => ({
    ...cause,
    field: cause.field === '<nil>' ? path : join(path, cause.field ?? ''),
  }));
}
