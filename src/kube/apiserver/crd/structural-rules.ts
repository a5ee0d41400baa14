// Whether the schema of a definition is structural: every value has a type, what junctors say is said of values that
// are described, and metadata is left alone. Field paths and words as apiextensions v0.37.
import { CelFailure } from '#kube/cel/core-values.ts';
import { goRegExp } from '#kube/cel/go-regexp.ts';
import { same } from '#base/same.ts';
import { forbidden, invalidValue, requiredValue } from '#kube/meta/names.ts';
import type { StatusCause } from '#kube/meta/status.ts';
import { isObject, valuesOf, type JsonSchema } from './json-schema.ts';

type Level = 'root' | 'field' | 'item';

const unsupported: readonly (readonly [key: string, shown: string])[] = [
  ['id', 'id'],
  ['$schema', 'schema'],
  ['$ref', '$ref'],
  ['patternProperties', 'patternProperties'],
  ['dependencies', 'dependencies'],
  ['additionalItems', 'additionalItems'],
  ['definitions', 'definitions'],
];

const isSet = (value: unknown): boolean =>
  typeof value === 'object' && value !== null
    ? Object.keys(value).length > 0
    : value !== undefined && value !== null && value !== '' && value !== false;

export const schemasIn = (value: unknown): readonly JsonSchema[] =>
  Array.isArray(value) ? (value as JsonSchema[]).filter(isObject) : [];

export const itemsOf = ({ items }: JsonSchema): JsonSchema | undefined =>
  isObject(items) ? (items as JsonSchema) : undefined;

/** Why it cannot even be read as a structural schema. */
export function unstructured(schema: JsonSchema): string | undefined {
  const key = unsupported.find(
    ([name]) => isSet(schema[name]) || (name === 'additionalItems' && schema[name] !== undefined),
  );
  if (key !== undefined) return `OpenAPIV3Schema '${key[1]}' is not supported`;
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  if (Array.isArray(schema.items) && schema.items.length > 0)
    return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  const { not, allOf, anyOf, oneOf, properties = {} } = schema;
  const inner = [
    ...(not === undefined ? [] : [not]),
    ...[allOf, anyOf, oneOf].flatMap(schemasIn),
    ...[itemsOf(schema), valuesOf(schema)].filter((one) => one !== undefined),
    ...Object.values(properties),
  ];
  for (const one of inner) {
    const why = unstructured(one);
    if (why !== undefined) return why;
  }
  return undefined;
}

// ---- values ----

const isIntOrString = (schemas: unknown): boolean =>
  same(schemas, [{ type: 'integer' }, { type: 'string' }]);

function checkPattern({ pattern }: JsonSchema, field: string): StatusCause[] {
  if (pattern === undefined || pattern === '') return [];
  try {
    goRegExp(pattern);
    return [];
  } catch (error) {
    if (!(error instanceof CelFailure)) throw error;
    const why = `must be a valid regular expression, but isn't: ${error.message}`;
    return [invalidValue(`${field}.pattern`, pattern, why)];
  }
}

interface Skipped {
  readonly any: boolean;
  /** Of the first one in allOf. */
  readonly firstAny: boolean;
}

const nothing: Skipped = { any: false, firstAny: false };

function checkValues(schema: JsonSchema, field: string, skipped: Skipped): StatusCause[] {
  const nested = (key: 'anyOf' | 'oneOf'): StatusCause[] =>
    schemasIn(schema[key]).flatMap((one, i) => checkNested(one, `${field}.${key}[${i}]`, nothing));
  return [
    ...(skipped.any ? [] : nested('anyOf')),
    ...schemasIn(schema.allOf).flatMap((one, i) => {
      const any = i === 0 && skipped.firstAny;
      return checkNested(one, `${field}.allOf[${i}]`, { any, firstAny: false });
    }),
    ...nested('oneOf'),
    ...(isObject(schema.not) ? checkNested(schema.not, `${field}.not`, nothing) : []),
    ...checkPattern(schema, field),
  ];
}

const nestedForbidden: readonly (readonly [string, string])[] = [
  ['type', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
];
/** Where a value that is empty is a value. */
const pointers = new Set(['default', 'x-kubernetes-list-type', 'x-kubernetes-map-type']);

/** Below allOf, anyOf, oneOf and not there are only checks of values. */
function checkNested(schema: JsonSchema, field: string, skipped: Skipped): StatusCause[] {
  const causes = checkValues(schema, field, skipped);
  const items = itemsOf(schema);
  if (items !== undefined) causes.push(...checkNested(items, `${field}.items`, nothing));
  for (const [key, one] of Object.entries(schema.properties ?? {})) {
    const at = `${field}.properties[${key}]`;
    causes.push(...checkNested(one, at, nothing));
    if (key === 'metadata') causes.push(forbidden(at, 'must not be specified in a nested context'));
  }
  for (const [key, why] of nestedForbidden) {
    const value = schema[key];
    const isThere = pointers.has(key) ? value !== undefined : isSet(value);
    if (isThere) causes.push(forbidden(`${field}.${key}`, why));
  }
  const { additionalProperties: values } = schema;
  if (values !== undefined && values !== false)
    causes.push(forbidden(`${field}.additionalProperties`, 'must be undefined to be structural'));
  return causes;
}

// ---- structure ----

const emptyTypes: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

function checkExtensions(schema: JsonSchema, field: string): StatusCause[] {
  if (schema['x-kubernetes-int-or-string'] !== true) return [];
  return ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'].flatMap((key) =>
    schema[key] === true
      ? [
          invalidValue(
            `${field}.${key}`,
            true,
            'must be false if x-kubernetes-int-or-string is true',
          ),
        ]
      : [],
  );
}

function checkType(schema: JsonSchema, level: Level, field: string): StatusCause[] {
  const { type = '' } = schema;
  const at = `${field}.type`;
  const causes: StatusCause[] = [];
  const isOpen =
    schema['x-kubernetes-int-or-string'] === true ||
    schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema['x-kubernetes-embedded-resource'] === true && type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    causes.push(type === '' ? requiredValue(at, why) : invalidValue(at, type, why));
  } else if (type === '' && !isOpen) causes.push(requiredValue(at, emptyTypes[level]));
  if (level === 'root' && type !== '' && type !== 'object')
    causes.push(invalidValue(at, type, 'must be object at the root'));
  return causes;
}

/** Of the root it may only say how it is named. */
function isOnlyNamed(schema: JsonSchema): boolean {
  const { properties = {}, type: _type, default: _default, ...rest } = schema;
  const isNamed = Object.keys(properties).every((key) => key === 'name' || key === 'generateName');
  return isNamed && Object.values(rest).every((value) => !isSet(value));
}

function checkMeta(schema: JsonSchema, level: Level, field: string): StatusCause[] {
  const { properties = {} } = schema;
  const isMeta = level === 'root' || schema['x-kubernetes-embedded-resource'] === true;
  const causes: StatusCause[] = [];
  for (const key of ['kind', 'apiVersion']) {
    const type = properties[key]?.type ?? '';
    if (!isMeta || properties[key] === undefined || type === 'string') continue;
    causes.push(invalidValue(`${field}.properties[${key}].type`, type, 'must be string'));
  }
  const { metadata } = properties;
  const at = `${field}.properties[metadata]`;
  if (metadata === undefined) return causes;
  if (isMeta && metadata.type !== 'object')
    causes.push(invalidValue(`${at}.type`, metadata.type ?? '', 'must be object'));
  if (level === 'root' && !isOnlyNamed(metadata)) {
    const why =
      'must not specify anything other than name and generateName, but metadata is implicitly specified';
    causes.push(forbidden(at, why));
  }
  return causes;
}

function checkNode(schema: JsonSchema, level: Level, field: string): StatusCause[] {
  const { properties = {}, additionalProperties, type } = schema;
  const causes: StatusCause[] = [];
  const items = itemsOf(schema);
  if (items !== undefined) causes.push(...checkNode(items, 'item', `${field}.items`));
  else if (type === 'array') causes.push(requiredValue(`${field}.items`, 'must be specified'));
  for (const [key, one] of Object.entries(properties))
    causes.push(...checkNode(one, 'field', `${field}.properties[${key}]`));
  const at = `${field}.additionalProperties`;
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  if (additionalProperties !== undefined) {
    if (level === 'root') causes.push(forbidden(at, 'must not be used at the root'));
    if (isEmbedded) {
      const why = 'must not be used if x-kubernetes-embedded-resource is set';
      causes.push(forbidden(at, why));
    }
  }
  const values = valuesOf(schema);
  if (values !== undefined) causes.push(...checkNode(values, 'field', at));
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (isEmbedded && !isOpen && Object.keys(properties).length === 0) {
    const why =
      'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields';
    causes.push(requiredValue(`${field}.properties`, why));
  }
  return [
    ...causes,
    ...checkExtensions(schema, field),
    ...checkValues(schema, field, {
      any: isIntOrString(schema.anyOf),
      firstAny: isIntOrString(schemasIn(schema.allOf)[0]?.anyOf),
    }),
    ...checkType(schema, level, field),
    ...checkMeta(schema, level, field),
  ];
}

// ---- completeness ----

interface Described {
  readonly schema: JsonSchema | undefined;
  readonly field: string;
}

function checkDescribed(nested: JsonSchema, described: Described, at: string): StatusCause[] {
  const { schema, field } = described;
  if (schema === undefined) return [requiredValue(field, `because it is defined in ${at}`)];
  const causes = checkJunctors(nested, described, at);
  const items = itemsOf(nested);
  if (items !== undefined) {
    const below = { schema: itemsOf(schema), field: `${field}.items` };
    causes.push(...checkDescribed(items, below, `${at}.items`));
  }
  for (const [key, one] of Object.entries(nested.properties ?? {})) {
    const below = { schema: schema.properties?.[key], field: `${field}.properties[${key}]` };
    causes.push(...checkDescribed(one, below, `${at}.properties[${key}]`));
  }
  return causes;
}

/** What is said of a value has to be said of one whose schema is known. */
function checkJunctors(schema: JsonSchema, described: Described, at: string): StatusCause[] {
  const all = (key: 'allOf' | 'anyOf' | 'oneOf'): StatusCause[] =>
    schemasIn(schema[key]).flatMap((one, i) =>
      checkDescribed(one, described, `${at}.${key}[${i}]`),
    );
  return [
    ...(isObject(schema.not) ? checkDescribed(schema.not, described, `${at}.not`) : []),
    ...all('allOf'),
    ...all('anyOf'),
    ...all('oneOf'),
  ];
}

const textOf = ({ field, message }: StatusCause): string => `${field ?? ''}: ${message}`;

export function checkStructure(schema: JsonSchema, field: string): StatusCause[] {
  return [
    ...checkNode(schema, 'root', field),
    ...checkJunctors(schema, { schema, field }, field),
  ].toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}
