// What a schema says beyond its keywords: elements of sets and maps are unique, and embedded resources
// are resources.
import {
  invalidValue,
  nameProblem,
  requiredValue,
  validateAnnotations,
  validateLabels,
} from '#kube/meta/names.ts';
import { canonical } from '#base/same.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { isObject, join, valuesOf, type Json, type JsonSchema } from './json-schema.ts';

const text = (value: unknown): string => JSON.stringify(canonical(value)) ?? '';

/** The second of each pair that is alike. */
function repeated(values: readonly unknown[]): number[] {
  const seen = new Map<string, number>();
  const found: number[] = [];
  values.forEach((value, i) => {
    const key = text(value);
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    if (times === 1) found.push(i);
  });
  return found;
}

function duplicateAt(field: string, value: unknown): StatusCause {
  return { reason: 'FieldValueDuplicate', message: `Duplicate value: ${text(value)}`, field };
}

function checkList(schema: JsonSchema, value: readonly unknown[], path: string): StatusCause[] {
  const type = schema['x-kubernetes-list-type'];
  if (type === 'set') return repeated(value).map((i) => duplicateAt(`${path}[${i}]`, value[i]));
  if (type !== 'map') return [];
  const odd = value.findIndex((one) => one !== null && !isObject(one));
  if (odd >= 0) {
    const why = 'must be an object for an array of list-type map';
    return [invalidValue(`${path}[${odd}]`, value[odd], why)];
  }
  const names = schema['x-kubernetes-list-map-keys'] ?? [];
  const keys = value.map((one) => {
    const entries = names.filter((name) => isObject(one) && one[name] !== undefined);
    return Object.fromEntries(entries.map((name) => [name, (one as Json)[name]]));
  });
  return repeated(keys).map((i) => duplicateAt(`${path}[${i}]`, keys[i]));
}

export function validateCollections(schema: JsonSchema, value: unknown, path = ''): StatusCause[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    const own = checkList(schema, value, path);
    if (items === undefined) return own;
    return [...own, ...value.flatMap((one, i) => validateCollections(items, one, `${path}[${i}]`))];
  }
  if (!isObject(value)) return [];
  const values = valuesOf(schema);
  return Object.entries(value).flatMap(([key, one]) => {
    const field = schema.properties?.[key];
    if (field !== undefined) return validateCollections(field, one, join(path, key));
    return values === undefined ? [] : validateCollections(values, one, `${path}[${key}]`);
  });
}

// ---- embedded resources ----

function checkWord(value: Json, key: string, path: string): StatusCause[] {
  const field = `${path}.${key}`;
  if (value[key] === undefined) return [requiredValue(field)];
  if (typeof value[key] !== 'string') return [invalidValue(field, value[key], 'must be a string')];
  return value[key] === '' ? [invalidValue(field, '', 'must not be empty')] : [];
}

function checkEmbedded(value: Json, path: string): StatusCause[] {
  const causes = [...checkWord(value, 'apiVersion', path), ...checkWord(value, 'kind', path)];
  const { kind, apiVersion, metadata } = value;
  if (typeof apiVersion === 'string' && apiVersion.split('/').length > 2) {
    const why = `unexpected GroupVersion string: ${apiVersion}`;
    causes.push(invalidValue(`${path}.apiVersion`, apiVersion, why));
  }
  if (typeof kind === 'string' && kind !== '') {
    const wrong = nameProblem('label1035', kind.toLowerCase());
    const head = 'may have mixed case, but should otherwise match: ';
    if (wrong !== undefined) causes.push(invalidValue(`${path}.kind`, kind, `${head}${wrong}`));
  }
  if (isObject(metadata)) {
    const field = `${path}.metadata`;
    const { name, labels, annotations } = metadata as {
      name?: string;
      labels?: never;
      annotations?: never;
    };
    const wrong =
      typeof name === 'string' && name !== '' ? nameProblem('path-segment', name) : undefined;
    if (wrong !== undefined) causes.push(invalidValue(`${field}.name`, name, wrong));
    causes.push(...validateLabels(labels, `${field}.labels`));
    causes.push(...validateAnnotations(annotations, `${field}.annotations`));
  }
  return causes;
}

export function validateEmbedded(schema: JsonSchema, value: unknown, path = ''): StatusCause[] {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return [];
    return value.flatMap((one, i) => validateEmbedded(items, one, `${path}[${i}]`));
  }
  if (!isObject(value)) return [];
  const isEmbedded = path !== '' && schema['x-kubernetes-embedded-resource'] === true;
  const causes = isEmbedded ? checkEmbedded(value, path) : [];
  const values = valuesOf(schema);
  for (const [key, one] of Object.entries(value)) {
    const field = schema.properties?.[key];
    if (field !== undefined) causes.push(...validateEmbedded(field, one, join(path, key)));
    else if (values !== undefined) causes.push(...validateEmbedded(values, one, `${path}[${key}]`));
  }
  return causes;
}
