// What the keywords of a definition's schema may say, at every place of it, whether it is structural or not. Field
// paths and words as apiextensions v0.37.
import { shownAs } from '#kube/meta/go-shown.ts';
import {
  forbidden,
  invalidShown,
  invalidValue,
  requiredValue,
  unsupported,
} from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { isObject, valuesOf, type JsonSchema } from './json-schema.ts';
import { checkRule } from './rule-validation.ts';
import { itemsOf, schemasIn } from './structural-rules.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

const unsupportedKeys = [
  'id',
  'additionalItems',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
];

/** What holds for a whole part of a schema. */
interface Scope {
  /** Why there may be no defaults; undefined where there may. */
  readonly noDefaults?: string;
  readonly isMeta: boolean;
}

function checkPlain(schema: JsonSchema, field: string, scope: Scope): StatusCause[] {
  const { type = '', default: preset, items } = schema;
  const causes: StatusCause[] = [];
  if (type !== '' && !types.includes(type)) causes.push(unsupported(`${field}.type`, type, types));
  if (preset !== undefined && scope.noDefaults !== undefined)
    causes.push(forbidden(`${field}.default`, `must not be set ${scope.noDefaults}`));
  for (const key of unsupportedKeys) {
    if (schema[key] === undefined || schema[key] === '') continue;
    causes.push(forbidden(`${field}.${key}`, `${key} is not supported`));
  }
  if (type === 'null') {
    const why = 'type cannot be set to null, use nullable as an alternative';
    causes.push(forbidden(`${field}.type`, why));
  }
  if (Array.isArray(items) && items.length > 0)
    causes.push(forbidden(`${field}.items`, 'items must be a schema object and not an array'));
  if (scope.isMeta && schema['x-kubernetes-embedded-resource'] === true) {
    const at = `${field}.x-kubernetes-embedded-resource`;
    causes.push(forbidden(at, 'must not be used inside of resource meta'));
  }
  if (schema.uniqueItems === true) {
    const why = 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic';
    causes.push(forbidden(`${field}.uniqueItems`, why));
  }
  return causes;
}

function typeCause({ type = '' }: JsonSchema, field: string, why: string): StatusCause {
  return type === '' ? requiredValue(field, why) : invalidValue(field, type, why);
}

function checkExtensions(schema: JsonSchema, field: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const at = (key: string): string => `${field}.${key}`;
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    const why = 'must be true or undefined';
    causes.push(invalidValue(at('x-kubernetes-preserve-unknown-fields'), false, why));
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined) {
    if (schema.type !== 'object')
      causes.push(
        typeCause(schema, at('type'), 'must be object if x-kubernetes-map-type is specified'),
      );
    if (!['atomic', 'granular'].includes(mapType)) {
      causes.push(unsupported(at('x-kubernetes-map-type'), mapType, ['atomic', 'granular']));
    }
  }
  return causes;
}

// ---- lists ----

function checkSet(items: JsonSchema, field: string): StatusCause[] {
  const { 'x-kubernetes-list-type': listType, 'x-kubernetes-map-type': mapType, type } = items;
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  // Of a map the type of list is shown.
  if (type === 'array' && (listType ?? 'atomic') !== 'atomic')
    return [invalidValue(`${field}.items.x-kubernetes-list-type`, listType, why)];
  if (type === 'object' && mapType !== 'atomic')
    return [invalidValue(`${field}.items.x-kubernetes-map-type`, listType ?? null, why)];
  return [];
}

function checkMap(schema: JsonSchema, keys: readonly string[], field: string): StatusCause[] {
  const at = (key: string): string => `${field}.${key}`;
  const causes: StatusCause[] = [];
  if (keys.length === 0) {
    const why = 'must not be empty if x-kubernetes-list-type is map';
    causes.push(requiredValue(at('x-kubernetes-list-map-keys'), why));
  }
  if (schema.items === undefined) {
    const why = 'must have a schema if x-kubernetes-list-type is map';
    return [...causes, requiredValue(at('items'), why)];
  }
  const items = itemsOf(schema);
  if (items === undefined) {
    const why = 'must only have a single schema if x-kubernetes-list-type is map';
    const shown = shownAs('@JSONSchemaPropsOrArray', schema.items);
    return [...causes, invalidShown(at('items'), shown, why)];
  }
  if (items.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    return [...causes, invalidValue(at('items.type'), items.type ?? '', why)];
  }
  keys.forEach((key, i) => {
    const property = items.properties?.[key];
    const isNested = property?.type === 'array' || property?.type === 'object';
    const all = at('x-kubernetes-list-map-keys');
    if (property === undefined) {
      causes.push(invalidValue(all, keys, 'entries must all be names of item properties'));
    } else if (isNested) {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      causes.push(invalidValue(at(`items.properties[${key}].type`), items.type, why));
    }
    if (keys.indexOf(key) < i)
      causes.push(invalidValue(all, keys, 'must not contain duplicate entries'));
  });
  return causes;
}

function checkKeys(items: JsonSchema, keys: readonly string[], field: string): StatusCause[] {
  const required = Array.isArray(items.required) ? items.required : [];
  return keys.flatMap((key) => {
    const property = items.properties?.[key];
    if (property === undefined) return [];
    const at = `${field}.items.properties[${key}]`;
    const causes: StatusCause[] = [];
    if (!required.includes(key) && property.default === undefined) {
      const why =
        'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property';
      causes.push(requiredValue(`${at}.default`, why));
    }
    if (property.nullable === true) {
      const why = 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable';
      causes.push(forbidden(`${at}.nullable`, why));
    }
    return causes;
  });
}

function checkList(schema: JsonSchema, field: string): StatusCause[] {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const causes: StatusCause[] = [];
  const at = `${field}.x-kubernetes-list-type`;
  const items = itemsOf(schema);
  if (type !== undefined) {
    if (schema.type !== 'array') {
      const why = 'must be array if x-kubernetes-list-type is specified';
      causes.push(typeCause(schema, `${field}.type`, why));
    } else if (type === 'set' && items !== undefined) causes.push(...checkSet(items, field));
    if (!['atomic', 'set', 'map'].includes(type))
      causes.push(unsupported(at, type, ['atomic', 'set', 'map']));
  }
  if (keys.length > 0 && type !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    causes.push(type === undefined ? requiredValue(at, why) : invalidValue(at, type, why));
  }
  if (type === 'map') causes.push(...checkMap(schema, keys, field));
  if (items === undefined || (type !== 'map' && type !== 'set')) return causes;
  if (items.nullable === true) {
    const why = `cannot be nullable when x-kubernetes-list-type is ${type}`;
    causes.push(forbidden(`${field}.items.nullable`, why));
  }
  return type === 'map' ? [...causes, ...checkKeys(items, keys, field)] : causes;
}

// ---- all ----

const metaFields = new Set(['metadata', 'kind', 'apiVersion']);

function checkValues(schema: JsonSchema, field: string, scope: Scope): StatusCause[] {
  const { additionalProperties, properties = {} } = schema;
  if (additionalProperties === undefined) return [];
  const at = `${field}.additionalProperties`;
  const hasProperties = Object.keys(properties).length > 0;
  const why = 'additionalProperties and properties are mutual exclusive';
  const own = additionalProperties !== true && hasProperties ? [forbidden(at, why)] : [];
  const values = valuesOf(schema);
  if (values === undefined) return own;
  const noDefaults = 'inside additionalProperties applying to object metadata';
  const inner = scope.isMeta ? { ...scope, noDefaults } : scope;
  return [...own, ...checkNode(values, { field: at, isRoot: false, scope: inner })];
}

interface Place {
  readonly field: string;
  readonly isRoot: boolean;
  readonly scope: Scope;
}

function checkNode(schema: JsonSchema, { field, isRoot, scope }: Place): StatusCause[] {
  const below = (one: JsonSchema, path: string, inner = scope): StatusCause[] =>
    checkNode(one, { field: `${field}.${path}`, isRoot: false, scope: inner });
  const causes = [...checkPlain(schema, field, scope), ...checkValues(schema, field, scope)];
  const isResource = isRoot || schema['x-kubernetes-embedded-resource'] === true;
  for (const [key, one] of Object.entries(schema.properties ?? {})) {
    const meta = {
      ...scope,
      isMeta: true,
      ...(isRoot ? { noDefaults: `in top-level ${key}` } : {}),
    };
    const inner = isResource && metaFields.has(key) ? meta : scope;
    causes.push(...below(one, `properties[${key}]`, inner));
  }
  if (isObject(schema.not)) causes.push(...below(schema.not, 'not'));
  for (const key of ['allOf', 'oneOf', 'anyOf'] as const)
    schemasIn(schema[key]).forEach((one, i) => causes.push(...below(one, `${key}[${i}]`)));
  const items = itemsOf(schema);
  if (items !== undefined) causes.push(...below(items, 'items'));
  schemasIn(schema.items).forEach((one, i) => causes.push(...below(one, `items[${i}]`)));
  causes.push(...checkExtensions(schema, field), ...checkList(schema, field));
  (schema['x-kubernetes-validations'] ?? []).forEach((rule, i) =>
    causes.push(...checkRule(rule, schema, `${field}.x-kubernetes-validations[${i}]`)),
  );
  return causes;
}

export const checkKeywords = (schema: JsonSchema, field: string): StatusCause[] =>
  checkNode(schema, { field, isRoot: true, scope: { isMeta: false } });
