// Checks a custom object by the OpenAPI v3 keywords of its definition, in upstream's words.
import { invalidValue, requiredValue, unsupported } from '#kube/meta/names.ts';
import type { Schema } from '#kube/meta/schema.ts';
import type { StatusCause } from '#kube/meta/status.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function checkNumber(rules: Json, value: number, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const fail = (why: string): void =>
    void causes.push(invalidValue(path, value, `${path} in body should be ${why}`));
  const { minimum, maximum, multipleOf } = rules as Record<string, number | undefined>;
  if (minimum !== undefined && value < minimum) fail(`greater than or equal to ${minimum}`);
  if (minimum !== undefined && rules['exclusiveMinimum'] === true && value === minimum)
    fail(`greater than ${minimum}`);
  if (maximum !== undefined && value > maximum) fail(`less than or equal to ${maximum}`);
  if (maximum !== undefined && rules['exclusiveMaximum'] === true && value === maximum)
    fail(`less than ${maximum}`);
  if (multipleOf !== undefined && value % multipleOf !== 0) fail(`a multiple of ${multipleOf}`);
  return causes;
}

function checkString(rules: Json, value: string, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const fail = (why: string): void =>
    void causes.push(invalidValue(path, value, `${path} in body should ${why}`));
  const { minLength, maxLength } = rules as Record<string, number | undefined>;
  const length = [...value].length;
  if (minLength !== undefined && length < minLength) fail(`be at least ${minLength} chars long`);
  if (maxLength !== undefined && length > maxLength) {
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${maxLength} bytes`,
      field: path,
    });
  }
  const { pattern } = rules;
  if (typeof pattern === 'string' && !new RegExp(pattern).test(value)) fail(`match '${pattern}'`);
  return causes;
}

function checkArray(rules: Json, value: readonly unknown[], path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const { minItems, maxItems } = rules as Record<string, number | undefined>;
  if (minItems !== undefined && value.length < minItems) {
    causes.push(
      invalidValue(path, value.length, `${path} in body should have at least ${minItems} items`),
    );
  }
  if (maxItems !== undefined && value.length > maxItems) {
    causes.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${value.length}: must have at most ${maxItems} items`,
      field: path,
    });
  }
  return causes;
}

function checkCombined(rules: Json, value: unknown, path: string): StatusCause[] {
  const passes = (one: Json): boolean => validateByKeywords(one, value);
  const { allOf, anyOf, oneOf, not } = rules as {
    allOf?: Json[];
    anyOf?: Json[];
    oneOf?: Json[];
    not?: Json;
  };
  const causes: StatusCause[] = [];
  const fail = (why: string): void =>
    void causes.push(invalidValue(path === '' ? '<nil>' : path, '', why));
  const where = path === '' ? '""' : `"${path}"`;
  if (allOf?.every(passes) === false) fail(`${where} must validate all the schemas (allOf)`);
  if (anyOf?.some(passes) === false) fail(`${where} must validate at least one schema (anyOf)`);
  if (oneOf !== undefined && oneOf.filter(passes).length !== 1)
    fail(`${where} must validate one and only one schema (oneOf)`);
  if (not !== undefined && passes(not)) fail(`${where} must not validate the schema (not)`);
  return causes;
}

/** The value-checking keywords that may stand inside of allOf, anyOf, oneOf and not. */
function validateByKeywords(rules: Json, value: unknown): boolean {
  if (isObject(value)) {
    const required = (rules['required'] ?? []) as string[];
    if (!required.every((key) => value[key] !== undefined)) return false;
    const properties = (rules['properties'] ?? {}) as Record<string, Json>;
    const wrong = Object.entries(properties).some(
      ([key, one]) => value[key] !== undefined && !validateByKeywords(one, value[key]),
    );
    if (wrong) return false;
  }
  const choices = rules['enum'] as unknown[] | undefined;
  if (choices !== undefined && !choices.includes(value)) return false;
  if (rules['type'] === 'integer' && !Number.isInteger(value)) return false;
  if (rules['type'] === 'string' && typeof value !== 'string') return false;
  return checkKeywords(rules, value, '').length === 0;
}

function checkKeywords(rules: Json, value: unknown, path: string): StatusCause[] {
  const own =
    typeof value === 'number'
      ? checkNumber(rules, value, path)
      : typeof value === 'string'
        ? checkString(rules, value, path)
        : Array.isArray(value)
          ? checkArray(rules, value, path)
          : [];
  return [...own, ...checkCombined(rules, value, path)];
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function checkType(schema: Schema, value: unknown, path: string): StatusCause[] {
  const wanted = schema.type === 'map' ? 'object' : schema.type;
  const is = typeOf(value);
  if (wanted === 'any' || is === wanted || (wanted === 'number' && is === 'integer')) return [];
  if (is === 'null' && schema.nullable === true) return [];
  return [invalidValue(path, is, `${path} in body must be of type ${wanted}: "${is}"`)];
}

export function validateCustom(schema: Schema, value: unknown, path = ''): StatusCause[] {
  const causes = checkType(schema, value, path);
  if (causes.length > 0) return causes;
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    return [unsupported(path, value, schema.enum.map(String))];
  }
  if (schema.validation !== undefined)
    causes.push(...checkKeywords(schema.validation, value, path));
  if (Array.isArray(value)) {
    const items = schema.items;
    if (items !== undefined)
      value.forEach((one, index) =>
        causes.push(...validateCustom(items, one, `${path}[${index}]`)),
      );
    return causes;
  }
  if (!isObject(value)) return causes;
  for (const key of schema.required ?? []) {
    if (value[key] === undefined) causes.push(requiredValue(join(path, key)));
  }
  for (const [key, one] of Object.entries(value)) {
    if (path === '' && key === 'metadata') continue;
    const child = schema.type === 'map' ? schema.values : schema.properties?.[key];
    if (child !== undefined)
      causes.push(
        ...validateCustom(child, one, schema.type === 'map' ? `${path}[${key}]` : join(path, key)),
      );
  }
  return causes;
}
