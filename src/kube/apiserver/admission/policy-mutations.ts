// What the expression of a mutation does to an object: an apply configuration is merged into it by its schema,
// a JSON patch is applied to its JSON, and what comes out is read as a client's object would be.
import { CelFailure, Duration, LiteralMap, Timestamp, Uint } from '#kube/cel/core-values.ts';
import { jsonValue } from '#kube/cel/values.ts';
import { GoValue } from '#kube/meta/go-value.ts';
import { apiVersionOf, type KubeObject } from '#kube/meta/object.ts';
import { decodeStrict } from '#kube/meta/pruning.ts';
import type { ResourceInfo } from '#kube/meta/resource-info.ts';
import type { Schema } from '#kube/meta/schema.ts';
import { ApiError } from '#kube/meta/status.ts';
import { fieldSchema, isObject, merge, shapeErrors } from '#kube/meta/structured.ts';
import { checkObjectTypes, ObjectValue, type PatchOperation } from './object-literals.ts';
import { applySteps, TestFailed, type PatchStep } from './policy-json-patch.ts';

type Json = Record<string, unknown>;

const isCustom = (info: ResourceInfo): boolean => info.customResourceDefinition !== undefined;

function goTime(point: Timestamp): string {
  const time = point.local(0);
  const month = time.toLocaleString('en', { month: 'long', timeZone: 'UTC' });
  const [hours, minutes, seconds] = [
    time.getUTCHours(),
    time.getUTCMinutes(),
    time.getUTCSeconds(),
  ];
  const date = `${time.getUTCFullYear()}, time.${month}, ${time.getUTCDate()}`;
  return `time.Date(${date}, ${hours}, ${minutes}, ${seconds}, ${point.fraction}, time.UTC)`;
}

/** What cel-go's values are in Go, where that is no JSON. */
function goForm(value: unknown): GoValue | undefined {
  if (value === null) return new GoValue('0', 'structpb.NullValue', null, 'NULL_VALUE');
  if (value instanceof Uint) {
    const number = value.value;
    return new GoValue(`0x${number.toString(16)}`, 'uint64', Number(number), String(number));
  }
  if (value instanceof Uint8Array) {
    const bytes = [...value].map((one) => `0x${one.toString(16)}`).join(', ');
    const printed = `[${[...value].join(' ')}]`;
    return new GoValue(`[]uint8{${bytes}}`, '[]uint8', jsonValue(value), printed);
  }
  if (value instanceof Timestamp) return new GoValue(goTime(value), 'time.Time', jsonValue(value));
  if (value instanceof Duration) {
    const { nanos } = value;
    return new GoValue(String(nanos), 'time.Duration', jsonValue(value), String(value));
  }
  return undefined;
}

/** The fields of an object that an expression made. Throws CelFailure. */
function nativeFields(object: ObjectValue): Json {
  const out: Json = {};
  for (const [key, value] of object) {
    try {
      out[key] = native(value);
    } catch (error) {
      if (error instanceof CelFailure)
        throw new CelFailure(`fail to convert field "${key}": ${error.message}`);
      throw error;
    }
  }
  return out;
}

function native(value: unknown): unknown {
  if (value instanceof ObjectValue) {
    try {
      return nativeFields(value);
    } catch (error) {
      // Upstream goes on with the error in the field's place.
      if (error instanceof CelFailure) return new GoValue(error.message, 'error', null);
      throw error;
    }
  }
  const odd = goForm(value);
  if (odd !== undefined) return odd;
  if (Array.isArray(value)) {
    // Maps that are written out in lists stay what they are in CEL.
    return value.map((one: unknown) =>
      one instanceof LiteralMap
        ? new GoValue('map[]', 'map[ref.Val]ref.Val', jsonValue(one))
        : native(one),
    );
  }
  if (typeof value !== 'object') return jsonValue(value);
  if (value instanceof Map) return nativeMap(value);
  const { name } = value as { readonly name?: unknown };
  return typeof name === 'string' ? name : jsonValue(value);
}

function nativeMap(map: Map<unknown, unknown>): Json {
  const out: Json = {};
  for (const [key, value] of map) {
    if (typeof key !== 'string') {
      const shown = JSON.stringify(String.fromCharCode(Number(key))).slice(1, -1);
      const hex = shown.replace(/^\\u00/, '\\x');
      throw new CelFailure(`map key '${hex}' is of type types.Int, not string`);
    }
    out[key] = native(value);
  }
  return out;
}

function plain(value: unknown): unknown {
  if (value instanceof GoValue) return value.plain;
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** Lists, maps and structs that are replaced as a whole may not be set: others' parts would be lost. */
function atomics(schema: Schema, value: unknown, path: string): string[] {
  if (Array.isArray(value)) {
    const isAtomic = schema.type === 'array' && (schema.listType ?? 'atomic') === 'atomic';
    const inner = value.flatMap((one, i) =>
      atomics(schema.items ?? { type: 'any' }, one, `${path}[${i}]`),
    );
    return isAtomic ? [path, ...inner] : inner;
  }
  if (!isObject(value)) return [];
  const own = schema.mapType === 'atomic' ? [path] : [];
  return [
    ...own,
    ...Object.entries(value).flatMap(([key, one]) =>
      atomics(fieldSchema(schema, key), one, `${path}.${key}`),
    ),
  ];
}

const zeros: Readonly<Record<string, unknown>> = {
  string: '',
  integer: 0,
  number: 0,
  boolean: false,
};

/** Elements without any of their keys have them at zero, as the published schemas of built-in kinds say. */
function withKeys(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const keys = schema.listType === 'map' ? (schema.listMapKeys ?? []) : [];
    const properties = schema.items?.properties ?? {};
    return value.map((one: unknown) => {
      const inner = withKeys(schema.items ?? { type: 'any' }, one);
      if (!isObject(inner) || keys.some((key) => inner[key] !== undefined)) return inner;
      const zero = keys.map((key) => [
        key,
        properties[key]?.default ?? zeros[properties[key]?.type ?? ''],
      ]);
      return { ...Object.fromEntries(zero), ...inner };
    });
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, withKeys(fieldSchema(schema, key), one)]),
  );
}

/** Whether a whole number is meant and another one is there. */
function hasHalf(schema: Schema, value: unknown): boolean {
  if (typeof value === 'number') return schema.type === 'integer' && !Number.isInteger(value);
  if (Array.isArray(value))
    return value.some((one) => hasHalf(schema.items ?? { type: 'any' }, one));
  if (!isObject(value)) return false;
  return Object.entries(value).some(([key, one]) => hasHalf(fieldSchema(schema, key), one));
}

/** The object with an apply configuration merged into it. Throws CelFailure. */
export function applied(object: KubeObject, value: unknown, info: ResourceInfo): KubeObject {
  if (!(value instanceof ObjectValue))
    throw new CelFailure('unsupported return type from ApplyConfiguration expression');
  checkObjectTypes(value);
  const { schema } = info;
  const fields = nativeFields(value);
  const patch = isCustom(info) ? fields : (withKeys(schema, fields) as Json);
  const typed = { ...patch, apiVersion: object.apiVersion, kind: object.kind };
  const wrong = shapeErrors(schema, typed);
  if (wrong.length > 0) {
    const why = wrong.length === 1 ? (wrong[0] ?? '') : `errors:\n  ${wrong.join('\n  ')}`;
    throw new CelFailure(
      `error applying patch: failed to convert patch object to typed object: ${why}`,
    );
  }
  const found = atomics(schema, patch, '');
  if (found.length > 0) {
    const why = `may not mutate atomic arrays, maps or structs: ${found.join(', ')}`;
    throw new CelFailure(`error applying patch: invalid ApplyConfiguration: ${why}`);
  }
  if (!isCustom(info) && hasHalf(schema, typed)) {
    const kind = `${info.group}/${info.version}, Kind=${info.kind}`;
    throw new CelFailure(
      `unable to convert unstructured object to ${kind}: cannot convert float64 to int64`,
    );
  }
  return merge(schema, object, plain(typed)) as KubeObject;
}

const internal = (why: string): ApiError =>
  new ApiError(500, 'InternalError', `Internal error occurred: ${why}`, {
    causes: [{ message: why }],
  });

function stepOf(operation: PatchOperation): PatchStep {
  const text = (name: string): string => String(operation.get(name) ?? '');
  const given = operation.get('value');
  if (given instanceof ObjectValue) checkObjectTypes(given);
  return {
    op: text('op'),
    path: text('path'),
    from: text('from'),
    hasValue: operation.has('value'),
    value: given === undefined ? null : jsonValue(given),
  };
}

/** The object with a JSON patch applied; what cannot be read any more is an error of the server's. */
export function patched(object: KubeObject, value: unknown, info: ResourceInfo): KubeObject {
  if (!Array.isArray(value))
    throw new CelFailure('type mismatch: JSONPatchType.expression should evaluate to array');
  const steps = (value as PatchOperation[]).map(stepOf);
  let found: unknown;
  try {
    found = applySteps(object, steps);
  } catch (error) {
    if (error instanceof TestFailed) return object;
    throw error;
  }
  if (isCustom(info)) return found as KubeObject;
  const { value: made, errors, unknown } = decodeStrict(info.schema, found);
  if (errors.length > 0) throw internal(errors.join(', '));
  if (unknown.length > 0) {
    const names = unknown.map((one) => `unknown field "${one}"`);
    throw internal(`strict decoding error: ${names.join(', ')}`);
  }
  const read = made as KubeObject;
  read.apiVersion = apiVersionOf(info);
  read.kind = info.kind;
  read.metadata ??= {};
  return read;
}
